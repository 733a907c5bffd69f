"""The table of a study's figures, a row each: files, inputs, caption, and the condition for a study to have it.

A row names the module of `underpainting_workflow.drawing` that draws it. The Snakefile imports this module, so it must
import little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from underpainting.io.writing import write_atomically
from underpainting_workflow.studies.base import Model
from underpainting_workflow.studies.files import (
    low_nfe,
    residual,
    shown,
    stages,
    sweep,
    theories,
    trajectories,
)
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy

Files = str | Callable[..., str | list[str]]
StudyModel = TypeVar("StudyModel", Study, TextToImageStudy)


def _nothing(_: Model) -> dict[str, Any]:
    return {}


def _always(_: Model) -> bool:
    return True


@dataclass(frozen=True)
class Figure(Generic[StudyModel]):
    """A figure.

    Attributes:
        draw: name of the module of `underpainting_workflow.drawing`; the rule is `figure_DRAW`, with `variant` if there is one.
        file: file name below `results/STUDY/figures/`, without extension.
        category: section of the report.
        label: name in the report's table of contents.
        inputs: by name, a path with `{study}` or a function of the study's name and model that returns paths.
        caption: reStructuredText, in which Snakemake expands `{{ snakemake... }}`.
        config: function of the study that returns the other settings that the figure depends on, without `figures.dpi`.
        condition: function of the study that returns whether it has this figure.
        holds: arrays held in memory while drawing, as in `studies.resources`.
        title: heading on the pages that `make gallery` writes; empty if it is not shown there.
        variant: name of the rule behind that of the module, where several figures share a module.
    """

    draw: str
    file: str
    category: str
    label: str
    inputs: Mapping[str, Files]
    caption: str
    config: Callable[[StudyModel], dict[str, Any]] = _nothing
    condition: Callable[[StudyModel], bool] = _always
    holds: Mapping[str, float] = field(default_factory=dict)
    title: str = ""
    variant: str = ""

    @property
    def rule(self) -> str:
        """Name of the rule that draws the figure."""
        return "_".join(filter(None, ("figure", self.draw, self.variant)))

    def settings(self, study: StudyModel) -> dict[str, Any]:
        """Return the settings that the figure depends on besides its inputs."""
        return {**self.config(study), "draw": self.draw, "dpi": study.figures.dpi}

    def files(self, name: str) -> list[str]:
        """Return the files of the figure: PNG for the report, PDF for print."""
        return [f"results/{name}/figures/{self.file}.{kind}" for kind in ("png", "pdf")]


_DATASET = "results/{study}/dataset.zarr.zip"
_EIGENBASIS = "results/{study}/eigenbasis.zarr.zip"
_SCHEDULE = "results/{study}/denoiser/schedule.zarr.zip"
_SCORE = "results/{study}/score.zarr.zip"
_LOSSES = "results/{study}/training.zarr.zip"
_SWEEP = "results/{study}/teleport.csv"
_RESIDUAL = "results/{study}/residual.csv"


def _label(study: Study) -> str:
    """Return the label of the main sampler."""
    return stages.main_first(study.trajectories)[0].label


def _swept_labels(study: Study) -> dict[str, str]:
    """Return the labels of the sweep's samplers, by id."""
    return {choice.id: choice.label for choice in stages.main_first(study.teleport)}


