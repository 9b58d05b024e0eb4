"""Events that were set aside, mended a few at a time: read, tried again, or let go of for good with a reason.

Each step is short and runs where the hub's other work does, so that nobody waits while a hundred thousand are seen to.
What was let go of is noted for good, by number and reason and without a word of what the events held.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import msgspec

from opportune.clock import to_datetime
from opportune.errors import BadRequest
from opportune.events.dead_letters import Letter
from opportune.hub import Hub
from opportune.wire.mending import Discarded, SetAside

AT_ONCE, TRIED = 100, 20
"""Letters that are looked at in one step, and those that are tried again: some milliseconds."""

KEPT = 1_000
"""Notes of what was let go of that are kept."""

LONGEST_WHY = 500

CURES = {
    "off_plan": "Mend what the source sends, or the event under `events` in the catalog; then try it again.",
    "no_id": "Let the source send a userId or an anonymousId. Without one nobody can say whose event it is.",
    "nobody": "Let the source send an id that means somebody: this one is used for many, such as `null` or `guest`.",
    "bad_id": "Let the source send the id as a text or a whole number of 512 characters at most.",
    "no_event": "Let the source name the event: a track call has `event`.",
    "bad_type": "Let the source send one of Segment's types: identify, track, page, screen, group, alias.",
    "bad_time": "Let the source send times as 2026-01-31T09:00:00Z.",
    "bad_shape": "Let the source send properties, traits and context as objects of named values.",
    "unreadable": "The item is no JSON object, or a row that could not be read. Mend the file or the source, and send "
    "it again: trying this one again does not help.",
    "too_large": "Let the source send less in one event: 32 KB at most.",
    "too_many": "Let the source send smaller batches, then try these again.",
    "bad_consent": "The status, channel or topic means nothing here. Mend the source, or add the channel or topic to "
    "the catalog; until then the customer counts as they last said.",
    "bad_outcome": "The decision or the action that it answers is not known. Check the decisionId and the name.",
    "no_group_id": "Let the source send a groupId.",
    "no_previous_id": "Let the source send a previousId.",
    "kept_trait": "The trait is one that the hub keeps by itself. Send it by another name.",
}
"""What mends an event that was set aside, by the short word why."""

ANY_CURE = "Mend what the sentence names, in the source or in the catalog; then try it again."


class Chosen(NamedTuple):
    """Which letters are meant: that of an `id`, or all that fit what else is named; nothing named: every one."""

    id: str = ""
    source: str = ""
    reason: str = ""
    message: str = ""

    def fits(self, id: str, letter: Letter) -> bool:
        """Return whether a letter is meant."""
        wanted = ((self.id, id), (self.source, letter.source), (self.reason, letter.reason))
        return all(not asked or asked == is_ for asked, is_ in wanted) and self.message in ("", letter.message)


class MendingSetAside:
    """The letters of one hub. Iterate the steps where nothing else works on it; others may between them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._notes = hub.store.table("dead_letters_discarded")

    def page(self, chosen: Chosen, after: str) -> tuple[list[SetAside], str]:
        """Return those meant of the letters after an id, and the last id that was looked at; "" at the end."""
        looked = list(islice(self._hub.dead_letters.letters(after), AT_ONCE))
        found = [_told(id, letter) for id, letter in looked if chosen.fits(id, letter)]
        return found, looked[-1][0] if len(looked) == AT_ONCE else ""

    def retry(self, chosen: Chosen) -> Iterator[tuple[int, int]]:
        """Try those meant again; yield after each step how many of it were taken and how many are left."""
        for ids in self._steps(chosen, TRIED):
            yield self._hub.retry(ids)

    def discard(self, chosen: Chosen, by: str, why: str) -> Iterator[Discarded]:
        """Let go of those meant for good, and note it; yield after each step what was let go of so far.

        Raises `BadRequest` where nothing is named, or nobody, or no reason.
        """
        if not any(chosen):
            raise BadRequest("name an id, a source or a reason: all of them at once are not let go of", "reason")
        if not by.strip() or not why.strip():
            raise BadRequest("say who lets go of it and why: it cannot be brought back", "why")
        hub, count, key = self._hub, 0, self._hub.clock.new_id()
        about = f"event {chosen.id}" if chosen.id else " ".join(filter(None, (chosen.reason, chosen.source)))
        for ids in self._steps(chosen, AT_ONCE):
            with hub.group():
                count += hub.dead_letters.discard(ids)
                noted = Discarded(to_datetime(hub.clock.now()), by[:100], why[:LONGEST_WHY], about[:200], count)
                if count:
                    self._note(key, noted)
            yield noted

    def discarded(self) -> list[Discarded]:
        """Return what was let go of, the latest first."""
        return [_noted(value) for _, value in self._notes.scan()][::-1]

    def _note(self, key: str, noted: Discarded) -> None:
        self._notes.put([(key, msgspec.msgpack.encode(noted))])
        if (many := self._notes.count() - KEPT) > 0:
            self._notes.delete([key for key, _ in islice(self._notes.scan(), many)])

    def _steps(self, chosen: Chosen, most: int) -> Iterator[list[str]]:
        """Yield the ids of those meant that are there now, in lists of up to `most`; never one twice."""
        if chosen.id:
            yield [chosen.id]
            return
        end, after = self._hub.clock.new_id(), ""
        while looked := list(islice(self._hub.dead_letters.letters(after), most)):
            after = looked[-1][0]
            yield [id for id, letter in looked if id <= end and chosen.fits(id, letter)]
            if after > end:
                return


def _told(id: str, letter: Letter) -> SetAside:
    cure = CURES.get(letter.reason, ANY_CURE)
    return SetAside(id, to_datetime(letter.received_at), letter.source, letter.reason, letter.message, cure, letter.raw)


_noted = msgspec.msgpack.Decoder(Discarded).decode
