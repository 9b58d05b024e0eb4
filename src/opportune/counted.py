"""What the customers of an experiment did, from the logs of a hub: each log is read once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opportune.catalog.fields import nearest
from opportune.catalog.lab_types import Experiment, Metric
from opportune.errors import Forgotten, NotFound
from opportune.events import codec
from opportune.events.types import DecisionMade, Outcome
from opportune.lab.counting import Counted, Counting
from opportune.lab.ledger_analysis import ledger_answer, registered
from opportune.lab.look import measured_by
from opportune.ledger.exposures import Exposure

if TYPE_CHECKING:
    from opportune.hub import Hub
    from opportune.lab.spec import Correction


def analysis(hub: Hub, experiment: str, correct: Correction = "none") -> dict[str, Any]:
    """Return what an experiment of the live catalog did, as `opportune.lab.analysis.answer` has it.

    An effect below the `smallest` of its hypothesis does not matter. Raises `NotFound`.
    """
    found = _named(hub, experiment)
    catalog = hub.plan.catalog
    metrics = {metric.name: metric for metric in catalog.metrics}
    smallest = next((h.smallest for h in catalog.hypotheses if h.name == found.hypothesis), 0.0)
    return ledger_answer(registered(found, metrics, smallest, correct), counted(hub, found))


def counted(hub: Hub, experiment: Experiment) -> Counted:
    """Return the customers of the last run of an experiment, and what they did since. Holds up others item by item."""
    measured = measured_by(experiment)
    metrics = [metric for metric in hub.plan.catalog.metrics if metric.name in measured]
    trial = hub.trials.get(experiment.name)
    with hub.reading():
        exposures = [e for e in hub.exposed(experiment.name) if trial is None or e.at >= trial.started]
    return count(hub, metrics, exposures)


def count(
    hub: Hub, metrics: Sequence[Metric], exposures: Sequence[Exposure], events: int = 0, facts: int = 0
) -> Counted:
    """Return what customers did once they were exposed, reading the logs after some numbers.

    An answer counts where the decision that it answers was made after the first exposure. Holds up others item by item.
    """
    with hub.reading():
        roots = {node: e.subject for e in exposures for node in hub.people.identities.nodes(e.subject)}
    counting = Counting(metrics, exposures, lambda node: roots.get(node, node))
    if counting.since is None:
        return counting.counted()
    if any(metric.event for metric in metrics):
        for _, node, payload in hub.events.read(events):
            if node in roots and payload:
                with hub.reading(), suppress(Forgotten):
                    counting.event(node, codec.decode_event(hub.vault.open(node, payload)))
    if counting.hears_answers:
        asked: dict[str, str] = {}
        for _, fact in hub.ledger.read(facts):
            if isinstance(fact, DecisionMade) and fact.subject in roots and fact.at >= counting.since:
                asked[fact.decision_id] = fact.subject
            elif isinstance(fact, Outcome) and fact.decision_id in asked:
                counting.answer(asked[fact.decision_id], fact)
    return counting.counted()


def _named(hub: Hub, name: str) -> Experiment:
    experiments = {e.name: e for e in hub.plan.catalog.experiments}
    if name not in experiments:
        raise NotFound(f"the live catalog has no experiment {name!r}; {nearest(name, experiments)}")
    return experiments[name]
