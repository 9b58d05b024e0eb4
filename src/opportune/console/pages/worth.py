"""Is it worth it? The hub beside its random arm and beside customers whom nobody contacts, with intervals."""

from __future__ import annotations

from urllib.parse import urlencode

from markupsafe import Markup

from opportune.console.pages.without import added
from opportune.console.parts.figure import figure
from opportune.console.parts.shown import joined, once, worded
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.watching import NowInfo, Share

YES = "a positive answer, or what a goal of the action counts, such as an order"


CARE = "Declare `pulse` in the catalog to ask. Beside people who are held out it says what contacts do to it."

COUNTED = 0.995
"""The part of what was before that has to be counted before figures are said to be missing."""

EFFECT = "Relative to those held out, with its 95% interval."

Link = tuple[str, str] | None


def behind(now: NowInfo, **wanted: str) -> tuple[str, str]:
    """Return the link to the decisions behind a figure of the last weeks."""
    return "decisions", f"/decisions?{urlencode({**wanted, 'since': f'{now.since:%Y-%m-%dT%H:%M:%SZ}'})}"


@once
def worth(now: NowInfo, words: Words, links: bool = True) -> Markup:
    """Return the figures that say what choosing, and what contacts, bring; with `links` to the decisions behind."""

    def yes(arm: str) -> Link:
        return behind(now, arm=arm, answer="yes") if links else None

    each = [
        _accept(now, words, yes("hub")),
        *_added(now, words, yes("random")),
        _push(now, words, behind(now, only="pushed") if links else None),
        _care(now, words),
    ]
    since = f"since {words.day(now.since)}, the care score of 90 days"
    figures = Markup('<div class="grid five">{}</div><p class="soft small">{}</p>').format(joined(each), since)
    return figures + _value(now, words)


def counting(now: NowInfo) -> bool:
    """Return whether much of what was before is still to be counted, as after a start of the hub."""
    return now.counted < COUNTED


def _accept(now: NowInfo, words: Words, link: Link) -> Markup:
    share, name = now.accept["hub"], "Yes to the hub"
    meaning = f"Of the actions that customers saw, how many got a yes: {YES}. The random arm is left out."
    if share.value is None:
        return figure(name, _none(now, "nothing was seen yet: tell of every impression"), meaning, none=True)
    return figure(name, words.percent(share.value), meaning, _about(share, words), link)


def _added(now: NowInfo, words: Words, link: Link) -> tuple[Markup, Markup]:
    meaning = "The same of customers who get any allowed action by chance: what choosing has to beat."
    share, added, name = now.accept["random"], now.added, "Yes to chance"
    beside = (
        figure(name, _none(now, "nothing of the random arm was seen yet"), meaning, none=True)
        if share.value is None
        else figure(name, words.percent(share.value), meaning, _about(share, words), link)
    )
    told = "Yes to the hub minus yes to chance, in percentage points, with its 95% interval (Newcombe)."
    arms = "standing arms", "/lab?view=holdouts"
    if added.value is None or added.interval is None:
        return beside, figure("Choosing adds", _none(now, added.reason or "not known yet"), told, link=arms, none=True)
    low, high = added.interval
    clear = "" if low > 0 or high < 0 else "; not clear yet"
    return beside, figure("Choosing adds", words.points(added.value), told,
                          f"{words.points(low)} to {words.points(high)}{clear}", arms)  # fmt: skip


def _push(now: NowInfo, words: Words, link: Link) -> Markup:
    meaning = (
        "Decisions in which value or lever won against the customer's most likely choice. High means that the hub "
        "pushes what the company wants."
    )
    if now.push.value is None:
        return figure("Pushed", _none(now, "no action was chosen yet"), meaning, none=True)
    return figure("Pushed", words.percent(now.push.value), meaning, _about(now.push, words), link)


def _care(now: NowInfo, words: Words) -> Markup:
    meaning = f"The share of yes when customers are asked whether we helped. {CARE}"
    score, held = now.care.hub, ("beside holdouts", "/lab?view=holdouts")
    if score.score is None or score.interval is None:
        return figure("Care score", score.reason or "nobody was asked yet", meaning, link=held, none=True)
    low, high = score.interval
    about = f"{words.percent(low, 0)} to {words.percent(high, 0)}, {words.number(score.answered)} answers"
    return figure("Care score", words.percent(score.score, 0), meaning, about, held)


def _value(now: NowInfo, words: Words) -> Markup:
    held = Markup('<a href="/lab?view=holdouts">{}</a>').format("holdouts")
    if not now.value:
        return Markup(
            '<p class="soft small" style="margin-top: var(--s4)">'
            "What contacts add beside customers whom nobody contacts: {} ({})</p>"
        ).format(worded(now.no_value), held)
    rows = (
        (one.metric, words.number(one.rest_value, 2), words.number(one.held_value, 2), added(one, words))
        for one in now.value
    )
    heads = ("metric", "may be contacted", "held out", ("what contacts add", EFFECT))
    shown = table("What contacts add", heads, rows, right={1, 2})
    return shown + Markup('<p class="soft small">{}{}</p>').format("Who is held out, and what leaks: ", held)


def _none(now: NowInfo, why: str) -> str:
    """Return why there is no figure: what was before may still be counted."""
    return "being counted" if counting(now) else why


def _about(share: Share, words: Words) -> str:
    assert share.interval is not None
    low, high = share.interval
    counts = f"{words.number(share.part)} of {words.number(share.whole)}"
    return f"{words.percent(low, 0)} to {words.percent(high, 0)}, {counts}"
