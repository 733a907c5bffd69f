"""The most frequent words and their shares, as CSV: `top.py NUMBER COUNTS WORDS`; a word without a count counts once."""

import sys
from pathlib import Path

number, counts, words = sys.argv[1:]
total = len(Path(words).read_text().split())
rows = [(["1", *line.split()])[-2:] for line in Path(counts).read_text().splitlines()]
rows.sort(key=lambda row: (-int(row[0]), row[1]))
for count, word in rows[: int(number)]:
    print(f"{word},{count},{int(count) / total:.3f}")
