"""When to reach a customer: within the hours of a run, at the hour of their own day in which they usually answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from opportune.catalog.types import Quiet
from opportune.clock import MINUTE
from opportune.profiles.quiet import local_minutes, quiet_until
from opportune.profiles.terms import Terms

Window = tuple[int, int]
"""Two times of the day, in minutes since midnight; the first may be the later one."""

SHRINK = 10.0
"""Answers and events of a customer that weigh as much as what everybody does."""

ANSWER = 3
"""How many events an answer to us weighs."""

DAY_LONG: Window = (0, 24 * 60)


def opening(window: Window | None, at: int, terms: Terms) -> int:
    """Return the first instant from `at` on that lies in a window of the customer's local day.

    A customer who may live in several zones is reached when it is right in all of them; where there is no such time,
    when it is in the first.

    >>> opening((9 * 60, 18 * 60), 0, Terms(("Europe/Berlin",))) == 8 * 60 * MINUTE
    True
    """
    if window is None or window == DAY_LONG:
        return at
    start, end = window
    closed = Quiet("", "all", end % (24 * 60), start)
    found = quiet_until(closed, at, terms)
    return found if found is not None else quiet_until(closed, at, Terms(terms.zones[:1])) or at


def hours(events: Iterable[int], answers: Iterable[int], zone: str) -> Counter[int]:
    """Return how much a customer was about in each hour of the local day, by the instants of what they did."""
    found = Counter(local_minutes(at, zone) // 60 for at in events)
    for at in answers:
        found[local_minutes(at, zone) // 60] += ANSWER
    return found


def best_hour(mine: Mapping[int, float], everybody: Mapping[int, float], window: Window | None = None) -> int:
    """Return the hour of the local day in which a customer most likely answers, among those that a window touches.

    The share of each hour is that of the customer, drawn to that of everybody as if those were `SHRINK` events more:
    (n_h + SHRINK b_h) / (n + SHRINK), the mean of a Dirichlet posterior (Gelman et al., Bayesian Data Analysis, 3.4).
    An hour lends a quarter of its events to each of its neighbours, because habits have no edges. Of equals the first.

    >>> best_hour({20: 30}, {9: 1000}), best_hour({20: 1}, {9: 1000}), best_hour({20: 30}, {9: 1000}, (540, 1080))
    (20, 9, 9)
    """
    n, all_of_them = _smooth(mine), _smooth(everybody)
    total = sum(all_of_them) + 24  # one event an hour of somebody else: nothing is impossible
    share = [n[h] + SHRINK * (all_of_them[h] + 1) / total for h in range(24)]
    return max((h for h in range(24) if within(h, window)), key=lambda h: (share[h], -h))


def send_time(
    window: Window | None, best_time: bool, at: int, terms: Terms, habits: Callable[[str], int], spread: float
) -> int:
    """Return when to reach a customer, from an instant on.

    That is the next instant of the window or, for the `best_time`, the next time that the hour `habits(zone)` comes,
    as far into its first three quarters as `spread`, in [0, 1), says: not everybody at its first second.
    """
    if not best_time:
        return opening(window, at, terms)
    part = within(habits(terms.zones[0]), window) or DAY_LONG
    found = opening(part, at, terms)
    if found > at:
        found += int(spread * 0.75 * (part[1] - part[0])) * MINUTE
    return opening(window, found, terms)


def within(hour: int, window: Window | None) -> Window | None:
    """Return the part of an hour of the day that lies in a window; None if none of it does.

    >>> within(9, (570, 1080)), within(8, (570, 1080)), within(1, (1200, 90))
    ((570, 600), None, (60, 90))
    """
    start, end = window or DAY_LONG
    minutes = range(hour * 60, hour * 60 + 60)
    found = [m for m in minutes if (start <= m < end if start < end else m >= start or m < end)]
    return (found[0], found[-1] + 1) if found else None


def _smooth(counts: Mapping[int, float]) -> Sequence[float]:
    def count(hour: int) -> float:
        return counts.get(hour % 24, 0)

    return [count(h - 1) / 4 + count(h) / 2 + count(h + 1) / 4 for h in range(24)]


