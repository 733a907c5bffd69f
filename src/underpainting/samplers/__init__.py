"""Samplers on any noise grid, with the arithmetic of diffusers' schedulers.

`registry` names them and their costs, `schedulers` sets a scheduler up, `walk` yields every step, `randomness` gives
each seed its noise, `trajectories` stores what a walk saw. Builds upon `denoisers`, `noise`, `basis` and `io`.
"""
