"""Training of denoising networks of every kind.

`objectives` computes the training targets of each path, `trainer` is the loop, `checkpoints` lets an interrupted
training continue to the same weights. Builds upon `denoisers` and `io`.
"""
