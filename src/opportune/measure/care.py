"""The care score: the share of yes among the answers to the pulse, of the hub beside people who are held out.

Whoever is held out is held out by chance, and is asked under the same conditions, so the difference is what the hub
does to people, as far as those who answer tell it: how many did not answer is always shown, and where the two differ
in that, it is said.

Each customer counts once, with the question they were asked last, so that answers are independent. Scores have Wilson
intervals, their difference Newcombe's (`measure.summary`); all are for one look at the data, not for looking until one
likes it. With few answers there is no number but a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from opportune.ledger.asked import About
from opportune.ledger.episodes import Episode
from opportune.measure.effect import NotEnoughData
from opportune.measure.summary import Difference, Rate, difference, rate

LEAST_ANSWERS = 20
"""Answers without which there is no score."""

By = Literal["channel", "action", "issue"]
"""What questions are told apart by: what they were about."""

HUB, HOLDOUT = "hub", "holdout"
"""Who is compared. The hub's own random arm is part of what the hub does."""


class Answers(msgspec.Struct, frozen=True):
    """How many customers were asked, how many of them answered, and how many of these said yes."""

    asked: int = 0
    answered: int = 0
    yes: int = 0

    def __add__(self, other: Answers) -> Answers:
        return Answers(self.asked + other.asked, self.answered + other.answered, self.yes + other.yes)


Compared = dict[str, Answers]
"""`hub` and `holdout`: what each answered."""


def score(answers: Answers, level: float = 0.95) -> Rate | NotEnoughData:
    """Return the share of yes among the answers, with its interval.

    >>> print(score(Answers(asked=300, answered=120, yes=90)))
    75.00% (66.56% to 81.89%, 90 of 120)
    >>> score(Answers(asked=300, answered=3, yes=3)).reason
    '3 answers of 300 asked; a score needs 20'
    """
    if answers.answered < LEAST_ANSWERS:
        return NotEnoughData(f"{answers.answered} answers of {answers.asked} asked; a score needs {LEAST_ANSWERS}")
    return rate(answers.yes, answers.answered, level)


def against(hub: Answers, holdout: Answers, level: float = 0.95) -> Difference | NotEnoughData:
    """Return the score of the hub minus that of people who are held out, with its interval."""
    one, other = score(hub, level), score(holdout, level)
    if isinstance(one, NotEnoughData):
        return NotEnoughData(f"{HUB}: {one.reason}")
    if isinstance(other, NotEnoughData):
        return NotEnoughData(f"{HOLDOUT}: {other.reason}")
    return difference(one, other)


def remarks(hub: Answers, holdout: Answers) -> list[str]:
    """Return what a reader of the difference should know: that those who answer may not be alike."""
    if not (hub.asked and holdout.asked):
        return []
    one, other = rate(hub.answered, hub.asked), rate(holdout.answered, holdout.asked)
    if not difference(one, other).clear:
        return []
    return [
        f"{one.rate:.0%} of the hub's customers answered and {other.rate:.0%} of those held out: a difference of the "
        "scores may come from who answers"
    ]


def tally(questions: Iterable[tuple[str, About, Episode]], by: By | None = None) -> Mapping[str, Compared]:
    """Return what was answered, by what the question was about ("" of all, without `by`; "" of a visit alone, with it).

    `questions` are (customer, what it was about, what became of it), in order of time. One that the customer never saw
    was not asked. Of several answers to one question the last counts; to dismiss it is none.
    """
    latest: dict[tuple[str, str, str], Answers] = {}
    for customer, about, episode in questions:
        said = {word: at for word, at in episode.outcomes.items() if word in ("yes", "no")}
        if episode.reached is None and not episode.outcomes:
            continue
        yes = bool(said) and max(said, key=lambda word: (said[word], word)) == "yes"
        arm = HOLDOUT if about.arm == HOLDOUT else HUB
        key = (getattr(about, by) if by else "", arm, customer)
        latest[key] = Answers(1, int(bool(said)), int(yes))
    found: dict[str, Compared] = {}
    for (group, arm, _), answers in latest.items():
        arms = found.setdefault(group, {HUB: Answers(), HOLDOUT: Answers()})
        arms[arm] += answers
    return dict(sorted(found.items()))
