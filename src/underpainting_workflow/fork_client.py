"""Ask a fork server to run a script on behalf of this process: `python -I -S fork_client.py SOCKET SCRIPT`.

`fork_server` explains both sides. This module imports little, since every job starts a client.
"""

import json
import os
import signal
import socket
import sys

ANSWER_BYTES = 8


def run(address: str, script: str) -> int:
    """Ask a server to run a script on behalf of this process, and return the script's exit status."""
    try:
        server = socket.socket(socket.AF_UNIX)
        server.connect(address)
        socket.send_fds(server, [_request(script)], [1, 2])
        job = _number(server)
    except OSError:
        job = None
    if job is None:  # no server, or it ended before the job began
        os.execv(sys.executable, [sys.executable, script])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(job, number))
    status = _number(server)
    return 128 + signal.SIGKILL if status is None else status


def _request(script: str) -> bytes:
    umask = os.umask(0)
    os.umask(umask)
    request = {
        "script": script,
        "folder": os.getcwd(),  # noqa: PTH109 - pathlib takes longer to import than all else here
        "environment": dict(os.environ),
        "umask": umask,
    }
    return json.dumps(request).encode() + b"\n"


def _number(server: socket.socket) -> int | None:
    """Receive the next number from the server; None if it has ended."""
    try:
        answer = server.recv(ANSWER_BYTES, socket.MSG_WAITALL)
    except OSError:
        return None
    return int.from_bytes(answer, "big") if len(answer) == ANSWER_BYTES else None


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
