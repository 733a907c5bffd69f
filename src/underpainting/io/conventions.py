"""Conventions of stored images: their range and the names of their axes."""

IMAGE_RANGE = (-1.0, 1.0)
IMAGE_DIMS = ("channel", "height", "width")
