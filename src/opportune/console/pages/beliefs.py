"""Hypotheses as a lineage: what came from what, how sure each is, and past learning, searched by words."""

from __future__ import annotations

from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui
from nicegui.element import Element

from opportune.console.frame import Desk
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty
from opportune.console.parts.lively import lively
from opportune.console.parts.shown import Shown, joined
from opportune.console.words import Words
from opportune.wire.trying import HypothesisInfo

TONES = {"supported": "good", "refuted": "bad", "none": "", "depends": "warn", "inconclusive": "accent", "open": ""}
MEANINGS = {
    "supported": "the mean effect over flows is surely in the wanted direction",
    "refuted": "it is surely smaller than what would matter",
    "none": "it is surely smaller than what would matter, in both directions",
    "depends": "flows truly differ, and in some the effect goes the other way",
    "inconclusive": "none of these yet; one flow alone, however clear, says nothing of others",
    "open": "no flow has been read",
}
EXAMPLE = "opportune lab new early_reminder --owner ana"
EVERY = 15.0
"""Seconds between two looks."""

DEEPEST = 6
"""Generations that are set in."""


def show(desk: Desk) -> None:
    """Build the view; what is searched for is in the address."""
    asked = desk.query.get("find", "")[:200]
    _search(asked)
    lively(desk, "see lab", "hypotheses", lambda hub: hub.hypotheses(), lambda found: _draw(desk, asked, found),
           EVERY)  # fmt: skip


def _search(asked: str) -> None:
    with Element("form").props("method=get action=/lab role=search").classes("row").style("align-items: end"):
        field = Element("input").classes("field").style("flex: 1 1 220px; max-width: 420px")
        field._props.update({
            "name": "find", "type": "search", "defaultValue": asked, "autocomplete": "off",
            "aria-label": "Search what was believed, tested and learned",
            "placeholder": "words of a claim, a reason, a test or what was learned",
        })  # fmt: skip
        with ui.element("button").classes("button primary").props("type=submit"):
            ui.label("Search")


def _draw(desk: Desk, asked: str, found: list[HypothesisInfo]) -> None:
    shown = [one for one in found if matches(one, asked)]
    title = f"{len(shown)} of {len(found)} hypotheses" if asked else "Hypotheses"
    with card(title, lambda: _save(found)):
        Shown[list[HypothesisInfo]](lambda each: _lineage(each, asked, desk.words)).show(shown)


def matches(one: HypothesisInfo, asked: str) -> bool:
    """Return whether each word of a search is somewhere in a hypothesis, its tests, or what they taught."""
    said = [one.name, one.claim, one.because, one.metric, one.status, one.sentence, *one.learned]
    said += [
        part for flow in one.flows for part in (flow.experiment, flow.arm, flow.outcome, flow.sentence, flow.reason)
    ]
    whole = " ".join(said).casefold()
    return all(word in whole for word in asked.casefold().split())


def _lineage(found: list[HypothesisInfo], asked: str, words: Words) -> Markup:
    if not found and asked:
        return empty(
            f"Nobody learned anything of {asked} yet.", "Search for other words, or leave the field empty to see all."
        )
    if not found:
        return empty("Nothing is believed yet.", "Write what you believe, why, and how it could be tested:", EXAMPLE)
    return Markup('<ul class="lineage">{}</ul>').format(
        joined(_line(one, 0 if asked else one.depth, words) for one in found)
    )


def _line(one: HypothesisInfo, depth: int, words: Words) -> Markup:
    low, high = (effect_of(end, words) for end in one.interval or (None, None))
    flows = "1 flow" if len(counted(one)) == 1 else f"{len(counted(one))} flows"
    mean = f"{effect_of(one.effect, words)} [{low} to {high}] over {flows}"
    effect = mean if one.effect is not None else ""
    origin = Markup(' <span class="soft small">from {}</span>').format(one.parent) if one.parent else Markup("")
    learned = joined(Markup('<div class="small soft">{}</div>').format(text) for text in one.learned[1:4])
    return Markup(
        '<li style="margin-left: calc({} * var(--s5))"><div class="row">'
        '<a class="strong" href="/lab?hypothesis={}">{}</a>'
        '<span class="tag {}" title="{}">{}</span>{}</div><div class="small"><span class="soft">because</span> {}</div>'
        '<div class="small"><span class="soft">on</span> {} <span class="strong">{}</span></div>{}</li>'
    ).format(
        min(depth, DEEPEST), quote(one.name, safe=""), one.claim, TONES.get(one.status, ""),
        MEANINGS.get(one.status, ""), one.status, origin, one.because, one.metric, effect, learned,
    )  # fmt: skip


def counted(one: HypothesisInfo) -> list[str]:
    """Return the tests of a hypothesis that are evidence: those that are over and were read."""
    return [flow.experiment for flow in one.flows if flow.relative is not None]


BOUNDLESS = 100.0


def effect_of(value: float | None, words: Words) -> str:
    """Return a relative effect with its sign; what lies beyond 100 times control bounds nothing.

    >>> effect_of(0.2, Words.of("en", "")), effect_of(-0.05, Words.of("en", "")), effect_of(None, Words.of("en", ""))
    ('+20%', '-5%', 'no bound')
    >>> effect_of(741_000.0, Words.of("en", ""))
    'no bound'
    """
    if value is None or value > BOUNDLESS:
        return "no bound"
    return f"{'+' if value > 0 else ''}{words.percent(value)}"


def _save(found: list[HypothesisInfo]) -> None:
    rows = [(one.name, one.parent, one.claim, one.because, one.metric, one.status, one.evidence, one.effect,
             *(one.interval or (None, None)), "; ".join(one.learned)) for one in found]  # fmt: skip
    heads = [
        "hypothesis",
        "parent",
        "claim",
        "because",
        "metric",
        "status",
        "evidence",
        "effect",
        "low",
        "high",
        "learned",
    ]
    download_csv("hypotheses", heads, rows)
