"""The report as a person sees it: opened from the disk in a real browser that reaches no network."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workflow.project import Project

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=15000",
]


def test_another_title_is_another_report_and_nothing_else(copy: Project) -> None:
    copy.write({**copy.study(), "title": "Another", "description": "Another one."})
    assert copy.planned("all") == {"render_report": 1, "all": 1}


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here to open the report with")
def test_the_report_opens_offline(built: Project, tmp_path: Path) -> None:
    page = (built.folder / "results/tiny/report.html").as_uri()
    command = [
        str(BROWSER),
        *QUIET,
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={tmp_path}",
        "--dump-dom",
        page,
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    shown = dom[dom.index('id="app"') : dom.index("var workflow_desc")]
    assert "asks how far the sampling of a diffusion model" in shown, "the front page is rendered"
    assert "Tiny &lt;script&gt;alert(1)&lt;/script&gt; `digits`_ {{ 7 * 7 }} |x| {data}</strong> (tiny)." in shown
    assert "*Shown* as it is: &lt;b&gt;200&lt;/b&gt; of [them]_." in shown
    assert "Results" in shown
    assert "Statistics" in shown


def test_the_report_says_which_range_of_values_was_read(built: Project) -> None:
    page = (built.folder / "results/tiny/report.html").read_text(encoding="utf-8")
    assert "The images were read with 0 as black and 16 as white" in page
