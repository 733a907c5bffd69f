"""The figures of a study: for each a row that says what it shows, from which files, in which studies, and how it is captioned.

A row names a module of `underpainting_workflow.drawing`, which draws. Imported by the Snakefile, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from underpainting.io.writing import write_atomically
from underpainting_workflow.studies.files import (
    budget,
    residual,
    shown,
    stages,
    sweep,
    theories,
    trajectories,
)
from underpainting_workflow.studies.models import Study

Files = str | Callable[..., str | list[str]]


def _nothing(_: Study) -> dict[str, Any]:
    return {}


def _always(_: Study) -> bool:
    return True


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        draw: module of `underpainting_workflow.drawing`; its rule is `figure_DRAW`.
        file: name below `results/STUDY/figures/`, without its ending.
        category: section of the report.
        label: in the report's list.
        inputs: by name, a path with `{study}` or a function of the study's name and models that gives paths.
        caption: reStructuredText, in which Snakemake fills in `{{ snakemake... }}`.
        config: of a study, what the figure depends on beside its inputs and `figures.dpi`.
        condition: of a study, whether it has this figure.
        holds: sizes that drawing holds in memory, as in `studies.resources`.
        title: on the pages that `make gallery` writes; empty if it is not shown there.
    """

    draw: str
    file: str
    category: str
    label: str
    inputs: Mapping[str, Files]
    caption: str
    config: Callable[[Study], dict[str, Any]] = _nothing
    condition: Callable[[Study], bool] = _always
    holds: Mapping[str, float] = field(default_factory=dict)
    title: str = ""

    @property
    def rule(self) -> str:
        """Name of its rule."""
        return f"figure_{self.draw}"

    def settings(self, study: Study) -> dict[str, Any]:
        """All that the figure depends on beside its inputs."""
        return {**self.config(study), "dpi": study.figures.dpi}

    def files(self, name: str) -> list[str]:
        """Its files: PNG for the report, PDF for print."""
        return [f"results/{name}/figures/{self.file}.{kind}" for kind in ("png", "pdf")]


_DATASET = "results/{study}/dataset.zarr.zip"
_EIGENBASIS = "results/{study}/eigenbasis.zarr.zip"
_SCHEDULE = "results/{study}/denoiser/schedule.zarr.zip"
_SCORE = "results/{study}/score.zarr.zip"
_LOSSES = "results/{study}/training.zarr.zip"
_SWEEP = "results/{study}/teleport.csv"
_RESIDUAL = "results/{study}/residual.csv"


def _label(study: Study) -> str:
    """The headline sampler's name in figures."""
    return stages.headline_first(study.trajectories)[0].label


def _swept_labels(study: Study) -> dict[str, str]:
    """Names of the sweep's samplers in figures."""
    return {choice.id: choice.label for choice in stages.headline_first(study.teleport)}


