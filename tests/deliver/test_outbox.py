"""The outbox against a plain model of it, on both stores."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from opportune.deliver.outbox import LANES, SHOWN, Outbox, Queue, Row
from opportune.deliver.types import Send
from opportune.store import open_store

STATES = ("waiting", "sending", "in_doubt", "dead", "suppressed")
SUBJECTS = ("ana", "ben")
NOW = st.integers(0, 50)


def a_send(number: int, due: int, lane: int = 0, flow: str = "", subject: str = "ana", channel: str = "email") -> Send:
    return Send(f"d{number:03}", subject, "offer", "t", channel, "email.weekly", "marketing", LANES[lane], due, flow)


class Waiting(RuleBasedStateMachine):
    """What is put in, moved and dropped is found again by state, by queue, by customer, in order."""

    url = "memory:"

    def __init__(self) -> None:
        super().__init__()
        self.store = open_store(self.url)
        self.outbox = Outbox(self.store)
        self.model: dict[str, Row] = {}
        self.made = 0

    def teardown(self) -> None:
        self.store.close()

    @rule(due=st.integers(0, 50), lane=st.integers(0, 2), flow=st.sampled_from(("", "cart", "weekly")),
          subject=st.sampled_from(SUBJECTS), channel=st.sampled_from(("email", "sms")), now=NOW)  # fmt: skip
    def put(self, due: int, lane: int, flow: str, subject: str, channel: str, now: int) -> None:
        self.made += 1
        send = a_send(self.made, due, lane, flow, subject, channel)
        for _ in range(2):  # the second time changes nothing
            self.outbox.put([send], now)
        self.model[send.key] = Row(send, "waiting", due, now)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), state=st.sampled_from(STATES), now=st.integers(0, 50))
    def move(self, data: Any, state: Any, now: int) -> None:
        row = self.model[data.draw(st.sampled_from(sorted(self.model)))]
        moved = self.outbox.move(row, state, now, "why", due=now)
        assert moved.attempts == row.attempts + (state == "sending")
        self.model[row.send.key] = moved

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def drop(self, data: Any) -> None:
        row = self.model.pop(data.draw(st.sampled_from(sorted(self.model))))
        self.outbox.drop(row)

    @rule(subject=st.sampled_from(SUBJECTS))
    def forget(self, subject: str) -> None:
        self.outbox.forget([subject])
        self.model = {key: row for key, row in self.model.items() if row.send.subject != subject}

    @invariant()
    def found_by_state(self) -> None:
        for state in STATES:
            assert {r.send.key: r for r in self.outbox.each(state)} == {
                key: row for key, row in self.model.items() if row.state == state
            }

    @invariant()
    def found_by_customer(self) -> None:
        for subject in SUBJECTS:
            mine = {row.send.key for row in self.model.values() if row.send.subject == subject}
            assert {row.send.key for row in self.outbox.of(subject)} == mine

    @invariant()
    def found_by_queue_when_due(self) -> None:
        waiting = [row for row in self.model.values() if row.state == "waiting"]
        queues = {Queue(r.send.lane, r.send.channel, r.send.flow) for r in waiting}
        assert set(self.outbox.queues()) == queues
        lanes = [LANES.index(queue.lane) for queue in self.outbox.queues()]
        assert lanes == sorted(lanes)
        assert self.outbox.next_due() == min((row.due for row in waiting), default=None)
        for queue in queues:
            mine = [r for r in waiting if Queue(r.send.lane, r.send.channel, r.send.flow) == queue]
            due = sorted((row for row in mine if row.due <= 25), key=lambda row: (row.due, row.send.key))
            assert self.outbox.due(queue, 25, 100) == due
            assert self.outbox.due(queue, 25, 1) == due[:1]
            assert self.outbox.waiting(queue.flow, 2) >= min(len(mine), 2)


@pytest.mark.parametrize("url", ["memory:", "sqlite:///{}/hub.db"])
def test_the_outbox_is_what_a_plain_model_of_it_is(url: str, tmp_path: Path) -> None:
    runs = 30 if url == "memory:" else 4

    class Here(Waiting):
        def __init__(self) -> None:
            number = len(list(tmp_path.iterdir()))
            (tmp_path / str(number)).mkdir()
            self.url = url.format(tmp_path / str(number))
            super().__init__()

    quiet = settings(max_examples=runs, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Here, settings=quiet)  # type: ignore[no-untyped-call]


def test_what_is_dead_or_in_doubt_can_wait_once_more_as_if_it_were_new() -> None:
    with open_store("memory:").transaction():
        outbox = Outbox(open_store("memory:"))
        outbox.put([a_send(1, 10)], 5)
        row = outbox.get("d001:offer:email")
        assert row is not None
        for _ in range(3):
            row = outbox.move(outbox.move(row, "sending", 11), "waiting", 12, "busy", 20)
        assert (row.attempts, row.told) == (3, "busy")
        again = outbox.again(outbox.move(row, "dead", 30, "no such mailbox"), 40)
        assert (again.attempts, again.told, again.due, again.state) == (0, "", 40, "waiting")
        assert again.patience == 40, "a person asked for it now"


def test_those_that_wait_are_listed_page_by_page() -> None:
    outbox = Outbox(open_store("memory:"))
    outbox.put([a_send(n, 1000 - n, lane=n % 3) for n in range(20)], 5)
    everything = [row.send.key for row in outbox.each("waiting")]
    paged = list[str]()
    while page := [row.send.key for row in islice(outbox.each("waiting", paged[-1] if paged else ""), 6)]:
        paged += page
    assert paged == everything
    assert len(paged) == 20


def test_what_was_suppressed_is_shown_for_a_month() -> None:
    outbox = Outbox(open_store("memory:"))
    outbox.put([a_send(1, 10), a_send(2, 10)], 5)
    for number, now in ((1, 100), (2, 200)):
        row = outbox.get(f"d00{number}:offer:email")
        assert row is not None
        outbox.move(row, "suppressed", now, "contact: 3 of 3")
    outbox.prune(200 + SHOWN)
    assert [row.send.decision_id for row in outbox.each("suppressed")] == ["d002"]


def test_counts_add_up_per_flow_and_channel_and_pauses_are_kept() -> None:
    from opportune.deliver.outbox import ANY, Pause

    outbox = Outbox(open_store("memory:"))
    outbox.put([a_send(n, 10, flow="cart") for n in range(3)] + [a_send(9, 10, channel="sms")], 5)
    assert outbox.count("cart", "email", {"sent": 2, "bounced": 1}) == {"made": 3, "sent": 2, "bounced": 1}
    assert outbox.counts() == {("cart", "email"): {"made": 3, "sent": 2, "bounced": 1}, ("", "sms"): {"made": 1}}
    outbox.pause("cart", "email", Pause(7, "wrong price", "ana"))
    outbox.pause(ANY, "sms", Pause(8, "provider down"))
    assert {key: pause.why for key, pause in outbox.pauses().items()} == {
        ("cart", "email"): "wrong price", (ANY, "sms"): "provider down",
    }  # fmt: skip
    outbox.pause("cart", "email", None)
    assert list(outbox.pauses()) == [(ANY, "sms")]
