"""Renting in a hub: told as events, learned by the shelf, over HTTP and on the command line, by browsers too."""

from __future__ import annotations

import doctest
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from opportune.api.local import Local
from opportune.catalog.build import from_data, to_data
from opportune.cli import app
from opportune.client import Client
from opportune.clock import DAY, to_datetime
from opportune.errors import BadCatalog, BadRequest, NotFound, Stale
from opportune.hub import Hub
from opportune.rental.book import Rental
from opportune.rental.journal import forget
from opportune.services.lending import Lending
from opportune.services.shelves import hear
from opportune.testing import FakeClock, tiny_action, tiny_catalog

RENTALS = [
    {
        "name": "dresses", "items": "category = 'dresses'", "keep": "30d", "clean": "1d", "again": "60d",
        "tiers": [{"name": "small", "at_once": 1, "per_month": 2, "most_value": 100, "price": 9.9},
                  {"name": "large", "at_once": 3, "price": 39}],
    },
    {"name": "anything", "tiers": [{"name": "one", "at_once": 1}]},
]  # fmt: skip


def shop(**more: Any) -> Any:
    return tiny_catalog(**{"rentals": RENTALS, "actions": [tiny_action("hello")], **more})


def dress(n: int, price: float = 60) -> dict[str, Any]:
    return {"id": f"d{n}", "title": f"Dress {n}", "categories": ["dresses"], "price": price}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def hub(clock: FakeClock) -> Iterator[Hub]:
    with Hub.of(shop(), clock=clock) as hub:
        with hub.group():
            hub.goods.shelf.put([dress(n) for n in range(6)] + [dress(6, 300), {"id": "tent"}], clock.now())
        yield hub


@pytest.fixture
def client(hub: Hub) -> Iterator[Client]:
    client = Client("", "", Local(hub, Path(), ""))
    yield client
    client.close()


def heard(hub: Hub, customer: str) -> list[str]:
    return [str(e.event) for node in hub.nodes(customer) for _, e in hub.events_of(node)]


def test_what_happens_is_told_once_and_the_shelf_learns(hub: Hub, clock: FakeClock) -> None:
    desk = Lending(hub)
    assert desk.subscribe("maya", "dresses", "small")
    assert not desk.subscribe("maya", "dresses", "small")
    assert desk.wish("maya", "dresses", ["d1", "d2", "d3"]) == (["d1", "d2", "d3"], [])
    assert desk.wish("maya", "dresses", remove=["d3"]) == ([], ["d3"])
    desk.copies("d1", count=1)
    desk.copies("d2", ["red"])
    sent = desk.send("maya", "dresses", "parcel-1")
    assert isinstance(sent, Rental)
    assert desk.send("maya", "dresses", "parcel-1") == Rental(sent.number, sent.row, again=True)
    clock.advance(30 * DAY)
    assert desk.catch_up() is False
    assert desk.catch_up() is False
    for _ in range(2):
        desk.back(sent.number)
    batch = desk.ship("monday", 10)
    assert [one.row.copy for one in batch.rentals] == ["red"]
    for _ in range(2):
        desk.keep(batch.rentals[0].number)
    assert heard(hub, "maya") == [
        "Rental Subscribed", *["Product Added to Wishlist"] * 3, "Product Removed from Wishlist", "Rental Sent",
        "Rental Due", "Rental Returned", "Rental Sent", "Order Completed",
    ]  # fmt: skip
    bought = list(hub.events_of(hub.nodes("maya")[0]))[-1][1].properties
    assert (bought["revenue"], bought["products"][0]["product_id"]) == (60, "d2")
    with hub.group():
        assert not hear(hub)
    suggested = [one.id for one in desk.suggest("maya", "dresses", 10)]
    assert {*suggested} == {"d0", "d1", "d3", "d4", "d5"}, "not what was bought, is worth too much, or is no dress"
    kinds = [(t.item, t.kind) for t in hub.goods.shelf.tastes.of(hub.nodes("maya")[0]).touches]
    assert [item for item, kind in kinds if kind == 2] == ["d1", "d2", "d3"], "wished"
    assert [item for item, kind in kinds if kind == 0] == ["d2"], "bought"


