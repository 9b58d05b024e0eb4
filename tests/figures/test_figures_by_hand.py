"""Each figure on tables that are small enough to compute it by hand."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import pytest
from made_tables import asked, beside, day, made

from opportune.errors import BadRequest, NotFound
from opportune.figures import roi
from opportune.figures.header import NAMES, header
from opportune.measure.pooling import students

HELD = [
    {"at": day("2026-01-01"), "subject": f"h{i}", "holdout": "nobody", "held": True, "period": 0, "scope": "all"}
    for i in range(40)
]
REST = [{**row, "subject": f"r{i}", "held": False} for i, row in enumerate(HELD * 2)]


def bought(subject: str, margin: float, at: str = "2026-02-01", **more: object) -> dict[str, object]:
    return {"at": day(at), "subject": subject, "event": "Order Completed", "value": 2 * margin, "margin": margin,
            "undone": False, **more}  # fmt: skip


def test_return_on_marketing(tmp_path: Path) -> None:
    sold = [bought(f"h{i}", 10.0) for i in range(10)]  # 2.5 each of 40
    sold += [bought(f"r{i}", 10.0, action="tea", campaign="spring", channel="app") for i in range(40)]  # 5 each of 80
    sold += [bought("r1", 99.0, undone=True, action="tea"), bought("h1", 99.0, at="2025-12-31"), bought("x", 1.0)]
    paid = {"at": day("2026-01-15"), "campaign": "spring", "kind": "spent"}
    # two identities who met in both groups, and somebody whom a smaller holdout keeps out: nobody compares them
    met_twice = [{**REST[0], "subject": "r-joined"}, {**HELD[0], "subject": "anonymous"}]
    elsewhere = [{**REST[0], "subject": "kept"}, {**HELD[0], "subject": "kept", "holdout": "other"}]
    sold += [bought("r-joined", 500.0), bought("kept", 500.0)]
    folder = made(
        tmp_path,
        holdouts=[*HELD, *REST, *met_twice, *elsewhere],
        identities=[{"node": "anonymous", "subject": "r-joined"}],
        conversions=sold,
        contacts=[
            {"seq": 9, "at": day("2026-01-20"), "subject": f"r{i}", "campaign": "spring", "channel": "app", "cost": 0.5}
            for i in range(80)
        ],
        spend=[
            {"seq": 1, "entry": "a", "amount": 10.0, **paid},
            {"seq": 2, "entry": "a", "amount": 60.0, **paid},  # replaces the first
            {"seq": 3, "entry": "b", "amount": 500.0, **paid, "kind": "committed"},
        ],
    )
    found = asked(folder, "roi")
    # 80 (5 - 2.5) = 200 more margin for 60 + 40 of cost
    assert found.value == pytest.approx(1.0)
    assert found.n == 120
    assert found.interval is not None
    low, high = found.interval
    assert low is not None
    assert high is not None
    # the plain standard error of 80 x (difference) / 100, before skewness is taken out
    error = 80 / 100 * sqrt(100 * 0.25 * 0.75 * 40 / 39 / 40 + 100 * 0.25 * 80 / 79 / 80)
    assert high - low == pytest.approx(2 * 1.99 * error, rel=0.03)
    assert beside(found, "attributed").value == pytest.approx(3.0)  # 400 credited for 100
    assert beside(found, "gap").value == pytest.approx(2.0)
    by_month = asked(folder, "roi", by="month").rows
    assert [row["key"] for row in by_month] == ["2026-01", "2026-02"]
    assert by_month[0]["incremental_margin"] == 0
    [spring] = asked(folder, "roi", by="campaign").rows
    assert spring["value"] is None
    assert "experiment" in spring["reason"]
    assert (spring["cost"], spring["attributed_margin"]) == (100, 400)
    later = asked(folder, "roi", since="2026-01-31")
    assert later.reason == "marketing cost nothing: enter what was spent, and `cost` of actions"


def test_return_on_a_campaign_by_the_control_of_its_experiment(tmp_path: Path) -> None:
    met = [
        {"seq": i, "at": day("2026-01-01"), "subject": f"{arm}{i}", "experiment": "words", "arm": arm}
        for arm in ("old", "new")
        for i in range(50)
    ]
    folder = made(
        tmp_path,
        exposures=met,
        arms=[
            {"experiment": "words", "arm": "old", "control": True, "campaign": "spring"},
            {"experiment": "words", "arm": "new", "control": False, "campaign": "spring"},
        ],
        conversions=[bought(f"new{i}", 10.0) for i in range(30)] + [bought(f"old{i}", 10.0) for i in range(15)],
        contacts=[
            {"seq": 1, "at": day("2026-01-02"), "subject": f"new{i}", "campaign": "spring", "cost": 1.0}
            for i in range(50)
        ],
    )
    [spring] = asked(folder, "roi", by="campaign").rows
    assert spring["key"] == "spring"
    assert spring["value"] == pytest.approx(150 / 50 - 1)
    assert spring["interval"][0] < 2 < spring["interval"][1]


def test_velocity_counts_who_is_under_way(tmp_path: Path) -> None:
    def stages(campaign: str, *entered: tuple[str, str]) -> list[dict[str, object]]:
        each = enumerate(entered)
        return [{"seq": i, "at": day(at), "campaign": campaign, "stage": stage} for i, (stage, at) in each]

    told = stages("a", ("idea", "2026-01-01"), ("build", "2026-01-03"), ("live", "2026-01-11"))
    told += stages("b", ("idea", "2026-01-01"), ("live", "2026-01-21"), ("first_outcome", "2026-01-22"))
    told += stages("c", ("idea", "2026-01-01"), ("build", "2026-01-02"))
    told += stages("d", ("idea", "2026-01-06"))
    happened = (("started", "2026-01-01"), ("looked", "2026-01-03"), ("rolled out b", "2026-01-08"))
    tests = [
        {"seq": i, "at": day(at), "experiment": "e", "hypothesis": "words", "what": what}
        for i, (what, at) in enumerate(happened)
    ]
    folder = made(
        tmp_path, stages=told, experiments=tests,
        campaigns=[{"campaign": "a", "owner": "ana"}, {"campaign": "b", "owner": "ben"}],
    )  # fmt: skip
    found = asked(folder, "velocity", "2026-01-31")
    # of 4 one is live after 10 days and one after 20; two are under way at 30 and 25: S is .75, then .5
    assert found.value == 20
    assert (found.n, beside(found, "naive median").value) == (4, 15)
    assert found.interval is not None
    assert found.interval[1] is None  # how late the median may be, nobody knows yet
    assert beside(found, "hypothesis to decision").value == 7
    assert beside(found, "build").value == 8  # a left after 8 days, c has been in it for 29
    early = asked(folder, "velocity", "2026-01-15")
    assert early.value is None
    assert "under way" in str(early.reason)
    by_stage = {row["key"]: row for row in asked(folder, "velocity", "2026-01-31", by="stage").rows}
    assert by_stage["build"]["running"] == 1
    assert [row["key"] for row in asked(folder, "velocity", "2026-01-31", by="owner").rows] == ["ana", "ben", "nobody"]
    assert [row["value"] for row in asked(folder, "velocity", by="hypothesis").rows] == [7]


def test_adoption_counts_seats_by_feature_and_week(tmp_path: Path) -> None:
    def used(person: str, feature: str, at: str, seq: int, **more: object) -> dict[str, object]:
        row = {"seq": seq, "at": day(at), "tool": "mailer", "person": person, "feature": feature, "uses": 1}
        return {**row, "entry": "", **more}

    folder = made(
        tmp_path,
        tools=[{"tool": "mailer", "category": "email", "seats": 4}, {"tool": "free", "category": "chat"}],
        tool_features=[{"tool": "mailer", "feature": "send"}, {"tool": "mailer", "feature": "test"}],
        tool_use=[
            used("ana", "send", "2026-01-05", 1), used("ana", "send", "2026-01-06", 2),
            used("ben", "send", "2026-01-07", 3), used("ana", "test", "2026-01-12", 4),
            used("eve", "send", "2026-01-13", 5, entry="x"), used("eve", "send", "2026-01-13", 6, entry="x", uses=0),
            used("dan", "send", "2026-01-20", 7), used("dan", "other", "2026-01-20", 8),
            used("zoe", "send", "2026-01-26", 9),  # of a week that is not over
        ],
        contacts=[{"seq": i, "at": day("2026-01-10"), "decision_id": f"d{i}"} for i in range(6)],
        moments=[{"number": i, "at": day("2026-01-10"), "role": "contact"} for i in range(2)],
    )  # fmt: skip
    found = asked(folder, "adoption", "2026-01-28")
    # weeks of 8 seats each: 2, 1 and 1 are used (a use that was taken back is none)
    assert found.value == pytest.approx(4 / 24)
    half = students(2, 0.975) * sqrt(3 / 2 * ((2 - 8 / 6) ** 2 + 2 * (1 - 8 / 6) ** 2)) / 24
    assert found.interval == pytest.approx((max(4 / 24 - half, 0), 4 / 24 + half))
    assert beside(found, "decided by the hub").value == 0.75
    features = {row["key"]: row["value"] for row in asked(folder, "adoption", "2026-01-28", by="feature").rows}
    assert features == {"mailer/send": pytest.approx(3 / 12), "mailer/test": pytest.approx(1 / 12)}
    weeks = asked(folder, "adoption", "2026-01-28", by="week").rows
    assert {row["key"]: row["value"] for row in weeks} == {"2026-W02": 0.25, "2026-W03": 0.125, "2026-W04": 0.125}


def test_a_tool_counts_from_the_week_of_the_first_word_about_it(tmp_path: Path) -> None:
    tools = [{"tool": name, "category": "email", "seats": 4} for name in ("mailer", "blaster", "silent")]
    said = (("mailer", "2026-01-06", 1), ("mailer", "2026-01-14", 1), ("blaster", "2026-01-20", 0),
            ("blaster", "2026-01-29", 1))  # fmt: skip
    use = [{"seq": i, "at": day(at), "tool": tool, "person": "ana", "uses": uses, "entry": f"e{i}"}
           for i, (tool, at, uses) in enumerate(said)]  # fmt: skip
    folder = made(tmp_path, tools=tools, tool_use=use)
    early = asked(folder, "adoption", "2026-01-10", since="2025-12-01")
    assert early.value is None, "no week is whole since somebody said a word"
    assert "since its use was first told" in str(early.reason)
    rows = {row["key"]: row for row in asked(folder, "adoption", "2026-02-02", since="2025-12-01", by="tool").rows}
    # four weeks of the one; two of the other, of which one was said to be idle; nothing was said of the third
    assert {key: (row["weeks"], row["value"]) for key, row in rows.items()} == {
        "mailer": (4, pytest.approx(2 / 16)), "blaster": (2, pytest.approx(1 / 8)),
    }  # fmt: skip


def test_quality_weighs_faults_by_what_they_cost(tmp_path: Path) -> None:
    def told(at: str, kind: str, checked: int, faults: int, weight: float) -> dict[str, object]:
        return {"day": day(at).date(), "kind": kind, "checked": checked, "faults": faults, "weight": weight,
                "source": "web", "event": "Order Completed", "field": "revenue"}  # fmt: skip

    rows = [told("2026-01-01", "validity", 100, 10, 1.0), told("2026-01-02", "consent", 50, 5, 4.0)]
    folder = made(tmp_path, quality=[*rows, told("2026-02-02", "consent", 50, 50, 4.0)])
    found = asked(folder, "quality", "2026-01-31")
    assert found.value == pytest.approx(1 - 30 / 300)
    half = 1.959964 * sqrt(100 * 0.1 * 0.9 + 16 * 50 * 0.1 * 0.9) / 300
    assert found.interval == pytest.approx((0.9 - half, 0.9 + half))
    kinds = {row["key"]: row["value"] for row in asked(folder, "quality", "2026-12-31", by="kind").rows}
    assert kinds == {"consent": pytest.approx(1 - 220 / 400), "validity": pytest.approx(0.9)}


def test_conversion_by_cohorts(tmp_path: Path) -> None:
    def step(subject: str, stage: str, at: str, **more: object) -> dict[str, object]:
        return {"at": day(at), "subject": subject, "stage": stage, "source": "web", "referral": False, **more}

    leads = [
        step("a", "lead", "2026-01-01"), step("a", "customer", "2026-01-06"),
        step("b", "lead", "2026-01-01", referral=True), step("b", "customer", "2026-01-15"),
        step("c", "lead", "2026-01-01"), step("c", "customer", "2026-03-01"),  # too late
        step("d", "lead", "2026-01-01"),
        step("e", "lead", "2026-02-20"), step("e", "handed_over", "2026-02-21"), step("e", "accepted", "2026-02-24"),
        step("f", "customer", "2026-01-02"),  # no lead before
    ]  # fmt: skip
    steps = [
        {"place": i, "stage": stage, "event": stage, "window_days": 30.0}
        for i, stage in enumerate(("lead", "handed_over", "accepted", "customer"))
    ]
    folder = made(tmp_path, leads=leads, funnel=steps)
    ripe = asked(folder, "conversion", "2026-02-10")
    assert (ripe.value, ripe.n) == (0.5, 4)
    assert ripe.interval == pytest.approx((0.15004, 0.84996), abs=1e-4)  # Wilson, 2 of 4
    found = asked(folder, "conversion", "2026-02-25")
    # e has been known for 5 days and is still at risk at day 5: of 5 one ends at 5, of 3 one at 14
    assert found.value == pytest.approx(1 - 4 / 5 * 2 / 3)
    assert found.interval is not None
    # customers of the same time over leads of the same time: a, b (f was no lead) of five
    assert beside(found, "same-period ratio").value == pytest.approx(2 / 5)
    assert beside(found, "referrals").value == 1
    assert beside(found, "without referrals").value == pytest.approx(1 / 4)
    assert beside(found, "hand-over to sales").value == 3
    assert beside(found, "handed_over").value == pytest.approx(1 / 5)
    young = asked(folder, "conversion", "2026-03-01", since="2026-02-01")
    assert young.value is None
    assert "30 days old" in str(young.reason)
    months = {row["key"]: row["value"] for row in asked(folder, "conversion", "2026-06-01", by="month").rows}
    assert months == {"2026-01": 0.5, "2026-02": 0.0}


def test_a_lead_has_the_days_of_its_window_and_no_more(tmp_path: Path) -> None:
    def step(subject: str, stage: str, at: str) -> dict[str, object]:
        return {"at": day(at), "subject": subject, "stage": stage, "referral": None}

    leads = [step(who, "lead", "2026-01-01") for who in "abcd"]
    came = {"a": "2026-01-31", "b": "2026-01-30", "c": "2026-01-01"}
    leads += [step(who, "customer", at) for who, at in came.items()]
    steps = [{"place": i, "stage": stage, "window_days": 30.0} for i, stage in enumerate(("lead", "customer"))]
    found = asked(made(tmp_path, leads=leads, funnel=steps), "conversion")
    assert (found.value, found.n) == (0.5, 4)  # the 31st is 30 days later: too late


def test_budget_beside_the_plan(tmp_path: Path) -> None:
    paid = [
        {"seq": i, "at": day(at), "campaign": "spring", "kind": kind, "amount": amount,
         "entry": f"e{max(i, 1)}"}  # the second entry replaces the first
        for i, (at, kind, amount) in enumerate(
            [("2026-01-05", "spent", 9.0), ("2026-01-06", "spent", 50.0), ("2026-01-13", "spent", 70.0),
             ("2026-01-20", "spent", 60.0), ("2026-01-26", "committed", 20.0), ("2026-03-01", "spent", 500.0)]
        )
    ]  # fmt: skip
    folder = made(
        tmp_path,
        campaigns=[
            {"campaign": "spring", "owner": "ana", "planned": 400.0, "starts": day("2026-01-05"),
             "ends": day("2026-03-02")},
            {"campaign": "later", "owner": "ben", "planned": 100.0},
        ],
        spend=paid,
    )  # fmt: skip
    found = asked(folder, "budget", "2026-01-26")
    # 400 over 56 days: 50 a week, 150 until the fourth Monday
    assert found.value == pytest.approx((180 + 20) / 150)
    forecast = beside(found, "forecast at completion")
    # a euro of the plan took 4/3 so far, of 50, 70, 60 and 20 in four weeks, and 20 of it are only committed
    end = 200 + (500 - 150) * 200 / 150
    assert forecast.value == pytest.approx(end)
    noise = ((50 - 200 / 3) ** 2 + (70 - 200 / 3) ** 2 + (60 - 200 / 3) ** 2 + 20**2) / 3
    half = students(3, 0.975) * sqrt(noise * (4 * (350 / 150) ** 2 + 350 / (150 / 4)))
    assert forecast.interval == pytest.approx((max(end - half, 200), end + half))
    assert beside(found, "allocated").value == pytest.approx(0.8)
    assert beside(found, "used well").value is None
    assert "the effect of no campaign is known" in beside(found, "used well").meaning
    rows = {row["key"]: row for row in asked(folder, "budget", "2026-01-26", by="owner").rows}
    assert rows["ana"]["value"] == pytest.approx(200 / 150)
    assert rows["ben"]["value"] is None
    assert "starts" in rows["ben"]["reason"]


def test_a_forecast_is_never_below_what_is_spent_and_committed(tmp_path: Path) -> None:
    paid = [
        {"seq": i, "at": day(at), "campaign": "spring", "kind": kind, "amount": amount, "entry": f"e{i}"}
        for i, (at, kind, amount) in enumerate(
            [("2026-01-06", "spent", 200.0), ("2026-01-13", "committed", 1200.0), ("2026-01-20", "spent", 50.0)]
        )
    ]
    plan = {"campaign": "spring", "planned": 6000.0, "starts": day("2026-01-05"), "ends": day("2026-03-02")}
    folder = made(tmp_path, campaigns=[plan], spend=paid)
    found = beside(asked(folder, "budget", "2026-01-26"), "forecast at completion")
    assert found.value == pytest.approx(1450 + 6000 * 35 / 56 * 1450 / (6000 * 21 / 56))
    assert found.interval is not None
    assert found.interval[0] is not None
    assert found.interval[0] >= 1450


def test_how_well_money_was_used_is_known_only_with_an_effect(tmp_path: Path) -> None:
    spend = [{"seq": i, "at": day("2026-01-10"), "campaign": name, "kind": "spent", "amount": 10.0}
             for i, name in enumerate(("spring", "unplanned"))]  # fmt: skip
    folder = made(tmp_path, spend=spend)  # from elsewhere: nobody says which campaigns there are
    told = beside(asked(folder, "budget"), "used well")
    assert told.value is None
    assert "the effect of no campaign is known" in told.meaning
    assert "nothing was spent" in beside(asked(folder, "budget", "2026-01-05"), "used well").meaning
    met = [{"seq": i, "at": day("2026-01-01"), "subject": f"{arm}{i}", "experiment": "words", "arm": arm}
           for arm in ("old", "new") for i in range(50)]  # fmt: skip
    arms = [{"experiment": "words", "arm": arm, "control": arm == "old", "campaign": "spring"}
            for arm in ("old", "new")]  # fmt: skip
    sold = [bought(f"new{i}", 10.0) for i in range(30)] + [bought(f"old{i}", 10.0) for i in range(5)]
    reached = [{"at": day("2026-01-02"), "subject": f"new{i}", "campaign": "spring", "cost": 0.1} for i in range(50)]
    folder = made(tmp_path / "more", spend=spend, exposures=met, arms=arms, conversions=sold, contacts=reached)
    assert beside(asked(folder, "budget"), "used well").value == pytest.approx(15 / 25)


@pytest.mark.parametrize("name", NAMES)
def test_with_nothing_there_is_no_number_and_a_reason(tmp_path: Path, name: str) -> None:
    folder = made(tmp_path, stages=[])
    for by in (None, *header(name).dimensions):
        found = asked(folder, name, by=by)
        assert found.value is None
        assert found.reason
        assert found.rows == ()


def test_questions_that_cannot_be_answered(tmp_path: Path) -> None:
    folder = made(tmp_path, stages=[])
    with pytest.raises(NotFound, match="the figures are roi"):
        asked(folder, "tea")
    with pytest.raises(BadRequest, match="it has campaign, channel, month"):
        asked(folder, "roi", by="1; DROP TABLE leads")
    with pytest.raises(BadRequest, match="since is after"):
        asked(folder, "roi", "2026-01-01", since="2026-02-01")
    assert asked(folder, "roi", "2999-01-01").value is None


def test_velocity_of_a_campaign_that_people_move_leaves_out_what_the_hub_stamps(tmp_path: Path) -> None:
    def stage(seq: int, name: str, at: str, moved: bool) -> dict[str, object]:
        return {"seq": seq, "at": day(at), "campaign": "a", "stage": name, "moved": moved}

    told = [stage(1, "proposed", "2026-01-01", False), stage(2, "idea", "2026-01-05", True),
            stage(3, "first_decision", "2026-01-06", False), stage(4, "live", "2026-01-08", True)]  # fmt: skip
    found = asked(made(tmp_path, stages=told), "velocity")
    assert (found.value, found.n) == (3, 1)
    assert [row["key"] for row in asked(tmp_path, "velocity", by="stage").rows] == ["idea", "live"]


def test_what_happens_as_a_period_begins_counts_in_that_period_alone(tmp_path: Path) -> None:
    members = [{**row, "period": period, "at": day(at)} for row in (*HELD, *REST)
               for period, at in ((0, "2026-01-01"), (1, "2026-02-01"))]  # fmt: skip
    sold = [bought(f"r{i}", 10.0, "2026-02-01") for i in range(40)]
    sold += [bought(f"h{i}", 5.0, "2026-02-10") for i in range(20)]
    reached = [
        {"seq": i, "at": day("2026-02-01"), "subject": f"r{i}", "campaign": "spring", "channel": "app", "cost": 1.0}
        for i in range(80)
    ]
    found = asked(made(tmp_path, holdouts=members, conversions=sold, contacts=reached), "roi")
    # 160 customers in periods: 400 / 160 for them, 100 / 80 for those held out; each contact is paid for once
    assert found.value == pytest.approx((400 - 160 * 100 / 80) / 80 - 1)
    assert found.n == 240


def test_money_that_nobody_named_is_all_counted(tmp_path: Path) -> None:
    spend = [{"seq": i, "at": day("2026-01-10"), "campaign": "spring", "kind": "spent", "amount": 10.0}
             for i in range(6)]  # fmt: skip
    used = [{"seq": i, "at": day("2026-01-06"), "tool": "mailer", "person": f"p{i}", "uses": 1} for i in range(3)]
    plan = {"campaign": "spring", "planned": 100.0, "starts": day("2026-01-01"), "ends": day("2026-02-01")}
    folder = made(tmp_path, spend=spend, campaigns=[plan], tool_use=used, tools=[{"tool": "mailer", "seats": 4}])
    assert asked(folder, "budget", "2026-06-01").value == pytest.approx(0.6)
    assert asked(folder, "adoption", "2026-01-12", since="2026-01-05").value == pytest.approx(3 / 4)
    [spring] = asked(folder, "roi", by="campaign").rows
    assert spring["spend"] == 60


def test_a_budget_since_a_day_has_what_came_later_alone(tmp_path: Path) -> None:
    def reached(at: str, cost: float) -> dict[str, object]:
        return {"at": day(at), "campaign": "spring", "cost": cost}

    contacts = [reached("2026-01-06", 30.0), reached("2026-01-08", 20.0), reached("2026-01-15", 25.0),
                reached("2026-01-22", 25.0)]  # fmt: skip
    plan = {"campaign": "spring", "planned": 310.0, "starts": day("2026-01-01"), "ends": day("2026-02-01")}
    folder = made(tmp_path, contacts=contacts, campaigns=[plan])
    found = asked(folder, "budget", "2026-01-28", since="2026-01-07")  # a Wednesday: that week has begun
    assert found.value == pytest.approx(70 / 210)
    # 40 of the plan are to come, at what a euro of it cost since then
    assert beside(found, "forecast at completion").value == pytest.approx(70 + 40 * 70 / 210)
    assert beside(asked(folder, "budget", "2026-01-28"), "forecast at completion").value == pytest.approx(
        100 + 40 * 100 / 270
    )


def test_a_plan_of_another_time_says_so(tmp_path: Path) -> None:
    plan = {"campaign": "spring", "planned": 310.0, "starts": day("2026-03-01"), "ends": day("2026-04-01")}
    folder = made(tmp_path, campaigns=[plan])
    assert "still to come" in str(asked(folder, "budget", "2026-02-01").reason)
    assert "it was over before" in str(asked(folder, "budget", "2026-06-01", since="2026-05-01").reason)


def test_the_score_of_a_day_that_has_only_begun_is_not_known(tmp_path: Path) -> None:
    rows = [{"day": day(at), "source": "web", "kind": "validity", "checked": 100.0, "faults": faults, "weight": 1.0}
            for at, faults in (("2026-01-05", 10.0), ("2026-01-06", 90.0))]  # fmt: skip
    folder = made(tmp_path, quality=rows)
    assert asked(folder, "quality", "2026-01-06").value == pytest.approx(0.9)
    assert asked(folder, "quality", "2026-01-07").value == pytest.approx(0.5)


def test_clocks_that_are_wrong_break_nothing(tmp_path: Path) -> None:
    told = [{"seq": i, "at": day(at), "campaign": "a", "stage": stage}
            for i, (stage, at) in enumerate((("idea", "2026-02-01"), ("build", "2026-01-03"), ("live", "2026-02-11")))]
    steps = (("lead", "2026-01-01"), ("handed_over", "2027-03-01"), ("accepted", "2027-04-01"),
             ("customer", "2026-01-04"))  # fmt: skip
    leads = [{"subject": f"s{i}", "stage": stage, "at": day(at), "known": day("2026-01-02")}
             for i in range(5) for stage, at in steps]  # fmt: skip
    folder = made(tmp_path, stages=told, leads=leads)
    assert asked(folder, "velocity", by="stage").rows[0]["value"] is not None
    found = asked(folder, "conversion")
    assert found.value == 1
    assert "no lead was handed over" in beside(found, "hand-over to sales").meaning


def test_rows_weigh_what_stands_below_the_line(tmp_path: Path) -> None:
    plans = [{"campaign": name, "planned": planned, "starts": day("2026-01-01"), "ends": day("2026-02-01")}
             for name, planned in (("large", 900.0), ("small", 100.0))]  # fmt: skip
    spend = [{"seq": 1, "at": day("2026-01-10"), "campaign": "large", "entry": "a", "kind": "spent", "amount": 90.0},
             {"seq": 2, "at": day("2026-01-20"), "campaign": "small", "entry": "b", "kind": "spent", "amount": 90.0}]
    checked = [{"day": day("2026-01-05"), "kind": kind, "source": "web", "checked": 10.0, "faults": 1.0,
                "weight": weight} for kind, weight in (("validity", 50.0), ("freshness", 1.0))]  # fmt: skip
    folder = made(tmp_path, campaigns=plans, spend=spend, quality=checked)
    for name, by in (("budget", "campaign"), ("quality", "kind")):
        found = asked(folder, name, by=by)
        weights = [row["weight"] for row in found.rows]
        mean = sum(row["value"] * row["weight"] for row in found.rows) / sum(weights)
        assert mean == pytest.approx(found.value)
        assert max(weights) / min(weights) == pytest.approx(9 if name == "budget" else 50)


@pytest.mark.parametrize("by", [None, "month", "channel"])
def test_without_a_comparison_the_roi_asks_for_decisions_too(by: str | None) -> None:
    reason = roi.read([], by).reason
    assert reason is not None
    assert "holdout" in reason
    assert "and decisions since" in reason
