"""The ledger, from its end or onwards, without keeping anybody from the hub."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

from opportune.events.types import LedgerFact
from opportune.hub import Hub

AT_ONCE = 50
"""Facts that are read while nothing else may change: about a millisecond."""

NARROWEST, WIDEST = 200, 2_000
"""Facts that are read from one place on: few at first, for most questions are about the latest."""


def backwards(hub: Hub, before: int, most: int) -> Iterator[tuple[int, LedgerFact]]:
    """Yield (sequence, fact) of the facts before a sequence number, the latest first, and at most so many.

    Others are held up for about a millisecond at a time, and may work as long as that was in between.
    """
    end, width = min(before, hub.ledger.last() + 1) - 1, NARROWEST
    stop = max(0, end - most)
    while end > stop:
        begin = max(stop, end - width)
        yield from reversed(_between(hub, begin, end))
        end, width = begin, min(2 * width, WIDEST)


def onwards(hub: Hub, after: int) -> Iterator[LedgerFact]:
    """Yield the facts after a sequence number in order. Others are held up no longer than by `backwards`."""
    for part in _parts(hub, hub.ledger.read(after)):
        yield from (fact for _, fact in part)


def _between(hub: Hub, after: int, until: int) -> list[tuple[int, LedgerFact]]:
    return [row for part in _parts(hub, hub.ledger.read(after, until)) for row in part]


def _parts(hub: Hub, facts: Iterator[tuple[int, LedgerFact]]) -> Iterator[list[tuple[int, LedgerFact]]]:
    while True:
        began = time.monotonic()
        with hub.reading():
            part = list(islice(facts, AT_ONCE))
        yield part
        if len(part) < AT_ONCE:
            return
        time.sleep(time.monotonic() - began)
