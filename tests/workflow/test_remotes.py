"""Results through S3 and SSH: pushed, pulled, restored; a remote that dies half-way; a host that is not who it was."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow import servers
from tests.workflow.servers import BUCKET, Cable
from tests.workflow.workplace import Workplace
from tests.workflow.world import MOMENTS, World

S3 = pytest.param(
    "s3", marks=pytest.mark.skipif(not servers.MOTO.exists(), reason="no S3 server here: `make s3` installs one")
)
SSH = pytest.param(
    "ssh", marks=pytest.mark.skipif(servers.SSHD is None, reason="no OpenSSH server here: install openssh-server")
)
HALF = 60_000  # bytes, of about 170,000 that the study of bytes is


@pytest.fixture(params=[S3, SSH])
def cable(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> Iterator[Cable]:
    """A way to a real server, which is the producer's and everyone's default remote."""
    server = servers.s3() if request.param == "s3" else servers.ssh(tmp_path / "sshd", world.folder / "home")
    with server as port:
        way = Cable(port)
        if request.param == "ssh":
            servers.know(world.folder / "home", tmp_path / "sshd/host_key.pub", way.port)
        use(world.producer, request.param, way.port, tmp_path / "store")
        yield way
        way.close()


def use(place: Workplace, kind: str, port: int, store: Path) -> None:
    """Make a server the default remote, for all who clone."""
    url = f"s3://{BUCKET}/store" if kind == "s3" else f"ssh://127.0.0.1:{port}{store}"
    place.dvc("remote", "add", "--quiet", "--force", "--default", "server", url)
    options = (
        {
            "endpointurl": f"http://127.0.0.1:{port}",
            "access_key_id": "test",
            "secret_access_key": "test",
            "region": "us-east-1",
        }
        if kind == "s3"
        else {"keyfile": str(place.home / ".ssh/id_ed25519"), "timeout": "20"}
    )
    for key, value in options.items():
        place.dvc("remote", "modify", "--quiet", "server", key, value)
    place.commit("a server")


def test_results_travel_and_a_remote_may_die_half_way(world: World, cable: Cable) -> None:
    cable.allowance = HALF
    failed = world.producer.try_command("underpainting", "push", "bytes", AWS_MAX_ATTEMPTS="1")
    assert failed.returncode == 2, failed.stdout
    assert "dvc push" in failed.stdout
    assert cable.cut, failed.stdout
    assert not world.producer.plan(*MOMENTS).runs()
    behind = world.producer.clone("early").try_command("git", "log", "-1", "--format=%s").stdout
    assert behind.strip() == "results", "nobody is told of results that are not there"

    cable.mend()
    world.producer.tool("push", "bytes")
    assert not world.producer.plan(*MOMENTS).runs()
    third = world.producer.clone("third")
    third.tool("pull", "bytes")
    assert not third.plan(*MOMENTS).runs()
    assert third.tool("verify", "bytes").strip().endswith("0 differ from the record")


@pytest.mark.skipif(servers.SSHD is None, reason="no OpenSSH server here: install openssh-server")
def test_a_host_with_another_key_gets_nothing(world: World, tmp_path: Path) -> None:
    home = world.folder / "home"
    with servers.ssh(tmp_path / "sshd", home) as port:
        use(world.producer, "ssh", port, tmp_path / "store")
        other = tmp_path / "other"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
        servers.know(home, other.with_suffix(".pub"), port)
        refused = world.producer.try_command("underpainting", "push", "bytes")
        assert refused.returncode == 2
        assert "Host key is not trusted" in refused.stdout
        assert not (tmp_path / "store").exists()
