"""Measurements on trajectories and scores, with their statistics.

A module per question: `comparison`, `geometry`, `emergence`, `perturbation`, `retrieval`, `score_variance`;
`statistics` holds intervals, paired tests and fits. Builds upon `theory`, `samplers`, `denoisers`, `basis` and `noise`.
"""
