"""One hypothesis: each flow with its effect, all of them pooled, what the next one will show, and what to test next."""

from __future__ import annotations

from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.pages.beliefs import EVERY, MEANINGS, TONES, counted, effect_of
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.intervals import Value, intervals
from opportune.console.parts.lively import lively
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.errors import NotFound
from opportune.wire.trying import HypothesisInfo, NextTest

WIDEST = 2.0
"""What an interval may reach beyond the others before it is cut off: 200%."""


def show(desk: Desk, name: str) -> None:
    """Build the page of a hypothesis."""

    def look(hub: Client) -> HypothesisInfo:
        found = next((one for one in hub.hypotheses() if one.name == name), None)
        if found is None:
            raise NotFound(f"there is no hypothesis {name!r}; choose one of the list")
        return found

    lively(desk, "see lab", f"hypothesis {name}", look, lambda found: _draw(desk, found), EVERY)


def _draw(desk: Desk, one: HypothesisInfo) -> None:
    words = desk.words
    with ui.element("div").classes("head"):
        with ui.element("h2").style("font-size: var(--t-title)"):
            ui.label(one.claim)
        Shown[HypothesisInfo](lambda told: Markup('<span class="tag {}" title="{}">{}</span>').format(
            TONES.get(told.status, ""), MEANINGS.get(told.status, ""), told.status)).show(one)  # fmt: skip
    Shown[HypothesisInfo](_about).show(one)
    with card("All flows together"):
        Shown[HypothesisInfo](lambda told: _pooled(told, words)).show(one)
    flows = [flow for flow in one.flows if flow.relative is not None and flow.relative_interval is not None]
    with ui.element("section").classes("card"):
        if flows:
            values = [
                Value(f"{f.experiment} {f.arm}", f.relative or 0.0, *(f.relative_interval or (None, None)))
                for f in flows
            ]
            if one.effect is not None:
                values.append(Value("all flows", one.effect, *(one.interval or (None, None)), sum=True))
            if one.effect is not None and one.next_flow is not None:
                values.append(Value("the next flow", one.effect, *one.next_flow, sum=True))
            meaning = f"Effect on {one.metric} by flow, with 95% intervals"
            intervals("Flow by flow", f"flows-{one.name}", meaning, values, words, ends=_ends(values))
        else:
            Shown[str](lambda text: empty("No flow has been read.", text)).show(
                "Evidence is that of tests that are over: run one, and decide it."
            )
    with ui.element("div").classes("two"):
        with card("Flows", lambda: _save(one)):
            Shown[HypothesisInfo](lambda told: _flows(told, words)).show(one)
        with ui.element("div").classes("stack"):
            with card("What was learned"):
                Shown[HypothesisInfo](lambda told: Markup('<ul class="lineage">{}</ul>').format(joined(
                    Markup("<li>{}</li>").format(text) for text in told.learned))).show(one)  # fmt: skip
            with card("What to test next"):
                place = Shown[NextTest | None](_next, live=True)
                place.show(None)

                async def ask() -> None:
                    found = await desk.ask("see lab", lambda hub: hub.next_test(one.name))
                    if found is not None:
                        place.show(found)

                with ui.element("div").classes("row").style("margin-top: var(--s3)"):
                    button("Find it", ask)


def _ends(values: list[Value]) -> tuple[float, float] | None:
    """Return where to cut off, so that one flow that knows nothing does not squeeze the others; None: nowhere."""
    known = [end for one in values for end in (one.low, one.high, one.value) if end is not None]
    high = min(max(known), max(WIDEST, 2 * max(one.value for one in values)))
    return (min(min(known), 0.0), high) if high < max(known) else None


def _about(one: HypothesisInfo) -> Markup:
    around = [("from", name) for name in (one.parent,) if name] + [("led to", name) for name in one.children]
    links = (
        Markup('<span>{} <a href="/lab?hypothesis={}">{}</a></span>').format(how, quote(name, safe=""), name)
        for how, name in around
    )
    return Markup('<p><span class="soft">because</span> {}</p><p class="row small">{}</p>').format(
        one.because, joined(links)
    )


def _pooled(one: HypothesisInfo, words: Words) -> Markup:
    ends = one.interval or (None, None)
    figures = (
        figure("Mean effect", effect_of(one.effect, words) if one.effect is not None else "not known yet",
               f"Of all flows on {one.metric}, relative to control (Hartung and Knapp).",
               f"{effect_of(ends[0], words)} to {effect_of(ends[1], words)}" if one.effect is not None else "",
               none=one.effect is None),
        figure("Flows", words.number(len(counted(one))), "Tests that are over and were read; failed ones count, too.",
               f"about {one.more_flows} more decide" if one.more_flows else ""),
        figure("Flows differ", words.percent(one.i2, 0) if one.i2 is not None else "not known yet",
               "I²: the share of the variance of estimates that is true difference between flows.",
               none=one.i2 is None),
        figure("The next flow", " to ".join(effect_of(end, words) for end in one.next_flow or ()) or "not known",
               "Where a new flow's effect lies, by what the flows so far show.", none=True),
        figure("Evidence", f"{words.number(one.evidence)} to 1",
               "For an effect in the wanted direction against none; 20 to 1 is taken for sure, whenever one looks."),
    )  # fmt: skip
    return Markup('<p class="strong">{}</p><div class="grid" style="margin-top: var(--s3)">{}</div>').format(
        one.sentence, joined(figures)
    )


def _flows(one: HypothesisInfo, words: Words) -> Markup:
    if not one.flows:
        return empty("Nothing was tested yet.", "Write an experiment that names this hypothesis, and start it.")
    rows = (
        (Markup('<a href="/lab?test={}">{}</a> {}').format(quote(flow.experiment, safe=""), flow.experiment, flow.arm),
         flow.outcome, flow.sentence, flow.reason, words.day(flow.started)) for flow in one.flows
    )  # fmt: skip
    return table("Flows", ("test and arm", "outcome", "what it showed", "what was said", "began"), rows)


def _next(found: NextTest | None) -> Markup:
    if found is None:
        return empty("Which test would bring most?", "The hub weighs what a test would tell, and what that is worth.")
    if not found.hypothesis:
        return empty("That is not known.", found.reason)
    return Markup('<p><a class="strong" href="/lab?hypothesis={}">{}</a>: {}</p><pre class="file">{}</pre>').format(
        quote(found.hypothesis, safe=""), found.hypothesis, found.reason, found.yaml
    )


def _save(one: HypothesisInfo) -> None:
    rows = [(f.experiment, f.arm, f.started, f.outcome, f.relative, *(f.relative_interval or (None, None)), f.sentence,
             f.reason) for f in one.flows]  # fmt: skip
    heads = ["test", "arm", "began", "outcome", "effect", "low", "high", "what it showed", "what was said"]
    download_csv(f"flows-{one.name}", heads, rows)
