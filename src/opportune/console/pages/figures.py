"""The six figures with their intervals and targets, and what to do; one of them by what it can be told by."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.pages.figure_words import beside_said, between, said, target, what_to_do
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty
from opportune.console.parts.intervals import Value, intervals
from opportune.console.parts.lively import lively
from opportune.console.parts.query import query
from opportune.console.parts.shown import Shown, joined, worded
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.informing import AlertInfo, TargetInfo

SPANS = {"": "all the time", "28d": "28 days", "90d": "90 days", "365d": "a year"}
TONES = {"in range": "good", "out of range": "bad", "unclear": "warn", "no target": ""}
OWN = ("key", "value", "interval", "n", "reason", "target", "status")
EVERY = 60.0
"""Seconds between two counts: each exports what is new and asks all tables."""

MOST = 40
"""Rows that are drawn."""


def show(desk: Desk) -> None:
    """Build the view: all six, or the one that the address names."""
    name, since, by = (desk.query.get(part, "") for part in ("figure", "since", "by"))
    if name:

        def look(hub: Client) -> tuple[dict[str, Any], list[TargetInfo], list[AlertInfo]]:
            return hub.figure(name, since, by=by), hub.targets(), hub.figure_alerts()

        lively(desk, "see operations", f"figure {name} {since} {by}", look, lambda found: _one(desk, *found), EVERY,
               lambda found: (_timeless(found[0]), found[1:]))  # fmt: skip
        return

    def all_of(hub: Client) -> tuple[list[dict[str, Any]], list[AlertInfo]]:
        return hub.figures(since), hub.figure_alerts()

    Shown[str](
        lambda now: _chosen("Time", [(title, {"since": span}, span == now) for span, title in SPANS.items()])
    ).show(since)
    lively(desk, "see operations", f"figures {since}", all_of, lambda found: _six(desk, *found), EVERY,
           lambda found: ([_timeless(one) for one in found[0]], found[1]))  # fmt: skip


def _timeless(one: dict[str, Any]) -> dict[str, Any]:
    """Return what of a figure is news when it is another one."""
    return {key: value for key, value in one.items() if key not in ("asOf", "data")}


def _six(desk: Desk, found: list[dict[str, Any]], alerts: list[AlertInfo]) -> None:
    words = desk.words
    with ui.element("div").classes("row ends"):
        button("csv", lambda: _save_six(found), quiet=True, help="Save the six figures as csv")
    Shown[list[dict[str, Any]]](lambda each: Markup('<div class="six">{}</div>').format(
        joined(_card(one, words, desk.query.get("since", "")) for one in each))).show(found)  # fmt: skip
    with card("What was told", lambda: _save_alerts(alerts)):
        Shown[list[AlertInfo]](lambda told: _alerts(told, words)).show(alerts)


def _card(one: dict[str, Any], words: Words, since: str) -> Markup:
    query = urlencode({"view": "figures", "figure": one["figure"], **({"since": since} if since else {})})
    value = said(one["value"], one["unit"], words) if one["value"] is not None else "no number yet"
    time = SPANS.get(since, since)
    interval = between(one["interval"], one["unit"], words)
    status = Markup('<span class="tag {}">{}</span>').format(TONES[one["status"]], one["status"])
    aim = Markup('<p class="small"><span class="soft">Target:</span> {}</p>').format(target(one, words))
    reason = Markup('<p class="small soft">{}</p>').format(one["reason"]) if one["reason"] else Markup("")
    known = [each for each in one["beside"] if each["value"] is not None][:3]
    beside = Markup('<ul class="identities">{}</ul>').format(
        joined(
            Markup('<li><span title="{}">{}</span><span>{}</span></li>').format(
                each["meaning"], each["name"].replace("_", " "), beside_said(each, one, words)[0]
            )
            for each in known
        )
    )
    return Markup(
        '<article class="card"><div class="card-head"><h2><a href="/operations?{}" title="{}">{}</a></h2>{}</div>'
        '<div class="figure"><div class="value{}">{}</div><div class="about">{}</div></div>{}{}{}'
        '<p class="small">{}</p></article>'
    ).format(
        query, one["meaning"], one["title"], status, "" if one["value"] is not None else " none", value,
        " · ".join(part for part in (interval, f"n {words.number(one['n'])}", time) if part), reason, aim,
        beside if known else Markup(""), what_to_do(one),
    )  # fmt: skip


def _one(desk: Desk, one: dict[str, Any], targets: list[TargetInfo], alerts: list[AlertInfo]) -> None:
    words, name, since = desk.words, one["figure"], desk.query.get("since", "")
    with ui.element("div").classes("head"):
        with ui.element("h2").style("font-size: var(--t-title)"):
            ui.label(one["title"])
        ui.label(one["meaning"]).classes("soft")
    spans = [
        (title, {"figure": name, "since": span, "by": one["by"] or ""}, span == since) for span, title in SPANS.items()
    ]
    parts = [(part, {"figure": name, "since": since, "by": part}, part == one["by"]) for part in one["dimensions"]]
    Shown[dict[str, Any]](lambda _: _chosen("Time", spans) + _chosen("By", parts)).show(one)
    with ui.element("div").classes("two"):
        with ui.element("div").classes("stack"):
            if one["by"]:
                _rows(desk, one)
            else:
                Shown[str](lambda text: empty("What is behind it?", text)).show(
                    "Choose above what it is told by, such as " + " or ".join(one["dimensions"][:2]) + "."
                )
            with card("Beside it", lambda: _save_beside(one)):
                Shown[dict[str, Any]](lambda told: _beside(told, words)).show(one)
        with ui.element("div").classes("stack"):
            Shown[dict[str, Any]](lambda told: _card(told, words, since)).show(one)
            with card("Where it is from"):
                Shown[dict[str, Any]](_source).show(one)
                if one["query"].get("sql"):
                    query(one["query"]["file"].removesuffix(".sql"), one["query"]["sql"], f"as_of = {one['asOf']}, "
                          f"since = {one['since'] or 'NULL'}, by = {one['by'] or 'NULL'}")  # fmt: skip
            with card("Target, and what was told"):
                mine = [each for each in targets if each.about.split(" ")[0] == name]
                Shown[list[TargetInfo]](lambda told: _targets(told, words)).show(mine)
                about = [each for each in alerts if each.about.split(" ")[0] == name]
                Shown[list[AlertInfo]](lambda told: _alerts(told, words)).show(about)


def _rows(desk: Desk, one: dict[str, Any]) -> None:
    words, rows = desk.words, one["rows"][:MOST]
    known = [row for row in rows if row["value"] is not None]
    with ui.element("section").classes("card"):
        if not rows:
            Shown[str](lambda text: empty("There is nothing to tell apart.", text)).show(
                one["reason"] or "Look at another time, or tell it by something else."
            )
            return
        if known:
            intervals(f"{one['title']} by {one['by']}", f"{one['figure']}-by-{one['by']}",
                      f"{one['title']} by {one['by']} with 95% intervals", [
                          Value(str(row["key"]), row["value"], *_ends(row)) for row in known
                      ], words, share=one["unit"] == "share")  # fmt: skip
        else:
            with ui.element("h2"):
                ui.label(f"{one['title']} by {one['by']}")
        Shown[dict[str, Any]](lambda told: _table(told, rows, words)).show(one)
        if len(one["rows"]) > MOST:
            ui.label(f"The first {MOST} of {len(one['rows'])}; over HTTP, /v1/figures/{one['figure']}?by={one['by']} "
                     "has all.").classes("soft small")  # fmt: skip


def _table(one: dict[str, Any], rows: list[dict[str, Any]], words: Words) -> Markup:
    more = [key for key in rows[0] if key not in OWN]
    heads = (one["by"], one["title"], "95% interval", "n", *(key.replace("_", " ") for key in more))
    told = (
        (_key(one["by"], str(row["key"])), _value(row, one["unit"], words),
         between(row["interval"], one["unit"], words),
         words.number(row["n"]), *(_cell(row.get(key), words) for key in more)) for row in rows
    )  # fmt: skip
    return table(f"{one['title']} by {one['by']}", heads, told, right={3, *range(4, 4 + len(more))})


BEHIND = {
    "campaign": "/operations?campaign={}", "owner": "/operations?owner={}", "channel": "/decisions?channel={}",
    "tool": "/operations?view=tools&tool={}",
}  # fmt: skip
"""What is behind a row, by the dimension that it is told by."""

NOBODY = ("nobody", "no one channel", "no line")


def _key(by: str, key: str) -> Markup:
    if by not in BEHIND or key in NOBODY:
        return Markup("{}").format(key)
    return Markup('<a class="breaks" href="{}">{}</a>').format(BEHIND[by].format(quote(key, safe="")), key)


def _value(row: dict[str, Any], unit: str, words: Words) -> Markup:
    if row["value"] is None:
        return Markup('<span class="soft small">{}</span>').format(row["reason"] or "not known")
    status = row.get("status", "no target")
    tag = (
        Markup(' <span class="tag {}">{}</span>').format(TONES[status], status) if status != "no target" else Markup("")
    )
    return Markup('<span class="strong">{}</span>{}').format(said(row["value"], unit, words), tag)


def _cell(value: Any, words: Words) -> str:
    return words.number(value, 2) if isinstance(value, int | float) else str(value or "–")


def _ends(row: dict[str, Any]) -> tuple[float | None, float | None]:
    low, high = row["interval"] or (row["value"], row["value"])
    return low, high


def _beside(one: dict[str, Any], words: Words) -> Markup:
    if not one["beside"]:
        return empty("Nothing stands beside it.", "Other figures have a number that a naive count would show.")
    rows = (
        (each["name"].replace("_", " "), *beside_said(each, one, words), worded(each["meaning"]))
        for each in one["beside"]
    )  # fmt: skip
    return table(f"Beside {one['title']}", ("what", "value", "95% interval", "meaning"), rows, right={1, 2})


def _source(one: dict[str, Any]) -> Markup:
    rows = (("query", one["query"]["file"]), ("SHA-256 of its text", one["query"]["sha256"]),
            ("tables", one["data"]["version"]), ("facts", f"{one['data']['from']} to {one['data']['to']}"),
            ("each row is", one["grain"]), ("as of", one["asOf"]))  # fmt: skip
    text = joined(
        Markup('<tr><td class="soft">{}</td><td><span class="mono">{}</span></td></tr>').format(*row) for row in rows
    )
    return Markup(
        '<p class="small soft">Equal tables give equal numbers.</p><table class="plain">{}</table>'
    ).format(text)


def _targets(told: list[TargetInfo], words: Words) -> Markup:
    if not told:
        cure = "Say in the catalog where it should lie, who owns that, and why:"
        return empty("It has no target.", cure, "targets: [{figure: roi, at_least: 0.2, owner: ana, reason: why}]")
    rows = ((words.day(one.at), one.about, one.range or "taken away", one.owner, one.reason) for one in told[::-1])
    return table("Targets as they were set", ("since", "of", "range", "owner", "because"), rows)


def _alerts(told: list[AlertInfo], words: Words) -> Markup:
    if not told:
        return empty(
            "Nothing was told yet.", "Figures are looked at once a day; who owns a target is told when it is left."
        )
    rows = (
        Markup('<li><time title="{}">{}</time><span class="what">{} <small>{}</small></span></li>').format(
            words.whole(one.at), words.day(one.at), one.sentence, f"to {one.owner}" if one.owner else ""
        )
        for one in told[:20]
    )
    return Markup('<ol class="feed one">{}</ol>').format(joined(rows))


def _chosen(name: str, offered: list[tuple[str, dict[str, str], bool]]) -> Markup:
    """Return links of which one is chosen."""
    links = (
        Markup('<li><a class="tag{}" href="/operations?{}"{}>{}</a></li>').format(
            " accent" if now else "", urlencode({"view": "figures", **{key: text for key, text in to.items() if text}}),
            Markup(' aria-current="true"') if now else Markup(""), title,
        )
        for title, to, now in offered
    )  # fmt: skip
    return Markup(
        '<div class="row"><span class="soft small">{}</span><ul class="row" aria-label="{}">{}</ul></div>'
    ).format(name, name, joined(links))


def _save_beside(one: dict[str, Any]) -> None:
    rows = [
        (each["name"], each["value"], *(each["interval"] or (None, None)), each["meaning"]) for each in one["beside"]
    ]
    download_csv(one["figure"], ["what", "value", "low", "high", "meaning"], rows)


def _save_six(found: list[dict[str, Any]]) -> None:
    rows = [
        (one["title"], one["value"], *(one["interval"] or (None, None)), one["unit"], one["n"], one["status"],
         one["reason"], one["since"], one["asOf"]) for one in found
    ]  # fmt: skip
    heads = ["figure", "value", "low", "high", "unit", "n", "status", "reason", "since", "as of"]
    download_csv("figures", heads, rows)


def _save_alerts(alerts: list[AlertInfo]) -> None:
    rows = [(one.at.isoformat(), one.about, one.kind, one.state, one.owner, one.sentence) for one in alerts]
    download_csv("figure-alerts", ["at", "about", "kind", "state", "owner", "sentence"], rows)
