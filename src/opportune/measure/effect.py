"""What a comparison of two arms gives, whatever is compared and however it is read."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec


class NotEnoughData(msgspec.Struct, frozen=True):
    """Why there is no number. `more` is how many more customers it takes, where that is known."""

    reason: str
    more: int | None = None


class Interval(NamedTuple):
    """Where a figure lies, both ends included; infinite where a side has no bound."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


class Reading(Protocol):
    """How evidence is read: once at the end, or again and again."""

    @property
    def alpha(self) -> float:
        """The chance, at most, to see an effect where there is none: both sides together."""

    def critical(self, units: float) -> float:
        """Return how many standard errors an estimate from that many units must lie from a value to rule it out."""

    def p(self, z: float, units: float) -> float:
        """Return the smallest `alpha` at which an estimate so many standard errors away rules the value out."""


class Effect(msgspec.Struct, frozen=True):
    """What an arm does to a metric, against control.

    `difference` is arm minus control in the metric's unit, `relative` that over control (.15 is 15 % more; None where
    control is not clearly above 0). `interval`, `relative_interval` and `p` are of one test: 0 lies outside of both
    intervals exactly where `p` < alpha. `error` is the standard error of the difference; `log_ratio` and `log_error`
    are the estimate that is pooled over flows (None where a ratio makes no sense). `variance_saved` is the share of the
    variance that the covariate took away: 0 without one, and never rounded up.
    """

    units: tuple[int, int]
    control: float
    value: float
    difference: float
    interval: Interval
    relative: float | None
    relative_interval: Interval | None
    p: float
    error: float
    log_ratio: float | None = None
    log_error: float | None = None
    variance_saved: float = 0.0
