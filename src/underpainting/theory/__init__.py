"""Analytic models of the data: the endpoint estimate, score and probability flow that each predicts.

`gaussian` is the closed form of the paper, `isotropic` its null model, `mixtures` and `point_cloud` the models with
more detail, `rotation` the geometry that follows, `flow` the numerical flow of any denoiser, `theories` all of them by
name. Builds upon `samplers`, `denoisers`, `basis`, `images` and `noise`.
"""
