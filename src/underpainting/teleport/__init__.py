"""Jumps over the start of sampling, the sampler that goes on, and the planner that chooses a jump.

`jumps` carries states to another level without a network, `hybrid_sampler` hands over to any sampler, `planner` and
`discretisation` estimate what both lose, `sweep` reads the table of a sweep. Builds upon `quality`, `theory`,
`samplers`, `basis` and `noise`.
"""
