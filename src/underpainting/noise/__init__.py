"""Noise paths x_t = alpha_t x_0 + sigma_t noise: levels, grids of levels, and the schedule of a network.

`levels` holds paths and grids, `schedules` the levels that a network was trained on, as functions of its time, `grids` spreads
levels over them by the name of a grid (`grid_names`), `covariance_grid` by the variances of the data, `families` holds the
diffusers schedulers whose path is known, `training_range` the ends of a schedule, without torch. Depends on no sampler and no
network; builds upon `io`.
"""
