"""The report as a person sees it: opened from the disk in a real browser that reaches no network."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
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
WIDTHS = (
    "setTimeout(() => document.body.dataset.widths = "
    "[...document.querySelectorAll('.prose img')].map(one => one.naturalWidth).join(' '), 5000)"
)
"""A script that leaves the widths of the front page's pictures in the document: 0 for one that does not load."""


def test_another_title_is_another_report_and_nothing_else(copy: Project) -> None:
    copy.write({**copy.study(), "title": "Another", "description": "Another one."})
    assert copy.planned("all") == {"render_report": 1, "render_page": 1, "all": 1}


def dom_of(page: Path, profile: Path) -> str:
    """What a browser without a network makes of a page: its document, scripts run."""
    command = [
        str(BROWSER),
        *QUIET,
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={profile}",
        "--dump-dom",
        page.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def opened(page: Path, profile: Path) -> str:
    """The body of the report, without the results that it carries."""
    dom = dom_of(page, profile)
    return dom[dom.index("<body") : dom.index("var workflow_desc")]


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here to open the report with")
def test_the_report_opens_offline(built: Project, tmp_path: Path) -> None:
    shown = opened(built.folder / "results/tiny/report.html", tmp_path)
    assert "measures how closely the sampling of a diffusion model" in shown, "the front page is rendered"
    assert "Tiny &lt;script&gt;alert(1)&lt;/script&gt; `digits`_ {{ 7 * 7 }} |x| {data}</strong> (tiny)." in shown
    assert "*Shown* as it is: &lt;b&gt;200&lt;/b&gt; of [them]_." in shown
    assert "Results" in shown
    assert "Statistics" in shown


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here to open the report with")
def test_the_front_page_shows_the_findings_with_pictures_that_load(built: Project, tmp_path: Path) -> None:
    results = built.folder / "results/tiny"
    findings = json.loads((results / "findings.json").read_text(encoding="utf-8"))
    assert {"fig_low_nfe", "fig04d_models"} <= {finding["figure"] for finding in findings}
    page = tmp_path / "report.html"
    before, end, after = (results / "report.html").read_text(encoding="utf-8").rpartition("</body>")
    page.write_text(f"{before}<script>{WIDTHS}</script>{end}{after}", encoding="utf-8")
    shown = opened(page, tmp_path / "profile")
    plain = html.unescape(re.sub(r"<[^>]*>", "", shown))
    assert "read from its top and its left edge" in before, "its style is the report's own"
    for number, finding in enumerate(findings, 1):
        assert f"{number}. {finding['title']}" in plain
        assert finding["sentence"] in plain
    (holds,) = next(finding["numbers"] for finding in findings if finding["figure"] == "fig04d_models")
    assert f"for {100 * holds['value']:.0f} % (95 % interval {100 * holds['low']:.0f} % to" in plain
    widths = re.search(r'data-widths="([\d ]*)"', shown)
    assert widths
    assert [int(width) > 100 for width in widths[1].split()] == [True] * len(findings), "every picture has loaded"
    verdicts = pd.read_csv(results / "claims.csv")["reproduced"]
    assert f"Of the {len(verdicts)} claims" in plain
    assert f"{(verdicts == 'yes').sum()} are reproduced (yes)" in " ".join(plain.split())


def test_pictures_are_in_no_record_of_a_job(built: Project) -> None:
    files = [file for file in (built.folder / ".snakemake").rglob("*") if file.is_file()]
    assert files
    assert not any(b"data:image/png" in file.read_bytes() for file in files)


def test_the_report_says_which_range_of_values_was_read(built: Project) -> None:
    page = (built.folder / "results/tiny/report.html").read_text(encoding="utf-8")
    assert re.search(r"read(\s|\\n)+with 0 as black and 16 as white", page)
