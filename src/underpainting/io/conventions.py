"""Conventions of stored images, their range and the names of their axes, and of metadata."""

IMAGE_RANGE = (-1.0, 1.0)
IMAGE_DIMS = ("channel", "height", "width")
KEY = "underpainting"
"""The single key of a safetensors file's metadata, since safetensors writes several in an order that varies between calls."""
