"""The ledger from its end: the latest facts first, without keeping anybody from the hub."""

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


def _between(hub: Hub, after: int, until: int) -> list[tuple[int, LedgerFact]]:
    found: list[tuple[int, LedgerFact]] = []
    facts = hub.ledger.read(after, until)
    while True:
        began = time.monotonic()
        with hub.reading():
            part = list(islice(facts, AT_ONCE))
        found += part
        if len(part) < AT_ONCE:
            return found
        time.sleep(time.monotonic() - began)
