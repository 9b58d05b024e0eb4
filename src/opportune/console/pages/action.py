"""One action: how it does, whom its policy lets through, how often, what it says, and how it came to be so."""

from __future__ import annotations

from itertools import groupby
from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.pages.levers import levers
from opportune.console.pages.previews import previews
from opportune.console.pages.versions import KINDS
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.later import later
from opportune.console.parts.share import share_figure
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.steering import ActionDetail, ConditionShare

SAMPLE = 300

STAGES = {
    "eligible": ("May they have it?", "eligible"), "applicable": ("Does it fit now?", "applicable"),
    "suitable": ("Is it right for them?", "suitable"), "helps": ("Does it help them?", "helps"),
}  # fmt: skip
"""The parts of a policy as questions, and their keys in the catalog."""


def one_action(desk: Desk, name: str) -> None:
    """Build the page of one action."""
    words = desk.words

    def draw(told: ActionDetail) -> None:
        Shown[ActionDetail](lambda told: _head(told, words, desk.may("see decisions"))).show(told)
        with ui.element("div").classes("two"):
            with ui.element("div").classes("stack"):
                with card("Whom its policy lets through", lambda: _save_policy(told)):
                    Shown[ActionDetail](lambda told: _policy(told, words)).show(told)
                with card("What it says"):
                    previews(desk, told)
            with ui.element("div").classes("stack"):
                with card("Levers"):
                    levers(desk, told, again)
                with card("How often it may be said", lambda: _save_rules(told)):
                    Shown[ActionDetail](_rules).show(told)
                with card("History", lambda: _save_history(told)):
                    Shown[ActionDetail](lambda told: _history(told, words)).show(told)

    again = later(desk, "see actions", lambda hub: hub.action(name, SAMPLE), draw)


def _head(told: ActionDetail, words: Words, links: bool) -> Markup:
    one = told.info
    tags = [Markup('<span class="tag accent">{} / {}</span>').format(one.issue, one.group),
            Markup('<span class="tag">{}</span>').format(one.kind)]  # fmt: skip
    if one.off:
        tags.append(Markup('<span class="tag warn">off: never said</span>'))
    if links:
        link = Markup('<a class="tag" href="/decisions?action={}" title="{}">decisions</a>')
        tags.append(link.format(quote(one.name, safe=""), "To whom it was said, and what became of it"))
    if one.campaign:
        tags.append(Markup('<a class="tag" href="/operations?view=campaigns">campaign {}</a>').format(one.campaign))
    value = words.number(one.value, 2) if isinstance(one.value, float) else one.value
    figures = (
        share_figure("Said yes", one.positives, one.answers, one.interval,
                     "The share of good answers among those that the model learned, with its 95% interval (Wilson).",
                     words, ("model", f"/models?name={quote(one.name, safe='')}")),
        figure("Value of a yes", value, "V: a number, or a rule that gives one for each customer.",
               f"costs {words.number(told.cost, 2)} a contact", none=isinstance(one.value, str)),
        figure("Lever", f"{'+' if one.levers > 0 else ''}{words.percent(one.levers / 100)}",
               "L: how far the business pushes it, its issue and group included; from -50 to 100%.",
               f"{words.percent(one.lever / 100)} of its own"),
        figure("Maturity", words.percent(one.maturity, 0),
               "The share of decisions that it takes part in where a mature action competes.",
               f"{words.number(one.positives)} good answers"),
    )  # fmt: skip
    about = Markup('<p>{}</p><p class="soft small">{} Legal basis: {}.{}</p>').format(
        told.benefit or "The catalog does not say what the customer gains: add `benefit`.", told.outcomes,
        told.basis.replace("_", " "), f" Owner: {one.owner}." if one.owner else "",
    )  # fmt: skip
    return Markup('<section class="card"><div class="row">{}</div><div class="spaced">{}</div>'
                  '<div class="grid">{}</div></section>').format(joined(tags), about, joined(figures))  # fmt: skip


