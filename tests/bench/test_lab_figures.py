"""The figures of the lab in a short form: raw tables with planted effects, and the page of calibration."""

from __future__ import annotations

from pathlib import Path

import pytest

from opportune.bench import lab, lab_flows, lab_gate, lab_program, lab_tables
from opportune.bench.lab_calibration import DESIGNS, table
from opportune.bench.lab_sequential import tables


def test_the_planted_lift_is_found_in_raw_tables(tmp_path: Path) -> None:
    lab_tables.written(tmp_path, 100_000)
    found = lab_tables.in_own_process(tmp_path / "analysis.yaml")
    answer = found["answer"]
    rows = {row["name"]: row for row in answer["metrics"]}
    assert sum(answer["arms"].values()) == 80_000
    assert not answer["sample_ratio"]["alarm"]
    low, high = rows["ordered"]["relative_interval"]
    assert low < lab_tables.LIFT < high
    assert rows["ordered"]["verdict"] == "better"
    assert rows["revenue"]["variance_saved"] > 0.005
    assert all(row["reason"] is None for row in rows.values())
    assert found["gib"] < 1


def test_the_page_has_every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, int] = {}
    for module, name in ((lab_flows, "table"), (lab_program, "compared"), (lab_gate, "table")):
        monkeypatch.setattr(module, name, lambda many, of=module.__name__: asked.update({of: many}) or [])
    fixed, sequential = table(20, designs=DESIGNS[:3]), tables(20)
    text = lab.page(fixed, sequential, 10_000)
    for row in fixed:
        assert f"| {row.name} | {row.worse:.2%} | {row.better:.2%} |" in text
    for what, share in sequential.items():
        assert f"| {what} | {share:.2%} |" in text
    assert [asked[f"opportune.bench.lab_{name}"] for name in ("flows", "program", "gate")] == [10_000, 100, 500]
    names = [figure["name"] for figure in lab.trusted(fixed, sequential)]
    assert names[0] == "lab_tail_least"
    assert names[-1] == "lab_sequential_power"
