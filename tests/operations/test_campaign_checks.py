"""What each check of a stage says, met and not met; audiences, caps and contacts by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from opportune.catalog.types import Cap, Catalog
from opportune.clock import DAY
from opportune.errors import Problem
from opportune.events.types import CampaignStage, CampaignWork, Spent
from opportune.hub import Hub
from opportune.ledger.episodes import Episode, Episodes
from opportune.measure.summary import rate
from opportune.operations.calendar import Span
from opportune.operations.campaign_costs import Priced, Reached
from opportune.operations.campaign_state import folded
from opportune.operations.checks import Case, Linked, breaches_of, checked
from opportune.operations.clashes import Audiences, Spoken, clashes, contested
from opportune.services.office import Office
from opportune.testing import START, FakeClock, tiny_action, tiny_catalog

FULL = {"name": "spring", "owner": "ana", "brief": "b", "goal": {"metric": "roi", "target": 2},
        "budget": {"planned": 10}, "tasks": [{"name": "t", "due": "2026-01-01"}, {"name": "undated"}],
        "learned": "much"}  # fmt: skip


def case(campaign: Any = None, catalog: Catalog | None = None, *facts: Any, **more: Any) -> Case:
    """Return a case about `spring`, as it is approved with the content `h`."""
    catalog = catalog or tiny_catalog(actions=[tiny_action("hello", campaign="spring")], campaigns=[campaign or FULL])
    [entry] = catalog.campaigns
    return Case(catalog, entry, folded(facts), "h", START + DAY, **more)


def failed(check: str, one: Case) -> list[str]:
    """Return what a check misses; what is missing says where it is and what mends it."""
    found = checked([check], one)
    assert found, "a check that says nothing is passed by nobody"
    assert all(bool(told.where and told.cure) is not told.passed for told in found)
    return [told.what for told in found if not told.passed]


@pytest.mark.parametrize(("check", "says"), [
    ("owner", "it has no `owner`"), ("brief", "it has no `brief`"), ("hypothesis", "it has no `hypothesis`"),
    ("learned", "it has no `learned`"), ("goal", "it has no goal"), ("budget", "no budget is planned"),
    ("experiment", "no experiment is linked"), ("evaluated", "no experiment is linked, and 0 contacts say nothing"),
    ("someone_elses_approval", "nobody approved it as it is"),
])  # fmt: skip
def test_what_is_missing(check: str, says: str) -> None:
    assert failed(check, case({"name": "spring"})) == [says]
    if check in ("owner", "brief", "learned", "goal", "budget"):
        assert failed(check, case()) == []


def test_no_more_than_is_planned() -> None:
    committed, spent = Spent(0, "s", "a", "committed", 4.0), Spent(0, "s", "b", "spent", 6.0)
    assert failed("budget", case(None, None, committed, spent)) == []
    more = case(None, None, committed, replace_amount(spent, 6.01))
    assert failed("budget", more) == ["10.01 are committed and spent of 10.00 planned"]
    assert failed("budget", case({**FULL, "budget": {"planned": 0}})) == []


def replace_amount(fact: Spent, amount: float) -> Spent:
    return Spent(fact.at, fact.campaign, fact.entry, fact.kind, amount)


def actions(**own: Any) -> list[str]:
    catalog = tiny_catalog(
        actions=[tiny_action("hello", campaign="spring", **own), tiny_action("fine", campaign="spring")],
        campaigns=[FULL], metrics=[{"name": "m", "event": "x"}],
        experiments=[{"name": "e", "metric": "m", "arms": [{"name": "control"}, {"name": "on", "changes": {
            "actions": [{"name": "hello", "off": own.pop("arm", True)}]}}]}],
    )  # fmt: skip
    return failed("actions", case(None, catalog))


def test_actions_can_be_made() -> None:
    assert actions() == []
    assert actions(off=True) == ["action `hello` is off, and no arm of an experiment switches it on"]
    assert actions(until="2026-01-02") == ["action `hello` was over at 2026-01-01T23:00:00Z"]
    assert actions(until="2026-01-03") == []
    none = tiny_catalog(campaigns=[FULL])
    assert failed("actions", case(None, none)) == ["no action of the live catalog belongs to it"]


def test_an_arm_may_switch_an_action_on() -> None:
    arms = [{"name": "control"}, {"name": "on", "changes": {"actions": [{"name": "hello", "off": False}]}}]
    catalog = tiny_catalog(actions=[tiny_action("hello", campaign="spring", off=True)], campaigns=[FULL],
                           metrics=[{"name": "m", "event": "x"}],
                           experiments=[{"name": "e", "metric": "m", "arms": arms}])  # fmt: skip
    assert failed("actions", case(None, catalog)) == []


def approvals(*who: str, by: str = "", content: str = "h", undone: bool = False) -> list[str]:
    facts = [CampaignWork(k, "spring", "approval", "x", name, undone, content=content) for k, name in enumerate(who)]
    return failed("someone_elses_approval", case(None, None, *facts, by=by))


def test_two_people_stand_behind_it() -> None:
    assert approvals("bo") == []
    assert approvals("bo", by="cy") == []
    assert approvals("bo", by=" BO ") == [" BO  approved it and moves it as well"]
    assert approvals("bo", "cy", by="bo") == []
    assert approvals("Ana") == ["Ana approved it and owns it"]
    assert approvals("ana", by="bo") == ["ana approved it and owns it"]
    assert approvals("bo", content="other") == ["it changed since bo approved it"]
    assert approvals("bo", undone=True) == ["nobody approved it as it is"]


def test_tasks_that_are_due_are_done() -> None:
    assert failed("tasks", case()) == ["task `t` was due at 2025-12-31T23:00:00Z and is not done"]
    assert failed("tasks", case(None, None, CampaignWork(1, "spring", "task", "t", "bo"))) == []
    assert failed("tasks", case({**FULL, "tasks": [{"name": "t", "due": "2026-01-03"}, {"name": "u"}]})) == []


def test_a_test_with_power() -> None:
    def power(*tested: Linked) -> list[str]:
        return failed("experiment", case(tested=tested))

    assert power(Linked("e", 100, 100)) == []
    assert power(Linked("e", 99, 100)) == ["experiment `e` is planned for 99 customers and takes 100"]
    assert power(Linked("e", None, 100)) == ["nothing is planned for experiment `e`"]
    assert power(Linked("e", 99, None, reason="it is new")) == ["the power of experiment `e` is not known: it is new"]
    assert power(Linked("e", 99, 100), Linked("f", 5, 5)) == []
    assert len(power(Linked("e", 99, 100), Linked("f", 4, 5))) == 2


def test_evidence() -> None:
    def evidence(*tested: Linked, good: int = 0, contacts: int = 0) -> list[str]:
        return failed("evaluated", case(tested=tested, answered=rate(good, contacts)))

    assert evidence(Linked("e", started=True, over=True, shown="+10 %")) == []
    assert evidence(Linked("e", started=True, shown="+10 %")) == ["experiment `e` is still under way"]
    assert evidence(Linked("e")) == ["experiment `e` was never started"]
    assert evidence(Linked("e", started=True, over=True, reason="too few")) == [
        "experiment `e` ended and shows no number: too few"]  # fmt: skip
    assert evidence(good=3, contacts=100) == []
    assert evidence(good=3, contacts=99) == ["no experiment is linked, and 99 contacts say nothing"]
    assert evidence(Linked("e"), good=3, contacts=5000) == ["experiment `e` was never started"]


STANDARDS = [{"name": "terms", "requires": ["Terms"], "severity": "warning"},
             {"name": "modest", "forbids": ["best"]}, {"name": "spelled", "terms": {"E-Mail": "e-mail"}},
             {"name": "lawful", "needs_basis": True}]  # fmt: skip


def test_texts_meet_the_standards() -> None:
    def breached(title: str, arm: str = "Terms", **own: Any) -> dict[str, int]:
        card = {"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": title}}
        changed = [{"name": "hello", "treatments": [{"name": "card", "content": {"title": arm}}]}]
        catalog = tiny_catalog(
            actions=[tiny_action("hello", campaign="spring", treatments=[card], **own), tiny_action("other")],
            campaigns=[FULL], standards=STANDARDS, metrics=[{"name": "m", "event": "x"}],
            experiments=[{"name": "e", "metric": "m", "campaign": "spring", "arms": [
                {"name": "control"}, {"name": "new", "changes": {"actions": changed}}]}],
        )  # fmt: skip
        found = breaches_of(catalog, catalog.campaigns[0])
        one = case(None, catalog, breaches=found)
        return {check: len(failed(check, one)) for check in ("legal_text", "brand_terms", "consent_basis")}

    lawful = {"basis": "consent"}
    assert breached("Terms", **lawful) == {"legal_text": 0, "brand_terms": 0, "consent_basis": 0}
    assert breached("Hello", **lawful) == {"legal_text": 1, "brand_terms": 0, "consent_basis": 0}
    assert breached("Terms: best", **lawful)["brand_terms"] == 1
    assert breached("Terms", "Terms: the best", **lawful)["brand_terms"] == 1
    assert breached("Terms", "Hello", **lawful)["legal_text"] == 1
    assert breached("Terms")["consent_basis"] == 1


def test_without_standards_nothing_is_asked_for() -> None:
    told = checked(["legal_text", "brand_terms", "consent_basis"], case(breaches={}))
    assert all(one.passed and "no standard of this kind" in one.what for one in told)
    problem = {"legal_text": [Problem("x", "y", file="actions.a")]}
    assert not checked(["legal_text"], case(breaches=problem))[0].passed


def test_audiences_are_counted_whatever_their_order() -> None:
    audiences = Audiences()
    for campaigns in (["b", "a"], ["a", "b", "b"], ["b"], []):
        audiences.tell(campaigns)
    assert (audiences.asked, audiences.each["b"], audiences.both) == (4, 3, {("a", "b"): 2})


def test_caps_have_room_or_not() -> None:
    catalog = tiny_catalog(
        actions=[tiny_action("a"), tiny_action("b", group="other"), tiny_action("s", kind="service")],
        contact=[{"name": f"{on.replace('/', '_')}{most}", "on": on, "at_most": most, "in": "7d"}
                 for on in ("all", "channel", "channel/app", "issue", "group", "action", "grow", "grow/any", "action/a")
                 for most in (1, 2)],
    )  # fmt: skip
    a, b, s = sorted(catalog.actions, key=lambda action: action.name)
    both = {one.cap.name for one in contested(catalog, [a], [b])}
    assert both == {"all1", "channel1", "channel_app1", "issue1", "grow1"}
    assert {one.cap.name for one in contested(catalog, [a], [replace(a, name="c")])} >= {"group1", "grow_any1"}
    assert contested(catalog, [a], [s]) == []
    three = contested(catalog, [a, replace(a, name="c")], [b])
    assert {(one.cap.name, one.wanted) for one in three} >= {("all2", 3), ("all1", 3)}
    assert all(isinstance(one.cap, Cap) for one in three)


def test_campaigns_that_are_never_on_together_do_not_clash() -> None:
    catalog = tiny_catalog(actions=[tiny_action("a"), tiny_action("b")])
    mine = {"x": catalog.actions[:1], "y": catalog.actions[1:]}
    audiences, spoken = Audiences(), Spoken()
    audiences.tell(["x", "y"])
    weeks, places = {1: Span(0, 10), 2: Span(10, 20)}, {"a": frozenset("p"), "b": frozenset("q")}
    apart = {"x": Span(0, 10), "y": Span(10, None)}
    assert clashes(catalog, mine, apart, weeks, audiences, spoken, places) == []
    assert clashes(catalog, mine, {"x": Span(0, 10)}, weeks, audiences, spoken, places) == []
    [found] = clashes(catalog, mine, {"x": Span(0, 11), "y": Span(10, None)}, weeks, audiences, spoken, places)
    assert (found.weeks, found.placements) == ((2,), ())
    for campaign in ("x", "y"):
        spoken.tell(1, campaign, "maya")
        spoken.tell(2, campaign, campaign)
    [found] = clashes(catalog, mine, apart, weeks, audiences, spoken, places)
    assert (found.weeks, found.contacted, found.caps) == ((), {1: 1}, ())


def test_a_contact_is_what_reached_somebody_in_time() -> None:
    reached, prices = Reached(10), {"a": Priced(0.5, ("accept",), True)}
    rows = [
        Episode("a", "app", "p", 1.0, 0.1, seen=10, outcomes={"accept": 10}),
        Episode("a", "app", "p", 1.0, 0.1, seen=11),
        Episode("a", "app", "p", 1.0, 0.1, delivered=3, seen=5, outcomes={"accept": 11}),
        Episode("a", "app", "p", 1.0, 0.1, ghost=True, seen=5), Episode("a", "app", "p", 1.0, 0.1),
        Episode("b", "app", "p", 1.0, 0.1, seen=5), Episode("a", "app", "p", 1.0, 0.1, seen=5, credits=["event 7"]),
    ]  # fmt: skip
    for number, row in enumerate(rows):
        reached.take(f"d{number}", Episodes(1, "s", 1, 1, [row]), prices)
    assert (reached.rate.n, reached.rate.positive, reached.cost) == (3, 2, 1.5)
    assert reached.gave == {"d0", "d1", "d2", "d4", "d6"}


def test_what_is_said_twice_is_told_once() -> None:
    hub = Hub.of(tiny_catalog(actions=[tiny_action("hello", campaign="spring")], campaigns=[FULL]), clock=FakeClock())
    office = Office(hub)
    assert [office.approve("spring", "bo"), office.approve("spring", "Bo")] == [True, False]
    with hub.group():
        hub.learner.append([CampaignStage(1, "spring\x1fpart", "idea", "bo", moved=True)])
    assert len(office.standing("spring").facts) == 2
    assert [one.name for one in office.all()] == ["spring", "spring\x1fpart"]
