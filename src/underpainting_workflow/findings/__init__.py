"""Summarise a study in a few findings, in words and numbers, for the front page of its report.

`finding` holds what a finding is and how its numbers are written; `images` and `latents` make those of the two kinds of studies.
"""
