"""Models of the images with captions that a text-to-image model learns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from underpainting_workflow.studies.base import Model, Place


class LeftOut(Model):
    """A combination of attributes that no training image has; an attribute that is not named may have any value."""

    digit: str | None = Field(None, description="The digit, in words.")
    colour: str | None = Field(None, description="The digit's colour.")
    ground: str | None = Field(None, description="The ground's colour.")
    thickness: str | None = Field(None, description="Thickness of the stroke.")
    slant: str | None = Field(None, description="Slant of the digit.")


class PaintedDigits(Model):
    """Handwritten digits in colour, with captions computed from the images."""

    source: Literal["painted_digits"]
    digits: Literal["mnist", "sklearn"] = Field(
        "mnist", description="The grey digits: MNIST, or scikit-learn's, which are part of its package."
    )
    root: Place = Field(
        "{data}", description="Folder in which torchvision looks for `MNIST/raw`; not used by `sklearn`."
    )
    limit: int | None = Field(None, ge=100, description="Number of digits, the first ones; all if not given.")
    left_out: tuple[LeftOut, ...] = Field((), description="Combinations that are kept out of the training.")
    seed: int = Field(0, ge=0, lt=2**31, description="Random seed of colours and captions.")

    def files(self) -> list[str]:
        """List every file that is read."""
        if self.digits == "sklearn":
            return []
        raw = Path(self.root) / "MNIST" / "raw"
        return [(raw / f"train-{part}-ubyte.gz").as_posix() for part in ("images-idx3", "labels-idx1")]

    def settings(self) -> dict[str, object]:
        """Return the keys that the images depend on besides the files."""
        return self.model_dump(exclude={"root"})


CaptionedImages = Annotated[PaintedDigits, Field(description="Images with captions.")]
