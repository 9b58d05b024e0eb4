"""Items over HTTP and on the command line, in one process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from opportune.api.local import Local
from opportune.catalog import check
from opportune.cli import app
from opportune.client import Client
from opportune.errors import BadCatalog, BadInput, BadRequest, NotFound
from opportune.hub import Hub
from opportune.testing import FakeClock, tiny_action, tiny_catalog


@pytest.fixture
def client() -> Iterator[Client]:
    client = door(explore=0)
    yield client
    client.close()


def door(explore: float) -> Client:
    """Return the client of a hub whose ids and clock are always the same."""
    hub = Hub.of(tiny_catalog(shelf={"explore": explore}), clock=FakeClock())
    return Client("", "", Local(hub, Path(), ""))


def event(who: str, name: str, item: str, number: int, **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": name, "userId": who, "messageId": f"{who}-{number}-{item}",
            "properties": {"product_id": item, **more}}  # fmt: skip


def test_items_are_kept_listed_and_recommended_by_the_last_event(client: Client) -> None:
    rows = [{"id": f"{c}-{k}", "title": f"{c} {k}", "categories": [c]} for c in ("tea", "pie") for k in range(6)]
    assert client.put_items(rows).items == 12
    assert [one["id"] for one in client.items(limit=2).items] == ["pie-0", "pie-1"]
    assert client.items(after="pie-1", limit=10).next is None
    client.ingest([event(f"c{k}", "Order Completed", f"{c}-{n}", n) for k in range(30) for n in range(3)
                   for c in [("tea", "pie")[k % 2]]])  # fmt: skip
    state = client.train_shelf()
    assert (state.items, state.touches) == (12, 90)
    assert state.trained is not None
    assert client.shelf() == state
    client.ingest(event("maya", "Product Viewed", "tea-1", 1))
    found = client.recommend("maya", n=3)
    assert found.items[0].id.startswith("tea")
    assert "tea 1" in found.items[0].reason
    client.ingest(event("maya", "Product Viewed", "pie-1", 2))
    assert client.recommend("maya", n=1).items[0].id.startswith("pie")
    bought = client.recommend("maya", n=12).items
    client.ingest(event("maya", "Order Completed", bought[0].id, 3))
    assert bought[0].id not in {one.id for one in client.recommend("maya", n=12).items}
    only = client.recommend("maya", n=12, of="category = 'tea' AND id <> 'tea-0'").items
    assert {one.id for one in only} <= {f"tea-{k}" for k in range(1, 6)}
    assert client.remove_item("tea-5")
    assert not client.remove_item("tea-5")
    one, other = (client.recommend("maya", n=5, peek=True).items for _ in range(2))
    assert one == other


def test_what_makes_no_sense_is_refused_with_the_cure(client: Client) -> None:
    with pytest.raises(BadRequest, match="name a customer"):
        client.recommend()
    with pytest.raises(BadRequest, match="n is 0"):
        client.recommend("maya", n=0)
    with pytest.raises(BadRequest, match="catgory"):
        client.recommend("maya", of="catgory = 'tea'")
    with pytest.raises(BadInput, match="item 'a': price"):
        client.put_items([{"id": "b"}, {"id": "a", "price": "cheap"}])
    assert client.items().items == []
    with pytest.raises(NotFound):
        client._call("GET", "/v1/items/none", dict)


def test_a_visitor_is_themselves_once_they_sign_in(client: Client) -> None:
    client.put_items([{"id": f"{c}-{k}", "categories": [c]} for c in ("horror", "art") for k in range(5)])
    client.ingest({"type": "track", "event": "Product Viewed", "anonymousId": "v", "messageId": "1",
                   "properties": {"product_id": "art-1"}})  # fmt: skip
    client.ingest({"type": "identify", "userId": "maya", "anonymousId": "v", "messageId": "2"})
    assert client.train_shelf().items == 10
    found = client.recommend("maya", n=4).items
    assert {one.id.partition("-")[0] for one in found} == {"art"}
    assert {one.reason for one in found if one.id == "art-1"} == {"because you looked at it"}
    assert all("art-1" in one.reason for one in found if one.id != "art-1")
    assert not any(one.explored for one in found)


def test_one_answer_in_twenty_ends_with_something_new_and_says_so() -> None:
    client = door(explore=0.05)
    client.put_items([{"id": f"{c}-{k}", "categories": [c]} for c in ("horror", "art") for k in range(5)])
    client.ingest(event("maya", "Product Viewed", "art-1", 1))
    client.train_shelf()
    answers, explored = 600, 0
    for _ in range(answers):
        *learned, last = client.recommend("maya", n=3).items
        assert all(one.id.startswith("art") and not one.explored and one.probability == 1 for one in learned)
        assert (last.reason == "new") == last.explored
        assert last.explored or (last.id.startswith("art") and last.probability == pytest.approx(0.95))
        explored += last.explored
    spread = (answers * 0.05 * 0.95) ** 0.5
    assert abs(explored - answers * 0.05) < 4 * spread
    assert not any(one.explored for _ in range(3) for one in client.recommend("maya", n=3, of="id = 'art-1'").items)
    client.close()


def test_the_catalog_reads_the_shelf_and_the_items_of_treatments(tmp_path: Path) -> None:
    treatment = {**tiny_action("x")["treatments"][0], "items": {"n": 3, "of": "category = 'horror'"}}
    catalog = tiny_catalog(actions=[tiny_action("x", treatments=[treatment])])
    items = catalog.actions[0].treatments[0].items
    assert items is not None
    assert (items.n, str(items.of and items.of.canonical)) == (3, "category = 'horror'")
    (tmp_path / "a.yaml").write_text(
        "currency: EUR\ntime_zone: UTC\nshelf:\n  feedback: {view: {weight: 1}}\n  events: {Played: loved}\n"
        "  never:\n    - {name: wine, items: categry = 'wine', unless: age > 18}\n  histroy: 3\n"
    )
    told = "\n".join(map(str, check(tmp_path)))
    for word in ("a.yaml:4:14: unknown feedback `view`", "`Played` is no feedback as `loved`",
                 "did you mean `category`", "unknown name `age`", "did you mean `history`"):  # fmt: skip
        assert word in told
    with pytest.raises(BadCatalog, match="at most 50"):
        tiny_catalog(actions=[tiny_action("x", treatments=[{**treatment, "items": {"n": 99}}])])


def test_the_command_line_imports_recommends_and_evaluates(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("currency: EUR\ntime_zone: UTC\nplacements: [{name: app.home, channel: app}]\n")
    items = tmp_path / "items.csv"
    items.write_text("id,title,categories,price\na,Dracula,horror|classics,9.9\nb,Emma,classics,7\n")
    run = CliRunner().invoke
    told = run(app, ["items", "import", str(items), "--dir", str(tmp_path), "--json"])
    assert json.loads(told.stdout) == {"taken": 2, "items": 2}
    found = json.loads(run(app, ["recommend", "--anonymous", "v", "--like", "horror", "--purpose", "gift", "--json",
                                 "--dir", str(tmp_path)]).stdout)  # fmt: skip
    assert {one["id"] for one in found["items"]} == {"a", "b"}
    log = tmp_path / "log.csv"
    log.write_text("who,what\n" + "".join(f"{u},{(u + k) % 7}\n" for u in range(60) for k in range(5)))
    judged = json.loads(run(app, ["recommend", "--evaluate", str(log), "--user", "who", "--item", "what", "--n", "2",
                                  "--json"]).stdout)  # fmt: skip
    assert judged["users"] == 60
    assert judged["hit_rate"] > judged["popularity"]
