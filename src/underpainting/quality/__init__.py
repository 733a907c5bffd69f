"""How good generated images are: features, and distances between them."""
