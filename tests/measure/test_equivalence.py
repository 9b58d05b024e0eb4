"""Verdicts: no effect is a finding, and differs from no data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.errors import BadInput
from opportune.measure.effect import Effect, Interval, NotEnoughData, Reading
from opportune.measure.equivalence import no_effect_p, verdict
from opportune.measure.reading import Fixed, Sequential


def effect(log_ratio: float, log_error: float, reading: Reading = Fixed(), n: int = 1_000) -> Effect:  # noqa: B008
    """An effect on a control of 1, whose intervals are those of its log ratio."""
    width = reading.critical(2 * n) * log_error
    low, high = math.expm1(log_ratio - width), math.expm1(log_ratio + width)
    return Effect(
        (n, n),
        1.0,
        math.exp(log_ratio),
        math.expm1(log_ratio),
        Interval(low, high),
        math.expm1(log_ratio),
        Interval(low, high),
        reading.p(log_ratio / log_error, 2 * n),
        log_error,
        log_ratio,
        log_error,
    )


@pytest.mark.parametrize(
    ("estimate", "error", "up", "down"),
    [
        (0.2, 0.03, "better", "worse"),
        (-0.2, 0.03, "worse", "better"),
        (0.0, 0.01, "no effect", "no effect"),
        (0.02, 0.005, "no effect", "no effect"),  # surely above 0, and surely too small to matter
        (0.0, 0.1, "undecided", "undecided"),
        (0.04, 0.03, "undecided", "undecided"),
    ],
)
def test_verdicts(estimate: float, error: float, up: str, down: str) -> None:
    found = effect(estimate, error)
    assert (verdict(found, 0.05, "up"), verdict(found, 0.05, "down")) == (up, down)


def test_without_a_smallest_effect_nothing_is_none() -> None:
    assert verdict(effect(0.0, 1e-9)) == "undecided"
    assert verdict(effect(0.02, 0.005)) == "better"


def test_without_a_relative_effect_the_difference_decides() -> None:
    base = effect(0.2, 0.03)
    bare = Effect(base.units, 0, base.value, base.difference, base.interval, None, None, base.p, base.error)
    assert verdict(bare, 10.0) == "better"
    assert isinstance(no_effect_p(bare, 0.05, Fixed()), NotEnoughData)


@given(st.floats(-0.3, 0.3), st.floats(0.001, 0.2), st.floats(0.01, 0.5), st.sampled_from([None, 1_000.0, 4_000.0]))
def test_p_of_no_effect_agrees_with_the_verdict(x: float, error: float, smallest: float, planned: float | None) -> None:
    for reading in (Fixed(), Sequential(0.05, planned)):
        p = no_effect_p(effect(x, error, reading), smallest, reading)
        assert isinstance(p, float)
        if abs(p - 0.05) > 1e-6:
            assert (p < 0.05) == (verdict(effect(x, error, reading), smallest) == "no effect")


def test_an_effect_on_the_border_is_rarely_called_none() -> None:
    """At a true +5 % the one-sided test has alpha / 2; a true 0 with enough data is found to be none."""
    random = np.random.default_rng(1)
    border = [verdict(effect(math.log(1.05) + 0.01 * e, 0.01), 0.05) for e in random.standard_normal(4_000)]
    assert 0.015 < border.count("no effect") / 4_000 < 0.035
    nothing = [verdict(effect(0.01 * e, 0.01), 0.05) for e in random.standard_normal(1_000)]
    assert nothing.count("no effect") > 970


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match="smallest effect"):
        verdict(effect(0, 0.1), -0.1)
    with pytest.raises(BadInput, match="smallest effect"):
        no_effect_p(effect(0, 0.1), -0.1, Fixed())
    assert no_effect_p(effect(-3, 0.1), 1.5, Fixed()) < 1e-9  # no fall is large enough to matter
