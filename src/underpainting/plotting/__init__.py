"""Figures: one function per figure, from arrays or datasets to a matplotlib Figure.

`style` holds colours, sizes and how a figure is saved. Import the submodules one by one, so that a figure depends on
the code of its own module alone. Builds upon `analysis`, `teleport`, `theory`, `noise` and `io`.
"""
