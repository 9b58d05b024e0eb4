"""The model as it was: folded from the ledger a little at a time, while others work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from opportune.hub import Hub
from opportune.learn import fold
from opportune.learn.brain import Brain

AT_ONCE = 20
"""Facts that are folded while nothing else may change: one to two milliseconds."""


@contextmanager
def restored(hub: Hub, sequence: int) -> Iterator[None]:
    """Have the model of a fact of the ledger at hand while the block replays what was decided with it.

    Bringing it back takes as long as there are facts since the nearest checkpoint, or since the model that was restored
    last if that is nearer: ask in order of time. Others work meanwhile, and wait for the block alone. May be called
    from any thread, but not by who keeps others from the hub. Raises `Forgotten` if the model had learned from somebody
    who was forgotten since.
    """
    while True:
        with hub.reading():
            if hub.learner.ready(sequence):
                yield
                return
            forgotten, held = hub.learner.forgotten, hub.learner.nearest(sequence)
        brain, number = held or fold.start(hub.ledger, sequence)
        brain = _folded(hub, brain, number, sequence)
        with hub.reading():
            if hub.learner.forgotten == forgotten:  # else it may know somebody whom nobody knows any more
                hub.learner.hold(sequence, brain)
                yield
                return


def _folded(hub: Hub, brain: Brain, number: int, sequence: int) -> Brain:
    facts = hub.ledger.read(number, sequence)
    while number < sequence:
        began = time.monotonic()
        with hub.reading():
            part = list(islice(facts, AT_ONCE))
            for number, fact in part:
                brain = fold.fold(brain, hub.ledger, number, fact)
        if not part:
            break
        time.sleep(time.monotonic() - began)
    return brain
