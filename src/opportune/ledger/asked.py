"""What each question of the pulse was about: the last thing said to the customer before it, or nothing but a visit."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from opportune.catalog.types import Pulse
from opportune.clock import ulid
from opportune.profiles.contacts import Contacts
from opportune.store.base import Store


class About(msgspec.Struct, frozen=True, array_like=True):
    """What a question was about, and in which arm the customer was (`random`, `holdout`, "" for nearly all).

    Of customers who are held out it is what would have been said. All "" where there was a visit alone.
    """

    arm: str
    action: str = ""
    issue: str = ""
    channel: str = ""


class Asked:
    """The questions of a store by decision, in order of time. A row tells nothing of who was asked."""

    def __init__(self, store: Store) -> None:
        self._rows = store.table("asked")

    def put(self, decision_id: str, about: About) -> None:
        """Note the question that a decision made, in its transaction."""
        self._rows.put([(decision_id, _encode(about))])

    def read(self, since: int = 0, until: int | None = None) -> Iterator[tuple[str, About]]:
        """Yield (decision, what it was about) of the decisions made in [since, until), in order of time.

        Ids tell the time to the millisecond, so that is as exact as it gets.
        """
        last = "~" if until is None else ulid(max(until, 0), bytes(10))
        for decision_id, row in self._rows.scan(after=ulid(max(since, 0), bytes(10))):
            if decision_id >= last:
                return
            yield decision_id, _decode(row)


def about(arm: str, contacts: Contacts, pulse: Pulse, at: int) -> About:
    """Return what a customer is asked about at an instant: the last contact between `within` and `after` ago.

    What was withheld from customers who are held out is a contact that came to nothing.
    """
    touches = [*contacts.made, *(contacts.holds if arm == "holdout" else ())]
    spoken = [t for t in touches if at - pulse.within < t.at <= at - pulse.after and t.action != "pulse"]
    if not spoken:
        return About(arm)
    last = max(spoken, key=lambda t: (t.at, t.decision_id))
    return About(arm, last.action, last.issue, last.channel)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(About).decode
