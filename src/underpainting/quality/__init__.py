"""Quality of generated images: features, and distances between them.

`extractors`, `classifier` and `autoencoder` supply features, `frechet` and `fidelity` the distances with their
intervals, `reference_solution` the difference from the network's own images. Builds upon `analysis`, `samplers`, `noise` and
`io`.
"""
