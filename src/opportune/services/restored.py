"""The model as it was: folded from the ledger a little at a time, while others work."""

from __future__ import annotations

import time
from itertools import islice

from opportune.hub import Hub
from opportune.learn import fold

AT_ONCE = 20
"""Facts that are folded while nothing else may change: one to two milliseconds."""


def restore(hub: Hub, sequence: int) -> None:
    """Have the model of a fact of the ledger at hand, so that a decision made with it is replayed at once.

    Takes as long as there are facts since the nearest checkpoint, or since the model that was restored last if that is
    nearer: ask in order of time. May be called from any thread. Raises `Forgotten` if the model had learned from
    somebody who was forgotten since.
    """
    with hub.reading():
        if hub.learner.ready(sequence):
            return
        brain, number = hub.learner.nearest(sequence)
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
    with hub.reading():
        hub.learner.hold(sequence, brain)
