"""Figures in words: their values in their unit, the range that is aimed at, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from opportune.console.words import Words
from opportune.figures.units import DAYS, days_in

NEXT = {
    "roi": ("What do holdouts say that attribution does not?", "/operations?view=attribution"),
    "velocity": ("Where does work wait?", "/operations?view=board"),
    "adoption": ("Which seats are idle?", "/operations?view=tools"),
    "quality": ("Which events are wrong?", "/data"),
    "conversion": ("Do leads wait for sales?", "/operations?view=health"),
    "budget": ("Which campaign is over its plan?", "/operations?view=board"),
}
"""What to look at next, by figure."""


MONEY, SHARES = (
    frozenset({"cost per conversion", "forecast at completion", "planned", "next euro"}),
    frozenset({"attributed", "gap", "allocated", "used well", "decided by the hub", "handed over", "accepted",
               "referrals", "without referrals", "same-period ratio", "not accepted yet"}),
)  # fmt: skip
"""Numbers beside figures that are money, or a share of something; those of a figure in days are days."""


def beside_said(one: dict[str, Any], figure: dict[str, Any], words: Words) -> tuple[str, str]:
    """Return a number that stands beside a figure, and its interval, in their unit."""
    name, currency = one["name"].replace("_", " "), figure.get("currency") or ""
    if one["value"] is None:
        return "not known", ""
    if name in MONEY and currency:
        low, high = one["interval"] or (None, None)
        ends = "" if low is None or high is None else f"{words.money(low, currency)} to {words.money(high, currency)}"
        return words.money(one["value"], currency), ends
    days = figure["unit"] == DAYS or name == "hand-over to sales"
    unit = "share" if name in SHARES else DAYS if days else ""
    return said(one["value"], unit, words), between(one["interval"], unit, words)


def said(value: float | None, unit: str, words: Words) -> str:
    """Return a value in its unit.

    >>> words = Words.of("en", "")
    >>> said(0.125, "share", words), said(12, "days", words), said(None, "", words)
    ('12.5%', '12 days', '–')
    >>> said(2.97e-05, "days", Words.of("en", ""))
    '2.6 s'
    """
    if value is None:
        return "–"
    if unit == DAYS:
        factor, unit = days_in(value)
        value *= factor
    return words.percent(value) if unit == "share" else f"{words.number(value)} {unit}".rstrip()


def between(interval: Sequence[float | None] | None, unit: str, words: Words) -> str:
    """Return an interval, "" for none; a side without a bound is said as such.

    >>> between((0.1, None), "share", Words.of("en", ""))
    '10% or more'
    """
    low, high = interval or (None, None)
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f"{said(low, unit, words)} or more" if high is None else f"{said(high, unit, words)} or less"
    return f"{said(low, unit, words)} to {said(high, unit, words)}"


def target(one: dict[str, Any], words: Words) -> str:
    """Return the range that a figure should lie in, whose that is, and why."""
    aim, unit = one["target"], one["unit"]
    if not aim:
        return "none; set one under targets: of the catalog"
    low, high = aim["atLeast"], aim["atMost"]
    lies = between((low, high), unit, words)
    return f"{lies} · {aim['owner']}: {aim['reason']}"


def what_to_do(one: dict[str, Any]) -> Markup:
    """Return the step that comes next."""
    text, link = NEXT[one["figure"]]
    if one["status"] == "out of range":
        lead = "Out of its range with its whole interval, so this is no chance. "
    elif one["status"] == "unclear":
        lead = "More data decide whether it is in its range. "
    else:
        lead = ""
    warned = Markup("").join(Markup("<br>{}").format(text) for text in one.get("warnings", ()))
    return Markup('{}<a href="{}">{}</a>{}').format(lead, link, text, warned)
