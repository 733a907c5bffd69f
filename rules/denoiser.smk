# The denoiser of a study as a diffusers pipeline folder: trained here, or copied from the repository, a folder or the Hub.
NETWORK = {
    "index": "results/{study}/denoiser/model_index.json",
    "config": "results/{study}/denoiser/unet/config.json",
    "weights": "results/{study}/denoiser/unet/diffusion_pytorch_model.safetensors",
    "scheduler": "results/{study}/denoiser/scheduler/scheduler_config.json",
    "schedule": "results/{study}/denoiser/schedule.zarr.zip",
}


rule train_denoiser:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        eigenbasis=files_of(files.residual.training_basis),
    output:
        **NETWORK,
        losses="results/{study}/training.zarr.zip",
        snapshots="results/{study}/snapshots.safetensors",
    log:
        "logs/{study}/train.log",
    wildcard_constraints:
        study=studies_with(lambda study: study.denoiser.source == "train"),
    # the longest job, on which nearly all others wait
    priority: 10
    threads: of_study(lambda study: study.denoiser.threads)
    resources:
        **needs("train_denoiser"),
        # no parameters, since they do not change what is computed: how often to save a checkpoint, and where to train
        checkpoint_seconds=30,
        device=of_study(lambda study: study.device),
    params:
        code=code_of("train_denoiser"),
        packages=packages_of("train_denoiser"),
        config=of_study(lambda study: study.denoiser.settings()),
    script:
        "../scripts/train_denoiser.py"


rule fetch_denoiser:
    input:
        files_of(files.sources.of_network),
    output:
        **NETWORK,
    log:
        "logs/{study}/fetch_denoiser.log",
    wildcard_constraints:
        study=studies_with(lambda study: study.denoiser.source != "train"),
    resources:
        **needs("fetch_denoiser"),
        # where the network and its code lie: no parameters, since they do not change the result
        place=of_study(lambda study: study.denoiser.place),
        third_party_code=of_study(lambda study: getattr(study.denoiser, "code", "")),
    params:
        code=code_of("fetch_denoiser"),
        packages=packages_of("fetch_denoiser"),
        config=of_study(
            lambda study: {
                **study.denoiser.settings(),
                "channels": study.dataset.channels,
                "size": study.dataset.image_size,
                **files.sources.sampler_of_network(study),
            }
        ),
    script:
        "../scripts/fetch_denoiser.py"
