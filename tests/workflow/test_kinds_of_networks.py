"""Networks of other kinds than plain variance-preserving ones, made by the rules."""

from __future__ import annotations

from tests.underpainting.denoisers.test_published_edm import official_code, pickled, sha256
from tests.workflow.project import Project
from underpainting import denoisers
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.residual import ResidualNetwork
from underpainting.io import third_party_code

INDEX = "results/tiny/denoiser/model_index.json"


def test_the_eigenbasis_comes_before_a_network_that_learns_the_rest(fresh: Project) -> None:
    study = fresh.study()
    study["denoiser"]["training"]["residual"] = "blend"
    fresh.write(study)
    fresh.build(INDEX)
    denoiser, _ = denoisers.load_denoiser((fresh.folder / INDEX).parent, Compute("cpu"))
    assert isinstance(denoiser.network, ResidualNetwork)
    assert fresh.planned(INDEX) == {}


def test_trainings_are_compared_at_equal_training_steps(fresh: Project) -> None:
    """Three forms, two seeds, two training lengths; none needs the study's own network."""
    fresh.write({**fresh.study(), "residual": {"training_steps": [2, 3], "seeds": 2}})
    planned = fresh.planned("residual")
    assert {rule: count for rule, count in planned.items() if rule.endswith(("_form", "_residual"))} == {
        "train_form": 12,
        "measure_residual": 6,
        "tabulate_residual": 1,
        "figure_residual": 1,
    }
    assert "train_denoiser" not in planned


def test_a_published_network_is_converted_once(fresh: Project) -> None:
    """New code makes the rule run again; without the user's trust nothing starts."""
    code = official_code(fresh.folder / "edm")
    path, _ = pickled(code, fresh.folder / "net.pkl")
    study = fresh.study()
    study["denoiser"] = {
        "source": "edm",
        "path": "net.pkl",
        "code": "edm",
        "sha256": sha256(path),
        "trust_pickle": True,
    }
    fresh.write(study)
    fresh.build(INDEX)
    assert third_party_code.digest(code) in (fresh.folder / "results/tiny/denoiser/unet/config.json").read_text()
    assert fresh.planned(INDEX) == {}
    with (code / "dnnlib/__init__.py").open("a") as file:
        file.write("NEW = True\n")
    assert fresh.planned(INDEX) == {"fetch_denoiser": 1}
    study["denoiser"]["trust_pickle"] = False
    fresh.write(study)
    refused = fresh.run("-n", INDEX)
    assert refused.returncode
    assert "denoiser.trust_pickle: net.pkl is a pickle" in refused.stdout
