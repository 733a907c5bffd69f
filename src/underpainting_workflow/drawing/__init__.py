"""Draw each figure of a study from its files: a module per figure, with a function `draw(files, config)`.

`files` holds the paths of each named input, `config` the settings from the row of `underpainting_workflow.figures`. Each module
is imported by itself, so that a figure depends on its own code alone. They read arrays; `underpainting.plotting` draws them.
"""
