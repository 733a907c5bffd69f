"""What is measured on trajectories and scores, and how sure that is."""
