"""How networks of every kind are trained."""
