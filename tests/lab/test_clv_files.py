"""`opportune clv` as people use it: tables of every form, mistakes with their place, traits that the hub takes."""

from __future__ import annotations

import csv
import gzip
import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from opportune.cli import app
from opportune.errors import BadCatalog, BadInput
from opportune.lab.clv import clv, load_clv

SPEC = "data: orders.csv\ncustomer: who\nat: day\nvalue: paid\n"


def orders(file: Path, customers: int = 300, seed: int = 1) -> None:
    """Write purchases of a year: some customers buy weekly, some leave, each pays about the same every time."""
    draw = np.random.default_rng(seed)
    with file.open("w", encoding="utf-8") as lines:
        lines.write("who,day,paid\n")
        for one in range(customers):
            at, pays = int(draw.integers(0, 90)), float(draw.gamma(4, 8))
            while at < 300:
                day = np.datetime64("2025-01-01") + at
                lines.write(f"{one + 1:04},{day},{pays * draw.uniform(0.7, 1.3):.2f}\n")
                if draw.random() < 0.25:
                    break
                at += 1 + int(draw.exponential(10 + 60 * (one % 3)))


def answer(folder: Path, spec: str = SPEC) -> dict[str, Any]:
    (folder / "spec.yaml").write_text(spec, "utf-8")
    return clv(load_clv(folder / "spec.yaml"))


def test_purchases_are_counted_by_customer_and_day(tmp_path: Path) -> None:
    orders(tmp_path / "orders.csv")
    with (tmp_path / "orders.csv").open("a") as lines:
        lines.write("zoe,2025-03-01,10\nzoe,2025-03-01,15\nzoe,2025-03-08,30\nzoe,2025-03-22,50\nzoe,2025-03-23,-50\n")
        lines.write(",2025-03-01,5\nzoe,soon,5\nzoe,2026-02-01,5\n")
    found = answer(tmp_path, SPEC + "until: 2025-12-31\n")
    assert found["reason"] is None
    assert found["customers"] == 301
    assert found["left_out"] == {
        "without_a_customer_or_a_day": 2, "worth_less_than_nothing": 1, "after_the_last_day": 1
    }  # fmt: skip
    zoe = found["scores"][-1]
    assert (zoe["customer"], zoe["purchases"], zoe["last"]) == ("zoe", 2, 3)
    assert zoe["age"] == pytest.approx(305 / 7)
    assert found["scores"][0]["customer"] == "0001", "leading zeros are part of a name"
    priced = found["values"]["parameters"]
    p, q, gamma = (priced[name]["value"] for name in ("p", "q", "gamma"))
    assert zoe["value"] == pytest.approx(p * (gamma + 80) / (2 * p + q - 1))
    assert found["clv"] == pytest.approx(sum(one["clv"] for one in found["scores"]))
    assert 0 < zoe["clv"] < zoe["expected"] * zoe["value"], "later is worth less"
    half = answer(tmp_path, SPEC + "until: 2025-12-31\nmargin: 0.5\ndiscount: 0\n")["scores"][-1]
    assert half["clv"] == pytest.approx(0.5 * half["expected"] * half["value"])


def test_sums_by_customer_say_the_same(tmp_path: Path) -> None:
    orders(tmp_path / "orders.csv")
    found = answer(tmp_path)
    with (tmp_path / "sums.csv").open("w", encoding="utf-8") as lines:
        lines.write("ID,x,t_x,T\n")
        for one in found["scores"]:
            lines.write(f"{one['customer']},{one['purchases']:.0f},{one['last']!r},{one['age']!r}\n")
    same = clv(load_clv(tmp_path / "sums.csv"))
    assert same["clv"] is None
    assert same["values"] == {"reason": "there is no column of values"}
    for name, parameter in same["parameters"].items():
        assert parameter["value"] == pytest.approx(found["parameters"][name]["value"], rel=1e-5), name
    assert same["expected"] == pytest.approx(found["expected"], rel=1e-5)
    (tmp_path / "days.csv").write_text("n,l,a\n" + "".join(
        f"{one['purchases']:.0f},{one['last'] * 7!r},{one['age'] * 7!r}\n" for one in found["scores"]
    ))  # fmt: skip
    days = answer(tmp_path, "data: days.csv\npurchases: n\nlast: l\nage: a\nunit: 1d\n")
    assert days["parameters"]["alpha"]["value"] == pytest.approx(found["parameters"]["alpha"]["value"], rel=1e-5)


