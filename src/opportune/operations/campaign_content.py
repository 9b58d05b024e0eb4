"""What is approved of a campaign: everything that it says and does, as one hash."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

from opportune.catalog.action_sections import written
from opportune.catalog.campaign_sections import campaign_data
from opportune.catalog.campaign_types import Campaign
from opportune.catalog.experiment_sections import write_experiments
from opportune.catalog.lab_types import Experiment
from opportune.catalog.types import Action, Catalog
from opportune.deliver.standards import content_hash

BESIDE = ("owner", "tasks", "tags", "learned", "process")
"""The keys of a campaign that may change without its approvals coming to an end."""


def actions_of(catalog: Catalog, campaign: str) -> tuple[Action, ...]:
    """Return the actions that belong to a campaign."""
    return tuple(action for action in catalog.actions if action.campaign == campaign)


def experiments_of(catalog: Catalog, campaign: Campaign) -> tuple[Experiment, ...]:
    """Return the experiments that belong to a campaign: those it names, and those that name it."""
    return tuple(e for e in catalog.experiments if e.name in campaign.experiments or e.campaign == campaign.name)


def approved_content(catalog: Catalog, campaign: Campaign) -> str:
    """Return 16 hex digits that change with whatever an approval is of.

    That is goal, brief, dates and budget of the campaign, each action of it with its conditions, texts and the blocks
    that they render, and its experiments. The first 64 bits of the SHA-256 of canonical JSON: layout, comments and
    order of keys do not count.
    """
    actions = actions_of(catalog, campaign.name)
    tested = write_experiments(replace(catalog, experiments=experiments_of(catalog, campaign)))
    told = [
        {key: value for key, value in campaign_data(campaign).items() if key not in BESIDE},
        [{key: value for key, value in written(one).items() if key != "approved"} for one in actions],
        [content_hash(catalog, action) for action in actions],
        tested,
    ]
    text = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
