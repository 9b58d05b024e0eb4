"""The checks of the operation on planted data: ill where it is ill, fine where it is, unknown where nobody can know."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from opportune.catalog.tool_types import Tool
from opportune.clock import DAY, HOUR
from opportune.measure.effect import Interval, NotEnoughData
from opportune.operations.health import Finding, worst_first
from opportune.operations.health_results import Effect, results
from opportune.operations.health_sales import HandedOver, sales
from opportune.operations.health_spend import CampaignSpend, spend
from opportune.operations.health_tools import Judged, idle
from opportune.operations.health_work import Effort, work
from opportune.operations.stack import overlaps
from opportune.operations.tool_book import Cell
from opportune.operations.tools import adoption


def number(finding: Finding, name: str) -> float | None:
    return next(one.value for one in finding.evidence if one.name == name)


def interval(finding: Finding, name: str) -> Interval | None:
    return next(one.interval for one in finding.evidence if one.name == name)


def check_unknown(finding: Finding, missing: str) -> None:
    assert finding.status == "unknown"
    assert missing in finding.missing
    assert finding.cure, "it says how the data are sent"


# --- uneven results


def planted(log_ratios: list[float], error: float = 0.05, metric: str = "yes") -> list[Effect]:
    return [Effect(f"c{n}", metric, y, error) for n, y in enumerate(log_ratios)]


def test_campaigns_that_differ_and_campaigns_that_do_not() -> None:
    uneven = results(planted([0.5, 0.0, -0.4, 0.3, 0.02]))
    assert uneven.status == "ill"
    assert "best c0, worst c2" in uneven.sentence
    assert [row["campaign"] for row in uneven.rows] == ["c0", "c3", "c4", "c1", "c2"]
    low, high = interval(uneven, "spread") or (0.0, 0.0)
    assert 0.8 < low < (number(uneven, "spread") or 0) < high <= 1
    rng = np.random.default_rng(3)
    alike = results(planted(rng.normal(0.1, 0.05, 30).tolist()))
    assert alike.status == "fine"
    assert alike.cure == ""


def test_few_campaigns_cannot_tell() -> None:
    check_unknown(results([]), "0 campaigns have an experiment that is over; it takes 2")
    one = results(planted([0.1]), running=3)
    check_unknown(one, "1 campaign has an experiment that is over; it takes 2 on the same metric (3 run)")
    check_unknown(results(planted([0.1, 0.12])), "so few cannot tell")


def test_effects_on_several_metrics_and_several_experiments_of_a_campaign() -> None:
    effects = planted([0.1, 0.1, 0.1]) + planted([3.0, -3.0], metric="spend")
    several = results(effects)
    assert number(several, "campaigns") == 3, "those on the metric of most campaigns"
    assert number(several, "mean") == pytest.approx(np.expm1(0.1))
    assert number(several, "spread") == 0
    twice = [Effect("a", "yes", 0.0, 0.1), Effect("a", "yes", 0.2, 0.1), Effect("b", "yes", 0.1, 0.1)]
    found = results(twice)
    assert number(found, "campaigns") == 2
    assert found.rows[0]["relative"] == pytest.approx(found.rows[1]["relative"]), "the mean of the two is .1"


def test_equal_campaigns_are_seldom_called_uneven() -> None:
    rng, alarms = np.random.default_rng(11), 0
    for _ in range(400):
        errors = rng.uniform(0.03, 0.1, 8)
        effects = [Effect(f"c{n}", "m", float(rng.normal(0.1, s)), float(s)) for n, s in enumerate(errors)]
        alarms += results(effects).status in ("ill", "watch")
    assert alarms / 400 <= 0.08


# --- spend


def test_spend_that_nobody_measures() -> None:
    money = [CampaignSpend("a", 60.0, ""), CampaignSpend("b", 30.0, "race"), CampaignSpend("", 10.0, "")]
    found = spend(money, "EUR")
    assert (found.status, number(found, "unmeasured"), number(found, "unmeasured_spend")) == ("ill", 0.7, 70.0)
    assert interval(found, "unmeasured") is None, "counted, not sampled"
    assert [row["campaign"] for row in found.rows] == ["a", ""]
    assert found.cure.startswith("give a an experiment")
    assert spend([CampaignSpend("a", 30.0, ""), CampaignSpend("b", 70.0, "x")], "EUR").status == "watch"
    well = spend([CampaignSpend("b", 70.0, "x")], "EUR")
    assert (well.status, well.cure) == ("fine", "")
    check_unknown(spend([], "EUR"), "no money of campaigns was told")


# --- tools

WEEK = 2922


def judged(tool: Tool, *people: str, first: int | None = WEEK - 20, told: bool = True) -> Judged:
    """A tool that some people use; without them, one of which it is told that ana does not."""
    cells = [Cell(WEEK, person, "", 1) for person in people] or [Cell(WEEK, "ana", "", 0)] * told
    return Judged(tool, adoption(tool, cells, WEEK, first))


def test_idle_tools() -> None:
    seats = Tool("mailer", "email", per_seat=10, seats=10)
    unused, used = Tool("poster", "email", month=100), Tool("wiki", "docs", month=100)
    found = idle([judged(seats, "ana", "bob"), judged(unused), judged(used, "ana")], [], "EUR")
    assert (found.status, number(found, "idle_cost"), number(found, "cost")) == ("ill", 180.0, 300.0)
    assert number(found, "idle") == pytest.approx(0.6)
    assert [row["tool"] for row in found.rows] == ["poster", "mailer"]
    assert "opportune tools show poster" in found.cure
    assert found.sentence == "180.00 of 300.00 EUR a month (60%) are for seats and tools that nobody uses."
    well = idle([judged(used, "ana")], [], "EUR")
    assert (well.status, well.missing, well.cure) == ("fine", "", "")
    little = idle([judged(Tool("big", "x", month=1000), "ana"), judged(Tool("small", "y", month=1))], [], "EUR")
    assert little.status == "watch", "a tool that nobody uses is told, however cheap"


def test_a_tool_that_went_silent_may_be_used_all_the_same() -> None:
    silent = judged(Tool("poster", "email", month=100), told=False)
    found = idle([silent, judged(Tool("wiki", "docs", month=20), "ana")], [], "EUR")
    assert (found.status, number(found, "idle_cost"), number(found, "silent_cost")) == ("watch", 100.0, 100.0)
    assert found.sentence.endswith("nobody is told to use; of poster nothing was told lately.")
    assert "or its use is no longer sent" in found.rows[0]["note"]
    seats = judged(Tool("mailer", "email", per_seat=10, seats=10), "ana")
    both = idle([silent, seats], [], "EUR")
    assert (both.status, number(both, "idle_cost"), number(both, "silent_cost")) == ("ill", 190.0, 100.0)
    assert "opportune tools show mailer" in both.cure, "what is surely idle comes first"


def test_tools_of_whose_use_nothing_is_known_are_not_called_idle() -> None:
    check_unknown(idle([], [], "EUR"), "the catalog has no tools")
    blind = judged(Tool("poster", "email", month=100), first=None)
    assert isinstance(blind.adoption, NotEnoughData)
    check_unknown(idle([blind], [], "EUR"), "use or cost is not known of poster")
    priceless = judged(Tool("gift", "email"), "ana")
    check_unknown(idle([priceless], [], "EUR"), "use or cost is not known of gift")
    mixed = idle([blind, judged(Tool("wiki", "docs", month=10), "ana")], [], "EUR")
    assert (mixed.status, number(mixed, "cost")) == ("fine", 10.0)
    assert "poster" in mixed.missing
    check_unknown(idle([blind, priceless, judged(Tool("wiki", "docs", month=10), "ana")], [], "EUR"), "poster, gift")


def test_people_who_use_two_tools_for_the_same() -> None:
    a, b = Tool("a", "email", month=5), Tool("b", "email", month=7)
    pairs = overlaps([a, b], {"a": {"ana", "bob"}, "b": {"ana", "bob"}}, at=0)
    found = idle([judged(a, "ana", "bob"), judged(b, "ana", "bob")], pairs, "EUR")
    assert (found.status, number(found, "doubled")) == ("watch", 1)
    assert found.cure == "opportune tools overlap: a and b"


# --- sales


def handed(hours: list[float], waiting: int = 0, ago: int = 60 * DAY) -> list[HandedOver]:
    return [HandedOver(-ago, int(-ago + h * HOUR)) for h in hours] + [HandedOver(-ago, None)] * waiting


def test_sales_that_act_at_once_and_sales_that_do_not() -> None:
    quick = sales(handed([1.0 + n / 10 for n in range(60)]), 100, 0)
    assert (quick.status, quick.cure) == ("fine", "")
    assert number(quick, "median_wait") == pytest.approx(3.9)
    assert number(quick, "never_accepted") == 0
    slow = sales(handed([70.0 + n for n in range(60)]), 100, 0)
    assert slow.status == "ill"
    lost = sales(handed([1.0] * 40, waiting=60), 200, 0)
    assert lost.status == "ill"
    assert (number(lost, "median_wait"), number(lost, "never_accepted")) == (None, 0.6)
    assert "half of the leads still wait" in lost.sentence
    late = sales(handed([1.0] * 40 + [15 * 24.0] * 60), 200, 0)
    assert number(late, "never_accepted") == 0.6, "taken up after two weeks is as good as never"
    between = sales(handed([20.0 + n / 2 for n in range(60)]), 100, 0)
    assert between.status == "watch"


def test_leads_who_still_wait_are_counted_rightly() -> None:
    """Half are taken up after 10 hours; the others were handed over an hour ago: they say nothing of slowness."""
    found = sales(handed([10.0] * 30) + [HandedOver(-HOUR, None)] * 30, 60, 0)
    assert number(found, "median_wait") == 10
    young = sales([HandedOver(-DAY, -DAY + HOUR)] * 40, 40, 0)
    check_unknown(young, "no lead was handed over 14 days ago")
    assert number(young, "never_accepted") is None


def test_too_few_leads_say_nothing() -> None:
    check_unknown(sales([], 0, 0), "no lead was told of")
    check_unknown(sales([], 7, 0), "no lead was handed over")
    check_unknown(sales(handed([1.0] * 9), 20, 0), "9 of the 10 leads handed over")


def test_the_interval_of_the_wait_covers() -> None:
    rng, hits = np.random.default_rng(17), 0
    for _ in range(300):
        waits = rng.exponential(30, 80)
        ages = rng.uniform(0, 120, 80)
        rows = [HandedOver(int(-a * HOUR), int((w - a) * HOUR) if w < a else None) for w, a in zip(waits, ages)]
        low, high = interval(sales(rows, 100, 0), "median_wait") or (0.0, 0.0)
        hits += low <= 30 * np.log(2) <= high
    assert 0.91 <= hits / 300 <= 0.99


# --- work


def campaigns(power: float, noise: float = 0.1, n: int = 14) -> list[Effort]:
    rng = np.random.default_rng(int(10 * power) + n)
    sizes = np.geomspace(1_000, 500_000, n)
    hours = 0.01 * sizes**power * np.exp(rng.normal(0, noise, n))
    return [Effort(f"c{k}", float(h), int(c)) for k, (h, c) in enumerate(zip(hours, sizes))]


def months(growth: float, n: int = 10) -> list[Effort]:
    rng = np.random.default_rng(5)
    return [Effort(f"2026-{k + 1:02}", 50 * float(np.exp(growth * k + rng.normal(0, 0.05))), 40_000) for k in range(n)]


def test_work_that_grows_with_contacts_and_work_that_does_not() -> None:
    ill = work(campaigns(1.0), months(0.0))
    assert ill.status == "ill"
    low, high = interval(ill, "elasticity") or (0.0, 0.0)
    assert low < 1.0 < high
    assert ill.cure.startswith("look at c13")
    well = work(campaigns(0.3), months(0.0))
    assert (well.status, well.cure) == ("fine", "")
    rising = work(campaigns(0.3), months(0.1))
    assert rising.status == "watch"
    assert number(rising, "trend") == pytest.approx(0.105, abs=0.02)
    assert "rise" in rising.sentence
    check_unknown(work(campaigns(0.7, noise=2.0, n=6), []), "more campaigns")


@pytest.mark.parametrize("n", [5, 6, 17, 1_200, 20_000])
def test_the_middle_of_hours_has_the_bounds_of_the_sign_test(n: int) -> None:
    found = interval(work([Effort(f"c{k}", float(k), 0) for k in range(1, n + 1)], []), "hours_per_campaign")
    bounds = stats.binom.interval(0.95, n, 0.5)
    assert found == (None if n < 6 else (bounds[0], n + 1 - bounds[0]))


def test_hours_that_nobody_told() -> None:
    check_unknown(work([], []), "no hours of campaigns were told")
    check_unknown(work([Effort("a", 0.0, 5_000)], []), "no hours of campaigns were told")
    few = work([Effort("a", 5.0, 1_000), Effort("b", 15.0, 3_000)], [])
    check_unknown(few, "2 of the 5 campaigns")
    assert (number(few, "hours_per_campaign"), interval(few, "hours_per_campaign")) == (10.0, None)
    assert (number(few, "hours_per_1000_contacts"), interval(few, "hours_per_1000_contacts")) == (5.0, None)
    assert number(few, "elasticity") is None
    alone = work([Effort("a", 5.0, 0)], [])
    assert number(alone, "hours_per_1000_contacts") is None
    assert work([Effort("a", 5.0, 0)], months(0.2)).status == "watch"


def test_the_intervals_of_hours_cover() -> None:
    rng, middle, ratio = np.random.default_rng(23), 0, 0
    for _ in range(300):
        sizes = rng.lognormal(9, 0.5, 24)
        hours = rng.lognormal(2, 0.6, 24)
        found = work([Effort(f"c{k}", float(h), int(c)) for k, (h, c) in enumerate(zip(hours, sizes))], [])
        low, high = interval(found, "hours_per_campaign") or (0.0, 0.0)
        middle += low <= np.exp(2) <= high
        low, high = interval(found, "hours_per_1000_contacts") or (0.0, 0.0)
        ratio += low <= 1000 * np.exp(2 + 0.18) / np.exp(9 + 0.125) <= high
    assert 0.93 <= middle / 300 <= 0.99
    assert 0.90 <= ratio / 300 <= 0.98


EFFORTS = st.lists(
    st.builds(Effort, st.sampled_from("abcdefghij"), st.floats(0, 1e6), st.integers(0, 10**9)), max_size=12
)


@given(EFFORTS)
def test_work_never_says_a_number_that_is_none(efforts: list[Effort]) -> None:
    for one in work(efforts, []).evidence:
        assert one.value is None or np.isfinite(one.value)
        assert one.interval is None or one.interval.low <= one.interval.high


@given(st.lists(st.builds(HandedOver, st.integers(-90 * DAY, 0), st.none()), max_size=20), st.integers(0, 9))
def test_waiting_leads_alone_are_never_fine(rows: list[HandedOver], leads: int) -> None:
    assert sales(rows, leads, 0).status != "fine"


def test_the_worst_is_first() -> None:
    order = [Finding(s, "", s, "") for s in ("fine", "ill", "unknown", "watch")]  # type: ignore[arg-type]
    assert [one.status for one in worst_first(order)] == ["ill", "watch", "unknown", "fine"]
