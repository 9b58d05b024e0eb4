"""Shared set-up: seeded property tests, and where the real data are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium, or of Chrome; without one, tests that need it fail in CI and are skipped elsewhere."""
    from clients import pinned_clients

    found = pinned_clients.chromium()
    if not found and os.environ.get("CI") == "true":
        pytest.fail("there is no Chromium: run `make clients`")
    if not found:
        pytest.skip("there is no Chromium: run `make clients`")
    return str(found)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Chromium, driven by playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()
