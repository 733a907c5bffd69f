"""Two people, their origin and their store, side by side in one folder that can be copied whole."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.workflow.project import Project
from tests.workflow.workplace import Workplace

SOURCE = {"source": "npz", "path": "{data}/images.npz", "labels_key": "labels", "image_size": 8, "channels": 1}
MOMENTS = ("moments", "--config", "studies=bytes")


@dataclass(frozen=True)
class World:
    """Producer and colleague share `origin.git` and `store`."""

    folder: Path

    @property
    def producer(self) -> Workplace:
        """Who made the results."""
        return Workplace(self.folder / "producer", self.folder / "home")

    @property
    def colleague(self) -> Workplace:
        """Who cloned and pulled them."""
        return Workplace(self.folder / "colleague", self.folder / "home")

    @classmethod
    def make(cls, folder: Path, built: Project) -> World:
        """The tiny study, and the moments of a study of bytes, made, pushed and pulled."""
        world = cls(folder)
        producer = Workplace.make(folder / "producer", folder / "home", built)
        add_bytes(producer)
        subprocess.run(
            ["git", "init", "--quiet", "--bare", "--initial-branch=main", "origin.git"], cwd=folder, check=True
        )
        producer.git("init", "--quiet", "--initial-branch=main")
        producer.git("remote", "add", "origin", "../origin.git")
        producer.dvc("init", "--quiet")
        producer.dvc("remote", "add", "--quiet", "--default", "store", "../store")
        producer.commit("code")
        producer.git("push", "--quiet", "--set-upstream", "origin", "main")
        producer.snakemake("--quiet=all", *MOMENTS)
        producer.tool("push", "--message", "results")
        producer.clone("colleague").tool("pull")
        return world

    def copy(self, folder: Path) -> World:
        """The same world elsewhere."""
        shutil.copytree(self.folder, folder, copy_function=shutil.copy2, symlinks=True)
        return World(folder)


def add_bytes(place: Workplace) -> None:
    """The tiny study on 40 images in an npz file that is in git."""
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    write_images(place, images)
    shutil.copy(place.folder / "config/studies/tiny.yaml", place.folder / "config/studies/bytes.yaml")
    place.study({"title": "Bytes", "dataset": SOURCE}, "bytes")
    (place.folder / "config/config.yaml").write_text("studies: [tiny]\ndata: images\n", encoding="utf-8")


def write_images(place: Workplace, images: np.ndarray) -> None:
    """The data file of the study of bytes, the same bytes for the same images."""
    (place.folder / "images").mkdir(exist_ok=True)
    np.savez(place.folder / "images/images.npz", images=images, labels=np.arange(len(images)) % 2)
