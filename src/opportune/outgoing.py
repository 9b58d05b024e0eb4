"""What leaves a hub: each message is looked at again when it is due, and what became of it is settled.

Both run in transactions of the hub. Between them, outside of any, a message is rendered and sent (`api.dispatch`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from opportune.catalog.types import Action, Channel
from opportune.clock import DAY, HOUR, SECOND, format_instant
from opportune.decide.explain import misfit
from opportune.decide.types import hash64
from opportune.deliver.breaker import forgiven, harm
from opportune.deliver.carriers.base import InDoubt, Refused, TryLater
from opportune.deliver.outbox import ANY, Pause, Row
from opportune.deliver.types import Failure, Job, Receipt, Send
from opportune.errors import BadRequest, Forgotten, NotFound
from opportune.events.types import Properties
from opportune.hub import Hub
from opportune.ledger.reserve import reserve
from opportune.profiles.addresses import trait
from opportune.profiles.people import View

PATIENCE = 3 * DAY
"""How long a message may wait beyond its time before it is no longer right."""

ATTEMPTS = 10
"""How often a message is tried before a person has to look."""

BOUNCED = "Message Bounced"

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

    @property
    def send(self) -> Send:
        return self.row.send


@dataclass(frozen=True, slots=True)
class Later:
    """A message must wait until an instant."""

    until: int
    why: str


class Outgoing:
    """The messages of one hub on their way out."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._outbox = hub, hub.outbox

    def release(self, room: Mapping[str, int]) -> list[Leaving]:
        """Return messages that are due and still right, marked as `sending`; at most `room` of each channel.

        What is not right any more is suppressed with its reason, what must wait waits until then.
        """
        hub, left, leaving = self._hub, dict(room), list[Leaving]()
        with hub.group():
            now, paused = hub.clock.now(), self._outbox.pauses()
            for queue in self._outbox.queues():
                if (queue.flow, queue.channel) in paused or (ANY, queue.channel) in paused:
                    continue
                for row in self._outbox.due(queue, now, left.get(queue.channel, 0)):
                    match self._look_again(row, now):
                        case Leaving() as found:
                            self._outbox.move(row, "sending", now)
                            leaving.append(found)
                            left[queue.channel] -= 1
                        case Later(until, why):
                            self._outbox.move(row, "waiting", now, why, until)
                        case str(why):
                            self._outbox.move(row, "suppressed", now, why)
                            self._respond(row, "released", f"suppressed: {why}")
                            self._count(row, "suppressed")
        return leaving

    def ready(self, now: int, channels: Collection[str]) -> bool:
        """Return whether a message of some channels is due."""
        paused = self._outbox.pauses()
        queues = (q for q in self._outbox.queues() if q.channel in channels)
        going = (q for q in queues if (q.flow, q.channel) not in paused and (ANY, q.channel) not in paused)
        return any(self._outbox.due(queue, now, 1) for queue in going)

    def settle(self, told: Sequence[tuple[Row, Became]], repeatable: Mapping[str, bool]) -> None:
        """Take in what became of messages that were `sending`; `repeatable` says of channels whether a second try of
        the same key is the same message there.
        """
        with self._hub.group():
            now = self._hub.clock.now()
            for row, outcome in told:
                kept = self._outbox.get(row.send.key)
                if kept is not None:  # None: the customer was forgotten meanwhile
                    self._settle(kept, outcome, repeatable.get(row.send.channel, False), now)

    def recover(self, repeatable: Mapping[str, bool]) -> int:
        """Settle what was `sending` when an earlier process ended; return how many messages that were."""
        rows = list(self._outbox.each("sending"))
        self.settle([(row, InDoubt("the hub stopped while it was leaving")) for row in rows], repeatable)
        return len(rows)

    def again(self, key: str) -> None:
        """Let a message that is dead, or in doubt, be tried once more. Raises `NotFound`, `BadRequest`."""
        with self._hub.group():
            now, row = self._hub.clock.now(), self._row(key)
            if row.state == "dead":
                self._keep_room(row, now)
            elif row.state != "in_doubt":
                raise BadRequest(f"message {key} is {row.state}; only what is dead or in doubt can be tried again")
            self._outbox.again(row, now)
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
        self._judge(kept.flow, channel, self._outbox.count(kept.flow, channel, {what: 1}))

    def _look_again(self, row: Row, now: int) -> Leaving | Later | str:
        """Return the message if it is right to send now, until when it must wait, or why it is not right any more."""
        hub, send = self._hub, row.send
        view = hub.people.view(send.subject)
        if view is None:
            return "available: its customer was forgotten"
        action = hub.plan.actions[hub.plan.position[send.action]] if send.action in hub.plan.position else None
        known = action and any(t.name == send.treatment for t in action.treatments)
        channel = hub.plan.channels.get(send.channel)
        if not action or not known or not channel or not channel.via or send.placement not in hub.plan.places:
            return "available: it is no longer in the catalog"
        if now > send.due + PATIENCE:
            return f"available: it was due at {format_instant(send.due)} and could not leave"
        try:
            context = hub.ledger.decision(send.decision_id)[1].context
        except (Forgotten, NotFound):
            context = {}
        refusal = hub.snapshots.why_not(view, action, channel, now, send.decision_id)
        if refusal and refusal.until is not None and refusal.until <= send.due + PATIENCE:
            return Later(max(refusal.until, now + SECOND), refusal.sentence)
        if refusal:
            return f"{'consent' if refusal.rule in ('consent', 'address') else 'contact'}: {refusal.sentence}"
        snapshot, request = hub.snapshots.of(view, hub.brain, [send.placement], now, 0, context)
        if why_not := misfit(request, snapshot, send.action):
            return ": ".join(why_not)
        value = hub.plan.value_of(hub.plan.position[send.action], snapshot.row)
        # the consent stage has seen that there is an address; without `to` the customer's id is one
        to = trait(view.state, channel.to)[1] if channel.to else view.customer
        zone = hub.snapshots.zone(view, now)
        job = hub.personal.job(view, now, zone, action, send.treatment, value, send.decision_id)
        return Leaving(row, view, action, channel, str(to), job, now)

    def _settle(self, row: Row, outcome: Became, repeatable: bool, now: int) -> None:
        match outcome:
            case Receipt():
                self._outbox.drop(row)
                self._respond(row, "delivered")
                self._count(row, "sent")
            case InDoubt() if not repeatable and row.send.kind == "marketing":
                # what may have arrived counts as a contact: the customer's limits hold in either case
                self._outbox.move(row, "in_doubt", now, outcome.what)
                self._respond(row, "delivered")
                self._count(row, "in_doubt")
            case (TryLater() | InDoubt()) if row.attempts < ATTEMPTS:
                after = outcome.after if isinstance(outcome, TryLater) else None
                self._outbox.move(row, "waiting", now, outcome.what, now + (after or backoff(row)))
            case Refused(hard=True):
                self._dead(row, outcome.what, now)
                self._bounced(row, outcome.what)
                self._count(row, "bounced")
            case _:
                where = f"{outcome.field}:{outcome.line}:{outcome.column}: " if isinstance(outcome, Failure) else ""
                self._dead(row, where + outcome.what, now)

    def _dead(self, row: Row, what: str, now: int) -> None:
        self._outbox.move(row, "dead", now, what)
        self._respond(row, "released", f"not delivered: {what}")
        self._count(row, "dead")

    def _bounced(self, row: Row, what: str) -> None:
        view = self._hub.people.view(row.send.subject)
        if view is not None:
            said: Properties = {"channel": row.send.channel, "kind": "hard", "reason": what}
            self._hub.ingest(
                {
                    "type": "track", "event": BOUNCED, "userId": view.customer, "properties": said,
                    "messageId": f"bounced-{hash64(row.send.key):016x}",
                }, source="delivery",
            )  # fmt: skip

    def _respond(self, row: Row, outcome: str, reason: str = "") -> None:
        with suppress(NotFound, Forgotten):  # then nobody is left to whom it would mean anything
            self._hub.respond(row.send.decision_id, row.send.action, outcome, reason=reason)

    def _keep_room(self, row: Row, now: int) -> None:
        """Reserve anew for a message whose room was given back. Raises `BadRequest` where there is none now."""
        hub, send = self._hub, row.send
        view, action = hub.people.view(send.subject), hub.plan.action(send.action)
        if view is None:
            raise NotFound("its customer was forgotten")
        channel = hub.plan.channels[send.channel]
        terms = hub.snapshots.terms(view, now)
        full = reserve(
            hub.ledger, hub.plan.contact, view.nodes, send.decision_id, [(action, channel)], [], now, terms
        )
        hub.snapshots.drop(view.subject)
        if full:
            raise BadRequest(f"message {send.key} cannot be sent now: {full[1].sentence}")

    def _count(self, row: Row, what: str, more: int = 1) -> None:
        send = row.send
        self._judge(send.flow, send.channel, self._outbox.count(send.flow, send.channel, {what: more}))

    def _judge(self, flow: str, channel: str, counts: Mapping[str, int]) -> None:
        """Pause a flow whose messages do harm, once; a person lets it go on."""
        if (why := harm(counts)) and (flow, channel) not in self._outbox.pauses():
            self._outbox.pause(flow, channel, Pause(self._hub.clock.now(), why, "breaker"))

    def _row(self, key: str) -> Row:
        row = self._outbox.get(key)
        if row is None:
            raise NotFound(f"there is no message {key!r} in the outbox")
        return row


def backoff(row: Row) -> int:
    """Return how long a message waits after a failed attempt: 30 s doubled each time, an hour at most, half of it by
    chance, so that what failed together does not come back together.
    """
    longest = min(30 * SECOND << min(row.attempts - 1, 7), HOUR)
    return longest // 2 + hash64(row.send.key, str(row.attempts)) % (longest // 2)
