"""Fixtures of these tests."""

from tests.helpers.fixtures import basis, latent_folder, network  # noqa: F401
