"""Jobs that are forks of a server: they are what `python SCRIPT` would be, and die with whoever started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from underpainting_workflow import fork_client, fork_server

PRELOADED = "email.mime.text"  # a module that nothing else here imports
ALIVE = "import time; open('began', 'w').write(str(__import__('os').getpid())); time.sleep(60)"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs are forks on Linux alone")


@pytest.fixture(scope="module")
def server() -> Iterator[fork_server.ForkServer]:
    started = fork_server.ForkServer([PRELOADED, "a_package_that_is_not_installed"])
    yield started
    started._process.stdin.close()  # type: ignore[union-attr]
    assert started._process.wait(30) == 0, "it ends with the process that started it"


def start(folder: Path, address: str, script: str, **environment: str) -> subprocess.Popen[str]:
    """Start a script through the client, in a folder."""
    (folder / "script.py").write_text(script)
    return subprocess.Popen(
        [sys.executable, "-I", "-S", fork_client.__file__, address, str(folder / "script.py")],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, address: str, script: str, **environment: str) -> tuple[int, str, str]:
    """Status, output and errors of a script."""
    process = start(folder, address, script, **environment)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def wait_for(file: Path) -> int:
    """Wait for the number that a script writes when it has begun."""
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(file.read_text())


def is_alive(number: int) -> bool:
    """Is there such a process, other than a dead one that nobody has looked after yet?"""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_script_has_its_own_folder_environment_streams_and_arguments(
    tmp_path: Path, server: fork_server.ForkServer
) -> None:
    script = (
        "import os, sys; print(os.getcwd(), os.environ['COLOUR'], sys.argv, __name__, sep='|');"
        f" print({PRELOADED!r} in sys.modules, file=sys.stderr)"
    )
    status, output, errors = run(tmp_path, server.socket, script, COLOUR="ochre" * 20_000)
    assert output.split("|") == [str(tmp_path), "ochre" * 20_000, str([str(tmp_path / "script.py")]), "__main__\n"]
    assert (status, errors) == (0, "True\n"), "its packages are there already"


def test_the_environment_of_one_job_is_not_that_of_the_next(tmp_path: Path, server: fork_server.ForkServer) -> None:
    run(tmp_path, server.socket, "import os; os.environ['LEFT'] = 'here'", COLOUR="ochre")
    _, output, _ = run(tmp_path, server.socket, "import os; print('LEFT' in os.environ, 'COLOUR' in os.environ)")
    assert output == "False False\n"


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("raise SystemExit", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('no room')", 1, "no room"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import os; os._exit(7)", 128 + signal.SIGKILL, ""),
    ],
)
def test_it_ends_as_the_script_ends(
    script: str, status: int, said: str, tmp_path: Path, server: fork_server.ForkServer
) -> None:
    found, _, errors = run(tmp_path, server.socket, script)
    assert found == status
    assert said in errors


def test_the_memory_of_a_job_is_without_what_the_server_takes(tmp_path: Path) -> None:
    script = "from underpainting_workflow.usage.recorder import peak_memory; before = peak_memory();"
    script += "ballast = bytearray(100 * 2**20); print(before, peak_memory())"
    server = fork_server.ForkServer(["torch"])
    status, output, errors = run(tmp_path, server.socket, script)
    server._process.stdin.close()  # type: ignore[union-attr]
    assert status == 0, errors
    before, after = map(float, output.split())
    assert 0 < before < 60, "less than torch"
    assert 95 < after - before < 110


def test_what_is_done_at_exit_is_done(tmp_path: Path, server: fork_server.ForkServer) -> None:
    run(tmp_path, server.socket, "import atexit; atexit.register(open('left', 'w').close)")
    assert (tmp_path / "left").exists()


def test_a_job_dies_with_its_client(tmp_path: Path, server: fork_server.ForkServer) -> None:
    client = start(tmp_path, server.socket, ALIVE)
    job = wait_for(tmp_path / "began")
    client.kill()
    client.wait()
    deadline = time.monotonic() + 30
    while is_alive(job):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_client_ends_when_its_job_is_killed(tmp_path: Path, server: fork_server.ForkServer) -> None:
    client = start(tmp_path, server.socket, ALIVE)
    os.kill(wait_for(tmp_path / "began"), signal.SIGKILL)
    client.communicate(timeout=60)
    assert client.returncode == 128 + signal.SIGKILL


def test_a_signal_reaches_the_job(tmp_path: Path, server: fork_server.ForkServer) -> None:
    script = f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); {ALIVE}"
    client = start(tmp_path, server.socket, script)
    wait_for(tmp_path / "began")
    client.terminate()
    client.communicate(timeout=60)
    assert client.returncode == 9


def test_without_a_server_the_client_runs_the_script_itself(tmp_path: Path) -> None:
    assert run(tmp_path, str(tmp_path / "no.sock"), "print(6 * 7)") == (0, "42\n", "")


@pytest.mark.slow
def test_the_packages_leave_no_thread_and_no_cuda_behind_that_a_fork_would_lack() -> None:
    script = (
        "import importlib, sys, threading\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "import torch; print(threading.active_count(), torch.cuda.is_initialized())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *fork_server.PACKAGES], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1 False\n"
