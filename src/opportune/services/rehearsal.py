"""A dry run: what an outbound run would say to its audience now, with counts and reasons, and without a trace.

Each customer gets the answer of a peek. Both engines give the same answers; `duckdb` looks at many at a time, and not
at what actions carry: where the shelf or a coupon has nothing left for somebody, the run itself finds out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec.structs import replace

from opportune.batch.audience import Roll, belongs
from opportune.batch.decide import decide_all
from opportune.batch.rows import Rows
from opportune.catalog.types import Run
from opportune.clock import DAY
from opportune.decide.explain import explain
from opportune.decide.pipeline import decide
from opportune.decide.types import Answer, Decision, Stage, hash64
from opportune.errors import Forgotten
from opportune.hub import Hub
from opportune.services.outbound import why_silent
from opportune.wire.sending import DryRun, Rehearsed

SHOWN = 5
"""Customers whose answer is shown with its reasons."""


def rehearse(hub: Hub, run: Run, engine: str, page: int) -> Iterator[DryRun]:
    """Yield how far a dry run is, again and again, and in the end what it found, its customers by pseudonyms.

    Each step looks at about `page` customers with the engine `hub`, at a chunk of `batch.decide` with `duckdb`. Call
    the steps where nobody else works on the hub; others may between them. Who is looked at later is as of later.
    """
    found = _Found(hub, run.name, engine)
    steps = _by_hub(hub, run, page, found) if engine == "hub" else _by_batch(hub, run, found)
    for done in steps:
        yield found.told(min(done, 0.999))
    yield found.told(1.0)


def shown(hub: Hub, dry: DryRun) -> DryRun:
    """Return a dry run with the ids of its customers for their pseudonyms, without those who were forgotten."""
    named = ((stands_for(hub, one.customer_id), one) for one in dry.sample)
    return replace(dry, sample=[replace(one, customer_id=customer) for customer, one in named if customer])


def stands_for(hub: Hub, subject: str) -> str:
    """Return the id of the customer for whom a pseudonym stands; "" once they were forgotten."""
    try:
        view = hub.people.view(subject)
    except Forgotten:
        return ""
    return view.customer if view else ""


def _by_hub(hub: Hub, run: Run, page: int, found: _Found) -> Iterator[float]:
    roll = Roll(hub.store, hub.people)
    with hub.group():
        total, mark = roll.begin()
    cursor, passed = "", 0
    while nodes := roll.after(cursor, page):
        for node in nodes:
            view = roll.met(node, mark)
            if view is None:
                continue
            now = hub.clock.now()
            if not belongs(run.audience, run.placement, view, hub.snapshots, now):
                found.outside += 1
                continue
            _, decision, snapshot = hub.deciding.peek(view, view.customer, (run.placement,), None, 1)
            found.add(decision.answers[0])
            if found.shows(decision.answers[0]):
                found.show(view.subject, decision, str(explain(decision, snapshot)))
        cursor, passed = nodes[-1], passed + len(nodes)
        yield passed / max(total, 1)


def _by_batch(hub: Hub, run: Run, found: _Found) -> Iterator[float]:
    now, total = hub.clock.now(), hub.store.table("profiles").count()

    def seed_of(customer: str) -> int:
        return hash64("peek", customer, run.placement, str(now // DAY))

    passed = 0
    for rows in decide_all(hub, run.placement, run.audience, at=now, seed_of=seed_of, probabilities=False):
        for i in range(len(rows)):
            answer = rows.answer(i)
            found.add(answer)
            if found.shows(answer):
                _explained(hub, run, rows, i, found)
        passed += len(rows)
        yield passed / max(total, 1)
    found.outside = max(_people(hub) - found.audience, 0)


def _explained(hub: Hub, run: Run, rows: Rows, i: int, found: _Found) -> None:
    """Show one answer of a batch with its reasons, by deciding it once more."""
    try:
        view = hub.people.view(rows.subjects[i])
    except Forgotten:
        return
    if view is not None:
        snapshot, request = hub.snapshot(view, (run.placement,), int(rows.seeds[i]))
        decision = decide(request, snapshot)
        found.show(view.subject, decision, str(explain(decision, snapshot)))


def _people(hub: Hub) -> int:
    return hub.store.table("profiles").count() - len(hub.people.identities.linked())


class _Found:
    """What a dry run has counted so far."""

    def __init__(self, hub: Hub, name: str, engine: str) -> None:
        self._hub, self.name, self.engine = hub, name, engine
        self.audience = self.outside = self.made = 0
        self.silent, self.ended, self.actions = Counter[str](), Counter[str](), Counter[str]()
        self.sample: list[Rehearsed] = []
        self._silences = 0

    def add(self, answer: Answer) -> None:
        self.audience += 1
        self.made += bool(answer.chosen)
        self.actions.update(c.action for c in answer.chosen)
        if not answer.chosen:
            self.silent[why_silent(answer.silence)] += 1
            self.ended[Stage(int(answer.stages.max(initial=0))).name.lower()] += 1

    def shows(self, answer: Answer) -> bool:
        """Return whether an answer is among those that are shown: the first ones, and both kinds where there are."""
        silent = not answer.chosen
        return len(self.sample) < SHOWN and (not silent or self._silences < 2)

    def show(self, subject: str, decision: Decision, why: str) -> None:
        self._silences += not decision.chosen
        action = decision.chosen[0].action if decision.chosen else None
        self.sample.append(Rehearsed(subject, action, why))

    def told(self, done: float) -> DryRun:
        self.sample = [one for one in self.sample if stands_for(self._hub, one.customer_id)]
        return DryRun(
            name=self.name, engine=self.engine, done=done, audience=self.audience, outside=self.outside, made=self.made,
            silent=dict(self.silent), ended=dict(self.ended), actions=dict(self.actions), sample=list(self.sample),
        )  # fmt: skip
