"""What a change comes from: the parts add up to it exactly, whatever they are; and when people are told of it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.catalog.report_types import Target
from opportune.figures.alerts import Alert, Known, Reading, Subject, alerts_of, named
from opportune.figures.causes import Causes, Part, causes
from opportune.figures.ranges import status
from opportune.measure.effect import NotEnoughData
from opportune.testing import START

GOAL = Target("roi", 1.0, 2.0, "ana", "it pays for itself", review=START + 10)
ROI = Subject("roi", "Marketing ROI", "ratio", "EUR", GOAL)

fractions = st.fractions(-100, 100, max_denominator=50)
weights = st.fractions(0, 50, max_denominator=20)
periods = st.dictionaries(st.sampled_from("abcde"), st.tuples(fractions, weights), min_size=1)


def parts(period: dict[str, tuple[Any, Any]]) -> list[Part]:
    return [Part(key, value, weight) for key, (value, weight) in period.items()]


def whole(period: dict[str, tuple[Any, Any]]) -> Any:
    return sum(value * weight for value, weight in period.values()) / sum(weight for _, weight in period.values())


@given(periods, periods)
def test_contributions_add_up_to_the_change_exactly(before: Any, after: Any) -> None:
    if not (sum(w for _, w in before.values()) and sum(w for _, w in after.values())):
        assert isinstance(causes("channel", parts(before), parts(after), Fraction(1)), NotEnoughData)
        return
    change = whole(after) - whole(before)
    found = causes("channel", parts(before), parts(after), change)
    assert isinstance(found, Causes)
    assert found.rest == 0
    assert sum(one.rate + one.mix for one in found.contributions) == change


@given(periods, st.fractions(1, 9, max_denominator=9), st.fractions(-9, 9, max_denominator=9))
def test_mix_is_nothing_where_shares_stay_and_rate_is_nothing_where_values_stay(
    before: Any, factor: Any, more: Any
) -> None:
    if not sum(w for _, w in before.values()):
        return
    richer = {key: (value + more, weight * factor) for key, (value, weight) in before.items()}
    found = causes("channel", parts(before), parts(richer), more)
    assert isinstance(found, Causes)
    assert {one.mix for one in found.contributions} == {0}
    moved = {key: (value, weight + Fraction(i)) for i, (key, (value, weight)) in enumerate(before.items())}
    found = causes("channel", parts(before), parts(moved), whole(moved) - whole(before))
    assert isinstance(found, Causes)
    assert {one.rate for one in found.contributions} == {0}


def test_a_planted_cause_is_named_first() -> None:
    before = {"mail": (1.0, 50.0), "app": (2.0, 50.0)}
    after = {"mail": (0.2, 50.0), "app": (2.1, 50.0)}
    found = causes("channel", parts(before), parts(after), whole(after) - whole(before))
    assert isinstance(found, Causes)
    assert [one.key for one in found.contributions] == ["mail", "app"]
    assert found.contributions[0].rate == pytest.approx(-0.4)
    assert named(found) == "; of the change of -0.35 the likely cause by channel: mail -0.4 (by its own value)"


def test_a_figure_that_is_no_mean_says_what_its_parts_do_not_account_for() -> None:
    found = causes("stage", parts({"build": (5.0, 1.0)}), parts({"build": (6.0, 1.0)}), 10.0)
    assert isinstance(found, Causes)
    assert found.rest == 9.0
    before, after = {"build": (5.0, 1.0), "idea": (5.0, 1.0)}, {"build": (6.0, 1.0), "idea": (5.0, 1.0)}
    both = causes("stage", parts(before), parts(after), 9.0)
    assert isinstance(both, Causes)
    assert named(both) == ""
    assert named(found) == "", "most of it is not accounted for, so nothing is named"


@pytest.mark.parametrize(
    ("interval", "is_"),
    [((1.0, 2.0), "in range"), ((0.9, 1.5), "unclear"), ((2.1, 3.0), "out of range"), ((0.1, 0.9), "out of range"),
     ((1.5, None), "unclear"), ((2.5, None), "out of range"), (None, "in range")],
)  # fmt: skip
def test_the_interval_decides_whether_a_figure_is_in_its_range(interval: Any, is_: str) -> None:
    assert status(1.5, interval, GOAL) == is_
    assert status(None, None, GOAL) == "unclear"
    assert status(1.5, interval, None) == "no target"


def told(
    now: Reading, before: Reading | None = None, known: Known | None = None, subject: Subject = ROI, at: int = START
) -> tuple[tuple[Alert, ...], Known]:
    return alerts_of(subject, now, before, None, known or Known(), at, "v1")


def test_leaving_the_range_is_told_once_and_again_only_after_it_was_back() -> None:
    good, low = Reading(1.5, (1.2, 1.8)), Reading(0.5, (0.2, 0.8))
    alerts, known = told(low, good)
    assert [(one.kind, one.state, one.owner) for one in alerts] == [("range", "below", "ana")]
    assert alerts[0].sentence == (
        "Marketing ROI is 0.5 (0.2 to 0.8), surely below its range (between 1 and 2), from 1.5 (1.2 to 1.8) a period "
        "before."
    )
    assert told(low, low, known) == ((), known)
    unsure = Reading(0.9, (0.4, 1.4))
    assert told(unsure, low, known) == ((), known), "it may still be outside"
    _, known = told(Reading(1.3, (0.9, 1.7)), low, known)
    alerts, _ = told(low, unsure, known)
    assert [one.state for one in alerts] == ["below"]


def test_noise_is_not_told() -> None:
    free = Subject("roi", "Marketing ROI")
    assert told(Reading(1.9, (1.0, 2.8)), Reading(1.0, (0.2, 1.8)), subject=free)[0] == ()
    assert told(Reading(1.9, None), Reading(1.0, None), subject=free)[0] == (), "nobody knows how noisy it is"
    assert told(Reading(None, None), Reading(1.0, (0.9, 1.1)))[0] == ()
    [alert] = told(Reading(1.9, (1.85, 1.95)), Reading(1.0, (0.9, 1.1)), subject=free)[0]
    assert (alert.kind, alert.state) == ("moved", "moved up")


def test_no_cause_is_named_of_what_chance_does() -> None:
    why = causes("tool", [Part("mailer", 1.0, 5.0), Part("wiki", 1.0, 5.0)],
                 [Part("mailer", 0.2, 5.0), Part("wiki", 1.0, 5.0)], -0.4)  # fmt: skip
    assert isinstance(why, Causes)

    def sentence(now: Reading, before: Reading, subject: Subject = ROI) -> str:
        [alert], _ = alerts_of(subject, now, before, why, Known(), START, "v1")
        return alert.sentence

    low = Reading(0.6, (0.4, 0.8))
    assert "surely below its range" in sentence(low, Reading(1.0, (0.5, 1.5)))
    assert "cause" not in sentence(low, Reading(1.0, (0.5, 1.5)))
    assert "cause" not in sentence(Reading(0.6, None), Reading(1.0, None)), "nobody knows how noisy it is"
    assert "the likely cause by tool: mailer -0.4" in sentence(low, Reading(1.0, (0.9, 1.1)))
    budget = Subject("budget", "Use of the budget", "share", "EUR", GOAL)
    counted = sentence(Reading(0.6, None), Reading(1.0, None), budget)
    assert "the likely cause by tool: mailer" in counted


def test_a_review_is_due_once_per_date() -> None:
    good = Reading(1.5, (1.2, 1.8))
    assert told(good, good, at=START + 9)[0] == ()
    [alert], known = told(good, good, at=START + 10)
    assert (alert.kind, alert.owner) == ("review", "ana")
    assert told(good, good, known, at=START + 99)[0] == ()
