"""Which arms of experiments a customer is in: by hash, so that it is the same everywhere and every time.

Three independent numbers in [0, 1) of a customer's id decide: one per layer, which experiment of it they may be in; one
per hypothesis (or experiment without one), which arm. Growing the share of an experiment lets customers in and moves
nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from opportune.catalog.lab_types import Experiment
from opportune.catalog.types import Catalog
from opportune.decide.types import hash01
from opportune.ledger.trials import Trial, definition

Arms = tuple[tuple[str, str], ...]
"""(experiment, arm) pairs in the order in which they are laid over the catalog."""


@dataclass(frozen=True, slots=True)
class Underway:
    """An experiment that is run, or whose winner was rolled out, as the catalog defines it."""

    experiment: Experiment
    trial: Trial

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that were not stopped."""
        return tuple(arm.name for arm in self.experiment.arms if arm.name not in self.trial.stopped)

    def within(self, at: int) -> bool:
        """Return whether an instant is in its dates."""
        starts, ends = self.experiment.starts, self.experiment.ends
        return (starts is None or starts <= at) and (ends is None or at < ends)


@dataclass(frozen=True, slots=True)
class Place:
    """The arm that a customer is in.

    `counts`: an exposure of theirs is one of the experiment. It does not count where the arm was stopped (they get what
    control gets) or the winner is what everybody gets. `exposed`: they have been before.
    """

    underway: Underway
    arm: str
    counts: bool
    exposed: bool


def underway(catalog: Catalog, trials: Collection[Trial]) -> tuple[Underway, ...]:
    """Return what is run of a catalog's experiments, in the order in which their arms are laid over it.

    First come the winners that were rolled out, so that what runs now changes what everybody has; then names count. A
    winner is only rolled out as what was decided about: an experiment that was changed since is not.
    """
    there, found = {e.name: e for e in catalog.experiments}, []
    for trial in trials:
        experiment = there.get(trial.experiment)
        if experiment is None or trial.definition != definition(experiment):
            continue
        if trial.status == "running" or (trial.status == "decided" and trial.winner):
            found.append(Underway(experiment, trial))
    return tuple(sorted(found, key=lambda one: (one.trial.status != "decided", one.experiment.name)))


def places(
    underway: Collection[Underway], customer: str, exposed: Mapping[str, str], held: Collection[str],
    values: Mapping[str, object], at: int,
) -> list[Place]:  # fmt: skip
    """Return the arms that a customer is in at an instant. Pure. The dates of an experiment do not bind its winner,
    which is nobody's any more once it has expired.

    `exposed` are the arms of their first exposures by run (`Trial.key`) and by hypothesis (`bond_of`): there they stay,
    whatever their id or values are now; those to a hypothesis bind in all experiments on it that they take part in.
    `held` are the hypotheses that they are held out of; `values` what audiences read.
    """
    found = []
    for one in underway:
        experiment, trial = one.experiment, one.trial
        known = exposed.get(trial.key)
        if experiment.hypothesis and experiment.hypothesis in held:
            continue
        if trial.status != "decided" and not one.within(at):
            continue
        if trial.status == "decided" and trial.expires is not None and trial.expires <= at:
            continue
        if known is None and not belongs(one, customer, values):
            continue
        if trial.status == "decided":
            found.append(Place(one, trial.winner, False, known is not None))
            continue
        arm = known or exposed.get(bond_of(experiment)) or arm_of(experiment, customer)
        if arm in trial.stopped:
            found.append(Place(one, experiment.arms[0].name, False, known is not None))
        else:
            found.append(Place(one, arm, True, known is not None))
    return found


def belongs(one: Underway, customer: str, values: Mapping[str, object]) -> bool:
    """Return whether a customer who was not exposed yet takes part."""
    experiment, trial = one.experiment, one.trial
    if trial.status != "decided" and not takes_part(trial, customer):
        return False
    return experiment.audience is None or experiment.audience.evaluate(values) is True  # type: ignore[arg-type]


def takes_part(trial: Trial, customer: str) -> bool:
    """Return whether a customer's place in the layer is within the share that an experiment has now."""
    at, passed = hash01("opportune.layer", trial.layer, customer), 0.0
    for begin, end in trial.slots:
        if begin <= at < end:
            return passed + (at - begin) < trial.share
        passed += end - begin
    return False


def arm_of(experiment: Experiment, customer: str) -> str:
    """Return the arm of an experiment by a customer's id; by that of its hypothesis where the arms are the same."""
    total = sum(arm.weight for arm in experiment.arms)
    at, passed = hash01("opportune.arm", salt_of(experiment), customer) * total, 0.0
    for arm in experiment.arms:
        passed += arm.weight
        if at < passed:
            return arm.name
    return experiment.arms[-1].name


def salt_of(experiment: Experiment) -> str:
    """Return what a customer's arm depends on beside their id: flows of a hypothesis with the same arms share it."""
    if not experiment.hypothesis:
        return f"experiment {experiment.name}"
    return "\x1e".join((f"hypothesis {experiment.hypothesis}", *(arm.name for arm in experiment.arms)))


def bond_of(experiment: Experiment) -> str:
    """Return the name by which an exposure binds a customer in other experiments on its hypothesis; "" without one.

    They have the same arms of the same weights: others divide their customers otherwise.
    """
    weights = (f"{arm.weight!r}" for arm in experiment.arms)
    return "\x1e".join((salt_of(experiment), *weights)) if experiment.hypothesis else ""


def told(found: Collection[Place]) -> Arms:
    """Return the arms of places as a record keeps them."""
    return tuple((place.underway.experiment.name, place.arm) for place in found)
