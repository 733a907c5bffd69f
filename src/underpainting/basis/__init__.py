"""Computes and stores the mean, principal axes and variances of images.

`moments` accumulates mean and covariance, `eigenbasis` decomposes them, `estimate` does both without a workflow,
`stored` keeps a basis as one portable file. Builds upon `io` and `images`.
"""
