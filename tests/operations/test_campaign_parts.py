"""The pure parts of campaigns: the fold of their facts, steps, content, money, calendar, clones, files of costs."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from opportune.catalog import from_data, to_data
from opportune.catalog.campaign_types import DEFAULT, BudgetLine, Campaign, Process, ProcessStage, Task
from opportune.catalog.types import Catalog
from opportune.clock import DAY, HOUR, parse_instant
from opportune.errors import BadInput, BadRequest
from opportune.events.types import CampaignStage, CampaignWork, Spent
from opportune.offers.coupons import Issued, Redeemed, Returned
from opportune.operations.budget_use import Used, used
from opportune.operations.calendar import Due, Span, calendar, midnight, read_week, span_of, week_span
from opportune.operations.campaign_clone import clone, template
from opportune.operations.campaign_content import approved_content
from opportune.operations.campaign_costs import coupon_costs
from opportune.operations.campaign_state import CampaignFact, CampaignState, folded
from opportune.operations.cost_file import read_costs
from opportune.operations.moving import step
from opportune.operations.weeks import week_of
from opportune.testing import tiny_action, tiny_catalog

BERLIN = ZoneInfo("Europe/Berlin")

NAMES = st.sampled_from(["ana", "Ana ", "bo", "李雷", ""])
ATS = st.integers(0, 20)
FACTS: st.SearchStrategy[CampaignFact] = st.one_of(
    st.builds(CampaignStage, ATS, st.just("s"), st.sampled_from(["idea", "brief", "live", "gone"]), NAMES,
              st.text(max_size=3), st.booleans()),
    st.builds(Spent, ATS, st.just("s"), st.sampled_from("abc"), st.sampled_from(["committed", "spent"]),
              st.floats(-10, 10), st.sampled_from(["", "ads"])),
    st.builds(CampaignWork, ATS, st.just("s"), st.sampled_from(["approval", "task", "hours"]), NAMES, NAMES,
              st.booleans(), st.floats(0, 9), st.sampled_from("abc"), st.just(""), st.sampled_from(["h1", "h2"])),
)  # fmt: skip


@given(st.lists(FACTS), st.integers(0, 30), ATS)
def test_a_fold_may_stop_anywhere_and_go_on(facts: list[CampaignFact], cut: int, until: int) -> None:
    half = folded(facts[:cut])
    assert folded(facts[cut:], begin=half) == folded(facts)
    assert half == folded(facts[:cut])
    assert folded(facts, until) == folded([fact for fact in facts if fact.at <= until])


@given(st.lists(FACTS))
def test_what_is_told_twice_counts_once(facts: list[CampaignFact]) -> None:
    money = [fact for fact in facts if isinstance(fact, Spent)]
    assert folded([*money, *money[-3:]]).entries == {fact.entry: fact for fact in [*money, *money[-3:]]}
    state = folded(facts)
    assert state.stage(DEFAULT) in {"idea", "brief", "live"}
    names = {one.by.strip().casefold() for one in facts if isinstance(one, CampaignWork) and one.what == "approval"}
    assert {*state.approvals} == names
    total, lines = used(None, [], state.entries.values())
    assert sum(line.spent for line in lines) == pytest.approx(total.spent)


def test_stamps_are_no_moves_and_what_a_process_lost_is_passed_over() -> None:
    facts = [CampaignStage(1, "s", "proposed", "ci"), CampaignStage(2, "s", "live"),
             CampaignStage(3, "s", "first_decision"), CampaignStage(4, "s", "idea", "ana", moved=True),
             CampaignStage(5, "s", "brief", "ana", moved=True),
             CampaignStage(6, "s", "wonder", "ana", moved=True)]  # fmt: skip
    state = folded(facts)
    assert state.stamps == {"proposed": 1, "first_decision": 2}
    assert (state.stage(DEFAULT), state.since(DEFAULT)) == ("brief", 5)
    other = Process("p", (ProcessStage("start"), ProcessStage("wonder")))
    assert (state.stage(other), state.since(other)) == ("wonder", 6)
    assert (CampaignState().stage(other), CampaignState().since(other)) == ("start", None)
    assert folded(facts, 4).stage(DEFAULT) == "idea"


def test_an_approval_is_of_what_it_was_given_for() -> None:
    yes = CampaignWork(1, "s", "approval", "check", "Bo", content="h1")
    state = folded([yes])
    assert state.approved("h1") == (yes,)
    assert state.approved("h2") == ()
    no, again = (CampaignWork(2, "s", "approval", "check", who, undone, content=content)
                 for who, undone, content in (("bo", True, "h1"), (" BO", False, "h2")))  # fmt: skip
    assert folded([yes, no]).approved("h1") == ()
    assert folded([yes, again]).approved("h2") == (again,)
    assert folded([yes, again]).approved("h1") == ()


def test_steps() -> None:
    assert step(DEFAULT, "idea", "brief", "")[1]
    assert step(DEFAULT, "live", "idea", "because") == (DEFAULT.stages[0], False)
    for stage, to, reason in (("idea", "build", ""), ("live", "idea", " "), ("live", "live", "x"), ("learned", "", ""),
                              ("idea", "nowhere", "x")):  # fmt: skip
        with pytest.raises(BadRequest):
            step(DEFAULT, stage, to, reason)


def content(**more: Any) -> str:
    """Return the hash of what is approved of a campaign in a catalog with more keys."""
    action = tiny_action("hello", campaign="spring", **more.pop("action", {}))
    campaign = {"name": "spring", "brief": "b", "owner": "ana", **more.pop("campaign", {})}
    actions, blocks = [action, tiny_action("other", **more.pop("other", {}))], {"end": {"en": more.pop("end", "Bye")}}
    catalog: Catalog = tiny_catalog(actions=actions, campaigns=[campaign], blocks=blocks, **more)
    return approved_content(catalog, catalog.campaigns[0])


def test_what_is_approved_is_what_is_said_and_done() -> None:
    base = content()
    same: list[dict[str, Any]] = [
        {"campaign": {"owner": "bo"}}, {"campaign": {"tasks": [{"name": "t"}]}}, {"campaign": {"learned": "much"}},
        {"other": {"value": 9}}, {"campaign": {"tags": ["x"]}}, {"currency": "USD"},
    ]  # fmt: skip
    others: list[dict[str, Any]] = [
        {"campaign": {"brief": "c"}}, {"campaign": {"budget": {"planned": 1}}}, {"campaign": {"ends": "2027-01-01"}},
        {"action": {"value": 2}}, {"action": {"off": True}}, {"action": {"kind": "service"}},
        {"action": {"treatments": [{"name": "card", "channel": "app", "content": {"title": "x"}}]}},
        {"other": {"campaign": "spring"}},
        {"action": {"treatments": [{"name": "card", "channel": "app", "content": {"title": "{% render 'end' %}"}}]}},
    ]
    assert {content(**more) for more in same} == {base}
    hashes = [content(**more) for more in others]
    assert len({base, *hashes}) == len(hashes) + 1
    assert content(**others[-1]) != content(**others[-1], end="See you")


def test_money_by_line() -> None:
    lines = [BudgetLine("ads", "2026-01", 5.0), BudgetLine("ads", "2026-02", 6.0)]
    total, rows = used(11.0, lines, [Spent(0, "s", "a", "spent", -2.5, "ads"), Spent(0, "s", "b", "committed", 1.0)])
    assert total == Used("", 11.0, 1.0, -2.5)
    assert rows == (Used("", None, 1.0, 0.0), Used("ads", 11.0, 0.0, -2.5))


def test_weeks_begin_on_monday_also_when_the_clock_changes() -> None:
    week = read_week("2026-W13")
    span = week_span(week, BERLIN)
    assert span == Span(midnight(date(2026, 3, 23), BERLIN), midnight(date(2026, 3, 30), BERLIN))
    assert span.ends is not None
    assert span.starts is not None
    assert span.ends - span.starts == 7 * DAY - HOUR
    assert {week_of(at, BERLIN) for at in (span.starts, span.ends - 1)} == {week}
    for text in ("2026-W54", "2025-W53", "2026-13", "W1", "0000-W01", "９９９９-W01", "", "2026-W1\n"):
        with pytest.raises(BadRequest):
            read_week(text)


def test_the_calendar() -> None:
    first = read_week("2026-W10")
    monday = midnight(date(2026, 3, 2), BERLIN)
    spans = {"short": Span(monday + DAY, monday + 7 * DAY), "open": Span(monday + 8 * DAY, None)}
    spans["old"] = Span(0, monday)
    due = [Due("short", Task("t", due=monday + 7 * DAY), False), Due("short", Task("never"), False)]
    weeks = calendar(first, 3, BERLIN, spans, due, [CampaignStage(monday, "open", "live", "ana", moved=True)])
    assert [week.campaigns for week in weeks] == [("short",), ("open",), ("open",)]
    assert [[one.task.name for one in week.tasks] for week in weeks] == [[], ["t"], []]
    assert [len(week.moves) for week in weeks] == [1, 0, 0]


def test_when_a_campaign_is_on() -> None:
    dates = {"a": ("2026-01-01", "2026-02-01"), "b": ("2026-01-05", "2026-03-01")}
    data = [tiny_action(name, **{"from": starts, "until": ends}) for name, (starts, ends) in dates.items()]
    actions = tiny_catalog(actions=data).actions
    whole = span_of(Campaign("s"), actions, None)
    assert whole == Span(midnight(date(2026, 1, 1), BERLIN), midnight(date(2026, 3, 1), BERLIN))
    assert span_of(Campaign("s", starts=3, ends=5), actions, 9) == Span(3, 5)
    assert span_of(Campaign("s"), (), None) is None
    assert span_of(Campaign("s"), (), 9) == Span(9, None)


def read_back(text: str) -> Campaign:
    """Return the campaign of a file in Berlin."""
    data = {**to_data(tiny_catalog()), **yaml.load(text, yaml.BaseLoader)}
    for campaign in data["campaigns"]:
        for line in campaign.get("budget", {}).get("lines", ()):
            line["planned"] = float(line["planned"])
        for task in campaign.get("tasks", ()):
            task |= {"hours": float(task["hours"])} if "hours" in task else {}
    return from_data(data).campaigns[0]


def test_a_clone_moves_all_dates_by_the_same_days() -> None:
    starts, noon = midnight(date(2026, 3, 20), BERLIN), parse_instant("2026-03-18T11:00:00Z")
    original = Campaign(
        "season", title="Season: spring", owner="ana", brief='Say "yes", {a: b}\nand mean it', template=True,
        starts=starts, ends=midnight(date(2026, 4, 1), BERLIN), learned="much", experiments=("e",),
        tasks=(Task("日本, again", "bo", noon, 1.5), Task("some day")), planned=3.0,
        lines=(BudgetLine("ads", "2026-03", 1.0), BudgetLine("print", "2026-12", 2.0), BudgetLine("tv", "", 0.0)),
    )  # fmt: skip
    made = read_back(clone(original, "summer", "", date(2026, 6, 28), BERLIN))
    assert (made.name, made.title, made.brief) == ("summer", original.title, original.brief)
    assert (made.template, made.learned, made.experiments) == (False, "", ())
    assert (made.starts, made.ends) == (midnight(date(2026, 6, 28), BERLIN), midnight(date(2026, 7, 10), BERLIN))
    # noon in Berlin in winter is noon in summer
    assert {task.name: task.due for task in made.tasks} == {
        "日本, again": parse_instant("2026-06-26T10:00:00Z"), "some day": None}  # fmt: skip
    moved = (BudgetLine("ads", "2026-06", 1.0), BudgetLine("print", "2027-03", 2.0))
    assert made.lines == (BudgetLine("tv", "", 0.0), *moved)
    same = read_back(clone(original, "twin", "Twin", None, BERLIN))
    assert (same.title, same.starts) == ("Twin", starts)
    assert {*same.lines} == {*original.lines}
    bare = read_back(clone(Campaign("bare"), "barer", "", date(2026, 1, 1), BERLIN))
    assert bare == Campaign("barer")


def test_the_template_names_what_it_is_given_and_no_more() -> None:
    text = template("OWNERS", "NAME")
    [entry] = yaml.safe_load(text)["campaigns"]
    assert (entry["name"], entry["owner"]) == ("OWNERS", "NAME")
    assert "# hypothesis: NAME " in text, "what is to be filled in is no name of a campaign"


def test_the_template_can_be_read() -> None:
    text = template("winter", "Ana: the owner")
    assert read_back(text) == Campaign("winter", title="What people call it", owner="Ana: the owner")
    filled = "\n".join(line.replace("# ", "", 1) if line.startswith("    # ") else line for line in text.split("\n"))
    campaign = yaml.load(filled, yaml.BaseLoader)["campaigns"][0]
    assert {"brief", "goal", "hypothesis", "budget", "tasks", "learned", "experiments"} <= {*campaign}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_costs(tmp_path: Path, end: str) -> None:
    file = tmp_path / "costs.csv"
    rows = ["campaign,entry,amount,kind,note", "spring,i1,1.5,committed,", ',,2,,"two\nlines, quoted"', ",,2,,twice",
            ",,2,,twice", "", "a,b,-3,spent,"]  # fmt: skip
    file.write_bytes(("\ufeff" + end.join(rows)).encode())
    lines = read_costs(file, "summer")
    entries = [*lines.values()]
    assert [*lines] == [2, 4, 5, 6, 8], "the last line of each row"
    assert [(e.campaign, e.amount, e.kind) for e in entries] == [
        ("spring", 1.5, "committed"), ("summer", 2.0, "spent"), ("summer", 2.0, "spent"), ("summer", 2.0, "spent"),
        ("a", -3.0, "spent")]  # fmt: skip
    assert len({e.entry for e in entries}) == 5
    assert read_costs(file, "summer") == lines
    for text, says in (("amount,price\n1,2\n", "unknown column `price`"), ("campaign\nx\n", "no column `amount`"),
                       ("campaign,amount,amount\nx,1,2\n", "1: 2 columns `amount`"),
                       ("campaign,amount\nx,1,2\n", "2: more cells"),
                       ("campaign,amount\nx,nan\n", "2: amount is 'nan'"),
                       ("campaign,amount\nx,1_0\n", "2: amount"), ("amount\n1\n", "2: no campaign"),
                       ("campaign,amount,kind\nx,1,lost\n", "2: kind is 'lost'")):  # fmt: skip
        file.write_text(text, "utf-8")
        with pytest.raises(BadInput, match=says):
            read_costs(file)
    file.write_bytes(b"campaign,amount\n\xff,1\n")
    with pytest.raises(BadInput, match="cannot be read"):
        read_costs(file)


def test_codes_cost_the_campaign_that_gave_them() -> None:
    def issued(code: str, decision: str) -> Issued:
        return Issued(1, "ten", 1, 1, 0, 9, code, "s", decision)

    def redeemed(code: str, cost: int, at: int = 5) -> Redeemed:
        return Redeemed(at, "ten", code, "o", cost, cost * 1_000_000, 0, 0, 0)

    facts = [issued("a", "mine"), issued("b", "theirs"), issued("both", "mine"), issued("both", "theirs"),
             redeemed("a", 3), redeemed("b", 50), redeemed("both", 70), redeemed("a", 900, at=8),
             Returned(6, "ten", "a", "o", 1, 1_000_000, 0, 0, False, 0, 0)]  # fmt: skip
    assert coupon_costs(facts, {"mine"}, 7) == {"ten": 2.0}
    assert coupon_costs(facts, {"mine"}, 5) == {"ten": 3.0}
    assert coupon_costs(facts, {"nobody's"}, 7) == {}
