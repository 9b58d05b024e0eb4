"""Is it worth it? The hub beside its random arm and beside customers whom nobody contacts, with intervals."""

from __future__ import annotations

from markupsafe import Markup

from opportune.console.parts.figure import figure
from opportune.console.parts.shown import joined, once, worded
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.watching import NowInfo, Share

YES = "a positive answer, or what a goal of the action counts, such as an order"


@once
def worth(now: NowInfo, words: Words) -> Markup:
    """Return the figures that say what choosing, and what contacts, bring."""
    since = f"since {words.day(now.since)}"
    return Markup('<div class="grid">{}</div>').format(
        joined([_accept(now, words, since), *_added(now, words, since), _push(now, words, since), _care(now, words)])
    ) + _value(now, words)


def _accept(now: NowInfo, words: Words, since: str) -> Markup:
    share = now.accept["hub"]
    meaning = f"Of the actions that customers saw, how many got a yes: {YES}. The random arm is left out."
    if share.value is None:
        why = _none(now, "nothing was seen yet: tell of every impression")
        return figure("Answered or bought: the hub", why, meaning, none=True)
    return figure("Answered or bought: the hub", words.percent(share.value), meaning, _about(share, words, since))


def _added(now: NowInfo, words: Words, since: str) -> tuple[Markup, Markup]:
    meaning = "The same of customers who get any allowed action by chance: what choosing has to beat."
    share, added = now.accept["random"], now.added
    beside = (
        figure("Answered or bought: chance", _none(now, "nothing of the random arm was seen yet"), meaning, none=True)
        if share.value is None
        else figure("Answered or bought: chance", words.percent(share.value), meaning, _about(share, words, since))
    )
    told = "Yes to the hub minus yes to chance, in percentage points, with its 95 % interval (Newcombe)."
    if added.value is None or added.interval is None:
        return beside, figure("Choosing adds", _none(now, added.reason or "not known yet"), told, none=True)
    low, high = added.interval
    clear = "" if low > 0 or high < 0 else "; not clear yet"
    return beside, figure("Choosing adds", words.points(added.value), told,
                          f"{words.points(low)} to {words.points(high)}{clear}")  # fmt: skip


def _push(now: NowInfo, words: Words, since: str) -> Markup:
    meaning = (
        "Decisions in which value or lever won against the customer's most likely choice. High means that the hub "
        "pushes what the company wants."
    )
    if now.push.value is None:
        return figure("Pushed by value or lever", _none(now, "no action was chosen yet"), meaning, none=True)
    return figure("Pushed by value or lever", words.percent(now.push.value), meaning, _about(now.push, words, since))


def _care(now: NowInfo, words: Words) -> Markup:
    meaning = "The share of yes among answers to the pulse: is it too much? Declare `pulse` in the catalog to ask."
    score = now.care.hub
    if score.score is None or score.interval is None:
        return figure("Care score", score.reason or "nobody was asked yet", meaning, none=True)
    low, high = score.interval
    about = f"{words.percent(low, 0)} to {words.percent(high, 0)}, {words.number(score.answered)} answers of 90 days"
    return figure("Care score", words.percent(score.score, 0), meaning, about)


def _value(now: NowInfo, words: Words) -> Markup:
    if not now.value:
        return Markup(
            '<p class="soft small" style="margin-top: var(--s4)">'
            "What contacts add beside customers whom nobody contacts: {}</p>"
        ).format(worded(now.no_value))
    rows = (
        (one.metric, words.number(one.rest_value, 2), words.number(one.held_value, 2), one.sentence)
        for one in now.value
    )
    return table("What contacts add", ("metric", "may be contacted", "held out", "what contacts add"), rows)


def _none(now: NowInfo, why: str) -> str:
    """Return why there is no figure: what was before may still be counted."""
    return why if now.counted >= 1 else "being counted"


def _about(share: Share, words: Words, since: str) -> str:
    assert share.interval is not None
    low, high = share.interval
    counts = f"{words.number(share.part)} of {words.number(share.whole)}"
    return f"{words.percent(low, 0)} to {words.percent(high, 0)}, {counts}, {since}"
