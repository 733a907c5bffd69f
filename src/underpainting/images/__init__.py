"""Sources of images, brought to one size and range.

`datasets` opens a source (array, folder, torchvision, Hub), `pictures` reads one file as a viewer shows it,
`training_images` reads the images of a study back. Builds upon `io`.
"""
