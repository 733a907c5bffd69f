"""What a job pays before it does anything: the imports of each script, and reading a network.

The peer is a bare interpreter that imports the packages that the script cannot do without (`NEEDED`), and nothing of ours.
CPU seconds, since a shared machine disturbs them least; Python's own start is in both. `python -m benchmarks.startup`
measures all scripts and a network, `python -m benchmarks.startup SCRIPT...` some scripts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.measure import Ratio, ratio, table

ROOT = Path(__file__).resolve().parents[1]
PAIRS = 3
LIGHT, HEAVY = 1.3, 1.2
FROM_SCRIPTS = "import sys; sys.path.insert(0, 'scripts'); import "
CLASSES = """
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
"""

# What to import for a package: as much of it as any use of it brings along.
MODULES = {"PIL": "PIL.Image", "matplotlib": "matplotlib.backends.backend_agg", "xarray": "xarray, zarr.storage"}
# Heavy packages, by script. A package that another one imports is not named: xarray and seaborn bring pandas, seaborn
# brings matplotlib, pyplot and scipy.stats.
NEEDED: dict[tuple[str, ...], tuple[str, ...]] = {
    ("PIL",): ("render_report",),
    ("matplotlib",): ("draw_figure",),
    ("pandas",): (
        "tabulate_latent_teleport",
        "tabulate_prompt_gaussians",
        "tabulate_latent_findings",
        "tabulate_low_nfe",
        "tabulate_residual",
        "tabulate_studies",
    ),
    ("xarray",): (
        "tabulate_latent_claims",
        "collect_metrics",
        "estimate_moments",
        "measure_geometry",
        "tabulate_claims",
        "tabulate_findings",
        "tabulate_geometry",
        "tabulate_models",
        "tabulate_teleport",
    ),
    ("PIL", "pydantic", "xarray"): ("prepare_dataset",),
    ("matplotlib", "pandas"): (
        "underpainting_workflow.drawing.latent_teleport",
        "underpainting_workflow.drawing.latent_teleport_left_out",
        "underpainting_workflow.drawing.low_nfe",
        "underpainting_workflow.drawing.low_nfe_skipped",
        "underpainting_workflow.drawing.quality_by_calls",
        "underpainting_workflow.drawing.fidelity",
        "underpainting_workflow.drawing.residual",
        "underpainting_workflow.drawing.skipping",
        "underpainting_workflow.drawing.early_checkpoints",
    ),
    ("matplotlib", "xarray"): (
        "underpainting_workflow.drawing.guidance",
        "underpainting_workflow.drawing.latent_components",
        "underpainting_workflow.drawing.latent_endpoints",
        "underpainting_workflow.drawing.latent_generation",
        "underpainting_workflow.drawing.manifold",
        "underpainting_workflow.drawing.perturbed",
        "underpainting_workflow.drawing.responses",
        "underpainting_workflow.drawing.samplers",
        "underpainting_workflow.drawing.units",
        "underpainting_workflow.drawing.low_nfe_samples",
        "underpainting_workflow.drawing.eigenbasis",
        "underpainting_workflow.drawing.emergence",
        "underpainting_workflow.drawing.endpoints",
        "underpainting_workflow.drawing.generation",
        "underpainting_workflow.drawing.hybrid",
        "underpainting_workflow.drawing.perturbation",
        "underpainting_workflow.drawing.retrieval",
        "underpainting_workflow.drawing.samples",
        "underpainting_workflow.drawing.score",
        "underpainting_workflow.drawing.theory",
        "underpainting_workflow.drawing.training",
    ),
    ("seaborn", "xarray"): (
        "underpainting_workflow.drawing.error",
        "underpainting_workflow.drawing.geometry",
        "underpainting_workflow.drawing.models",
        "underpainting_workflow.drawing.table",
        "underpainting_workflow.drawing.validation",
    ),
    ("torch", "xarray"): (
        "compare_samplers",
        "decode_trajectories",
        "encode_latents",
        "estimate_prompt_gaussians",
        "extract_prompt_reference",
        "measure_latent_teleport",
        "perturb_latents",
        "sample_latent_teleport",
        "sample_latent_trajectories",
        "solve_latents",
        "tabulate_agreement",
        "train_attributes",
        "train_text_to_image",
        "train_vae",
        "compare_with_theory",
        "decompose_covariance",
        "explain_score",
        "extract_features",
        "fetch_denoiser",
        "fit_mixture",
        "jump_ahead",
        "measure_low_nfe",
        "measure_emergence",
        "measure_fidelity",
        "measure_residual",
        "measure_retrieval",
        "measure_shortfall",
        "measure_early_checkpoints",
        "perturb_trajectories",
        "plan_teleport",
        "sample_low_nfe",
        "sample_teleport",
        "sample_trajectories",
        "solve_flow",
        "solve_jumps",
        "train_autoencoder",
        "train_classifier",
        "train_denoiser",
    ),
    ("matplotlib", "torch", "xarray"): (
        "underpainting_workflow.drawing.components",
        "underpainting_workflow.drawing.endpoint",
    ),
    ("torch",): ("fetch_latent_model",),
    ("PIL", "torch", "xarray"): ("prepare_painted_digits",),
    ("PIL", "pydantic", "torch", "xarray"): ("render_page",),
}


class Cost(NamedTuple):
    """What a process took: CPU seconds (its own and the system's for it) and seconds on the clock."""

    cpu: float
    clock: float


def run(code: str) -> Cost:
    """Run code in a fresh interpreter.

    Raises:
        RuntimeError: it failed; its messages stand above.
    """
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"`{code}` failed; mend what it says above and run again")
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - start)