def test_contracts_of_a_table(tmp_path: Path) -> None:
    left = [1000, 869, 743, 653, 593, 551, 517, 491]
    rows = [f"{year},yes,{before - after},10" for year, (before, after) in enumerate(pairwise(left), 1)]
    (tmp_path / "plans.csv").write_text("\n".join(["years,gone,many,fee", *rows, "7,no,491,10", ",no,3,10"]))
    spec = "data: plans.csv\nmodel: contracts\nperiods: years\nended: gone\ncount: many\nvalue: fee\nahead: 5\n"
    found = answer(tmp_path, spec)
    assert found["parameters"]["alpha"]["value"] == pytest.approx(0.668, abs=6e-4)
    assert found["parameters"]["beta"]["value"] == pytest.approx(3.806, abs=6e-4)
    assert (found["customers"], found["ended"]) == (1000, 509)
    assert found["left_out"] == {"without_periods_or_an_end": 1}
    assert found["scores"][0]["clv"] == 0, "what ended brings nothing"
    going = found["scores"][-1]
    assert 0 < going["clv"] < 10 * going["expected"] < 50
    assert found["clv"] == pytest.approx(491 * going["clv"])


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("data: orders.csv\ncustomer: whom\nat: day\n", "2:11 there is no column `whom`; did you mean `who`?"),
        ("data: orders.csv\nat: day\n", "1:7 no column is known as the customer; name the column in a spec"),
        (SPEC.replace("value: paid", "value: day"), "4:8 the column `day` is not of numbers: it holds VARCHAR"),
        (SPEC + "periods: who\n", "5:1 `periods` is for `model: contracts`; remove it"),
        (SPEC + "horizn: 9d\n", "5:1 unknown key `horizn` in the spec; did you mean `horizon`?"),
        (SPEC + "age: 9d\n", "5:1 `age` is for customers whose `purchases` are summed up; remove it"),
        ("data: none.csv\n", "1:7 there is no file"),
        ("data: orders.csv\nmodel: contracts\nperiods: paid\n", "1:1 the spec has no `ended`; add `ended:`"),
    ],
)
def test_mistakes_are_told_where_they_are(tmp_path: Path, spec: str, told: str) -> None:
    orders(tmp_path / "orders.csv", 5)
    with pytest.raises(BadCatalog) as caught:
        answer(tmp_path, spec)
    assert any(told in f"{p.line}:{p.column} {p.what}; {p.cure}" for p in caught.value.problems), caught.value


def test_files_without_rows_or_reason(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("who,day,paid\n")
    with pytest.raises(BadCatalog, match="has no rows"):
        answer(tmp_path)
    orders(tmp_path / "orders.csv", 5)
    few = answer(tmp_path)
    assert "customers bought again, it takes 20" in few["reason"]
    assert few["scores"] == []
    with pytest.raises(BadInput, match=r"cannot be read: No such file"):
        load_clv(tmp_path / "none.yaml")


def test_what_is_written_the_hub_takes_as_traits(tmp_path: Path) -> None:
    orders(tmp_path / "orders.csv")
    (tmp_path / "spec.yaml").write_text(SPEC)
    shop, out = tmp_path / "shop", tmp_path / "traits.jsonl"
    run = CliRunner().invoke
    told = run(app, ["clv", str(tmp_path / "spec.yaml"), "--write", str(out), "--json"])
    assert told.exit_code == 0
    scores = {one["customer"]: one for one in json.loads(told.stdout)["scores"]}
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert {event["userId"] for event in events} == set(scores)
    first = events[0]
    assert (first["type"], set(first["traits"])) == ("identify", {"clv", "p_alive"})
    assert first["traits"]["clv"] == pytest.approx(scores[first["userId"]]["clv"], abs=1e-6)
    assert run(app, ["init", str(shop)]).exit_code == 0
    taken = run(app, ["import", str(out), "--dir", str(shop), "--json"])
    assert json.loads(taken.stdout)["taken"] == len(scores)
    people = run(app, ["clv", str(tmp_path / "spec.yaml")]).stdout
    assert "BG/NBD: r " in people
    assert "gamma-gamma: p " in people
    assert "more: see --json, or --write" in people


def test_cdnow(data_folder: Path, tmp_path: Path) -> None:
    file = data_folder / "cdnow_to_1997_09.csv.gz"
    if not file.exists():
        pytest.skip(f"{file.name} is not in {data_folder}")
    began = time.process_time()
    found = clv(load_clv(file))
    assert time.process_time() - began < 20
    assert found["customers"] == 23570
    assert found["log_likelihood"] == pytest.approx(-95368.44, abs=0.05)
    assert [found["parameters"][name]["value"] for name in ("r", "alpha", "a", "b")] == pytest.approx(
        [0.2516, 4.789, 0.723, 2.161], rel=2e-3
    )
    with gzip.open(file, "rt") as lines:  # the first half year foretells the next quarter
        early = [row for row in csv.DictReader(lines) if row["date"] <= "19970630"]
    assert len(early) > 10000
    with (tmp_path / "half.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, early[0])
        writer.writeheader()
        writer.writerows(early)
    (tmp_path / "spec.yaml").write_text("data: half.csv\nat: date\nvalue: dollars\nhorizon: 92d\nuntil: 1997-06-30\n")
    half = clv(load_clv(tmp_path / "spec.yaml"))
    before = {one["customer"]: one["purchases"] for one in half["scores"]}
    came = sum(one["purchases"] - before[one["customer"]] for one in found["scores"])
    assert half["expected"] == pytest.approx(came, rel=0.1)


@pytest.mark.parametrize("day", ["infinity", "-infinity", "294000-01-01", "soon"])
def test_a_day_that_no_calendar_has_is_left_out(tmp_path: Path, day: str) -> None:
    rows = [f"c{n % 30},2026-{1 + n // 30:02d}-{1 + n % 28:02d},{n}" for n in range(120)]
    answers = []
    for more in ([], [f"odd,{day},5"]):
        (tmp_path / "orders.csv").write_text("\n".join(["customer,date,value", *rows, *more]), "utf-8")
        answers.append(clv(load_clv(tmp_path / "orders.csv")))
    assert answers[1]["scores"] == answers[0]["scores"]
    assert answers[1]["left_out"] == {"without_a_customer_or_a_day": 1}
