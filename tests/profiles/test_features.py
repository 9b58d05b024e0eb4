"""Fields, aggregates and traits by example: what counts, what is NULL, and where the bounds are."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from door import event
from streams import ZONE, feature

from opportune.catalog.types import Feature, Trait
from opportune.clock import DAY, HOUR, parse_instant
from opportune.errors import BadInput
from opportune.events.types import Event
from opportune.profiles import fields
from opportune.profiles.buckets import FOREVER
from opportune.profiles.duck import compute
from opportune.profiles.features import LARGEST_SUM, MOST_DISTINCT
from opportune.profiles.fold import consents, fold, values
from opportune.profiles.spec import ProfileSpec
from opportune.profiles.state import LARGEST_VALUE, MOST_CONSENTS, MOST_TRAITS, State, dump
from opportune.rules import Kind, Value

T = parse_instant("2026-06-10T12:30:00Z")


def both(features: list[Feature], stream: list[Event], now: int) -> dict[str, Value]:
    """Return the features of one customer, once online and DuckDB agree."""
    spec = ProfileSpec((), features, ZONE)
    state = State("ana")
    for seq, taken in enumerate(stream, 1):
        fold(state, taken, seq, spec)
    online, _ = values(state, spec, now)
    assert compute([("ana", seq, taken) for seq, taken in enumerate(stream, 1)], spec, now)["ana"] == online
    return online


def orders(*revenues: Any, at: int = T) -> list[Event]:
    return [event(i, at=at + i, properties={"revenue": revenue}) for i, revenue in enumerate(revenues)]


@pytest.mark.parametrize(
    ("value", "found"),
    [(1, 1.0), (1.5, 1.5), (True, None), ("1", None), (None, None), (float("nan"), None), (float("-inf"), None),
     (10**400, None), ([1], None)],
)
def test_numbers_are_finite_doubles(value: Any, found: float | None) -> None:
    assert fields.number(value) == found


def test_minus_zero_is_zero() -> None:
    assert str(fields.number(-0.0)) == "0.0"
    assert fields.scalar(-0.0) == fields.scalar(0)


def test_times_are_iso_texts() -> None:
    assert fields.instant("2026-06-10T14:30:00+02:00") == T
    assert [fields.instant(x) for x in ("June", 1, None, "9999-13-01", "0001-01-01T00:00:00+14:00")] == [None] * 5


def test_fields_of_a_page() -> None:
    page = Event(type="page", message_id="1", at=0, received_at=0, name="cancel", category="account",
                 properties={"name": "x", "page": "y", "a.b": 1, "a": {"b": 2, "c": 3}, "d": 4})
    track = Event(type="track", event="Seen", message_id="1", at=0, received_at=0, properties=page.properties)
    read = {path: fields.field(path) for path in ("name", "page", "category", "a.b", "a.c", "d.e", "none")}
    assert [read[path](page) for path in read] == ["cancel", "cancel", "account", 1, 3, None, None]
    assert [read[path](track) for path in ("name", "page", "category")] == ["x", "y", None]
    assert [fields.event_name(e) for e in (page, track)] == ["Page Viewed", "Seen"]


def test_conditions_on_every_type() -> None:
    wheres = ["revenue > 5", "gift", "NOT gift", "sku = 'é'", "due >= TIMESTAMP '2026-01-01 00:00:00'", "due IS NULL",
              "box.size IS NOT NULL", "name = 'x' AND page = 'y'", '"od""d" = 1']
    features = [feature(f"f{i}", "Order", "count", where=where) for i, where in enumerate(wheres)]
    rows = [
        {"revenue": 6, "gift": True, "sku": "é", "due": "2026-05-01T00:00:00Z", "box": {"size": []}, "name": "x"},
        {"revenue": "6", "gift": "true", "sku": 1, "due": 7, "box": {"size": None}, "page": "y"},
        {"revenue": 5, "gift": False, "sku": "e", "due": "2025-05-01", "name": "x", "page": "y", 'od"d': 1},
        {},
    ]
    found = both(features, [event(i, at=T + i, properties=row) for i, row in enumerate(rows)], T + HOUR)
    assert list(found.values()) == [1, 1, 1, 1, 1, 1, 1, 1, 1]


def test_nothing_is_nothing() -> None:
    features = [feature(a, "Order", a, None if a in ("count", "days_since") else "revenue")
                for a in ("count", "distinct", "sum", "avg", "min", "max", "last", "days_since")]
    nothing = {"count": 0, "distinct": 0, "sum": 0, "avg": None, "min": None, "max": None, "last": None,
               "days_since": None}
    assert both(features, [event(1, at=T, event="Other")], T) == nothing
    assert both(features[1:7], orders(None, []), T + HOUR) == {k: nothing[k] for k in list(nothing)[1:7]}


def test_a_window_ends_in_the_running_bucket() -> None:
    spec = [feature("hours", "Order", "count", window=3 * HOUR, by=HOUR), feature("days", "Order", "count", None, None,
            2 * DAY, DAY)]
    stream = orders(1)
    day_after = parse_instant("2026-06-11T22:00:00Z")
    assert both(spec, stream, T + 2 * HOUR) == {"hours": 1, "days": 1}
    assert both(spec, stream, parse_instant("2026-06-10T15:00:00Z") - 1)["hours"] == 1
    assert both(spec, stream, parse_instant("2026-06-10T15:00:00Z"))["hours"] == 0
    assert both(spec, stream, day_after - 1)["days"] == 1
    assert both(spec, stream, day_after)["days"] == 0


@pytest.mark.parametrize(
    ("aggregate", "window", "by", "until"),
    [("count", 3 * HOUR, HOUR, "2026-06-10T15:00:00Z"), ("sum", 2 * DAY, DAY, "2026-06-11T22:00:00Z"),
     ("distinct", 7 * DAY, DAY, "2026-06-16T22:00:00Z"), ("last", 7 * DAY, DAY, "2026-06-16T22:00:00Z"),
     ("days_since", None, None, "2026-06-11T12:30:00Z"), ("max", None, None, None)],
)
def test_values_say_when_time_alone_changes_them(
    aggregate: str, window: int | None, by: int | None, until: str | None
) -> None:
    spec = ProfileSpec((), [feature("f", "Order", aggregate, "revenue", None, window, by)], ZONE)
    state = State()
    fold(state, orders(3)[0], 1, spec)
    found, end = values(state, spec, T + 1)
    assert end == (FOREVER if until is None else parse_instant(until))
    if until is not None:
        assert values(state, spec, end - 1)[0] == found
        assert values(state, spec, end)[0] != found


def test_days_since_are_whole_days_of_86400_seconds() -> None:
    spec = [feature("f", "Order", "days_since")]
    assert [both(spec, orders(1), T + span)["f"] for span in (0, DAY - 1, DAY, 10 * DAY - 1)] == [0, 0, 1, 9]


def test_last_is_by_timestamp_then_sequence() -> None:
    spec = [feature("f", "Order", "last", "revenue")]
    late = [event(1, at=T, properties={"revenue": 1}), event(2, at=T - DAY, properties={"revenue": 2})]
    assert both(spec, late, T)["f"] == 1
    tie = [event(1, at=T, properties={"revenue": 1}), event(2, at=T, properties={"revenue": 2})]
    assert both(spec, tie, T)["f"] == 2


def test_distinct_counts_to_its_bound_and_comes_down_again() -> None:
    spec = [feature("f", "Order", "distinct", "revenue", window=2 * HOUR, by=HOUR), feature("all", "Order", "distinct",
            "revenue")]
    early = [event(i, at=T + i, properties={"revenue": i}) for i in range(3 * MOST_DISTINCT)]
    later = [event(i, at=T + HOUR + i, properties={"revenue": i}) for i in range(10)]
    assert both(spec, early + later, T + HOUR + 99) == {"f": MOST_DISTINCT, "all": MOST_DISTINCT}
    assert both(spec, early + later, T + 2 * HOUR) == {"f": 10, "all": MOST_DISTINCT}
    late = [msgspec.structs.replace(taken, received_at=T + HOUR + 50) for taken in early]
    assert both(spec, later + late, T + 2 * HOUR) == {"f": 10, "all": MOST_DISTINCT}
    whole = ProfileSpec((), spec, ZONE)
    state = State()
    for seq, taken in enumerate(early + later, 1):
        fold(state, taken, seq, whole)
    assert all(len(held) <= 2 * MOST_DISTINCT for held in state.features.values())


def test_windows_are_pruned() -> None:
    aggregates = ("count", "sum", "avg", "min")
    spec = ProfileSpec((), [feature(a, "Order", a, "revenue", None, 5 * HOUR, HOUR) for a in aggregates], ZONE)
    state = State()
    for i in range(100):
        fold(state, event(i, at=T + i * HOUR, properties={"revenue": i}), i, spec)
        assert all(len(held) <= 5 for held in state.features.values())
    assert values(state, spec, T + 99 * HOUR)[0] == {"count": 5, "sum": 95 + 96 + 97 + 98 + 99, "avg": 97, "min": 95}


def test_sums_are_exact_in_millionths_and_bounded() -> None:
    spec = [feature("sum", "Order", "sum", "revenue"), feature("avg", "Order", "avg", "revenue")]
    assert both(spec, orders(*[0.1] * 10), T + 99) == {"sum": 1.0, "avg": 0.1}
    assert both(spec, orders(0.0000005, 0.0000015), T + 99)["sum"] == 0.000002
    assert both(spec, orders(1e12, 2e12), T + 99) == {"sum": 1e12, "avg": 1e12}
    assert both(spec, orders(*[1e12] * 20), T + 99)["sum"] == LARGEST_SUM / 1e6
    assert both(spec, orders(*[-1e12] * 20), T + 99)["sum"] == -LARGEST_SUM / 1e6


def test_equal_conditions_are_evaluated_once() -> None:
    a = feature("a", "Order", "count", where="revenue > 1")
    b = feature("b", "Order", "sum", "revenue", "revenue > 1.0")
    assert len(ProfileSpec((), [a, b], ZONE).index["Order"]) == 1


@pytest.mark.parametrize(
    ("wrong", "why"),
    [(feature("f", "Order", "median", "x"), "unknown aggregate"), (feature("f", "Order", "sum"), "sum of what"),
     (feature("f", "Order", "count", None, None, DAY), "feature f: a window needs `by`")],
)
def test_features_that_make_no_sense_are_refused(wrong: Feature, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        ProfileSpec((), [wrong], ZONE)


KINDS = {"plan": Kind.TEXT, "age": Kind.NUMBER, "born": Kind.TIME, "address.city": Kind.TEXT}
SPEC = ProfileSpec([Trait(name, kind) for name, kind in KINDS.items()], (), ZONE)


def identified(*calls: dict[str, Any], kind: str = "identify", at: int = T) -> State:
    state = State()
    for seq, call in enumerate(calls, 1):
        fold(state, event(seq, "ana", at=at + seq, kind=kind, **call), seq, SPEC)
    return state


def test_declared_traits_have_their_type_and_the_last_write() -> None:
    state = identified({"traits": {"plan": "gold", "age": "40", "born": "1970-01-01T00:00:01Z", "x": [1]}})
    assert values(state, SPEC, T)[0] == {"plan": "gold", "age": None, "born": 1_000_000, "address.city": None}
    assert state.traits["age"][0] == "40"
    fold(state, event(9, "ana", at=T - DAY, kind="identify", traits={"plan": "old", "age": 40}), 9, SPEC)
    assert values(state, SPEC, T)[0]["plan"] == "gold"
    moved = {"plan": None, "address": {"city": "Ulm"}}
    fold(state, event(10, "ana", at=T + DAY, kind="identify", traits=moved), 10, SPEC)
    assert values(state, SPEC, T)[0]["plan"] is None
    assert values(state, SPEC, T)[0]["address.city"] == "Ulm"


def test_traits_of_a_group_are_not_of_the_person_and_those_of_a_context_are() -> None:
    assert identified({"traits": {"plan": "gold"}, "group_id": "acme"}, kind="group").traits == {}
    state = identified({"context": {"traits": {"plan": "gold"}}}, kind="track")
    assert values(state, SPEC, T)[0]["plan"] == "gold"
    state = identified({"traits": {"plan": "gold"}, "context": {"traits": {"plan": "old"}}})
    assert values(state, SPEC, T)[0]["plan"] == "gold"


def test_traits_are_bounded() -> None:
    state = identified({"traits": {f"t{i}": i for i in range(2 * MOST_TRAITS)}}, {"traits": {"plan": "gold"}},
                       {"traits": {"t1": "x" * LARGEST_VALUE, "t2": 2**70, "t3": {"a": {1j}}, "t4": "y"}})
    assert len(state.traits) == MOST_TRAITS + 1
    assert [state.traits[name][0] for name in ("plan", "t1", "t2", "t3", "t4")] == ["gold", 1, 2, 3, "y"]
    assert dump(state)


def said(seq: int, **properties: Any) -> Event:
    return event(seq, "ana", at=T + seq, event="Consent Updated", properties=properties)


def preferring(seq: int, **categories: Any) -> Event:
    return event(seq, "ana", at=T + seq, context={"consent": {"categoryPreferences": categories}})


def heard(*calls: Event) -> dict[tuple[str, str], str]:
    state = State()
    for seq, call in enumerate(calls, 1):
        fold(state, call, seq, SPEC)
    return {key: consent.status for key, consent in consents(state).items()}


def test_the_last_word_on_consent_counts() -> None:
    assert heard(said(1, channel="email", status="granted")) == {("marketing", "email"): "granted"}
    assert heard(said(2, channel="email", status="withdrawn"), said(1, channel="email", status="granted")) == {
        ("marketing", "email"): "withdrawn"}
    assert heard(said(1, channel="all", purpose="all", status="refused")) == {("all", "all"): "refused"}


def test_words_that_cannot_be_understood_change_nothing() -> None:
    assert heard(said(1, status="granted"), said(2, channel="email"), said(3, channel="email", status=["granted"]),
                 said(4, channel=7, status="granted"), said(5, channel="x" * 65, status="granted"),
                 preferring(6, email="yes", sms=1)) == {}
    assert heard(said(1, status="withdrawn")) == {("marketing", "all"): "withdrawn"}


def test_a_category_preference_never_lifts_what_was_said() -> None:
    assert heard(preferring(1, email=True, sms=False)) == {
        ("marketing", "email"): "granted", ("marketing", "sms"): "refused"}
    for channel, purpose in (("email", "marketing"), ("all", "marketing"), ("email", "all"), ("all", "all")):
        refused = said(1, channel=channel, purpose=purpose, status="withdrawn")
        assert heard(refused, preferring(2, email=True)) == {(purpose, channel): "withdrawn"}
    assert heard(said(1, channel="email", status="granted"), preferring(2, email=False)) == {
        ("marketing", "email"): "refused"}
    assert heard(preferring(1, email=False), said(2, channel="email", status="granted")) == {
        ("marketing", "email"): "granted"}


def test_a_full_list_of_consents_still_takes_refusals() -> None:
    noise = [said(i, channel=f"c{i}", status="granted") for i in range(1, 3 * MOST_CONSENTS)]
    found = heard(*noise, said(900, channel="email", status="withdrawn"), said(901, channel="sms", status="granted"))
    assert len(found) == MOST_CONSENTS
    assert found["marketing", "email"] == "withdrawn"
    assert ("marketing", "sms") not in found
    assert ("marketing", "c1") not in found
