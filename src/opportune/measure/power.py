"""How many customers a test takes, what it could find, and how long that lasts: before it starts.

An arm that changes a value m by a share r is found with the chance

    Phi((d - c e0) / e) + Phi((-d - c e0) / e),     d = |r| m

where c is what its reading asks for in standard errors (Bonferroni's alpha / comparisons where arms are several: the
first step of Holm), e is the standard error of the difference, and e0 what the test takes it for: a proportion's pools
the two rates, as the score test does; of a mean or a ratio, whose variance is estimated, c grows so much that each arm
takes c^2 / 4 customers more (Guenther 1981).

A sequential reading is planned for exactly the customers in question, and the chance is that of the look at its end:
looks before add to it, 3 points where it is 82 %. (GrowthBook's calculator multiplies the standard error by c / 1.96
instead, as if the noise grew too: it promises 20.6 % where its own boundary finds 7.2 %.)

`of: "relative"` is for the delta interval of the relative lift, e = m sqrt(u / (k m^2) + v (1 + r)^2 / (n m^2)) with n
and k customers in control and arm, of variances v and u: less powerful for a rise, since its error grows with the lift.
Our own tests are of the difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Literal

import msgspec

from opportune.errors import BadInput
from opportune.measure.effect import NotEnoughData, Reading
from opportune.measure.reading import Fixed, Sequential

MOST = 1e12

_NORMAL = NormalDist()


class Design(msgspec.Struct, frozen=True):
    """What is compared, and how it will be read.

    `value` is control's, `variance` that of one customer's value: of a ratio, of (numerator - value x denominator) /
    mean denominator. A proportion needs none, and a count without one is Poisson's. A proportion's variance changes
    with the rate, a count's in proportion, the others' stay. `shares` are those of the arms, control first.

    `inference` is "sequential" (planned for the customers in question), "fixed", or "open" (sequential, no plan).
    `comparisons` share alpha; None: one for each arm beside control.
    """

    kind: Literal["proportion", "mean", "ratio", "count"]
    value: float
    variance: float | None = None
    shares: tuple[float, ...] = (0.5, 0.5)
    alpha: float = 0.05
    inference: Literal["sequential", "fixed", "open"] = "sequential"
    comparisons: int | None = None
    of: Literal["difference", "relative"] = "difference"

    def __post_init__(self) -> None:
        if self.kind == "proportion" and not 0 < self.value < 1:
            raise BadInput(f"a proportion of {self.value} in control; it lies between 0 and 1, such as 0.04")
        if not self.value > 0:
            raise BadInput(f"{self.value} in control; effects are relative, so it has to be above 0")
        if self.kind in ("mean", "ratio") and self.variance is None:
            raise BadInput(f"a {self.kind} needs the variance of one customer's value")
        if self.variance is not None and not self.variance > 0:
            raise BadInput(f"a variance of {self.variance}; it has to be above 0")
        if len(self.shares) < 2 or min(self.shares) <= 0:
            raise BadInput(f"shares {list(self.shares)}; two arms at least need one above 0 each, such as [0.5, 0.5]")
        if self.comparisons is not None and self.comparisons < 1:
            raise BadInput(f"{self.comparisons} comparisons; 1 or more are needed")

    def reading(self, units: float) -> Reading:
        """Return how a comparison will be read that is planned for so many customers of both its arms."""
        alpha = self.alpha / (self.comparisons or len(self.shares) - 1)
        if self.inference == "fixed":
            return Fixed(alpha)
        return Sequential(alpha, units if self.inference == "sequential" else None)


def power(design: Design, effect: float, customers: float) -> float:
    """Return the chance to find a relative effect with so many customers in all arms, in the smallest arm of them.

    >>> round(power(Design("mean", 10, 100, inference="fixed"), 0.03, 39_906), 4)
    0.85
    """
    control, arm = _split(design, customers)
    distance, bound, noise = abs(effect) * design.value, *_errors(design, effect, control, arm)
    return _NORMAL.cdf((distance - bound) / noise) + _NORMAL.cdf((-distance - bound) / noise)


def error(design: Design, effect: float, control: float, arm: float) -> float:
    """Return the standard error of the difference, in the metric's unit, if the effect is true.

    For `of: "relative"` it is that of the relative lift times control's value. Raises `BadInput` for an effect that
    cannot be.
    """
    changed = design.value * (1 + effect)
    before, after = variance(design, design.value), variance(design, changed)
    if design.of == "relative":
        before *= (1 + effect) ** 2
    return math.sqrt(before / control + after / arm)


def variance(design: Design, value: float) -> float:
    """Return the variance of one customer's value in an arm with that value. Raises `BadInput` where none can be."""
    if value < 0 or (design.kind == "proportion" and value > 1):
        raise BadInput(f"an arm of {value:g} cannot be; a smaller effect is needed")
    if design.kind == "proportion":
        return value * (1 - value)
    known = design.value if design.variance is None else design.variance
    return known * value / design.value if design.kind == "count" else known


