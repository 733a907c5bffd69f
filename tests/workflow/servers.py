"""Real servers on the loopback: S3 (moto), OpenSSH, and a connection that can be cut."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.workflow.project import ROOT

MOTO = ROOT / ".venv-s3/bin/moto_server"
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
BUCKET = "underpainting-test"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, seconds: float = 60.0) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert time.monotonic() < deadline, f"nobody listens on port {port}"
        time.sleep(0.05)


@contextmanager
def s3() -> Iterator[int]:
    """An S3 server with an empty bucket; its port."""
    port = free_port()
    with _process([str(MOTO), "--host", "127.0.0.1", "--port", str(port)], port):
        make_bucket(f"http://127.0.0.1:{port}/{BUCKET}")
        yield port


def make_bucket(address: str, attempts: int = 5) -> None:
    """Make a bucket; a server that has just begun to listen may drop its first connections."""
    for left in reversed(range(attempts)):
        try:
            urlopen(Request(address, method="PUT"))
        except (URLError, ConnectionError):
            if not left:
                raise
            time.sleep(1)
        else:
            return


@contextmanager
def ssh(folder: Path, home: Path) -> Iterator[int]:
    """An SSH server with keys of its own, which `home` knows and may enter; its port."""
    folder.mkdir(parents=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    (home / ".ssh").mkdir(mode=0o700, exist_ok=True)
    for name in (folder / "host_key", home / ".ssh/id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(name)], check=True)
    shutil.copy(home / ".ssh/id_ed25519.pub", folder / "authorized_keys")
    port = free_port()
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host_key",
        "AuthorizedKeysFile": folder / "authorized_keys",
        "PidFile": folder / "pid",
        "StrictModes": "no",
        "UsePAM": "no",
        "Subsystem": "sftp internal-sftp",
    }
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    with _process([str(SSHD), "-D", "-e", "-f", str(folder / "config")], port):
        know(home, folder / "host_key.pub", port)
        yield port


def know(home: Path, key: Path, port: int) -> None:
    """Write a server's key into the user's known hosts, in place of others."""
    kind, digits, *_ = key.read_text().split()
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {digits}\n")


@contextmanager
def _process(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


class Cable:
    """A connection to a server that dies once so many bytes went through it, until it is mended.

    Args:
        target: port of the server.
        allowance: bytes that it lets through towards the server; None for any number.
    """

    def __init__(self, target: int, allowance: int | None = None) -> None:
        self.target, self.allowance, self.cut = target, allowance, False
        self._counting = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def mend(self) -> None:
        """Let everything through from now on."""
        with self._counting:
            self.allowance, self.cut = None, False

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.cut:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self.target))
                for source, sink, counts in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._carry, args=(source, sink, counts), daemon=True).start()

    def _count(self, size: int) -> None:
        """Take bytes from the allowance; the connections count in threads of their own, one at a time."""
        with self._counting:
            if self.allowance is not None:
                self.allowance -= size
                if self.allowance < 0:
                    self.cut = True

    def _carry(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while data := source.recv(16384):
                if counts:
                    self._count(len(data))
                if self.cut:
                    break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
