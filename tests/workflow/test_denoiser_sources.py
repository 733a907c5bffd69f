"""Denoisers that the workflow does not train."""

from __future__ import annotations

from tests.workflow.project import Project


def test_a_network_from_a_folder_serves_a_study(copy: Project) -> None:
    """The trained network, moved away and named by its path: same bytes, and new weights are noticed."""
    (copy.folder / "results/tiny/denoiser").rename(copy.folder / "network")
    study = copy.study()
    study["denoiser"] = {"source": "path", "path": "network"}
    copy.write(study)
    copy.build("results/tiny/denoiser/model_index.json")
    weights = "unet/diffusion_pytorch_model.safetensors"
    assert (copy.folder / "results/tiny/denoiser" / weights).read_bytes() == (
        copy.folder / "network" / weights
    ).read_bytes()
    (copy.folder / "network" / weights).write_bytes(b"others")
    assert copy.planned("results/tiny/denoiser/model_index.json") == {"fetch_denoiser": 1}
