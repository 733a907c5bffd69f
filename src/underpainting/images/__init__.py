"""Sources of images, converted to one size and range.

`datasets` opens a source (array, folder, torchvision, Hub), `decoding` reads one file as a viewer shows it,
`training_images` reads the stored images of a study. Builds upon `io`.
"""
