"""Draw the figures of a study from its files: a module per figure, with a function `draw(files, config)`.

`files` holds the paths of each named input, `config` the settings from the row of `underpainting_workflow.figures`.
Each module is imported separately, so that a figure depends only on the code of its module. The modules read arrays;
`underpainting.plotting` draws them.
"""
