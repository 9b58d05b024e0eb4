"""How experiments are run: which are under way, for how many, and which arms harm stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Literal

import msgspec

from opportune.catalog.lab_types import Experiment
from opportune.catalog.types import Catalog
from opportune.errors import BadRequest
from opportune.store.base import Store

Status = Literal["running", "paused", "stopped", "decided"]

LIVE: tuple[Status, ...] = ("running", "paused")
"""An experiment that is under way: its definition cannot change."""

Slot = tuple[float, float]
"""A piece of the customers of a layer, from a place on [0, 1) to another."""


class Trial(msgspec.Struct, frozen=True):
    """One experiment as it is run.

    `share` of the customers take part now; it may grow to what the catalog says, which `slots` of its layer keep free.
    Customers of `stopped` arms get what control gets. `winner` is the arm that everybody in the audience gets once it
    is decided ("": nobody gets more than the catalog says), until it `expires` (None: never by itself). While it is
    paused nobody is in it. `run` counts how often it had begun before under this name.
    """

    experiment: str
    status: Status
    share: float
    started: int
    definition: str
    layer: str
    slots: tuple[Slot, ...]
    stopped: tuple[str, ...] = ()
    winner: str = ""
    run: int = 0
    expires: int | None = None

    @property
    def live(self) -> bool:
        """Whether it is under way."""
        return self.status in LIVE

    @property
    def key(self) -> str:
        """The name by which exposures bind customers: each run has its own, since customers and arms may be others."""
        return f"{self.experiment} {self.run}" if self.run else self.experiment


class Trials:
    """The trials of a store. Call what writes inside of a transaction, and `clear` after one that failed."""

    def __init__(self, store: Store) -> None:
        self._rows = store.table("trials")
        self._known: dict[str, Trial] | None = None

    def get(self, experiment: str) -> Trial | None:
        """Return how an experiment is run; None if it never was."""
        return self._all().get(experiment)

    def all(self) -> tuple[Trial, ...]:
        """Return every trial, in order of names."""
        return tuple(self._all().values())

    def put(self, trial: Trial) -> None:
        """Keep how an experiment is run from now on."""
        self._rows.put([(trial.experiment, _encode(trial))])
        self._known = None

    def begin(self, experiment: Experiment, at: int, share: float | None = None) -> Trial:
        """Return the trial of an experiment that begins with a share of the customers (None: all that it may have).

        Raises `BadRequest` where it is under way, or its layer has no room. Writes nothing.
        """
        known = self.get(experiment.name)
        if known is not None and known.live:
            raise BadRequest(f"experiment {experiment.name!r} is {known.status}; stop it before it can begin anew")
        share = experiment.share if share is None else share
        if not 0 < share <= experiment.share:
            raise BadRequest(
                f"share is {share}; {experiment.name!r} may have more than 0 and at most {experiment.share:g}"
            )
        taken = [slot for t in self.all() if t.live and t.layer == experiment.lane for slot in t.slots]
        slots = free(taken, experiment.share)
        if slots is None:
            raise BadRequest(f"layer {experiment.lane!r} has no room for {experiment.share:g} of the customers beside "
                             "the experiments that run in it")  # fmt: skip
        run = known.run + 1 if known is not None else 0
        return Trial(
            experiment.name, "running", share, at, definition(experiment), experiment.lane, slots, run=run
        )

    def clear(self) -> None:
        """Read anew what the store holds."""
        self._known = None

    def _all(self) -> dict[str, Trial]:
        if self._known is None:
            self._known = {key: _decode(row) for key, row in self._rows.scan()}
        return self._known


def definition(experiment: Experiment) -> str:
    """Return a hash of what must stay while an experiment runs: who is in which arm, and what the arms are."""
    arms = [[arm.name, arm.weight, dict(arm.changes)] for arm in experiment.arms]
    audience = experiment.audience and experiment.audience.canonical
    told = [experiment.name, experiment.lane, experiment.hypothesis, experiment.share, audience, arms]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def check_running(trials: Trials, catalog: Catalog) -> None:
    """Refuse a catalog in which an experiment that is under way is another one, or gone. Raises `BadRequest`."""
    there = {e.name: e for e in catalog.experiments}
    for trial in trials.all():
        if not trial.live:
            continue
        if trial.experiment not in there:
            raise BadRequest(
                f"experiment {trial.experiment!r} is {trial.status} and is not in this catalog; stop it first"
            )
        if definition(there[trial.experiment]) != trial.definition:
            raise BadRequest(
                f"experiment {trial.experiment!r} is {trial.status}, and its arms, weights, layer, share, hypothesis "
                "or audience are others in this catalog: what was measured so far would mean nothing. Stop it first, "
                "or leave it as it is and give the new one a name of its own"
            )


def free(taken: Iterable[Slot], share: float) -> tuple[Slot, ...] | None:
    """Return the first free pieces of [0, 1) that make a share together; None if there is less.

    >>> free([(0.0, 0.25), (0.5, 0.75)], 0.375)
    ((0.25, 0.5), (0.75, 0.875))
    """
    found, at, left = list[Slot](), 0.0, share
    for begin, end in sorted([*taken, (1.0, 1.0)]):
        if begin > at and left > _TINY:
            piece = min(begin - at, left)
            found.append((at, at + piece))
            left -= piece
        at = max(at, end)
    return tuple(found) if left <= _TINY else None


_TINY = 1e-9
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Trial).decode
