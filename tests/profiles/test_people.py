"""People: identities that join and part, restarts, forgetting, and bounds."""

from __future__ import annotations

import contextlib
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from door import Door, event
from hypothesis import given
from hypothesis import strategies as st
from streams import FEATURES, SPEC, TRAITS, ZONE, Taken, feature, few, streams

from opportune.clock import DAY, parse_instant
from opportune.errors import BadEvent, BadRequest, NotFound
from opportune.events.types import Event, Joined, Proposed
from opportune.profiles import identity
from opportune.profiles.people import View
from opportune.profiles.spec import ProfileSpec
from opportune.store import open_store

NOW = parse_instant("2026-12-01T00:00:00Z")


def orders(view: View | None) -> Any:
    assert view is not None
    return view.values(NOW)["priced"], view.values(NOW)["last_sku"]


def known(view: View | None, stream: list[Taken]) -> Any:
    """Return all that is known of a person when the last event of a stream has just come."""
    now = max((taken.event.received_at for taken in stream), default=NOW)
    return None if view is None else (view.ids, dict(view.values(now)), view.state.traits, view.consents())


def order(number: int, user: str | None = None, anonymous: str | None = None, sku: str = "a") -> Event:
    return event(number, user, anonymous, properties={"revenue": 1, "product": {"sku": sku}})


def identify(number: int, user: str, anonymous: str | None = None, **traits: Any) -> Event:
    return event(number, user, anonymous, "identify", traits=traits)


def test_an_event_is_visible_at_once() -> None:
    door = Door(SPEC)
    door.send(order(1, "ana"))
    assert orders(door.people.resolve("ana", None)) == (1.0, "a")
    door.send(order(2, "ana", sku="b"))
    assert orders(door.people.resolve("ana", None)) == (2.0, "b")


def test_a_visitor_who_identifies_brings_what_went_before() -> None:
    door = Door(SPEC)
    door.send(order(1, None, "web"))
    assert door.people.resolve(None, "web").customer == "web"
    [joined] = door.send(identify(2, "ana", "web", plan="gold"))
    ana = door.people.resolve("ana", None)
    assert isinstance(joined, Joined)
    assert (joined.subject, joined.cause, joined.undone) == (ana.subject, "event 2", False)
    assert ana.nodes == (ana.subject, joined.node)
    assert (ana.customer, ana.values(NOW)["plan"], orders(ana)) == ("ana", "gold", (1.0, "a"))
    door.send(order(3, None, "web", "b"))
    assert orders(door.people.resolve(None, "web")) == (2.0, "b")
    assert door.people.resolve(None, "web").subject == ana.subject
    assert door.send(identify(4, "ana", "web")) == []


def test_a_shared_device_belongs_to_the_last_who_identified() -> None:
    door = Door(SPEC)
    door.send(order(1, None, "tablet"))
    door.send(identify(2, "ana", "tablet"))
    door.send(order(3, None, "tablet"))
    assert len(door.send(identify(4, "ben", "tablet"))) == 1
    door.send(order(5, None, "tablet", "b"))
    assert orders(door.people.resolve("ana", None)) == (2.0, "a")
    assert orders(door.people.resolve("ben", None)) == (1.0, "b")
    assert door.send(identify(6, "ana", "tablet")) == []
    door.send(order(7, None, "tablet"))
    assert orders(door.people.resolve("ana", None)) == (3.0, "a")
    assert orders(door.people.resolve("ben", None)) == (1.0, "b")
    assert len(door.people.resolve("ana", None).nodes) == 2


def test_two_users_are_never_merged_by_an_event() -> None:
    door = Door(SPEC)
    door.send(order(1, "ana"))
    [proposed] = door.send(event(2, "ben", kind="alias", previous_id="ana"))
    ana, ben = door.people.resolve("ana", None), door.people.resolve("ben", None)
    assert isinstance(proposed, Proposed)
    assert (proposed.subject, proposed.other) == (ben.subject, ana.subject)
    assert orders(ana)[0] == 1
    assert orders(ben)[0] == 0


