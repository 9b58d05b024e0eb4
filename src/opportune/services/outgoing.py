"""What leaves a hub: each message is looked at again when it is due, and what became of it is settled.

Both run in transactions of the hub. Between them, outside of any, a message is rendered and sent (`api.dispatch`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from msgspec import UNSET

from opportune.catalog.types import Action, Channel
from opportune.clock import DAY, HOUR, SECOND, format_instant
from opportune.decide.explain import misfit
from opportune.decide.stages.withhold import HELD_OUT, kept_from
from opportune.decide.types import hash64
from opportune.deliver.breaker import BREAKER, faded, forgiven, harm, recent
from opportune.deliver.carriers.base import InDoubt, Refused, TryLater
from opportune.deliver.outbox import ANY, LANES, Pause, Queue, Row
from opportune.deliver.types import Failure, Job, Receipt, Send
from opportune.errors import BadRequest, BrokenStore, Forgotten, NotFound
from opportune.hub import Hub
from opportune.ledger.reserve import reserve
from opportune.profiles.addresses import bounce_key, trait
from opportune.profiles.people import View
from opportune.profiles.terms import CHOSEN
from opportune.rules import Value

PATIENCE = 3 * DAY
"""How long a message may wait beyond its time before it is no longer right."""

ATTEMPTS = 10
"""How often a message is tried before a person has to look."""

BOUNCED = "Message Bounced"

Pace = Callable[[str, int], int | None]
"""How many messages of a flow may leave at an instant; None: as many as there are."""

Became = Receipt | Failure | TryLater | Refused | InDoubt
"""What became of a message that was tried."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A message that may leave now: to which address, and what its content is made of."""

    row: Row
    view: View
    action: Action
    channel: Channel
    to: str
    job: Job
    at: int
    schema: Mapping[str, Any] | None = None

    @property
    def send(self) -> Send:
        return self.row.send


@dataclass(frozen=True, slots=True)
class Later:
    """A message must wait until an instant."""

    until: int
    why: str


class Never(NamedTuple):
    """A message is no longer right: the stage at which it fell, the sentence that says why, and the holdout that it is
    kept from, if that is why.
    """

    stage: str
    why: str
    holdout: str = ""


class Told(NamedTuple):
    """What became of a message that was tried: `to` is the address ("": not known), `repeatable` whether a second try
    of the same key is the same message there, `form` what it consisted of.
    """

    row: Row
    became: Became
    to: str = ""
    repeatable: bool = False
    form: str = ""


def unpaced(flow: str, now: int) -> int | None:
    """Let every flow go as fast as its channel."""
    return None


