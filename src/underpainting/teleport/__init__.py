"""Jumps over the start of sampling, and what sweeps over them say."""
