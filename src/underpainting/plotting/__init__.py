"""Figures: one function per figure, from arrays or datasets to a matplotlib Figure.

`style` holds colours, sizes and how a figure is saved. The submodules are imported one by one, so that a figure depends
on its own code alone. Builds upon `analysis`, `teleport`, `theory`, `noise` and `io`.
"""
