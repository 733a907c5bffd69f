"""Noise paths x_t = alpha_t x_0 + sigma_t noise: levels, grids of them, and the schedule of a network.

`levels` holds paths and grids, `schedules` the levels that a network knows, in its own time, `families` the diffusers
schedulers whose path is known. Knows no sampler and no network; builds upon `io`.
"""
