"""What waits for a person: tests that the gate lets pass, roll-outs that end, campaigns that need a yes."""

from __future__ import annotations

from urllib.parse import quote

from markupsafe import Markup

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.pages.trials import waits
from opportune.console.parts.card import card
from opportune.console.parts.figure import empty
from opportune.console.parts.later import later
from opportune.console.parts.shown import Shown, joined, worded
from opportune.console.parts.table import table
from opportune.wire.campaigning import CampaignInfo
from opportune.wire.trying import Freedom, LabStatus

MOST = 40
"""Campaigns whose checks are looked at."""

YES = ("someone_elses_approval", "learned", "evaluated")
"""Checks that only a person can pass."""

Waiting = tuple[LabStatus, list[CampaignInfo]]


def look(hub: Client) -> Waiting:
    """Return the tests, and the campaigns whose next stage misses a person's word alone."""
    living = [row.name for row in hub.campaigns() if row.living][:MOST]
    found = [hub.campaign(name) for name in living]
    return hub.lab_status(), [one for one in found if _missing(one) and {*_missing(one)} <= {*YES}]


def show(desk: Desk) -> None:
    """Build the view."""
    later(desk, "see lab", look, _draw)


def _draw(found: Waiting) -> None:
    status, campaigns = found
    with card("Waiting for a person"):
        Shown[Waiting](lambda told: _waiting(*told)).show((status, campaigns))
    with card("What learns freely, and what does not"):
        Shown[list[Freedom]](lambda each: table(
            "What learns freely", ("what", "what changes it", "what bounds that"),
            ((one.what, one.learns, worded(one.bound)) for one in each))).show(status.freedoms)  # fmt: skip


def _waiting(status: LabStatus, campaigns: list[CampaignInfo]) -> Markup:
    lines = [
        _line("test", f"/lab?test={quote(one.name, safe='')}", one.name,
              f"the gate lets {', '.join(waits(one))} pass; somebody other than {one.owner or 'its owner'} decides")
        for one in status.experiments if waits(one)
    ]  # fmt: skip
    lines += [
        _line("roll-out", f"/lab?test={quote(one.name, safe='')}", one.name, text)
        for one in status.experiments for text in one.alerts
    ]  # fmt: skip
    lines += [
        _line("campaign", f"/operations?campaign={quote(one.row.name, safe='')}", one.row.title or one.row.name,
              f"to enter {one.following}: {', '.join(_missing(one)).replace('_', ' ')}") for one in campaigns
    ]  # fmt: skip
    if not lines:
        return empty(
            "Nothing waits for you.", "A test that the gate lets pass, and a campaign that lacks a yes, stand here."
        )
    return Markup('<ul class="attention">{}</ul>').format(joined(lines))


def _missing(one: CampaignInfo) -> list[str]:
    return [check.check for check in one.checks if not check.passed]


def _line(kind: str, link: str, name: str, text: str) -> Markup:
    return Markup('<li><span class="tag warn">{}</span><div><a class="strong" href="{}">{}</a>'
                  '<div class="small soft">{}</div></div></li>').format(kind, link, name, text)  # fmt: skip
