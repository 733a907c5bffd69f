"""Training of networks of every kind.

`objectives` says what a network learns on its path, `trainer` is the loop, `checkpoints` lets an interrupted training
go on to the same weights. Builds upon `denoisers` and `io`.
"""
