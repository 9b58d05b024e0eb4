"""Shared set-up: seeded property tests, and where the real data are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("short", max_examples=60, deadline=None, derandomize=True,
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.register_profile("long", parent=settings.get_profile("short"), max_examples=1500, derandomize=False)
settings.load_profile("long" if os.environ.get("OPPORTUNE_LONG") else "short")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not os.environ.get("OPPORTUNE_LONG"):
        skip = pytest.mark.skip(reason="a long simulation: run `make test-long`")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data; tests that need it are skipped with a clear word where it is absent."""
    folder = Path(os.environ.get("OPPORTUNE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set OPPORTUNE_DATA to run this test")
    return folder
