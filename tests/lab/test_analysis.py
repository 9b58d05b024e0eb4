"""`opportune lab analyze` on files: real experiments, planted truth, and data of every form."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import math
import os
import random
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from opportune.cli import app
from opportune.lab.analysis import analyze, load_analysis
from opportune.lab.spec import AnalysisSpec, Measured
from opportune.lab.tables import tally
from opportune.measure.compare import compare
from opportune.measure.effect import Effect
from opportune.measure.reading import Fixed
from opportune.measure.sums import Sums

DATA = Path(os.environ.get("OPPORTUNE_DATA", Path(__file__).parents[3] / "shared" / "data"))
KEYS = {"name", "arm", "control_value", "value", "difference", "interval", "relative", "relative_interval", "p",
        "variance_saved", "verdict"}  # fmt: skip

COOKIE_CATS = """
data: ${OPPORTUNE_DATA}/cookie_cats.csv.gz
unit: userid
arm: version
control: gate_30
split: {gate_30: 0.5, gate_40: 0.5}
inference: INFERENCE
alpha: 0.05
metrics:
  - {name: day7, kind: retention, column: retention_7}
  - {name: day1, kind: proportion, column: retention_1}
"""

HILLSTROM = """
data: ${OPPORTUNE_DATA}/hillstrom_womens.csv.gz
arm: segment
control: No E-Mail
inference: fixed
segments: [womens]
metrics:
  - {name: visit, kind: proportion, column: visit}
  - {name: conversion, kind: proportion, column: "spend > 0"}
  - {name: spend, kind: mean, column: spend, covariate: history}
"""


def asked(folder: Path, spec: str) -> dict[str, Any]:
    """Return the answer of the command."""
    file = folder / "analysis.yaml"
    file.write_text(spec)
    run = CliRunner(env={"OPPORTUNE_DATA": str(DATA)}).invoke(app, ["lab", "analyze", str(file), "--json"])
    assert run.exit_code == 0, run.output + str(run.exception)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def real(name: str) -> None:
    if not (DATA / name).is_file():
        pytest.skip(f"{name} is not in {DATA}; set OPPORTUNE_DATA")


def test_cookie_cats(tmp_path: Path) -> None:
    real("cookie_cats.csv.gz")
    found = asked(tmp_path, COOKIE_CATS.replace("INFERENCE", "fixed"))
    assert found["arms"] == {"gate_30": 44_700, "gate_40": 45_489}
    assert found["sample_ratio"]["p"] == pytest.approx(0.0086, abs=5e-5)
    assert found["sample_ratio"]["alarm"] is True
    assert "did not get the customers" in found["warnings"][0]
    day7, day1 = found["metrics"]
    assert day7.keys() >= KEYS
    assert (day7["name"], day7["arm"]) == ("day7", "gate_40")
    assert (day7["control_value"], day7["value"]) == (pytest.approx(0.1902, abs=5e-5), pytest.approx(0.1820, abs=5e-5))
    assert day7["p"] == pytest.approx(0.0016, abs=5e-5)
    assert day7["interval"][1] < 0
    assert day7["relative_interval"][1] < 0
    assert day7["verdict"] == "worse"
    assert day1["p"] == pytest.approx(0.0744, abs=5e-5)
    assert day1["verdict"] == "undecided"


def test_cookie_cats_looked_at_again_and_again_is_called_out_too(tmp_path: Path) -> None:
    real("cookie_cats.csv.gz")
    found = asked(tmp_path, COOKIE_CATS.replace("INFERENCE", "sequential"))
    assert found["sample_ratio"]["alarm"] is True
    assert found["metrics"][0]["p"] > 0.0016


def test_hillstrom(tmp_path: Path) -> None:
    real("hillstrom_womens.csv.gz")
    found = asked(tmp_path, HILLSTROM)
    visit, conversion, spend = found["metrics"]
    assert visit["difference"] == pytest.approx(0.0452331, abs=1e-7)
    assert [visit["control_value"], visit["value"]] == pytest.approx([0.1062, 0.1514], abs=5e-5)
    assert conversion["difference"] == pytest.approx(0.00311, abs=1e-5)
    assert conversion["p"] == pytest.approx(1.6e-4, abs=1e-5)
    assert spend["difference"] == pytest.approx(0.424, abs=0.003)
    assert spend["variance_saved"] == pytest.approx(0.0004, abs=1e-4)  # a covariate that does not help says so
    womens = visit["segments"][0]
    assert womens["differ"] is True
    assert [part["segment"] for part in womens["effects"]] == ["0", "1"]
    assert [part["difference"] for part in womens["effects"]] == [
        pytest.approx(0.0111, abs=1e-4),
        pytest.approx(0.0731, abs=1e-4),
    ]


def test_people_read_a_table(tmp_path: Path) -> None:
    real("cookie_cats.csv.gz")
    (tmp_path / "analysis.yaml").write_text(COOKIE_CATS.replace("INFERENCE", "fixed"))
    run = CliRunner(env={"OPPORTUNE_DATA": str(DATA)}).invoke(app, ["lab", "analyze", str(tmp_path / "analysis.yaml")])
    assert run.stdout.startswith("! The arms did not get the customers that they should")
    assert "-4.3%" in run.stdout
    assert "worse" in run.stdout


# planted truth

Rows = list[dict[str, Any]]

SHOP = """
data: DATA
unit: customer
arm: arm
control: old
split: {old: 1, new: 1, other: 2}
inference: fixed
smallest: 0.05
correct: holm
metrics:
  - {name: bought, kind: proportion, column: "spend > 0"}
  - {name: spend, kind: mean, column: spend, covariate: before, winsorize: 0.99}
  - {name: per_visit, kind: ratio, numerator: spend, denominator: visits}
  - {name: large, kind: quantile, quantile: 0.9, column: spend}
  - {name: visits, kind: count, column: visits, good: down, guardrail: true}
