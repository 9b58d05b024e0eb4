"""The same decision for a whole audience: chunk by chunk on all cores, each answer the online one to the bit.

A chunk of profiles is read from the store, its values are laid side by side (`sheet`), consent, situations and contact
limits are asked once of equals (`verdicts`), conditions, scores and draws run in kernels that call those of a single
decision (`kernels`). What has no kernel (ways to explore other than Thompson sampling, other predictors) goes through
`decide.pipeline.decide` itself, customer by customer.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from opportune.batch.kernels import FACTORS, choose_many
from opportune.batch.reader import Reader
from opportune.batch.rows import Rows, Tally
from opportune.batch.sheet import Sheet
from opportune.batch.source import Page, Source
from opportune.batch.verdicts import Judge, Mask, Verdict, Verdicts, snapshot_of
from opportune.catalog.lab_types import Holdout
from opportune.decide.holdouts import held, hypotheses
from opportune.decide.pipeline import decide
from opportune.decide.plan import Place, Plan
from opportune.decide.stages.assign import ARMS, HOLDOUT, standing_of
from opportune.decide.stages.score import BASELINE_POSITIVES, EVERY, NOBODY
from opportune.decide.stages.withhold import is_withheld
from opportune.decide.trials import Arms, places, told
from opportune.decide.types import Request, Stage
from opportune.learn.brain import Brain
from opportune.predictors.bayes import Bayes
from opportune.profiles.people import People
from opportune.rules import Expression, parse
from opportune.rules.program import Program
from opportune.snapshots import Snapshots
from opportune.store.base import Store
from opportune.store.vault import Vault

CHUNK = 512
"""Customers that are decided at a time: fewer where a catalog has very many actions."""

CELLS = 4_000_000
"""Actions times customers of a chunk, at most."""

HELD = ARMS.index(HOLDOUT)
"""Kernels know the standing arms up to this one; customers in others are decided one by one."""

Standing = tuple[str, tuple[Holdout, ...]]
"""The standing arm of a customer, and the holdouts that they are in."""

CONDITIONS = np.array([Stage.ELIGIBLE, Stage.APPLICABLE, Stage.SUITABLE, Stage.SUITABLE], np.uint8)


class Parts(Protocol):
    """What a batch needs of a hub."""

    store: Store
    vault: Vault
    people: People
    plan: Plan
    snapshots: Snapshots

    @property
    def brain(self) -> Brain:
        """The live model."""

    def group(self) -> AbstractContextManager[None]:
        """Let nobody else write meanwhile."""


def decide_all(
    hub: Parts,
    placement: str,
    who: Iterable[str] | Expression | None = None,
    *,
    at: int,
    seed_of: Callable[[str], int],
    limit: int = 1,
    flow: str = "",
    probabilities: bool = True,
    tally: Tally | None = None,
    workers: int = 2,
) -> Iterator[Rows]:
    """Yield what customers would get in a placement at an instant, many at a time; nothing is left behind.

    `who` are pseudonyms (then rows come in that order), a condition over a customer's values (see `audience`), or None
    for everybody; those come in the order of pseudonyms. Pseudonyms that stand for nobody are left out. `seed_of`
    gives the seed of a decision by the id of the customer: with that of a peek each answer is that of a peek. The
    profiles are those at the start or, where the hub goes on meanwhile, later; the model is that of the start. Rows are
    counted in `tally`. Memory is bounded: no more than `workers` + 2 chunks exist at a time. Raises `BadRequest` for an
    unknown placement.
    """
    with hub.group():
        hub.people.save()
        brain = Brain.restore(hub.brain.snapshot())
    everybody = who is None or isinstance(who, Expression)
    job = _Job(hub, brain, hub.plan.place(placement), who if isinstance(who, Expression) else None, at, seed_of,
               limit, flow, probabilities)  # fmt: skip
    size = max(min(CHUNK, CELLS // max(len(hub.plan.actions), 1)), 1)
    pages = job.source.pages(size, None if everybody else who)  # type: ignore[arg-type]
    waiting: deque[Future[tuple[Rows, Counter[tuple[str, str]]]]] = deque()
    pool = ThreadPoolExecutor(workers, "batch")
    try:
        for page in pages:
            waiting.append(pool.submit(job.decided, page))
            if len(waiting) > workers:
                yield from _told(waiting.popleft(), tally)
        while waiting:
            yield from _told(waiting.popleft(), tally)
    finally:
        pool.shutdown(cancel_futures=True)


def audience(plan: Plan, condition: str) -> Expression:
    """Return the condition of an audience, checked against the names of a catalog: the same SQL as in the catalog."""
    return parse(condition, {name.name: name.kind for name in plan.catalog.names})


def _told(done: Future[tuple[Rows, Counter[tuple[str, str]]]], tally: Tally | None) -> Iterator[Rows]:
    rows, reasons = done.result()
    if tally is not None:
        tally.add(rows, reasons)
    if len(rows):
        yield rows


class _Job:
    """One pass over an audience."""

    def __init__(
        self, hub: Parts, brain: Brain, place: Place, condition: Expression | None, at: int,
        seed_of: Callable[[str], int], limit: int, flow: str, probabilities: bool,
    ) -> None:  # fmt: skip
        self.plan, self.place, self.at, self.limit = hub.plan, place, at, limit
        self.underway = hub.snapshots.underway
        self.asked = sorted({n for one in self.underway for e in [one.experiment.audience] if e for n in e.names})
        self.judges: dict[Plan, Judge] = {}
        self.seed_of, self.flow, self.probabilities = seed_of, flow, probabilities
        self.brain = brain
        self.source = Source(hub.store, hub.vault)
        # a sample is drawn customer by customer
        self.quick = None if (self.place.treatment[self.plan.survey] >= 0).any() else _Quick.of(self.plan, brain)
        models = (self.quick.model, self.quick.baseline) if self.quick else ()
        constants = condition.constants if condition else ()
        self.reader = Reader(self.plan, hub.people.spec, place, at, models, constants)
        self.judge = Judge(self.plan, place, at)
        self.audience = Program(self.reader.layout, [condition]) if condition else None
        self.conditions = np.stack([self.plan.eligible, self.plan.applicable, self.plan.suitable, self.plan.helps])

    def decided(self, page: Page) -> tuple[Rows, Counter[tuple[str, str]]]:
        """Return what the people of a page get, and what held them back."""
        sheet = self.reader.read(self.source.open(page))
        if self.audience:
            outside = np.zeros((len(sheet.subjects), 1), np.uint8)
            self.audience.sift(sheet.numbers, sheet.row, np.zeros((1, 1), np.int32), np.ones(1, np.uint8), outside)
            sheet = sheet.keep(outside[:, 0] == 0)
        if not sheet.subjects:
            return self._rows(sheet), Counter()
        verdicts = self.judge.judge(sheet)
        standing = [standing_of(self.plan.catalog, customer, self.at) for customer in sheet.customers]
        rows = self._rows(sheet, standing)
        if self.quick:
            self._sift(sheet, verdicts, rows)
            self.quick.choose(self, sheet, verdicts, rows, standing)
        everybody = not self.quick or self.underway
        for i in range(len(rows)) if everybody else np.flatnonzero(rows.arm > HELD).tolist():
            arms = self._arms(sheet, i) if self.underway else ()
            plan = self.plan.under(arms)
            if not self.quick or rows.arm[i] > HELD or not self._same_way(plan):
                self._one(sheet, verdicts.each[verdicts.of[i]], rows, i, plan, arms)
            elif plan is not self.plan:
                rows.plans[i] = plan
        return rows, self._reasons(verdicts)

    def _arms(self, sheet: Sheet, i: int) -> Arms:
        """Return the arms of experiments that a customer is in."""
        catalog, customer, row = self.plan.catalog, sheet.customers[i], sheet.row(i)
        exposed = {seen.experiment: seen.arm for seen in reversed(sheet.exposed.get(i, ()))}
        out = hypotheses(held(catalog.holdouts, customer, self.at))
        values = {name: self.reader.layout.get(row, name) for name in self.asked}
        return told(places(self.underway, customer, exposed, out, values, self.at))

    def _same_way(self, plan: Plan) -> bool:
        """Return whether a plan of arms says other things, and decides as that of everybody does."""
        mine = plan.places[self.place.name]
        return plan is self.plan or (
            plan.program is self.plan.program and np.array_equal(mine.start, self.place.start)
        )

    def _rows(self, sheet: Sheet, standing: Sequence[Standing] = ()) -> Rows:
        n, limit, m = len(sheet.subjects), self.limit, len(self.plan.actions)
        price = self.place.price
        return Rows(
            plan=self.plan, place=self.place, flow=self.flow, at=self.at, subjects=sheet.subjects,
            customers=sheet.customers,
            seeds=np.array([self.seed_of(customer) for customer in sheet.customers], np.uint64),
            chosen=np.full((n, limit), -1, np.int32), factors=np.full((n, limit, FACTORS), np.nan),
            silence=np.zeros(n, np.uint8),
            price=np.array([self.plan.price(self.place, sheet.row(i)) for i in range(n)])
            if isinstance(price, Expression) else np.full(n, price, np.float64),
            arm=np.array([ARMS.index(arm) for arm, _ in standing], np.uint8),
            ghost=np.full(n, -1, np.int32), ghosts=np.full((n, 3), np.nan), totals=np.zeros((n, 2)),
            candidates=np.zeros(n, np.int32), pushed=np.zeros(n, np.bool_), stage=np.zeros((n, m), np.uint8),
        )  # fmt: skip

    def _sift(self, sheet: Sheet, verdicts: Verdicts, rows: Rows) -> None:
        """Find where actions fall before they are scored."""
        rows.stage[:] = verdicts.start[verdicts.start_of]
        self.plan.program.sift(sheet.numbers, sheet.row, self.conditions, CONDITIONS, rows.stage)
        shut = np.flatnonzero(verdicts.closed[verdicts.of].any(axis=1))
        stage = rows.stage[shut]
        stage[(stage == 0) & verdicts.closed[verdicts.of[shut]]] = Stage.CONTACT
        rows.stage[shut] = stage

    def _one(self, sheet: Sheet, verdict: Verdict, rows: Rows, i: int, plan: Plan, arms: Arms) -> None:
        """Decide for one customer as for any request, by the plan of their arms."""
        brain, row, place = self.brain, sheet.row(i), plan.places[self.place.name]
        if plan.program is not self.plan.program:
            row = plan.layout.recoded(row)
            if plan.catalog.contact != self.plan.catalog.contact:
                if plan not in self.judges:
                    self.judges[plan] = Judge(plan, place, self.at)
                verdict = self.judges[plan].of_one(sheet, i)
        request = Request(
            sheet.customers[i], (self.place.name,), self.at, int(rows.seeds[i]), self.limit,
            probabilities=self.probabilities,
        )  # fmt: skip
        snapshot = replace(
            snapshot_of(plan, place, verdict, brain.model, brain.baseline, row), arms=arms,
            answers=brain.answers, baseline_positives=brain.baseline_positives,
        )  # fmt: skip
        rows.put(i, decide(request, snapshot).answers[0])

    def _reasons(self, verdicts: Verdicts) -> Counter[tuple[str, str]]:
        """Count customers by what consent, situations and contact limits said of them."""
        here, found = f"channel/{self.place.channel.name}", Counter[tuple[str, str]]()
        counts = np.bincount(verdicts.of, minlength=len(verdicts.each)).tolist()
        for verdict, count in zip(verdicts.each, counts):
            told = {words for pair in (verdict.allowed, *verdict.topics.values()) for words in pair if words}
            found.update({("consent", words): count for words in told if count})
            rules = {r.rule for r in verdict.refusals if r.scope == here or not r.scope.startswith("channel/")}
            found.update({("contact", rule): count for rule in rules if count})
        for holding, count in verdicts.holding.items():
            for situation, holds in zip(self.plan.situations, holding):
                if holds:
                    found["situation", situation.name] += count
        return found


@dataclass(frozen=True, slots=True)
class _Quick:
    """A plan whose scores and draws have kernels."""

    model: Bayes
    baseline: Bayes
    positives: Any
    ramp: int
    compared: bool
    incremental: bool

    @classmethod
    def of(cls, plan: Plan, brain: Brain) -> _Quick | None:
        """Return None for a plan that has to be decided one customer at a time."""
        settings, model, baseline = plan.catalog.model, brain.model, brain.baseline
        if not (isinstance(model, Bayes) and isinstance(baseline, Bayes)):
            return None
        if settings.explore != "thompson" or settings.width == 0 or settings.factors != EVERY:
            return None
        ramp = settings.ramp if brain.answers >= settings.ramp else 0
        found = brain.baseline_positives
        incremental = settings.arbitrate == "incremental" and found >= BASELINE_POSITIVES
        return cls(model, baseline, model.positives() if ramp else NOBODY, ramp, bool(found), incremental)

    def choose(
        self, job: _Job, sheet: Sheet, verdicts: Verdicts, rows: Rows, standing: Sequence[Standing]
    ) -> None:
        """Score what is left and draw."""
        withheld, out_of = _withheld(job.plan, job.place, standing)
        plan, n = job.plan, len(rows)
        values, value_of = plan.value[None], np.zeros(n, np.int64)
        if plan.valued:
            values, value_of = np.tile(plan.value, (n, 1)), np.arange(n)
            for position, expression in plan.valued:
                for i in np.flatnonzero(rows.stage[:, position] == 0).tolist():
                    values[i, position] = plan.number(expression, sheet.row(i)) or 0.0
        texts = sheet.text_rows(self.model)
        choose_many(
            rows.arm, out_of, sheet.numbers, plan.number_slots, texts, self.model.weights(), self.model.columns,
            self.baseline.weights(), sheet.text_rows(self.baseline) if self.compared else texts, self.baseline.columns,
            self.compared, self.incremental, values, value_of, verdicts.lever, verdicts.start_of, verdicts.context,
            verdicts.context_of, bool(plan.weights), plan.marketing, withheld, plan.worthy,
            plan.catalog.model.width, self.positives, self.ramp, rows.price, rows.seeds, job.probabilities, rows.stage,
            rows.chosen, rows.factors, rows.silence, rows.ghost, rows.ghosts, rows.totals, rows.candidates, rows.pushed,
        )  # fmt: skip


def _withheld(plan: Plan, place: Place, standing: Sequence[Standing]) -> tuple[Mask, npt.NDArray[np.int64]]:
    """Return which actions are taken back, by row, and the row of each customer (-1: nothing is)."""
    actions, channel = range(len(plan.actions)), place.channel.name
    rows: dict[Standing, int] = {}
    out_of = [
        rows.setdefault((arm, out), len(rows)) if arm == HOLDOUT or out else -1
        for arm, out in ((arm if arm == HOLDOUT else "", out) for arm, out in standing)
    ]
    masks = [[is_withheld(plan, i, channel, arm, out) for i in actions] for arm, out in rows]
    return np.array(masks, np.bool_).reshape(-1, len(plan.actions)), np.array(out_of, np.int64)
