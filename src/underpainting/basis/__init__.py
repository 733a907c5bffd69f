"""Computes and stores the mean, principal axes and variances of images.

`moments` accumulates mean and covariance, `eigenbasis` decomposes them, `estimate` does both without a workflow, `stored`
keeps a basis as one portable file, of which `variances` reads the variances alone. Gaussians of latents under a prompt:
`shrinkage` from the latents whose captions agree with it, `prompts` predicted from its text embedding; `likelihood`
compares them. Builds upon `io` and `images`.
"""