"""


def shop(n: int = 6_000, seed: int = 1) -> Rows:
    """Return customers of whom those in `new` buy a third more often; `other` does nothing."""
    rng, rows = random.Random(seed), []
    for k in range(n):
        arm = rng.choice(["old", "new", "other", "other"])
        level, visits = rng.lognormvariate(0, 0.5), rng.randint(1, 6)
        buys = rng.random() < (0.4 if arm == "new" else 0.3)
        spend = round(level * visits * rng.uniform(2, 4), 2) if buys else 0.0
        rows.append({"customer": f"{k:05d}", "arm": arm, "visits": visits, "spend": spend, "before": round(level, 3)})
    return rows


def written(file: Path, rows: Rows) -> Path:
    """Write rows in the form that the name of the file asks for."""
    names = list(rows[0]) if rows else ["customer", "arm", "visits", "spend", "before"]
    if file.name.endswith((".csv", ".csv.gz")):
        with gzip.open(file, "wt", newline="") if file.suffix == ".gz" else file.open("w", newline="") as out:
            writer = csv.DictWriter(out, names)
            writer.writeheader()
            writer.writerows(rows)
        return file
    plain = written(file.with_name("plain.csv"), rows)
    source = f"read_csv('{plain}', types = {{'customer': 'VARCHAR'}}, sample_size = -1)"
    if file.suffix == ".parquet":
        duckdb.sql(f"COPY (FROM {source}) TO '{file}' (FORMAT parquet)")
    else:
        with duckdb.connect(str(file)) as connection:
            connection.execute(f"CREATE TABLE shop AS FROM {source}")
        file = Path(f"{file}:shop")
    plain.unlink()
    return file


def answer_of(folder: Path, data: Path | str, spec: str = SHOP) -> dict[str, Any]:
    file = folder / "shop.yaml"
    file.write_text(spec.replace("DATA", json.dumps(str(data))))
    return analyze(load_analysis(file))


def test_planted_truth_is_found(tmp_path: Path) -> None:
    found = answer_of(tmp_path, written(tmp_path / "shop.csv", shop(20_000)))
    rows = {(row["name"], row["arm"]): row for row in found["metrics"]}
    assert not found["sample_ratio"]["alarm"]
    bought = rows["bought", "new"]
    assert bought["verdict"] == "better"
    assert bought["relative_interval"][0] < 1 / 3 < bought["relative_interval"][1]
    assert rows["bought", "other"]["verdict"] in ("undecided", "no effect")
    assert rows["spend", "new"]["verdict"] == "better"
    assert rows["spend", "new"]["variance_saved"] > 0.02
    assert rows["large", "new"]["verdict"] == "better"
    assert rows["per_visit", "new"]["verdict"] == "better"
    assert rows["visits", "new"]["verdict"] == "no effect"
    assert "p_adjusted" in bought
    assert bought["p_adjusted"] >= bought["p"]
    assert rows["visits", "new"]["p_adjusted"] is None  # a guardrail is not corrected
    assert rows["bought", "new"]["chance_to_win"] > 0.99


def test_the_sums_are_those_of_python(tmp_path: Path) -> None:
    rows = shop()
    found = answer_of(tmp_path, written(tmp_path / "shop.parquet", rows), SHOP.replace("correct: holm", ""))
    cap = float(np.quantile([row["spend"] for row in rows], 0.99))

    def sums(arm: str) -> Sums:
        mine = [row for row in rows if row["arm"] == arm]
        return Sums.of([min(r["spend"], cap) for r in mine], before=[r["before"] for r in mine])

    effect = compare("mean", sums("old"), sums("new"), Fixed(0.05))
    assert isinstance(effect, Effect)
    row = next(row for row in found["metrics"] if (row["name"], row["arm"]) == ("spend", "new"))
    assert row["p"] == pytest.approx(effect.p, rel=1e-9)
    assert row["interval"] == pytest.approx(list(effect.interval), rel=1e-9)
    assert row["variance_saved"] == pytest.approx(effect.variance_saved, rel=1e-9)


def same(one: Any, other: Any) -> None:
    """Compare two answers: numbers to nine digits."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            same(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other):
            same(a, b)
    elif isinstance(one, float) and math.isfinite(one):
        assert other == pytest.approx(one, rel=1e-7, abs=1e-12)
    else:
        assert one == other


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.randoms(use_true_random=False), form=st.sampled_from(["csv", "csv.gz", "parquet", "duckdb"]))
def test_order_and_form_change_nothing(tmp_path: Path, order: random.Random, form: str) -> None:
    rows = shop(800)
    first = answer_of(tmp_path, written(tmp_path / "first.csv", rows))
    order.shuffle(rows)
    (tmp_path / "again.duckdb").unlink(missing_ok=True)
    same(first, answer_of(tmp_path, written(tmp_path / f"again.{form}", rows)))


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 800), min_size=1, max_size=4))
def test_parts_change_nothing(tmp_path: Path, cuts: list[int]) -> None:
    rows, folder = shop(800), tmp_path / "parts"
    first = answer_of(tmp_path, written(tmp_path / "first.csv", rows))
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    ends = [0, *sorted(cuts), len(rows)]
    for k, (begin, end) in enumerate(itertools.pairwise(ends)):
        written(folder / f"{k}.csv", rows[begin:end])
    same(first, answer_of(tmp_path, folder))
    same(first, answer_of(tmp_path, folder / "*.csv"))