def smallest(
    design: Design, customers: float, chance: float = 0.8, direction: Literal["up", "down"] = "up"
) -> float | NotEnoughData:
    """Return the smallest relative effect that is found with a chance; below 0 for `direction: "down"`.

    >>> round(smallest(Design("mean", 10, 3910, (1, 1, 1), inference="fixed", comparisons=1, of="relative"), 4e5), 5)
    0.07027
    """
    sign = 1 if direction == "up" else -1
    most = 1.0 if direction == "down" else (1 / design.value - 1 if design.kind == "proportion" else 1e6)
    found = least(lambda size: power(design, sign * size, customers) >= _chance(chance), most * (1 - 1e-12))
    return NotEnoughData(f"no effect is large enough for {customers:g} customers") if found is None else sign * found


def needed(design: Design, effect: float, chance: float = 0.8) -> int | NotEnoughData:
    """Return how many customers all arms together need, each arm rounded up. Raises `BadInput` for no effect.

    >>> needed(Design("mean", 10, 100, inference="fixed"), 0.03, 0.85)
    39906
    >>> needed(Design("proportion", 0.04), 0.1)
    101122
    """
    if effect == 0:
        raise BadInput("no number of customers finds an effect of 0; give the one that you expect, such as 0.1")
    found = least(lambda customers: power(design, effect, customers) >= _chance(chance), MOST)
    if found is None:
        return NotEnoughData(f"an effect of {effect:g} takes more than {MOST:g} customers")
    total = math.fsum(design.shares)
    return sum(math.ceil(found * share / total) for share in design.shares)


def days(
    design: Design,
    effect: float,
    per_day: float,
    chance: float = 0.8,
    population: float | None = None,
    wait: float = 0.0,
) -> int | NotEnoughData:
    """Return how many days it takes until enough customers came, and the last of them had the metric's `wait` of days.

    `per_day` customers come each day. Where they come from a `population` and some came before, d days bring
    population (1 - (1 - per_day / population)^d) different ones; a population that is too small is not enough data.
    Raises `BadInput` where nobody comes.

    >>> days(Design("proportion", 0.04), 0.1, per_day=10_000, population=200_000, wait=7)
    21
    """
    if not per_day > 0:
        raise BadInput(f"{per_day} customers a day; more than 0 have to come")
    customers = needed(design, effect, chance)
    if isinstance(customers, NotEnoughData):
        return customers
    if population is None:
        return math.ceil(customers / per_day + wait)
    if customers > population or (customers == population and per_day < population):
        return NotEnoughData(
            f"{customers} customers are needed, and {population:g} come at all", math.ceil(customers - population)
        )
    left = 1 - min(1.0, per_day / population)
    coming = 1.0 if left == 0 else math.log1p(-customers / population) / math.log(left)
    return math.ceil(coming + wait)


def least(enough: Callable[[float], bool], most: float) -> float | None:
    """Return the smallest number above 0 that is enough, to 12 digits; None where not even the most is.

    What is enough stays enough for larger numbers.
    """
    if not enough(most):
        return None
    low = most
    while low > 1e-12 and enough(low / 2):
        low /= 2
    low, high = low / 2, low
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _errors(design: Design, effect: float, control: float, arm: float) -> tuple[float, float]:
    """Return the difference that is just found, and the standard error of the true one."""
    noise = error(design, effect, control, arm)
    critical = design.reading(control + arm).critical(control + arm)
    if design.of == "relative" or design.kind == "count":
        return critical * noise, noise
    if design.kind == "proportion":
        pooled = design.value * (1 + effect * arm / (control + arm))
        return critical * math.sqrt(pooled * (1 - pooled) * (1 / control + 1 / arm)), noise
    noise *= math.sqrt(1 + critical * critical / (2 * max(control + arm - 2, 1)))
    return critical * noise, noise


def _split(design: Design, customers: float) -> tuple[float, float]:
    """Return the customers of control and of the smallest other arm."""
    if not customers > 0:
        raise BadInput(f"{customers} customers; more than 0 are needed")
    each = customers / math.fsum(design.shares)
    return each * design.shares[0], each * min(design.shares[1:])


def _chance(chance: float) -> float:
    if not 0 < chance < 1:
        raise BadInput(f"a power of {chance}; a chance between 0 and 1 is needed, such as 0.8")
    return chance
