"""Use of tools in a hub: counted once, the tables the fold of the facts, trials read from what customers did."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.api.tool_events import taken
from opportune.api.tools import take
from opportune.clock import DAY, SECOND, format_instant
from opportune.errors import BadRequest, NotFound
from opportune.events.types import ToolUsed
from opportune.hub import Hub
from opportune.lab.book import Run
from opportune.lab.look import Finding as Seen
from opportune.lab.look import Look
from opportune.measure.effect import Effect, Interval, NotEnoughData
from opportune.measure.sample_ratio import SampleRatio
from opportune.operations.tool_book import Cell, ToolBook
from opportune.operations.tool_use import entry_of
from opportune.operations.weeks import week_of
from opportune.services.laboratory import Laboratory
from opportune.services.toolbox import Toolbox
from opportune.store import open_store
from opportune.testing import START, FakeClock, tiny_catalog
from opportune.wire.equipping import ToolUse, UseTaken

UTC = ZoneInfo("UTC")
TOOLS: list[dict[str, Any]] = [
    {"name": "mailer", "category": "email", "cost": {"per_seat": 20}, "seats": 4, "features": ["send", "segments"]},
    {"name": "wiki", "category": "docs"},
]


def made(
    person: str, feature: str = "", tool: str = "wiki", at: int = START, uses: int = 1, entry: str = ""
) -> ToolUsed:
    use = ToolUsed(at, tool, person, feature, uses, entry)
    return use if entry else ToolUsed(at, tool, person, feature, uses, entry_of(use))


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub.of(tiny_catalog(tools=TOOLS), clock=FakeClock(START + 30 * DAY)) as hub:
        yield hub


def facts(hub: Hub) -> list[ToolUsed]:
    return [fact for _, fact in hub.ledger.read() if isinstance(fact, ToolUsed)]


def test_use_is_counted_once_and_a_count_told_again_replaces(hub: Hub) -> None:
    box = Toolbox(hub)
    assert box.use([made("ana"), made("bob"), made("ana")])[:3] == (2, 0, 1)
    assert box.use([made("ana"), made("bob", uses=5)])[:3] == (0, 1, 1)
    assert [(cell.person, cell.uses) for cell in box.cells("wiki", 10)] == [("ana", 1), ("bob", 5)]
    assert box.use([made("bob", uses=0)])[:3] == (0, 1, 0)
    assert [(cell.person, cell.uses) for cell in box.cells("wiki", 10)] == [("ana", 1), ("bob", 0)]
    assert [(fact.person, fact.uses) for fact in facts(hub)] == [("ana", 1), ("bob", 1), ("bob", 5), ("bob", 0)]


def test_alike_uses_have_entries_of_their_own() -> None:
    use = ToolUsed(START, "wiki", "ana")
    others = ToolUsed(START, "wiki", "ana", "x"), ToolUsed(7, "wiki", "ana"), ToolUsed(START, "wiki", "an", "a")
    names = {entry_of(use), entry_of(use, 1), *map(entry_of, others)}
    assert len(names) == 5


def test_an_entry_is_one_use_for_good(hub: Hub) -> None:
    box = Toolbox(hub)
    assert box.use([made("ana", entry="e1")]).taken == 1
    elsewhere = made("ana", "send", "mailer", entry="e1")
    for other in (made("bob", entry="e1"), made("ana", entry="e1", at=START + 1), elsewhere):
        told = box.use([made("zoe"), other])
        assert told.refused[1].field == "entry"
        assert "'e1' was told before of 'wiki' and 'ana'" in told.refused[1].what
    assert len(facts(hub)) == 2


def test_a_use_without_an_instant_may_be_sent_again_later(hub: Hub) -> None:
    clock = hub.clock
    assert isinstance(clock, FakeClock)
    told = [ToolUse("wiki", "ana", entry="sso-1")]
    event = {"type": "track", "event": "Tool Used", "messageId": "m1", "timestamp": "2026-01-05T08:00:00Z",
             "properties": {"tool": "wiki", "person": "bob"}}  # fmt: skip
    assert take(hub, told).taken == taken(hub, [event], "sso", clock.now(), None, None).taken == 1
    sent = clock.now()
    clock.advance(9 * SECOND)
    assert take(hub, told) == UseTaken(0, 0, 1)
    # what clocks make of the instant of an event differs a little each time that it is sent
    again = taken(hub, [event], "sso", sent + SECOND, None, None)
    assert (again.taken, again.duplicates, again.rejected) == (0, 1, 0)
    assert take(hub, [ToolUse("wiki", "ana", entry="sso-1", uses=4)]).changed == 1
    assert [(fact.person, fact.at - sent, fact.uses) for fact in facts(hub)][0::2] == [("ana", 0, 1), ("ana", 0, 4)]
    [moved] = take(hub, [ToolUse("wiki", "ana", entry="sso-1", at="2026-01-06")]).refused
    assert moved.field == "entry", "an instant that is told counts"


def test_what_has_a_fault_is_refused_and_the_rest_is_taken(hub: Hub) -> None:
    box, now = Toolbox(hub), hub.clock.now()
    wrong = [
        (made("ana", tool="mailr"), "tool", "did you mean `mailer`?"),
        (made(""), "person", "nobody is named"),
        (made("a" * 201), "person", "is no name"),
        (made("ana\nbob"), "person", "is no name"),
        (ToolUsed(START, "wiki", "\ud800", "", 1, "half"), "person", "is no name"),
        (made("ana", "snd", "mailer"), "feature", "did you mean `send`?"),
        (made("ana", uses=-1), "uses", "from 0 to"),
        (made("ana", uses=10**9 + 1), "uses", "from 0 to"),
        (made("ana", at=now + DAY + 1), "at", "from 1970 to now"),
        (made("ana", at=-1), "at", "from 1970 to now"),
        (made("ana", entry="e" * 201), "entry", "is no name"),
    ]
    told = box.use([made("ana"), *(use for use, _, _ in wrong), made("bob", "anything")])
    assert told.taken == 2
    assert {at: wrong.field for at, wrong in told.refused.items()} == {
        at: field for at, (_, field, _) in enumerate(wrong, 1)
    }
    for at, (_, _, says) in enumerate(wrong, 1):
        assert says in str(told.refused[at])


def test_people_are_those_of_the_catalog_if_it_has_any() -> None:
    people = [{"name": "ana", "role": "manager", "team": "crm"}]
    with Hub.of(tiny_catalog(tools=TOOLS, people=people), clock=FakeClock()) as hub:
        told = Toolbox(hub).use([made("ana"), made("anna")])
        assert (told.taken, str(told.refused[1])) == (1, "there is no 'anna' among the people; did you mean `ana`?")


def test_adoption_and_overlap_of_a_hub(hub: Hub) -> None:
    box, now = Toolbox(hub), hub.clock.now()
    assert isinstance(box.adoption("mailer"), NotEnoughData)
    box.use([made("ana", "send", "mailer", now), made("bob", "send", "mailer", now - 60 * DAY), made("ana", at=now)])
    found = box.adoption("mailer")
    assert not isinstance(found, NotEnoughData)
    assert (found.people, found.idle_seats, found.idle_cost) == (1, 3, 60.0)
    assert [one.person for one in found.stopped] == ["bob"]
    with pytest.raises(NotFound, match="did you mean `mailer`"):
        box.adoption("mailler")
    assert box.overlaps() == []


def test_overlap_is_of_people_who_used_both_lately() -> None:
    catalog = tiny_catalog(tools=[{"name": name, "category": "docs"} for name in ("pages", "wiki")])
    with Hub.of(catalog, clock=FakeClock(START + 100 * DAY)) as hub:
        box, now = Toolbox(hub), hub.clock.now()
        assert box.overlaps()[0].reason == "nothing was told of the use of pages and wiki"
        box.use([made("ana", at=now), made("ana", tool="pages", at=now), made("bob", at=now),
                 made("bob", tool="pages", at=now, uses=0), made("cho", at=now - 60 * DAY)])  # fmt: skip
        [found] = box.overlaps()
    assert (found.both, found.either, found.share) == (1, 2, 0.5)


def test_weeks_are_those_of_the_hubs_time_zone() -> None:
    sunday_evening = FakeClock(START + 3 * DAY + 23 * 3_600_000_000 + 30 * 60_000_000)  # 2026-01-04T23:30Z
    for zone, week in (("UTC", "2026-W01"), ("Europe/Berlin", "2026-W02")):
        with Hub.of(tiny_catalog(tools=TOOLS, time_zone=zone), clock=sunday_evening) as hub:
            box = Toolbox(hub)
            box.use([made("ana", at=sunday_evening.now())])
            found = box.adoption("wiki")
            assert not isinstance(found, NotEnoughData)
            from opportune.operations.weeks import week_name

            assert (week_name(found.week), found.by_week[-1].people) == (week, 1)


def test_a_failed_transaction_leaves_nothing(hub: Hub) -> None:
    box = Toolbox(hub)

    def fails() -> None:
        with hub.group():
            box.use([made("ana")])
            raise BadRequest("no")

    with pytest.raises(BadRequest, match="no"):
        fails()
    assert (facts(hub), box.cells("wiki", 10)) == ([], [])
    assert box.use([made("ana")]).taken == 1


def test_use_outlives_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    clock = FakeClock(START + DAY)
    with Hub.of(tiny_catalog(tools=TOOLS), store=url, clock=clock) as hub:
        Toolbox(hub).use([made("ana", uses=3)])
    with Hub.of(tiny_catalog(tools=TOOLS), store=url, clock=clock) as hub:
        assert Toolbox(hub).use([made("ana", uses=3)]).known == 1
        assert [cell.uses for cell in Toolbox(hub).cells("wiki", 4)] == [3]


USES = st.lists(
    st.builds(
        lambda person, feature, days, uses, entry: ToolUsed(
            START + days * DAY, "wiki", person, feature, uses,
            entry or entry_of(ToolUsed(START + days * DAY, "wiki", person, feature)),
        ),
        st.sampled_from(["ana", "bob", "日本"]), st.sampled_from(["", "x"]), st.integers(0, 20), st.integers(0, 3),
        st.sampled_from(["", "", "e1", "e2"]),
    ), max_size=25,
)  # fmt: skip


def folded(told: list[ToolUsed]) -> list[Cell]:
    """What the facts alone come to: of each entry the last one."""
    last = {fact.entry: fact for fact in told}
    cells: dict[tuple[int, str, str], int] = {}
    for fact in last.values():
        key = (week_of(fact.at, UTC), fact.person, fact.feature)
        cells[key] = cells.get(key, 0) + fact.uses
    return sorted(Cell(*key, uses) for key, uses in cells.items())


@given(USES, st.lists(st.integers(0, 25), max_size=4))
def test_however_uses_are_split_and_repeated_the_tables_are_the_fold_of_the_facts(
    uses: list[ToolUsed], cuts: list[int]
) -> None:
    """Each entry once: told in any pieces, with pieces told again, the same facts and the same tables."""

    def kept(pieces: list[list[ToolUsed]]) -> tuple[list[ToolUsed], list[Cell]]:
        book, told = ToolBook(open_store("memory:"), UTC), list[ToolUsed]()
        for piece in pieces:
            told += book.keep(dict(enumerate(piece))).facts
        return told, list(book.cells("wiki"))

    edges = [0, *sorted(cut for cut in cuts if cut <= len(uses)), len(uses)]
    pieces = [uses[a:b] for a, b in pairwise(edges)]
    whole, cells = kept([uses])
    assert kept(pieces) == (whole, cells)
    assert cells == folded(whole)
    again, _ = kept([uses, list({fact.entry: fact for fact in whole}.values())])
    assert again == whole, "what was told last, told again, adds nothing"


def test_a_trial_says_what_the_last_look_at_its_experiment_showed() -> None:
    arms = [{"name": "control"}, {"name": "bold"}]
    trial = {"question": "?", "decide_by": "2026-06-01", "experiment": "race"}
    catalog = tiny_catalog(metrics=[{"name": "yes", "outcome": "accept"}],
                           experiments=[{"name": "race", "metric": "yes", "arms": arms}],
                           tools=[{"name": "writer", "category": "texts", "trial": trial}])  # fmt: skip
    with Hub.of(catalog, clock=FakeClock()) as hub:
        book = Laboratory(hub).book
        with hub.group():
            book.put(Run("race", START, "plan", ("control", "bold"), "yes", "up", "ana", 0, 0, outcome="stopped"))
        assert "nobody looked at it yet: opportune lab look race" in Toolbox(hub).trials()[0].evidence.sentence
        effect = Effect((900, 900), 0.1, 0.12, 0.02, Interval(0.0, 0.04), 0.2, Interval(0.01, 0.4), 0.04, 0.01)
        seen = (Seen("yes", "bold", False, "up", effect, "better"), Seen("no", "bold", True, "down", effect, "worse"))
        with hub.group():
            book.add(Look("race", START, START, {}, 0, SampleRatio(1.0, False), seen))
        [found] = Toolbox(hub).trials()
    assert (found.evidence.strength, found.evidence.relative) == ("experiment", 0.2)
    assert found.evidence.interval == Interval(0.01, 0.4)
    assert found.evidence.sentence.startswith("experiment race (stopped): yes, bold: better: +20.0 % [+1, +40]")
    assert "no, bold" not in found.evidence.sentence, "a guardrail is not what was asked"


def test_a_trial_by_an_experiment_and_by_before_and_after() -> None:
    clock = FakeClock(START)
    arms = [{"name": "control"}, {"name": "bold", "changes": {"levers": {"grow": 20}}}]
    catalog = tiny_catalog(
        metrics=[{"name": "bought", "event": "Tea Bought"}, {"name": "yes", "outcome": "accept"}],
        experiments=[{"name": "race", "metric": "yes", "arms": arms}],
        tools=[
            {"name": "weak", "category": "x", "contract": {"from": format_instant(START + 30 * DAY)},
             "trial": {"question": "More tea?", "decide_by": format_instant(START + 58 * DAY), "metric": "bought"}},
            {"name": "dateless", "category": "x",
             "trial": {"question": "?", "decide_by": format_instant(START + 59 * DAY), "metric": "bought"}},
            {"name": "early", "category": "x", "contract": {"from": format_instant(START + 56 * DAY)},
             "trial": {"question": "?", "decide_by": format_instant(START + 90 * DAY), "metric": "bought"}},
            {"name": "strong", "category": "x",
             "trial": {"question": "?", "decide_by": format_instant(START + 91 * DAY), "experiment": "race"}},
        ],
    )  # fmt: skip
    with Hub.of(catalog, clock=clock) as hub:
        names = [f"c{n}" for n in range(200)]
        hub.ingest({"type": "identify", "userId": name} for name in names)
        clock.at = START + 10 * DAY
        hub.ingest({"type": "track", "userId": name, "event": "Tea Bought"} for name in names[:40])
        clock.at = START + 40 * DAY
        hub.ingest({"type": "track", "userId": name, "event": "Tea Bought"} for name in names[:80])
        hub.ingest({"type": "track", "userId": f"late{n}", "event": "Tea Bought"} for n in range(100))
        clock.at = START + 60 * DAY
        weak, dateless, early, strong = Toolbox(hub).trials()
    assert (weak.tool, weak.evidence.strength, weak.overdue) == ("weak", "before and after", True)
    assert weak.evidence.relative == pytest.approx(1.0), ".2 of customers before, .4 after; late ones do not count"
    assert weak.evidence.interval is not None
    assert 0.3 < weak.evidence.interval.low < 1.0 < weak.evidence.interval.high < 2.5
    assert "give the contract of dateless a `from`" in dateless.evidence.sentence
    assert "too early to compare" in early.evidence.sentence
    assert (strong.evidence.strength, strong.evidence.relative) == ("none", None)
    assert strong.evidence.sentence == "experiment race was not started: opportune lab start race"
