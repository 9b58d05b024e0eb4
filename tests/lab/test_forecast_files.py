"""`opportune forecast` as people use it: tables, figures of campaigns, mistakes with their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from typer.testing import CliRunner

from opportune.cli import app
from opportune.clock import parse_instant
from opportune.errors import BadCatalog, BadInput
from opportune.figures.manifest import Manifest, write_manifest
from opportune.lab.forecast import load_forecast, sentence, told
from opportune.measure.effect import Interval
from opportune.measure.forecast import Forecast

SPEC = "data: sales.csv\nat: sold\nvalue: paid\nevery: day\nahead: 7\n"


def sales(file: Path, days: int = 70, more: str = "") -> None:
    """Write sales by day and shop: two rows a day, weekends are strong."""
    draw = np.random.default_rng(2)
    with file.open("w", encoding="utf-8") as lines:
        lines.write("shop,sold,paid\n")
        for i in range(days):
            day = np.datetime64("2026-03-02") + i  # a Monday
            for shop in ("north", "south"):
                paid = (100 if shop == "north" else 50) + 40 * (i % 7 >= 5) + draw.normal(0, 3)
                lines.write(f"{shop},{day}T09:00:00,{paid / 2:.2f}\n{shop},{day}T18:00:00,{paid / 2:.2f}\n")
        lines.write(more)


def answer(folder: Path, spec: str = SPEC) -> dict[str, Any]:
    (folder / "spec.yaml").write_text(spec, "utf-8")
    return told(load_forecast(folder / "spec.yaml"))


def test_series_of_a_table(tmp_path: Path) -> None:
    sales(tmp_path / "sales.csv", more=",2026-03-02,5\nnorth,soon,5\nnorth,2026-03-02,\n")
    found = answer(tmp_path, SPEC + "by: shop\n")
    assert found["left_out"] == {"without_a_time_or_a_value": 3}
    assert [one["key"] for one in found["series"]] == ["north", "south"]
    north = found["series"][0]
    assert (north["known"], north["reason"]) == (70, None)
    assert [period["at"] for period in north["periods"]][:2] == ["2026-05-11", "2026-05-12"]
    assert [period["value"] for period in north["periods"]] == pytest.approx([100] * 5 + [140] * 2, abs=5)
    assert all(period["low"] < period["value"] < period["high"] for period in north["periods"])
    assert set(north["skill"]) == {"value", "interval", "as_good", "sentence"}
    assert "seasonal naive" in north["skill"]["sentence"]
    whole = answer(tmp_path)["series"]
    assert len(whole) == 1
    assert whole[0]["key"] is None
    assert whole[0]["total"] == pytest.approx(found["series"][0]["total"] + found["series"][1]["total"] + 5)


@pytest.mark.parametrize("day", ["infinity", "-infinity", "294000-01-01", "0099-01-01 (BC)", "2026-13-45"])
def test_a_time_that_no_calendar_has_is_left_out(tmp_path: Path, day: str) -> None:
    sales(tmp_path / "sales.csv")
    whole = answer(tmp_path)
    sales(tmp_path / "sales.csv", more=f"north,{day},5\n")
    found = answer(tmp_path)
    assert found["left_out"] == {"without_a_time_or_a_value": 1}
    assert found["series"] == whole["series"]


def test_periods_that_go_on_are_left_out_and_missing_ones_are_told(tmp_path: Path) -> None:
    sales(tmp_path / "sales.csv")
    weekly = SPEC.replace("every: day", "every: week\nseason: 1")
    assert answer(tmp_path, weekly)["series"][0]["known"] == 10
    cut = answer(tmp_path, weekly + "until: 2026-05-09\n")
    assert cut["series"][0]["known"] == 9, "the week to Sunday 10 May goes on"
    assert cut["left_out"] == {"of_a_period_that_goes_on": 28}
    assert answer(tmp_path, weekly + "until: 2026-05-10\n")["series"][0]["known"] == 10
    rows = [row for row in (tmp_path / "sales.csv").read_text().splitlines() if "2026-03-10" not in row]
    (tmp_path / "sales.csv").write_text("\n".join(rows))
    assert "1 of 70 periods have no value" in answer(tmp_path)["series"][0]["remarks"][0]
    zero = answer(tmp_path, SPEC + "missing: zero\n")["series"][0]
    assert not any("have no value" in remark for remark in zero["remarks"])
    counted = answer(tmp_path, SPEC.replace("value: paid\n", ""))["series"][0]
    assert counted["total"] == 4 * 69


def test_months_follow_months(tmp_path: Path) -> None:
    lines = [f"{2020 + i // 12}-{i % 12 + 1:02}-15,{100 + 10 * (i % 12)}" for i in range(48)]
    (tmp_path / "sales.csv").write_text("\n".join(["month,n", *lines]))
    found = answer(tmp_path, "data: sales.csv\nvalue: n\nahead: 14\n")
    periods = found["series"][0]["periods"]
    assert [periods[0]["at"], periods[11]["at"], periods[12]["at"]] == ["2024-01-01", "2024-12-01", "2025-01-01"]
    assert periods[0]["low"] is None, "each year was as the one before"
    assert [period["value"] for period in periods[:3]] == [100, 110, 120]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (SPEC.replace("sold", "solt"), "2:5 there is no column `solt`; did you mean `sold`?"),
        (SPEC.replace("at: sold\n", ""), "1:7 no column is known as the time; name it with `at:`"),
        (SPEC.replace("at: sold", "at: paid"), "2:5 the column `paid` is not of dates: it holds DOUBLE"),
        (SPEC.replace("value: paid", "value: shop"), "3:8 the column `shop` is not of numbers: it holds VARCHAR"),
        (SPEC + "figure: spend\n", "6:1 `figure` is for `data: {tables: FOLDER}`; remove it"),
        (SPEC.replace("day", "dya"), "4:8 unknown every `dya` in the forecast spec; did you mean `day`?"),
        (SPEC + "season: 5000\n", "6:9 `season` is above 1,000 periods"),
        ("data: {tables: .}\n", "1:1 the forecast spec has no `figure`; add `figure:`"),
        ("data: {tables: .}\nfigure: spend\nby: line\n", "3:5 figures are by campaign, not by `line`"),
        (SPEC + "by: day\n", "6:5 there is no column `day`; known: paid, shop, sold"),
    ],
)
def test_mistakes_are_told_where_they_are(tmp_path: Path, spec: str, said: str) -> None:
    sales(tmp_path / "sales.csv")
    with pytest.raises(BadCatalog) as caught:
        answer(tmp_path, spec)
    assert any(f"{p.line}:{p.column} {p.what}; {p.cure}".startswith(said) for p in caught.value.problems), caught.value


def test_too_little_and_a_date_that_is_wrong(tmp_path: Path) -> None:
    sales(tmp_path / "sales.csv", days=6)
    one = answer(tmp_path)["series"][0]
    assert (one["periods"], one["reason"]) == ([], "6 periods have values, it takes 10")
    sales(tmp_path / "sales.csv", days=6, more="north,1026-03-02,5\n")
    with pytest.raises(BadCatalog, match="is one of the dates wrong"):
        answer(tmp_path)
    (tmp_path / "sales.csv").write_text("shop,sold,paid\n")
    with pytest.raises(BadCatalog, match="has no rows"):
        answer(tmp_path)
    sales(tmp_path / "sales.csv")
    with pytest.raises(BadInput, match="statsforecast is not installed"):
        answer(tmp_path, SPEC + "models: statsforecast\n")


def exported(folder: Path) -> None:
    """Write tables as an export has them: contacts of two campaigns, one of which has ended, and spend."""
    connection = duckdb.connect()
    parts = {}
    for name, rows in (
        ("contacts", "SELECT range AS seq, TIMESTAMP '2026-01-05 10:00' + INTERVAL (range / 20) DAY AS \"at\", "
                     "CASE WHEN range % 2 = 0 THEN 'spring' WHEN range < 700 THEN 'winter' END AS campaign, "
                     "range % 5 > 0 AS delivered FROM range(2000)"),
        ("spend", "SELECT range AS seq, TIMESTAMP '2026-01-05' + INTERVAL (range * 7) DAY AS \"at\", 'spring' AS "
                  "campaign, 'e' || range AS entry, 'spent' AS kind, 100.0 + range AS amount FROM range(14) UNION ALL "
                  "SELECT 98, TIMESTAMP '2026-01-05', 'spring', 'c', 'committed', 5000.0 UNION ALL "
                  "SELECT 99, TIMESTAMP '2026-01-05', 'spring', 'e0', 'spent', 90.0"),
    ):  # fmt: skip
        (folder / name).mkdir()
        connection.execute(f"COPY ({rows}) TO '{folder / name / 'part.parquet'}' (FORMAT parquet)")
        connection.execute(f"COPY ({rows}) TO '{folder / name / 'old.parquet'}' (FORMAT parquet)")  # counts no more
        parts[name] = ("part.parquet",)
    write_manifest(folder, Manifest.of(parts, at=parse_instant("2026-04-15T09:30:00Z")))


def test_figures_of_campaigns_from_the_exported_tables(tmp_path: Path) -> None:
    exported(tmp_path)
    spec = "data: {tables: .}\nfigure: contacts\nby: campaign\nevery: week\nahead: 3\n"

    def answer(text: str) -> dict[str, Any]:
        (tmp_path / "spec.yaml").write_text(text, "utf-8")
        done = CliRunner().invoke(app, ["forecast", str(tmp_path / "spec.yaml"), "--json"])
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    found = answer(spec)
    assert found["last"] == "2026-04-06", "the week from 13 April goes on while the tables are written"
    spring, winter = found["series"]
    assert (spring["key"], winter["key"]) == ("spring", "winter")
    assert spring["periods"][0]["at"] == "2026-04-13"
    assert spring["periods"][0]["value"] == pytest.approx(7 * 10 * 0.8, abs=2)
    assert winter["periods"][-1]["value"] == pytest.approx(0, abs=3), "what has ended is 0, no gap"
    whole = answer(spec.replace("by: campaign\n", ""))["series"]
    assert whole[0]["total"] == 14 * 7 * 20 * 0.8, "14 weeks are whole"
    spend = answer(spec.replace("contacts", "spend"))["series"]
    assert [one["key"] for one in spend] == ["spring"]
    assert spend[0]["total"] == 90 + sum(100 + i for i in range(1, 14)), "of an entry the last row, and no commitments"
    (tmp_path / "spec.yaml").write_text(spec.replace("contacts", "outcomes"), "utf-8")
    none = CliRunner().invoke(app, ["forecast", str(tmp_path / "spec.yaml")])
    assert none.exit_code != 0
    assert "has no row with a time and a value" in str(none.exception) + none.output


def test_for_people_and_programs(tmp_path: Path) -> None:
    sales(tmp_path / "sales.csv")
    (tmp_path / "spec.yaml").write_text(SPEC)
    run = CliRunner().invoke
    shown = run(app, ["forecast", str(tmp_path / "spec.yaml")])
    assert shown.exit_code == 0, shown.output
    assert "paid, 70 days to 2026-05-10" in shown.stdout
    assert "seasonal naive" in shown.stdout
    assert "80% interval" in shown.stdout
    plain = json.loads(run(app, ["forecast", str(tmp_path / "spec.yaml"), "--json"]).stdout)
    assert plain["series"][0]["periods"][0]["at"] == "2026-05-11"


def test_the_seasonal_naive_is_not_compared_with_itself() -> None:
    def said(method: str) -> str:
        found = Forecast(method, (1.0,), None, 0.9, {}, 0.0, Interval(-0.1, 0.1), True, None, 9)
        return sentence(found)

    assert said("seasonal naive") == "nothing else would have done better"
    assert said("theta").startswith("its error was 0% less than that of seasonal naive")


def test_a_last_week_that_goes_on_is_left_out_by_itself(tmp_path: Path) -> None:
    weekly = SPEC.replace("day", "week") + "season: 1\n"
    sales(tmp_path / "sales.csv", days=87)  # twelve weeks and three days
    found = answer(tmp_path, weekly)
    assert found["left_out"] == {"of_a_period_that_goes_on": 12}
    assert found["last"] == "2026-05-18"
    sales(tmp_path / "sales.csv", days=84)
    assert answer(tmp_path, weekly)["left_out"] == {}
    (tmp_path / "sales.csv").write_text(
        "sold,paid\n" + "".join(f"20{20 + m // 12}-{m % 12 + 1:02}-01,{m}\n" for m in range(40)), "utf-8"
    )
    assert answer(tmp_path, SPEC.replace("day", "month"))["left_out"] == {}, "a row a month, on its first day"


def test_rows_of_a_running_period_alone_are_named(tmp_path: Path) -> None:
    sales(tmp_path / "sales.csv", days=3)
    with pytest.raises(BadCatalog, match="12 rows, all of a week that goes on"):
        answer(tmp_path, SPEC.replace("day", "week") + "until: 2026-03-04\n")
