"""The office on a hub: what is stamped, what a restart knows, money, approvals, costs, and campaigns that clash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.api.campaigns import move
from opportune.api.campaigns_told import info, row
from opportune.clock import DAY, HOUR
from opportune.errors import BadRequest, NotFound
from opportune.events.types import CampaignStage
from opportune.hub import Hub
from opportune.operations.calendar import read_week
from opportune.operations.campaign_state import folded
from opportune.operations.weeks import week_name, week_of
from opportune.services.office import Money, Office
from opportune.services.till import Till, Wanted
from opportune.services.timetable import clashing, weeks
from opportune.testing import START, FakeClock, tiny_action, tiny_catalog
from opportune.wire.campaigning import CampaignMove

SPRING = {"name": "spring", "owner": "ana", "brief": "b", "goal": {"metric": "roi", "target": 1},
          "budget": {"planned": 100}, "tasks": [{"name": "t", "due": "2026-01-02"}]}  # fmt: skip


def catalog_of(*actions: Mapping[str, Any], campaigns: Any = (SPRING,), **more: Any) -> Any:
    """Return a catalog with some campaigns and their actions; nothing holds anybody out."""
    model = {"ramp": 0, "random_share": 0, "arms": {}}
    return tiny_catalog(actions=[*actions] or [tiny_action("hello", campaign="spring", cost=0.25)],
                        campaigns=[*campaigns], model=model, **more)  # fmt: skip


CATALOG = catalog_of()


def stages(hub: Hub) -> list[tuple[str, str, bool]]:
    return [(f.campaign, f.stage, f.moved) for _, f in hub.ledger.read() if isinstance(f, CampaignStage)]


def test_a_campaign_with_a_process_is_moved_by_people_alone() -> None:
    hub = Hub.of(catalog_of(), clock=FakeClock())
    answer = hub.decide("maya", "app.home")
    hub.respond(str(answer.decision_id), "hello", "accept")
    stamped = [("spring", "first_decision", False), ("spring", "first_outcome", False)]
    assert stages(hub) == [("spring", "idea", True), *stamped]
    hub.publish(catalog_of(campaigns=[{**SPRING, "brief": "c"}, {"name": "more", "template": True}]))
    assert len(stages(hub)) == 3


def test_an_old_ledger_goes_on(tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path / 'hub.db'}", FakeClock()
    with Hub.of(tiny_catalog(actions=[tiny_action("hello", campaign="spring")]), url, clock) as hub:
        hub.decide("maya", "app.home")
        assert [stage for _, stage, _ in stages(hub)] == ["proposed", "approved", "live"]
        # as it was before campaigns were kept beside the log
        with hub.group():
            told = hub.store.table("campaign_facts")
            told.delete([key for key, _ in told.scan()])
            hub.store.table("live").delete(["campaigns"])
        [alone] = Office(hub).all()
        assert (alone.name, alone.entry, alone.stage, alone.state.moves) == ("spring", None, "", ())
        clock.advance(DAY)
        hub.publish(catalog_of(), "ana")
        office = Office(hub)
        assert office.standing("spring").state.stamps == {"proposed": START, "approved": START, "first_decision": START}
        assert (office.standing("spring").stage, office.standing("spring").state.moves[0].at) == ("idea", START + DAY)
        hub.decide("maya", "app.home")
        before = office.standing("spring")
        assert office.move("spring", "bo").stage == "brief"
    with Hub.of(catalog_of(), url, clock) as hub:
        after = Office(hub).standing("spring")
        assert after.facts[: len(before.facts)] == before.facts
        assert (after.stage, after.state.moves[-1].by) == ("brief", "bo")


WORK = st.lists(st.one_of(
    st.tuples(st.just("money"), st.sampled_from("abc"), st.integers(0, 3), st.sampled_from(["committed", "spent"])),
    st.tuples(st.just("task"), st.booleans()),
    st.tuples(st.just("hours"), st.sampled_from("abc"), st.integers(0, 3)),
    st.tuples(st.just("approve"), st.sampled_from(["bo", "cy"]), st.booleans()),
    st.tuples(st.just("move"), st.sampled_from(["", "idea", "brief"])),
    st.tuples(st.just("time"), st.integers(-2, 5)),
    st.tuples(st.just("restart")),
), max_size=25)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(WORK)
def test_a_restart_anywhere_changes_nothing(work: list[tuple[Any, ...]]) -> None:
    clock = FakeClock()
    steady, hub = Hub.of(CATALOG, clock=FakeClock()), Hub.of(CATALOG, clock=clock)
    for what, *how in work:
        if what == "restart":
            hub = Hub(hub.store, clock)
        elif what == "time":
            for one in (clock, steady.clock):
                assert isinstance(one, FakeClock)
                one.advance(how[0] * HOUR)
        else:
            assert did(hub, what, how) == did(steady, what, how)
    mine, same = Office(hub).standing("spring"), Office(steady).standing("spring")
    assert mine.facts == same.facts
    assert mine.state == same.state == folded(fact for _, fact in mine.facts)


def did(hub: Hub, what: str, how: list[Any]) -> object:
    """Do a piece of work; return what came of it."""
    office = Office(hub)
    try:
        match what:
            case "money":
                return office.spend([Money("spring", how[0], how[1], how[2])], "bo")
            case "task":
                return office.task("spring", "t", "bo", how[0])
            case "hours":
                return office.hours("spring", how[1], "bo", "texts", how[0])
            case "approve":
                return office.approve("spring", how[0], "", how[1])
        return office.move("spring", "dan", how[0], "because")
    except BadRequest as wrong:
        return str(wrong)


def test_money_that_is_told_at_once_by_many_is_all_there() -> None:
    hub = Hub.of(catalog_of(), clock=FakeClock())

    def tell(part: int) -> None:
        for k in range(25):
            Office(hub).spend([Money("spring", f"{part}.{k}", 1.0), Money("spring", "same", 5.0)], "bo")

    threads = [Thread(target=tell, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = Office(hub).standing("spring").state.entries
    assert sum(entry.amount for entry in entries.values()) == 8 * 25 + 5
    assert len([f for _, f in hub.ledger.told_of("spring")]) == 8 * 25 + 1 + 1


def test_a_file_that_is_sent_again_undoes_no_correction() -> None:
    hub = Hub.of(catalog_of(), clock=FakeClock())
    office = Office(hub)
    file = [Money("spring", "i1", 1200, "committed"), Money("spring", "i2", 50.5)]
    assert office.spend(file, "bo", again=True) == 2
    assert office.spend([Money("spring", "i1", 1150)], "bo") == 1
    assert office.spend(file, "bo", again=True) == 0
    paid = office.standing("spring").state.entries["i1"]
    assert (paid.kind, paid.amount) == ("spent", 1150)
    assert office.spend([*file, Money("spring", "i3", 1)], "bo", again=True) == 1
    assert office.spend([Money("spring", "i1", 1200, "committed")], "bo") == 1, "said by hand, it is meant"


def test_what_is_corrected_happened_when_it_did() -> None:
    clock = FakeClock()
    hub = Hub.of(catalog_of(), clock=clock)
    office = Office(hub)
    assert office.spend([Money("spring", "i1", 100, "committed")], "bo") == 1
    clock.advance(10 * DAY)
    assert office.spend([Money("spring", "i1", 100, "committed")], "cy") == 0
    assert office.spend([Money("spring", "i1", 90, "committed")], "cy") == 1
    assert office.standing("spring").state.entries["i1"].at == START
    assert office.spend([Money("spring", "i1", 90, "spent")], "cy") == 1
    assert office.standing("spring").state.entries["i1"].at == START + 10 * DAY
    then = office.standing("spring", START + DAY).state.entries["i1"]
    assert (then.kind, then.amount) == ("committed", 90)
    assert office.spend([Money("spring", "i1", 90, "spent", at=START + DAY)], "cy") == 1
    with pytest.raises(BadRequest, match="entry 1: at lies ahead"):
        office.spend([Money("spring", "i2", 1, at=clock.now() + 1)], "cy")
    for amount in (float("nan"), float("inf"), True, 1e16, "1"):
        with pytest.raises(BadRequest, match="entry 1: amount"):
            office.spend([Money("spring", "i2", amount)], "cy")  # type: ignore[arg-type]


def test_as_of_a_day() -> None:
    clock = FakeClock()
    hub = Hub.of(catalog_of(), clock=clock)
    office = Office(hub)
    for _ in range(3):
        clock.advance(DAY)
        office.move("spring", "bo", "brief" if office.standing("spring").stage == "idea" else "idea", "again")
    assert [office.standing("spring", START + k * DAY).stage for k in range(4)] == ["idea", "brief", "idea", "brief"]
    with pytest.raises(NotFound):
        office.standing("nobody's")


def test_a_clock_that_jumps_back_loses_nothing() -> None:
    clock = FakeClock()
    hub = Hub.of(catalog_of(), clock=clock)
    Office(hub).move("spring", "bo")
    clock.advance(-30 * DAY)
    Office(hub).move("spring", "bo", "idea", "the clock was wrong")
    Office(hub).task("spring", "t", "bo")
    standing = Office(hub).standing("spring")
    assert ([move.stage for move in standing.state.moves], standing.stage) == (["idea", "brief", "idea"], "idea")
    assert "t" in standing.state.done


def test_contacts_and_codes_are_costs_beside_those_entered() -> None:
    coupon = {"name": "ten", "percent": 10}
    card = {"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": "x"}, "coupon": "ten"}
    clock = FakeClock()
    catalog = catalog_of(tiny_action("hello", campaign="spring", cost=0.25, treatments=[card]), coupons=[coupon])
    hub = Hub.of(catalog, clock=clock)
    codes = []
    for k in range(8):
        hub.ingest({"type": "identify", "userId": f"c{k}", "messageId": f"m{k}"})
        answer = hub.decide(f"c{k}", "app.home")
        for _ in range(2):
            hub.respond(str(answer.decision_id), "hello", "impression")
        if k < 2:
            hub.respond(str(answer.decision_id), "hello", "accept")
        codes.append(answer.actions[0].coupon)
    code = codes[0].code if codes[0] else ""
    clock.advance(DAY)
    [done] = Till(hub).redeem([Wanted(code, "order 1", "c0", 50.0)])
    assert not hasattr(done, "reason"), done
    office = Office(hub)
    costs = office.costs("spring")
    assert (costs.contacts, costs.cost) == (8, 2.0)
    assert costs.coupons == {"ten": pytest.approx(5.0)}
    then = office.costs("spring", START + HOUR)
    assert (then.contacts, then.coupons) == (8, {})
    assert office.costs("spring", START - 1).contacts == 0
    assert office.standing("spring").state.entries == {}
    answered = office.far("spring", ["evaluated"]).answered
    assert (answered.positive, answered.n) == (2, 8)


def planted(clock: FakeClock, **more: Any) -> Hub:
    """Return a hub with 100 customers: 60 may get `a`, 50 `b`, 30 of them both; `c` is for later."""
    def action(name: str, **own: Any) -> dict[str, Any]:
        return tiny_action(name, campaign=f"{name}s", **own)

    campaigns = [{"name": "as", "starts": "2026-01-05", "ends": "2026-01-19"},
                 {"name": "bs", "starts": "2026-01-12", "ends": "2026-02-02"},
                 {"name": "cs", "starts": "2026-03-02", "ends": "2026-03-09"}]  # fmt: skip
    catalog = catalog_of(
        action("a", eligible="place < 60"), action("b", helps="place >= 30 AND place < 80", suitable="place >= 0"),
        action("c"), campaigns=campaigns, traits=[{"name": "place", "type": "number"}],
        **{"contact": [{"name": "one", "on": "channel/app", "at_most": 1, "in": "7d"},
                       {"name": "many", "on": "all", "at_most": 9, "in": "7d"}], **more},
    )  # fmt: skip
    hub = Hub.of(catalog, clock=clock)
    for k in range(100):
        hub.ingest({"type": "identify", "userId": f"c{k}", "messageId": f"m{k}", "traits": {"place": k}})
    return hub


def test_campaigns_that_clash_are_found() -> None:
    hub = planted(FakeClock())
    found, asked = clashing(hub, Office(hub), read_week("2026-W01"), 10, 500)
    assert asked == 100
    [clash] = found
    assert (clash.campaigns, clash.both.positive, clash.both.n, clash.either) == (("as", "bs"), 30, 100, 80)
    assert [week_name(week) for week in clash.weeks] == ["2026-W03"]
    assert clash.both.low < 0.3 < clash.both.high
    assert [(one.cap.name, one.wanted) for one in clash.caps] == [("one", 2)]
    assert clash.placements == ("app.home",)
    some, asked = clashing(hub, Office(hub), read_week("2026-W03"), 1, 50)
    assert (asked, some[0].both.n) == (50, 50)
    assert clashing(hub, Office(hub), read_week("2026-W04"), 4)[0] == []
    for count, customers in ((0, 5), (105, 5), (1, 0), (1, 10**9)):
        with pytest.raises(BadRequest):
            clashing(hub, Office(hub), 0, count, customers)


def test_whoever_did_not_agree_is_nobodys_audience() -> None:
    channels = [{"name": "app", "push": True, "form": "push"}]
    hub = planted(FakeClock(), channels=channels)
    yes = {"purpose": "marketing", "channel": "app", "status": "granted"}
    said = [{"type": "track", "userId": f"c{k}", "messageId": f"y{k}", "event": "Consent Updated", "properties": yes}
            for k in range(40)]  # fmt: skip
    assert clashing(hub, Office(hub), read_week("2026-W03"), 1)[0] == []
    hub.ingest(said)
    [clash] = clashing(hub, Office(hub), read_week("2026-W03"), 1)[0]
    assert (clash.both.positive, clash.either) == (10, 40)


def test_contacts_of_past_weeks_are_counted() -> None:
    clock = FakeClock()
    hub = planted(clock, contact=[])
    zone, spoken = Office(hub).zone, dict[tuple[int, str], set[str]]()
    first, both_so_far = read_week("2026-W01"), 0
    for _ in range(6):
        clock.advance(3 * DAY)
        for k in range(20, 50):
            answer = hub.decide(f"c{k}", "app.home")
            for one in answer.actions:
                if k % 5:  # the others never saw it
                    hub.respond(str(answer.decision_id), one.action, "impression")
                    spoken.setdefault((week_of(clock.now(), zone), f"{one.action}s"), set()).add(f"c{k}")
        running = week_of(clock.now(), zone)
        both_so_far += len(spoken.get((running, "as"), set()) & spoken.get((running, "bs"), set()))
        assert all(running not in clash.contacted for clash in clashing(hub, Office(hub), first, 8)[0]), "it still runs"
    assert both_so_far
    clock.advance(30 * DAY)
    found, _ = clashing(hub, Office(hub), first, 8)
    told = {clash.campaigns: clash.contacted for clash in found}
    wanted = {
        (one, other): {week: len(both) for week in range(first, first + 8)
                       if (both := spoken.get((week, one), set()) & spoken.get((week, other), set()))}
        for one, other in (("as", "bs"), ("as", "cs"), ("bs", "cs"))
    }  # fmt: skip
    assert sum(map(len, wanted.values())) > 3
    assert told == {pair: weeks for pair, weeks in wanted.items() if weeks or pair == ("as", "bs")}
    later = clashing(hub, Office(hub), read_week("2026-W10"), 2)[0]
    assert all(clash.contacted == {} for clash in later)


def test_the_calendar_of_a_hub() -> None:
    hub = planted(FakeClock())
    found = weeks(Office(hub), read_week("2026-W01"), 5)
    assert [week.campaigns for week in found] == [(), ("as",), ("as", "bs"), ("bs",), ("bs",)]
    assert [len(week.moves) for week in found] == [3, 0, 0, 0, 0]


def test_a_campaign_that_was_moved_back_is_not_on() -> None:
    clock = FakeClock()
    process = {"name": "short", "stages": [{"name": "idea"}, {"name": "live"}, {"name": "learned"}]}
    hub = Hub.of(catalog_of(campaigns=[{**SPRING, "process": "short"}], processes=[process]), clock=clock)
    office, first = Office(hub), week_of(clock.now(), Office(hub).zone)

    def on() -> list[int]:
        return [week.number - first for week in weeks(office, first, 4) if week.campaigns]

    office.move("spring", "bo")
    assert on() == [0, 1, 2, 3]
    office.move("spring", "bo", "idea", "not ready yet")
    assert on() == []
    clock.advance(14 * DAY)
    office.move("spring", "bo")
    office.move("spring", "bo")
    assert on() == [2, 3], "learned from, and still on: nobody said when it ends"


def test_names_are_those_of_people() -> None:
    hub = Hub.of(catalog_of(people=[{"name": "Ana Müller"}, {"name": "ana"}, {"name": "Bo"}]), clock=FakeClock())
    office = Office(hub)
    office.task("spring", "t", "  bo ")
    assert office.standing("spring").state.done["t"].by == "Bo"
    for who in ("Mallory", "", " ", "\ud800", "x" * 600, 7):
        with pytest.raises(BadRequest):
            office.approve("spring", who)  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="owns 'spring'"):
        office.approve("spring", "ANA")


def test_who_writes_an_accent_otherwise_is_no_other_person() -> None:
    composed, apart = "Zo\u00eb", "Zoe\u0308"
    office = Office(Hub.of(catalog_of(campaigns=[{**SPRING, "owner": composed}]), clock=FakeClock()))
    with pytest.raises(BadRequest, match="owns 'spring'"):
        office.approve("spring", apart)
    known = Office(Hub.of(catalog_of(campaigns=[SPRING], people=[{"name": composed}, {"name": "ana"}])))
    known.approve("spring", apart)
    assert [one.by for one in known.standing("spring").state.approvals.values()] == [composed]


def test_what_was_looked_at_for_another_stage_passes_no_check() -> None:
    stages = [{"name": "idea"}, {"name": "build", "checks": ["owner"]}, {"name": "live", "checks": ["legal_text"]}]
    process = {"name": "short", "stages": stages}
    office = Office(Hub.of(
        catalog_of(campaigns=[{**SPRING, "process": "short"}], processes=[process],
                   standards=[{"name": "terms", "requires": ["Terms apply"], "severity": "warning"}]),
        clock=FakeClock(),
    ))  # fmt: skip
    far = office.far("spring", office.asked(office.standing("spring"), "build"))
    assert office.move("spring", "bo", far=far).made
    # somebody else who pressed the button at the same time looked at the checks of `build`, too
    again = office.move("spring", "cy", far=far)
    assert (again.made, [one.check for one in again.checks if not one.passed]) == (False, ["legal_text"])


def test_two_who_ask_for_the_next_stage_at_once_go_one_stage() -> None:
    hub = Hub.of(catalog_of(), clock=FakeClock())

    class Busy:
        """A writer to whom somebody else came first."""

        async def do(self, work: Callable[[], Any]) -> Any:
            assert Office(hub).move("spring", "bo").stage == "brief"
            return work()

    door: Any = SimpleNamespace(hub=hub, writer=Busy())
    call: Any = SimpleNamespace(body=CampaignMove("cy"), parameters={"name": "spring"})
    with pytest.raises(BadRequest, match="in stage 'brief' already"):
        asyncio.run(move(door, call))
    assert Office(hub).standing("spring").stage == "brief"


def test_sums_of_cents_are_no_more_than_was_planned() -> None:
    hub = Hub.of(catalog_of(campaigns=[{**SPRING, "budget": {"planned": 0.3}}]), clock=FakeClock())
    office = Office(hub)
    office.spend([Money("spring", "a", 0.1), Money("spring", "b", 0.2)], "ana")
    assert row(office, office.standing("spring"), hub.clock.now()).alerts == []
    office.spend([Money("spring", "c", 0.01)], "ana")
    assert row(office, office.standing("spring"), hub.clock.now()).alerts == [
        "0.31 are committed and spent of 0.30 planned"
    ]


def test_what_is_approved_is_what_was_read() -> None:
    hub = Hub.of(catalog_of(), clock=FakeClock())
    office = Office(hub)
    read = info(office, office.standing("spring"), None, None, hub.clock.now()).content
    hub.publish(catalog_of(campaigns=[{**SPRING, "brief": "another one"}]))
    with pytest.raises(BadRequest, match="changed since it was read"):
        Office(hub).approve("spring", "bo", read=read)
    assert Office(hub).standing("spring").state.approvals == {}
    office = Office(hub)
    read = info(office, office.standing("spring"), None, None, hub.clock.now()).content
    assert office.approve("spring", "bo", read=read)
    assert office.approve("spring", "bo", undo=True, read="what it was once")


def test_actions_that_are_decided_too_early_are_told_while_they_are() -> None:
    hub = Hub.of(catalog_of(), clock=FakeClock())
    hub.decide("maya", "app.home")

    def alerts() -> list[str]:
        office = Office(hub)
        return row(office, office.standing("spring"), hub.clock.now()).alerts

    assert [one for one in alerts() if "are decided already" in one]
    for silent in ({"off": True}, {"from": "2030-01-01"}, {"until": "2026-01-01"}):
        hub.publish(catalog_of(tiny_action("hello", campaign="spring", **silent)))
        assert not [one for one in alerts() if "are decided already" in one]
    arms = [{"name": "control"}, {"name": "on", "changes": {"actions": [{"name": "hello", "off": False}]}}]
    tested = {"experiments": [{"name": "e", "metric": "yes", "arms": arms}],
              "metrics": [{"name": "yes", "outcome": "accept"}]}  # fmt: skip
    hub.publish(catalog_of(tiny_action("hello", campaign="spring", off=True), **tested))
    assert [one for one in alerts() if "are decided already" in one], "an arm switches it on"


def test_an_approval_can_be_taken_back() -> None:
    hub = Hub.of(catalog_of(), clock=FakeClock())
    office = Office(hub)
    with pytest.raises(BadRequest, match="no approval of 'spring' by bo stands"):
        office.approve("spring", "bo", undo=True)
    assert office.approve("spring", "bo")
    assert office.approve("spring", "bo", undo=True)
    assert [one.undone for one in office.standing("spring").state.approvals.values()] == [True]
