"""A share of customers that knows how sure it is: where it could be nearly anything, its counts stand in its place."""

from __future__ import annotations

from markupsafe import Markup

from opportune.console.parts.figure import figure
from opportune.console.words import Words

WIDE = 0.25
"""From which width of its 95% interval on a share is not told as one number: 25 percentage points."""

FEW = 20
"""Answers below which it is not either."""

Interval = tuple[float, float]


def share(positives: int, answers: int, interval: Interval | None, words: Words) -> Markup:
    """Return a share for a table, with its interval and how many answers it rests on.

    >>> from zoneinfo import ZoneInfo; from babel import Locale
    >>> words = Words(Locale("en"), ZoneInfo("UTC"))
    >>> share(0, 1, (0.0, 0.79), words).striptags(), share(9, 100, (0.05, 0.16), words).striptags()
    ('0 of 1', '9% 5% to 16%, of 100')
    """
    if not answers or interval is None:
        return Markup('<span class="soft">no answer yet</span>')
    if unsure(answers, interval):
        return Markup('<span class="unsure" title="{}">{}</span>').format(
            _why(positives, answers, interval, words), _counts(positives, answers, words)
        )
    return Markup('<span>{} <span class="soft small">{}, of {}</span></span>').format(
        words.percent(positives / answers), between(interval, words), words.number(answers)
    )


def share_figure(
    name: str, positives: int, answers: int, interval: Interval | None, meaning: str, words: Words,
    link: tuple[str, str] | None = None,
) -> Markup:  # fmt: skip
    """Return a share as a figure. `meaning` is told on hover."""
    if not answers or interval is None:
        return figure(name, "no answer yet", meaning, none=True)
    if unsure(answers, interval):
        about = f"too few to tell a share: {between(interval, words)}"
        return figure(name, _counts(positives, answers, words), meaning, about, link, unsure=True)
    about = f"{between(interval, words)}, {words.number(positives)} of {words.number(answers)}"
    return figure(name, words.percent(positives / answers), meaning, about, link)


def unsure(answers: int, interval: Interval) -> bool:
    """Return whether so little is known that the middle of an interval says little."""
    return answers < FEW or interval[1] - interval[0] > WIDE


def between(interval: Interval, words: Words) -> str:
    """Return an interval of shares in words."""
    return f"{words.percent(interval[0], 0)} to {words.percent(interval[1], 0)}"


def _counts(positives: int, answers: int, words: Words) -> str:
    return f"{words.number(positives)} of {words.number(answers)}"


def _why(positives: int, answers: int, interval: Interval, words: Words) -> str:
    told = f"{words.percent(positives / answers)}, but the 95% interval is {between(interval, words)}"
    return f"Too few answers to tell a share: {told}"
