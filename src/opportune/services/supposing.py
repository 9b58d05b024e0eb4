"""What would be decided if a customer were otherwise: traits and features set, events that did not happen. No trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from opportune.decide.explain import explain as explained
from opportune.decide.explain import why
from opportune.decide.types import Decision, Limit, Snapshot
from opportune.errors import BadEvent, BadRequest
from opportune.events.intake import Intake
from opportune.hub import Hub
from opportune.profiles.facts import LONGEST, check_fact
from opportune.profiles.fields import TYPED
from opportune.profiles.fold import check_consent, fold
from opportune.profiles.people import View
from opportune.profiles.state import State, dump, load
from opportune.questions import named
from opportune.rules import Value
from opportune.wire import Answered, Supposed, Why

MOST_EVENTS = 100
"""Events that may be supposed at once."""

IDS = ("userId", "anonymousId", "previousId", "messageId")


@dataclass(slots=True)
class _SupposedView(View):
    """A person as they would be, some traits and features set."""

    said: Mapping[str, Value] = field(default_factory=dict)

    def values(self, now: int) -> Mapping[str, Value]:
        """Return every declared trait and feature, as supposed."""
        return {**View.values(self, now), **self.said}


def supposed_answer(
    hub: Hub, user: str | None, anonymous: str | None, suppose: Supposed, placements: Sequence[str],
    context: Mapping[str, Value] | None = None, limit: Limit = 1, explain: bool = False,
) -> Answered:  # fmt: skip
    """Return what would be the answer to a peek, with the seed of a peek, so that only what is supposed differs.

    Events are taken in the order given, as if they were heard now, then values are set. Contents are as the catalog has
    them. Raises `BadRequest` for names that are no traits or features, values of another type, and bad events.
    """
    with hub.reading():
        answer, decision, snapshot = _peek(hub, user, anonymous, suppose, placements, context, limit)
        return replace(answer, explanation=explained(decision, snapshot)) if explain else answer


def why_not_now(
    hub: Hub, user: str | None, anonymous: str | None, suppose: Supposed, placement: str, action: str,
    context: Mapping[str, Value] | None = None,
) -> Why:  # fmt: skip
    """Return why an action would not win in a placement now, and the smallest change that would make it win."""
    with hub.reading():
        _, decision, snapshot = _peek(hub, user, anonymous, suppose, [placement], context, 1)
        return why(decision, snapshot, action)


def _peek(
    hub: Hub, user: str | None, anonymous: str | None, suppose: Supposed, placements: Sequence[str],
    context: Mapping[str, Value] | None, limit: Limit,
) -> tuple[Answered, Decision, Snapshot]:  # fmt: skip
    if user is None and anonymous is None:
        raise BadRequest("name a customer: a user id, or `anonymousId`", "userId")
    who = named(user, "userId") if user is not None else named(anonymous, "anonymousId")
    known = hub.people.resolve(user, anonymous)
    view = known
    if suppose.values or suppose.events:
        known = known or View("", who, (State(),), (), hub.people.spec)
        states = [load(dump(state)) for state in known.states]
        _take(hub, states[0], suppose.events)
        said = {name: _typed(hub, name, value) for name, value in suppose.values.items()}
        view = _SupposedView(known.subject, known.customer, states, known.nodes, known.spec, said=said)
    return hub.deciding.peek(view, who, placements, context, limit)


def _take(hub: Hub, state: State, events: Sequence[Mapping[str, Any]]) -> None:
    if len(events) > MOST_EVENTS:
        raise BadRequest(f"{len(events)} events are supposed; suppose at most {MOST_EVENTS}", "suppose.events")
    items = [{**{k: v for k, v in item.items() if k not in IDS}, "userId": "supposed"} for item in events]
    taken, rejected = Intake(lambda: "supposed", "supposed").take(items, received_at=hub.clock.now())
    if rejected:
        raise BadRequest(f"an event that is supposed cannot be taken: {rejected[0].message}", "suppose.events")
    for event in taken:
        try:
            check_consent(event, hub.plan.catalog)
            check_fact(event, hub.plan.catalog)
        except BadEvent as error:
            raise BadRequest(f"an event that is supposed cannot be taken: {error}", "suppose.events") from None
        fold(state, event, state.seq + 1, hub.people.spec)


def _typed(hub: Hub, name: str, value: Value) -> Value:
    """Return a value as a trait or a feature has it; None stays unknown."""
    catalog, here = hub.plan.catalog, f"suppose.values.{name[:60]}"
    kinds = {one.name: one.kind for one in catalog.traits} | {one.name: one.kind for one in catalog.features}
    if name not in kinds:
        raise BadRequest(f"{name[:60]!r} is no trait or feature of the live catalog; suppose one of those", here)
    found: Value = TYPED[kinds[name]](value)
    if value is not None and (found is None or (isinstance(value, str) and len(value) > LONGEST)):
        raise BadRequest(f"{name} is a {kinds[name].value}, and {str(value)[:60]!r} is none", here)
    return found
