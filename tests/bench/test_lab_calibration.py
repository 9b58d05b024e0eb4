"""Tails and coverage of every design of the table, in a short form; the long one has 10,000 tests of each."""

from __future__ import annotations

from math import sqrt

import pytest

from opportune.bench.lab_calibration import DESIGNS, Design, row

SHORT, LONG = 800, 10_000
BRIEF = [design for design in DESIGNS if design.name.startswith(("converted", "orders per", "clicks", "spend, 1%"))]


@pytest.mark.parametrize("design", BRIEF, ids=lambda design: design.name)
def test_tails_and_coverage_in_short(design: Design) -> None:
    holds(design, SHORT)


@pytest.mark.long
@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.name)
def test_tails_and_coverage(design: Design) -> None:
    holds(design, LONG)


def holds(design: Design, many: int) -> None:
    """Tails of 1.5 to 3.5 %, coverage of 94 to 96 %; in the short form give or take three standard errors."""
    found = row(design, many, seed=20)
    tail, side = (3 * sqrt(share * (1 - share) / many) if many == SHORT else 0.0 for share in (0.025, 0.05))
    assert max(found.worse, found.better) <= 0.035 + tail
    if found.answered > 0.99:
        assert min(found.worse, found.better) >= 0.015 - tail
    if found.answered_with_effect > 0.99:
        assert 0.94 - side <= found.covered <= 0.96 + side
        assert 0.94 - side <= found.relative_covered <= 0.965 + side


def test_money_in_a_small_holdout_has_no_answer() -> None:
    design = next(d for d in DESIGNS if d.name == "spend, 1% buy x lognormal(1.5), 1,000/19,000")
    assert row(design, 300).answered < 0.02
