"""An interval as all values that a test does not rule out."""

from __future__ import annotations

from collections.abc import Callable
from math import isinf

from opportune.measure.effect import Interval

_REACH = 1e-12  # how near to a root is near enough, as a share of where it was looked for
_STEPS = 200


def interval(
    statistic: Callable[[float], float],
    *,
    estimate: float,
    null: float,
    step: float,
    bounds: Interval,
    critical: float,
) -> Interval:
    """Return the values around `estimate` at which |statistic| stays at most `critical`.

    `statistic` falls from high values below the estimate to low ones above it. It is followed outwards by `step`, which
    doubles, as far as `bounds`; where it is not beyond `critical` even there, the bound is the end. `null` lies outside
    of the interval exactly if |statistic(null)| > `critical`, whatever the shape in between: it is where the search of
    its side begins.
    """
    low = end(lambda value: statistic(value) - critical, estimate, null, -step, bounds.low)
    high = end(lambda value: -statistic(value) - critical, estimate, null, step, bounds.high)
    return Interval(low, high)


def end(beyond: Callable[[float], float], inside: float, null: float, step: float, bound: float) -> float:
    """Return the end of an interval on the way from `inside` to `bound`: where `beyond` becomes positive.

    The first that is looked at is `null`, where it lies on the way; `step` is negative on the way down.
    """
    on_the_way = inside < null <= bound if step > 0 else bound <= null < inside
    near, at = inside, null if on_the_way else inside + step
    for _ in range(_STEPS):
        at = max(at, bound) if step < 0 else min(at, bound)
        if beyond(at) > 0:
            return root(beyond, near, at)
        if at == bound or isinf(at):
            return bound
        near, at, step = at, at + step, 2 * step
    return bound


def root(f: Callable[[float], float], low: float, high: float) -> float:
    """Return where f changes its sign between two points where it has different ones (the Illinois algorithm, with
    halving where it is slow). Where it has the same sign in both, return the first.

    >>> round(root(lambda x: x * x - 2, 0, 2), 12)
    1.414213562373
    """
    a, b = low, high
    fa, fb = f(a), f(b)
    if fa == 0 or fa * fb > 0:
        return a
    near = _REACH * abs(high - low)
    for turn in range(_STEPS):
        if abs(b - a) <= near or fb == 0:
            break
        middle = (a + b) / 2 if turn % 4 == 3 or isinf(fa) or isinf(fb) else b - fb * (b - a) / (fb - fa)
        fm = f(middle)
        if fm * fb < 0:
            a, fa = b, fb
        else:
            fa /= 2
        b, fb = middle, fm
    return b
