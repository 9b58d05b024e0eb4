"""What was tried before that is like this: shown before a launch, failed tests too.

Two hypotheses are as like as the words they share, by where they stand: tags count most, then the metric and the
audience, then claim, mechanism and name. A word that many past hypotheses have counts less (its weight is the logarithm
of how rare it is). No model, no chance: the same words give the same answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import expm1, log1p
from re import findall

import msgspec

from opportune.catalog.lab_types import Hypothesis
from opportune.lab.standing import shown
from opportune.measure.effect import Interval, NotEnoughData
from opportune.measure.pooling import Estimate, as_shares, pool

LEAST_LIKE = 0.15
"""Hypotheses less alike than that are not shown."""

Z = 1.959963984540054

_TAGS, _SCOPE, _WORDS = 3.0, 2.0, 1.0

_COMMON = frozenset(
    findall(
        r"\w+",
        """the and that with for from than more less will would because are this these their they them who what when
        where which into not but our your you all any can did have customer bring make""",
    )
)


class Past(msgspec.Struct, frozen=True):
    """A hypothesis that was tested, and the estimates of its flows in order of time."""

    hypothesis: Hypothesis
    estimates: tuple[Estimate, ...]


class Near(msgspec.Struct, frozen=True):
    """A past hypothesis like the new one: how alike (0 to 1), the words they share, and what its tests came to.

    `interval` is that of the mean effect as a share; `rules_out` says whether, on the same metric, it leaves no room
    for the effect that the new one expects.
    """

    name: str
    alike: float
    shared: tuple[str, ...]
    times: int
    sentence: str
    effect: float | None = None
    interval: Interval | None = None
    rules_out: bool = False


def nearest(hypothesis: Hypothesis, past: Sequence[Past], limit: int = 3) -> list[Near]:
    """Return the past hypotheses most like this one, the most alike first, then by name; itself is left out.

    >>> old = Hypothesis("late", "A second reminder brings more orders", "", "orders", .05, .02, tags=("reminder",))
    >>> new = Hypothesis("early", "An early reminder brings orders", "", "orders", .05, .02, tags=("reminder",))
    >>> [found] = nearest(new, [Past(old, tuple(Estimate(x, .01) for x in (-.02, -.01, 0.)))])
    >>> print(found.sentence)
    late: tried 3 times, pooled -1.0 % [-3.4, +1.5], enough to rule out +5 %
    """
    words = _words(hypothesis)
    others = {one.hypothesis.name: _words(one.hypothesis) for one in past if one.hypothesis.name != hypothesis.name}
    rarity = _rarity([words, *others.values()])
    found = []
    for one in past:
        theirs = others.get(one.hypothesis.name)
        if theirs is None:
            continue
        alike = _alike(words, theirs, rarity)
        if alike >= LEAST_LIKE:
            found.append(_near(hypothesis, one, alike, tuple(sorted(words.keys() & theirs.keys()))))
    return sorted(found, key=lambda near: (-near.alike, near.name))[:limit]


def _near(hypothesis: Hypothesis, one: Past, alike: float, shared: tuple[str, ...]) -> Near:
    name, times = one.hypothesis.name, len(one.estimates)
    if not times:
        return Near(name, alike, shared, 0, f"{name}: thought of before, never tested")
    pooled = pool(one.estimates)
    if isinstance(pooled, NotEnoughData):
        [only] = one.estimates
        mean, interval = only.log_ratio, Interval(*(only.log_ratio + side * Z * only.error for side in (-1, 1)))
        told = f"{name}: tried once, {shown(expm1(mean), as_shares(interval))}"
    else:
        mean, interval = pooled.log_ratio, pooled.interval
        told = f"{name}: tried {times} times, pooled {shown(pooled.relative, pooled.relative_interval)}"
    if one.hypothesis.metric != hypothesis.metric:
        told, out = f"{told}, of {one.hypothesis.metric}", False
    else:
        power, out = _power(hypothesis.expected, interval, times)
        told += power
    return Near(name, alike, shared, times, told, expm1(mean), as_shares(interval), out)


def _power(expected: float, interval: Interval, times: int) -> tuple[str, bool]:
    """Return what the tests were enough for, in words, and whether they rule out the effect that is expected."""
    aim, ruled = log1p(expected), f"{100 * expected:+.3g} %"
    if interval.high < aim if expected > 0 else interval.low > aim:
        return f", enough to rule out {ruled}", True
    if not expected or 0.0 not in interval:
        return "", False
    # the interval narrows with the root of the number of tests, and must come down to what is expected
    more = max(round(times * (((interval.high - interval.low) / 2 / aim) ** 2 - 1)), 1)
    return f", not enough to rule out {ruled}: that takes about {more} more of that size", False


def _alike(ours: Mapping[str, float], theirs: Mapping[str, float], rarity: Mapping[str, float]) -> float:
    """Return the share of weight in common: sum of the smaller over sum of the larger (Ruzicka), each times rarity."""
    every = ours.keys() | theirs.keys()
    both = sum(min(ours.get(word, 0.0), theirs.get(word, 0.0)) * rarity[word] for word in every)
    either = sum(max(ours.get(word, 0.0), theirs.get(word, 0.0)) * rarity[word] for word in every)
    return both / either if either else 0.0


def _rarity(texts: Sequence[Iterable[str]]) -> dict[str, float]:
    counts = Counter(word for text in texts for word in text)
    return {word: log1p(len(texts) / count) for word, count in counts.items()}


def _words(hypothesis: Hypothesis) -> dict[str, float]:
    """Return each word that says what a hypothesis is about, with the weight of the weightiest place that has it."""
    audience = hypothesis.audience.text if hypothesis.audience else ""
    places = (
        (_TAGS, " ".join(hypothesis.tags)),
        (_SCOPE, f"{hypothesis.metric} {audience}"),
        (_WORDS, f"{hypothesis.name} {hypothesis.claim} {hypothesis.because}"),
    )
    weights: dict[str, float] = {}
    for weight, text in places:
        for word in map(_stem, findall(r"[^\W\d_]{3,}", text.lower())):
            if word not in _COMMON:
                weights.setdefault(word, weight)
    return weights


def _stem(word: str) -> str:
    """Return the word without a plural's s, so that `orders` is `order`."""
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
