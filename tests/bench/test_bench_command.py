"""`opportune bench` prints every figure, also those of which a peer has no number, or no ratio can be told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from opportune import bench
from opportune.bench.measure import budget_gap
from opportune.cli import app


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_figure_without_a_ratio_is_printed(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {"peer": None, "peer_value": None, "ratio": None, "spread": None}
    told: list[dict[str, Any]] = [
        {"name": "gap", "value": 0.0, "unit": "share", **nothing, "peer": "slsqp", "peer_value": 0.03},
        {"name": "fit", "value": 1.5, "unit": "s", **nothing, "peer": "another"},
        {"name": "alone", "value": 2.0, "unit": "s", **nothing},
    ]
    monkeypatch.setattr(bench, "run", lambda groups: {"machine": {}, "figures": told})
    found = CliRunner().invoke(app, ["bench", "measure", *words])
    assert found.exit_code == 0, found.output
    if words:
        assert json.loads(found.stdout)["figures"] == told
    else:
        assert "slsqp 0.03\n" in found.stdout
        assert found.stdout.rstrip().endswith("alone                               2 s")


def test_a_gap_of_nothing_has_no_ratio() -> None:
    found = budget_gap()
    assert (found["value"], found["ratio"]) == (0, None)
    assert found["peer_value"] > 0.02
