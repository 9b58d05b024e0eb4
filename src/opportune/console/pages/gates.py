"""What waits for a person, with the act right there: tests that the gate lets pass, roll-outs that end, campaigns that
need a yes."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.pages import trial_acts
from opportune.console.pages.campaign import check_words
from opportune.console.pages.trials import waits
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.confirm import confirmed
from opportune.console.parts.field import Field
from opportune.console.parts.figure import empty
from opportune.console.parts.later import Again
from opportune.console.parts.lively import lively, probed
from opportune.console.parts.shown import Shown, worded
from opportune.console.parts.table import table
from opportune.wire.campaigning import CampaignInfo
from opportune.wire.trying import ExperimentInfo, Freedom, LabStatus

MOST = 40
"""Campaigns whose checks are looked at."""

EVERY = 15.0
"""Seconds between two looks."""

APPROVAL = "someone_elses_approval"
YES = (APPROVAL, "learned", "evaluated")
"""Checks that only a person can pass."""

Waiting = tuple[LabStatus, list[CampaignInfo]]


def look(hub: Client) -> Waiting:
    """Return the tests, and the campaigns whose next stage misses a person's word alone."""
    found = [hub.campaign(name) for name in _living(hub)]
    return hub.lab_status(), [one for one in found if _missing(one) and {*_missing(one)} <= {*YES}]


def _living(hub: Client) -> list[str]:
    return [row.name for row in hub.campaigns() if row.living][:MOST]


def show(desk: Desk) -> None:
    """Build the view."""
    asked = probed(lambda hub: ([hub.campaign(one, checks=False) for one in _living(hub)], hub.lab_status()), look)
    again = lively(desk, "see lab", "gates", asked, lambda found: _draw(desk, *found, lambda: again()), EVERY)


def _draw(desk: Desk, status: LabStatus, campaigns: list[CampaignInfo], again: Again) -> None:
    tests = [one for one in status.experiments if waits(one)]
    ending = [(one, text) for one in status.experiments for text in one.alerts]
    with card("Waiting for a person"):
        if not (tests or ending or campaigns):
            Shown[str](lambda text: empty("Nothing waits for you.", text)).show(
                "A test that the gate lets pass, and a campaign that lacks a yes, stand here."
            )
        for one in tests:
            _test(desk, one, again)
        for one, text in ending:
            _line("roll-out", f"/lab?test={quote(one.name, safe='')}", one.name, text)
        for each in campaigns:
            _campaign(desk, each, again)
    with card("What learns freely, and what does not"):
        Shown[list[Freedom]](lambda each: table(
            "What learns freely", ("what", "what changes it", "what bounds that"),
            ((one.what, one.learns, worded(one.bound)) for one in each))).show(status.freedoms)  # fmt: skip


def _test(desk: Desk, one: ExperimentInfo, again: Again) -> None:
    by = desk.session.name
    text = f"the gate lets {', '.join(waits(one))} pass; somebody other than {one.owner or 'its owner'} decides"

    async def decide(arm: str, why: Field) -> None:
        effect = (
            f"{arm} is what everybody in its audience gets until it expires, if the gate still lets it pass."
            if arm else "The test is over, and everybody gets what control gets."
        )  # fmt: skip
        if await confirmed(f"Roll out {arm}?" if arm else "Keep control?", effect, "Decide") and await desk.does(
            "decide tests", f"{one.name}: {arm or 'control'}",
            lambda hub: trial_acts.decide(hub, one.name, by, arm, why.value.strip(), []),
        ):  # fmt: skip
            await again()

    with _line("test", f"/lab?test={quote(one.name, safe='')}", one.name, text):
        if desk.may("decide tests"):
            with ui.element("div").classes("what-if"):
                why = Field("because", hint="what was learned")
                for arm in waits(one):
                    act = f"Roll out {arm}"
                    button(act, partial(decide, arm, why), primary=True, help=f"{act} of {one.name}")
                button("Keep control", partial(decide, "", why), help=f"Keep control of {one.name}")


def _campaign(desk: Desk, one: CampaignInfo, again: Again) -> None:
    name, by = one.row.name, desk.session.name
    missing = _missing(one)
    text = f"to enter {one.following}: {', '.join(check_words(check) for check in missing)}"

    async def approve() -> None:
        effect = (
            f"You say that {name} may go live as it is now: goal, brief, dates, budget, actions with their texts, and "
            "experiments. Read it first. When any of that changes, the approval ends."
        )
        if await confirmed(f"Approve {name}?", effect, "Approve it as it is") and await desk.does(
            "approve campaigns", name, lambda hub: hub.approve_campaign(name, by, content=one.content)
        ):
            await again()

    with _line("campaign", f"/operations?campaign={quote(name, safe='')}", one.row.title or name, text):
        if APPROVAL in missing and desk.may("approve campaigns"):
            with ui.element("div").classes("row"):
                button("Approve it as it is", approve, help=f"Approve {name} as it is")
        for check in one.checks:
            if not check.passed and check.check != APPROVAL and check.cure:
                Shown[str](lambda cure: Markup('<div class="small">{}</div>').format(worded(cure))).show(check.cure)


def _line(kind: str, link: str, name: str, text: str) -> ui.element:
    """Add what waits, and return the place for what can be done about it."""
    with ui.element("div").classes("waits"):
        Shown[str](lambda told: Markup(
            '<div class="row"><span class="tag warn">{}</span><a class="strong" href="{}">{}</a></div>'
            '<div class="small soft">{}</div>').format(kind, link, name, told)).show(text)  # fmt: skip
        return ui.element("div")


def _missing(one: CampaignInfo) -> list[str]:
    return [check.check for check in one.checks if not check.passed]
