"""Registry of theories: label, style and artifact of each. Imports nothing heavy.

A row names the class of its denoiser, which `loading` imports. A theory with a closed form has beside its denoiser a method
`state(images, source, target)`; the flow of any other is integrated (`flow`).
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Theory(NamedTuple):
    """A model of the data.

    Attributes:
        label: its name in figures and tables.
        denoiser: MODULE.CLASS below `underpainting.theory`; built from the content of the artifact.
        reads: kind of its artifact, a key of `loading.READERS`.
        color, linestyle: in all figures, as matplotlib takes them.
        closed_form: whether its flow is known without integration.
        null: its null model, if it has one, which is compared with this theory alone.
    """

    label: str
    denoiser: str
    reads: str
    color: str
    linestyle: Any
    closed_form: bool = False
    null: str = ""

    @property
    def look(self) -> dict[str, Any]:
        """Colour and line style, by matplotlib's names."""
        return {"color": self.color, "linestyle": self.linestyle}


_DOTS = (0, (1, 1))
THEORIES: dict[str, Theory] = {
    "gaussian": Theory(
        "Gaussian", "gaussian.GaussianDenoiser", "eigenbasis", "#0072B2", "-", closed_form=True, null="isotropic"
    ),
    "mixture": Theory("Gaussian mixture", "mixtures.MixtureDenoiser", "mixture", "#D55E00", "--"),
    "point_cloud": Theory("point cloud", "point_cloud.PointCloudDenoiser", "dataset", "#009E73", "-."),
    "isotropic": Theory(
        "isotropic Gaussian", "isotropic.IsotropicDenoiser", "eigenbasis", "#767676", _DOTS, closed_form=True
    ),
}
"""Theories by their names in studies and files, in the order of figures and tables."""

NULL = "isotropic"
"""The null model of the data: mean and total variance alone."""

COMPARED = tuple(name for name in THEORIES if name not in {theory.null for theory in THEORIES.values()})
"""The theories that a study can compare with a sampler; a null model is included with its theory."""
