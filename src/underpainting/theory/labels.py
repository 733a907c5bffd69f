"""The theories by their names in studies and files, in the order of figures and tables, with their names in print."""

LABELS = {
    "gaussian": "Gaussian",
    "mixture": "Gaussian mixture",
    "point_cloud": "point cloud",
}
