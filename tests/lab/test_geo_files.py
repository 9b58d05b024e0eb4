"""`opportune geo` as people use it: tests, plans, mistakes with their place, and the documented experiment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from opportune.cli import app
from opportune.errors import BadCatalog
from opportune.lab.geo import load_geo, read

SPEC = "data: sales.csv\nvalue: sales\ntreated: [ulm]\nfrom: 2026-03-02\n"


def sales(file: Path, lift: float = 0.15, more: str = "") -> None:
    """Write the sales of eight towns over 80 days; from March 2 on those of Ulm are higher."""
    draw = np.random.default_rng(4)
    shared = 1 + 0.2 * np.sin(2 * np.pi * np.arange(80) / 7) + np.cumsum(draw.normal(0, 0.02, 80))
    towns = {name: draw.uniform(50, 200) for name in ("ulm", "bonn", "jena", "kiel", "mainz", "trier", "worms", "zell")}
    with file.open("w", encoding="utf-8") as lines:
        lines.write("town,date,sales\n")
        for i in range(80):
            day = np.datetime64("2026-01-01") + i
            for town, size in towns.items():
                value = size * shared[i] * (1 + draw.normal(0, 0.02)) * (1 + lift * (town == "ulm" and i >= 60))
                lines.write(f"{town},{day},{value / 2:.3f}\n{town},{day},{value / 2:.3f}\n")
        lines.write(more)


def answer(folder: Path, spec: str = SPEC.replace("value", "region: town\nvalue")) -> dict[str, Any]:
    (folder / "spec.yaml").write_text(spec, "utf-8")
    return read(load_geo(folder / "spec.yaml"))


@pytest.mark.parametrize("day", ["infinity", "-infinity", "294000-01-01", "0099-01-01 (BC)"])
def test_a_time_that_no_calendar_has_is_left_out(tmp_path: Path, day: str) -> None:
    sales(tmp_path / "sales.csv")
    whole = answer(tmp_path)
    sales(tmp_path / "sales.csv", more=f"bonn,{day},5\n")
    found = answer(tmp_path)
    assert found["left_out"] == {"rows_without_a_region_a_time_or_a_value": 1}
    assert found["effect"] == whole["effect"]


def test_a_test_of_a_table(tmp_path: Path) -> None:
    sales(tmp_path / "sales.csv", more="oslo,2026-01-01,5\n,2026-01-01,5\nulm,soon,5\n")
    found = answer(tmp_path)
    assert (found["before"], found["during"], found["others"]) == (60, 20, 7)
    assert found["left_out"] == {"rows_without_a_region_a_time_or_a_value": 2, "regions_that_miss_a_period": 1}
    assert found["lift"] == pytest.approx(0.15, abs=0.03)
    assert found["lift_interval"][0] > 0
    assert found["total"] == pytest.approx(20 * found["effect"])
    assert sum(found["weights"].values()) == pytest.approx(1, abs=0.01)
    assert found["periods"][60]["at"] == "2026-03-02"
    assert found["detectable"][0]["lift"] < 0.15
    short = answer(tmp_path, SPEC.replace("value", "region: town\nvalue") + "until: 2026-03-11\nexclude: [bonn]\n")
    assert (short["during"], short["others"]) == (10, 6)
    weekly = answer(tmp_path, SPEC.replace("value", "every: week\nregion: town\nvalue").replace("03-02", "03-04"))
    assert weekly["left_out"]["rows_of_a_period_that_the_treatment_began_in"] == 8 * 2 * 7
    assert "it takes 12" in weekly["reason"]


def test_a_plan(tmp_path: Path) -> None:
    sales(tmp_path / "sales.csv", lift=0)
    spec = "data: sales.csv\nregion: town\nvalue: sales\ntreated: [ulm]\n"
    found = answer(tmp_path, spec + "lengths: [7, 20, 70]\n")
    assert found["plan"]
    assert found["effect"] is None
    assert [one["length"] for one in found["detectable"]] == [7, 20, 70]
    assert all(0 < one["lift"] < 0.1 for one in found["detectable"][:2])
    assert found["detectable"][2]["lift"] is None
    assert "it takes 12" in found["detectable"][2]["reason"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (SPEC, "1:7 no column is known as the region; name it with `region:`"),
        ("region: towns\n" + SPEC, "1:9 there is no column `towns`; did you mean `town`?"),
        ("region: town\n" + SPEC.replace("ulm", "ulma"), "4:10 no row is of the region `ulma`; did you mean `ulm`?"),
        ("region: town\n" + SPEC.replace("value: sales", "value: date"), "3:8 the column `date` is not of numbers"),
        ("region: town\n" + SPEC + "until: 2026-02-01\n", "6:8 `until` is before `from`; give a later day"),
        ("region: town\n" + SPEC + "exclude: [ulm]\n", "6:10 `ulm` is treated and excluded; keep one of the two"),
        ("region: town\n" + SPEC.replace("2026", "2027"), "5:7 no row is of the time of the treatment"),
        ("region: town\n" + SPEC + "lengths: [5]\n", "6:1 `lengths` is for a plan, without `from`"),
        ("region: town\n" + SPEC.replace("03-02", "01-01"), ""),
    ],
)
def test_mistakes_are_told_where_they_are(tmp_path: Path, spec: str, told: str) -> None:
    sales(tmp_path / "sales.csv")
    if not told:
        assert answer(tmp_path, spec)["reason"] == "0 periods before the treatment, it takes 12"
        return
    with pytest.raises(BadCatalog) as caught:
        answer(tmp_path, spec)
    assert any(f"{p.line}:{p.column} {p.what}; {p.cure}".startswith(told) for p in caught.value.problems), caught.value


def test_a_treated_region_with_a_gap(tmp_path: Path) -> None:
    sales(tmp_path / "sales.csv")
    rows = (tmp_path / "sales.csv").read_text().splitlines()
    (tmp_path / "sales.csv").write_text("\n".join(row for row in rows if not row.startswith("ulm,2026-01-07")))
    with pytest.raises(BadCatalog, match="`ulm` has no row in 1 of 80 periods"):
        answer(tmp_path)


def test_for_people(tmp_path: Path) -> None:
    sales(tmp_path / "sales.csv")
    (tmp_path / "spec.yaml").write_text("region: town\n" + SPEC)
    told = CliRunner().invoke(app, ["geo", str(tmp_path / "spec.yaml")])
    assert told.exit_code == 0, told.output
    assert "ulm beside 7 other regions: 60 days before, 20 during" in told.stdout
    assert "placebos over regions" in told.stdout
    plain = CliRunner().invoke(app, ["geo", str(tmp_path / "spec.yaml"), "--json"])
    assert json.loads(plain.stdout)["p"] <= 0.05


def test_the_documented_experiment(data_folder: Path, tmp_path: Path) -> None:
    files = [data_folder / f"geolift_{name}.csv.gz" for name in ("test", "pretest")]
    if not all(file.exists() for file in files):
        pytest.skip(f"the geo experiment is not in {data_folder}")
    spec = "data: {}\nvalue: Y\ntreated: [chicago, portland]\n"
    found = answer(tmp_path, spec.format(files[0]) + "from: 2021-04-01\n")
    assert (found["before"], found["during"], found["others"]) == (90, 15, 38)
    assert found["lift"] == pytest.approx(0.054, abs=0.01), "as documented"
    assert found["lift_interval"][0] < 0.054 < found["lift_interval"][1]
    assert found["lift_interval"][1] - found["lift_interval"][0] < 0.12
    assert found["fit"]["foretold"] > 0.9
    plan = answer(tmp_path, spec.format(files[1]))
    assert [one["lift"] for one in plan["detectable"]] == pytest.approx([0.065, 0.059], abs=0.01)
