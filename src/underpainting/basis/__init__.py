"""Computes and stores the mean, principal axes and variances of images.

`moments` accumulates mean and covariance, `eigenbasis` decomposes them, `estimate` does both without a workflow,
`stored` keeps a basis as one portable file, of which `variances` reads the variances alone. Builds upon `io` and `images`.
"""
