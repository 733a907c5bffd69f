"""How each figure of a study is drawn from its files: a module per figure, with a function `draw(files, config)`.

`files` holds the paths of each named input, `config` what the row of `underpainting_workflow.figures` says. The modules are
imported one by one, so that a figure depends on its own code alone; the art is that of `underpainting.plotting`.
"""
