"""When components emerge on real trajectories, measured and predicted (Eq. 13, 60-62)."""

print("placeholder")