FIGURES = (
    Figure(
        draw="generation",
        file="fig01_generation",
        category="Geometry",
        label="Fig. 1: three ways to watch a generation",
        inputs={"trajectories": shown.trajectory},
        config=lambda study: {"seed": shown.seed_of(study), "snapshots": study.figures.snapshots},
        holds={"shard": 2},
        title="Fig. 1 and 6-9: three ways to watch a generation, and the trajectory in the plane of noise and image",
        caption="""
One generation of *{{ snakemake.wildcards.study }}* (seed {{ snakemake.params.config.seed }}), as Fig. 1 of Wang &
Vastola (2023). **A**: the state x_t seems to uncover an image that was there all along; the difference to the next step
(for the image itself: the last difference; each scaled by a k of its own to the range of the display) and the endpoint
estimate x̂₀(x_t) show that the outline comes first and details later. **B**: the trajectory (coloured by step) in the
plane of its ends, beside the ideal rotation α_t x₀ + σ_t x_T (dashed, Eq. 7); the arrows are x_T and x₀. **C**: the
least-squares weights of x₀ and x_T in every state (solid); were the trajectory the rotation, they would be α_t and σ_t
(dashed).
""",
    ),
    Figure(
        draw="theory",
        file="fig03_theory",
        category="Theory",
        label="Fig. 3: the closed form",
        inputs={"schedule": _SCHEDULE, "eigenbasis": _EIGENBASIS},
        holds={"basis": 2},
        title="Fig. 3: the closed form on this network's noise schedule",
        caption="""
The closed form along the noise schedule of the network of *{{ snakemake.wildcards.study }}*, as Fig. 3 of Wang &
Vastola (2023), for directions of variance λ (colour; the dashes on the bar are the study's eigenvalues). **A**: the
gain ψ of the state since the initial noise (Eq. 9). **B**: the gain ξ of the endpoint estimate (Eq. 13), in units of
the standard deviation √λ: the higher the variance, the earlier a component is decided. **C**: its rate (logarithmic),
with a dot where noise and scaled signal are equal, σ_t = α_t √λ. **D**: what is left in the image of a unit
perturbation at time t (Eq. 14). Time runs from noise to data.
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
The eigenbasis of the images of *{{ snakemake.wildcards.study }}*, all that the closed form knows of them (Sec. 4.1 and
App. G of Wang & Vastola 2023). **A**: variance along each component; those above the dashed line vary more than the
initial noise and emerge first. **B**: the same against the mean spatial frequency of the component's image: large
variance means coarse features. **C**: explained variance. **D**: mean image and leading eigenvectors; zero is white
(grey, for colour images), and the sign of an eigenvector is arbitrary. The images were read with {{
snakemake.resources.reading }}; where their values fill at most half of that range, ``logs/{{ snakemake.wildcards.study
}}/dataset.log`` says so.
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
        title="Fig. 12-14: the Gaussian solution beside the sampler",
        caption="""
The Gaussian solution beside {{ snakemake.params.config.labels.network }} on *{{ snakemake.wildcards.study }}*, from the
same noise, laid out as Fig. 12-14 of Wang & Vastola (2023). **A**: endpoint estimates x̂₀(x_t) along one trajectory
(seed {{ snakemake.params.config.seed }}). **B**: final images, by seed. **C**: squared error of the state. **D**:
squared error of the endpoint estimate. **E**: squared error of the final image along each eigenvector, with the data's
variance λ_k (black). Lines are means over seeds, bands span the 10th to 90th percentile.
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
Gaussian solution (Eq. 13) that starts from the same noise, as Fig. 4 A of Wang & Vastola (2023). The columns are
sampler steps; the last row is sampler minus theory. Where it is blank, the network does nothing that mean and
covariance of the training images could not.
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
}}, and what each model of the data makes of the same noise, as Fig. 4 B of Wang & Vastola (2023): the Gaussian by its
closed form (Eq. 10), the others by their probability flow. The Gaussian's image is a linear filter of the noise: layout
and shading should agree, edges and details need not.
""",
    ),
    Figure(
        draw="error",
        file="fig04c_error",
        category="Comparison",
        label="Fig. 4 C: error of the Gaussian solution",
        inputs={"eigenbasis": _EIGENBASIS, "comparison": theories.comparisons},
        config=lambda study: {"labels": [choice.label for choice in stages.headline_first(study.trajectories)]},
        caption="""
Squared difference between each sampler and the Gaussian solution from the same noise, as Fig. 4 C and 12 C-E of Wang &
Vastola (2023): mean over seeds; the band, of the first sampler, spans the 10th to 90th percentile. **A**: states.
**B**: endpoint estimates, per pixel; the upper axes give the noise scale. **C**: the final image along each eigenvector
(means over neighbours where there are many): where the error reaches the data's variance λ_k (black), theory says
nothing about that component.
""",
    ),
    Figure(
        draw="models",
        file="fig04d_models",
        category="Comparison",
        label="Fig. 4 D: errors of three models",
        inputs={"models": theories.models_compared},
        config=lambda study: {"labels": shown.labels(study)},
        title="Fig. 4 D: three theories against the sampler",
        caption="""