def test_what_fails_in_a_batch_leaves_none_of_it(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Lending(hub)
    for name in ("ana", "bob"):
        desk.subscribe(name, "dresses", "large")
        desk.wish(name, "dresses", ["d1", "d2"])
    desk.copies("d1", count=2)
    told = heard(hub, "ana")

    def fail(*words: object, **more: object) -> None:
        raise RuntimeError("no room for the event")

    with monkeypatch.context() as patch:
        patch.setattr(hub, "ingest", fail)
        with pytest.raises(RuntimeError):
            desk.ship("b", 10)
    assert (desk.inside("d1").out, heard(hub, "ana")) == (0, told)
    assert len(desk.ship("b", 10).rentals) == 2
    assert desk.ship("b", 10).again


def test_over_http_from_the_subscription_to_the_statement(client: Client) -> None:
    client.subscribe_rental("maya", "dresses", "small")
    with pytest.raises(NotFound, match="no tier 'huge'"):
        client.subscribe_rental("maya", "dresses", "huge")
    with pytest.raises(NotFound, match="no item 'd9'"):
        client.change_rental_list("maya", "dresses", ["d1", "d9"])
    assert client.rental_list("maya", "dresses").total == 0, "all of a change or none"
    found = client.change_rental_list("maya", "dresses", put=["d6", "tent", "d1", "d2"])
    assert [(one.place, one.title) for one in found.items][2:] == [(2, "Dress 1"), (3, "Dress 2")]
    assert [one.item for one in client.change_rental_list("maya", "dresses", ["d2"], place=2).items][2:] == ["d2", "d1"]
    assert client.rental_list("maya", "dresses", after=3).items[0].item == "d1"
    assert client.next_rental("maya", "dresses").reason == "waiting"
    assert client.add_copies("d2", count=2).free == 2
    turn = client.next_rental("maya", "dresses")
    assert (turn.item, [one.reason for one in turn.passed]) == ("d2", ["value", "plan"])
    assert client.next_rental("nobody", "dresses").reason == "subscription"
    shipped = client.ship_rentals("monday")
    assert [(one.item, one.customer_id) for one in shipped.picks] == [("d2", "maya")]
    again = client.ship_rentals("monday")
    assert (again.again, [one.rental for one in again.picks]) == (True, [one.rental for one in shipped.picks])
    assert client.send_rental("maya", "dresses", "p").next is not None
    with pytest.raises(Stale, match="return what is out first: d2"):
        client.cancel_rental("maya", "dresses")
    [mine] = client.rentals("maya")
    assert (mine.tier, mine.sent_this_month, mine.wishes, mine.out[0].item) == ("small", 1, 3, "d2")
    number = shipped.picks[0].rental
    assert client.return_rental(copy="d2#1", id="scan").state == "returned"
    assert client.return_rental(number).again
    with pytest.raises(Stale, match="came back before"):
        client.lose_rental(number)
    with pytest.raises(NotFound, match="no rental 9999"):
        client.keep_rental(9999)
    with pytest.raises(BadRequest, match="say what came back"):
        client.return_rental()
    assert client.copies("d2").free == 1, "the other one is being cleaned"
    assert client.pause_rental("maya", "dresses")
    assert client.resume_rental("maya", "dresses")
    assert client.cancel_rental("maya", "dresses")
    lines = client.rental_statement("maya")
    assert [line.what for line in lines] == ["subscribed", "sent", "returned", "paused", "resumed", "cancelled"]
    assert client.rental_statement("maya", after=lines[-2].number) == lines[-1:]
    assert client.retire_copy("d2#2")
    with pytest.raises(NotFound):
        client.retire_copy("d2#9")


def test_a_browser_sees_its_own_list_and_ships_nothing(hub: Hub) -> None:
    local = Local(hub, Path(), "")
    admin = Client("", "", local)
    key = admin._call("POST", "/v1/keys", dict, {"kind": "write", "scopes": ["decide:anonymous"]})["key"]
    token = admin._call("POST", "/v1/tokens", dict, {"userId": "maya"})["userToken"]
    admin.subscribe_rental("maya", "dresses", "large")
    admin.change_rental_list("maya", "dresses", ["d1"])
    local._key = key
    asked = {"plan": "dresses", "userToken": token}
    told = admin._call("POST", "/v1/rentals/list", dict, {**asked, "add": ["d2"], "place": 0})
    assert [one["item"] for one in told["items"]] == ["d2", "d1"]
    assert admin._call("POST", "/v1/rentals/next", dict, asked)["reason"] == "waiting"
    assert admin._call("POST", "/v1/rentals/suggest", dict, asked)["customerId"] == "maya"
    for body in ({"plan": "dresses"}, {"plan": "dresses", "userId": "maya"}, {**asked, "userId": "bob"}):
        status, _ = local.send("POST", "/v1/rentals/list", json.dumps(body).encode())
        assert status == 403, body
    for path in ("ship", "send", "subscribe", "returns", "copies"):
        assert local.send("POST", f"/v1/rentals/{path}", b"{}")[0] == 403
    admin.close()


def test_who_is_forgotten_takes_their_list_along(hub: Hub) -> None:
    desk = Lending(hub)
    desk.subscribe("maya", "dresses", "large")
    desk.wish("maya", "dresses", ["d1", "d2"])
    desk.copies("d1", count=1)
    [one] = desk.ship("b", 10).rentals
    with hub.group():
        forget(hub.store, hub.vault, hub.nodes("maya"))
    hub.forget("maya")
    assert (desk.inside("d1").out, desk.inside("d2").waiting) == (1, 0)
    assert desk.wishes("maya", "dresses") == ()
    assert desk.ship("b", 10).rentals[0].row.member == ""
    back = desk.back(one.number)
    assert isinstance(back, Rental)
    assert (back.row.state, desk.customer(back)) == ("returned", None)


def test_the_catalog_keeps_what_it_read_and_names_every_mistake() -> None:
    catalog = shop()
    assert from_data(to_data(catalog)).hash == catalog.hash
    assert from_data(to_data(catalog)).rentals == catalog.rentals
    assert tiny_catalog().hash == tiny_catalog(rentals=[]).hash
    small = catalog.rentals[1].tier("small")
    assert small is not None
    assert (small.at_once, small.per_month, small.most_value) == (1, 2, 100.0)
    with pytest.raises(BadCatalog) as caught:
        shop(rentals=[
            {"name": "a", "items": "categry = 'x'", "tiers": [{"name": "t", "at_once": 0}]},
            {"name": "b", "tiers": []}, {"name": "c", "tiers": [{"name": "t", "at_once": 500, "price": -1}]},
            {"name": "d", "tiers": [{"name": "t", "at_once": 1}, {"name": "t", "at_once": 2}], "clen": "1d"},
            {"name": "e"},
        ])  # fmt: skip
    for word in ("did you mean `category`", "1 or more", "`b` has no tiers", "at most 100", "from 0", "duplicate tier",
                 "did you mean `clean`", "has no `tiers`"):  # fmt: skip
        assert word in str(caught.value), word


def test_from_the_command_line(tmp_path: Path) -> None:
    plan = "{name: films, tiers: [{name: one, at_once: 1}]}"
    (tmp_path / "a.yaml").write_text(
        f"currency: EUR\ntime_zone: UTC\nplacements: [{{name: app.home, channel: app}}]\nrentals: [{plan}]\n"
    )
    (tmp_path / "items.csv").write_text("id,title\nf1,Alien\nf2,Heat\n")

    def run(*words: str) -> Any:
        told = CliRunner().invoke(app, [*words, "--dir", str(tmp_path), "--json"], catch_exceptions=False)
        return json.loads(told.stdout)

    run("items", "import", str(tmp_path / "items.csv"))
    assert run("rental", "subscribe", "maya", "films", "one") == {"changed": True}
    assert run("rental", "list", "maya", "films", "--add", "f2", "--add", "f1")["total"] == 2
    assert run("rental", "copies", "f1", "--count", "2")["free"] == 2
    [pick] = run("rental", "ship", "monday")["picks"]
    assert pick["item"] == "f1"
    assert run("rental", "next", "maya", "films")["reason"] == "at_once"
    assert run("rental", "return", str(pick["rental"]))["state"] == "returned"
    assert [line["what"] for line in run("rental", "statement", "maya")["lines"]] == ["subscribed", "sent", "returned"]
    told = CliRunner().invoke(app, ["rental", "next", "maya", "films", "--dir", str(tmp_path)])
    assert told.stdout == "Nothing now: f2: there is no copy of it\n"


def test_the_example_of_the_docs_runs() -> None:
    found = doctest.testfile(str(Path(__file__).parents[2] / "docs" / "rental.md"), module_relative=False)
    assert found.attempted >= 10
    assert not found.failed


def test_an_export_says_what_was_wished_and_rented(hub: Hub, client: Client) -> None:
    hub.ingest({"type": "identify", "userId": "maya", "messageId": "m1", "timestamp": "2026-01-01T00:00:00Z"})
    assert client.export("maya").rentals == []
    client.subscribe_rental("maya", "dresses", "small")
    client.change_rental_list("maya", "dresses", add=["d1"])
    told = client.export("maya").rentals
    assert [one["fact"] for one in told] == ["subscribed", "wished"]
    assert told[1]["items"] == ["d1"]
    assert told[1]["at"].endswith("Z")


def test_nothing_is_suggested_that_is_on_a_long_list_or_at_home(hub: Hub, clock: FakeClock) -> None:
    desk, many = Lending(hub), [f"m{n:04}" for n in range(1_100)]
    with hub.group():
        hub.goods.shelf.put([{"id": item, "price": 5} for item in many], clock.now())
    desk.subscribe("maya", "anything", "one")
    desk.copies("d1", count=1)
    desk.wish("maya", "anything", ["d1", *many])
    desk.ship("b", 1)
    with hub.group():
        while hear(hub):
            pass
    suggested = {one.id for one in desk.suggest("maya", "anything", 100)}
    assert suggested == {"d0", "d2", "d3", "d4", "d5", "d6", "tent"}


def test_a_plan_or_an_item_that_there_is_not_is_named_so(client: Client, hub: Hub) -> None:
    for call in (client.rental_list, client.next_rental, client.suggest_rentals):
        with pytest.raises(NotFound, match="no rental plan 'nosuch'; it has anything, dresses"):
            call("maya", "nosuch")
    with pytest.raises(NotFound, match="no rental plan"):
        client.change_rental_list("newcomer", "nosuch", remove=["d1"])
    assert not hub.nodes("newcomer")
    with pytest.raises(NotFound, match="no item 'nosuch'"):
        client.copies("nosuch")
    assert client.copies("d1").copies == 0


def test_a_pause_that_is_over_is_a_bad_request_and_tells_nothing(
    client: Client, hub: Hub, clock: FakeClock
) -> None:
    client.subscribe_rental("maya", "dresses", "small")
    client.pause_rental("maya", "dresses")
    with pytest.raises(BadRequest, match="resume"):
        client.pause_rental("maya", "dresses", until=to_datetime(clock.now() - DAY))
    assert heard(hub, "maya") == ["Rental Subscribed", "Rental Paused"]


def test_what_is_on_a_list_is_what_was_added_and_neither_removed_nor_sent(hub: Hub) -> None:
    desk = Lending(hub)
    desk.subscribe("maya", "dresses", "large")
    desk.wish("maya", "dresses", ["d1", "d2", "d3"])
    desk.wish("maya", "dresses", remove=["d3"])
    desk.copies("d1", count=1)
    [one] = desk.ship("b", 1).rentals
    desk.back(one.number)
    desk.wish("maya", "dresses", ["d1"])
    [node] = hub.nodes("maya")
    on = {"Product Added to Wishlist": 1, "Product Removed from Wishlist": -1, "Rental Sent": -1}
    told = [e for _, e in hub.events_of(node) if e.event in on and e.properties["wishlist_id"] == "dresses"]
    assert sum(on[e.event or ""] for e in told) == len(desk.wishes("maya", "dresses")) == 2


def test_the_age_is_that_of_the_profile(hub: Hub, clock: FakeClock) -> None:
    desk = Lending(hub)
    with hub.group():
        hub.goods.shelf.put([{"id": "gown", "price": 5, "min_age": 18}], clock.now())
    desk.copies("gown", count=2)
    for name, age in (("kid", 12), ("ana", 30)):
        hub.ingest({"type": "identify", "userId": name, "traits": {"age": age}})
        desk.subscribe(name, "anything", "one")
        desk.wish(name, "anything", ["gown"])
    assert [no.reason for _, no in desk.next("kid", "anything").passed] == ["age"]
    assert desk.next("ana", "anything").item == "gown"
