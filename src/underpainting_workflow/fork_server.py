"""Start jobs as forks of a process that has already imported their packages.

Importing torch, diffusers, xarray and matplotlib costs a job about two seconds of processor time, often more than the
rest of the job. So a run of several jobs on this machine starts one server, which imports these packages (never this
project's code, which may change meanwhile) and forks itself for each job:

    Snakemake --shell--> client (fork_client.py) --socket--> server --fork--> job

The client has the job's environment, folder and output streams, which the job takes over; it forwards signals to the
job and ends with its status, so that for Snakemake the client is the job. If the client is killed, so is the job; if
the server is gone, the client runs the script itself. A job with another number of threads than the server (one) starts
without it, since numerical libraries read that number when they are imported.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PACKAGES = (
    "diffusers.models.unets.unet_2d",
    "diffusers.schedulers.scheduling_ddim",
    "matplotlib.backends.backend_agg",
    "pandas",
    "pydantic",
    "safetensors.torch",
    "scipy.stats",
    "seaborn",
    "sklearn.datasets",
    "torch",
    "xarray",
    "zarr.storage",
)
"""Packages that jobs import; one that is not installed is left out."""
FEWEST = 6
"""Smallest number of jobs for which a server saves time: its imports cost as much as those of two or three jobs."""
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
INHERITED = "FORK_SERVER_BYTES"
"""Environment variable of a job: resident memory, in bytes, that it has from the server, as `usage.recorder` knows."""
_ANSWER_BYTES = 8
_REAP_SECONDS = 5.0


class ForkServer:
    """A server and the folder of its socket; it ends with the process that started it."""

    def __init__(self, packages: Sequence[str] = PACKAGES) -> None:
        self._folder = tempfile.mkdtemp(prefix="fork-server-")  # the path of a socket may have 107 bytes at most
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self.socket = f"{self._folder}/server.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.socket)
        listener.listen(64)
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(listener.fileno()), *packages],
            stdin=subprocess.PIPE,  # closed when this process ends, however it ends
            pass_fds=[listener.fileno()],
            env={**os.environ, **dict.fromkeys(THREADS, "1")},
            start_new_session=True,  # Ctrl-C reaches the clients, which pass it on
        )
        listener.close()


def install(workflow: Any) -> None:
    """Make a server run the Python scripts of a workflow's local jobs, if there are enough jobs.

    Args:
        workflow: Snakemake's, while it reads the Snakefile.
    """
    from snakemake.script import PythonScript

    plain, lock = PythonScript.execute_script, threading.Lock()
    servers: list[ForkServer] = []

    def execute_script(self: Any, fname: str, edit: bool = False) -> None:
        apart = self.container_img or self.conda_env or self.env_modules or edit or self.threads != 1
        with lock:
            if not (apart or servers) and _forks() and _local_jobs(workflow) >= FEWEST:
                servers.append(ForkServer())
        if apart or not servers:
            plain(self, fname, edit)
            return
        self._execute_cmd(
            "{python:q} -I -S {client:q} {socket:q} {script:q}",
            python=sys.executable,
            client=Path(__file__).with_name("fork_client.py"),
            socket=servers[0].socket,
            script=fname,
        )

    PythonScript.execute_script = execute_script


def _forks() -> bool:
    """Return whether a process that has imported numerical libraries can fork safely on this system."""
    return sys.platform == "linux"


def _local_jobs(workflow: Any) -> int:
    """Count the planned jobs that run on this machine."""
    jobs = workflow.dag.needrun_jobs(exclude_finished=False)
    return sum(1 for job in jobs if workflow.local_exec or workflow.is_local(job.rule))


def serve(listener: socket.socket, packages: Sequence[str]) -> None:
    """Import packages, then fork for each client until the process that started this one has ended."""
    _import(packages)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [], _REAP_SECONDS)
        _reap()
        if sys.stdin in ready:
            return
        if listener in ready:
            client, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _run_job(client)
            client.close()


def _import(packages: Sequence[str]) -> None:
    for name in packages:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # otherwise the first garbage collection of a job would copy every page


def _reap() -> None:
    """Collect the exit status of ended jobs, which would otherwise stay as zombies."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _run_job(client: socket.socket) -> None:
    """Run the job of a client in this process, and exit with its status."""
    status = 1
    try:
        message, streams, _, _ = socket.recv_fds(client, 1 << 20, 2)
        while not message.endswith(b"\n"):
            message += client.recv(1 << 20)
        script = _take_over(json.loads(message), streams)
        client.sendall(os.getpid().to_bytes(_ANSWER_BYTES, "big"))
        threading.Thread(target=_die_with, args=(client,), daemon=True).start()
        status = _run_script(script)
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        client.sendall(status.to_bytes(_ANSWER_BYTES, "big"))
    finally:
        os._exit(status)


def _take_over(request: dict[str, Any], streams: list[int]) -> str:
    """Adopt the folder, environment and streams of the client, and return the script's path."""
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.umask(request["umask"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"], **{INHERITED: str(_resident())})
    time.tzset()
    tempfile.tempdir = None  # look for it again
    return str(request["script"])


def _resident() -> int:
    """Return the resident memory of this process, in bytes."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _run_script(script: str) -> int:
    """Run a script as `python SCRIPT` would, and return its exit status."""
    sys.argv[:] = [script]
    sys.path.insert(0, str(Path(script).parent))
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _die_with(client: socket.socket) -> None:
    """Kill this process when its client has ended."""
    with contextlib.suppress(OSError):
        client.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
