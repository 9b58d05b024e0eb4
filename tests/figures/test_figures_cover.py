"""The intervals of figures cover what is true, and what flatters does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from opportune.bench.made_up_ledger import made_up_ledger
from opportune.clock import parse_instant
from opportune.figures import budget, conversion, quality, roi
from opportune.figures.compute import figure
from opportune.figures.reading import Reading, ratio_of_sums
from opportune.figures.tables import opened

RUNS = pytest.mark.parametrize("runs", [400, pytest.param(4000, marks=pytest.mark.long)])


def share(inside: list[bool]) -> float:
    return sum(inside) / len(inside)


def covers(found: Reading, truth: float) -> bool:
    assert found.interval is not None, found.reason
    low, high = found.interval
    return (low is None or low <= truth) and (high is None or truth <= high)


@RUNS
def test_return_on_marketing(runs: int) -> None:
    draw, inside, noted = np.random.default_rng(1), list[bool](), list[bool]()
    sizes = {False: 9000, True: 1000}
    truth = 9000 * (0.12 - 0.1) * 20 / (9000 * 0.3 + 800) - 1
    for _ in range(runs):
        rows = list[dict[str, Any]]()
        contacts = 0.0
        for held, n in sizes.items():
            x = (draw.random(n) < (0.1 if held else 0.12)) * draw.gamma(2, 10, n)
            c = np.zeros(n) if held else draw.poisson(3, n) * 0.1
            contacts += c.sum()
            powers = {"x": x, "c": c, "xx": x * x, "xc": x * c, "cc": c * c, "xxx": x**3, "xxc": x * x * c,
                      "xcc": x * c * c, "ccc": c**3}  # fmt: skip
            sums = {name: float(value.sum()) for name, value in powers.items()}
            rows.append({"held": held, "n": n, **sums, "reached": None, "compared": None})
        told = {"spend": 800.0, "contacts": contacts, "attributed": 9000 * 0.12 * 20, "conversions": 1080}
        found = roi.read([{**row, **told} for row in rows], None)
        inside.append(covers(found, truth))
        claimed = next(one for one in found.beside if one.name == "attributed").value
        noted.append(claimed is not None and covers(found, claimed))
    assert 0.93 <= share(inside) <= 0.975
    assert share(noted) < 0.02  # what attribution claims is not what is true


@RUNS
def test_conversion_of_cohorts_that_grow(runs: int) -> None:
    draw, inside, flattering = np.random.default_rng(2), list[bool](), list[bool]()
    truth, window, many = 0.3 * (1 - np.exp(-90 / 25)), 90.0, 500
    for _ in range(runs):
        age = 150 * draw.random(many) ** 2  # most of them are young
        took = np.where(draw.random(many) < 0.3, draw.exponential(25, many), np.inf)
        known = np.minimum(age, window)
        ended = took < known
        days = np.floor(np.where(ended, took, known))
        rows = [
            {"part": "stage", "stage": "customer", "place": 3, "referral": False, "days": d, "ended": e, "ripe": r,
             "n": 1, "window_days": window, "key": None}
            for d, e, r in zip(days.tolist(), ended.tolist(), (age >= window).tolist())
        ]  # fmt: skip
        inside.append(covers(conversion.read(rows, None), truth))
        flattering.append(abs(ended.sum() / many - truth) < 0.04)
    assert 0.93 <= share(inside) <= 0.975
    assert share(flattering) < 0.1  # customers over leads of the same time are far too few


@RUNS
def test_forecast_at_completion(runs: int) -> None:
    draw, inside = np.random.default_rng(3), list[bool]()
    for _ in range(runs):
        spent = 1.2 * 50 + draw.normal(0, 8, 30)
        weeks = [
            {"part": "week", "key": None, "week": f"{i:02}", "planned": 50.0, "spent": spent[i], "committed": 0.0}
            for i in range(10)
        ]
        plan = {"part": "plan", "total": 1500.0, "lined": 1500.0, "ahead": 1000.0}
        found = next(b for b in budget.read([*weeks, plan], None).beside if b.name == "forecast at completion")
        assert found.interval is not None
        low, high = found.interval
        inside.append(low is not None and high is not None and low <= spent.sum() <= high)
    assert 0.92 <= share(inside) <= 0.98


@RUNS
def test_shares_of_days_that_differ(runs: int) -> None:
    draw, inside = np.random.default_rng(4), list[bool]()
    for _ in range(runs):
        checked = draw.integers(100, 300, 28)
        faults = draw.binomial(checked, draw.beta(2, 18, 28))  # whole days are bad, as where a source breaks
        rows = [
            {"part": None, "key": None, "day": i, "faults": 2.0 * f, "checked": 2.0 * c, "noise": 0.0, "n": float(c)}
            for i, (f, c) in enumerate(zip(faults.tolist(), checked.tolist()))
        ]
        inside.append(covers(quality.read(rows, None), 0.9))
    assert 0.91 <= share(inside) <= 0.975


def test_a_ratio_of_two_pairs_has_no_interval() -> None:
    assert ratio_of_sums([1, 2], [2, 2], 0, 1) == (0.75, None)


def test_many_customers_give_the_same_to_the_bit(tmp_path: Path) -> None:
    made_up_ledger(tmp_path, 600_000)
    told, at = set(), parse_instant("2027-01-01T00:00:00Z")
    for _ in range(4):
        with opened(tmp_path, at) as (connection, manifest):
            told.add(msgspec.json.encode(figure(connection, manifest, "roi", at)))
    assert len(told) == 1
