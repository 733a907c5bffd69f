"""Mean, principal axes and variances of a data set: estimated, decomposed, kept in files."""
