"""Fixtures of these tests."""

from tests.helpers.fixtures import basis, network  # noqa: F401