def test_rows_of_one_customer_add_up(tmp_path: Path) -> None:
    rows = shop(1_500)
    first = answer_of(tmp_path, written(tmp_path / "first.csv", rows))
    split = [
        {**row, "visits": v, "spend": s, "before": row["before"]}
        for row in rows
        for v, s in ((row["visits"] - 1, 0.0), (1, row["spend"]))
    ]
    same(first, answer_of(tmp_path, written(tmp_path / "days.csv", split)))


def test_sums_of_disjoint_customers_merge(tmp_path: Path) -> None:
    rows = shop(2_000)
    metric = Measured(name="spend", kind="mean", column="spend", covariate="before")
    halves = [rows[::2], rows[1::2]]
    whole, one, other = (
        tally(
            AnalysisSpec(
                data=str(written(tmp_path / f"{k}.csv", part)),
                unit="customer",
                arm="arm",
                control="old",
                metrics=(metric,),
            )
        ).metrics["spend"]
        for k, part in enumerate([rows, *halves])
    )
    for arm in whole:
        merged = one[arm] + other[arm]  # type: ignore[operator]
        assert merged.n == whole[arm].n
        assert merged.mean == pytest.approx(whole[arm].mean, rel=1e-9)  # type: ignore[union-attr]
        assert merged.second == pytest.approx(whole[arm].second, rel=1e-9)  # type: ignore[union-attr]
        assert merged.third == pytest.approx(whole[arm].third, rel=1e-6, abs=1e-6)  # type: ignore[union-attr]


