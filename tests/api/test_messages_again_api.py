"""Messages that are dead, sent again all together; what each domain took; a test to an address of one's own."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from opportune.api.beside import beside
from opportune.api.keys import Keys
from opportune.api.serving import listen
from opportune.client import Client
from opportune.clock import to_datetime
from opportune.deliver.carriers.base import Refused
from opportune.deliver.types import Receipt
from opportune.errors import BadRequest
from opportune.hub import Hub
from opportune.services.outgoing import Outgoing, Told
from opportune.store import open_store
from opportune.testing import FakeClock, tiny_action, tiny_catalog

ADDRESSES = ["a@big.example", "b@big.example", "c@BIG.example", "d@big.example", "e@big.example", "f@own.example"]


def catalog(channel: str = "email") -> Any:
    mail = {"name": "mail", "channel": channel, "placements": ["email.*"],
            "content": {"subject": "Hi {{ customer.first_name }}", "html": "<p>Hello</p>"}}  # fmt: skip
    return tiny_catalog(
        traits=[{"name": "email", "type": "text"}, {"name": "first_name", "type": "text"}],
        channels=[{"name": channel, "push": True, "via": "file", "to": "email", "options": {"folder": "out"}}],
        placements=[{"name": "email.any", "channel": channel, "price": 0}],
        actions=[tiny_action("news", kind="service", treatments=[mail])], model={"random_share": 0},
    )  # fmt: skip


def dead(hub: Hub, why: list[str]) -> None:
    """Decide about a customer of each address, and let what waits be refused for these reasons ("": it is taken)."""
    for number, (address, _) in enumerate(zip(ADDRESSES, why, strict=True)):
        hub.ingest({"type": "identify", "userId": f"c{number}", "traits": {"email": address}})
        assert hub.decide(f"c{number}", "email.any").actions
    outgoing = Outgoing(hub)
    leaving, _ = outgoing.release({"email": 50, "courier": 50}, 50)
    reasons = dict(zip(ADDRESSES, why, strict=True))
    outgoing.settle([Told(one.row, Refused(reasons[one.to], hard=reasons[one.to] == "nobody") if reasons[one.to]
                          else Receipt(), one.to) for one in leaving])  # fmt: skip


def test_what_became_of_messages_is_told_by_domain_and_rare_ones_by_no_name() -> None:
    with Hub.of(catalog(), "memory:", FakeClock()) as hub:
        dead(hub, ["", "", "", "", "nobody", ""])
        assert hub.outbox.domains() == {("email", "big.example"): {"sent": 4, "bounced": 1},
                                        ("email", "others"): {"sent": 1}}  # fmt: skip


def test_all_that_is_dead_for_one_reason_is_sent_again_and_the_rest_stays(tmp_path: Path) -> None:
    with Hub.of(catalog(), "memory:", FakeClock()) as hub:
        dead(hub, ["full", "full", "closed", "full", "", ""])
        assert Counter(row.told for row in hub.outbox.each("dead")) == {"full": 3, "closed": 1}
        with beside(hub, listen("127.0.0.1", 0), tmp_path, links=True) as (address, secret):
            client = Client(address, secret)
            with pytest.raises(BadRequest, match="in_doubt"):
                client.send_all_again("waiting")
            assert client.send_all_again(told="full", flow="weekly").waiting == 0
            done = client.send_all_again(told="full")
            assert (done.waiting, done.left) == (3, 0)
            deadline = time.monotonic() + 20
            while len([*(tmp_path / "out").glob("*.json")]) < 3 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert len([*(tmp_path / "out").glob("*.json")]) == 3
            assert [one.told for one in client.messages("dead")] == ["closed"]


def test_what_has_no_channel_any_more_stays_and_holds_up_no_other(tmp_path: Path) -> None:
    with Hub.of(catalog("courier"), "memory:", FakeClock()) as hub:
        dead(hub, ["full"] * 6)
        hub.publish(catalog("email"))
        with beside(hub, listen("127.0.0.1", 0), tmp_path, links=True) as (address, secret):
            client = Client(address, secret)
            done = client.send_all_again()
            assert (done.waiting, done.left) == (0, 6)
            assert done.why == {"there is no channel 'courier' any more": 6}
            with pytest.raises(BadRequest, match="fewer words"):
                client.set_aside(message="x" * 100_000)


def test_a_test_goes_to_the_address_that_was_named_and_counts_nowhere(tmp_path: Path) -> None:
    with Hub.of(catalog(), "memory:") as hub, beside(hub, listen("127.0.0.1", 0), tmp_path, links=True) as (at, secret):
        client = Client(at, secret)
        with pytest.raises(BadRequest, match="no address"):
            client.send_test("news", "nobody")
        before = client.status()
        assert client.send_test("news", "ana@acme.example").channel == "email"
        [file] = (tmp_path / "out").glob("*.json")
        mail = json.loads(file.read_bytes())
        assert mail["to"] == "ana@acme.example"
        assert mail["content"]["subject"].startswith("[Test] Hi ")
        after = client.status()
        assert (after.facts, after.events) == (before.facts, before.events)
        assert client.outbox().flows == []


def test_a_key_says_when_it_was_used_and_still_does_after_a_start() -> None:
    store = open_store("memory:")
    keys = Keys(store)
    _, key = keys.new("server", 5)
    assert keys.used(key.id) is None
    keys.use(key.id, 7)
    assert (keys.used(key.id), Keys(store).used(key.id)) == (7, None)
    keys.keep_uses()
    assert (keys.used(key.id), Keys(store).used(key.id)) == (7, 7)
    with Hub.of(catalog(), "memory:", FakeClock()) as hub, beside(hub, listen("127.0.0.1", 0)) as (address, secret):
        client = Client(address, secret)
        made = client.new_key("server", "shop")
        assert made.used is None
        Client(address, str(made.key)).placements()
        [known] = client.keys()
        assert known.used == to_datetime(hub.clock.now())