FIGURES: tuple[Figure[Study], ...] = (
    Figure(
        draw="generation",
        file="fig01_generation",
        category="Geometry",
        label="Fig. 1: one generation in three views",
        inputs={"trajectories": shown.trajectory},
        config=lambda study: {"seed": shown.seed_of(study), "snapshots": study.figures.snapshots},
        holds={"shard": 2},
        title="Fig. 1 and 6-9: one generation in three views, and its trajectory in the plane of noise and image",
        caption="""
One generation of *{{ snakemake.wildcards.study }}* (seed {{ snakemake.params.config.seed }}), as Fig. 1 of Wang &
Vastola (2023). **A**: the state x_t looks as if noise were lifted from an image that was there from the beginning. The
difference to the next step (for the final image, the last difference; each scaled by its own k to the range of the
display) and the endpoint estimate x̂₀(x_t) show that the outline comes first and details later. **B**: the trajectory
(coloured by step) in the plane of its first and last state, with the ideal rotation α_t x₀ + σ_t x_T (dashed, Eq. 7);
the arrows are x_T and x₀. **C**: least-squares weights of x₀ and x_T in every state (solid); if the trajectory were the
rotation, they would be α_t and σ_t (dashed).
""",
    ),
    Figure(
        draw="theory",
        file="fig03_theory",
        category="Theory",
        label="Fig. 3: the analytical solution",
        inputs={"schedule": _SCHEDULE, "eigenbasis": _EIGENBASIS},
        holds={"basis": 2},
        title="Fig. 3: the analytical solution on this network's noise schedule",
        caption="""
The analytical (closed-form) solution along the noise schedule of the network of *{{ snakemake.wildcards.study }}*, as
Fig. 3 of Wang & Vastola (2023), for directions of variance λ (colour; the ticks on the colour bar are the eigenvalues
of this study). **A**: the gain ψ of the state relative to the initial noise (Eq. 9). **B**: the gain ξ of the endpoint
estimate (Eq. 13), in units of the standard deviation √λ: the higher the variance, the earlier a component is
determined. **C**: the rate of change of ξ (logarithmic), with a dot where noise and scaled signal are equal, σ_t = α_t
√λ. **D**: the effect on the image of a unit perturbation at time t (Eq. 14). Time runs from noise to data.
""",
    ),
    Figure(
        draw="eigenbasis",
        file="fig_eigenbasis",
        category="Theory",
        label="Eigenbasis of the data",
        inputs={"eigenbasis": _EIGENBASIS, "emergence": partial(trajectories.of_main, "emergence")},
        holds={"basis": 2},
        caption="""
The eigenbasis of the images of *{{ snakemake.wildcards.study }}*, which together with the mean is all that the Gaussian
solution knows of them (Sec. 4.1 and App. G of Wang & Vastola 2023). **A**: variance of each component; those above the
dashed line vary more than the initial noise and emerge first. **B**: the same against the mean spatial frequency of the
component's image: large variance means coarse features. **C**: explained variance. **D**: mean image and leading
eigenvectors; zero is white (grey for colour images), and the sign of an eigenvector is arbitrary. The images were read
with {{ snakemake.resources.reading }}; ``logs/{{ snakemake.wildcards.study }}/dataset.log`` says so where their values
fill at most half of that range.
""",
    ),
    Figure(
        draw="validation",
        file="fig12_validation",
        category="Comparison",
        label="Fig. 12-14: the Gaussian solution",
        inputs={
            "eigenbasis": _EIGENBASIS,
            "gaussian": lambda name, study: theories.models_compared(name, study)[0],
            "trajectories": shown.gallery_trajectories,
        },
        config=lambda study: {
            "labels": shown.labels(study),
            "seed": shown.example_seed(study),
            "gallery": study.figures.gallery,
            "snapshots": study.figures.snapshots,
        },
        holds={"shard": 3},
        title="Fig. 12-14: the Gaussian solution compared with the sampler",
        caption="""
The Gaussian solution compared with {{ snakemake.params.config.labels.network }} on *{{ snakemake.wildcards.study }}*,
from the same noise, arranged as Fig. 12-14 of Wang & Vastola (2023). **A**: endpoint estimates x̂₀(x_t) along one
trajectory (seed {{ snakemake.params.config.seed }}). **B**: final images, by seed. **C**: squared error of the state.
**D**: squared error of the endpoint estimate. **E**: squared error of the final image along each eigenvector, with the
data's variance λ_k (black). Lines are means over seeds, bands span the 10th to 90th percentile.
""",
    ),
    Figure(
        draw="endpoint",
        file="fig04a_endpoint",
        category="Comparison",
        label="Fig. 4 A: endpoint estimates",
        inputs={"eigenbasis": _EIGENBASIS, "trajectories": shown.trajectory},
        config=lambda study: {
            "label": _label(study),
            "seed": shown.seed_of(study),
            "snapshots": study.figures.snapshots,
        },
        holds={"basis": 2, "shard": 5},
        caption="""
Endpoint estimates x̂₀(x_t) of {{ snakemake.params.config.label }} (seed {{ snakemake.params.config.seed }}) and of the
Gaussian solution (Eq. 13) from the same noise, as Fig. 4 A of Wang & Vastola (2023). The columns are sampler steps; the
last row is sampler minus theory. Where it is blank, the network does nothing that the mean and covariance of the
training images do not explain.
""",
    ),
    Figure(
        draw="samples",
        file="fig04b_samples",
        category="Comparison",
        label="Fig. 4 B: samples and predictions",
        inputs={"trajectories": shown.gallery_trajectories, "models": theories.models_compared},
        config=lambda study: {"labels": shown.labels(study), "gallery": study.figures.gallery},
        holds={"shard": 3},
        caption="""
The first seeds of *{{ snakemake.wildcards.study }}*: initial noise, image by {{ snakemake.params.config.labels.network
}}, and the image that each theory predicts from the same noise, as Fig. 4 B of Wang & Vastola (2023): the Gaussian by
its closed form (Eq. 10), the others by integrating their probability flow. The Gaussian's image is a linear filter of
the noise: layout and shading should agree with the sampler's, edges and details need not.
""",
    ),
    Figure(
        draw="error",
        file="fig04c_error",
        category="Comparison",
        label="Fig. 4 C: error of the Gaussian solution",
        inputs={"eigenbasis": _EIGENBASIS, "comparison": theories.comparisons},
        config=lambda study: {"labels": [choice.label for choice in stages.main_first(study.trajectories)]},
        caption="""
Squared difference between each sampler and the Gaussian solution from the same noise, as Fig. 4 C and 12 C-E of Wang &
Vastola (2023): mean over seeds; the band, of the first sampler, spans the 10th to 90th percentile. **A**: states.
**B**: endpoint estimates, per pixel; the upper axes show the noise scale. **C**: the final image along each eigenvector
(averaged over neighbours where there are many): where the error reaches the data's variance λ_k (black), the theory
predicts nothing about that component.
""",
    ),
    Figure(
        draw="models",
        file="fig04d_models",
        category="Comparison",
        label="Fig. 4 D: errors of the theories",
        inputs={"models": theories.models_compared},
        config=lambda study: {"labels": shown.labels(study)},
        title="Fig. 4 D: errors of the theories",
        caption="""
Errors of the theories relative to {{ snakemake.params.config.labels.network }}, from the same noise, as Fig. 4 D of
Wang & Vastola (2023). **A**: squared error of the state by sampler step, mean over seeds and band from the 10th to the
90th percentile; the upper axis shows the noise scale. **B**: error of the final image; a dot is a seed, a grey line
joins the same seed, the large dots are means with 95 % intervals. **C**: error minus the Gaussian's, seed by seed
(boxes: quartiles; whiskers: 10th and 90th percentile; dots: means with 95 % intervals): below zero, a theory is closer
to the network than the Gaussian is. Intervals by resampling seeds.
""",
    ),
    Figure(
        draw="table",
        file="fig16_models",
        category="Comparison",
        label="Fig. 16: the theories side by side",
        inputs={
            "dataset": _DATASET,
            "retrieval": partial(trajectories.of_main, "retrieval"),
            "trajectories": shown.gallery_trajectories,
            "models": theories.models_compared,
        },
        config=lambda study: {
            "labels": shown.labels(study),
            "seed": shown.example_seed(study),
            "gallery": study.figures.gallery,
            "snapshots": study.figures.snapshots,
        },
        holds={"shard": 3},
        title="Fig. 16: the theories side by side, in images",
        caption="""
{{ snakemake.params.config.labels.network }} and the theories of *{{ snakemake.wildcards.study }}* side by side, as Fig.
16 of Wang & Vastola (2023). All start from the same noise. **A**: endpoint estimates along one trajectory (seed {{
snakemake.params.config.seed }}). **B**: final images by seed; the last row is the training image nearest to the
network's image. The point cloud ends on training images; a comparison of the first and the last row shows whether the
network does. **C**: squared error of the state by step, mean and band from the 10th to the 90th percentile. **D**:
contribution of each component to the squared error of the final image, mean over seeds (averaged over neighbours where
there are many components).
""",
    ),
    Figure(
        draw="components",
        file="fig15_components",
        category="Comparison",
        label="Fig. 15: on and off the manifold",
        inputs={"eigenbasis": _EIGENBASIS, "trajectories": shown.gallery_trajectories},
        holds={"basis": 2, "shard": 5},
        title="Fig. 15: the state along single components",
        caption="""
States of the first six trajectories of *{{ snakemake.wildcards.study }}*, projected onto single directions, as Fig. 15
of Wang & Vastola (2023): u_k · (x_t − α_t μ), by sampler step. Coloured lines are sampled trajectories, a colour per
seed; dashed lines the closed form (Eq. 9) from the same start. Above each panel stands the data's variance λ along the
direction. Off the manifold (a random direction in the orthogonal complement of the components that hold 99.9 % of the
variance) the closed form only scales the noise by σ_t: what remains there after the last step is what the theory
misses.
""",
    ),
    Figure(
        draw="geometry",
        file="fig10_geometry",
        category="Geometry",
        label="Fig. 10: geometry of trajectories",
        inputs={"geometry": partial(trajectories.of_samplers, "geometry")},
        config=lambda study: {"labels": [choice.label for choice in stages.main_first(study.trajectories)]},
        title="Fig. 10: geometry of trajectories",
        caption="""
The shape of the trajectories of *{{ snakemake.wildcards.study }}*, as Fig. 10 of Wang & Vastola (2023). **A**: squared
error relative to the squared norm of x_t, of the projection onto the plane of x₀ and x_T and of the rotation α_t x₀ +
σ_t x_T; mean and band from the 10th to the 90th percentile of the trajectories. **B**: variance not explained by the
leading principal components, for states, differences and noise predictions (mean over trajectories); dots mark the
median number of components that explain 99.9 %, which the legend repeats. Strong lines are the sampler named there,
faint lines the others.
""",
    ),
    Figure(
        draw="emergence",
        file="fig_emergence",
        category="Theory",
        label="When components emerge",
        inputs={"emergence": partial(trajectories.of_main, "emergence")},
        title="When components emerge",
        caption="""
When components of *{{ snakemake.wildcards.study }}* emerge (Sec. 4.2 of Wang & Vastola 2023, Fig. 3 C). **A**: slope
b_k, the share of a component's final value that the endpoint estimate shows (regression over seeds), by noise level:
measured (solid) and predicted (dashed); a component has emerged where it crosses the dotted line, 1/√2. **B**: the
noise level at that crossing, measured with 95 % interval against predicted, with the line of equality and the rank
correlation; intervals by resampling seeds. **C**: the same noise levels against the components' mean spatial frequency:
a fall to the right means that coarse features emerge first. Colours run from the first component (dark) to the last
measured one (bright).
""",
    ),
    Figure(
        draw="perturbation",
        file="fig22_perturbation",
        category="Theory",
        label="Fig. 22: perturbed trajectories",
        inputs={"perturbation": partial(trajectories.of_main, "perturbation")},
        config=lambda study: {"label": _label(study)},
        title="Fig. 22 B and 3 D: gains of perturbations",
        caption="""
Perturbations in the middle of sampling (*{{ snakemake.wildcards.study }}*, {{ snakemake.params.config.label }}), as
Fig. 22 B and 3 D of Wang & Vastola (2023): the state is displaced by plus and minus a vector, and the difference that
follows is projected onto that vector, per unit of the displacement (gain). **A**: the gain in the image, by the step of
the perturbation; points are means over seeds and directions of a kind with 95 % intervals, dashed lines the closed form
(Eq. 14). **B**: the gain from the perturbation to the image, solid measured, dashed predicted: amplified along
components of large variance, decaying off the manifold. **C**: all of A, measured against predicted, with the line of
slope 1. **D**: the change of the endpoint estimate at the step of the perturbation, likewise (Eq. 63). Axes of gains
are linear below 0.1 and logarithmic above.
""",
    ),
    Figure(
        draw="score",
        file="fig_score",
        category="Theory",
        label="Explained score",
        inputs={"score": _SCORE},
        config=lambda study: {"labels": shown.labels(study), "paper": study.paper},
        title="How much of the network's score each theory explains",
        caption="""
How much of the network's score on *{{ snakemake.wildcards.study }}* each theory explains, at noised training images: 1
− Σ‖s_network − s_theory‖² / Σ‖s_network‖², by noise level. **A**: the explained fraction (values below −10 %, worse
than no theory, are outside of the panel). **B**: the unexplained fraction, on a logarithmic axis. Bands are 95 %
intervals by resampling images. Open circles, if any, are the fractions that the authors print for the Gaussian in a
later work on a network for the same images.
""",
    ),
    Figure(
        draw="retrieval",
        file="fig_retrieval",
        category="Comparison",
        label="Nearest training images",
        inputs={
            "dataset": _DATASET,
            "retrieval": partial(trajectories.of_main, "retrieval"),
            "trajectories": shown.gallery_trajectories,
        },
        config=lambda study: {"labels": shown.labels(study), "gallery": study.figures.gallery},
        title="Nearest training images",
        caption="""
Does the network of *{{ snakemake.wildcards.study }}* memorise training images (Sec. 4.3 of Wang & Vastola 2023)? **A**:
distances from generated images to their nearest training image, as cumulative fractions of images; dotted, the same for
training images against all others. The point cloud, the exact score of the training set, ends on training images.
**B**: distance to the nearest over that to the second nearest training image: near 0 for a copy, near 1 for a new
image. **C**: the first images of {{ snakemake.params.config.labels.network }} above the training images nearest to
them.
""",
    ),
    Figure(
        draw="hybrid",
        file="fig04e_hybrid",
        category="Teleportation",
        label="Fig. 4 E: images of the hybrid method",
        inputs={"samples": shown.gallery_samples},
        config=lambda study: {
            "label": stages.main_first(study.teleport)[0].label,
            "steps": stages.main_first(study.teleport)[0].steps,
            "skipped_steps": list(study.teleport.skipped_steps),
            "gallery": study.figures.gallery,
        },
        title="Fig. 4 E: images after a jump",
        caption="""
Images of the hybrid method, as Fig. 4 E of Wang & Vastola (2023): the closed form (Eq. 9) jumps over the first steps of
{{ snakemake.params.config.label }}, and the network takes the remaining steps. A column is a seed, so every row starts
from the same noise; NFE is the number of network calls per image. Compare each row with the first.
""",
    ),
    Figure(
        draw="fidelity",
        file="fig04f_fidelity",
        category="Teleportation",
        label="Fig. 4 F: image quality by skipped steps",
        inputs={"table": _SWEEP},
        config=lambda study: {"labels": _swept_labels(study)},
        title="Fig. 4 F: image quality by skipped steps",
        caption="""
Image quality by number of skipped steps, as Fig. 4 F and 11 of Wang & Vastola (2023), by three measures; lower is
better, bars are 95 % intervals by resampling seeds. **A**: Fréchet distance to held-out real images, extrapolated to
infinitely many images. **B**: the same in the features of an autoencoder, which is trained without labels. **C**: root
mean squared difference (RMSE) from the network's own images, that is from its probability flow solved in many small
steps from the same noise. Dotted black: real images against real images; values below it are not better. Grey dots: the
jump of the null model, an isotropic Gaussian. Below each number of skipped steps stands the noise scale to which the
closed form jumps, above it the remaining network calls per image; the dashed line is the sampler alone. As long as a
curve stays at its dashed line, the skipped network calls were not needed. Axes are logarithmic where values span a wide
range (linear near zero, if they reach it).
""",
    ),
    Figure(
        draw="skipping",
        file="fig17_skipping",
        category="Teleportation",
        label="Fig. 17: image quality by network calls",
        inputs={"table": _SWEEP},
        config=lambda study: {"labels": _swept_labels(study)},
        title="Fig. 17: image quality by network calls, with skipped steps",
        caption="""
Image quality against network calls (NFE) when a sampler's first steps are replaced by the closed form, as Fig. 17 of
Wang & Vastola (2023); a pair of panels per sampler, each on its own grid. The upper axis shows the skipped steps and
the noise scale at which the sampler continues. **Upper panels**: Fréchet distance to held-out real images, extrapolated
to infinitely many images, with its 95 % interval; lower is better, and values below the dotted black line, the distance
of real images, are not better. **Lower panels**: relative increase of each measure over the same sampler without a
jump, from the same seeds (loss): of this distance, of the same in the features of an autoencoder, which is trained
without labels, and of the root mean squared difference from the network's own images. Errors common to all runs cancel
there. Dashed: no jump. Dotted: a loss of 2 %. Rings mark the longest jump up to which every interval excludes a larger
loss; without a ring, no jump that was tried does so. The axis of the loss is linear up to 2 %. Intervals by resampling
seeds.
""",
    ),
    Figure(
        draw="quality_by_calls",
        file="fig_quality_by_calls",
        category="Teleportation",
        label="Few calls: the relative sampler and all others",
        inputs={"table": _SWEEP},
        config=lambda study: low_nfe.names(study)["samplers"],
        condition=low_nfe.sweeps_relative,
        title="Quality by network calls: the relative sampler beside all others",
        caption="""
Quality of *{{ snakemake.wildcards.study }}* by network calls (NFE), lower is better: root mean squared difference from
the network's own images, and Fréchet distances to held-out real images, extrapolated to infinitely many images and
drawn no lower than those of real images (dotted). **In colour**: samplers that integrate the Gaussian of the data exactly and
ask the network for its departure from it, with 95 % intervals by resampling seeds. **Grey**: the best of all other
samplers on all grids of the study, with at most so many calls, from noise (solid) and after the best jump (dashed);
thin lines are the others one by one.
""",
    ),
    Figure(
        draw="low_nfe",
        file="fig_low_nfe",
        category="Teleportation",
        label="Low NFE: with and without jumps",
        inputs={"table": _SWEEP},
        config=lambda study: dict(low_nfe.names(study)),
        condition=low_nfe.swept,
        title="Image quality at low NFE, with and without each kind of jump",
        caption="""
Image quality of *{{ snakemake.wildcards.study }}* with few network calls (low NFE), from noise (no jump) and after each
kind of jump: Fréchet distance to held-out real images, extrapolated to infinitely many images and drawn no lower than
that of real images (dotted), lower is better; a panel for DDIM and each of the best other samplers, eight at most. All
steps are spread over the time that a jump leaves (the design "re-grid"). Of each jump the length, and without a jump
the grid, with the smallest distance is shown; bars are 95 % intervals by resampling seeds, and points are offset
sideways to keep these apart. Dashed, with its interval in grey: the same sampler without a jump and with many calls.
The isotropic Gaussian is the null model: it has the mean and the total variance alone. **Last panel**: all samplers,
and the Pareto front: no run with as few calls lies below it. Both axes are logarithmic.
""",
    ),
    Figure(
        draw="low_nfe_skipped",
        file="fig_low_nfe_skipped",
        category="Teleportation",
        label="Low NFE: how far to jump",
        inputs={"table": _SWEEP},
        config=lambda study: dict(low_nfe.names(study)),
        condition=low_nfe.swept,
        title="How far to jump, at low NFE",
        caption="""
How far to jump, for *{{ snakemake.wildcards.study }}* at about five and ten network calls: Fréchet distance to held-out
real images, extrapolated to infinitely many images and drawn no lower than that of real images (dotted), against the
skipped share of the network's time, lower is better; a panel per number of calls for DDIM and each of the best other
samplers, four at most. Bars are 95 % intervals by resampling seeds; points are offset sideways to keep these apart.
Solid black line: no jump, the same number of calls on the best grid; dashed: no jump, many calls; each with its
interval in grey.
""",
    ),
    Figure(
        draw="low_nfe_samples",
        file="fig_low_nfe_samples",
        category="Teleportation",
        label="Low NFE: images",
        inputs={"table": _SWEEP, "samples": low_nfe.pictures},
        config=lambda study: {
            "sampler": low_nfe.shown_sampler(study),
            "grid": low_nfe.shown_grid(study),
            "runs": low_nfe.shown(study),
            **low_nfe.names(study),
        },
        condition=low_nfe.swept,
        title="Images at low NFE",
        caption="""
Images of *{{ snakemake.wildcards.study }}* from the same seeds at low NFE: from noise (no jump) and after a jump,
labelled with the percentage of the network's time that it skips (the best of those tried); last, if the study has it,
the same sampler without a jump and with many calls. Each column starts from the same noise: where an image resembles
that of the last row, the jump has kept what the network would have made.
""",
    ),
    Figure(
        draw="early_checkpoints",
        file="fig_early_checkpoints",
        category="Teleportation",
        label="Early checkpoints",
        inputs={"table": partial(trajectories.of_main, "early_checkpoints", ending="csv")},
        config=lambda study: {
            "label": stages.main_first(study.teleport)[0].label,
            "extractor": study.teleport.extractor.name,
        },
        condition=sweep.has_early_checkpoints,
        title="Early checkpoints of the network, with and without a jump",
        caption="""
Early checkpoints of the network of *{{ snakemake.wildcards.study }}*, sampled with {{ snakemake.params.config.label }}
alone, and with the closed form in place of the first steps (teleport; Sec. 6.1 of Wang & Vastola 2023). **A**: mean
squared difference from the images that the fully trained network makes from the same noise; for this network alone it
is zero, so its point is missing. **B**: Fréchet distance to held-out real images; dashed, the fully trained network
alone; dotted, as many real images: values below it are not better. Where the teleport's curve is lower, the closed form
is better than what the network has learned so far about large noise.
""",
    ),
    Figure(
        draw="training",
        file="fig_training",
        category="Figures",
        label="Training of the denoiser",
        inputs={"losses": _LOSSES},
        condition=lambda study: study.denoiser.source == "train",
        caption="""
The training of the network of *{{ snakemake.wildcards.study }}*: the denoising loss (Eq. 5 of Wang & Vastola 2023) of
each optimizer step and its moving average. A curve that still falls at the end means that more training steps would
help.
""",
    ),
    Figure(
        draw="residual",
        file="fig_residual",
        category="Figures",
        label="Training with and without a Gaussian",
        inputs={"table": _RESIDUAL},
        config=lambda study: {"extractor": study.teleport.extractor.name},
        condition=residual.compared,
        title="Networks trained with and without a Gaussian, at equal numbers of steps",
        caption="""
Fréchet distance to held-out real images (A, logarithmic axes; dotted, as many real images) and loss on held-out draws
(B) of networks of *{{ snakemake.wildcards.study }}* by number of training steps: trained as usual, and trained to learn
only the residual of the Gaussian. Each number of steps is a separate training, with a learning rate that decreases to
zero. Points: trainings from several seeds; lines: their means. Trainings of one seed share images, times and noise.
""",
    ),
    Figure(
        draw="endpoints",
        file="fig25_endpoints",
        category="Geometry",
        label="Fig. 25-26: endpoint estimates",
        inputs={"trajectories": shown.pair_trajectories},
        config=lambda study: {"label": _label(study), "seeds": shown.pair_of(study)},
        holds={"shard": 3},
        title="Fig. 25-26: endpoint estimates, step by step",
        caption="""
Every endpoint estimate x̂₀(x_t) of {{ snakemake.params.config.label }} for the seeds {{ snakemake.params.config.seeds |
join(", ") }} of *{{ snakemake.wildcards.study }}* (evenly spaced steps, if there are more than 52), as Fig. 25-26 of
Wang & Vastola (2023). The number above an image is the sampler step; 0 is the initial noise, whose estimate is close to
the mean image. Layout is determined first, outlines next, details last.
""",
    ),
)


def reading(study: Study | TextToImageStudy) -> str:
    """Return how a study reads its images, for captions; empty for text-to-image studies."""
    return study.dataset.reading() if isinstance(study, Study) else ""


def write_caption(figure: Figure[Any], folder: Path) -> Path:
    """Write a caption to a file, since Snakemake accepts no text, and return the file."""
    folder.parent.mkdir(exist_ok=True)  # an error that names it, where a file stands in the way
    file = folder / f"{figure.file}.rst"
    if not file.is_file() or file.read_text(encoding="utf-8") != figure.caption:
        write_atomically(file, figure.caption)
    return file


def of_study(study: Study) -> list[Figure[Study]]:
    """Return the figures that a study has."""
    return [figure for figure in FIGURES if figure.condition(study)]


def files(name: str, study: Study, draw: str | None = None) -> list[str]:
    """Return the files of every figure of a study, or of one figure."""
    return [file for figure in of_study(study) if draw in (None, figure.draw) for file in figure.files(name)]