class Outgoing:
    """The messages of one hub on their way out."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._outbox = hub, hub.outbox

    def release(self, room: Mapping[str, int], most: int, pace: Pace = unpaced) -> tuple[list[Leaving], int]:
        """Return messages that are due and still right, marked as `sending`, and how many messages were looked at.

        At most `room` of each channel leave, of a flow as many as its `pace` allows, and `most` are looked at. Service
        goes first; the flows of a lane share what it may. What is not right any more is suppressed with its reason,
        what must wait waits until then.
        """
        hub, left, leaving, looked = self._hub, dict(room), list[Leaving](), 0
        paced = dict[str, int]()
        with hub.group():
            now, pauses = hub.clock.now(), self._outbox.pauses()
            queues = [queue for queue in self._outbox.queues() if left.get(queue.channel) and not held(queue, pauses)]
            for lane in LANES:
                mine = [queue for queue in queues if queue.lane == lane]
                # by turns, so that no flow waits for another one to be done
                for turn in (-(-(most - looked) // max(len(mine), 1)), most):
                    for queue in mine:
                        may = paced.setdefault(queue.flow, most if (own := pace(queue.flow, now)) is None else own)
                        for row in self._outbox.due(queue, now, min(turn, most - looked, left[queue.channel], may)):
                            looked += 1
                            found = self._taken(row, now)
                            if found is not None:
                                leaving.append(found)
                                left[queue.channel] -= 1
                                paced[queue.flow] -= 1
        return leaving, looked

    def ready(self, now: int, channels: Collection[str]) -> bool:
        """Return whether a message of some channels is due."""
        pauses = self._outbox.pauses()
        queues = [queue for queue in self._outbox.queues() if queue.channel in channels and not held(queue, pauses)]
        return any(self._outbox.due(queue, now, 1) for queue in queues)

    def settle(self, told: Sequence[Told]) -> list[Told]:
        """Take in what became of messages that were `sending`; return those whose customer was not forgotten."""
        kept = list[Told]()
        with self._hub.group():
            now = self._hub.clock.now()
            for one in told:
                row = self._outbox.get(one.row.send.key)
                if row is not None and row.state == "sending":
                    kept.append(one._replace(row=row))
                    self._settle(kept[-1], now)
        return kept

    def recover(self, channels: Collection[str], repeatable: bool) -> int:
        """Settle what was `sending` in some channels when an earlier process ended; return how many messages."""
        why = InDoubt("the hub stopped while it was leaving")
        rows = [row for row in self._outbox.each("sending") if row.send.channel in channels]
        self.settle([Told(row, why, "", repeatable) for row in rows])
        return len(rows)

    def lost(self, known: Collection[str]) -> set[str]:
        """Return the channels of messages that were `sending`, of those that are not known any more."""
        return {row.send.channel for row in self._outbox.each("sending")} - {*known}

    def again(self, key: str) -> None:
        """Let a message that is dead or in doubt be tried once more, and one that waits now. Raises `NotFound`,
        `BadRequest`.
        """
        with self._hub.group():
            now, row = self._hub.clock.now(), self._row(key)
            if row.state == "waiting":
                self._outbox.move(row, "waiting", now, due=now)
                self._outbox.noted()
                return
            if row.state == "dead":
                self._keep_room(row, now)
            elif row.state != "in_doubt":
                raise BadRequest(f"message {key} is {row.state}; try again what waits, is dead or in doubt")
            self._outbox.again(row, now, counted=row.state == "in_doubt")
            self._count(row, row.state, -1)

    def sent_after_all(self, key: str) -> None:
        """Take the word of a person that a message in doubt did leave. Raises `NotFound`, `BadRequest`."""
        with self._hub.group():
            row = self._row(key)
            if row.state != "in_doubt":
                raise BadRequest(f"message {key} is {row.state}; only what is in doubt can be settled by a person")
            self._outbox.drop(row)
            self._count(row, "in_doubt", -1)
            self._count(row, "sent")

    def pause(self, flow: str, channel: str, why: str, by: str) -> None:
        """Let a flow (`ANY`: every flow of a channel) send nothing until it is resumed."""
        with self._hub.group():
            self._outbox.pause(flow, channel, Pause(self._hub.clock.now(), why, by))

    def resume(self, flow: str, channel: str) -> None:
        """Let a flow go on; what it did so far is no longer counted as harm."""
        with self._hub.group():
            self._outbox.pause(flow, channel, None)
            self._outbox.count(flow, channel, forgiven(self._outbox.count(flow, channel, {})))

    def heard(self, decision_id: str, channel: str, what: str) -> None:
        """Count what came back of a message that was sent (`bounced`, `complained`, `opened`, `clicked`)."""
        _, kept = self._hub.ledger.decision(decision_id)
        self._tally(kept.flow, channel, "returned" if what == "bounced" else what)
        named = self._hub.plan.channels.get(channel)
        if named is not None and named.to and what in ("bounced", "complained"):
            view = self._hub.people.view(self._hub.ledger.episodes(decision_id).subject)
            address = trait(view.state, named.to)[1] if view else None
            self._outbox.count_domain(channel, str(address or ""), "returned" if what == "bounced" else what)

    def _taken(self, row: Row, now: int) -> Leaving | None:
        """Put a message that is due into the state that fits; return it if it may leave."""
        match self._verdict(row, now):
            case Leaving() as found:
                self._outbox.move(row, "sending", now)
                return found
            case Later(until, why):
                self._outbox.move(row, "waiting", now, why, until)
            case Never(stage, why, holdout):
                if holdout:
                    self._hub.leaked(row.send.subject, holdout, row.send.channel, f"blocked: {row.send.action}")
                self._outbox.move(row, "suppressed", now, f"{stage}: {why}")
                self._release(row, f"suppressed: {stage}")
                self._count(row, "suppressed")
        return None

    def _verdict(self, row: Row, now: int) -> Leaving | Later | Never:
        """Return what `_look_again` says; what nobody foresaw in one customer's data costs that message alone."""
        try:
            return self._look_again(row, now)
        except BrokenStore:
            raise
        except Exception as error:
            return Never("error", f"{type(error).__name__}: {error}")

    def _look_again(self, row: Row, now: int) -> Leaving | Later | Never:
        """Return the message if it is right to send now, until when it must wait, or why it is not right any more."""
        hub, send = self._hub, row.send
        view = hub.people.view(send.subject)
        if view is None:
            return Never("available", "its customer was forgotten")
        plan = hub.snapshots.plan_for(view, now)
        action = plan.actions[plan.position[send.action]] if send.action in plan.position else None
        known = action and any(t.name == send.treatment for t in action.treatments)
        channel = plan.channels.get(send.channel)
        if not action or not known or not channel or not channel.via or send.placement not in plan.places:
            return Never("available", "it is no longer in the catalog")
        if action.kind != send.kind:
            return Never("available", f"it was decided as {send.kind} and is {action.kind} now")
        if holdout := kept_from(plan.catalog, view.customer, now, channel.name, action):
            return Never("withhold", HELD_OUT, holdout)
        if now > row.patience + PATIENCE:
            return Never("available", f"it was due at {format_instant(send.due)} and could not leave")
        context, carried = dict[str, Value](), None
        with suppress(Forgotten, NotFound):
            kept = hub.ledger.decision(send.decision_id)[1]
            context, carried = kept.context, kept.carried
        refusal = hub.snapshots.why_not(view, action, channel, now, send.decision_id)
        if refusal and row.counted and refusal.rule in {CHOSEN, *(cap.name for cap, _, _ in plan.contact.caps)}:
            refusal = None  # it is the contact that is counted already
        if refusal and refusal.until is not None and refusal.until <= row.patience + PATIENCE:
            return Later(max(refusal.until, now + SECOND), refusal.sentence)
        if refusal:
            return Never("consent" if refusal.rule in ("consent", "address") else "contact", refusal.sentence)
        snapshot, request = hub.snapshots.of(view, hub.brain, [send.placement], now, 0, context)
        if why_not := misfit(request, snapshot, send.action):
            return Never(*why_not)
        items, coupon = list[tuple[str, str]](), None
        treatment = plan.treatment(send.action, send.treatment)
        if treatment.items:
            found = carried.items.get(send.action, ()) if carried else ()
            purpose = carried.purpose if carried else "self"
            items = hub.goods.still(view, found, now, purpose, treatment.items)
            if not items:
                return Never("available", "none of the items that it was to carry can be had any more")
        if treatment.coupon:
            coupon = hub.goods.good_code(plan, treatment.coupon, send.decision_id, now)
            if coupon is None:
                return Never("available", "the code that it was to give is no longer good")
        value = plan.value_of(plan.position[send.action], snapshot.row)
        # the consent stage has seen that there is an address; without `to` the customer's id is one
        to = trait(view.state, channel.to)[1] if channel.to else view.customer
        zone = hub.snapshots.zone(view, now)
        job = hub.personal.under(plan.catalog).job(
            view, now, zone, action, send.treatment, value, send.decision_id, hub.goods.items(items), coupon or UNSET
        )
        place = next(place for place in plan.catalog.placements if place.name == send.placement)
        return Leaving(row, view, action, channel, str(to), job, now, place.schema)

    def _settle(self, told: Told, now: int) -> None:
        row, became = told.row, told.became
        match became:
            case Receipt():
                self._outbox.drop(row)
                self._respond(row, "delivered")
                self._count(row, "sent")
                self._outbox.count_domain(row.send.channel, told.to, "sent")
            case InDoubt() if not told.repeatable and row.send.kind == "marketing":
                # what may have arrived counts as a contact: the customer's limits hold in either case
                self._outbox.move(row, "in_doubt", now, became.what)
                self._respond(row, "delivered")
                self._count(row, "in_doubt")
            case (TryLater() | InDoubt()) if row.attempts < ATTEMPTS:
                after = became.after if isinstance(became, TryLater) else None
                self._outbox.move(row, "waiting", now, became.what, now + (after or backoff(row)))
            case Failure():
                self._dead(row, "not rendered", f"{became.field}:{became.line}:{became.column}: {became.what}", now)
            case Refused(hard=hard):
                self._dead(row, "refused", became.what, now)
                if hard:
                    self._bounced(told)
                    self._count(row, "bounced")
                    self._outbox.count_domain(row.send.channel, told.to, "bounced")
            case _:
                self._dead(row, f"tried {row.attempts} times", became.what, now)

    def _dead(self, row: Row, why: str, what: str, now: int) -> None:
        # the ledger outlives the customer's data: what a provider says may repeat an address
        self._outbox.move(row, "dead", now, what)
        self._release(row, f"not delivered: {why}")
        self._count(row, "dead")

    def _bounced(self, told: Told) -> None:
        send, view = told.row.send, self._hub.people.view(told.row.send.subject)
        if view is None:
            return
        named = {"userId": view.customer} if view.state.user else {"anonymousId": view.customer}
        said = {"channel": send.channel, "kind": "hard", "addressKey": bounce_key(send.channel, told.to)}
        event = {"type": "track", "event": BOUNCED, **named, "properties": said}
        self._hub.ingest({**event, "messageId": f"bounced-{hash64(send.key):016x}"}, source="delivery")

    def _release(self, row: Row, reason: str) -> None:
        """Give the room of a message back, also where it was reserved a second time."""
        self._respond(row, "released", reason)
        hub, send = self._hub, row.send
        view = hub.people.view(send.subject)
        if view is None:
            return
        mine = hub.ledger.relationship(view.nodes[0])
        if hub.plan.contact.release(mine.contacts, send.decision_id, send.action):
            hub.ledger.put_relationship(view.nodes[0], mine)
            hub.snapshots.drop(view.subject)

    def _respond(self, row: Row, outcome: str, reason: str = "") -> None:
        with suppress(NotFound, Forgotten):  # then nobody is left to whom it would mean anything
            self._hub.respond(row.send.decision_id, row.send.action, outcome, reason=reason)

    def _keep_room(self, row: Row, now: int) -> None:
        """Reserve anew for a message whose room was given back. Raises `BadRequest` where there is none now."""
        hub, send = self._hub, row.send
        view, action = hub.people.view(send.subject), hub.plan.action(send.action)
        if view is None:
            raise NotFound("its customer was forgotten")
        channel = hub.plan.channels.get(send.channel)
        if channel is None:
            raise BadRequest(f"message {send.key} cannot be sent now: there is no channel {send.channel!r} any more")
        terms = hub.snapshots.terms(view, now)
        full = reserve(
            hub.ledger, hub.plan.contact, view.nodes, send.decision_id, [(action, channel)], [], now, terms
        )
        hub.snapshots.drop(view.subject)
        if full:
            raise BadRequest(f"message {send.key} cannot be sent now: {full[1].sentence}")

    def _count(self, row: Row, what: str, more: int = 1) -> None:
        self._tally(row.send.flow, row.send.channel, what, more)

    def _tally(self, flow: str, channel: str, what: str, more: int = 1) -> None:
        """Count; pause a flow whose messages do harm, once. A person lets it go on."""
        counts = self._outbox.count(flow, channel, {what: more, **recent(what, more)})
        if fading := faded(counts):
            counts = self._outbox.count(flow, channel, fading)
        if (why := harm(counts)) and (flow, channel) not in self._outbox.pauses():
            self._outbox.pause(flow, channel, Pause(self._hub.clock.now(), why, BREAKER))

    def _row(self, key: str) -> Row:
        row = self._outbox.get(key)
        if row is None:
            raise NotFound(f"there is no message {key!r} in the outbox")
        return row


def held(queue: Queue, pauses: Mapping[tuple[str, str], Pause]) -> bool:
    """Return whether a queue is paused. What serves customers goes on where the breaker alone says no."""
    found = [pauses[key] for key in ((queue.flow, queue.channel), (ANY, queue.channel)) if key in pauses]
    return any(queue.lane != "service" or pause.by != BREAKER for pause in found)


def backoff(row: Row) -> int:
    """Return how long a message waits after a failed attempt: 30 s doubled each time, an hour at most, half of it by
    chance, so that what failed together does not come back together.
    """
    longest = min(30 * SECOND << min(row.attempts - 1, 7), HOUR)
    return longest // 2 + hash64(row.send.key, str(row.attempts)) % (longest // 2)
