"""Figures: one function per figure, from arrays to a matplotlib Figure; files are the scripts' business.

The submodules are imported one by one, so that a figure depends on its own code alone.
"""
