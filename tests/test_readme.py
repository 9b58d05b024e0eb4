"""The README's example runs."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from opportune.catalog.project import write_project


def test_the_example_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path / "shop")
    readme = Path(__file__).parent.parent / "README.md"
    monkeypatch.chdir(tmp_path)
    found = doctest.testfile(str(readme), module_relative=False)
    assert found.attempted >= 5
    assert not found.failed
