"""What leaves a hub and what becomes of it, step by step, and the sending of it in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from opportune.api.dispatch import Dispatch
from opportune.api.door import Door
from opportune.api.serving import at_work, door_of
from opportune.api.writer import Busy
from opportune.catalog.build import from_data
from opportune.clock import DAY, HOUR
from opportune.deliver.breaker import BREAKER, faded, harm
from opportune.deliver.carriers import CARRIERS
from opportune.deliver.carriers.base import InDoubt, Refused, TryLater
from opportune.deliver.outbox import ANY, Pause
from opportune.deliver.types import Failure, Flow, Message, Receipt
from opportune.errors import BadRequest, BrokenStore
from opportune.hub import Hub
from opportune.services.outgoing import PATIENCE, Leaving, Outgoing, Told
from opportune.testing import FakeClock

CHANNELS = ("email", "push", "sms")


def data(**changes: Any) -> dict[str, Any]:
    """Return a catalog with an offer and a note in three channels, which become files."""
    content = {
        "email": {"subject": "Hello {{ customer.first_name }}", "text": "Look: {{ traits.link }}"},
        "sms": {"text": "Hello {{ customer.first_name }}"},
        "push": {"title": "Hello", "body": "{{ customer.first_name }}"},
    }

    def action(name: str, kind: str) -> dict[str, Any]:
        places = [
            {"name": f"by_{c}", "channel": c, "placements": [f"{c}.{name}"], "content": content[c]} for c in CHANNELS
        ]
        outcomes = {"positive": ["accept"], "negative": ["reject"], "window": "7d"}
        what = {"name": name, "issue": name, "group": "g", "kind": kind, "outcomes": outcomes, "treatments": places}
        return what | ({"urgent": True} if kind == "service" else {"value": 5, "benefit": "More"})

    return {
        "currency": "EUR", "time_zone": "UTC",
        "sender": {"name": "Acme", "email": "hello@acme.example", "address": "Street 1"},
        "channels": [{"name": c, "via": "file", "options": {"folder": "sent"}} for c in CHANNELS],
        "placements": [{"name": f"{c}.{a}", "channel": c} for c in CHANNELS for a in ("offer", "note")],
        "actions": [action("offer", "marketing"), action("note", "service")],
        "contact": [{"name": "month", "on": "all", "at_most": 1, "in": "30d"}],
        "model": {"explore": "greedy", "random_share": 0, "ramp": 0},
        **changes,
    }  # fmt: skip


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def hub(clock: FakeClock) -> Hub:
    return Hub.of(from_data(data()), clock=clock)


def welcome(hub: Hub, *customers: str, **traits: Any) -> None:
    granted = {"purpose": "marketing", "channel": "all", "status": "granted"}
    for who in customers:
        known = {"email": f"{who}@example.com", "phone": "+4930901820", "push_token": who, "first_name": who, **traits}
        hub.ingest([
            {"type": "identify", "userId": who, "traits": known},
            {"type": "track", "userId": who, "event": "Consent Updated", "properties": granted},
        ])  # fmt: skip


def say(hub: Hub, who: str, placement: str = "email.offer", flow: Flow | None = None) -> str:
    answer = hub.decide(who, placement, flow=flow, personal=False)
    assert answer.actions, answer.silence
    return f"{answer.decision_id}:{answer.actions[0].action}:{placement.split('.')[0]}"


def out(hub: Hub, most: int = 100) -> list[Leaving]:
    return Outgoing(hub).release(dict.fromkeys(CHANNELS, 100), most)[0]


def told(hub: Hub, became: Any, repeatable: bool = False) -> None:
    """Release what is due and settle all of it the same way."""
    Outgoing(hub).settle([Told(one.row, became, one.to, repeatable) for one in out(hub)])


def free(hub: Hub, who: str) -> bool:
    return bool(hub.decide(who, "email.offer", peek=True).actions)


def test_room_is_given_back_however_often_a_message_dies(hub: Hub, clock: FakeClock) -> None:
    welcome(hub, "ana")
    key = say(hub, "ana")
    assert not free(hub, "ana")
    for _ in range(2):
        told(hub, Refused("no"))
        assert free(hub, "ana")
        Outgoing(hub).again(key)
        assert not free(hub, "ana"), "it has its room again"
    clock.advance(10 * PATIENCE)
    out(hub)
    assert free(hub, "ana"), "suppressed gives it back, too"


def test_what_waits_for_a_person_has_patience_from_when_they_ask(hub: Hub, clock: FakeClock) -> None:
    welcome(hub, "ana")
    key = say(hub, "ana")
    told(hub, Refused("no"))
    clock.advance(2 * PATIENCE)
    Outgoing(hub).again(key)
    assert [one.send.key for one in out(hub)] == [key]


def test_a_message_in_doubt_that_is_sent_again_is_one_contact(hub: Hub) -> None:
    welcome(hub, "ana")
    key = say(hub, "ana")
    told(hub, InDoubt("the line was cut"))
    assert not free(hub, "ana"), "it counts, whether it arrived or not"
    Outgoing(hub).again(key)
    told(hub, Receipt())
    assert hub.outbox.get(key) is None
    assert not free(hub, "ana")
    leaving = say(hub, "ana", "email.note")
    assert len(out(hub)) == 1
    with pytest.raises(BadRequest):
        Outgoing(hub).again(leaving)


def test_service_in_doubt_is_tried_again_and_marketing_is_not(hub: Hub) -> None:
    welcome(hub, "ana")
    offer, note = say(hub, "ana"), say(hub, "ana", "email.note")
    told(hub, InDoubt("the line was cut"))
    states = {key: row.state for key in (offer, note) if (row := hub.outbox.get(key))}
    assert states == {offer: "in_doubt", note: "waiting"}


def test_ten_attempts_are_enough(hub: Hub, clock: FakeClock) -> None:
    welcome(hub, "ana")
    key = say(hub, "ana", "email.note")
    waits = []
    for _ in range(10):
        told(hub, TryLater("busy"))
        row = hub.outbox.get(key)
        assert row
        waits.append(row.due - clock.now())
        clock.advance(max(waits[-1], 0))
    assert row.state == "dead"
    assert all(0 < wait <= HOUR for wait in waits[:-1])
    assert sum(waits[:-1]) > 45 * 60 * 1_000_000


def test_an_action_that_changed_its_kind_is_not_sent_by_the_rules_of_the_other(hub: Hub) -> None:
    welcome(hub, "ana")
    key = say(hub, "ana", "email.note")
    changed = data()
    changed["actions"][1] |= {"kind": "marketing", "urgent": False}
    hub.publish(from_data(changed))
    assert not out(hub)
    row = hub.outbox.get(key)
    assert row
    assert row.state == "suppressed"
    assert "service" in row.told


def test_the_ledger_keeps_no_words_of_a_provider(hub: Hub) -> None:
    welcome(hub, "ana")
    say(hub, "ana")
    told(hub, Refused("550 <secret@example.com> unknown", hard=True))
    assert not any("secret" in repr(fact) for _, fact in hub.ledger.read())


def test_flows_of_a_lane_take_turns_and_service_goes_first(hub: Hub) -> None:
    names = [f"c{n}" for n in range(40)]
    welcome(hub, *names)
    for who in names[:30]:
        say(hub, who, flow=Flow("aa"))
    for who in names[30:35]:
        say(hub, who, flow=Flow("zz"))
    for who in names[35:]:
        say(hub, who, "email.note")
    first = [one.send.flow if one.send.lane != "service" else "service" for one in out(hub, 12)]
    assert first[:5] == ["service"] * 5
    assert first.count("zz") == 3
    assert first.count("aa") == 4


def test_a_flow_leaves_no_faster_than_its_pace(hub: Hub) -> None:
    names = [f"c{n}" for n in range(20)]
    welcome(hub, *names)
    for n, who in enumerate(names):
        say(hub, who, flow=Flow("weekly" if n < 15 else "cart"))
    room = dict.fromkeys(CHANNELS, 100)
    left, gone = {"weekly": 4}, list[str]()
    for _ in range(3):
        leaving, _ = Outgoing(hub).release(room, 50, lambda flow, now: left.get(flow))
        left["weekly"] -= sum(one.send.flow == "weekly" for one in leaving)
        gone += [one.send.flow for one in leaving]
    assert (gone.count("weekly"), gone.count("cart"), left["weekly"]) == (4, 5, 0)


def test_what_cannot_be_looked_at_costs_itself(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    welcome(hub, "ana", "ben")
    bad, good = say(hub, "ana"), say(hub, "ben")
    look = Outgoing._look_again

    def stumble(self: Outgoing, row: Any, now: int) -> Any:
        if row.send.key == bad:
            raise ValueError("year 10239 is out of range")
        return look(self, row, now)

    monkeypatch.setattr(Outgoing, "_look_again", stumble)
    assert [one.send.key for one in out(hub)] == [good]
    row = hub.outbox.get(bad)
    assert row
    assert row.state == "suppressed"

    def break_down(self: Outgoing, row: Any, now: int) -> Any:
        raise BrokenStore("no disk")

    say(hub, "ben", "email.note")
    monkeypatch.setattr(Outgoing, "_look_again", break_down)
    with pytest.raises(BrokenStore):
        out(hub)


def test_the_breaker_looks_at_what_is_recent_and_never_stops_service(hub: Hub) -> None:
    assert harm({"recent_sent": 100, "recent_complained": 1}) == ""
    assert harm({"recent_sent": 100, "recent_complained": 3})
    assert harm({"recent_sent": 1000, "recent_returned": 50}), "of those sent"
    assert harm({"recent_sent": 950, "recent_bounced": 50}), "of those tried"
    counts = {"recent_sent": 0, "recent_complained": 0}
    for n in range(1, 40_000):
        counts["recent_sent"] += 1
        counts["recent_complained"] += n > 30_000 and n % 50 == 0
        counts = {name: number + faded(counts).get(name, 0) for name, number in counts.items()}
        if harm(counts):
            break
    assert 30_000 < n < 32_000, "a good past does not excuse a bad present"
    welcome(hub, "ana")
    say(hub, "ana")
    say(hub, "ana", "email.note")
    hub.outbox.pause("", "email", Pause(0, "spam", BREAKER))
    assert [one.send.action for one in out(hub)] == ["note"]
    hub.outbox.pause(ANY, "email", Pause(0, "a person", "ana"))
    say(hub, "ana", "email.note")
    assert not out(hub)


# Sending


class Fake:
    """A carrier that is told what to do."""

    def __init__(self, repeatable: bool) -> None:
        self.repeatable = repeatable
        self.sent: list[Message] = []
        self.does: Callable[[Message], Awaitable[None]] | None = None

    async def send(self, message: Message) -> Receipt:
        if self.does:
            await self.does(message)
        self.sent.append(message)
        return Receipt()

    async def close(self) -> None:
        pass


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake(repeatable=False)
    monkeypatch.setitem(CARRIERS, "file", "test_outgoing:opened")
    monkeypatch.setattr(f"{__name__}.current", [made])
    return made


current: list[Fake] = []


def opened(options: Any, clock: Any) -> Fake:
    return current[0]


def sending(hub: Hub, work: Callable[[Door, Dispatch], Awaitable[None]]) -> None:
    """Run some work while a door sends."""

    async def run() -> None:
        door, _ = door_of(hub, public_url="https://hub.example")
        async with at_work(door) as _:
            await work(door, door.sending())

    asyncio.run(run())


PATIENT = 30.0
"""Seconds after which something does not come any more; nothing here goes on by itself after a time."""


async def idle(dispatch: Dispatch, seconds: float = PATIENT) -> None:
    async with asyncio.timeout(seconds):
        while not await dispatch.idle():
            await asyncio.sleep(0.01)


def test_every_channel_sends(carrier: Fake) -> None:
    hub = Hub.of(from_data(data(contact=[])))
    names = [f"c{n}" for n in range(30)]
    welcome(hub, *names)
    for who in names:
        for channel in CHANNELS:
            say(hub, who, f"{channel}.note")
    sending(hub, lambda door, dispatch: idle(dispatch))
    assert sorted(message.channel for message in carrier.sent) == sorted([*CHANNELS] * 30)


def test_what_is_not_right_any_more_holds_up_nobody(carrier: Fake) -> None:
    hub = Hub.of(from_data(data()))
    names = [f"c{n}" for n in range(120)]
    welcome(hub, *names)
    for who in names:
        say(hub, who)
        hub.ingest({"type": "track", "userId": who, "event": "Consent Updated",
                    "properties": {"purpose": "marketing", "channel": "all", "status": "withdrawn"}})  # fmt: skip
    sending(hub, lambda door, dispatch: idle(dispatch, 5))
    assert not carrier.sent
    assert len(list(hub.outbox.each("suppressed"))) == 120


def test_what_became_of_messages_is_written_once_that_is_possible(
    carrier: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub.of(from_data(data()))
    welcome(hub, "ana", "ben")
    say(hub, "ana")
    say(hub, "ben", "email.note")
    settle, failures = Outgoing.settle, [Busy(1), BrokenStore("no disk")]

    def fails_twice(self: Outgoing, told: Any) -> Any:
        if failures and told:
            raise failures.pop()
        return settle(self, told)

    monkeypatch.setattr(Outgoing, "settle", fails_twice)
    sending(hub, lambda door, dispatch: idle(dispatch))
    assert len(carrier.sent) == 2
    assert not list(hub.outbox.each("sending"))
    assert hub.outbox.counts()["", "email"]["sent"] == 2


def test_what_arrived_is_written_down_while_others_are_slow_and_when_the_hub_stops(carrier: Fake) -> None:
    hub = Hub.of(from_data(data()))
    names = [f"c{n}" for n in range(6)]
    welcome(hub, *names)
    for who in names:
        say(hub, who, "email.note")

    async def slow_for_one(message: Message) -> None:
        if "c3" in message.to:
            await asyncio.Event().wait()

    carrier.does = slow_for_one

    async def work(door: Door, dispatch: Dispatch) -> None:
        async with asyncio.timeout(PATIENT):
            while hub.outbox.counts().get(("", "email"), {}).get("sent") != 5:
                await asyncio.sleep(0.01)
        dispatch_module.ENDS_WITHIN = 0.3

    import opportune.api.dispatch as dispatch_module

    before = dispatch_module.ENDS_WITHIN
    try:
        sending(hub, work)
    finally:
        dispatch_module.ENDS_WITHIN = before
    assert not list(hub.outbox.each("sending"))
    assert [row.told for row in hub.outbox.each("waiting")] == ["the hub stopped while it was leaving"]


def test_one_customers_odd_data_cost_their_message_alone(carrier: Fake) -> None:
    hub = Hub.of(from_data(data()))
    welcome(hub, "ana", "ben")
    welcome(hub, "eve", link="https://acme.example/" + "x" * 4000)
    hub.ingest({"type": "track", "userId": "ana", "event": "Consent Updated", "properties": {
        "channel": "email", "status": "requested", "wording": "🍵" * 150}})  # fmt: skip
    for who in ("ana", "ben", "eve"):
        say(hub, who)
    sending(hub, lambda door, dispatch: idle(dispatch))
    assert {message.to for message in carrier.sent} >= {"ben@example.com", "eve@example.com"}
    assert not list(hub.outbox.each("sending"))
    assert not list(hub.outbox.each("waiting"))


def test_a_new_sender_is_used_at_once_and_a_changed_channel_stops_no_other(
    carrier: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub.of(from_data(data(contact=[])))
    welcome(hub, "ana", "ben")

    hanging, goes_on = asyncio.Event(), asyncio.Event()

    async def hangs(message: Message) -> None:
        if message.channel == "sms":
            hanging.set()
            await goes_on.wait()

    carrier.does = hangs

    async def work(door: Door, dispatch: Dispatch) -> None:
        say(hub, "ana", "sms.note")
        await hanging.wait()
        changed = data(contact=[])
        changed["channels"][2]["rate"] = 50
        with hub.reading():
            hub.publish(from_data(changed))
        say(hub, "ben", "email.note")
        try:
            async with asyncio.timeout(PATIENT):
                while not any(message.channel == "email" for message in carrier.sent):
                    await asyncio.sleep(0.02)
        finally:
            goes_on.set()

    sending(hub, work)


def test_what_was_leaving_is_settled_when_its_channel_is_open_again(
    carrier: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier.repeatable = True
    hub = Hub.of(from_data(data()))
    welcome(hub, "ana")
    say(hub, "ana")
    assert len(out(hub)) == 1, "and then the process was killed"
    from opportune.errors import BadInput

    def shut(options: Any, clock: Any) -> Fake:
        raise BadInput("needs RELAY from the environment")

    monkeypatch.setattr(f"{__name__}.opened", shut)

    async def not_yet(door: Door, dispatch: Dispatch) -> None:
        async with asyncio.timeout(PATIENT):
            while dispatch.problems.keys() != {*CHANNELS}:
                await asyncio.sleep(0.01)

    sending(hub, not_yet)
    assert [row.state for row in hub.outbox.each("sending")] == ["sending"]
    monkeypatch.undo()
    monkeypatch.setitem(CARRIERS, "file", "test_outgoing:opened")
    current[:] = [carrier]

    async def now_it_is(door: Door, dispatch: Dispatch) -> None:
        async with asyncio.timeout(PATIENT):
            while list(hub.outbox.each("sending")):
                await asyncio.sleep(0.02)

    sending(hub, now_it_is)
    [row] = hub.outbox.each("waiting")
    assert row.told == "the hub stopped while it was leaving"


def test_content_that_does_not_fit_its_placement_is_not_sent_and_takes_no_room(carrier: Fake) -> None:
    made = data()
    made["channels"][1] |= {"form": "json"}
    fits = {"type": "object", "properties": {"body": {"maxLength": 20}}}
    made["placements"] = [p | ({"schema": fits} if p["name"] == "push.offer" else {}) for p in made["placements"]]
    hub = Hub.of(from_data(made))
    welcome(hub, "ana", first_name="x" * 30)
    answer = hub.decide("ana", "push.offer")
    assert not answer.actions
    sending(hub, lambda door, dispatch: idle(dispatch))
    assert not carrier.sent
    assert [row.state for row in hub.outbox.each("dead")] == ["dead"]
    assert free(hub, "ana")


def test_a_letter_that_cannot_be_set_is_dead_with_its_reason_and_the_others_leave(carrier: Fake) -> None:
    said = {"subject": "Hi", "text": "Dear {{ customer.name }}"}
    offer = data()["actions"][0] | {"treatments": [{"name": "post", "channel": "letter", "content": said}]}
    post = {"name": "letter", "via": "file", "options": {"folder": "sent"}}
    places = [{"name": "letter.offer", "channel": "letter"}]
    hub = Hub.of(from_data(data(channels=[post], placements=places, actions=[offer])))
    home = {"street": "Weg 2", "postalCode": "3011", "city": "Bern"}
    welcome(hub, "bo", address=home, name="Bo")
    welcome(hub, "hana", address=home, name="花")

    async def work(door: Door, dispatch: Dispatch) -> None:
        keys = [say(hub, who, "letter.offer") for who in ("hana", "bo")]
        await idle(dispatch)
        assert [(message.key, message.content["address"]) for message in carrier.sent] == [
            (keys[1], ["Bo", "Weg 2", "3011 Bern"])
        ]
        [row] = hub.outbox.each("dead")
        assert row.send.key == keys[0]
        assert row.told.startswith("text:1:1: the font of the letter has no 花 (U+82B1)")

    sending(hub, work)


def test_a_request_that_is_repeated_gets_the_words_of_its_own_catalog() -> None:
    made = data()
    made["channels"] = []
    hub = Hub.of(from_data(made))
    welcome(hub, "ana")
    first = hub.decide("ana", "sms.offer", request_id="r1")
    changed = data()
    changed["channels"] = []
    changed["actions"][0]["treatments"][2] |= {"name": "another", "content": {"text": "Bye"}}
    hub.publish(from_data(changed))
    again = hub.decide("ana", "sms.offer", request_id="r1")
    assert again.actions[0].content == first.actions[0].content
    assert first.actions[0].content["text"] == "Hello ana"
    hub.close()


def test_what_was_sent_to_somebody_forgotten_meanwhile_is_not_remembered(hub: Hub) -> None:
    welcome(hub, "ana")
    say(hub, "ana", "sms.note")
    [leaving] = out(hub)
    hub.forget("ana")
    assert Outgoing(hub).settle([Told(leaving.row, Receipt(), leaving.to)]) == []


def test_a_template_that_fails_is_dead_and_says_where(hub: Hub, clock: FakeClock) -> None:
    welcome(hub, "ana")
    key = say(hub, "ana")
    told(hub, Failure("too long", "subject", 1, 7))
    row = hub.outbox.get(key)
    assert row
    assert (row.state, row.told) == ("dead", "subject:1:7: too long")
    clock.advance(DAY)


def test_the_folder_of_a_file_carrier_is_beside_the_project(tmp_path: Path) -> None:
    from opportune.deliver.carriers import open_carrier

    channel = next(c for c in from_data(data()).channels if c.name == "email")
    asyncio.run(open_carrier(channel, {}, tmp_path).send(Message("k", "email", "a@example.com", {"text": "x"})))
    assert len(list((tmp_path / "sent").iterdir())) == 1
