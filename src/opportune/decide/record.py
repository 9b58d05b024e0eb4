"""From a decision to its record in the ledger, and from the record back to the same decision."""

from __future__ import annotations

import numpy as np

from opportune.decide.pipeline import decide
from opportune.decide.plan import Plan
from opportune.decide.scores import leaders
from opportune.decide.types import Answer, Decision, Request, Snapshot, Stage
from opportune.ledger import record as ledger
from opportune.ledger.compact import pack_numbers, pack_stages
from opportune.ledger.episodes import Episode, Episodes
from opportune.ledger.record import Carried, Record, unpack_row
from opportune.predictors.base import Predictor
from opportune.profiles.contacts import Refusal
from opportune.rules import Row

LEADERS = 2
"""How many of those that lost are recorded in full beside those that won."""

COMMON = int(Stage.ARBITRATE)
"""Where most candidates fall."""


def to_record(decision: Decision, snapshot: Snapshot, flow: str = "", carried: Carried | None = None) -> Record:
    """Return everything that the decision depended on besides catalog and model, and what it was."""
    request, plan = decision.request, snapshot.plan
    numbers, texts = snapshot.packed or pack_row(plan, snapshot.row)
    channels = {plan.places[p].channel.name for p in request.placements}
    return Record(
        customer=request.customer,
        at=request.at,
        seed=request.seed,
        placements=request.placements,
        limit=request.limit,
        context=dict(request.context),
        excluded=request.excluded,
        numbers=numbers,
        texts=texts,
        consent={c: snapshot.consent[c] for c in sorted(channels)},
        refusals=tuple([(r.rule, r.scope, r.sentence, r.marketing_only) for r in snapshot.refusals]),
        answers=snapshot.answers,
        baseline_positives=snapshot.baseline_positives,
        arm=decision.arm,
        places=tuple([_place(plan, answer) for answer in decision.answers]),
        flow=flow,
        topics={c: dict(snapshot.topics[c]) for c in sorted(channels) if c in snapshot.topics},
        carried=carried,
        arms=snapshot.arms,
    )


def pack_row(plan: Plan, row: Row) -> tuple[bytes, tuple[str | None, ...]]:
    """Return the numbers and the texts of a customer's row as a record keeps them."""
    return pack_numbers(row.numbers, plan.exact), tuple([row.texts[i] for i in plan.text_names])


def replay(record: Record, plan: Plan, model: Predictor, baseline: Predictor) -> tuple[Decision, Snapshot]:
    """Decide again, with the catalog and the model of the time; equal to the first time, to the bit."""
    request = Request(
        customer=record.customer,
        placements=record.placements,
        at=record.at,
        seed=record.seed,
        limit=record.limit,
        context=record.context,
        excluded=record.excluded,
        missing=record.carried.missing if record.carried else {},
    )
    plan = plan.under(record.arms)
    row = unpack_row(plan.layout, record.numbers, record.texts)
    refusals = tuple(Refusal(rule, scope, told, None, only) for rule, scope, told, only in record.refusals)
    snapshot = Snapshot(
        plan, model, baseline, row, record.consent, refusals, record.answers, record.baseline_positives, None,
        record.topics, record.arms,
    )  # fmt: skip
    return decide(request, snapshot), snapshot


def episodes(decision: Decision, subject: str, catalog: int) -> Episodes:
    """Return what may become of a decision: one episode per action made, and one per ghost."""
    made = [
        Episode(c.action, c.channel, c.placement, c.probability, c.propensity) for c in decision.chosen
    ]
    ghosts = [
        Episode(g.action, g.channel, g.placement, g.probability, g.propensity, ghost=True)
        for g in (answer.ghost for answer in decision.answers)
        if g and all(g.action != e.action for e in made)
    ]
    return Episodes(0, subject, decision.request.at, catalog, [*made, *ghosts])


def _place(plan: Plan, answer: Answer) -> ledger.Place:
    ghost = answer.ghost
    return ledger.Place(
        placement=answer.placement,
        channel=plan.places[answer.placement].channel.name,
        leaders=_leaders(plan, answer),
        silence=answer.silence,
        ghost=None if ghost is None else ledger.Ghost(
            plan.position[ghost.action], ghost.propensity, ghost.probability, ghost.reason
        ),
        price=answer.price,
        candidates=answer.candidates,
        silence_probability=answer.silence_probability,
        discarded=answer.discarded,
        pushed=answer.pushed,
        stages=pack_stages(answer.stages, COMMON),
    )


def _leaders(plan: Plan, answer: Answer) -> bytes:
    """Return those that won, in order of rank, then the best of those that lost."""
    s = answer.scores
    if s is None:
        return b""
    won = len(answer.chosen)
    count = min(won + LEADERS, len(s.index))
    positions, rows = np.empty(count, np.uint16), np.empty((count, 10), np.float32)
    for r, c in enumerate(answer.chosen):
        positions[r], rows[r, 6], rows[r, 7] = plan.position[c.action], c.drawn, c.probability
    leaders(s.table, s.index, won, positions, rows)
    return ledger.pack_leaders(positions, rows, won)
