"""A real Slurm of two nodes on this machine, for the tests: no root, no systemd, no accounting; it dies with the test."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import psutil

from tests.workflow.project import ROOT, Project

PROGRAMS = ("slurmctld", "slurmd", "munged", "mungekey", "sbatch", "squeue")
NODES = ("node1", "node2")
PROFILE = ROOT / "workflow" / "profiles" / "slurm"
# this cluster keeps no accounts, its jobs take seconds, and its nodes have two processors
SITE = (
    "--slurm-no-account",
    "--slurm-status-command=squeue",
    "--slurm-init-seconds-before-status-checks=1",
    "--latency-wait=10",
    "--jobs=4",
    "--group-components=figures=2",
    "--default-resources=slurm_partition=debug",
)
SNAKEMAKE = """
from snakemake_executor_plugin_slurm import Executor
from snakemake.cli import main
Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)
main()
"""
"""Snakemake that asks for its jobs each second; it would wait ten seconds longer each time that none has ended."""
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/history.log
MpiDefault=none
SchedulerParameters=bf_interval=1,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MinJobAge=3600
ReturnToService=2
SlurmdTimeout=10
KillWait=2
{nodes}
PartitionName=debug Nodes=ALL Default=YES MaxTime=120 DefaultTime=10 State=UP
"""


def missing() -> str:
    """The programs that this machine lacks, as a reason to skip a test; empty if it has all."""
    path = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
    absent = [name for name in PROGRAMS if not shutil.which(name, path=path)]
    return f"no Slurm here ({', '.join(absent)}): apt install slurm-wlm munge" if absent else ""


@dataclass(frozen=True)
class Cluster:
    """Slurm, its files in one folder. Paths of sockets are short, so the folder must be near the root."""

    folder: Path

    def start(self) -> None:
        """Start it, and wait until both nodes are idle."""
        self.folder.chmod(0o755)  # munged refuses a socket that others cannot reach
        for name in ("bin", "state", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        ports = _free_ports(1 + len(NODES))
        host = socket.gethostname().split(".")[0]
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=16000"
            for node, port in zip(NODES, ports[1:], strict=True)
        )
        text = CONFIGURATION.format(host=host, port=ports[0], user=getpass.getuser(), folder=self.folder, nodes=nodes)
        self.configuration.write_text(text, encoding="utf-8")
        # slurm-jobstep takes every SLURM_ variable, this one too, from the srun that it starts
        srun = self.folder / "bin/srun"
        srun.write_text(
            f'#!/bin/sh\nSLURM_CONF={self.configuration} exec {shutil.which("srun")} "$@"\n', encoding="utf-8"
        )
        srun.chmod(0o755)
        key = self.folder / "munge.key"
        self.run("mungekey", "--create", f"--keyfile={key}")
        files = {name: self.folder / f"munge.{name}" for name in ("socket", "pid", "log", "seed")}
        options = [f"--{kind}-file={files[kind]}" for kind in ("pid", "log", "seed")]
        self.run("munged", f"--key-file={key}", f"--socket={files['socket']}", *options)
        self.run("slurmctld", "-c")
        for node in NODES:
            self.start_node(node)
        wait_until(lambda: self.run("sinfo", "--noheader", "--states=idle", "--format=%D").strip() == "2")

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        self.run("slurmd", "-N", node)

    def kill_node(self, node: str) -> None:
        """SIGKILL the daemon of a node and all that its jobs run."""
        psutil.Process(int((self.folder / f"slurmd.{node}.pid").read_text())).kill()
        for step in _named(*(f"slurmstepd: [{number}." for number in self.jobs("running", node))):
            for process in (step, *step.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def stop(self) -> None:
        """Cancel all jobs and end every daemon."""
        subprocess.run(["scancel", "--user", getpass.getuser()], env=self.environment, check=False)
        for file in [*self.folder.glob("slurmd.*.pid"), self.folder / "slurmctld.pid", self.folder / "munge.pid"]:
            with suppress(psutil.NoSuchProcess, ValueError, FileNotFoundError):
                psutil.Process(int(file.read_text())).terminate()

    @property
    def configuration(self) -> Path:
        """slurm.conf."""
        return self.folder / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """Variables of what speaks to this Slurm."""
        folders = (self.folder / "bin", Path(sys.executable).parent, os.environ["PATH"], "/usr/sbin")
        return {**os.environ, "SLURM_CONF": str(self.configuration), "PATH": os.pathsep.join(map(str, folders))}

    def run(self, *command: str) -> str:
        """Run a program of Slurm, which must succeed."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def jobs(self, state: str = "all", node: str = "") -> list[str]:
        """Numbers of jobs in a state, in the order of submission; on one node, if it is named."""
        place = [f"--nodelist={node}"] if node else []
        return self.run("squeue", "--noheader", f"--states={state}", "--sort=i", "--format=%i", *place).split()

    def tasks(self, numbers: Iterable[str]) -> list[Task]:
        """What jobs were to do, from the scripts that Slurm keeps of them; a job may hold several tasks."""
        scripts = [self.run("scontrol", "write", "batch_script", number, "-") for number in numbers]
        return [Task.read(text) for script in scripts for text in _targets(script)]

    @staticmethod
    def command(*arguments: str) -> list[str]:
        """Snakemake with the profile that the project ships, and what is special to this cluster."""
        start = [sys.executable, "-c", SNAKEMAKE, "--snakefile", str(ROOT / "Snakefile")]
        return [*start, "--profile", str(PROFILE), *SITE, *arguments]

    def build(self, project: Project, *arguments: str) -> str:
        """Run Snakemake on this cluster, which must succeed."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=project.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-6000:]}{self._logs(project)}"
        return done.stdout

    @staticmethod
    def _logs(project: Project) -> str:
        files = sorted((project.folder / "logs/slurm").rglob("*.log"), key=lambda file: file.stat().st_mtime)
        return "".join(f"\n{file}\n{file.read_text()[-3000:]}" for file in files[-2:])


@dataclass(frozen=True, order=True)
class Task:
    """A job of the workflow."""

    rule: str
    wildcards: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, rule: str, **wildcards: object) -> Task:
        """A job of the tiny study."""
        return cls(rule, tuple(sorted((name, str(value)) for name, value in {"study": "tiny", **wildcards}.items())))

    @classmethod
    def read(cls, text: str) -> Task:
        """As Snakemake writes it: `rule:name=value,name=value`."""
        rule, _, wildcards = text.partition(":")
        return cls.of(rule, **dict(pair.split("=", 1) for pair in wildcards.split(",")))


def _targets(script: str) -> list[str]:
    words = shlex.split(script.splitlines()[-1])
    following = words[words.index("--target-jobs") + 1 :]
    return list(takewhile(lambda word: not word.startswith("--"), following))


def _named(*beginnings: str) -> list[psutil.Process]:
    processes = psutil.process_iter(["cmdline"])
    return [entry for entry in processes if " ".join(entry.info["cmdline"] or ()).startswith(beginnings or ("\0",))]


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for entry in sockets:
            entry.bind(("127.0.0.1", 0))
        return [int(entry.getsockname()[1]) for entry in sockets]


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for a condition, which must come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.2)