def test_alias_of_an_anonymous_id_joins_it() -> None:
    door = Door(SPEC)
    door.send(order(1, None, "web"))
    [joined] = door.send(event(2, "ana", kind="alias", previous_id="web"))
    assert isinstance(joined, Joined)
    assert orders(door.people.resolve("ana", None))[0] == 1
    assert door.send(event(3, "ana", kind="alias", previous_id="ana")) == []


@pytest.mark.parametrize("nobody", [None, "", "null", "undefined", "anonymous", "-1", "0", "0000-00", "NULL"])
def test_meaningless_ids_name_nobody(nobody: str | None) -> None:
    door = Door(SPEC)
    with pytest.raises(BadEvent, match="names nobody"):
        door.send(order(1, nobody, nobody))
    assert door.people.resolve(nobody, nobody, create=True) is None
    assert door.send(identify(2, "ana", nobody)) == []
    assert door.send(event(3, "ana", kind="alias", previous_id=nobody)) == []
    door.send(order(4, nobody, "web"))
    assert orders(door.people.resolve(None, "web"))[0] == 1


def test_unknown_people_are_made_only_when_asked() -> None:
    door = Door(SPEC)
    assert door.people.resolve("ana", None) is None
    assert door.people.view("ana") is None
    made = door.people.resolve("ana", None, create=True)
    assert made.customer == "ana"
    for people in (door.people, door.restarted().people):
        assert people.view(made.subject).ids == ("ana",)
    assert made.values(NOW)["priced"] == 0


def test_an_undone_join_does_not_come_back() -> None:
    door = Door(SPEC)
    door.send(order(1, None, "web"))
    [joined] = door.send(identify(2, "ana", "web"))
    undone = door.people.unjoin(joined.node, at=3)
    assert (undone.subject, undone.node, undone.undone) == (joined.subject, joined.node, True)
    assert orders(door.people.resolve("ana", None))[0] == 0
    assert orders(door.people.resolve(None, "web"))[0] == 1
    with pytest.raises(BadRequest, match="linked to nobody"):
        door.people.unjoin(joined.node, at=4)
    [again] = door.send(identify(5, "ana", "web"))
    door.send(order(6, None, "web"))
    assert again.node != joined.node
    assert orders(door.people.resolve("ana", None))[0] == 1
    assert orders(door.people.view(joined.node))[0] == 1


@few
@given(streams(nodes=2))
def test_a_join_and_its_undoing_are_as_if_never_joined(stream: list[Taken]) -> None:
    """Node n1 is Ana, n2 her device; joined in the middle, undone at the end."""
    joined, never = Door(SPEC), Door(SPEC)
    nodes = []
    middle = len(stream) // 2
    for taken in stream:
        sent = msgspec.structs.replace(
            taken.event, **({"user_id": "ana"} if taken.node == "n1" else {"anonymous_id": "web"})
        )
        for door in (joined, never):
            door.send(sent)
        if taken.seq == middle:
            for door, ids in ((joined, {"anonymous_id": "web"}), (never, {})):
                facts = door.send(Event(type="identify", message_id="j", at=0, received_at=0, user_id="ana", **ids))
                nodes += [fact.node for fact in facts if isinstance(fact, Joined)]
    for node in nodes:
        joined.people.unjoin(node, at=0)
    for ids in (("ana", None), (None, "web")):
        expected = known(never.people.resolve(*ids), stream)
        if expected is not None or nodes == []:
            assert known(joined.people.resolve(*ids), stream) == expected


PEOPLE = [("ana", None), ("ben", None), (None, "web"), (None, "app"), ("ana", "web"), ("ben", "app"), ("ana", "app")]


