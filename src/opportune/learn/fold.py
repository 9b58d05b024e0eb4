"""The live model is the fold of ledger facts in ledger order; a rebuilt one is the fold by decision time."""

from __future__ import annotations

from contextlib import suppress
from zlib import crc32

from opportune.errors import Forgotten, NotFound
from opportune.events.types import Labeled, LedgerFact, Published, Rebuilt
from opportune.learn.brain import Brain
from opportune.ledger.ledger import Ledger
from opportune.ledger.record import inputs_of, keys_of, unpack_leaders, values_of
from opportune.predictors.base import Values

TEACHING = (Published, Labeled, Rebuilt)
"""The facts that change a brain."""

def live(ledger: Ledger, until: int | None = None) -> Brain:
    """Return the brain as it was after a fact of the ledger (the last one by default), to the bit.

    Starts at the latest checkpoint or rebuilt model and folds what came after.
    """
    until = ledger.last() if until is None else until
    brain, after = start(ledger, until)
    for sequence, fact in ledger.read(after, until):
        brain = fold(brain, ledger, sequence, fact)
    return brain


def start(ledger: Ledger, until: int) -> tuple[Brain, int]:
    """Return the nearest saved brain at or before a sequence number, and the last fact that it has folded."""
    found = ledger.saved(until)
    return (Brain.restore(ledger.blobs.get(found[1])), found[0]) if found else (Brain("bayes"), 0)


def fold(brain: Brain, ledger: Ledger, sequence: int, fact: LedgerFact) -> Brain:
    """Return the brain after one more fact: nearly always the same one, changed."""
    match fact:
        case Published():
            catalog = ledger.catalog(sequence)
            if catalog.model.predictor != brain.predictor:
                return rebuild(ledger, sequence)
            brain.align(inputs_of(catalog), keys_of(catalog))
        case Labeled():
            brain.learn(*seen_by(ledger, brain, fact))
        case Rebuilt():
            brain = Brain.restore(ledger.blobs.get(fact.blob))
    return brain


def seen_by(ledger: Ledger, brain: Brain, fact: Labeled) -> tuple[Values, Labeled, int, int]:
    """Return what the predictors saw when the action was decided, the label, when that was, and who it was (a number).

    Raises `Forgotten` if the customer was.
    """
    try:
        made, record = ledger.decision(fact.decision_id)
    except Forgotten:
        raise Forgotten(
            "the model of that time had learned from a customer who was forgotten since, so it cannot be restored; "
            "the record in the ledger still says what was decided"
        ) from None
    catalog, layout = ledger.catalog(made.catalog), ledger.layout(made.catalog)
    position = ledger.position(made.catalog, fact.action)
    for place in record.places:
        won = [leader.action for leader in unpack_leaders(place.leaders) if leader.rank]
        ghosts = [place.ghost.action] if place.ghost else []
        if position in (ghosts if fact.ghost else won):
            row = record.situated(layout, place, catalog.time_zone)
            return values_of(row, layout, brain.inputs), fact, record.at, crc32(record.customer.encode())
    raise NotFound(f"decision {fact.decision_id} did not make {fact.action}")


def rebuild(ledger: Ledger, until: int | None = None) -> Brain:
    """Return a brain that learned the final label of every action in the order of the decisions.

    `until` is the last fact that counts (default: of all).

    Equal facts give equal bytes, in whatever order they arrived. Forgotten customers are left out.
    """
    labels: dict[tuple[str, str], Labeled] = {}
    published = 0
    for sequence, fact in ledger.read(0, until):
        match fact:
            case Labeled():
                labels[fact.decision_id, fact.action] = fact
            case Published():
                published = sequence
    catalog = ledger.catalog(published)
    brain = Brain(catalog.model.predictor)
    brain.align(inputs_of(catalog), keys_of(catalog))
    for key in sorted(labels):  # ids sort by time
        fact = labels[key]
        final = Labeled(fact.at, fact.decision_id, fact.action, fact.label, None, fact.propensity, fact.ghost)
        with suppress(Forgotten):
            brain.learn(*seen_by(ledger, brain, final))
    return brain
