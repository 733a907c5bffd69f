"""Digest of code, and the lock that dies with its process."""

from __future__ import annotations

import errno
import fcntl
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from snakemake_provenance import code, locks

FILES = {
    "package/__init__.py": "",
    "package/used.py": "from package.below import deep\n\nSTYLE = 'style.css'\n\ndef f(x):\n    return deep(x) + 1\n",
    "package/style.css": "body { margin: 0 }\n",
    "package/other.css": "body { margin: 0 }\n",
    "package/below.py": "def deep(x):\n    return x\n",
    "package/lazy.py": "VALUE = 1\n",
    "package/unused.py": "VALUE = 1\n",
    "package/room/__init__.py": "from package.room.inner import name\n",
    "package/room/inner.py": "name = 'inner'\n",
    "package/rows/__init__.py": "",
    "package/rows/one.py": "VALUE = 1\n",
    "package/rows/two.py": "VALUE = 1\n",
    "package/loading.py": "from importlib import import_module\nload = lambda name: import_module(f'package.rows.{name}')\n",
    "script.py": "from package import used, room\n\ndef main():\n    import package.lazy\n    return used.f(1)\n",
}

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = tuple(ROOT / "src" / name for name in ("underpainting", "underpainting_workflow"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def digest(tree: Path) -> str:
    code.forget()
    return code.combined(code.parts(tree / "script.py", (tree / "package",)))


@pytest.mark.parametrize(
    ("file", "old", "new", "differs"),
    [
        ("script.py", "f(1)", "f(2)", True),
        ("package/used.py", "+ 1", "+ 2", True),
        ("package/below.py", "return x", "return -x", True),
        ("package/lazy.py", "1", "2", True),
        ("package/room/inner.py", "'inner'", "'other'", True),
        ("package/room/__init__.py", "import name", "import name as name", True),
        ("package/style.css", "0", "1", True),
        ("package/other.css", "0", "1", False),
        ("package/unused.py", "1", "2", False),
        ("package/used.py", "def f(x):\n", "def f(x):\n    '''What it does.'''\n\n    # why\n", False),
        ("package/used.py", "deep(x) + 1", "(deep(x)\n            + 1)", False),
    ],
)
def test_the_digest_changes_when_and_only_when_reached_code_does(
    tree: Path, file: str, old: str, new: str, differs: bool
) -> None:
    before = digest(tree)
    text = (tree / file).read_text()
    assert old in text
    (tree / file).write_text(text.replace(old, new))
    assert (digest(tree) != before) == differs


@pytest.mark.parametrize(("named", "reached"), [((), {"one", "two"}), (("package.rows.two",), {"two"})])
def test_an_import_by_a_name_put_together_reaches_every_module_that_it_could_mean(
    tree: Path, named: tuple[str, ...], reached: set[str]
) -> None:
    code.forget()
    (tree / "script.py").write_text("from package import loading\n")
    found = code.closure(tree / "script.py", (tree / "package",), also=named)
    assert {file.stem for file in found if file.parent.name == "rows"} - {"__init__"} == reached
    assert tree / "package/unused.py" not in found


def test_the_digest_does_not_know_where_the_tree_is(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("elsewhere")
    for name, text in FILES.items():
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text(text)
    assert digest(tree) == digest(other)


def test_every_script_of_the_workflow_has_a_closure_within_the_library() -> None:
    scripts = sorted((ROOT / "scripts").glob("*.py"))
    assert scripts
    for script in scripts:
        assert PACKAGES[1] / "runner.py" in code.closure(script, PACKAGES), script.name


def test_every_file_of_the_library_that_is_not_python_counts_with_the_scripts_that_reach_it() -> None:
    scripts = [code.closure(script, PACKAGES) for script in sorted((ROOT / "scripts").glob("*.py"))]
    reached = {file for closure in scripts for file in closure if file.suffix != ".py"}
    assert reached == {file for package in PACKAGES for file in code.data_files(package) if file.name != "py.typed"}


def test_what_was_parsed_is_remembered_until_the_file_changes(tree: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory" / "parsed.json"
    time.sleep(0.15)  # a file just written is not trusted to stay as it is
    first = digest(tree)
    code.remember(memory)
    code.forget()
    code.recall(memory)
    assert str(tree / "script.py") in code._memory
    assert code.combined(code.parts(tree / "script.py", (tree / "package",))) == first
    (tree / "package/used.py").write_text("def f(x):\n    return x\n")
    code.forget()
    code.recall(memory)
    assert code.combined(code.parts(tree / "script.py", (tree / "package",))) != first
    memory.write_text("{")
    code.recall(memory)
    assert not code._memory


HOLD = "import sys, time; from pathlib import Path; from snakemake_provenance import locks\n"
HOLD += "locks.hold(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_live_process_keeps_snakemakes_locks(tmp_path: Path) -> None:
    process = holder(tmp_path)
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/0.input.lock").touch()
    try:
        assert not locks.hold(tmp_path)
        assert (tmp_path / "locks/0.input.lock").exists()
    finally:
        process.kill()
        process.wait()


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    process = holder(tmp_path)
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/0.input.lock").touch()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert locks.hold(tmp_path)
    assert not (tmp_path / "locks/0.input.lock").exists()


def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(locks.NoLocksError, match=r"snakemake_provenance\.lock: this file system knows no locks"):
        locks.hold(tmp_path)