def bound(packages: tuple[str, ...]) -> str:
    """Code that imports packages and nothing else."""
    return f"import {', '.join(MODULES.get(name, name) for name in packages)}" if packages else "pass"


def compared(name: str, ours: str, peer: str, reference: str, goal: float) -> tuple[Ratio, float]:
    """CPU seconds of code over those of other code, in turn after one warm-up; and the seconds of the first on the clock."""
    run(ours), run(reference)
    pairs = [(run(ours), run(reference)) for _ in range(PAIRS)]
    ratios = sorted(mine.cpu / theirs.cpu for mine, theirs in pairs)
    mine, theirs = (median(cost.cpu for cost in side) for side in zip(*pairs, strict=True))
    found = Ratio(name, peer, median(ratios), ratios[0], ratios[-1], mine, theirs, f"at most {goal}", "s CPU")
    return found, median(ours.clock for ours, _ in pairs)


def of_script(script: str, packages: tuple[str, ...]) -> tuple[Ratio, float]:
    """The imports of a script against those of its packages."""
    peer = ", ".join(packages) or "python"
    return compared(script, FROM_SCRIPTS + script, peer, bound(packages), HEAVY if "torch" in packages else LIGHT)


def of_network() -> list[Ratio]:
    """Reading a network like that of `digits` against diffusers' own reading; and a script until its network is there."""
    from diffusers.models.unets.unet_2d import UNet2DModel
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    from underpainting import denoisers

    blocks = {"down_block_types": ("DownBlock2D",) * 3, "up_block_types": ("UpBlock2D",) * 3, "norm_num_groups": 8}
    network = UNet2DModel(8, 1, 1, block_out_channels=(16, 32, 64), **blocks)
    with tempfile.TemporaryDirectory() as folder:
        denoisers.save_pipeline(network, DDIMScheduler(), folder)

        def theirs() -> None:
            UNet2DModel.from_pretrained(f"{folder}/unet", low_cpu_mem_usage=False)
            DDIMScheduler.from_pretrained(f"{folder}/scheduler")

        name, peer = "reading a network", "diffusers' from_pretrained"
        reading = ratio(name, lambda: denoisers.load_denoiser(folder), peer, theirs, f"at most {HEAVY}")
        script = f"{FROM_SCRIPTS}sample_trajectories; sample_trajectories.denoisers.load_denoiser({folder!r})"
        name, peer = "sample_trajectories, network read", "torch, xarray, diffusers' UNet2DModel and DDIMScheduler"
        whole, _ = compared(name, script, peer, f"{bound(('torch', 'xarray'))}\n{CLASSES}", HEAVY)
    return [reading, whole]


def main(chosen: list[str]) -> None:
    """Measure the scripts chosen, all by default, and print the table."""
    scripts = {script: packages for packages, names in NEEDED.items() for script in names}
    if unknown := set(chosen) - set(scripts):
        raise SystemExit(f"{', '.join(sorted(unknown))}: no such script; known are {', '.join(sorted(scripts))}")
    measured = [of_script(name, scripts[name]) for name in chosen or sorted(scripts)]
    rows = [row for row, _ in measured]
    print(table(rows + ([] if chosen else of_network())))
    ours, theirs = sum(row.ours for row in rows), sum(row.reference for row in rows)
    clock = sum(seconds for _, seconds in measured)
    print(
        f"\n{len(rows)} scripts: {ours:.1f} s CPU, {clock:.1f} s on the clock; their packages alone {theirs:.1f} s CPU"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
