"""The audience of an outbound run: everybody once, in an order that stays as it is, and who of them it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

from opportune.batch.send_time import hours
from opportune.catalog.situated import situated
from opportune.errors import Forgotten
from opportune.events import codec
from opportune.profiles.people import People, View
from opportune.rules import Expression
from opportune.snapshots import Snapshots
from opportune.store.base import Rows, Store
from opportune.store.vault import Vault

ACTIVE = 500
"""Events of a customer that their habits are read from, at most."""


class Roll:
    """Everybody whom a store holds, in the order of the pseudonyms of their identities.

    A person is met at the first of their identities that was there when a run began: so whoever has several is met
    once, even if these are joined while the run goes on, and whoever comes meanwhile is not met.
    """

    def __init__(self, store: Store, people: People) -> None:
        self._rows, self._keys, self._people = store.table("profiles"), store.log("keys"), people

    def begin(self) -> tuple[int, int]:
        """Return how many identities there are now, and the mark that tells them from later ones."""
        self._people.save()  # everybody has a row
        return self._rows.count(), self._keys.last()

    def after(self, cursor: str, most: int) -> list[str]:
        """Return the identities that come next, up to a number of them."""
        return [node for node, _ in islice(self._rows.scan("", cursor), most)]

    def first(self, node: str, mark: int) -> str | None:
        """Return the identity at which the person of an identity is met; None if all of theirs came after the mark."""
        identities = self._people.identities
        return min((n for n in identities.nodes(identities.root(node)) if self._was_there(n, mark)), default=None)

    def met(self, node: str, mark: int) -> View | None:
        """Return the person who is met at an identity; None if it is another's, or came after the mark."""
        if self.first(node, mark) != node:
            return None
        try:
            return self._people.view(node)
        except Forgotten:
            return None

    def _was_there(self, node: str, mark: int) -> bool:
        row = next(self._keys.read(key=node), None)
        return row is not None and row[0] <= mark


class Habits:
    """The hours of the local day in which customers are about, read from what they did and how they answered."""

    def __init__(self, events: Rows, vault: Vault, since: int) -> None:
        """`since` is the number of the event in the log after which to read."""
        self._events, self._vault, self._since = events, vault, since

    def of(self, view: View, snapshots: Snapshots, at: int, zone: str) -> Counter[int]:
        """Return how much a customer was about in each hour (0 to 23) of a zone's day."""
        replies = snapshots.near(view, at).relationship.contacts.replies
        return hours(self._active(view.nodes), (reply.at for reply in replies), zone)

    def _active(self, nodes: Sequence[str]) -> Iterable[int]:
        rows = (row for node in nodes for row in self._events.read(self._since, node))
        for _, node, payload in islice(rows, ACTIVE):
            if payload:
                event = codec.decode_event(self._vault.open(node, payload))
                if event.source != "delivery":  # what providers tell of messages is no habit of the customer's
                    yield event.at


def belongs(audience: Expression | None, placement: str, view: View, snapshots: Snapshots, at: int) -> bool:
    """Return whether the condition of an audience is true of a customer: neither false nor NULL.

    It reads what conditions of actions read, as of a request for the placement without a context.
    """
    if audience is None:
        return True
    plan = snapshots.plan
    channel, row = plan.place(placement).channel.name, snapshots.near(view, at).row
    row = situated(plan.layout, row, {}, channel, placement, at, plan.catalog.time_zone)
    return audience.evaluate({name: plan.layout.get(row, name) for name in audience.names}) is True
