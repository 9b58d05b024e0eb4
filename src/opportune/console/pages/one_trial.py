"""One test: every look with its interval, whether arms are even, what is missing to decide, and who does it."""

from __future__ import annotations

from math import ceil, floor

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.pages.trial_acts import Acts
from opportune.console.pages.trials import RUNS, TONES, ratio, waits
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.intervals import Value, intervals
from opportune.console.parts.later import Again
from opportune.console.parts.lively import lively, probed
from opportune.console.parts.shown import Shown, joined, worded
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.errors import NotFound
from opportune.wire.trying import ExperimentInfo, LabFinding, LabLack, LabLook, OutlookInfo

Told = tuple[ExperimentInfo | None, list[LabLook], OutlookInfo]
WIDEST = 3.0
"""Shares at which wide intervals of early looks are cut off: they know next to nothing."""


def show(desk: Desk, name: str) -> None:
    """Build the page of a test, started or not."""

    def whole(hub: Client) -> Told:
        return *_stands(hub, name), hub.experiment_outlook(name)

    look = probed(lambda hub: _stands(hub, name), whole)
    again = lively(desk, "see lab", f"test {name}", look, lambda found: _draw(desk, name, found, lambda: again()))


def _stands(hub: Client, name: str) -> tuple[ExperimentInfo | None, list[LabLook]]:
    try:
        return hub.experiment(name), hub.experiment_looks(name)
    except NotFound:
        return None, []


def _draw(desk: Desk, name: str, told: Told, again: Again) -> None:
    one, looks, _ = told
    words = desk.words
    with ui.element("div").classes("head"):
        with ui.element("h2").style("font-size: var(--t-title)"):
            ui.label(name)
        Shown[ExperimentInfo | None](_head).show(one)
    with card("How it stands"):
        Shown[Told](lambda each: _figures(*each, words)).show(told)
    if one is not None:
        for text in one.alerts:
            Shown[str](lambda alert: Markup('<p class="note warn">{}</p>').format(alert)).show(text)
        _intervals(one, looks, words)
    with ui.element("div").classes("two"):
        with ui.element("div").classes("stack"):
            if one is not None and one.look is not None:
                with card("The last look", lambda: _save(name, looks)):
                    Shown[LabLook](lambda look: _look(look, words)).show(one.look)
        with ui.element("div").classes("stack"):
            if one is not None and one.status in RUNS:
                with card("What is missing to roll it out"):
                    Shown[ExperimentInfo](lambda each: _missing(each, words)).show(one)
            Acts(desk, name, one, again)


def _head(one: ExperimentInfo | None) -> Markup:
    if one is None:
        return Markup('<span class="tag">not started</span>')
    owner = f"of {one.owner}" if one.owner else ""
    belief = Markup('<a href="/lab?hypothesis={0}">{0}</a>').format(one.hypothesis) if one.hypothesis else Markup("")
    return Markup('<span class="tag {}">{}</span> <span class="soft">{}</span> {}').format(
        TONES.get(one.status, ""), one.status, owner, belief
    )


def _figures(one: ExperimentInfo | None, looks: list[LabLook], outlook: OutlookInfo, words: Words) -> Markup:
    needed = figure(
        "The plan takes", words.number(outlook.needed) if outlook.needed else outlook.reason or "not known",
        "Customers who tell the effect that is expected with power .8, by what the metric was before.",
        f"finds {words.percent(outlook.finds)} or more" if outlook.finds else "", none=not outlook.needed,
    )  # fmt: skip
    if one is None:
        return Markup('<div class="grid">{}</div>').format(needed)
    count = sum(one.look.arms.values()) if one.look else 0
    power = f"{words.percent(count / outlook.needed, 0)} of the plan" if outlook.needed else ""
    crossed = f"{one.look.crossed} met two arms and are left out" if one.look and one.look.crossed else ""
    figures = (
        figure("Customers", words.number(count), "Who could have told the difference, and so count.", power or crossed),
        needed,
        figure("Looks", words.number(len(looks)), "Each is kept; the intervals hold however often one looks."),
        figure("Share", words.percent(one.share, 0), "Of the layer's customers, who may be in it."),
    )
    return Markup('<div class="grid">{}</div>{}').format(joined(figures), _sample(one, words))