Errors of the models of the data against {{ snakemake.params.config.labels.network }}, from the same noise, as Fig. 4 D
of Wang & Vastola (2023). **A**: squared error of the state by sampler step, mean over seeds and band from the 10th to
the 90th percentile; the noise scale stands above. **B**: error of the final image; a dot is a seed, a grey line joins
the same seed, the large dots are means with 95 % intervals. **C**: error minus the Gaussian's, seed by seed (boxes:
quartiles; whiskers: 10th and 90th percentile; dots: means with 95 % intervals): below zero a model is nearer to the
network than the Gaussian. Seeds are resampled for the intervals.
""",
    ),
    Figure(
        draw="table",
        file="fig16_models",
        category="Comparison",
        label="Fig. 16: three models side by side",
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
        title="Fig. 16: the same, in images",
        caption="""
{{ snakemake.params.config.labels.network }} beside three models of the data of *{{ snakemake.wildcards.study }}*, as
Fig. 16 of Wang & Vastola (2023). All start from the same noise. **A**: endpoint estimates along one trajectory (seed {{
snakemake.params.config.seed }}). **B**: final images by seed; the last row is the training image nearest to the
network's image. The point cloud ends on training images; whether the network does, shows the difference of the first
row and the last. **C**: squared error of the state by step, mean and band from the 10th to the 90th percentile. **D**:
each component's part of the squared error of the final image, mean over seeds (means over neighbours where there are
many components).
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
of Wang & Vastola (2023): u_k · (x_t − α_t μ), by sampler step. Coloured lines are real trajectories, a colour per seed;
dashed ones the closed form (Eq. 9) from the same start. Above each panel stands the data's variance λ along the
direction. Off the manifold (a random direction within the space that the leading 99.9 % of the variance leave over) the
closed form only scales the noise by σ_t: what is left there after the last step is what theory misses.
""",
    ),
    Figure(
        draw="geometry",
        file="fig10_geometry",
        category="Geometry",
        label="Fig. 10: geometry of trajectories",
        inputs={"geometry": partial(trajectories.of_samplers, "geometry")},
        config=lambda study: {"labels": [choice.label for choice in stages.headline_first(study.trajectories)]},
        title="Fig. 10: geometry of trajectories",
        caption="""
The shape of the trajectories of *{{ snakemake.wildcards.study }}*, as Fig. 10 of Wang & Vastola (2023). **A**: squared
error relative to the squared norm of x_t, of the projection onto the plane of x₀ and x_T and of the rotation α_t x₀ +
σ_t x_T; mean and band from the 10th to the 90th percentile of the trajectories. **B**: variance that the leading
principal components leave over, for states, differences and noise predictions (mean over trajectories); dots mark the
median number that reaches 99.9 %, which the legend repeats. Strong lines are the sampler named there, faint ones the
others.
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
b_k, the share of a component's final value that the endpoint estimate shows (over seeds), by noise level: measured
(solid) and predicted (dashed); at the dotted line, 1/√2, a component has emerged. **B**: the noise level there,
measured with 95 % interval against predicted, with the line of equality and the rank correlation of the order; seeds
are resampled. **C**: the same noise levels against the components' mean spatial frequency: a fall to the right says
that coarse features emerge first. Colours run from the first component (dark) to the last measured (bright).
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
A push in the middle of sampling (*{{ snakemake.wildcards.study }}*, {{ snakemake.params.config.label }}), as Fig. 22 B
and 3 D of Wang & Vastola (2023): the state is moved both ways along a direction, and the difference that follows is
projected onto it, per unit of the push. **A**: its size in the image, by the step of the push; points are means over
seeds and directions of a kind with 95 % intervals, dashed lines the closed form (Eq. 14). **B**: the way from push to
image, solid measured, dashed predicted: amplified along components of large variance, decaying off the manifold. **C**:
all of A, measured against predicted, with the line of slope 1. **D**: the change of the endpoint estimate at the moment
of the push, likewise (Eq. 63). Axes of gains are linear below 0.1 and logarithmic above.
""",
    ),
    Figure(
        draw="score",
        file="fig_score",
        category="Theory",
        label="The score explained",
        inputs={"score": _SCORE},
        config=lambda study: {"labels": shown.labels(study), "paper": study.paper},
        title="The network's score explained by each theory",
        caption="""
