"""The guard at the door: what is not as planned is counted, kept, cast or set aside, and nothing is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from opportune.catalog.types import Catalog
from opportune.clock import DAY
from opportune.errors import BrokenStore
from opportune.events.segment import to_segment
from opportune.hub import Hub
from opportune.quality import tally
from opportune.quality.tally import SEEN, Key, Tally
from opportune.store import open_store
from opportune.testing import FakeClock, tiny_catalog

SCHEMA = {
    "type": "object",
    "properties": {
        "revenue": {"type": "number", "minimum": 0},
        "products": {"type": "array", "items": {"type": "object", "properties": {"price": {"type": "number"}}}},
    },
}
FEATURES = [
    {"name": "spend", "event": "Order Completed", "aggregate": "sum(revenue)", "window": "30d", "by": "1d"},
    {"name": "big", "event": "Order Completed", "aggregate": "count", "where": "revenue > 20"},
]
TRAITS = [{"name": "age", "type": "number", "least": 0, "most": 120}, {"name": "plan", "type": "text"},
          {"name": "home.city", "type": "text"}]  # fmt: skip


def catalog(on: str | None, **more: Any) -> Catalog:
    """Return a catalog that plans one event, or (None) none."""
    plan = {"name": "Order Completed", "owner": "ana", "required": ["revenue"], "schema": SCHEMA, "on_violation": on}
    return tiny_catalog(features=FEATURES, traits=TRAITS, **({"events": [{**plan, **more}]} if on else {}))


def order(number: int = 1, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "maya", "event": "Order Completed", "messageId": f"m{number}",
            "properties": properties}  # fmt: skip


def hub_of(on: str | None, **more: Any) -> Hub:
    return Hub.of(catalog(on, **more), "memory:", FakeClock())


def counts(hub: Hub) -> dict[tuple[str, str, str], int]:
    """Return the counts of the source web by (event, field, kind)."""
    return {key[1:]: counter.count for _, key, counter in hub.tally.since(0) if key.source == "web"}


def test_without_a_plan_what_nobody_can_read_is_counted() -> None:
    with hub_of(None) as hub:
        known = {"type": "identify", "userId": "maya",
                 "traits": {"age": "30", "plan": 3, "home": {"city": 1}, "more": {}}}  # fmt: skip
        hub.ingest([order(revenue="39.90"), order(2, revenue=39.9), order(3, revenue=None), known], "web")
        assert counts(hub) == {
            ("Order Completed", "", SEEN): 3, ("Order Completed", "revenue", "type"): 1,
            ("Identify", "age", "type"): 1, ("Identify", "plan", "type"): 1, ("Identify", "home.city", "type"): 1,
        }  # fmt: skip
        assert hub.profile("maya").values["spend"] == 39.9  # the text is not in it, as ever


def test_keep_keeps_and_counts() -> None:
    with hub_of("keep") as hub:
        told = hub.ingest([order(revenue="39.90", products=[{"price": "1"}, {"price": "2"}], coupon="X"),
                           order(2), order(3, revenue=-1)], "web")  # fmt: skip
        assert (told.taken, told.rejected) == (3, 0)
        assert counts(hub) == {
            ("Order Completed", "", SEEN): 3, ("Order Completed", "revenue", "type"): 1,
            ("Order Completed", "products[].price", "type"): 1, ("Order Completed", "revenue", "required"): 1,
            ("Order Completed", "revenue", "range"): 1, ("Order Completed", "coupon", "unplanned"): 1,
        }  # fmt: skip
        assert hub.event("event 1").properties["revenue"] == "39.90"
        assert hub.event("event 1").written == {}
        [one] = [c for _, key, c in hub.tally.since(0) if key.field == "products[].price"]
        assert one.samples == [1]


def test_cast_mends_what_is_safe_and_keeps_what_was_written() -> None:
    with hub_of("cast") as hub:
        hub.ingest([order(revenue="39.90"), order(2, revenue="39,90"), order(3, revenue=10),
                    order(4, revenue="5", products=[{"price": "1.5"}, {"price": "1,5"}])], "web")  # fmt: skip
        assert hub.profile("maya").values["spend"] == pytest.approx(54.9)
        assert hub.profile("maya").values["big"] == 1
        first = hub.event("event 1")
        assert to_segment(first)["written"] == {"revenue": "39.90"}
        assert first.properties == {"revenue": 39.9}
        assert first.written == {"revenue": "39.90"}
        assert hub.event("event 2").properties == {"revenue": "39,90"}
        assert hub.event("event 4").written == {"revenue": "5", "products[0].price": "1.5"}
        assert counts(hub) == {
            ("Order Completed", "", SEEN): 4, ("Order Completed", "revenue", "cast"): 2,
            ("Order Completed", "revenue", "type"): 1, ("Order Completed", "products[].price", "cast"): 1,
            ("Order Completed", "products[].price", "type"): 1,
        }  # fmt: skip


def test_what_is_read_again_from_the_log_is_what_was_taken(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    with Hub.of(catalog("cast"), url) as hub:
        hub.ingest([order(revenue="39.90"), order(2, revenue="39,90")], "web")
        before, seen = hub.profile("maya").values, counts(hub)
        hub.publish(catalog(None))  # without the plan, the log says the same
        assert hub.profile("maya").values == before
    with Hub.of(catalog("keep"), url) as hub:
        hub.people.reset(hub.events)
        assert hub.profile("maya").values == before
        assert counts(hub) == seen


def test_set_aside_waits_until_the_plan_is_mended() -> None:
    with hub_of("set_aside") as hub:
        told = hub.ingest([order(revenue="39.90"), order(2, revenue=10)], "web")
        assert (told.taken, told.rejected) == (1, 1)
        [(_, letter)] = hub.dead_letters.letters()
        assert letter.reason == "off_plan"
        assert letter.source == "web"
        assert "`revenue` is not of type number" in letter.message
        assert "39.90" not in letter.message
        assert "ask ana" in letter.message
        assert "opportune rejected --replay" in letter.message
        before = counts(hub)
        assert hub.retry() == (0, 1)  # nothing was mended
        hub.publish(catalog("cast"))
        assert hub.retry() == (1, 0)
        assert counts(hub) == before  # it was counted when it came
        assert hub.profile("maya").values["spend"] == pytest.approx(49.9)
        assert hub.event("event 2").written == {"revenue": "39.90"}
        assert hub.event("event 2").message_id == "m1"


def test_sources_and_dates_of_the_plan() -> None:
    with hub_of("set_aside", sources=["shop"], since="2027-01-01") as hub:
        assert hub.ingest(order(revenue=1), "web").taken == 1  # the plan does not hold yet
        assert counts(hub)["Order Completed", "", "source"] == 1
    with hub_of("set_aside", sources=["shop"]) as hub:
        assert hub.ingest(order(revenue=1), "web").rejected == 1
        assert hub.ingest(order(2, revenue=1), "shop").taken == 1


def test_events_that_are_not_planned_are_counted_but_for_those_of_the_hub() -> None:
    with hub_of("keep") as hub:
        consent = {"channel": "email", "status": "granted"}
        hub.ingest([
            {"type": "track", "userId": "a", "event": "Ordre Completed"},
            {"type": "track", "userId": "a", "event": "Consent Updated", "properties": consent},
            {"type": "page", "userId": "a", "name": "home", "properties": {"url": "https://x.example", "path": "/"}},
        ], "web")  # fmt: skip
        hub.ingest({"type": "track", "userId": "a", "event": "Points Changed"}, "hub/offers")
        assert [key for key in counts(hub) if key[2] == "unplanned"] == [("Ordre Completed", "", "unplanned")]
        assert not [key for _, key, _ in hub.tally.since(0) if key.source == "hub/offers"]


def test_a_required_property_is_planned_although_the_schema_says_no_more_of_it() -> None:
    with hub_of("keep", required=["order_id"]) as hub:
        hub.ingest(order(order_id="7", revenue=1, more=1), "web")
        assert [key for key in counts(hub) if key[2] == "unplanned"] == [("Order Completed", "more", "unplanned")]


def test_without_a_plan_an_event_that_nobody_reads_leaves_no_count() -> None:
    with hub_of(None) as hub:
        hub.ingest({"type": "track", "userId": "maya", "event": "Tea Smelled", "properties": {"revenue": "1"}}, "web")
        assert counts(hub) == {}


@pytest.mark.parametrize(("value", "faults"), [
    (39.9, 0), (None, 0), (10**15, 1), (True, 1), ([1], 1), ({}, 1), ("39.90", 1),
])  # fmt: skip
@pytest.mark.parametrize("on", [None, "keep"])
def test_the_quick_yes_overlooks_nothing_that_a_sum_cannot_read(on: str | None, value: Any, faults: int) -> None:
    loose = {"type": "object", "properties": {"revenue": {"description": "money"}}}
    with hub_of(on, required=[], schema=loose) as hub:
        hub.ingest(order(revenue=value), "web")
        assert counts(hub).get(("Order Completed", "revenue", "type"), 0) == faults


@pytest.mark.parametrize("on", ["keep", "cast", "set_aside"])
@pytest.mark.parametrize("schema", [
    {"$defs": {"least": {"minimum": 0}}, "properties": {"revenue": {"type": "number", "$ref": "#/$defs/least"}}},
    {"properties": {"revenue": {"type": "object", "properties": {"revenue": {"$ref": "#/properties/revenue"}}}}},
    {"$ref": "#"},
])  # fmt: skip
def test_a_schema_that_refers_to_itself_does_not_shut_the_door(schema: dict[str, Any], on: str) -> None:
    deep: Any = "39.90"
    for _ in range(400):
        deep = {"revenue": deep}
    with hub_of(on, required=[], schema=schema) as hub:
        told = hub.ingest([order(1, revenue="39.90"), order(2, **deep)], "web")
        assert (told.taken + told.rejected, told.rejected > 0) == (2, on == "set_aside")
        assert {kind for _, _, kind in counts(hub)} <= {SEEN, "type", "schema"}
        assert len(counts(hub)) > 1


def test_a_plan_that_allows_what_a_feature_cannot_read_does_not_hide_it() -> None:
    for schema in ({"type": "string"}, {"description": "money"}, {"type": ["number", "string"]}):
        with hub_of("keep", required=[], schema={"type": "object", "properties": {"revenue": schema}}) as hub:
            hub.ingest(order(revenue="39.90"), "web")
            assert counts(hub)["Order Completed", "revenue", "type"] == 1


def test_a_raw_batch_is_guarded_as_single_mappings_are() -> None:
    items = [order(1, revenue="39.90"), order(2, revenue="x", more=1), order(3)]
    told = []
    for made in (items, [msgspec.Raw(msgspec.json.encode(item)) for item in items]):
        with hub_of("cast") as hub:
            hub.ingest(made, "web")
            told.append((counts(hub), [hub.event(f"event {n}").written for n in (1, 2, 3)]))
    assert told[0] == told[1]


def test_a_duplicate_is_not_counted_again() -> None:
    with hub_of("keep") as hub:
        hub.ingest(order(revenue="1"), "web")
        hub.ingest(order(revenue="1"), "web")
        assert counts(hub)["Order Completed", "revenue", "type"] == 1


def test_counts_survive_a_restart_and_begin_anew_each_day(tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path / 'hub.db'}", FakeClock()
    for number in range(3):
        with Hub.of(catalog("keep"), url, clock) as hub:
            hub.ingest(order(number, revenue="1"), "web")
    clock.advance(DAY)
    with Hub.of(catalog("keep"), url, clock) as hub:
        hub.ingest(order(9, revenue="1"), "web")
        wrong = [c.count for _, key, c in hub.tally.since(0) if key.kind == "type"]
        assert wrong == [3, 1]


def _fail(hub: Hub) -> None:
    with hub.group():
        hub.ingest(order(2, revenue="1"), "web")
        raise BrokenStore("the disk is full")


def test_memory_holds_no_names_that_are_cut_or_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MOST", 5)
    counted = Tally(open_store("memory:"))
    known = counted.lately("Order")
    for number in range(50):
        for event in ("Order", f"{number}{'x' * 30_000}"):
            counted.came("web", event, number).count += 1
    assert list(known) == ["web"]
    assert known["web"].count == 50
    assert counted.lately("Order") is known
    assert sum(len(str(key)) for key in vars(counted)["_lately"]) < 20


def test_a_tick_writes_counts_and_a_failed_transaction_takes_back_what_was_not_written() -> None:
    with hub_of("keep") as hub:
        hub.ingest(order(1, revenue="1"), "web")
        hub.tick()
        with pytest.raises(BrokenStore):
            _fail(hub)
        assert counts(hub)["Order Completed", "revenue", "type"] == 1
        hub.ingest(order(2, revenue="1"), "web")
        assert counts(hub)["Order Completed", "revenue", "type"] == 2


def test_counts_are_bounded_whatever_names_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MOST", 20)
    store = open_store("memory:")
    counted = Tally(store)
    for number in range(100):
        counted.came("web", f"Event {number} {'x' * 500}", number).count += 1
        counted.add(Key("web", f"Event {number}", f"{number}\x1f\ud800", "type"), number)
    counted.save()
    again = Tally(store)
    found = list(again.since(0))
    assert len(found) <= 22
    assert sum(one.counter.count for one in found) == 200
    assert max(len(one.key.event) for one in found) <= 200
    counted.add(Key("web", "a", "", "type"), DAY * 500)
    counted.save()
    assert [one.day for one in Tally(store).since(0)] == [500]  # what is too old is gone


def test_nothing_is_looked_at_where_nothing_is_read() -> None:
    with Hub.of(tiny_catalog(), "memory:", FakeClock()) as hub:
        hub.ingest([order(revenue="1"), {"type": "identify", "userId": "maya", "traits": {"age": {}}}], "web")
        assert not list(hub.tally.since(0))