# what is missing, and who is left out


def test_who_is_left_out_is_counted(tmp_path: Path) -> None:
    rows = shop(2_000)
    for row in rows[:5]:
        row["arm"] = ""
    for row in rows[5:8]:
        row["customer"] = None
    crossed = [{**row, "arm": "old" if row["arm"] == "new" else "new"} for row in rows[8:12]]
    found = answer_of(tmp_path, written(tmp_path / "shop.csv", rows + crossed))
    assert found["left_out"] == {"without_unit": 3, "without_arm": 5, "in_several_arms": 4}
    assert sum(found["arms"].values()) == 2_000 - 12


def test_a_customer_without_a_value_counts_as_0_and_is_told(tmp_path: Path) -> None:
    rows = shop(2_000)
    zeros = [row if row["spend"] else {**row, "spend": 0.0} for row in rows]
    absent = [row if row["spend"] else {**row, "spend": None} for row in rows]
    first = answer_of(tmp_path, written(tmp_path / "zeros.csv", zeros))
    found = answer_of(tmp_path, written(tmp_path / "absent.csv", absent))
    missing = sum(row["spend"] is None for row in absent)
    assert next(row["missing"] for row in found["metrics"]) == missing
    for row in found["metrics"]:
        row["missing"] = 0
    assert any(f"spend: {missing:,} customers have no value" in warning for warning in found["warnings"])
    same(first["metrics"], found["metrics"])


def test_an_absent_covariate_is_the_mean(tmp_path: Path) -> None:
    rows = shop(2_000)
    known = [row["before"] for row in rows[100:]]
    filled = [{**row, "before": sum(known) / len(known) if k < 100 else row["before"]} for k, row in enumerate(rows)]
    absent = [{**row, "before": None if k < 100 else row["before"]} for k, row in enumerate(rows)]
    first = answer_of(tmp_path, written(tmp_path / "filled.csv", filled))
    same(first["metrics"], answer_of(tmp_path, written(tmp_path / "absent.csv", absent))["metrics"])


def test_an_arm_that_was_not_planned_is_an_alarm(tmp_path: Path) -> None:
    spec = SHOP.replace(", other: 2", "")
    found = answer_of(tmp_path, written(tmp_path / "shop.csv", shop(2_000)), spec)
    assert found["sample_ratio"] == {"p": 0.0, "alarm": True}
    assert found["warnings"] == ["other: customers in an arm that `split` does not have."]


def test_words_in_any_script_and_quotes(tmp_path: Path) -> None:
    names = {"old": "alt'es \"Bild\"", "new": "新しい", "other": "кнопка; DROP TABLE given"}
    rows = [
        {"kunde äöü": row["customer"], 'die "Spalte"': names[row["arm"]], "umsatz €": row["spend"]}
        for row in shop(2_000)
    ]
    spec = f"""
data: DATA
unit: kunde äöü
arm: 'die "Spalte"'
control: {json.dumps(names["old"])}
inference: fixed
metrics: [{{name: Umsatz, kind: mean, column: umsatz €}}]
"""
    found = answer_of(tmp_path, written(tmp_path / "läden [1]*.csv", rows), spec)
    assert set(found["arms"]) == set(names.values())


