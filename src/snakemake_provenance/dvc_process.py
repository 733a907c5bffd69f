"""Run DVC with the host keys of SSH remotes checked: `python -m snakemake_provenance.dvc_process ARGUMENTS`.

DVC's file system for SSH sets `known_hosts=None`, which accepts any host that answers. This module restores asyncssh's
default: the host must be in the user's known_hosts. Only this module changes private parts of DVC.
"""

from __future__ import annotations

import sys
from typing import Any


def check_host_keys() -> None:
    """Make SSH remotes refuse hosts that are not in known_hosts."""
    from dvc_ssh import SSHFileSystem

    prepare = SSHFileSystem._prepare_credentials

    def prepare_and_check(self: Any, **config: Any) -> dict[str, Any]:
        return {**prepare(self, **config), "known_hosts": ()}

    SSHFileSystem._prepare_credentials = prepare_and_check


def main(arguments: list[str]) -> int:
    """Run DVC and return its exit code."""
    from dvc.cli import main as dvc

    check_host_keys()
    return int(dvc(arguments) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
