"""Noise paths: levels (alpha, sigma), grids of them, and the schedule of a network."""
