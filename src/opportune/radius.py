"""The blast radius of a catalog: for how many known customers would the answer be another one?"""

from __future__ import annotations

from itertools import islice

from opportune.catalog import Catalog
from opportune.decide.pipeline import decide
from opportune.decide.plan import Plan
from opportune.decide.types import Request, Snapshot, hash64
from opportune.hub import Hub
from opportune.learn.brain import Brain
from opportune.ledger.record import inputs_of, keys_of


def blast_radius(hub: Hub, new: Catalog, most: int = 2000) -> dict[str, int]:
    """Return how many known customers were asked about, and for how many some placement would answer otherwise.

    Asks the live catalog and the new one with the same seed and the same model, for up to `most` customers. A feature
    that only the new catalog has counts as missing here: it is filled when the catalog goes live.
    """
    plan, brain = Plan(new), Brain.restore(hub.brain.snapshot())
    brain.align(inputs_of(new), keys_of(new))
    names = tuple(sorted(set(plan.places) & set(hub.plan.places)))
    asked = changed = 0
    for view in islice(hub.people.everyone(), most):
        asked += 1
        snapshot, request = hub.snapshot(view, names, hash64("radius", view.customer), limit=1)
        moved = _moved(snapshot, plan, brain)
        changed += _answers(request, snapshot) != _answers(request, moved)
    return {"customers": asked, "changed": changed}


def _moved(snapshot: Snapshot, plan: Plan, brain: Brain) -> Snapshot:
    row = plan.layout.row(snapshot.plan.layout.values(snapshot.row))
    consent = {name: snapshot.consent.get(name, (None, None)) for name in plan.channels}
    return Snapshot(
        plan, brain.model, brain.baseline, row, consent, snapshot.refusals, snapshot.answers,
        snapshot.baseline_positives,
    )  # fmt: skip


def _answers(request: Request, snapshot: Snapshot) -> list[tuple[str, str]]:
    return [(c.placement, c.action) for c in decide(request, snapshot).chosen]
