"""What counts as a word."""

import re


def normal(text):
    """List the words of a text in small letters."""
    return re.findall("[a-z]+", text.lower())
