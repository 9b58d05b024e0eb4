"""What an effect means: better, worse, no effect, or not known yet. "No effect" is a finding and takes data."""

from __future__ import annotations

import math
from typing import Literal

from opportune.errors import BadInput
from opportune.measure.effect import Effect, NotEnoughData, Reading

Verdict = Literal["better", "worse", "no effect", "undecided"]


def verdict(effect: Effect, smallest: float = 0.0, good: Literal["up", "down"] = "up") -> Verdict:
    """Return what the interval of an effect says, where relative effects below `smallest` do not matter.

    "no effect": the whole relative interval lies within -smallest and +smallest, even where it leaves 0 out: an effect
    that is surely too small to matter is none. "better" and "worse": 0 lies outside, on the side that is `good` or on
    the other. "undecided": the data allow both. One interval gives all answers, so one alpha pays for them: "no effect"
    is the two one-sided tests of Schuirmann (1987) at alpha / 2 each, stricter than the customary alpha. Where it is
    read sequentially, each answer may be taken at any look. `smallest` 0 never gives "no effect".

    Raises `BadInput` for a `smallest` below 0.
    """
    _check(smallest)
    if effect.relative_interval is not None:
        low, high = effect.relative_interval
        if -smallest < low and high < smallest:
            return "no effect"
    if effect.interval.low <= 0 <= effect.interval.high:
        return "undecided"
    return "better" if (effect.interval.low > 0) == (good == "up") else "worse"


def no_effect_p(effect: Effect, smallest: float, reading: Reading) -> float | NotEnoughData:
    """Return the p of "no effect": how well the data rule out both a rise and a fall by `smallest` (relative).

    The larger p of the distances of the log ratio to log(1 - smallest) and log(1 + smallest), in its standard errors;
    1 where it lies beyond one of them. Below alpha its interval lies within the two. Raises `BadInput` for a
    `smallest` below 0.
    """
    _check(smallest)
    if effect.log_ratio is None or not effect.log_error:
        return NotEnoughData("the ratio of the arms is not known: control is not clearly above 0")
    below = effect.log_ratio - (math.log1p(-smallest) if smallest < 1 else -math.inf)
    above = math.log1p(smallest) - effect.log_ratio
    nearest = min(below, above)
    return 1.0 if nearest <= 0 else reading.p(nearest / effect.log_error, sum(effect.units))


def _check(smallest: float) -> None:
    if not smallest >= 0:
        raise BadInput(f"the smallest effect that matters is {smallest}; give 0 or more, such as 0.05 for 5 %")
