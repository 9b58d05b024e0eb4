"""What a holdout costs, and what it tells.

N customers bring values of variance v in each of H periods, correlated by c between two periods of one customer. A
share s of them is held out, and compared with all the others. The effect of the whole program per customer and period
is then known to a standard error of

    e = sqrt( v (1 + (H - 1) c) / H  x  (1 / (s N) + 1 / ((1 - s) N)) )

and the smallest effect that is found with a power is (critical + Phi^-1(power)) e. A program that is worth x per
customer and period forgoes s N H x. Comparing with all the rest, and not with a sample of the same size, makes e
smaller by a factor sqrt((1 + s / (1 - s)) / 2), 27 % at s = 5 %, and costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import msgspec

from opportune.errors import BadInput
from opportune.measure.effect import NotEnoughData, Reading
from opportune.measure.reading import Fixed

SHARES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2)


class Program(msgspec.Struct, frozen=True):
    """Customers, the variance of one's value in a period, the periods until it is looked at, and the expected `effect`
    of all that we do, per customer and period in the same money.

    `correlation` is that of a customer's values in two periods: the more of what differs between customers lasts, the
    less further periods tell. It is .5 until you measure yours.
    """

    customers: float
    variance: float
    effect: float
    periods: int = 1
    correlation: float = 0.5

    def __post_init__(self) -> None:
        if not (self.customers > 0 and self.variance > 0 and self.periods >= 1):
            raise BadInput("a program needs customers and a variance above 0, and 1 period or more")
        if not 0 <= self.correlation <= 1:
            raise BadInput(f"a correlation of {self.correlation}; it lies between 0 and 1 here")


class HoldoutCost(msgspec.Struct, frozen=True):
    """What a holdout of a share costs and tells: customers held out, standard error and smallest effect that is found
    (per customer and period), the money `forgone` over all periods, and the chance to find the expected effect.
    """

    share: float
    customers: float
    error: float
    smallest: float
    forgone: float
    power: float


def holdout_cost(program: Program, share: float, *, power: float = 0.8, reading: Reading | None = None) -> HoldoutCost:
    """Return what a holdout of a share tells and costs. `reading` is how it is read (None: once, at alpha .05).

    Raises `BadInput` for a share that is not between 0 and 1.

    >>> cost = holdout_cost(Program(customers=200_000, variance=900, effect=0.5, periods=12), 0.05)
    >>> round(cost.error, 3), round(cost.smallest, 3), round(cost.forgone), round(cost.power, 2)
    (0.227, 0.635, 60000, 0.6)
    """
    if not 0 < share < 1:
        raise BadInput(f"a holdout of {share}; a share between 0 and 1 is needed, such as 0.05")
    held = share * program.customers
    error = math.sqrt(_spread(program) * (1 / held + 1 / (program.customers - held)))
    critical = (reading or Fixed()).critical(program.customers)
    distance, normal = abs(program.effect) / error, NormalDist()
    return HoldoutCost(
        share,
        held,
        error,
        (critical + normal.inv_cdf(power)) * error,
        held * program.periods * program.effect,
        normal.cdf(distance - critical) + normal.cdf(-distance - critical),
    )


def holdout_costs(
    program: Program, shares: Sequence[float] = SHARES, *, power: float = 0.8, reading: Reading | None = None
) -> list[HoldoutCost]:
    """Return a row for each share, to choose from."""
    return [holdout_cost(program, share, power=power, reading=reading) for share in shares]


def share_for(
    program: Program, smallest: float, *, power: float = 0.8, reading: Reading | None = None
) -> float | NotEnoughData:
    """Return the smallest share whose holdout finds an effect of `smallest` (per customer and period) with a power.

    s (1 - s) N = v (1 + (H - 1) c) / H / e^2. Where not even one half tells as much, it is not enough data, with the
    customers that are missing. Raises `BadInput` for an effect that is not above 0.

    >>> round(share_for(Program(customers=200_000, variance=900, effect=0.5, periods=12), 0.635), 3)
    0.05
    """
    if not smallest > 0:
        raise BadInput(f"a smallest effect of {smallest}; it has to be above 0")
    error = smallest / ((reading or Fixed()).critical(program.customers) + NormalDist().inv_cdf(power))
    product = _spread(program) / error**2 / program.customers
    if product > 0.25:
        missing = math.ceil(program.customers * (4 * product - 1))
        return NotEnoughData(f"no share finds an effect of {smallest:g} among so few customers", missing)
    return (1 - math.sqrt(1 - 4 * product)) / 2


def _spread(program: Program) -> float:
    """Return the variance of one customer's mean over the periods."""
    return program.variance * (1 + (program.periods - 1) * program.correlation) / program.periods
