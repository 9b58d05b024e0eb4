"""The health check: five questions about the whole operation, the worst answer first, with evidence and cure."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.pages.figure_words import between, said
from opportune.console.parts.button import button
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import figure
from opportune.console.parts.later import later
from opportune.console.parts.shown import Shown, joined, worded
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.equipping import HealthCheckInfo, OperationHealth

TONES = {"ill": "bad", "watch": "warn", "fine": "good", "unknown": ""}
MEANINGS = {
    "ill": "it surely is so: something is to be done",
    "watch": "it may become so: look at it",
    "fine": "it surely is not so",
    "unknown": "data are missing, or too few to tell",
}
CODE = 3
"""Letters of the code of a currency."""

MOST = 10
"""Cases that are shown of a check."""


def show(desk: Desk) -> None:
    """Build the view."""
    later(desk, "see operations", lambda hub: hub.health_check(), lambda found: _draw(desk, found))


def _draw(desk: Desk, found: OperationHealth) -> None:
    counts = {status: sum(one.status == status for one in found.checks) for status in TONES}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    with ui.element("div").classes("card-head"):
        ui.label(f"{told}; as of {desk.words.whole(found.at)}").classes("soft")
        button("csv", lambda: _save(found), quiet=True, help="Save the health check as csv")
    for one in found.checks:
        with ui.element("section").classes("card"):
            Shown[HealthCheckInfo](lambda check: _check(check, desk.words)).show(one)


def _check(one: HealthCheckInfo, words: Words) -> Markup:
    head = Markup('<div class="card-head"><h2>{}</h2><span class="tag {}" title="{}">{}</span></div>').format(
        one.title, TONES[one.status], MEANINGS[one.status], one.status
    )
    figures = joined(
        figure(_named(each.name), _value(each.value, each.unit, words), f"{each.name} {each.meaning}",
               ", ".join(part for part in (_unit(each.unit), between(each.interval, _scale(each.unit), words)) if part))
        for each in one.evidence if each.value is not None
    )  # fmt: skip
    evidence = Markup('<div class="grid">{}</div>').format(figures) if figures else Markup("")
    missing = Markup('<p class="soft">Not known: {}</p>').format(worded(one.missing)) if one.missing else Markup("")
    cure = Markup('<p class="note"><b>Next:</b> {}</p>').format(_command(one.cure)) if one.cure else Markup("")
    told = Markup('<p class="strong">{}</p>').format(one.sentence) + evidence + missing + _rows(one, words) + cure
    return head + Markup('<div class="stack" style="gap: var(--s3)">{}</div>').format(told)


def _command(cure: str) -> Markup:
    return Markup("<code>{}</code>").format(cure) if cure.startswith("opportune ") and "," not in cure else worded(cure)


def _rows(one: HealthCheckInfo, words: Words) -> Markup:
    if not one.rows:
        return Markup("")
    heads = [*one.rows[0]]
    rows = ([_cell(row.get(head), words) for head in heads] for row in one.rows[:MOST])
    more = f" of {len(one.rows)}" if len(one.rows) > MOST else ""
    return Markup("<details><summary>{}{} {}</summary>{}</details>").format(
        min(len(one.rows), MOST), more, "case" if len(one.rows) == 1 else "cases",
        table(f"Cases of {one.title}", [head.replace("_", " ") for head in heads], rows),
    )  # fmt: skip


def _cell(value: Any, words: Words) -> str:
    if value is None or isinstance(value, bool):
        return {None: "–", True: "yes", False: "no"}[value]
    return words.number(value, 2) if isinstance(value, int | float) else str(value)


def _named(name: str) -> str:
    spaced = name.replace("_", " ")
    return spaced[:1].upper() + spaced[1:]


def _scale(unit: str) -> str:
    return "share" if unit.partition(" ")[0] in ("share", "relative") else ""


def _unit(unit: str) -> str:
    kind, _, more = unit.partition(" ")
    return more if kind in ("share", "relative", "elasticity") or _currency(unit) else unit


def _currency(unit: str) -> str:
    """Return the currency of money such as EUR a month; "" where it is none."""
    kind = unit.partition(" ")[0]
    return kind if len(kind) == CODE and kind.isupper() else ""


def _value(value: float, unit: str, words: Words) -> str:
    if currency := _currency(unit):
        return words.money(value, currency)
    return said(value, _scale(unit), words)


def _save(found: OperationHealth) -> None:
    rows = [
        (one.check, one.status, one.sentence, each.name, each.value, *(each.interval or (None, None)), each.unit,
         one.cure)
        for one in found.checks for each in one.evidence
    ]  # fmt: skip
    rows += [(one.check, one.status, one.sentence, "", None, None, None, "", one.cure) for one in found.checks
             if not one.evidence]  # fmt: skip
    download_csv("health-check", ["check", "status", "what", "number", "value", "low", "high", "unit", "next"], rows)