def test_columns_may_have_any_name(tmp_path: Path) -> None:
    """Names that we use ourselves among them."""
    rows = shop(2_000)
    names = {"customer": "moment", "arm": "unit", "visits": "s0", "spend": "arm", "before": "x0"}
    odd = [{names[key]: value for key, value in row.items()} for row in rows]
    spec = SHOP + "segments: [visits]\n"
    first = answer_of(tmp_path, written(tmp_path / "first.csv", rows), spec)
    for old, new in (("spend > 0", "arm > 0"), ("column: spend", "column: arm"), ("numerator: spend", "numerator: arm"),
                     ("column: visits", "column: s0"), ("denominator: visits", "denominator: s0"),
                     ("[visits]", "[s0]"), ("before", "x0"), ("arm: arm", "arm: unit"),
                     ("unit: customer", "unit: moment")):  # fmt: skip
        spec = spec.replace(old, new)
    found = answer_of(tmp_path, written(tmp_path / "odd.csv", odd), spec)
    for row in (*first["metrics"], *found["metrics"]):
        for told in row["segments"]:
            told["column"] = ""
    same(first, found)


def test_ids_keep_their_leading_zeros(tmp_path: Path) -> None:
    rows = [{**row, "customer": f"0{k % 50}" if k % 2 else f"{k % 50}"} for k, row in enumerate(shop(100))]
    for row in rows:
        row["arm"] = "old" if row["customer"].startswith("0") else "new"
    found = answer_of(tmp_path, written(tmp_path / "shop.csv", rows), SHOP.replace(", other: 2", ""))
    assert found["left_out"] == {}
    assert sum(found["arms"].values()) == 50


def test_few_customers_are_no_numbers(tmp_path: Path) -> None:
    found = answer_of(tmp_path, written(tmp_path / "shop.csv", shop(40)))
    row = next(row for row in found["metrics"] if row["name"] == "large")
    assert row["verdict"] == "not enough data"
    assert row["reason"]
    assert [row[key] for key in ("value", "difference", "interval", "p", "chance_to_win")] == [None] * 5


# outcomes in a table of their own

WINDOWS = """
data: DATA
unit: customer
arm: arm
at: shown
control: old
inference: fixed
outcomes: {data: outcomes.parquet, at: at}
within: 7d
metrics:
  - {name: orders, kind: count, where: "what = 'order'"}
  - {name: ordered, kind: proportion, where: "what = 'order'", within: 2d}
  - {name: came_back, kind: retention, after: 1d}
  - {name: spend, kind: mean, column: spend, before: 14d}
  - {name: per_order, kind: ratio, numerator: spend, denominator: orders}
"""


def test_outcomes_count_from_the_first_exposure_on(tmp_path: Path) -> None:
    rng = random.Random(3)
    day = 86_400
    exposures = [(f"c{k}", rng.choice(["old", "new"]), rng.randint(20 * day, 25 * day)) for k in range(400)]
    again = [(c, arm, at + rng.randint(0, 3 * day)) for c, arm, at in exposures if rng.random() < 0.5]
    again += [(c, "new" if arm == "old" else "old", at + 5) for c, arm, at in exposures[:7]]
    outcomes = [
        (f"c{rng.randrange(450)}", rng.randint(0, 40 * day), "order" if order else "view",
         float(rng.randint(5, 50)) * order, int(order)) for order in (rng.random() < 0.5 for _ in range(6_000))
    ]  # fmt: skip
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE e (customer VARCHAR, arm VARCHAR, t BIGINT)")
        connection.execute(f"INSERT INTO e VALUES {', '.join(map(str, exposures + again))}")
        connection.execute("CREATE TABLE o (customer VARCHAR, t BIGINT, what VARCHAR, spend DOUBLE, orders INTEGER)")
        connection.execute(f"INSERT INTO o VALUES {', '.join(map(str, outcomes))}")
        connection.execute(f"COPY (SELECT *, to_timestamp(t) AS shown FROM e) TO '{tmp_path}/exposures.parquet'")
        connection.execute(f"COPY (SELECT *, to_timestamp(t) AS at FROM o) TO '{tmp_path}/outcomes.parquet'")
    found = answer_of(tmp_path, "exposures.parquet", WINDOWS)
    assert found["left_out"] == {"in_several_arms": 7}

    def total(arm: str, value: Any) -> float:
        mine = [(c, at) for c, a, at in exposures[7:] if a == arm]
        did = [value([o for o in outcomes if o[0] == c], at) for c, at in mine]
        return float(sum(did)) / len(did)

    expected = {
        "orders": lambda did, at: sum(o[2] == "order" and at <= o[1] < at + 7 * day for o in did),
        "ordered": lambda did, at: any(o[2] == "order" and at <= o[1] < at + 2 * day for o in did),
        "came_back": lambda did, at: any(at + day <= o[1] < at + 7 * day for o in did),
    }
    rows = {row["name"]: row for row in found["metrics"]}
    for name, value in expected.items():
        assert rows[name]["control_value"] == pytest.approx(total("old", value), rel=1e-12), name
        assert rows[name]["value"] == pytest.approx(total("new", value), rel=1e-12), name
    plain = answer_of(tmp_path, "exposures.parquet", WINDOWS.replace(", before: 14d", ""))
    spend = next(row for row in plain["metrics"] if row["name"] == "spend")
    within = lambda did, at: sum(o[3] for o in did if at <= o[1] < at + 7 * day)  # noqa: E731
    assert spend["value"] == pytest.approx(total("new", within), rel=1e-12)
    assert rows["spend"]["variance_saved"] != 0
    assert spend["variance_saved"] == 0


