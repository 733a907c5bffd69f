"""Jumps over the start of sampling, the sampler that continues, and the planner that chooses a jump.

`jumps` carries states to another level without a network, `hybrid_sampler` continues with any sampler, `planner` and
`discretisation` estimate what both lose, `choice` chooses sampler, grid and jump for a number of network calls, `sweep` evaluates
the table of a sweep. Builds upon `quality`, `theory`, `samplers`, `basis` and `noise`.
"""
