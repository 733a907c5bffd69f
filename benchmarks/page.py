"""Time of a frame of a study's page beside the 16 ms that a screen leaves: `python -m benchmarks.page results/STUDY/index.html`.

A frame is all that changes when the time slider moves: six images, four charts and the texts. The page runs in headless Chromium.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BOUND = 16.0  # ms: 60 frames a second
FRAMES = 200
SCRIPT = """
const slider = document.getElementById("time"), times = [];
for (let frame = 0; frame < %d; frame++) {
  slider.value = frame %% (Number(slider.max) + 1);
  slider.dispatchEvent(new Event("input"));
  times.push(Number(document.body.dataset.frame));
}
document.body.dataset.times = JSON.stringify(times.sort((one, other) => one - other));
"""


def frame_times(page: Path) -> list[float]:
    """Milliseconds of each frame, in increasing order."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no Chromium: install it, e.g. apt-get install chromium")
    text = page.read_text(encoding="utf-8").replace("</body>", f"<script>{SCRIPT % FRAMES}</script></body>")
    with tempfile.TemporaryDirectory() as folder:
        timed = Path(folder) / "page.html"
        timed.write_text(text, encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile", "--dump-dom"]
        dom = subprocess.run([browser, *options, timed.as_uri()], capture_output=True, text=True, check=True).stdout
    found = re.search(r'data-times="([^"]*)"', dom)
    if found is None:
        sys.exit(f"{page} has no interactive part")
    times: list[float] = json.loads(html.unescape(found[1]))
    return times


def main() -> None:
    """Print median and slowest frame as shares of the bound."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    times = frame_times(Path(sys.argv[1]))
    print(
        f"median frame over {BOUND:g} ms: {times[len(times) // 2] / BOUND:.2f}; slowest of {len(times)}: {times[-1] / BOUND:.2f}"
    )


if __name__ == "__main__":
    main()
