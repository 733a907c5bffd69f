"""Where images come from, and whether they suffice."""
