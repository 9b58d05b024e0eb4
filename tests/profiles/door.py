"""What the hub does with people: append to the log and take, in one transaction."""

from __future__ import annotations

from typing import Any

from opportune.events import codec
from opportune.events.types import Event, LedgerFact
from opportune.profiles.people import People
from opportune.profiles.spec import ProfileSpec
from opportune.store import Store, open_store
from opportune.store.vault import Vault


class Door:
    """A store with its log of events and its people."""

    def __init__(self, spec: ProfileSpec, cache_size: int = 1000, store: Store | None = None) -> None:
        self.store = store or open_store("memory:")
        self.spec, self.cache_size = spec, cache_size
        self.log = self.store.log("events")
        self.vault = Vault(self.store)
        self.people = People(self.store, self.vault, spec, cache_size)
        self.caught_up = self.people.catch_up(self.log)

    def send(self, event: Event) -> list[LedgerFact]:
        with self.store.transaction():
            node = self.people.route(event)
            seq = self.log.append([(node, self.vault.seal(node, codec.encode(event)))])
            return self.people.take(event, seq)

    def restarted(self, spec: ProfileSpec | None = None) -> Door:
        """Return the door after a crash: what was not saved is gone from memory."""
        return Door(spec or self.spec, self.cache_size, self.store)


def event(number: int, user: str | None = None, anonymous: str | None = None, kind: str = "track",
          at: int | None = None, **more: Any) -> Event:
    """Return an event of a second of its own."""
    if kind == "track":
        more.setdefault("event", "Order")
    moment = number * 1_000_000 if at is None else at
    return Event(type=kind, message_id=f"m{number}", at=moment, received_at=max(moment, number * 1_000_000),  # type: ignore[arg-type]
                 user_id=user, anonymous_id=anonymous, **more)