def _sample(one: ExperimentInfo, words: Words) -> Markup:
    if one.look is None or not one.look.arms:
        return Markup("")
    whole = sum(one.look.arms.values()) or 1
    bars = joined(
        Markup('<i style="width: {:.2f}%" title="{} {}"></i>').format(100 * count / whole, arm, count)
        for arm, count in one.look.arms.items()
    )
    told = ", ".join(f"{arm} {words.number(count)}" for arm, count in one.look.arms.items())
    return Markup(
        '<div class="sample" role="img" aria-label="Customers by arm: {}">{}</div><p class="small">{} {}</p>'
    ).format(told, bars, told, ratio(one, words))


def _intervals(one: ExperimentInfo, looks: list[LabLook], words: Words) -> None:
    arms = {(each.name, each.arm): each for look in looks for each in look.metrics if not each.guardrail}
    for name, arm in arms:
        points = [
            Value(words.day(look.at), each.relative, *each.relative_interval)
            for look in looks for each in look.metrics
            if (each.name, each.arm) == (name, arm) and each.relative is not None and each.relative_interval is not None
        ]  # fmt: skip
        with ui.element("section").classes("card"):
            if points:
                known = [end for each in points for end in (each.low, each.high) if end is not None]
                low, high = min(known, default=-1.0), max(known, default=1.0)
                ends = (floor(10 * max(low, -1.0)) / 10, ceil(10 * min(high, WIDEST)) / 10)
                intervals(f"{name}, {arm} against control, look by look", f"looks-{one.name}-{arm}",
                          f"Relative effect of {arm} on {name} at each look, with intervals that hold at all of them",
                          points, words, along=True, ends=ends)  # fmt: skip
            else:
                Shown[str](lambda text: empty(text, "A look shows an effect once both arms have customers.")).show(
                    f"No look has shown what {arm} does to {name} yet."
                )


def _look(look: LabLook, words: Words) -> Markup:
    rows = (
        (each.name + (" (guardrail)" if each.guardrail else ""), each.arm,
         Markup('<span class="tag {}">{}</span>').format("bad" if each.harm else _tone(each), each.verdict),
         words.number(each.control_value, 3), words.number(each.value, 3), each.sentence) for each in look.metrics
    )  # fmt: skip
    heads = ("metric", "arm", "verdict", "control", "with it", ("in words", "The p-value holds at any time."))
    at = Markup('<p class="soft small">of {}</p>').format(words.whole(look.at))
    return table("The last look", heads, rows, right={3, 4}) + at


def _tone(each: LabFinding) -> str:
    return {"better": "good", "worse": "bad"}.get(each.verdict, "")


def _missing(one: ExperimentInfo, words: Words) -> Markup:
    if waits(one):
        told = f"The gate lets {', '.join(waits(one))} pass. Somebody who does not own the test decides."
        return Markup('<p class="note">{}</p>').format(told)
    if not one.missing:
        return empty("Nobody looked yet.", "Look at it now, and what is missing is told here.")
    lacks = (
        Markup('<li><span class="tag">{}</span><div>{}<div class="small soft">{}{}</div></div></li>').format(
            arm, worded(lack.what), worded(lack.cure), _more(lack, words)
        )
        for arm, missing in one.missing.items() for lack in missing
    )  # fmt: skip
    return Markup('<ul class="checks">{}</ul>').format(joined(lacks))


def _more(lack: LabLack, words: Words) -> str:
    return f": {words.number(lack.more)} more customers" if lack.more else ""


def _save(name: str, looks: list[LabLook]) -> None:
    rows = [
        (look.at, each.name, each.arm, each.guardrail, each.control_value, each.value, each.relative,
         *(each.relative_interval or (None, None)), each.p, each.verdict, look.sample_ratio.p)
        for look in looks for each in look.metrics
    ]  # fmt: skip
    heads = [
        "at",
        "metric",
        "arm",
        "guardrail",
        "control",
        "value",
        "effect",
        "low",
        "high",
        "p",
        "verdict",
        "sample ratio p",
    ]
    download_csv(f"looks-{name}", heads, rows)
