"""After a change, the jobs that run are those whose result could differ, and no others."""

from __future__ import annotations

from typing import Any

from tests.workflow.project import Project


def test_nothing_is_to_be_done_after_a_run(built: Project) -> None:
    assert "Nothing to be done" in built.build("--dry-run")


def test_a_second_study_leaves_the_first_alone(copy: Project) -> None:
    study = copy.study()
    study["title"] = "Another"
    (copy.folder / "config/studies/other.yaml").write_text(copy.file.read_text().replace("Tiny digits", "Another"))
    planned = copy.planned("tables", "--config", "studies=tiny,other")
    assert planned["train_denoiser"] == 1
    assert planned["sample_trajectories"] == 2


def changed(copy: Project, change: Any, target: str = "all") -> dict[str, int]:
    study = copy.study()
    change(study)
    copy.write(study)
    return copy.planned(target)


def test_more_seeds_add_shards(copy: Project) -> None:
    planned = changed(copy, lambda study: study["trajectories"].update(seeds=16), "tables")
    assert planned == {
        "sample_trajectories": 2,
        "compare_with_theory": 4,
        "measure_geometry": 2,
        "measure_emergence": 1,
        "measure_retrieval": 1,
        "tabulate_geometry": 1,
        "tabulate_models": 1,
        "tabulate_claims": 1,
        "tabulate_studies": 1,
        "collect_metrics": 1,
        "tables": 1,
    }


def test_an_added_skip_runs_alone(copy: Project) -> None:
    planned = changed(copy, lambda study: study["teleport"].update(skips=[0, 2, 4]), "tables")
    assert planned == {
        "sample_teleport": 1,
        "extract_features": 1,
        "measure_fidelity": 1,
        "tabulate_teleport": 1,
        "tabulate_claims": 1,
        "collect_metrics": 1,
        "tables": 1,
    }


def test_a_removed_skip_removes_its_row(copy: Project) -> None:
    planned = changed(copy, lambda study: study["teleport"].update(skips=[0]), "tables")
    assert planned == {"tabulate_teleport": 1, "tabulate_claims": 1, "collect_metrics": 1, "tables": 1}


def test_an_added_sampler_leaves_the_others_alone(copy: Project) -> None:
    def add(study: dict[str, Any]) -> None:
        study["trajectories"]["samplers"].append({"name": "euler", "steps": 5})

    planned = changed(copy, add, "tables")
    assert planned == {
        "sample_trajectories": 1,
        "compare_with_theory": 1,
        "measure_geometry": 1,
        "tabulate_geometry": 1,
        "tabulate_studies": 1,
        "collect_metrics": 1,
        "tables": 1,
    }


def test_a_figures_resolution_redraws_figures_only(copy: Project) -> None:
    planned = changed(copy, lambda study: study["figures"].update(dpi=70))
    assert {rule for rule in planned if not rule.startswith("figure_")} == {"render_report", "all"}


def test_a_title_changes_no_array(copy: Project) -> None:
    planned = changed(copy, lambda study: study.update(title="Renamed"), "tables")
    assert planned == {}


def test_the_training_recipe_reruns_what_depends_on_the_network(copy: Project) -> None:
    planned = changed(copy, lambda study: study["denoiser"]["training"].update(steps=7), "tables")
    assert planned["train_denoiser"] == 1
    assert not {"prepare_dataset", "estimate_moments", "decompose_covariance", "train_classifier"} & set(planned)
