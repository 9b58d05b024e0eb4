"""`opportune budget` as people use it: curves that are known, curves of a table, bounds, mistakes with their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from opportune.cli import app
from opportune.errors import BadCatalog
from opportune.lab.budget import budget, load_budget
from opportune.measure.response_curves import Curve

TABLE = "total: 60000\ndata: spend.csv\nline: channel\nspend: cost\nresult: sales\n"

KNOWN = """total: 100000
worth: 20
lines:
  social: {curve: hill, scale: 4000, half: 30000, shape: 4, spent: 20000}
  mail: {curve: power, scale: 90, shape: 0.4, max: 30000, spent: 80000}
"""


def answer(folder: Path, spec: str) -> dict[str, Any]:
    (folder / "budget.yaml").write_text(spec, "utf-8")
    return budget(load_budget(folder / "budget.yaml"))


def spends(file: Path) -> None:
    draw = np.random.default_rng(2)
    curves = {"search": Curve("hill", 900, 20000, 4), "social": Curve("power", 5, 1, 0.4)}
    with file.open("w", encoding="utf-8") as rows:
        rows.write("channel,cost,sales\n")
        for name, curve in curves.items():
            for cost in draw.uniform(0, 50000, 80):
                sales = curve.result(np.array([cost]))[0] * draw.normal(1, 0.03)
                rows.write(f"{name},{cost:.2f},{sales:.3f}\n")
        rows.write("fair,100,3\nfair,200,5\nfair,,5\n")


def test_known_curves(tmp_path: Path) -> None:
    found = answer(tmp_path, KNOWN)
    social, mail = found["lines"]["social"], found["lines"]["mail"]
    assert (social["spend"], mail["spend"]) == pytest.approx((70000, 30000), rel=1e-5)
    assert found["result"] == pytest.approx(social["result"] + mail["result"])
    assert found["now"] == pytest.approx(4000 / (1 + 1.5**4) + 90 * 80000**0.4)
    assert found["even"] is None, "an even split is above what mail gets at most"
    assert social["marginal"] == pytest.approx(20 * 0.007216, rel=1e-3)
    assert (found["next"], found["pays"]) == ("social", False), "mail has all that it may get"
    assert 0 <= found["gap"] < 0.001
    assert social["interval"] is None


def test_curves_of_a_table(tmp_path: Path) -> None:
    spends(tmp_path / "spend.csv")
    found = answer(tmp_path, TABLE)
    assert set(found["lines"]) == {"search", "social"}
    assert found["reasons"] == {"fair": "2 different spends, it takes 8"}
    search = found["lines"]["search"]
    assert search["fitted"]
    low, high = search["interval"]
    assert low < search["result"] < high
    assert search["result"] == pytest.approx(900 / (1 + (20000 / search["spend"]) ** 4), rel=0.05)
    assert found["result"] >= found["even"]
    assert found["pays"] is None
    assert found["spent"] == pytest.approx(60000)
    some = answer(tmp_path, TABLE + "lines:\n  search: {max: 10000}\n  fair: {min: 5000}\n")
    assert set(some["lines"]) == {"search"}
    assert (some["kept"], some["spent"]) == (5000, pytest.approx(10000))
    none = answer(tmp_path, TABLE + "lines: {fair: {}, fax: {}}\n")
    assert none["result"] is None
    assert none["reasons"]["fax"] == "the data have no rows of it"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (KNOWN.replace("half: 30000", "haf: 30000"), "4:11 line `social` has no `half`; add `half:`"),
        (KNOWN.replace("hill", "hil"), "4:19 unknown curve `hil`"),
        (KNOWN.replace("shape: 0.4", "shape: 1.4"), "cannot be; scale >= 0"),
        (KNOWN.replace("max: 30000", "max: 30000, min: 40000"), "`min` of line `mail` is above its `max`"),
        (KNOWN.replace("max: 30000", "min: 300000"), "the `min` of all lines is more than the total of 100000"),
        (KNOWN.replace("curve: hill, ", ""), "`scale` is of a curve, and line `social` has none; add `curve:`"),
        (KNOWN.replace("total: 100000\n", ""), "1:1 the budget has no `total`"),
        (TABLE.replace("cost", "costs"), "4:8 there is no column `costs`; did you mean `cost`?"),
        (TABLE.replace("sales", "channel"), "5:9 the column `channel` is not of numbers: it holds VARCHAR"),
    ],
)
def test_mistakes_are_told_where_they_are(tmp_path: Path, spec: str, told: str) -> None:
    spends(tmp_path / "spend.csv")
    with pytest.raises(BadCatalog) as caught:
        answer(tmp_path, spec)
    assert any(told in f"{p.line}:{p.column} {p.what}; {p.cure}" for p in caught.value.problems), caught.value


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "budget.yaml").write_text(KNOWN)
    run = CliRunner().invoke
    told = run(app, ["budget", str(tmp_path / "budget.yaml"), "--json"])
    assert json.loads(told.stdout)["lines"]["mail"]["spend"] == pytest.approx(30000)
    people = run(app, ["budget", str(tmp_path / "budget.yaml")]).stdout
    assert "What is added goes to social, and brings less than it costs." in people
    assert "8,891.3 now" in people


def test_more_than_was_ever_spent_is_called_a_guess(tmp_path: Path) -> None:
    spends(tmp_path / "spend.csv")
    assert answer(tmp_path, TABLE)["warnings"] == [], "both lines stay within what was spent"
    found = answer(tmp_path, TABLE.replace("60000", "400000"))
    told = {name for name, one in found["lines"].items() if one["spend"] > 1.5 * one["seen"]}
    assert told
    assert {warning.partition(":")[0] for warning in found["warnings"]} == told
    assert all(45_000 < one["seen"] <= 50_000 for one in found["lines"].values())
    shown = CliRunner().invoke(app, ["budget", str(tmp_path / "budget.yaml")]).stdout
    assert "times the largest spend in the data" in shown