How much of the network's score on *{{ snakemake.wildcards.study }}* each model of the data explains, at noised training
images: 1 − Σ‖s_network − s_model‖² / Σ‖s_network‖², by noise level. **A**: the fraction (below −10 % out of sight:
worse than no model). **B**: what is left over, on a logarithmic axis. Bands are 95 % intervals by resampling the
images. Open circles, where there are any, are the fractions that the authors print for the Gaussian in a later work on
a network for the same images.
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
Does the network of *{{ snakemake.wildcards.study }}* remember training images (Sec. 4.3 of Wang & Vastola 2023)? **A**:
distances from generated images to their nearest training image, as fractions of images below a distance; dotted, the
same for training images against all others. The point cloud, the exact score of the training set, ends on training
images. **B**: distance to the nearest over that to the second nearest: near 0 for a copy, near 1 for an image of its
own. **C**: the first images of {{ snakemake.params.config.labels.network }} above the training images nearest to them.
""",
    ),
    Figure(
        draw="hybrid",
        file="fig04e_hybrid",
        category="Teleportation",
        label="Fig. 4 E: images of the hybrid method",
        inputs={"samples": shown.gallery_samples},
        config=lambda study: {
            "label": stages.headline_first(study.teleport)[0].label,
            "steps": stages.headline_first(study.teleport)[0].steps,
            "skips": list(study.teleport.skips),
            "gallery": study.figures.gallery,
        },
        title="Fig. 4 E: images after a jump",
        caption="""
Images of the hybrid method, as Fig. 4 E of Wang & Vastola (2023): the closed form (Eq. 9) jumps over the first steps of
{{ snakemake.params.config.label }}, and the network takes the steps that are left. A column is a seed, so every row
starts from the same noise; NFE is the number of network calls per image. Compare each row with the first.
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
better, bars are 95 % intervals by resampling seeds. **A**: Fréchet distance to real images held out, extrapolated to
infinitely many images. **B**: the same in the features of an autoencoder, which knows no labels. **C**: root mean
squared difference (RMSE) from the network's own images, solved in many small steps from the same noise. Dotted black:
what real images have against real ones; what is below it is not better. Grey dots: the jump of the null model, an
isotropic Gaussian. Below each number of skipped steps stands the noise scale to which the closed form jumps, above it
the network calls per image that are left; the dashed line is the sampler alone. As long as a curve keeps to its dashed
line, the skipped network calls were not needed. Axes are logarithmic where values spread widely (linear about zero, if
they reach it).
""",
    ),
    Figure(
        draw="skipping",
        file="fig17_skipping",
        category="Teleportation",
        label="Fig. 17: image quality by network calls",
        inputs={"table": _SWEEP},
        config=lambda study: {"labels": _swept_labels(study)},
        title="Fig. 17: image quality by network calls, when the first steps are skipped",
        caption="""
Image quality against network calls (NFE) when a sampler's first steps are replaced by the closed form, as Fig. 17 of
Wang & Vastola (2023); a pair of panels per sampler, each on its own grid. Above stand the steps skipped and the noise
scale where the sampler goes on. **Upper panels**: Fréchet distance to real images held out, extrapolated to infinitely
many images, with its 95 % interval; lower is better, and below the dotted black line, the distance of real images,
nothing is better. **Lower panels**: how much larger each measure is than with nothing skipped (loss), from the same
seeds: this distance, the same in the features of an autoencoder, which knows no labels, and the root mean squared
difference from the network's own images. What all runs share cancels there. Dashed: nothing skipped. Dotted: a loss of
2 %. The rings are around the largest skip up to which every interval excludes a larger loss; where there is none, no
skip that was tried does so. The axis of the loss is linear up to 2 %. Intervals by resampling seeds.
""",
    ),
    Figure(
        draw="budget",
        file="fig_budget",
        category="Teleportation",
        label="Few network calls: with and without jumps",
        inputs={"table": _SWEEP},
        config=lambda study: dict(budget.names(study)),
        condition=budget.swept,
        title="Image quality at few network calls, with and without each kind of jump",
        caption="""
Image quality of *{{ snakemake.wildcards.study }}* at few network calls (NFE), from noise (no jump) and after each kind
of jump: Fréchet distance to real images held out, extrapolated to infinitely many images and drawn no lower than that
of real images (dotted), lower is better; a panel per sampler. All steps are spread over the time that a jump leaves
(the design "re-grid"). Of each jump the best landing place is shown, chosen by the same distance; bars are 95 %
intervals by resampling seeds, and lines stand a little beside each other so that these can be told apart. Dashed, with
its interval in grey: the same sampler without a jump and with many calls. The isotropic Gaussian is the null model: it
knows the mean and the total variance alone. **Last panel**: all of these, and the Pareto front, which nothing with as
few calls is below. Both axes are logarithmic.
""",
    ),
    Figure(
        draw="budget_skips",
        file="fig_budget_skips",
        category="Teleportation",
        label="Few network calls: where to land",
        inputs={"table": _SWEEP},
        config=lambda study: dict(budget.names(study)),
        condition=budget.swept,
        title="Where a jump should land, at few network calls",
        caption="""
