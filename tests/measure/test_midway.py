"""The outlook in the middle of a test, against published figures and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from opportune.errors import BadInput
from opportune.measure.effect import Effect, Interval, NotEnoughData, Reading
from opportune.measure.midway import missing, outlook
from opportune.measure.power import Design, needed
from opportune.measure.reading import Fixed, Sequential


def so_far(difference: float, error: float, n: int, control: float = 1.0) -> Effect:
    nowhere = Interval(-math.inf, math.inf)
    return Effect((n, n), control, control + difference, difference, nowhere, None, None, 1.0, error)


@pytest.mark.parametrize(
    ("reading", "prior", "factor"),
    [
        (Fixed(), None, 25.45703125),
        (Sequential(), None, 55.66796875),
        (Fixed(), (0.05, math.sqrt(0.001)), 13.9404296875),
    ],
)
def test_missing_customers_as_growthbook_has_them(
    reading: Reading, prior: tuple[float, float] | None, factor: float
) -> None:
    """500 and 500 customers with means 1 and 1.05 and the same variance; the target is a relative lift of 5 %."""
    variance = (1500 - 500) / 499
    error = math.sqrt(variance / 500 + 1.05**2 * variance / 500)
    assert missing(error, 1_000, 0.05, reading, 0.8, prior) / 1_000 == pytest.approx(factor, abs=0.0025)


def test_missing_agrees_with_what_was_planned() -> None:
    design = Design("proportion", 0.04)
    total = needed(design, 0.1)
    reading = design.reading(total)
    error = math.sqrt((0.04 * 0.96 + 0.044 * 0.956) / 5_000) / 0.04
    assert missing(error, 10_000, 0.1, reading) == pytest.approx(total - 10_000, rel=0.005)
    assert missing(error * math.sqrt(10_000 / total), total, 0.1, reading, 0.79) == 0


def test_a_plan_that_was_too_small_takes_more_than_a_plan_that_fits() -> None:
    small = missing(0.1, 10_000, 0.1, Sequential(0.05, 20_000))
    fitting = missing(0.1, 10_000, 0.1, Sequential(0.05, 10_000 + small))
    assert isinstance(small, int)
    assert isinstance(fitting, int)
    assert fitting < small


@pytest.mark.parametrize("reading", [Fixed(), Sequential(0.05, 8_000), Sequential(0.05)])
@pytest.mark.parametrize(("z", "effect"), [(1.0, 0.05), (-0.5, 0.1), (2.5, -0.08)])
def test_chances_are_those_of_the_rest(reading: Reading, z: float, effect: float) -> None:
    error = 0.04
    found = outlook(so_far(z * error, error, 1_000), reading, 8_000, effect)
    assert not isinstance(found, NotEnoughData)
    random = np.random.default_rng(7)
    for truth, chance in ((effect, found.chance), (z * error, found.trend)):
        rest = truth + random.standard_normal(200_000) * error * math.sqrt(2_000 / 6_000)
        final = (2_000 * z * error + 6_000 * rest) / 8_000
        crossed = np.abs(final) > reading.critical(8_000) * error * math.sqrt(2_000 / 8_000)
        assert chance == pytest.approx(crossed.mean(), abs=0.004)


def test_smallest_effect_is_found_with_the_power() -> None:
    reading = Sequential(0.05, 8_000)
    found = outlook(so_far(0.0, 0.04, 1_000), reading, 8_000, 0.05, 0.8)
    assert not isinstance(found, NotEnoughData)
    assert missing(0.04, 2_000, found.smallest * 1.0001, reading, 0.8) == pytest.approx(6_000, abs=3)


def test_at_the_end_the_chance_is_what_happened() -> None:
    for z, chance in ((3.0, 1.0), (1.0, 0.0)):
        found = outlook(so_far(z * 0.04, 0.04, 4_000), Sequential(0.05, 8_000), 8_000, 0.05)
        assert not isinstance(found, NotEnoughData)
        assert (found.chance, found.trend) == (chance, chance)


def test_what_cannot_be_known_or_asked() -> None:
    assert isinstance(outlook(so_far(0, 0.1, 100, control=0), Fixed(), 1_000, 0.1), NotEnoughData)
    assert isinstance(outlook(so_far(0, 0.0, 100), Fixed(), 1_000, 0.1), NotEnoughData)
    assert isinstance(missing(1.0, 100, 1e-9, Fixed()), NotEnoughData)
    with pytest.raises(BadInput, match="effect of 0"):
        missing(1.0, 100, 0, Fixed())
    with pytest.raises(BadInput, match="power of 2"):
        missing(1.0, 100, 0.1, Fixed(), 2)
