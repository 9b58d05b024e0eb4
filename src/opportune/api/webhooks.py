"""Who wants to be told when the next best action of a customer changes, and what waits to be told.

Messages follow Standard Webhooks (github.com/standard-webhooks). They are sealed for their customer until they are
delivered; a message that fails is tried again with the same id for some three days.
"""

from __future__ import annotations

import base64
import random
import secrets
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from opportune.api.webhook_post import send as send
from opportune.clock import DAY, HOUR, MINUTE, SECOND, format_instant
from opportune.deliver import addresses
from opportune.deliver.signed_post import Status as Status
from opportune.errors import BadInput, Forgotten, NotFound

if TYPE_CHECKING:
    from opportune.clock import Clock
    from opportune.store.base import Store
    from opportune.store.vault import Vault

KEPT = 100_000
"""The most messages that wait."""

RETRIES = (5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
JITTER = 0.1
"""A retry comes up to this part of its span later, so that those of one outage do not all come at once."""

LEASE = MINUTE
"""How long a message handed out by `due` is not handed out again, if nobody says what became of it."""

AT_ONCE = 32
"""The most messages of one subscription under way, so that a slow endpoint does not hold up the others."""

MOST_SUBSCRIPTIONS = 100

_SLICE = 5_000


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who wants to know. `secret` is empty except from `add`: it is shown once.

    `disabled` says why nothing is sent any more, else it is empty. `failures` counts failed attempts since the last
    message that arrived.
    """

    id: str
    url: str
    placements: tuple[str, ...]
    secret: str
    created: int
    disabled: str = ""
    failures: int = 0


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way: the same `id` at each attempt, `attempt` from 0; `at` is when it was handed out."""

    id: str
    subscription: str
    url: str
    secret: str
    subject: str
    body: bytes
    attempt: int
    at: int

    def __repr__(self) -> str:
        return f"Delivery({self.id}, subscription {self.subscription}, attempt {self.attempt})"


class _Waiting(msgspec.Struct, frozen=True, array_like=True):
    """What the outbox holds: `body` is sealed for `subject`."""

    subscription: str
    subject: str
    body: bytes
    due: int
    attempt: int = 0


class Webhooks:
    """Subscriptions, the last answer that each was told about each customer, and the outbox, in tables of a store.

    Every method may be part of the caller's transaction or makes its own; nothing but what is under way is in memory,
    so a transaction that fails needs no care. `dropped` and `given_up` count messages that never arrived, since the
    start: for want of room, and because they failed too often or their endpoint is gone. Their customers' last answers
    are no longer remembered as told, so the next evaluation tells them again.
    """

    def __init__(
        self, store: Store, vault: Vault, clock: Clock, kept: int = KEPT, jitter: Callable[[], float] = random.random
    ) -> None:
        self._store, self._vault, self._clock = store, vault, clock
        self._kept, self._jitter = kept, jitter
        self._subscriptions = store.table("webhooks")
        self._told = store.table("webhook_answers")  # subscription/subject -> digest
        self._outbox = store.table("webhook_outbox")  # message -> _Waiting; message ids sort by age
        self._due = store.table("webhook_due")  # subscription/instant/message
        self._about = store.table("webhook_subjects")  # subject/message
        self._under_way: dict[str, int] = {}
        self._at_most = self._outbox.count()
        self.dropped = self.given_up = 0

    def add(self, url: str, placements: Iterable[str]) -> Subscription:
        """Subscribe a URL to placements and return the subscription with its secret.

        Only the form of the URL is checked: `await addresses.resolve(url, ...)` first, to see where it leads. `send`
        looks again each time. `BadInput` for a bad URL or one subscription too many.
        """
        url, _, _ = addresses.check(url, allow_private=True)
        if self._subscriptions.count() >= MOST_SUBSCRIPTIONS:
            raise BadInput(f"there are {MOST_SUBSCRIPTIONS} webhooks, which is the most; remove one that is not needed")
        made = Subscription(
            id=self._clock.new_id(),
            url=url,
            placements=tuple(placements),
            secret="whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
            created=self._clock.now(),
        )
        self._save(made)
        return made

    def all(self) -> list[Subscription]:
        """Return every subscription, without its secret, oldest first."""
        return [msgspec.structs.replace(_subscription(value), secret="") for _, value in self._subscriptions.scan()]

    def remove(self, id: str) -> None:
        """End a subscription and drop what waits for it; `NotFound` names the subscriptions that there are."""
        with self._store.transaction():
            if self._find(id) is None:
                known = ", ".join(other.id for other in self.all()) or "none"
                raise NotFound(f"there is no webhook {id!r}; known ids: {known}")
            self._drop_waiting(id)
            told = (key for key, _ in self._told.scan(f"{id}/"))
            while keys := list(islice(told, _SLICE)):
                self._told.delete(keys)
            self._subscriptions.delete([id])

    def changed(self, subscription: Subscription, subject: str, digest: bytes) -> bool:
        """Return True, and remember the digest, if the last answer told about this subject had another one.

        Call it in one transaction with `put`: what is remembered as told is then waiting to be told.
        """
        key = f"{subscription.id}/{subject}"
        with self._store.transaction():
            if not self._open(subscription.id) or self._told.get(key) == digest:
                return False
            self._told.put([(key, digest)])
        return True

    def put(self, subscription: Subscription, subject: str, payload: bytes) -> None:
        """Let a message wait, due at once; nothing where the subscription is disabled or removed by now.

        Errors of the vault: `Forgotten`, `NotFound`. Beyond 100,000 messages the oldest are dropped.
        """
        now = self._clock.now()
        with self._store.transaction():
            if not self._open(subscription.id):
                return
            waiting = _Waiting(subscription.id, subject, self._vault.seal(subject, payload), now)
            self._save_waiting(f"msg_{self._clock.new_id()}", waiting)
            self._at_most += 1
            if self._at_most > self._kept:
                self._make_room()

    def due(self, now: int, limit: int) -> list[Delivery]:
        """Return messages to be sent now, `limit` at most, each under way until `done`, `failed` or a minute later.

        The subscriptions take turns, each oldest first, with 32 messages under way at most.
        """
        self._under_way = {message: until for message, until in self._under_way.items() if until > now}
        turns = sorted(
            (turn, key.rpartition("/")[2])
            for id, _ in self._subscriptions.scan()
            for turn, key in enumerate(islice(self._until(id, now), AT_ONCE))
        )
        free = (message for _, message in turns if message not in self._under_way)
        deliveries = [made for message in islice(free, limit) if (made := self._deliver(message, now)) is not None]
        self._under_way |= {delivery.id: now + LEASE for delivery in deliveries}
        return deliveries

    def done(self, delivery: Delivery) -> None:
        """Take a message out of the outbox: it arrived."""
        with self._store.transaction():
            self._drop([delivery.id])
            subscription = self._find(delivery.subscription)
            if subscription is not None and subscription.failures:
                self._save(msgspec.structs.replace(subscription, failures=0))
        self._under_way.pop(delivery.id, None)

    def failed(self, delivery: Delivery, now: int, status: int = 0, retry_after: float | None = None) -> int:
        """Note a failed attempt; return the instant of the next one, 0 where there will be none.

        `status` is the answer of HTTP, 0 for none; `retry_after` the seconds that the endpoint asked for, a day at
        most. 410 Gone disables the subscription and drops all that waits for it. A message that was dropped or
        forgotten meanwhile stays so.
        """
        with self._store.transaction():
            again = self._reschedule(delivery, now, status, retry_after)
        self._under_way.pop(delivery.id, None)
        return again

    def forget(self, subject: str) -> None:
        """Drop what waits and what is remembered about a subject."""
        with self._store.transaction():
            self._drop([key.rpartition("/")[2] for key, _ in self._about.scan(f"{subject}/")])
            self._told.delete([f"{id}/{subject}" for id, _ in self._subscriptions.scan()])

    def waiting(self) -> int:
        """Return how many messages wait."""
        return self._outbox.count()

    def _reschedule(self, delivery: Delivery, now: int, status: int, retry_after: float | None) -> int:
        subscription = self._find(delivery.subscription)
        if subscription is None:
            return 0
        subscription = msgspec.structs.replace(subscription, failures=subscription.failures + 1)
        if status == 410:
            subscription = msgspec.structs.replace(subscription, disabled=f"410 Gone at {format_instant(now)}")
        self._save(subscription)
        if status == 410:
            self.given_up += self._drop_waiting(subscription.id)
            return 0
        waiting = self._waiting(delivery.id)
        if waiting is None:
            return 0
        if waiting.attempt >= len(RETRIES):
            self.given_up += self._drop([delivery.id], untell=True)
            return 0
        asked = int(min(retry_after, DAY / SECOND) * SECOND) if retry_after and retry_after > 0 else 0
        span = max(int(RETRIES[waiting.attempt] * (1 + JITTER * self._jitter())), asked)
        self._due.delete([_due_key(delivery.id, waiting)])
        waiting = _Waiting(waiting.subscription, waiting.subject, waiting.body, now + span, waiting.attempt + 1)
        self._save_waiting(delivery.id, waiting)
        return waiting.due

    def _deliver(self, message: str, now: int) -> Delivery | None:
        waiting = self._waiting(message)
        subscription = self._find(waiting.subscription) if waiting is not None else None
        if waiting is None or subscription is None:
            return None
        try:
            body = self._vault.open(waiting.subject, waiting.body)
        except (Forgotten, NotFound):
            self._drop([message])
            return None
        return Delivery(
            id=message,
            subscription=subscription.id,
            url=subscription.url,
            secret=subscription.secret,
            subject=waiting.subject,
            body=body,
            attempt=waiting.attempt,
            at=now,
        )

    def _until(self, id: str, now: int) -> Iterator[str]:
        for key, _ in self._due.scan(f"{id}/"):
            if int(key.split("/")[1]) > now:
                return
            yield key

    def _make_room(self) -> None:
        self._at_most = self._outbox.count()
        if self._at_most > self._kept:
            # some more than needed, because counting takes long
            oldest = [key for key, _ in islice(self._outbox.scan(), self._at_most - self._kept + self._kept // 100)]
            self.dropped += self._drop(oldest, untell=True)

    def _drop_waiting(self, subscription: str) -> int:
        return self._drop([key.rpartition("/")[2] for key, _ in self._due.scan(f"{subscription}/")], untell=True)

    def _drop(self, messages: list[str], untell: bool = False) -> int:
        """Remove messages and return how many there were; `untell` forgets that their subjects were told anything."""
        found = [(message, waiting) for message in messages if (waiting := self._waiting(message)) is not None]
        with self._store.transaction():
            self._outbox.delete([message for message, _ in found])
            self._due.delete([_due_key(message, waiting) for message, waiting in found])
            self._about.delete([f"{waiting.subject}/{message}" for message, waiting in found])
            if untell:
                self._told.delete([f"{waiting.subscription}/{waiting.subject}" for _, waiting in found])
        return len(found)

    def _save_waiting(self, message: str, waiting: _Waiting) -> None:
        self._outbox.put([(message, msgspec.msgpack.encode(waiting))])
        self._due.put([(_due_key(message, waiting), b"")])
        self._about.put([(f"{waiting.subject}/{message}", b"")])

    def _waiting(self, message: str) -> _Waiting | None:
        value = self._outbox.get(message)
        return None if value is None else _waiting.decode(value)

    def _save(self, subscription: Subscription) -> None:
        self._subscriptions.put([(subscription.id, msgspec.msgpack.encode(subscription))])

    def _find(self, id: str) -> Subscription | None:
        value = self._subscriptions.get(id)
        return None if value is None else _subscription(value)

    def _open(self, id: str) -> bool:
        found = self._find(id)
        return found is not None and not found.disabled


def _due_key(message: str, waiting: _Waiting) -> str:
    return f"{waiting.subscription}/{waiting.due:020d}/{message}"


_subscription = msgspec.msgpack.Decoder(Subscription).decode
_waiting = msgspec.msgpack.Decoder(_Waiting)
