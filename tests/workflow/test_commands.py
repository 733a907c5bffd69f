"""The command `underpainting` as a user types it: status, verify, why, gc, archive, hooks."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.workflow.test_scenarios import MIDDLE, flip
from tests.workflow.world import MOMENTS, World
from underpainting_workflow import cli

FLIPS = 100


def lines(text: str) -> dict[str, str]:
    """Condition by path, of a printed status."""
    found = (line.partition("results/") for line in text.splitlines() if not line.startswith(" "))
    return {f"results/{path}": condition.strip() for condition, separator, path in found if separator}


def test_status_tells_each_condition_and_why(world: World) -> None:
    place = world.colleague
    assert place.tool("status").strip().endswith("fresh")
    place.edit("src/underpainting/analysis/emergence.py", "THRESHOLD = 0.5**0.5", "THRESHOLD = 0.6**0.5")
    place.study({"teleport.kid_subsets": 6})
    flip(place.folder / "results/tiny/score.zarr.zip")
    (place.folder / "results/tiny/models.csv").unlink()
    result = place.try_command("underpainting", "status")
    assert result.returncode == 1
    told = lines(result.stdout)
    assert told["results/tiny/emergence/ddim-6.zarr.zip"] == "stale"
    assert told["results/tiny/score.zarr.zip"] == "not recorded"
    assert told["results/tiny/models.csv"] == "missing"
    assert "results/tiny/moments.zarr.zip" not in told
    assert "code of underpainting/analysis/emergence.py" in result.stdout
    assert "kid_subsets: 5 before, 6 now" in result.stdout
    assert "made from results/tiny/emergence/ddim-6.zarr.zip, which is to be made again" in result.stdout


def test_verify_finds_every_flipped_byte(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(world.colleague.folder)
    assert cli.main(["verify"]) == 0
    assert "0 differ from the record" in capsys.readouterr().out
    choose = random.Random(0)
    files = sorted(path for path in Path("results").rglob("*") if path.is_file())
    for path in choose.choices(files, k=FLIPS):
        content = path.read_bytes()
        altered = bytearray(content)
        altered[choose.randrange(len(altered))] ^= 1 << choose.randrange(8)
        path.write_bytes(altered)
        assert cli.main(["verify"]) == 1
        told = capsys.readouterr().out
        assert f"{path}\n" in told and "1 differ from the record" in told
        path.write_bytes(content)


def test_why_shows_the_chain_and_what_differs_now(world: World) -> None:
    place = world.colleague
    place.study({"dataset.limit": 190})
    told = place.tool("why", "results/tiny/eigenbasis.zarr.zip")
    assert "results/tiny/eigenbasis.zarr.zip  stale, made by decompose_covariance" in told
    assert "\n  results/tiny/moments.zarr.zip  stale, made by estimate_moments" in told
    assert "limit: 200 before, 190 now" in told
    assert "code: decompose_covariance.py" in told
    unknown = place.try_command("underpainting", "why", "results/tiny/nothing")
    assert unknown.returncode == 2
    assert "no rule makes it" in unknown.stdout


def test_gc_removes_what_is_no_longer_made_and_nothing_else(world: World) -> None:
    place = world.colleague
    place.study({"teleport.skips": [0]})
    (place.folder / "results/tiny/notes.txt").write_text("mine")
    kept = ("tiny/training.checkpoint.safetensors", "bytes/notes.txt", "removed/notes.txt")
    for name in kept:
        (place.folder / "results" / name).parent.mkdir(exist_ok=True)
        (place.folder / "results" / name).write_text("of worth")
    before = {path for path in (place.folder / "results").rglob("*") if path.is_file()}
    assert "no longer made" in place.tool("gc", "tiny")
    assert before == {path for path in (place.folder / "results").rglob("*") if path.is_file()}
    place.tool("gc", "tiny", "--delete")
    gone = {path.relative_to(place.folder / "results/tiny").as_posix() for path in before if not path.exists()}
    assert gone == {
        "notes.txt",
        "teleport/ddim-6/skip_2/fidelity.json",
        "teleport/ddim-6/skip_2/features/seeds_0-24.zarr.zip",
        "teleport/ddim-6/skip_2/samples/seeds_0-24.zarr.zip",
        "null/ddim-6/skip_2/fidelity.json",
        "null/ddim-6/skip_2/features/seeds_0-24.zarr.zip",
        "null/ddim-6/skip_2/samples/seeds_0-24.zarr.zip",
    }
    assert all((place.folder / "results" / name).exists() for name in kept)
    recorded = (place.folder / "workflow/provenance/tiny.jsonl").read_text().splitlines()
    assert not [line for line in recorded if line.startswith('{"path": "results/tiny/teleport/ddim-6/skip_2/')]
    assert "results/tiny/teleport.csv" in place.plan().runs(), "the table still has the row, until the next run"


def test_a_finished_study_becomes_a_crate(world: World, tmp_path: Path) -> None:
    place = world.colleague
    target = tmp_path / "tiny.zip"
    place.tool("archive", "tiny", str(target))
    with zipfile.ZipFile(target) as crate:
        assert crate.testzip() is None
        names = set(crate.namelist())
        graph = {entry["@id"]: entry for entry in json.loads(crate.read("ro-crate-metadata.json"))["@graph"]}
        assert crate.read(MIDDLE) == (place.folder / MIDDLE).read_bytes()
    assert {MIDDLE, "Snakefile", "config/studies/tiny.yaml", "workflow/provenance/tiny.jsonl"} <= names
    made = graph[f"#made-{MIDDLE}"]
    assert made["@type"] == "CreateAction"
    assert made["object"] == {"@id": "results/tiny/dataset.zarr.zip"} or made["object"] == [
        {"@id": "results/tiny/dataset.zarr.zip"}
    ]
    assert made["instrument"] == {"@id": "scripts/estimate_moments.py"}
    place.study({"dataset.limit": 190})
    refused = place.try_command("underpainting", "archive", "tiny", str(target))
    assert refused.returncode == 2 and "not fresh" in refused.stdout
    place.git("checkout", "config")
    place.edit("src/underpainting/analysis/emergence.py", "THRESHOLD", "# a comment\nTHRESHOLD")
    refused = place.try_command("underpainting", "archive", "tiny", str(target))
    assert refused.returncode == 2 and "src/underpainting/analysis/emergence.py is not committed" in refused.stdout


def test_push_refuses_what_no_job_wrote(world: World) -> None:
    place = world.colleague
    (place.folder / "results/tiny/training.checkpoint.safetensors").write_text(
        "of a killed training, which DVC does not track"
    )
    place.tool("push")
    flip(place.folder / MIDDLE)
    refused = place.try_command("underpainting", "push")
    assert refused.returncode == 2
    assert f"no job is known to have written {MIDDLE}:" in refused.stdout


def test_a_checkout_replaces_no_result_that_was_never_pushed(world: World) -> None:
    place, file = world.producer, world.producer.folder / "results/bytes/eigenbasis.zarr.zip"
    place.tool("hooks")
    place.study({"eigenbasis": {"rank": 5}}, "bytes")
    place.snakemake("--quiet=all", *MOMENTS)
    place.commit("another rank")
    made = file.read_bytes()
    told = place.git("checkout", "HEAD~1")
    assert "was left as it is" in told
    assert file.read_bytes() == made


def test_push_says_what_it_lacks_and_what_others_lack(world: World) -> None:
    place = world.producer
    place.study({"title": "Renamed"}, "bytes")
    assert "config/studies/bytes.yaml is not committed" in place.tool("push", "bytes")
    refused = place.try_command("underpainting", "push", "nonesuch")
    assert refused.returncode == 2 and "nothing is recorded of nonesuch" in refused.stdout
    place.dvc("remote", "remove", "store")
    refused = place.try_command("underpainting", "push")
    assert refused.returncode == 2 and "dvc remote add --default NAME URL" in refused.stdout


def test_somebody_elses_hook_is_left_alone(world: World) -> None:
    place = world.colleague
    hook = place.folder / ".git/hooks/post-merge"
    hook.write_text("#!/bin/sh\necho mine\n")
    refused = place.try_command("underpainting", "hooks")
    assert refused.returncode == 2 and "post-merge is not ours" in refused.stdout
    assert "mine" in hook.read_text()
    assert not (place.folder / ".git/hooks/post-checkout").exists()
    hook.unlink()
    place.tool("hooks")
    place.tool("hooks", "--remove")
    assert not hook.exists()


def test_dvc_compares_commits(world: World) -> None:
    """What DVC shows of a study: state, metrics and plots of two commits, and single files to pull."""
    place = world.colleague
    assert "up to date" in place.dvc("status")
    assert "residual_plane" in place.dvc("metrics", "show", "--json")
    place.edit("results/tiny/metrics.json", '"study": "tiny"', '"study": "other"')
    assert '"old": "tiny"' in place.dvc("metrics", "diff", "--all", "--json")
    assert "results/tiny/metrics.json" in place.dvc("diff")
    page = place.dvc("plots", "diff", "HEAD")
    assert "file://" in page


def test_outside_a_project_the_tool_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["status"]) == 2


def test_nothing_is_pushed_or_removed_while_a_run_is_under_way(world: World) -> None:
    place = world.colleague
    code = "import time; from pathlib import Path; from snakemake_provenance import locks; "
    code += "locks.hold(Path('.snakemake')); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=place.folder, env=place.environment, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None and run.stdout.readline() == "held\n"
        for command in (("push",), ("gc", "--delete"), ("restore",)):
            refused = place.try_command("underpainting", *command)
            assert refused.returncode in (1, 2)
            assert "a run is in progress" in refused.stdout
        run.kill()
