"""The check of the operation: the tables of a hub are brought up to date, counted, and judged.

What is measured and what is known of tools comes from the live catalog, the lab's book and the book of use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from opportune.catalog.lab_types import Holdout
from opportune.catalog.types import Action, Catalog
from opportune.decide.holdouts import covers
from opportune.figures.tables import opened
from opportune.hub import Hub
from opportune.lab.book import Run
from opportune.lab.look import Look
from opportune.operations import health_tables as counted
from opportune.operations.health import Finding, worst_first
from opportune.operations.health_results import Effect, results
from opportune.operations.health_sales import sales
from opportune.operations.health_spend import CampaignSpend, spend
from opportune.operations.health_tools import Judged, idle
from opportune.operations.health_work import work
from opportune.services.instruments import tables, tables_of
from opportune.services.laboratory import Laboratory
from opportune.services.toolbox import Toolbox

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

UNIVERSAL = "holdout"
"""What measures the spend of campaigns where the model's own holdout keeps some customers from all marketing."""


def examine(hub: Hub) -> list[Finding]:
    """Return every check of the operation, the worst first. Raises `BadRequest` where no catalog is live.

    Exports what is new of the ledger first: takes as long as that. May be called from any thread.
    """
    box = Toolbox(hub)
    with _tables(hub) as connection:
        now = hub.clock.now()
        took, leads = counted.counts(connection, now), counted.leads(connection)
        handed = counted.handed_over(connection, now)
    with hub.reading():
        catalog, now = hub.plan.catalog, hub.clock.now()
        runs = [(run, Laboratory(hub).book.look(run)) for run in Laboratory(hub).book.runs()]
        judged = [Judged(tool, box.adoption(tool.name)) for tool in box.tools.values() if tool.runs(now)]
        overlaps = box.overlaps()
        linked = {run.experiment: _campaigns(hub, run) for run, _ in runs}
    effects = [effect for run, look in runs if look is not None for effect in _effects(run, look, linked)]
    running = len({run.experiment for run, _ in runs if not run.over and linked[run.experiment]})
    says = {"", *(a.campaign for a in catalog.actions), *(one.name for one in took.campaigns if one.contacts)}
    money = [
        CampaignSpend(name, amount, measured_by(catalog, name, linked, name in says), name in says)
        for name, amount in took.spent.items()
    ]
    return worst_first([
        results(effects, running),
        spend(money, catalog.currency),
        idle(judged, overlaps, catalog.currency),
        sales(handed, leads, now),
        work(took.campaigns, took.months),
    ])  # fmt: skip


def measured_by(catalog: Catalog, campaign: str, tested: Mapping[str, Sequence[str]], says: bool = True) -> str:
    """Return the experiment or holdout by which the effect of a campaign can be known; "" if there is none.

    `tested` are the campaigns of each experiment that was ever started; a holdout counts if it is on all that the
    campaign `says` through the hub, and not where that is nothing: it keeps nobody from an advertisement elsewhere.
    """
    for experiment, campaigns in tested.items():
        if campaign in campaigns:
            return experiment
    if not says:
        return ""
    if catalog.model.holdout_share > 0:
        return UNIVERSAL
    actions = [action for action in catalog.actions if action.campaign == campaign and action.kind == "marketing"]
    for holdout in catalog.holdouts:
        if "all" in holdout.on or (actions and all(_in(holdout, action) for action in actions)):
            return holdout.name
    return ""


def _in(holdout: Holdout, action: Action) -> bool:
    return all(covers(holdout, action, treatment.channel) for treatment in action.treatments)


def _campaigns(hub: Hub, run: Run) -> list[str]:
    """Return the campaigns that an experiment names, or that name it, now or when its run began."""
    found: list[str] = []
    for catalog in (hub.plan.catalog, *([hub.ledger.catalog(run.catalog)] if run.catalog else [])):
        found += [e.campaign for e in catalog.experiments if e.name == run.experiment and e.campaign]
        found += [campaign.name for campaign in catalog.campaigns if run.experiment in campaign.experiments]
    return list(dict.fromkeys(found))


def _effects(run: Run, look: Look, linked: Mapping[str, Sequence[str]]) -> Iterator[Effect]:
    """Yield what a run that is over showed of its metric: of several arms, the first."""
    finding = look.of(run.metric, run.arms[1]) if run.over and len(run.arms) > 1 else None
    effect = finding.effect if finding else None
    if effect is None or effect.log_ratio is None or not effect.log_error:
        return
    sign = -1.0 if run.good == "down" else 1.0
    for campaign in linked[run.experiment]:
        yield Effect(campaign, run.metric, sign * effect.log_ratio, effect.log_error)


@contextmanager
def _tables(hub: Hub) -> Iterator[DuckDBPyConnection]:
    """Open the tables of a hub, up to date; of a store in memory they are in a folder that goes afterwards."""
    with TemporaryDirectory() as spare:
        folder = tables_of(hub) if hub.store.folder is not None else Path(spare)
        tables(hub, folder)
        with opened(folder) as (connection, _):
            yield connection
