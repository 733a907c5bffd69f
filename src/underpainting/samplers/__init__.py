"""Samplers: their registry, their walk over a noise grid, random numbers, and stored trajectories."""
