"""The figures of trajectories of latents, a row each; part of `text_figures`."""

from __future__ import annotations

from functools import partial
from typing import Any

from underpainting_workflow.figures import Figure
from underpainting_workflow.studies.text_to_image import files as stored
from underpainting_workflow.studies.text_to_image import geometry
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy

SNAPSHOTS = 9


def _example(study: TextToImageStudy) -> dict[str, Any]:
    """Return prompt and seed of single examples."""
    return {
        "place": study.figures.prompt,
        "prompt": geometry.prompt(study),
        "seed": study.seed_shown,
        "label": geometry.label(study),
    }


def _perturbed(study: TextToImageStudy, number: int) -> dict[str, Any]:
    """Return the settings of the images of a case of a perturbed trajectory."""
    return {"case": list(geometry.cases(study)[number]), "label": geometry.label(study)}


_VIEWS = partial(geometry.of_main, "views")
_IMAGES = partial(geometry.of_main, "perturbation_images")
_PERTURBED = """
Final images of {{ snakemake.params.config.label }} of *{{ snakemake.wildcards.study }}*, seed {{
snakemake.params.config.case[0] }}, after a perturbation of the state, as Fig. %s of Wang & Vastola (2023). Rows: sampler
step of the perturbation; columns: its strength, in units of the norm of the initial noise (0.04 is K = 5 of Stable
Diffusion, 0.16 is K = 20). The direction is %s. The middle column is the image without a perturbation; the sampler begins
again at the perturbed step there, too.
"""
_COMPONENT = (
    "principal component {{ snakemake.params.config.case[1] + 1 }} of the trajectory's centred noise predictions"
)

