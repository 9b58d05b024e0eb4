"""What the change of a figure between two periods comes from, value by value of a dimension. Pure.

A figure that is a ratio of sums is the mean of its parts, weighted by what stands below the line: R = sum of w r, where
w is a part's share of the weights. Its change is then, without anything left over (Kitagawa 1955, Components of a
difference between two rates, with the weights of both periods in the middle),

    R1 - R0 = sum of (w0 + w1)/2 (r1 - r0)  +  sum of (w1 - w0) ((r0 + r1)/2 - (R0 + R1)/2)

The first term is what the part itself became (`rate`), the second that there is more or less of it (`mix`). A part that
is in one period only has no change of its own: all that it brings is mix. For a figure that is no such mean, as a
median, what the parts do not account for is told as `rest`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from opportune.measure.effect import NotEnoughData

Number = float
"""Fractions do as well, and stay exact."""


@dataclass(frozen=True, slots=True)
class Part:
    """One value of a dimension in one period: what the figure is there (None: not known), and how much it weighs."""

    key: str
    value: Number | None
    weight: Number


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one value of a dimension adds to a change: by what it became, and by how much of it there is."""

    key: str
    rate: Number
    mix: Number

    @property
    def total(self) -> Number:
        """Both together."""
        return self.rate + self.mix


@dataclass(frozen=True, slots=True)
class Causes:
    """A change and what it comes from, the largest first; all `total`s and the `rest` add up to `change`."""

    dimension: str
    change: Number
    contributions: tuple[Contribution, ...]
    rest: Number


def causes(
    dimension: str, before: Iterable[Part], after: Iterable[Part], change: Number
) -> Causes | NotEnoughData:
    """Return what a `change` comes from, by the values of a dimension in the two periods.

    Floats add up to their rounding, fractions to the bit. `NotEnoughData` where nothing weighs anything in one of the
    periods.

    >>> found = causes("channel", [Part("mail", 1.0, 10.0)], [Part("mail", 2.0, 5.0), Part("app", 4.0, 5.0)], 2.0)
    >>> [(one.key, one.rate, one.mix) for one in found.contributions], found.rest
    ([('app', 0.0, 1.0), ('mail', 0.75, 0.25)], 0.0)
    """
    old, new = ({part.key: part for part in parts if _counts(part)} for parts in (before, after))
    whole_old, whole_new = (sum((part.weight for part in parts.values()), 0 * change) for parts in (old, new))
    if not whole_old or not whole_new:
        return NotEnoughData(f"nothing is known by {dimension} in one of the two periods")
    shares = {
        key: (
            old[key].weight / whole_old if key in old else 0 * change,
            new[key].weight / whole_new if key in new else 0 * change,
        )
        for key in {**old, **new}
    }
    rates = {key: _rates(old.get(key), new.get(key)) for key in shares}
    middle = sum((shares[key][0] * rates[key][0] + shares[key][1] * rates[key][1] for key in shares), 0 * change) / 2
    found = []
    for key, (w0, w1) in shares.items():
        r0, r1 = rates[key]
        found.append(Contribution(key, (w0 + w1) / 2 * (r1 - r0), (w1 - w0) * ((r0 + r1) / 2 - middle)))
    found.sort(key=lambda one: (-abs(one.total), one.key))
    return Causes(dimension, change, tuple(found), change - sum((one.total for one in found), 0 * change))


def _counts(part: Part) -> bool:
    return part.value is not None and part.weight > 0


def _rates(old: Part | None, new: Part | None) -> tuple[Number, Number]:
    """Return what a part was and became; where it was not there, what it is in the other period."""
    first, last = old or new, new or old
    assert first is not None
    assert last is not None
    assert first.value is not None
    assert last.value is not None
    return first.value, last.value
