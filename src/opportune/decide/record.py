"""From a decision to its record in the ledger, and from the record back to the same decision."""

from __future__ import annotations

import numpy as np

from opportune.decide.board import Scores
from opportune.decide.pipeline import decide
from opportune.decide.plan import Plan
from opportune.decide.types import Answer, Decision, Request, Snapshot, Stage
from opportune.ledger import record as ledger
from opportune.ledger.compact import pack_stages
from opportune.ledger.episodes import Episode, Episodes
from opportune.ledger.record import Record, pack_row, unpack_row
from opportune.predictors.base import Predictor
from opportune.profiles.contacts import Refusal

LEADERS = 2
"""How many of those that lost are recorded in full beside those that won."""


def to_record(decision: Decision, snapshot: Snapshot, flow: str = "") -> Record:
    """Return everything that the decision depended on besides catalog and model, and what it was."""
    request, plan = decision.request, snapshot.plan
    numbers, texts = pack_row(plan.layout, snapshot.row, plan.exact)
    return Record(
        customer=request.customer,
        at=request.at,
        seed=request.seed,
        placements=request.placements,
        limit=request.limit,
        context=dict(request.context),
        excluded=tuple(sorted(request.excluded)),
        numbers=numbers,
        texts=texts,
        consent={c: why for c, why in snapshot.consent.items() if why != (None, None)},
        refusals=tuple((r.rule, r.scope, r.sentence, r.marketing_only) for r in snapshot.refusals),
        answers=snapshot.answers,
        baseline_positives=snapshot.baseline_positives,
        arm=decision.arm,
        places=tuple(_place(plan, answer) for answer in decision.answers),
        flow=flow,
    )


def replay(record: Record, plan: Plan, model: Predictor, baseline: Predictor) -> tuple[Decision, Snapshot]:
    """Decide again, with the catalog and the model of the time; equal to the first time, to the bit."""
    request = Request(
        customer=record.customer,
        placements=record.placements,
        at=record.at,
        seed=record.seed,
        limit=record.limit,
        context=record.context,
        excluded=frozenset(record.excluded),
    )
    consent = {name: record.consent.get(name, (None, None)) for name in plan.channels}
    row = unpack_row(plan.layout, record.numbers, record.texts)
    refusals = tuple(Refusal(rule, scope, told, None, only) for rule, scope, told, only in record.refusals)
    snapshot = Snapshot(plan, model, baseline, row, consent, refusals, record.answers, record.baseline_positives)
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
    ranks = {c.action: c for c in answer.chosen}
    won = [_leader(plan, answer, plan.position[c.action], c.rank, c.drawn, c.probability) for c in answer.chosen]
    ghost = answer.ghost
    return ledger.Place(
        placement=answer.placement,
        channel=plan.places[answer.placement].channel.name,
        leaders=ledger.pack_leaders([x for x in [*won, *_runners_up(plan, answer, set(ranks))] if x]),
        silence=answer.silence,
        ghost=ghost and ledger.Ghost(plan.position[ghost.action], ghost.propensity, ghost.probability, ghost.reason),
        price=answer.price,
        candidates=answer.candidates,
        silence_probability=answer.silence_probability,
        discarded=answer.discarded,
        pushed=answer.pushed,
        stages=pack_stages(answer.stages, int(Stage.ARBITRATE)),
    )


def _runners_up(plan: Plan, answer: Answer, won: set[str]) -> list[ledger.Leader | None]:
    s = answer.scores
    if s is None:
        return []
    order = np.argsort(-s.priority, kind="stable")[: LEADERS + len(won)]
    lost = [int(i) for i in s.index[order] if plan.actions[int(i)].name not in won][:LEADERS]
    return [_leader(plan, answer, i, 0, float("nan"), float("nan")) for i in lost]


def _leader(
    plan: Plan, answer: Answer, position: int, rank: int, drawn: float, probability: float
) -> ledger.Leader | None:
    s: Scores | None = answer.scores
    if s is None:
        return None
    i = int(np.searchsorted(s.index, position))
    p, base, c, v, l, worth = s.p[i], s.baseline[i], s.c[i], s.v[i], s.l[i], s.priority[i]
    return ledger.Leader(position, rank, p, base, c, v, l, worth, drawn, probability, s.a[i], s.b[i])
