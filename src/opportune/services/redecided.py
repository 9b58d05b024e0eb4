"""A decision made again as it was, from the ledger alone, and compared with what is on record: the proof of both."""

from __future__ import annotations

from opportune.decide import record as records
from opportune.decide.explain import explain
from opportune.errors import Stale
from opportune.hub import Hub
from opportune.ledger.record import Record, encode
from opportune.services.restored import restored
from opportune.wire.recalling import Redecided

MOST_FACTS = 200_000
"""Facts between a checkpoint and the model of a decision that are folded while somebody waits: some twenty seconds."""


def redecided(hub: Hub, decision_id: str) -> Redecided:
    """Return whether deciding again gives the same record, what differs, and why the decision was as it was.

    Others work while the model of that time is brought back. Raises `NotFound`, `Forgotten` if its customer was or its
    model had learned from somebody who was, and `Stale` where no checkpoint of the model is near enough. May be called
    from any thread.
    """
    with hub.reading():
        made, _ = hub.ledger.decision(decision_id)
        saved = hub.ledger.saved(made.model)
        far = 0 if hub.learner.ready(made.model) else made.model - (saved[0] if saved else 0)
    if far > MOST_FACTS:
        raise Stale(
            f"the model of that decision lies {far:,} facts after the nearest checkpoint, too far for an answer while "
            "you wait; `opportune explain ID` takes the time"
        )
    with restored(hub, made.model):
        decision, snapshot, kept = hub.deciding.replayed(decision_id)
        differs = differences(records.to_record(decision, snapshot, kept.flow, kept.carried), kept)
        return Redecided(not differs, differs, explain(decision, snapshot))


def differences(mine: Record, kept: Record) -> list[str]:
    """Return the names of the parts in which two records differ; none where they are the same to the bit.

    >>> from msgspec.structs import replace
    >>> record = Record("maya", 0, 1, ("hero",), 1, {}, (), b"", (), {}, (), 0, 0.0, "", ())
    >>> differences(replace(record, seed=2), record)
    ['seed']
    """
    if encode(mine) == encode(kept):
        return []
    found = [name for name in Record.__struct_fields__ if getattr(mine, name) != getattr(kept, name)]
    if "places" in found and len(mine.places) == len(kept.places):
        found.remove("places")
        for one, other in zip(mine.places, kept.places):
            fields = (name for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name))
            found += [f"{name} of {other.placement}" for name in fields]
    return found or ["the encoding"]