@few
@given(streams(), st.integers(0, 2**32), st.sampled_from([1, 2, 100]))
def test_a_restart_is_no_restart(stream: list[Taken], seed: int, size: int) -> None:
    random = Random(seed)
    steady, shaky = Door(SPEC), Door(SPEC, cache_size=size)
    for taken in stream:
        user, anonymous = random.choice(PEOPLE)
        sent = msgspec.structs.replace(taken.event, user_id=user, anonymous_id=anonymous)
        if sent.event == "Other":
            sent = msgspec.structs.replace(sent, type="alias", event=None, previous_id="app")
        assert [type(f) for f in steady.send(sent)] == [type(f) for f in shaky.send(sent)]
        if random.random() < 0.2:
            shaky.people.save(random.choice([None, taken.seq - random.randint(0, 20)]))
        if random.random() < 0.2:
            shaky = shaky.restarted()
        for user_id, anonymous_id in ((user, anonymous), ("ana", None)):
            seen = stream[: taken.seq]
            view = shaky.people.resolve(user_id, anonymous_id)
            assert known(view, seen) == known(steady.people.resolve(user_id, anonymous_id), seen)


@few
@given(streams(nodes=3))
def test_new_features_are_filled_and_old_ones_pruned(stream: list[Taken]) -> None:
    half = ProfileSpec(TRAITS, FEATURES[::2], ZONE)
    always, adopted, reopened = Door(SPEC), Door(half), Door(half)
    for taken in stream:
        for door in (always, adopted, reopened):
            door.send(msgspec.structs.replace(taken.event, user_id=taken.node))
    adopted.people.adopt(SPEC, adopted.log)
    reopened = reopened.restarted(SPEC)
    for node in ("n1", "n2", "n3"):
        expected = known(always.people.resolve(node, None), stream)
        assert known(adopted.people.resolve(node, None), stream) == expected
        assert known(reopened.people.resolve(node, None), stream) == expected
    adopted.people.adopt(half, adopted.log)
    for view in adopted.people.everyone():
        assert view.state.features.keys() <= half.fingerprints


def test_a_changed_feature_starts_blank() -> None:
    def spec(**change: Any) -> ProfileSpec:
        plain = {"name": "f", "event": "Order", "aggregate": "sum", "of": "revenue"}
        return ProfileSpec((), [feature(**plain | change)], ZONE)

    [same] = spec().fingerprints
    assert spec(name="other").fingerprints == {same}
    for change in ({"event": "Sale"}, {"aggregate": "avg"}, {"of": "price"}, {"where": "revenue > 1"},
                   {"window": 7 * DAY, "by": DAY}, {"window": DAY, "by": DAY}):
        assert spec(**change).fingerprints != {same}
    assert spec(where="revenue > 1").fingerprints == spec(where="(revenue  >  1.0)").fingerprints


def test_a_failed_transaction_leaves_nothing_behind() -> None:
    door = Door(SPEC)
    door.send(order(1, "ana"))
    with contextlib.suppress(RuntimeError), door.store.transaction():
        door.send(order(2, "ana"))
        door.send(identify(3, "ana", "web"))
        raise RuntimeError
    door.people.reset(door.log)
    assert orders(door.people.resolve("ana", None))[0] == 1
    assert door.people.resolve("ana", None).nodes == (door.people.resolve("ana", None).subject,)
    assert door.people.resolve(None, "web") is None


def test_forgotten_people_are_gone_and_others_stay() -> None:
    door = Door(SPEC)
    door.send(order(1, None, "tablet"))
    door.send(identify(2, "ana", "tablet"))
    door.send(order(3, "ben"))
    door.send(identify(4, "ben", "tablet"))
    door.send(order(5, None, "tablet"))
    door.people.save()
    ana = door.people.resolve("ana", None)
    gone = door.people.forget("ana")
    assert gone[0] == ana.subject
    assert set(gone) == set(ana.nodes)
    for people in (door.people, door.restarted().people):
        assert people.resolve("ana", None) is None
        assert people.view(ana.subject) is None
        assert orders(people.resolve(None, "tablet"))[0] == 2
        assert [view.customer for view in people.everyone()] == ["ben"]
    with pytest.raises(NotFound):
        door.people.forget("ana")
    door.send(order(6, "ana"))
    assert door.people.resolve("ana", None).subject != ana.subject
    assert orders(door.people.resolve("ana", None))[0] == 1


