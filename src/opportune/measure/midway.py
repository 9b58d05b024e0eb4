"""In the middle of a test: how likely is it that it still finds something, what could it find, how much does it take?

Evidence is Brownian motion: with z standard errors found at a share t of the final customers, and d the standard errors
at the end that an effect is worth, the final look is normal with mean z sqrt(t) + d (1 - t) and variance 1 - t (Lan &
Wittes 1988). No figure here changes what the test finds: a plan that is extended because it looks promising keeps its
promise with a sequential reading only.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import msgspec

from opportune.errors import BadInput
from opportune.measure.effect import Effect, NotEnoughData, Reading
from opportune.measure.power import MOST, least
from opportune.measure.reading import Sequential

_NORMAL = NormalDist()


class Outlook(msgspec.Struct, frozen=True):
    """What the look at the final customers will say, as seen from now.

    `chance` is that to find something if the `effect` that was asked for is the true one, `trend` if the estimate so
    far is. `smallest` is the smallest relative effect that the final look finds with the wanted power, were it a test
    of its own, and `more` how many customers of both arms are missing until the effect is found with that power.
    """

    chance: float
    trend: float
    smallest: float
    more: int | NotEnoughData


def outlook(now: Effect, reading: Reading, final: float, effect: float, power: float = 0.8) -> Outlook | NotEnoughData:
    """Return the outlook from an effect so far to `final` customers of both arms, for a relative effect.

    Where final is not more than there are already, the chances are 0 or 1. Raises `BadInput` for an effect of 0 or a
    power that is none.
    """
    if not now.control > 0 or not now.error > 0:
        return NotEnoughData("control is not above 0, or nothing varies: a relative effect cannot be foreseen")
    units = sum(now.units)
    error = now.error / now.control
    more = missing(error, units, effect, reading, power)
    final = max(float(final), units)
    share = units / final
    critical = reading.critical(final)
    noise = error * math.sqrt(share)
    chance, trend = (
        _chance(now.difference / now.error * math.sqrt(share), worth / noise * (1 - share), 1 - share, critical)
        for worth in (effect, now.difference / now.control)
    )
    return Outlook(chance, trend, (critical + _NORMAL.inv_cdf(power)) * noise, more)


def missing(
    error: float,
    units: float,
    effect: float,
    reading: Reading,
    power: float = 0.8,
    prior: tuple[float, float] | None = None,
) -> int | NotEnoughData:
    """Return how many customers more it takes until an effect is found with a power; 0 where there are enough.

    `error` is the standard error that `units` customers gave, in the unit of the effect, and falls with the root of
    their number. With a `prior` (mean and standard deviation of the effect) what finds it is the Bayesian interval.
    A sequential test may also find it at the look of its plan, after which it asks for more for a while.
    Raises `BadInput` for an effect of 0 or a power that is none.
    """
    if effect == 0:
        raise BadInput("no number of customers finds an effect of 0; give the one that you expect, such as 0.1")
    if not 0 < power < 1:
        raise BadInput(f"a power of {power}; a chance between 0 and 1 is needed, such as 0.8")

    planned = reading.planned if isinstance(reading, Sequential) else None

    def enough(total: float) -> bool:
        looks = (total,) if planned is None or not units < planned < total else (planned, total)
        return any(
            _found(effect, error * math.sqrt(units / look), reading.critical(look), prior) >= power for look in looks
        )

    if enough(units):
        return 0
    total = least(enough, MOST)
    return NotEnoughData(f"it takes more than {MOST:g} customers") if total is None else math.ceil(total - units)


def _found(effect: float, noise: float, critical: float, prior: tuple[float, float] | None) -> float:
    """Return the chance that the interval of an effect leaves 0 out, on either side."""
    if prior is None:
        shift, bound = 0.0, critical * noise
    else:
        mean, spread = prior
        shift, bound = mean * (noise / spread) ** 2, critical * noise * math.hypot(1, noise / spread)
    return _NORMAL.cdf((effect + shift - bound) / noise) + _NORMAL.cdf((-effect - shift - bound) / noise)


def _chance(so_far: float, to_come: float, left: float, critical: float) -> float:
    """Return the chance that the final look lies beyond its critical value, on either side."""
    middle = so_far + to_come
    if left <= 0:
        return float(abs(middle) > critical)
    noise = math.sqrt(left)
    return _NORMAL.cdf((middle - critical) / noise) + _NORMAL.cdf((-middle - critical) / noise)
