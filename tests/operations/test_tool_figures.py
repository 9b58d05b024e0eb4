"""Adoption, overlap, dates and trials of stacks whose right answer is known."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import linregress, t

from opportune.catalog.tool_types import Tool, ToolTrial
from opportune.clock import DAY, HOUR, parse_instant
from opportune.measure.effect import Effect, Interval, NotEnoughData
from opportune.operations.stack import dates, overlaps
from opportune.operations.tool_book import Cell
from opportune.operations.tool_trials import Evidence, before_and_after, spent, standing
from opportune.operations.tools import RECENT, SHOWN, Adoption, adoption, trend
from opportune.operations.weeks import week_name, week_of

UTC = ZoneInfo("UTC")
NOW = 2922
MAILER = Tool("mailer", "email", seats=10, per_seat=20, features=("send", "segments", "journeys"))


def used(*cells: tuple[int, str, str], uses: int = 1) -> list[Cell]:
    """Cells so many weeks ago."""
    return sorted(Cell(NOW - ago, person, feature, uses) for ago, person, feature in cells)


def known(tool: Tool, cells: list[Cell], first: int | None = NOW - 50) -> Adoption:
    found = adoption(tool, cells, NOW, first)
    assert isinstance(found, Adoption)
    return found


def test_a_planted_stack() -> None:
    cells = used((0, "ana", "send"), (1, "ana", "send"), (1, "bob", "send"), (4, "cho", "segments"),
                 (5, "dan", "send"), (12, "eve", "send"), (13, "fay", "send"), (2, "gil", "extra"))  # fmt: skip
    found = known(MAILER, cells)
    assert (found.people, found.share) == (4, 0.4), "ana, bob, cho, gil: dan was five weeks ago"
    assert (found.idle_seats, found.idle_cost, found.cost_per_person) == (6, 120.0, 50.0)
    assert (found.features_used, found.features_licensed) == (2, 3)
    assert [(f.feature, f.people, f.uses, f.licensed) for f in found.features] == [
        ("extra", 1, 1, False), ("journeys", 0, 0, True), ("segments", 1, 1, True), ("send", 2, 3, True),
    ]  # fmt: skip
    assert [(s.person, NOW - s.last) for s in found.stopped] == [("dan", 5), ("eve", 12)], "fay is too long ago"
    assert [week.people for week in found.by_week] == [1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 2, 1]
    assert found.by_week[-1].week == NOW
    assert found.note == ""


def test_nothing_told_is_no_use_of_nothing() -> None:
    assert isinstance(adoption(MAILER, [], NOW, None), NotEnoughData)
    assert isinstance(adoption(MAILER, [], NOW, NOW + 1), NotEnoughData), "told of the week to come alone"


def test_use_that_ended_is_named_as_either_of_two_things() -> None:
    found = known(MAILER, used((7, "ana", "send")))
    assert (found.people, found.idle_seats, found.cost_per_person) == (0, 10, None)
    assert found.note == f"no use was told since {week_name(NOW - 7)}: nobody uses it, or its use is no longer sent"
    assert known(MAILER, []).note.startswith(f"no use was told in the last {SHOWN} weeks")
    heartbeat = known(MAILER, used((0, "ana", "send"), uses=0))
    assert (heartbeat.people, heartbeat.stopped, heartbeat.told, heartbeat.note) == (0, (), True, "")
    assert not found.told


def test_no_seats_and_no_cost_give_no_number() -> None:
    found = known(Tool("wiki", "docs"), used((0, "ana", "")))
    assert (found.seats, found.share, found.idle_seats, found.idle_cost, found.cost_per_person) == (None,) * 5
    assert found.features_licensed is None
    assert found.features == ()
    seats_alone = known(Tool("wiki", "docs", seats=2), used((0, "ana", "")))
    assert (seats_alone.idle_seats, seats_alone.idle_cost) == (1, None)
    whole = known(Tool("wiki", "docs", seats=4, month=100), used((0, "ana", "")))
    assert whole.idle_cost == 75


def test_more_people_than_seats_is_said() -> None:
    found = known(Tool("wiki", "docs", seats=1, month=9), used((0, "ana", ""), (0, "bob", "")))
    assert (found.share, found.idle_seats, found.idle_cost) == (2.0, 0, 0.0)
    assert "2 people on 1 seats" in found.note


def test_the_trend_is_of_whole_weeks_since_use_is_told() -> None:
    cells = [Cell(NOW - ago, f"p{n}", "", 1) for ago in range(6) for n in range(2 + ago)]
    found = known(MAILER, cells, first=NOW - 5).trend
    assert not isinstance(found, NotEnoughData)
    assert (found.points, round(found.value, 9)) == (5, -1.0), "the running week has 2, and is not looked at"
    short = known(MAILER, cells, first=NOW - 3).trend
    assert isinstance(short, NotEnoughData)
    assert short.reason == "3 of the 4 whole weeks that a trend takes"


@given(st.lists(st.integers(0, 500), min_size=4, max_size=30).filter(lambda people: len({*people}) > 1))
def test_the_trend_is_that_of_scipy(people: list[int]) -> None:
    found = trend(people)
    assert not isinstance(found, NotEnoughData)
    peer = linregress(range(len(people)), people)
    half = t.ppf(0.975, len(people) - 2) * peer.stderr
    np.testing.assert_allclose(found.value, peer.slope, atol=1e-9)
    np.testing.assert_allclose(found.interval, (peer.slope - half, peer.slope + half), atol=1e-6)


def test_the_interval_of_the_trend_covers() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(600):
        found = trend([int(n) for n in rng.poisson(40 + 1.5 * np.arange(12))])
        assert not isinstance(found, NotEnoughData)
        hits += 1.5 in found.interval
    assert 0.925 <= hits / 600 <= 0.975


CELLS = st.lists(
    st.builds(Cell, st.integers(NOW - 20, NOW + 2), st.sampled_from("abcdefgh"), st.sampled_from(["", "send", "x"]),
              st.integers(0, 3)), max_size=40)  # fmt: skip


@given(CELLS)
def test_what_always_holds_of_adoption(cells: list[Cell]) -> None:
    found = known(MAILER, cells)
    active = {c.person for c in cells if c.uses and NOW - RECENT <= c.week <= NOW}
    assert found.people == len(active)
    assert not active & {one.person for one in found.stopped}
    assert found.idle_seats == max(10 - len(active), 0)
    assert all(one.people <= found.people for one in found.features)
    assert found.features_used <= 3
    assert known(MAILER, [*reversed(cells)]) == found, "the order does not matter"


def test_overlap_is_what_people_use_both_of() -> None:
    a = Tool("a", "email", month=100, does=("send", "segment"))
    b = Tool("b", "crm", month=40, does=("segment",))
    c = Tool("c", "crm", does=("call",))
    ended = Tool("d", "email", ends=5)
    apart = Tool("e", "bi", month=1)
    users = {"a": {"ana", "bob", "cho"}, "b": {"bob", "cho", "dan"}, "e": {"ana"}}
    ab, bc = overlaps([a, b, c, ended, apart], users, at=10)
    assert (ab.tools, ab.category, ab.does, ab.both, ab.either, ab.share) == (("a", "b"), "", ("segment",), 2, 4, 0.5)
    assert ab.saves == 40
    assert (bc.tools, bc.category, bc.share, bc.saves) == (("b", "c"), "crm", None, None)
    assert bc.reason == "nothing was told of the use of c"
    [idle] = overlaps([a, b], {"a": set(), "b": set()}, at=10)
    assert (idle.share, idle.both, idle.reason) == (None, 0, "nobody used either lately")


def test_dates_come_in_time_and_go() -> None:
    ends = parse_instant("2026-12-31T00:00:00+01:00")
    tool = Tool("mailer", "email", owner="ana", ends=ends, notice=60 * DAY,
                trial=ToolTrial("Is it good?", ends - 200 * DAY, metric="yes"))  # fmt: skip
    berlin = ZoneInfo("Europe/Berlin")

    def told(days: int, of: Tool = tool) -> list[tuple[str, int]]:
        return [(one.what, one.days) for one in dates([of], ends + days * DAY, berlin)]

    assert told(-231) == []
    assert told(-230) == [("trial", 30)]
    assert told(-90) == [("trial", -110), ("notice", 30)]
    assert told(-20) == [("trial", -180), ("notice", -40), ("contract", 20)]
    assert told(0) == [("trial", -200), ("contract", 0)]
    assert told(30) == [("trial", -230)], "an ended contract is not told for ever; an open trial is"
    decided = Tool("m", "email", trial=ToolTrial("?", ends, metric="yes", decided="keep", because="it is"))
    assert told(0, decided) == []
    [trial, notice] = dates([tool], ends - 90 * DAY, berlin)
    assert notice.sentence == "mailer: give notice before 2026-11-01, or the contract goes on"
    assert trial.sentence == "mailer: was to be decided before 2026-06-14: Is it good?"
    assert notice.owner == "ana"
    assert dates([tool], ends - HOUR, berlin)[-1].sentence == "mailer: the contract ends on 2026-12-31", "as in Berlin"


def test_a_trial_says_what_it_rests_on() -> None:
    trial = ToolTrial("More answers?", 100 * DAY, metric="yes")
    tool = Tool("mailer", "email", month=365.25 / 12, starts=0, ends=50 * DAY, trial=trial)
    nothing = Evidence("none", "nothing yet")
    open_ = standing(tool, trial, nothing, 40 * DAY, UTC)
    assert (open_.days, open_.overdue, open_.sentence) == (60, False, "to be decided before 1970-04-11")
    assert open_.spent == pytest.approx(40)
    late = standing(tool, trial, nothing, 100 * DAY, UTC)
    assert (late.overdue, late.spent) == (True, pytest.approx(50)), "an ended contract costs no more"
    assert "overdue since 1970-04-11" in late.sentence
    over = standing(tool, ToolTrial("?", 1, decided="drop", because="too dear"), nothing, 100 * DAY, UTC)
    assert (over.overdue, over.sentence) == (False, "decided: drop it, because too dear")
    assert spent(Tool("x", "y", month=3), DAY) is None
    assert spent(Tool("x", "y", starts=0), DAY) is None


def test_before_and_after_is_weak_whatever_it_says() -> None:
    effect = Effect((500, 500), 0.1, 0.12, 0.02, Interval(0.01, 0.03), 0.2, Interval(0.1, 0.3), 0.001, 0.005)
    found = before_and_after("yes", effect)
    assert (found.strength, found.relative, found.interval) == ("before and after", 0.2, Interval(0.1, 0.3))
    assert found.sentence.startswith("yes was 0.1 before and 0.12 after (+20.0%, +10.0% to +30.0%); weak evidence:")
    none = before_and_after("yes", NotEnoughData("3 customers"))
    assert (none.strength, none.relative, none.interval) == ("none", None, None)


@given(st.dates(date(1970, 1, 5), date(2200, 1, 1)), st.sampled_from(["UTC", "America/New_York", "Pacific/Auckland"]))
def test_weeks_are_those_of_iso_8601(day: date, zone: str) -> None:
    at = parse_instant(f"{day}T12:00:00Z")
    local = ZoneInfo(zone)
    from opportune.clock import to_datetime

    year, number, _ = to_datetime(at).astimezone(local).isocalendar()
    assert week_name(week_of(at, local)) == f"{year}-W{number:02}"
