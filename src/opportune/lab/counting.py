"""What the customers of an experiment did once they were exposed, by its metrics: one pass over events and answers.

A customer counts from their first exposure on, for the `within` of a metric, whatever they did: who did nothing is 0.
Answers count whichever action they are about: what an arm shows changes what else is taken. Customers who met two arms
before their identities were joined are left out and counted. Covariates are not used here: what a customer was like
before is in the records of decisions, and reading all of them would take longer than waiting for more customers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from opportune.catalog.lab_types import Metric
from opportune.events.types import Event, Outcome
from opportune.ledger.exposures import Exposure
from opportune.measure.quantile import Ranks
from opportune.measure.sums import Sums
from opportune.profiles import fields

FloatArray = npt.NDArray[np.float64]

Part = Literal["all", "first", "last", "over"]
"""All customers, the half that was exposed first, or last, or those for whom the `within` of a metric is over."""

HUGE = 1e60
"""A value beyond this is none: it is left out, since products of three such values still have to be numbers."""


@dataclass(frozen=True)
class Counted:
    """The customers of an experiment, in order of their exposure: the arm of each, and values by metric.

    `values` has for each metric x and, of a ratio, d; both of the shape of `arms`. `crossed` were left out, `since` is
    the first exposure. `over` says by metric for which customers its `within` is over, where it has one.
    """

    arms: tuple[str, ...]
    values: Mapping[str, tuple[FloatArray, FloatArray | None]]
    crossed: int = 0
    quantiles: Mapping[str, float] = field(default_factory=dict)
    since: int | None = None
    over: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)

    def customers(self) -> dict[str, int]:
        """Return how many customers each arm has."""
        names, counts = np.unique(np.asarray(self.arms, dtype=object).astype(str), return_counts=True)
        return dict(zip(names.tolist(), counts.tolist()))

    def sums(self, metric: str, arm: str, part: Part = "all") -> Sums | Ranks:
        """Return what a comparison needs of an arm: `Ranks` of a quantile, `Sums` of every other kind."""
        half = len(self.arms) // 2
        mine = np.asarray(self.arms, dtype=object) == arm
        if part == "first":
            mine[half:] = False
        elif part == "last":
            mine[:half] = False
        elif part == "over" and metric in self.over:
            mine &= self.over[metric]
        x, d = self.values[metric]
        if metric in self.quantiles:
            return Ranks.of(x[mine], self.quantiles[metric])
        return Sums.of(x[mine], None if d is None else d[mine])

    def units(self, metric: str, arms: Sequence[str], part: Part = "all") -> int:
        """Return how many customers some arms have together."""
        return sum(sums.n for sums in (self.sums(metric, arm, part) for arm in arms))


class Counting:
    """Counts an experiment: hand in its exposures, then what happened since the first of them, in any order."""

    def __init__(
        self, metrics: Sequence[Metric], exposures: Iterable[Exposure], root: Callable[[str], str] = str,
        until: int | None = None,
    ) -> None:  # fmt: skip
        """`root` gives the customer that an identity belongs to. What happened after `until` does not count."""
        found = sorted(exposures, key=lambda e: (e.at, e.subject))
        kept = [e for e in found if not e.crossed]
        self._crossed, self._root, self._until = len(found) - len(kept), root, until
        self._arms, self._at = tuple(e.arm for e in kept), [e.at for e in kept]
        self._place = {e.subject: place for place, e in enumerate(kept)}
        self._metrics = tuple(metrics)
        self._x = {m.name: np.zeros(len(kept)) for m in metrics}
        self._d = {m.name: np.zeros(len(kept)) for m in metrics if m.kind == "ratio"}
        self._by_event: dict[str, list[tuple[Metric, _Reads]]] = {}
        for m in metrics:
            if m.event:
                self._by_event.setdefault(m.event, []).append((m, _Reads(m)))

    @property
    def since(self) -> int | None:
        """The first exposure; None if there is none."""
        return min(self._at, default=None)

    @property
    def hears_answers(self) -> bool:
        """Whether a metric is about answers to actions."""
        return any(m.outcome for m in self._metrics)

    def event(self, node: str, event: Event) -> None:
        """Count an event of an identity."""
        watching = self._by_event.get(fields.event_name(event) or "")
        place = self._place.get(self._root(node)) if watching else None
        if watching is None or place is None:
            return
        for metric, reads in watching:
            if self._counts(metric, place, event.at) and reads.holds(event):
                self._add(metric, place, reads.of(event), reads.per(event))

    def answer(self, subject: str, fact: Outcome) -> None:
        """Count an answer of an identity to an action."""
        place = self._place.get(self._root(subject))
        if place is None:
            return
        for metric in self._metrics:
            if metric.outcome == fact.outcome and self._counts(metric, place, fact.at):
                self._add(metric, place, fact.value or 0.0, 1.0)

    def counted(self) -> Counted:
        """Return what was counted so far, large values capped where a metric says so."""
        values: dict[str, tuple[FloatArray, FloatArray | None]] = {}
        for m in self._metrics:
            x = self._x[m.name]
            if m.winsorize is not None and len(x) and m.kind in ("mean", "count"):
                x = np.minimum(x, np.quantile(x, m.winsorize))
            values[m.name] = np.minimum(x, 1.0) if m.kind == "proportion" else x, self._d.get(m.name)
        quantiles = {m.name: m.quantile for m in self._metrics if m.kind == "quantile"}
        at, until, over = np.asarray(self._at, dtype=np.int64), self._until, dict[str, npt.NDArray[np.bool_]]()
        for m in self._metrics:
            if m.within is not None and until is not None:
                over[m.name] = at + m.within <= until
        return Counted(self._arms, values, self._crossed, quantiles, self.since, over)

    def _counts(self, metric: Metric, place: int, at: int) -> bool:
        since = self._at[place]
        if self._until is not None and at > self._until:
            return False
        return since <= at and (metric.within is None or at < since + metric.within)

    def _add(self, metric: Metric, place: int, of: float, per: float) -> None:
        if metric.kind in ("proportion", "count"):
            of = per = 1.0
        if not (abs(of) <= HUGE and abs(per) <= HUGE):  # neither does one that is not a number
            return
        self._x[metric.name][place] += of
        if metric.kind == "ratio":
            self._d[metric.name][place] += per


class _Reads:
    """What a metric reads of an event."""

    def __init__(self, metric: Metric) -> None:
        self._where = metric.where
        names = metric.where.names.items() if metric.where else ()
        self._names = tuple((name, fields.field(name), fields.TYPED[kind]) for name, kind in names)
        self._of = fields.field(metric.of) if metric.of else None
        self._per = fields.field(metric.per) if metric.per else None

    def holds(self, event: Event) -> bool:
        if self._where is None:
            return True
        return self._where.evaluate({name: typed(read(event)) for name, read, typed in self._names}) is True

    def of(self, event: Event) -> float:
        return (fields.number(self._of(event)) or 0.0) if self._of else 1.0

    def per(self, event: Event) -> float:
        return (fields.number(self._per(event)) or 0.0) if self._per else 1.0