def test_a_forgotten_visitor_starts_anew() -> None:
    door = Door(SPEC)
    door.send(order(1, None, "web"))
    door.send(identify(2, "ana", "web"))
    assert len(door.people.forget("ana")) == 3
    assert door.people.resolve(None, "web") is None
    door.send(order(3, None, "web"))
    assert orders(door.people.resolve(None, "web"))[0] == 1
    assert door.restarted().people.resolve("ana", None) is None


def test_no_id_and_no_trait_is_in_plain_sight() -> None:
    door = Door(SPEC)
    door.send(order(1, None, "canary-web", "canary-sku"))
    door.send(identify(2, "canary-ana", "canary-web", plan="canary-plan"))
    door.people.save()
    for name in ("profiles", "links", "devices", "profile_marks"):
        rows = list(door.store.table(name).scan())
        assert rows
        assert not any(b"canary" in key.encode() + value for key, value in rows)


def test_rows_may_be_written_the_longest_unwritten_first() -> None:
    door = Door(SPEC)
    for number, who in enumerate(["ana", "ben", "ana", "cem", "ben"], 1):
        door.send(order(number, who))
    assert [door.people.save(until) for until in (0, 2, 2)] == [0, 2, 0]
    door.send(order(6, "ana"))
    assert [door.restarted().caught_up, door.people.save(4), door.people.save()] == [2, 1, 1]
    assert door.restarted().caught_up == 0
    assert orders(door.restarted().people.resolve("ana", None))[0] == 3


def test_caches_are_bounded() -> None:
    door = Door(SPEC, cache_size=3)
    for number in range(1, 30):
        door.send(order(number, f"user{number % 10}"))
    assert len(door.people._states) <= 3
    assert len(door.people._dirty) <= 3
    assert sum(orders(view)[0] for view in door.people.everyone()) == 29


def test_every_person_comes_once() -> None:
    door = Door(SPEC)
    for number, user in enumerate(("ana", "ben", "eve"), 1):
        door.send(order(number, None, f"web-{user}"))
        door.send(identify(number + 10, user, f"web-{user}"))
    door.send(order(30, None, "visitor"))
    assert sorted(view.customer for view in door.people.everyone()) == ["ana", "ben", "eve", "visitor"]


def test_values_are_read_once_while_they_stay() -> None:
    door = Door(SPEC)
    door.send(order(1, "ana"))
    view = door.people.resolve("ana", None)
    assert view.values(NOW) is view.values(view.until(NOW) - 1)
    assert view.values(NOW) is not view.values(view.until(NOW))


def test_a_person_has_a_bounded_number_of_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "MOST_NODES", 2)
    door = Door(SPEC)
    joins = [len(door.send(identify(number, "ana", f"web{number}"))) for number in range(1, 5)]
    assert joins == [1, 1, 0, 0]
    assert len(door.people.resolve("ana", None).nodes) == 3
    assert door.people.resolve(None, "web4").customer == "web4"


def test_a_device_remembers_a_bounded_number_of_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "MOST_REUSED", 2)
    door = Door(SPEC)
    users = ["ana", "ben", "eve", "ana", "eve"]
    assert [len(door.send(identify(n, user, "kiosk"))) for n, user in enumerate(users, 1)] == [1, 1, 1, 1, 0]
    door.send(order(9, None, "kiosk"))
    assert orders(door.people.resolve("eve", None))[0] == 1


def test_a_file_keeps_people(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    door = Door(SPEC, store=open_store(url))
    door.send(order(1, None, "web"))
    door.send(identify(2, "ana", "web", plan="gold"))
    door.people.save()
    door.send(order(3, None, "web", "b"))
    door.store.close()
    again = Door(SPEC, store=open_store(url))
    assert again.caught_up == 1
    assert orders(again.people.resolve("ana", None)) == (2.0, "b")
    again.people.forget("ana")
    assert again.people.resolve(None, "web") is None
    again.store.close()