FIGURES: tuple[Figure[TextToImageStudy], ...] = (
    Figure(
        draw="latent_generation",
        file="fig01_latent_generation",
        category="Trajectories",
        label="Fig. 1: one generation in three views",
        inputs={"trajectories": stored.main_trajectory, "views": _VIEWS},
        config=lambda study: {**_example(study), "snapshots": SNAPSHOTS},
        title="Fig. 1: one generation in three views, and its trajectory in the plane of noise and image",
        caption="""
One generation of {{ snakemake.params.config.label }} of *{{ snakemake.wildcards.study }}* (seed {{
snakemake.params.config.seed }}), as Fig. 1 of Wang & Vastola (2023). **A**, decoded by the VAE: the state x_t, from which
noise seems to be lifted; the difference to the next state, each scaled to the norm of the final latent; and the endpoint
estimate x̂₀(x_t), in which the outline comes first. **B**: the latents' trajectory (coloured by step) in the plane of its
first and last state, with the ideal rotation α_t x₀ + σ_t x_T (dashed, Eq. 7). **C**: least-squares weights of x₀ and x_T in
every state (solid), α_t and σ_t (dashed).
""",
    ),
    Figure(
        draw="manifold",
        file="fig05_manifold",
        category="Manifold",
        label="Fig. 5: local map of the image manifold",
        inputs={"views": _VIEWS, "images": _IMAGES},
        config=lambda study: {**_example(study), "components": geometry.components(study)[:2]},
        title="Fig. 5: a local map of the image manifold, from one trajectory",
        caption="""
The image manifold around one image of {{ snakemake.params.config.label }} of *{{ snakemake.wildcards.study }}* (seed {{
snakemake.params.config.seed }}), from its trajectory alone, as Fig. 5 of Wang & Vastola (2023). **A**: the final latent moved
along the principal components (PCs) of its endpoint estimates, by -0.5 to 0.5 of its norm, and decoded. **B**: the endpoint
estimates themselves. **C**: the final latent moved along two of these components at once. **D**: the state perturbed during
sampling, along two components of the noise predictions; rows are the sampler steps of the perturbation, columns its strength
in units of the norm of the initial noise.
""",
    ),
    Figure(
        draw="latent_components",
        file="fig18_components",
        category="Manifold",
        label="Fig. 18: components of a trajectory",
        inputs={"views": _VIEWS},
        config=lambda study: {**_example(study), "sets": ["state", "difference"]},
        title="Fig. 18: principal components of a trajectory, decoded around its image",
        caption="""
The final latent of {{ snakemake.params.config.label }} of *{{ snakemake.wildcards.study }}* (seed {{
snakemake.params.config.seed }}), moved along the principal components (PCs) of the states x_t (**A**) and of their differences
(**B**) of its own trajectory and decoded, as Fig. 18 of Wang & Vastola (2023). Above each column stands the movement in units of
the final latent's norm; the middle column is the image itself.
""",
    ),
    *(
        Figure[TextToImageStudy](
            draw="perturbed",
            variant=variant,
            file=file,
            category="Perturbation",
            label=f"Fig. {number}: perturbed {where}",
            inputs={"images": _IMAGES},
            config=partial(_perturbed, number=case),
            title=f"Fig. {number}: images of a trajectory that is perturbed {where}, time x strength",
            caption=_PERTURBED % (number, direction),
        )
        for case, (number, variant, file, where, direction) in enumerate(
            (
                (19, "component", "fig19_perturbed", "along a component", _COMPONENT),
                (20, "other_seed", "fig20_perturbed", "along a component, another seed", _COMPONENT),
                (21, "random", "fig21_perturbed_random", "at random", "drawn uniformly"),
            )
        )
    ),
    Figure(
        draw="responses",
        file="fig22_responses",
        category="Perturbation",
        label="Fig. 22: effect of perturbations",
        inputs={"perturbation": geometry.perturbations},
        config=lambda study: {
            "label": geometry.labels(study)[study.trajectories.main.sampler.id],
            "guidance": [run.guidance for run in geometry.perturbed_runs(study)],
            "component": geometry.components(study)[0],
        },
        title="Fig. 22: effect of perturbations by time and strength, and its geometry",
        caption="""
Effect of perturbations on the images of {{ snakemake.params.config.label }} of *{{ snakemake.wildcards.study }}*, as Fig. 22 of
Wang & Vastola (2023), mean over prompts and seeds. **A**: distance between the images with and without a perturbation (named at
the colour bar), by sampler step and strength of the perturbation (in units of the norm of the initial noise), along a principal
component of the trajectory's noise predictions and in a random direction. **B**: projection of the difference of the states
onto the perturbation, in units of the perturbation, along the sampling; one line per time of the perturbation, which begins at 1.
Along the signal manifold it should be amplified, in a random direction decay (Eq. 14). Dashed, where the study has Gaussians of
its latents: Eq. 14 for the Gaussian of the prompt, which knows nothing of guidance.
""",
    ),
    Figure(
        draw="samplers",
        file="fig23_samplers",
        category="Samplers and guidance",
        label="Fig. 23: samplers and guidance",
        inputs={"finals": "results/{study}/samplers.zarr.zip"},
        config=_example,
        title="Fig. 23: images of every sampler and guidance scale from the same noise",
        caption="""
Images of *{{ snakemake.wildcards.study }}* by sampler (rows) and scale of classifier-free guidance (columns), each panel from
one noise, as Fig. 23 of Wang & Vastola (2023). The prompt stands above.
""",
    ),
    Figure(
        draw="guidance",
        file="fig24_guidance",
        category="Samplers and guidance",
        label="Fig. 24: guidance and geometry",
        inputs={
            "geometry": partial(geometry.of_runs, "geometry"),
            "trajectories": geometry.pair_of_trajectories,
            "views": geometry.views,
        },
        config=lambda study: {
            **_example(study),
            "labels": list(geometry.labels(study).values()),
            "guidance": list(study.trajectories.guidance),
            "pair": list(
                dict.fromkeys(geometry.labels(study)[run.sampler.id] for run in geometry.pair_of_samplers(study))
            ),
            "scales": geometry.shown_scales(study),
            "label": f"{next(iter(geometry.labels(study).values()))}, seed {study.seed_shown}",
        },
        title="Fig. 24: dimension, oscillation and components of trajectories by guidance",
        caption="""
Guidance and geometry of the trajectories of *{{ snakemake.wildcards.study }}*, as Fig. 24 of Wang & Vastola (2023). **A**:
variance that principal components (PCs) of states and of differences leave over, by scale of guidance (colour), mean over
trajectories; strong lines: the sampler named there, whose median numbers of PCs for 99.9 % (dashed) stand in the legend,
faint lines: the others. **B**: differences of the states of one trajectory (seed {{ snakemake.params.config.seed }})
projected onto the plane of x₀ and x_T. **C**: the sample, and the PCs of its trajectory's differences decoded, at high and
at low guidance from the same noise.
""",
    ),
    Figure(
        draw="units",
        file="fig_units",
        category="Samplers and guidance",
        label="Units of the state",
        inputs={
            "trajectories": geometry.straight_trajectories,
            "common": partial(geometry.of_main_scale, "geometry"),
            "of_data": partial(geometry.of_main_scale, "geometry_of_data"),
        },
        config=lambda study: {
            **_example(study),
            "labels": list(geometry.labels(study).values()),
            "pair": [geometry.labels(study)[run.sampler.id] for run in geometry.straight_samplers(study)],
            "heading": f"guidance {study.trajectories.main.guidance:g}, seed {study.seed_shown}",
        },
        title="Straight or turning: the units of the state",
        caption="""
The trajectories of *{{ snakemake.wildcards.study }}* in two units of the state: x_t = α_t x₀ + σ_t noise, and x_t / α_t, which
diffusers' Euler and LMS samplers keep; App. B.8.1 of Wang & Vastola (2023) finds their trajectories "more linear, 1D". **A**: one
trajectory of each sampler named, in the plane of x₀ and x_T, in units of the norm of its first state. **B**: fraction of a
trajectory's variance outside its first principal component, mean and 95 % interval over prompts and seeds. Where all samplers
agree in the same units, the difference is one of units.
""",
    ),
    Figure(
        draw="latent_endpoints",
        file="fig27_latent_endpoints",
        category="Trajectories",
        label="Fig. 27-28: endpoint estimates",
        inputs={"views": _VIEWS},
        config=lambda study: {**_example(study), "seeds": geometry.shown_pair(study)},
        title="Fig. 27-28: endpoint estimates, step by step",
        caption="""
Every endpoint estimate x̂₀(x_t), decoded, of {{ snakemake.params.config.label }} of *{{ snakemake.wildcards.study }}* for the
seeds {{ snakemake.params.config.seeds | join(", ") }} (evenly spaced steps, if there are more than 52), as Fig. 27 and 28
of Wang & Vastola (2023). The number above an image is the sampler step; 0 is the initial noise.
""",
    ),
    Figure(
        draw="geometry",
        variant="of_latents",
        file="fig10_latent_geometry",
        category="Trajectories",
        label="Fig. 10: geometry of trajectories",
        inputs={"geometry": partial(geometry.of_main_scale, "geometry")},
        config=lambda study: {
            "labels": [
                f"{label}, guidance {study.trajectories.main.guidance:g}" for label in geometry.labels(study).values()
            ]
        },
        title="Fig. 10: geometry of trajectories",
        caption="""
The shape of the trajectories of latents of *{{ snakemake.wildcards.study }}*, as Fig. 10 of Wang & Vastola (2023). **A**: squared
error relative to the squared norm of x_t, of the projection onto the plane of x₀ and x_T and of the rotation α_t x₀ + σ_t x_T;
mean and band from the 10th to the 90th percentile of the trajectories. **B**: variance not explained by the leading principal
components, for states, differences and noise predictions (mean over trajectories); dots mark the median number of components
that explain 99.9 %, which the legend repeats. Strong lines are the sampler named there, faint lines the others.
""",
    ),
)
