def figure_files(name, entry):
    return []