def _policy(told: ActionDetail, words: Words) -> Markup:
    if not told.customers:
        return empty("No customer is known yet.", "Send an event about somebody, and the policy is tried on them:",
                     "opportune import FILE")  # fmt: skip
    if not told.policy:
        return empty("It has no conditions: everybody may have it.", "Add `eligible`, `applicable`, `suitable` or "
                     "`helps` to the action in its file, if it is not for everybody.")  # fmt: skip
    parts, whole = [_passed("all customers asked", told.customers, told.customers, "sum", "", words)], told.customers
    for stage, found in groupby(told.policy, lambda part: part.stage):
        question, key = STAGES[stage]
        parts.append(Markup('<h3 class="group">{} <code>{}</code></h3>').format(question, key))
        parts += [_part(part, whole, words) for part in found]
    left = told.policy[-1].left
    return Markup('<div class="falls policy">{}</div><p class="soft small spaced">Of {} customers, drawn by pseudonym, '
                  "{} are let through ({}). Each bar is who is left after it and all before it; consent, contact "
                  "limits and other actions come on top.</p>").format(
        joined(parts), words.number(whole), words.number(left), words.percent(left / whole, 0)
    )  # fmt: skip


def _part(part: ConditionShare, whole: int, words: Words) -> Markup:
    alone = f"by itself it is true of {words.percent(part.alone / whole, 0)}"
    return _passed(part.text, part.left, whole, "p", alone, words)


def _passed(name: str, left: int, whole: int, kind: str, meaning: str, words: Words) -> Markup:
    share = left / whole
    return Markup(
        '<div class="fall" title="{}"><span class="{}">{}</span><span class="track"><span class="bar {}" '
        'style="left: 0; width: {:.1f}%"></span></span><span class="amount">{} '
        '<span class="soft">{}</span></span></div>'
    ).format(meaning, "strong" if kind == "sum" else "mono", name, kind, 100 * share, words.percent(share, 0),
             words.number(left))  # fmt: skip


def _rules(told: ActionDetail) -> Markup:
    if not told.rules:
        return empty("No contact limit is about it.", "Add one to `contact` in the files, such as at most 3 in 7d.")
    limit = Markup('<span title="{}">{}</span>')
    return table("Contact limits", ["limit", "on"], [
        (limit.format(rule.name, rule.text), rule.on) for rule in told.rules
    ])  # fmt: skip


def _history(told: ActionDetail, words: Words) -> Markup:
    if not told.history:
        return empty("It is as it first went live.", "Changes are listed here with who made them, and why: those made "
                     "in this console and those of published files.")  # fmt: skip
    lines = []
    for (version, at), found in groupby(told.history, lambda one: (one.version, one.at)):
        changes = [*found]
        first = changes[0]
        link = Markup('<a href="/actions?view=changes">version {}</a>').format(version) if version else Markup("")
        fields = joined(
            Markup('<li class="mono small">{}</li>').format(_field(one.text, told.info.name)) for one in changes
        )
        lines.append(
            Markup('<li><div class="row"><span class="strong">{}</span><span class="tag{}">{}</span>{}</div>'
                   '<span class="soft small">{}, {}</span><ul>{}</ul></li>').format(
                first.author or "Nobody said who", " accent" if first.kind == "set" else "", KINDS[first.kind], link,
                words.whole(at), first.reason or "without a reason", fields,
            )
        )  # fmt: skip
    return Markup('<ol class="lineage" aria-label="History">{}</ol>').format(joined(lines))


def _field(text: str, action: str) -> str:
    """Return a change without the action that it is of: `lever: 0 -> 20`, or `went live`."""
    mine = f"actions.{action}"
    return text.removeprefix(f"{mine}.").removeprefix(f"{mine}:").strip()


def _save_policy(told: ActionDetail) -> None:
    rows = [(part.stage, part.text, part.customers, part.alone, part.left) for part in told.policy]
    download_csv(f"policy-{told.info.name}", ["stage", "condition", "customers", "true of", "left"], rows)


def _save_rules(told: ActionDetail) -> None:
    rows = [(rule.name, rule.on, rule.text) for rule in told.rules]
    download_csv(f"limits-{told.info.name}", ["name", "on", "limit"], rows)


def _save_history(told: ActionDetail) -> None:
    rows = [(one.at.isoformat(), one.version, one.kind, one.author, one.reason, one.text) for one in told.history]
    download_csv(f"history-{told.info.name}", ["at", "version", "kind", "author", "reason", "change"], rows)
