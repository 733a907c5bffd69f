"""What Gaussian data, mixtures and point clouds make of the probability flow."""
