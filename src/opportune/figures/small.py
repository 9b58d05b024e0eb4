"""The small tables: what the live catalog says of the funnel, campaigns, budgets, tools and targets."""

from __future__ import annotations

from opportune.catalog.lab_types import Experiment
from opportune.catalog.types import Catalog
from opportune.clock import DAY
from opportune.figures.rows import Row, stages


def of_catalog(catalog: Catalog) -> dict[str, list[Row]]:
    """Return the rows of the small tables of a catalog, by table. Templates of campaigns are no campaigns."""
    funnel = catalog.funnel
    margin = "" if funnel.margin is None else f"{funnel.margin}"
    live = [campaign for campaign in catalog.campaigns if not campaign.template]
    return {
        "funnel": [
            (place, stage, event, funnel.window / DAY, margin) for place, (stage, event) in enumerate(stages(catalog))
        ],
        "arms": [
            (e.name, arm.name, place == 0, _campaign(catalog, e), arm.weight)
            for e in catalog.experiments
            for place, arm in enumerate(e.arms)
        ],
        "campaigns": [
            (c.name, c.title, c.owner, c.hypothesis, _channel(catalog, c.name), c.starts, c.ends, c.planned)
            for c in live
        ],
        "budget_lines": [(c.name, one.line, one.month, one.planned) for c in live for one in c.lines],
        "tools": [(t.name, t.category, t.owner, t.monthly, t.seats, t.starts, t.ends) for t in catalog.tools],
        "tool_features": [(tool.name, feature) for tool in catalog.tools for feature in tool.features],
        "targets": [
            (t.figure, *(t.by or (None, None)), t.at_least, t.at_most, t.owner, t.review, t.reason)
            for t in catalog.targets
        ],
    }  # fmt: skip


def _campaign(catalog: Catalog, experiment: Experiment) -> str:
    """Return the campaign that an experiment belongs to, by its own word or the campaign's; "" if to none."""
    named = (campaign.name for campaign in catalog.campaigns if experiment.name in campaign.experiments)
    return experiment.campaign or next(named, "")


def _channel(catalog: Catalog, campaign: str) -> str:
    """Return the channel that the actions of a campaign are made in; "" where there are several or none."""
    actions = [action for action in catalog.actions if action.campaign == campaign]
    found = {treatment.channel for action in actions for treatment in action.treatments}
    return found.pop() if len(found) == 1 else ""
