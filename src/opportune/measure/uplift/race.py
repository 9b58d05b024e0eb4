"""The race: which order of customers, if any, finds those who gain most from a contact.

Every score is of a model that has not seen the customer: customers are parted into folds, at random and anew in each
of a few repeats, and each fold is scored by models of the others. Areas and intervals are averages over the repeats.

What is claimed needs three things: `differences` sees that customers differ, the area of the model lies surely above
that of a random order, and no simpler model ties with it. Where differences are not established, errors are sqrt(2)
larger (see `differences`), which keeps each interval honest.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, sqrt
from typing import Any, Literal

import msgspec
import numpy as np

from opportune.errors import BadInput
from opportune.measure.compare import compare
from opportune.measure.effect import Effect, Interval, NotEnoughData
from opportune.measure.reading import Fixed
from opportune.measure.sums import Sums
from opportune.measure.uplift.differences import Differences, balance, differences
from opportune.measure.uplift.learners import LEARNERS, Known, expected, response
from opportune.measure.uplift.qini import Area, Z, average, gains, qini_of_folds
from opportune.measure.uplift.rules import best_rule
from opportune.measure.uplift.sample import BoolArray, FloatArray, IntArray, Sample, mid_ranks

RULE, RESPONSE, RANDOM = "rule", "response", "random"
SIMPLEST = (RULE, RESPONSE, *LEARNERS)
"""Models from the simplest on: the first that ties with the best is chosen."""

RIVALS = 2.4977 / 1.9600
"""How much wider a lead over a simpler model must be than its 95 % interval: it is the best of four (Bonferroni)."""

LEAST_CUSTOMERS = 100
LEAST_RESPONSES = 10
ALPHA = 0.05
UNEVEN = 0.01
"""Below this p the arms were not alike before the contact."""

PARTS = 5
"""Parts in which the effect along a chosen order is shown; a rule has two."""

Send = Literal["all", "none", "by model", "not known"]


class Ranked(msgspec.Struct, frozen=True):
    """A model of the race: its Qini coefficient, in outcomes per 100 customers, with a 95 % interval.

    `behind` is the best uplift learner's coefficient minus this one, `ahead` is this one minus the response model's,
    each with its interval. `finds` says that the area is surely above that of a random order.
    """

    name: str
    qini: float
    interval: Interval
    behind: float
    behind_interval: Interval
    ahead: float
    ahead_interval: Interval
    finds: bool


class Part(msgspec.Struct, frozen=True):
    """Customers by the chosen order, from the first: their share, and the effect of a contact on them, 95 %."""

    name: str
    share: float
    effect: float
    interval: Interval


class Race(msgspec.Struct, frozen=True):
    """What the race says.

    `customers` are those of control and treated; `effect` is that of a contact to everybody. `differ` is the test of
    "nobody differs in what they gain", `uneven` that of "the arms were alike before". `models` are sorted by their
    coefficient. `chosen` is the model to target by, None where there is no targetable difference; `rule` the condition
    of the best rule, learned from all customers, and `rule_agrees` the share of folds that found the same. `parts` are
    along the chosen order.
    """

    send: Send
    chosen: str | None
    rule: str | None
    rule_agrees: float
    customers: tuple[int, int]
    effect: Effect
    differ: Differences
    uneven: Differences
    models: tuple[Ranked, ...]
    parts: tuple[Part, ...]


def race(
    treated: Any,
    outcome: Any,
    predictors: Mapping[str, Any],
    *,
    seed: int,
    cost: float | None = None,
    folds: int = 5,
    repeats: int = 4,
) -> Race | NotEnoughData:
    """Return who should be contacted, from customers who were contacted at random (`treated`) or not.

    Each row is a customer: whether they were treated, their outcome (a number; 0 or 1 makes learners logistic), and
    predictors known before (float64 with NaN where missing, or texts with None). `cost` is what a contact costs in
    units of the outcome; None where that is not known: then the order is chosen, but not how far down it to go.

    `NotEnoughData` for arms of fewer than 100 customers, or of fewer than 10 whose outcome is not the usual one. Raises
    `BadInput` for settings that make no sense.
    """
    if folds < 2 or repeats < 1:
        raise BadInput(f"{folds} folds and {repeats} repeats; give at least 2 folds and 1 repeat")
    sample = Sample(treated, outcome, predictors)
    missing = _missing(sample)
    if missing is not None:
        return missing
    kind: Literal["proportion", "mean"] = "proportion" if sample.binary else "mean"
    control, arm = (Sums.of(sample.outcome[sample.treated == w]) for w in (False, True))
    effect = compare(kind, control, arm, Fixed(ALPHA))
    if isinstance(effect, NotEnoughData):
        return effect
    lap = _Laps(sample, folds, repeats, seed)
    differ = differences(sample, lap.expected, seed)
    times = 1.0 if differ.p < ALPHA else sqrt(2)
    models = _ranked(lap.areas, times)
    finding = {model.name for model in models if model.finds}
    chosen = _chosen(lap.areas, finding, times) if differ.p < ALPHA else None
    parts = lap.parts(chosen) if chosen else ()
    whole = best_rule(sample.cuts, lap.gain, np.ones(len(sample), np.bool_))
    send = _send(effect, parts, cost)
    return Race(
        send=send,
        chosen=chosen,
        rule=whole.sql if whole else None,
        rule_agrees=lap.rules.count(whole.sql) / len(lap.rules) if whole else 0.0,
        customers=effect.units,
        effect=effect,
        differ=differ,
        uneven=balance(sample, seed),
        models=models,
        parts=parts,
    )


class _Laps:
    """The folds of all repeats: the area of each model, gains averaged over repeats, and the rules that were found."""

    def __init__(self, sample: Sample, folds: int, repeats: int, seed: int) -> None:
        self.sample = sample
        self.rules: list[str] = []
        areas: dict[str, list[Area]] = {name: [] for name in (*SIMPLEST, RANDOM)}
        self._places = {name: np.zeros(len(sample)) for name in areas}
        self.expected = np.zeros(len(sample))
        for repeat in range(repeats):
            random = np.random.default_rng([seed, repeat])
            fold = _folds(sample.treated, folds, random)
            middle, scores = self._lap(fold, random)
            self.expected += middle / repeats
            gain = gains(sample.treated, sample.outcome, middle, sample.share)
            for name, score in scores.items():
                areas[name].append(qini_of_folds(score, gain, fold))
                self._places[name] += _place(score, fold) / repeats
        self.gain = gains(sample.treated, sample.outcome, self.expected, sample.share)
        self.areas = {name: average(found) for name, found in areas.items()}

    def _lap(self, fold: IntArray, random: np.random.Generator) -> tuple[FloatArray, dict[str, FloatArray]]:
        sample, x = self.sample, self.sample.design
        n, share = len(sample), sample.share
        middle = np.zeros(n)
        scores = {name: np.zeros(n) for name in SIMPLEST}
        for k in range(int(fold.max()) + 1):
            test, learn = fold == k, fold != k
            known = Known(x[learn], sample.treated[learn], sample.outcome[learn], np.zeros(0), share, sample.binary)
            guess = expected(known, x)
            estimated = gains(sample.treated, sample.outcome, guess, share)
            known = msgspec.structs.replace(known, gain=estimated[learn])
            middle[test] = guess[test]
            rule = best_rule(sample.cuts, estimated, learn)
            self.rules.append(rule.sql if rule else "")
            scores[RULE][test] = rule.score[test] if rule else 0.0
            for name, model in {RESPONSE: response, **LEARNERS}.items():
                scores[name][test] = model(known, x[test])
        return middle, {**scores, RANDOM: random.random(n)}

    def parts(self, name: str) -> tuple[Part, ...]:
        """Return the effect along the order of a model, from its first customers on."""
        place = self._places[name]
        if name == RULE:
            which = np.where(place < 0.5, 0, 1)
            names = ["where the rule holds", "elsewhere"]
        else:
            which = np.minimum((mid_ranks(place) * PARTS).astype(np.int64), PARTS - 1)
            names = [f"{100 * i // PARTS} to {100 * (i + 1) // PARTS} %" for i in range(PARTS)]
        found = []
        for i, called in enumerate(names):
            gain = self.gain[which == i]
            if len(gain):
                reach = Z * float(gain.std()) / sqrt(len(gain))
                effect = float(gain.mean())
                share = len(gain) / len(place)
                found.append(Part(called, share, effect, Interval(effect - reach, effect + reach)))
        return tuple(found)


def _folds(treated: BoolArray, folds: int, random: np.random.Generator) -> IntArray:
    """Return the fold of each customer, at random; both arms are spread evenly."""
    fold = np.empty(len(treated), np.int64)
    for arm in (False, True):
        rows = np.flatnonzero(treated == arm)
        fold[rows] = random.permutation(np.arange(len(rows)) % folds)
    return fold


def _place(score: FloatArray, fold: IntArray) -> FloatArray:
    """Return where each customer stands in the order of their fold, from 0 (first) to 1."""
    place = np.empty(len(score))
    for k in np.unique(fold):
        place[fold == k] = 1 - mid_ranks(score[fold == k])
    return place


def _missing(sample: Sample) -> NotEnoughData | None:
    """Return what a race lacks, if anything."""
    usual = float(np.median(sample.outcome)) if len(sample) else 0.0
    for arm, name in ((False, "control"), (True, "treated")):
        rows = sample.treated == arm
        n, unusual = int(rows.sum()), int((sample.outcome[rows] != usual).sum())
        if n < LEAST_CUSTOMERS:
            more = ceil((LEAST_CUSTOMERS - n) * len(sample) / n) if n else None
            return NotEnoughData(f"{n} customers in {name}, needs {LEAST_CUSTOMERS}", more)
        if unusual < LEAST_RESPONSES:
            more = ceil(len(sample) * (LEAST_RESPONSES / unusual - 1)) if unusual else None
            what = f"{unusual} customers of {name} whose outcome is not {usual:g}, needs {LEAST_RESPONSES}"
            return NotEnoughData(what, more)
    return None


def _ranked(areas: Mapping[str, Area], times: float) -> tuple[Ranked, ...]:
    best = max(LEARNERS, key=lambda name: areas[name].value)
    found = []
    for name, area in areas.items():
        behind, ahead, interval = areas[best] - area, area - areas[RESPONSE], area.interval(times)
        compared = behind.value, behind.interval(times), ahead.value, ahead.interval(times)
        found.append(Ranked(name, area.value, interval, *compared, finds=name != RANDOM and interval.low > 0))
    return tuple(sorted(found, key=lambda model: -model.qini))


def _chosen(areas: Mapping[str, Area], finding: set[str], times: float) -> str | None:
    """Return the simplest model that finds and is not surely behind the best one that does."""
    if not finding:
        return None
    best = max(finding, key=lambda name: areas[name].value)
    return next(n for n in SIMPLEST if n in finding and (areas[best] - areas[n]).interval(times * RIVALS).low <= 0)


def _send(effect: Effect, parts: tuple[Part, ...], cost: float | None) -> Send:
    price = cost or 0.0
    first, last = (parts[0].interval, parts[-1].interval) if parts else (effect.interval, effect.interval)
    if first.high < price:
        return "none"
    if last.low > price and not (parts and cost is None):
        return "all"
    return "by model" if parts else "not known"