def test_what_is_known_is_of_the_first_exposure(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT i AS customer, CASE WHEN i % 2 = 0 THEN 'old' ELSE 'new' END AS arm, k * 1000 AS shown,
                CASE WHEN k = 0 THEN NULL ELSE i % 7 END AS before, CASE WHEN k = 0 THEN 'a' ELSE 'b' END AS part
                FROM range(200) AS r(i), range(2) AS q(k)
                UNION ALL SELECT 999, 'old', NULL, 1, 'c') TO '{tmp_path}/exposures.parquet';
            COPY (SELECT i AS customer, 10 AS at, i % 7 AS spend FROM range(200) AS r(i))
                TO '{tmp_path}/outcomes.parquet'"""
        )
    spec = """
data: DATA
unit: customer
arm: arm
at: shown
control: old
segments: [part]
outcomes: {data: outcomes.parquet, at: at}
metrics: [{name: spend, kind: mean, column: spend, covariate: before}]
"""
    found = answer_of(tmp_path, "exposures.parquet", spec)
    [row] = found["metrics"]
    assert found["left_out"] == {"without_time": 1}
    assert [part["segment"] for part in row["segments"][0]["effects"]] == ["a"]
    assert row["variance_saved"] == 0  # what was known later, a perfect covariate, is not used


def test_day_tables_of_outcomes_say_the_same(tmp_path: Path) -> None:
    """Customer and day are enough for windows of whole days: raw outcomes may be summed once, day by day."""
    with duckdb.connect() as connection:
        connection.execute(
            f"""CREATE TABLE e AS SELECT i AS customer, CASE WHEN hash(i) % 2 = 0 THEN 'old' ELSE 'new' END AS arm,
                DATE '2026-01-10' + CAST(hash(i, 1) % 5 AS INTEGER) AS shown FROM range(500) AS r(i);
            CREATE TABLE o AS SELECT CAST(hash(i) % 500 AS BIGINT) AS customer, 'order' AS what, 1 AS orders,
                TIMESTAMP '2026-01-01' + to_seconds(CAST(hash(i, 2) % 2592000 AS BIGINT)) AS at,
                CAST(hash(i, 3) % 100 AS DOUBLE) AS spend FROM range(9000) AS r(i);
            COPY e TO '{tmp_path}/exposures.parquet'; COPY o TO '{tmp_path}/outcomes.parquet'"""
        )
        spec = WINDOWS.replace('kind: count, where: "what = \'order\'"', "kind: count, column: orders").replace(
            'where: "what = \'order\'", ', "column: orders > 0, "
        )
        raw = answer_of(tmp_path, "exposures.parquet", spec)
        (tmp_path / "days").mkdir()
        for (day,) in connection.execute("SELECT DISTINCT o.at::DATE FROM o").fetchall():
            connection.execute(
                f"""COPY (SELECT customer, o.at::DATE AS at, sum(spend) AS spend, sum(orders) AS orders FROM o
                WHERE o.at::DATE = '{day}' GROUP BY ALL) TO '{tmp_path}/days/{day}.parquet'"""
            )
    same(raw, answer_of(tmp_path, "exposures.parquet", spec.replace("outcomes.parquet", "days")))


def test_ids_of_unlike_number_types_are_the_same_ids(tmp_path: Path) -> None:
    duckdb.execute(f"""
        COPY (SELECT i AS c, CASE WHEN i % 2 = 0 THEN 'old' ELSE 'new' END AS arm, TIMESTAMP '2026-01-01' AS at
              FROM range(400) AS rows(i)) TO '{tmp_path / 'shown.parquet'}';
        COPY (SELECT CAST(i * 3 AS DOUBLE) AS c, TIMESTAMP '2026-01-02' AS at FROM range(100) AS rows(i))
              TO '{tmp_path / 'done.parquet'}'""")
    spec = ("data: shown.parquet\nunit: c\narm: arm\nat: at\ncontrol: old\n"
            "outcomes: {data: done.parquet, unit: c, at: at}\nmetrics: [{name: n, kind: count}]\n")  # fmt: skip
    [found] = asked(tmp_path, spec)["metrics"]
    assert (found["control_value"], found["value"]) == (0.25, 0.25)


def test_ids_that_match_nobody_are_told(tmp_path: Path) -> None:
    (tmp_path / "shown.csv").write_text("c,arm,at\n" + "".join(f"{i},{'ab'[i % 2]},2026-01-01\n" for i in range(100)))
    (tmp_path / "done.csv").write_text("c,at\n" + "".join(f"u{i},2026-01-02\n" for i in range(100)))
    spec = ("data: shown.csv\nunit: c\narm: arm\nat: at\ncontrol: a\noutcomes: {data: done.csv, unit: c, at: at}\n"
            "metrics: [{name: n, kind: proportion}]\n")  # fmt: skip
    [warning] = asked(tmp_path, spec)["warnings"]
    assert "the same ids" in warning


@pytest.mark.parametrize("kind", ["count", "mean"])
def test_an_arm_of_zeros_is_no_accident(tmp_path: Path, kind: str) -> None:
    size = 1 / 3 if kind == "mean" else 1
    rows = "".join(f"{'ab'[i % 2]},{(i % 7) * (i % 2) * size}\n" for i in range(1000))
    (tmp_path / "data.csv").write_text("arm,x\n" + rows)
    spec = f"data: data.csv\narm: arm\ncontrol: a\nmetrics: [{{name: x, kind: {kind}, column: x}}]\n"
    [found] = asked(tmp_path, spec)["metrics"]
    assert found["control_value"] == 0
    assert found["verdict"] == "better"


def test_a_plan_without_a_split_is_that_of_equal_arms(tmp_path: Path) -> None:
    rows = "".join(f"{'abc'[i % 3]},{int(i % 10 == 0)}\n" for i in range(6000))
    (tmp_path / "data.csv").write_text("arm,x\n" + rows)
    spec = "data: data.csv\narm: arm\ncontrol: a\nplanned: 6000\nmetrics: [{name: x, column: x}]\n"
    one, other = asked(tmp_path, spec), asked(tmp_path, spec + "split: {a: 1, b: 1, c: 1}\n")
    assert one["metrics"] == other["metrics"]


def test_a_segment_that_reads_like_none_is_another_one(tmp_path: Path) -> None:
    rows = "".join(f"{'ab'[i % 2]},{int(i % 10 == 0)},{('(missing)', '', 'x')[i % 3]}\n" for i in range(3000))
    (tmp_path / "data.csv").write_text("arm,x,s\n" + rows)
    spec = "data: data.csv\narm: arm\ncontrol: a\nsegments: [s]\nmetrics: [{name: x, column: x}]\n"
    [metric] = asked(tmp_path, spec)["metrics"]
    assert '"(missing)"' in json.dumps(metric, ensure_ascii=False).replace('\\"', '"')
    assert "(missing)" in json.dumps(metric)