Where a jump should land, for *{{ snakemake.wildcards.study }}* at about five and ten network calls: Fréchet distance to
real images held out, extrapolated to infinitely many images and drawn no lower than that of real images (dotted),
against the share of the network's time that is skipped, lower is better; a panel per sampler and number of calls. Bars
are 95 % intervals by resampling seeds, a little beside each other. Full black line: no jump, as many calls; dashed: no
jump, many calls; each with its interval in grey.
""",
    ),
    Figure(
        draw="budget_samples",
        file="fig_budget_samples",
        category="Teleportation",
        label="Few network calls: images",
        inputs={"table": _SWEEP, "samples": budget.pictures},
        config=lambda study: {
            "sampler": budget.shown_sampler(study),
            "runs": budget.shown(study),
            **budget.names(study),
        },
        condition=budget.swept,
        title="Images at few network calls",
        caption="""
Images of *{{ snakemake.wildcards.study }}* from the same seeds at few network calls: from noise (no jump) and after a
jump, whose per cent say how much of the network's time it skips (the best of those tried); last, the same sampler
without a jump and with many calls. A column has one initial noise: where an image resembles that of the last row, the
jump has kept what the network would have made.
""",
    ),
    Figure(
        draw="young",
        file="fig_young",
        category="Teleportation",
        label="Young networks",
        inputs={"table": partial(trajectories.of_main, "young", ending="csv")},
        config=lambda study: {
            "label": stages.headline_first(study.teleport)[0].label,
            "extractor": study.teleport.extractor.name,
        },
        condition=sweep.has_young,
        title="Networks early in their training, with and without a jump",
        caption="""
Networks of *{{ snakemake.wildcards.study }}* from early in their training, sampled with {{
snakemake.params.config.label }} alone, and with the closed form in place of the first steps (teleport; Sec. 6.1 of Wang
& Vastola 2023). **A**: mean squared difference from the images that the trained network makes of the same noise; for
the trained network alone it is zero, so its point is missing. **B**: Fréchet distance to real images held out; dashed,
the trained network alone; dotted, as many real images, below which nothing is better. Where the teleport's curve is
lower, the closed form is better than what the young network has learned about large noise.
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
each optimizer step and its moving average. A curve that still falls at the end says that more training steps would
help.
""",
    ),
    Figure(
        draw="residual",
        file="fig_residual",
        category="Figures",
        label="Training on a Gaussian",
        inputs={"table": _RESIDUAL},
        config=lambda study: {"extractor": study.teleport.extractor.name},
        condition=residual.compared,
        title="Networks trained with and without the Gaussian, at equal budgets",
        caption="""
Frechet distance to real images held out (A, log axes; dotted, as many real images) and loss on draws held out (B) of
networks of *{{ snakemake.wildcards.study }}* by the number of training steps: trained plainly, and trained to learn
only what the Gaussian leaves over. Each length is a training of its own, with a learning rate that comes down to zero.
Points: trainings from several seeds; lines: their means. Forms of one seed share images, times and noise.
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
join(", ") }} of *{{ snakemake.wildcards.study }}* (evenly chosen steps, if there are more than 52), as Fig. 25-26 of
Wang & Vastola (2023). The number above an image is the sampler step; 0 is the initial noise, whose estimate is close to
the mean image. Layout settles first, outlines next, details last.
""",
    ),
)


def write_caption(figure: Figure, folder: Path) -> Path:
    """Write a caption to a file, since Snakemake takes no text; returns the file."""
    folder.parent.mkdir(exist_ok=True)  # an error that names it, where a file stands in the way
    file = folder / f"{figure.file}.rst"
    if not file.is_file() or file.read_text(encoding="utf-8") != figure.caption:
        write_atomically(file, figure.caption)
    return file


def of_study(study: Study) -> list[Figure]:
    """The figures that a study has."""
    return [figure for figure in FIGURES if figure.condition(study)]


def files(name: str, study: Study, draw: str | None = None) -> list[str]:
    """The files of every figure of a study, or of one alone."""
    return [file for figure in of_study(study) if draw in (None, figure.draw) for file in figure.files(name)]
