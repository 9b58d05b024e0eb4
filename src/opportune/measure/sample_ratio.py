"""Did the arms get the customers that they should? If not, something chose who is counted, and nothing else is to be
trusted.

While a test runs the check is looked at again and again, so it is a bet that may be ended at any time: with counts x of
n customers, weights w that add up to 1, and a Dirichlet prior of concentration k around them,

    E_k = B(k w + x) / (B(k w) prod w_i^x_i),     B(a) = prod Gamma(a_i) / Gamma(sum a)

is what a bet against the weights has made of 1. A sound test makes nothing of it on average, so it ever reaches
1 / alpha with a chance of alpha at most (Ville; Lindon & Malek 2022). Small k finds gross faults within a few dozen
customers, large k small faults in large tests: the stake is spread evenly over seven, and p = 1 / E, never above 1. Of
two arms, 51 % instead of half are found after some 33,000 customers, 55 % after 1,400, 80 % after 40.

A finished file is looked at once, which tells more: Pearson's chi-square with one degree of freedom less than there are
arms with a weight. Cookie Cats (44,700 and 45,489 customers, planned half and half) has p .0086 by it. No bet with any
k could have made more than 7.3 of it (p .14), and the seven together make 2.4 (p .42): a finished file needs its own.

Both raise the alarm at p < .01: one sound test in a hundred does so, over its whole life. A stricter level (.001 and
.0005 are in use elsewhere, because they look at a fixed test again and again) would let Cookie Cats pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from opportune.errors import BadInput

ALARM = 0.01
CONCENTRATIONS = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
LEAST_EXPECTED = 5.0


class SampleRatio(msgspec.Struct, frozen=True):
    """How likely it is that sound assignment strays that far, and whether that is an alarm."""

    p: float
    alarm: bool


def sample_ratio(
    counts: Mapping[str, int], split: Mapping[str, float], *, finished: bool = False, level: float = ALARM
) -> SampleRatio:
    """Return the check of the customers per arm against the weights of `split`, which need not add up to 1.

    Counts of days or sources may be added before. A customer in an arm without a weight is an alarm by itself (p 0).
    Where the weights were changed on the way, give the counts since. `finished` says that this is the one look at all
    there will ever be; where an arm then expects fewer than 5 customers, chi-square is not to be trusted and p is the
    one of a running test. Raises `BadInput` for a negative count or weight, and where no arm has a weight.

    >>> cookie_cats = sample_ratio({"gate_30": 44_700, "gate_40": 45_489}, {"gate_30": 1, "gate_40": 1}, finished=True)
    >>> round(cookie_cats.p, 4), cookie_cats.alarm
    (0.0086, True)
    >>> sample_ratio({"a": 40, "b": 9}, {"a": 1, "b": 1}).alarm
    True
    >>> sample_ratio({"a": 400, "b": 410, "c": 1}, {"a": 1, "b": 1, "c": 0})
    SampleRatio(p=0.0, alarm=True)
    """
    _check(counts, split)
    if any(n and not split.get(arm) for arm, n in counts.items()):
        return SampleRatio(0.0, True)
    total = math.fsum(split.values())
    weights = [weight / total for weight in split.values() if weight]
    seen = [counts.get(arm, 0) for arm, weight in split.items() if weight]
    expected = [weight * sum(seen) for weight in weights]
    if len(weights) > 1 and finished and min(expected) >= LEAST_EXPECTED:
        p = _chi_square(seen, expected)
    else:
        p = math.exp(min(0.0, -log_evidence(seen, weights)))
    return SampleRatio(p, p < level)


def log_evidence(counts: list[int], weights: list[float]) -> float:
    """Return the log of what the bet has made of 1: its mean over sound tests is 1 at any number of customers.

    Weights are above 0 and add up to 1.
    """
    logs = [_log_bet(counts, weights, k) for k in CONCENTRATIONS]
    most = max(logs)
    return most + math.log(math.fsum(math.exp(value - most) for value in logs) / len(logs))


def _log_bet(counts: list[int], weights: list[float], k: float) -> float:
    arms = (math.lgamma(k * w + x) - math.lgamma(k * w) - x * math.log(w) for x, w in zip(counts, weights, strict=True))
    return math.lgamma(k) - math.lgamma(k + sum(counts)) + math.fsum(arms)


def _chi_square(seen: list[int], expected: list[float]) -> float:
    from scipy.special import chdtrc

    statistic = math.fsum((x - e) ** 2 / e for x, e in zip(seen, expected, strict=True))
    return float(chdtrc(len(seen) - 1, statistic))


def _check(counts: Mapping[str, int], split: Mapping[str, float]) -> None:
    for what, numbers in (("customers", counts), ("weight", split)):
        for arm, number in numbers.items():
            if not 0 <= number < math.inf:
                raise BadInput(f"arm {arm!r}: {what} {number}; a number of 0 or more is needed")
    if not any(split.values()):
        raise BadInput("no arm has a weight; a split gives one to each arm, such as {old: 0.5, new: 0.5}")
