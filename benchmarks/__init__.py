"""Costs as ratios against a named peer or a bare operation, measured in one process: `make bench`."""
