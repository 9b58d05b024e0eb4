"""What the customers of an experiment did, from the logs of a hub: each log is read once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opportune.catalog.fields import nearest
from opportune.catalog.lab_types import Experiment, Metric
from opportune.catalog.types import Catalog
from opportune.errors import Forgotten, NotFound
from opportune.events import codec
from opportune.events.types import DecisionMade, Outcome
from opportune.lab.book import Book
from opportune.lab.counting import Counted, Counting
from opportune.lab.ledger_analysis import ledger_answer, registered
from opportune.lab.look import measured_by
from opportune.ledger.exposures import Exposure

if TYPE_CHECKING:
    from opportune.hub import Hub
    from opportune.lab.spec import Correction


def analysis(hub: Hub, experiment: str, correct: Correction = "none") -> dict[str, Any]:
    """Return what the last run of an experiment did, as `opportune.lab.analysis.answer` has it.

    It is read as it was laid down when it began, up to its end; one that the lab did not start, as the live catalog has
    it. An effect below the `smallest` of its hypothesis does not matter. Raises `NotFound`.
    """
    with hub.reading():
        run, trial, now = Book(hub.store).run(experiment), hub.trials.get(experiment), hub.clock.now()
        run = run if run is not None and trial is not None and run.started == trial.started else None
        catalog = hub.ledger.catalog(run.catalog) if run is not None and run.catalog else hub.plan.catalog
        found = _named(catalog, experiment)
        since, until = trial.started if trial else 0, now if run is None or run.ended is None else run.ended
        exposures = [e for e in hub.exposed(experiment) if since <= e.at <= until]
    metrics = {metric.name: metric for metric in catalog.metrics if metric.name in measured_by(found)}
    smallest = next((h.smallest for h in catalog.hypotheses if h.name == found.hypothesis), 0.0)
    events, facts = (run.events, run.facts) if run is not None else (0, 0)
    counted = count(hub, list(metrics.values()), exposures, events, facts, until)
    stopped = [arm for arm, at in run.stops.items() if run.ended is None or at < run.ended] if run is not None else []
    return ledger_answer(registered(found, metrics, smallest, correct), counted, found, stopped)


def count(
    hub: Hub, metrics: Sequence[Metric], exposures: Sequence[Exposure], events: int = 0, facts: int = 0,
    until: int | None = None,
) -> Counted:  # fmt: skip
    """Return what customers did once they were exposed and until an instant, reading the logs after some numbers.

    An answer counts where the decision that it answers was made after the first exposure. Holds up others item by item.
    """
    with hub.reading():
        roots = {node: e.subject for e in exposures for node in hub.people.identities.nodes(e.subject)}
    counting = Counting(metrics, exposures, lambda node: roots.get(node, node), until)
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


def _named(catalog: Catalog, name: str) -> Experiment:
    experiments = {e.name: e for e in catalog.experiments}
    if name not in experiments:
        raise NotFound(f"the live catalog has no experiment {name!r}; {nearest(name, experiments)}")
    return experiments[name]
