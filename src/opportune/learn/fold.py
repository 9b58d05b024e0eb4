"""The live model is the fold of ledger facts in ledger order; a rebuilt one is the fold by decision time."""

from __future__ import annotations

from opportune.errors import Forgotten
from opportune.events.types import Labeled, LedgerFact, Published, Rebuilt
from opportune.ledger.ledger import Ledger
from opportune.ledger.record import inputs_of, keys_of, values_of
from opportune.learn.brain import Brain
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
                brain = Brain(catalog.model.predictor)
            brain.align(inputs_of(catalog), keys_of(catalog))
        case Labeled():
            found = seen_by(ledger, brain, fact)
            if found:
                brain.learn(found[0], fact, found[1])
        case Rebuilt():
            brain = Brain.restore(ledger.blobs.get(fact.blob))
    return brain


def seen_by(ledger: Ledger, brain: Brain, fact: Labeled) -> tuple[Values, int] | None:
    """Return what the predictors saw when the action was decided, and when; None if the customer was forgotten."""
    try:
        made, record = ledger.decision(fact.decision_id)
    except Forgotten:
        return None
    catalog, layout = ledger.catalog(made.catalog), ledger.layout(made.catalog)
    position = ledger.position(made.catalog, fact.action)
    for place in record.places:
        actions = [leader.action for leader in place.leaders if leader.rank] + ([place.ghost.action] if place.ghost else [])
        if position in actions:
            row = record.situated(layout, place, catalog.time_zone)
            return values_of(row, layout, brain.inputs), record.at
    return None


def rebuild(ledger: Ledger) -> Brain:
    """Return a brain that learned the final label of every action in the order of the decisions.

    Equal facts give equal bytes, in whatever order they arrived. Forgotten customers are left out.
    """
    labels: dict[tuple[str, str], Labeled] = {}
    decided: dict[str, int] = {}
    published = 0
    for sequence, fact in ledger.read():
        match fact:
            case Labeled():
                labels[fact.decision_id, fact.action] = fact
                decided.setdefault(fact.decision_id, ledger.decided_at(fact.decision_id))
            case Published():
                published = sequence
    catalog = ledger.catalog(published)
    brain = Brain(catalog.model.predictor)
    brain.align(inputs_of(catalog), keys_of(catalog))
    for key in sorted(labels, key=lambda key: (decided[key[0]], *key)):
        fact = labels[key]
        final = Labeled(fact.at, fact.decision_id, fact.action, fact.label, None, fact.propensity, fact.ghost)
        found = seen_by(ledger, brain, final)
        if found:
            brain.learn(found[0], final, found[1])
    return brain
