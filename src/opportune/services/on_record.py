"""All that is on record of one decision: what was asked, what was looked at, what was decided, what became of it."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import suppress

from opportune.catalog.types import Action
from opportune.clock import format_instant, to_datetime
from opportune.decide.record import COMMON
from opportune.decide.types import Stage
from opportune.errors import Forgotten, NotFound
from opportune.hub import Hub
from opportune.ledger.compact import unpack_stages
from opportune.ledger.episodes import Episode
from opportune.ledger.record import Leader, Place, Record, unpack_leaders
from opportune.rules import Kind, Layout, Value
from opportune.wire.recalling import (
    Became,
    CatalogUsed,
    ConsentRead,
    DecisionRecord,
    LeaderTold,
    LimitMet,
    PlaceRecord,
    Withheld,
)


def on_record(hub: Hub, decision_id: str) -> DecisionRecord:
    """Return what is on record of a decision. Raises `NotFound`, or `Forgotten` if its customer was."""
    with hub.reading():
        ledger = hub.ledger
        made, kept = ledger.decision(decision_id)
        became = ledger.episodes(decision_id)
        actions, layout = ledger.catalog(made.catalog).actions, ledger.layout(made.catalog)
        limit = [kept.limit] * len(kept.placements) if isinstance(kept.limit, int) else [*kept.limit]
        return DecisionRecord(
            id=decision_id,
            number=became.sequence,
            at=to_datetime(made.at),
            customer_id=kept.customer,
            placements=[*kept.placements],
            limit=limit,
            context=dict(kept.context),
            flow=kept.flow,
            arm=kept.arm,
            arms=dict(kept.arms),
            seed=str(kept.seed),
            catalog=_catalog(hub, made.catalog),
            model=made.model,
            answers=kept.answers,
            values=_values(kept, layout),
            consents=_consents(kept),
            limits=[LimitMet(*refusal) for refusal in kept.refusals],
            places=[_place(place, actions) for place in kept.places],
            became=[_became(hub, one) for one in became.each],
        )


def _catalog(hub: Hub, number: int) -> CatalogUsed:
    published = hub.ledger.publication(number)
    return CatalogUsed(number, published.catalog, to_datetime(published.at), published.author)


def _consents(kept: Record) -> list[ConsentRead]:
    found = [ConsentRead(channel, "", *why_not) for channel, why_not in kept.consent.items()]
    return found + [
        ConsentRead(channel, topic, *told) for channel, topics in kept.topics.items() for topic, told in topics.items()
    ]


def _place(place: Place, actions: tuple[Action, ...]) -> PlaceRecord:
    fell = Counter(unpack_stages(place.stages, len(actions), COMMON).tolist())
    ghost = place.ghost
    return PlaceRecord(
        placement=place.placement,
        channel=place.channel,
        price=place.price,
        candidates=place.candidates,
        silence=place.silence,
        silence_probability=_number(place.silence_probability),
        pushed=place.pushed,
        withheld=None if ghost is None else Withheld(
            actions[ghost.action].name, ghost.propensity, _number(ghost.probability), ghost.reason
        ),
        leaders=[_leader(one, actions) for one in unpack_leaders(place.leaders)],
        fell={stage.name.lower(): fell[stage] for stage in Stage if fell[stage]},
    )  # fmt: skip


def _leader(one: Leader, actions: tuple[Action, ...]) -> LeaderTold:
    return LeaderTold(
        actions[one.action].name, one.rank, one.propensity, one.baseline, one.context_weight, one.value, one.lever,
        one.priority, _number(one.drawn), _number(one.probability),
    )  # fmt: skip


def _became(hub: Hub, one: Episode) -> Became:
    return Became(
        action=one.action,
        placement=one.placement,
        channel=one.channel,
        ghost=one.ghost,
        delivered=None if one.delivered is None else to_datetime(one.delivered),
        seen=None if one.seen is None else to_datetime(one.seen),
        released=one.released,
        outcomes={name: to_datetime(at) for name, at in one.outcomes.items()},
        goals=[_event(hub, goal) for goal in one.credits],
        closed=one.closed,
        yes=one.label,
    )


def _event(hub: Hub, goal: str) -> str:
    """Return the event that stands for a goal, in words."""
    with suppress(Forgotten, NotFound):
        event = hub.event(goal)
        return f"{event.event or event.type} at {to_datetime(event.at):%Y-%m-%d %H:%M} UTC"
    return goal


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _values(kept: Record, layout: Layout) -> dict[str, Value]:
    """Return the values that were known, as JSON has them: an instant is its text."""
    times = {name.name for name in layout.names if name.kind is Kind.TIME}
    return {
        name: format_instant(int(value)) if name in times else value
        for name, value in layout.values(kept.row(layout)).items()
        if value is not None
    }
