"""The care score against planted truth: intervals cover at their rate, equal arms differ at theirs, few say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.ledger.asked import About
from opportune.ledger.episodes import Episode
from opportune.measure.care import HOLDOUT, HUB, LEAST_ANSWERS, Answers, NotEnoughData, against, remarks, score, tally
from opportune.measure.summary import Difference, Rate

RUNS = 20_000


def simulated(rng: np.random.Generator, asked: int, answers: float, yes: float) -> list[Answers]:
    """Surveys of so many people, of whom a share answers, of whom a share says yes."""
    answered = rng.binomial(asked, answers, RUNS)
    said = rng.binomial(answered, yes)
    return [Answers(asked, int(n), int(k)) for n, k in zip(answered, said)]


@pytest.mark.parametrize(("asked", "yes"), [(120, 0.5), (120, 0.8), (400, 0.65), (400, 0.95), (2000, 0.3)])
def test_the_interval_of_a_score_covers_the_truth_at_its_rate(asked: int, yes: float) -> None:
    found = [score(a) for a in simulated(np.random.default_rng(asked), asked, 0.4, yes)]
    covered = [rate.low <= yes <= rate.high for rate in found if isinstance(rate, Rate)]
    assert len(covered) > RUNS * 0.99
    assert 0.935 <= np.mean(covered) <= 0.97


@pytest.mark.parametrize(("hub", "holdout"), [(0.75, 0.6), (0.9, 0.8), (0.5, 0.62)])
def test_the_interval_of_the_difference_covers_the_truth_at_its_rate(hub: float, holdout: float) -> None:
    rng = np.random.default_rng(7)
    pairs = zip(simulated(rng, 900, 0.3, hub), simulated(rng, 300, 0.3, holdout))
    found = [against(one, other) for one, other in pairs]
    differences = [d for d in found if isinstance(d, Difference)]
    assert len(differences) == RUNS
    covered = np.mean([d.low <= hub - holdout <= d.high for d in differences])
    assert 0.944 <= covered <= 0.958
    assert np.mean([d.value for d in differences]) == pytest.approx(hub - holdout, abs=0.005)


@pytest.mark.parametrize("yes", [0.5, 0.7, 0.9])
def test_equal_arms_differ_clearly_at_the_level_and_no_more_often(yes: float) -> None:
    rng = np.random.default_rng(11)
    pairs = zip(simulated(rng, 900, 0.3, yes), simulated(rng, 300, 0.3, yes))
    clear = [found.clear for one, other in pairs if isinstance(found := against(one, other), Difference)]
    assert len(clear) == RUNS
    assert 0.042 <= np.mean(clear) <= 0.056


def test_equal_response_is_remarked_at_the_level_and_unequal_response_nearly_always() -> None:
    rng = np.random.default_rng(3)
    same = [bool(remarks(a, b)) for a, b in zip(simulated(rng, 900, 0.3, 0.7), simulated(rng, 300, 0.3, 0.7))]
    assert 0.042 <= np.mean(same) <= 0.056
    other = [bool(remarks(a, b)) for a, b in zip(simulated(rng, 900, 0.3, 0.7), simulated(rng, 300, 0.5, 0.7))]
    assert np.mean(other) > 0.99


@given(st.integers(0, 60), st.integers(0, 60), st.data())
def test_there_is_a_number_where_there_are_answers_and_a_reason_elsewhere(n: int, m: int, data: st.DataObject) -> None:
    hub = Answers(n + 7, n, data.draw(st.integers(0, n)))
    holdout = Answers(m + 7, m, data.draw(st.integers(0, m)))
    for one in (hub, holdout):
        found = score(one)
        if one.answered < LEAST_ANSWERS:
            assert isinstance(found, NotEnoughData)
            assert str(LEAST_ANSWERS) in found.reason
        else:
            assert isinstance(found, Rate)
            assert 0 <= found.low <= one.yes / one.answered <= found.high <= 1
    difference = against(hub, holdout)
    assert isinstance(difference, Difference) == (min(n, m) >= LEAST_ANSWERS)
    if isinstance(difference, Difference):
        assert difference.value is not None
        assert -1 <= difference.low <= difference.value <= difference.high <= 1


def asked(seen: int | None = 1, **outcomes: int) -> Episode:
    return Episode("pulse", "app", "app.pulse", 1.0, 0.5, seen=seen, outcomes=outcomes)


OFFER = About("", "keep", "retain", "email")


def test_a_customer_counts_once_with_the_question_asked_last() -> None:
    found = tally([("maya", OFFER, asked(no=5)), ("noor", OFFER, asked()), ("maya", OFFER, asked(yes=9))])
    assert found == {"": {HUB: Answers(2, 1, 1), HOLDOUT: Answers()}}


def test_what_nobody_saw_was_not_asked_and_a_dismissal_is_no_answer() -> None:
    found = tally([("a", OFFER, asked(None)), ("b", OFFER, asked(None, dismiss=3)), ("c", OFFER, asked(None, yes=3))])
    assert found[""][HUB] == Answers(2, 1, 1)


def test_of_several_answers_the_last_counts() -> None:
    assert tally([("a", OFFER, asked(yes=3, no=8))])[""][HUB] == Answers(1, 1, 0)
    assert tally([("a", OFFER, asked(yes=8, no=3))])[""][HUB] == Answers(1, 1, 1)


def test_answers_are_told_apart_by_what_the_question_was_about_and_by_arm() -> None:
    rows = [
        ("a", OFFER, asked(yes=1)), ("b", About("holdout", "keep", "retain", "email"), asked(no=1)),
        ("c", About("random", "tip", "nurture", "app"), asked(yes=1)), ("d", About("holdout"), asked()),
    ]  # fmt: skip
    by_channel = tally(rows, "channel")
    assert by_channel["email"] == {HUB: Answers(1, 1, 1), HOLDOUT: Answers(1, 1, 0)}
    assert by_channel["app"] == {HUB: Answers(1, 1, 1), HOLDOUT: Answers()}
    assert by_channel[""] == {HUB: Answers(), HOLDOUT: Answers(1, 0, 0)}
    assert set(tally(rows, "action")) == {"", "keep", "tip"}
    assert set(tally(rows, "issue")) == {"", "retain", "nurture"}
