"""Analytic models of the data: the endpoint estimate, score and probability flow of each.

`gaussian` is the closed form of the paper, `isotropic` its null model, `mixtures` and `point_cloud` the more detailed
models, `rotation` the geometry of trajectories, `flow` the numerical flow of any denoiser, `theories` the registry.
Builds upon `samplers`, `denoisers`, `basis`, `images` and `noise`.
"""
