"""Samplers on any noise grid, with the arithmetic of diffusers' schedulers.

`registry` holds their names and costs, `schedulers` configures a scheduler, `walk` yields every step, `randomness` draws
the noise of each seed, `trajectories` stores states and endpoint estimates, `own_basis` estimates a network's basis,
`optimal_grid` finds the levels at which steps of Euler, DDIM or Heun lose least.
Builds upon `denoisers`, `noise`, `basis` and `io`.
"""
