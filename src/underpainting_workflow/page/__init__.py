"""The page of a study, `results/STUDY/index.html`: one file that opens offline.

`scene` holds the arrays of its interactive part; `document` writes the page from them, the findings, figures and tables.
"""
