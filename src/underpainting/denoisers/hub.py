"""Fetches networks from the Hugging Face Hub at a pinned commit, without pickles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from underpainting.io.errors import MissingFileError, Problem
from underpainting.io.messages import describe_error


def find_cached(repository: str, revision: str) -> Path | None:
    """Return the folder of a pinned commit in the Hub's local cache, None if it is not there."""
    from huggingface_hub import try_to_load_from_cache

    for name in ("unet/config.json", "config.json"):
        found = try_to_load_from_cache(repository, name, revision=revision)
        if isinstance(found, str):
            return Path(found.removesuffix(name))
    return None


PATTERNS = ("*.json", "*.safetensors", "*/*.json", "*/*.safetensors")


def fetch(repository: str, revision: str, patterns: Sequence[str] = PATTERNS) -> Path:
    """Return the snapshot of a Hub repository at a pinned commit, from the local cache or the network; no pickles.

    Args:
        repository: owner/name.
        revision: the commit.
        patterns: of the files to download.

    Raises:
        FileNotFoundError: the repository or the commit is not available.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(patterns)))
    except Exception as error:  # the Hub client raises many kinds; all mean that the network cannot be had
        problem = f"{repository} at {revision} cannot be had from the Hub ({describe_error(error)})"
        remedy = "check the name, the commit and the network, or use source: path"
        raise MissingFileError(Problem(problem, remedy, "denoiser.repository")) from error
