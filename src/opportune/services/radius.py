"""The blast radius of a catalog: for how many known customers would the answer be another one?"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from opportune.catalog import Catalog, load
from opportune.catalog.diff import diff
from opportune.decide.pipeline import decide
from opportune.decide.plan import Plan
from opportune.decide.trials import underway
from opportune.decide.types import Request, Snapshot, hash64
from opportune.hub import Hub
from opportune.learn.brain import Brain
from opportune.ledger.record import inputs_of, keys_of
from opportune.services.overlaid import Overlay
from opportune.snapshots import Snapshots
from opportune.wire.upkeep import CatalogChange, CatalogDiff


def blast_radius(hub: Hub, new: Catalog, most: int = 2000) -> dict[str, int]:
    """Return how many known customers were asked about, and for how many some placement would answer otherwise.

    Asks the live catalog and the new one with the same seed and the same model, for up to `most` customers, with the
    contacts that each of them had. A feature that only the new catalog has counts as missing here: it is filled when
    the catalog goes live.
    """
    brain = Brain.restore(hub.brain.snapshot())
    brain.align(inputs_of(new), keys_of(new))
    live, then = hub.snapshots, Snapshots(Plan(new), hub.ledger, underway(new, hub.trials.all()))
    asked = changed = 0
    for view in islice(hub.people.everyone(), most):
        asked += 1
        now, seed = hub.clock.now(), hash64("radius", view.customer)
        before = live.of(view, hub.brain, sorted(live.plan.places), now, seed)
        changed += _answers(*before) != _answers(*then.of(view, brain, sorted(then.plan.places), now, seed))
    return {"customers": asked, "changed": changed}


def difference(hub: Hub, folder: Path) -> CatalogDiff:
    """Return what publishing the files of a folder would change, and for how many customers. Raises `BadCatalog`."""
    new = Overlay(hub).laid(load(folder))
    changes = [CatalogChange(c.kind, c.path, c.before, c.after, str(c)) for c in diff(hub.plan.catalog, new)]
    radius = blast_radius(hub, new) if changes else {"customers": 0, "changed": 0}
    return CatalogDiff(changes, **radius)


def _answers(snapshot: Snapshot, request: Request) -> list[tuple[str, str]]:
    return [(c.placement, c.action) for c in decide(request, snapshot).chosen]
