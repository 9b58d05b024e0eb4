"""The tracking plan and the quality of the data through the real door; docs/tracking.md is the catalog."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any, NamedTuple

import httpx
import pytest
import yaml

from opportune.api import quality_at_work
from opportune.api.beside import beside
from opportune.api.keys import Keys
from opportune.api.serving import listen
from opportune.catalog import check, load
from opportune.cli.options import say
from opportune.client import Client
from opportune.clock import DAY
from opportune.hub import Hub
from opportune.testing import FakeClock

PAGE = (Path(__file__).parents[2] / "docs" / "tracking.md").read_text("utf-8")
[PLAN] = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
HUB = """\
currency: EUR
time_zone: UTC
placements: [{name: app.home, channel: app}]
actions:
  - name: hello
    issue: grow
    group: any
    value: 1 + 0.1 * spend_30d
    outcomes: {positive: [accept], negative: [reject], window: 7d}
    treatments: [{name: card, channel: app, placements: [app.*], content: {title: hello}}]
"""


class Door(NamedTuple):
    """A served hub: plain HTTP, and the keys of a source and of an app."""

    http: httpx.Client
    hub: Hub
    web: str
    server: str
    admin: str

    def batch(self, *items: dict[str, Any], key: str = "") -> None:
        answer = self.http.post("/v1/batch", json={"batch": list(items)}, auth=(key or self.web, ""))
        assert answer.status_code == 200

    def get(self, path: str, key: str) -> Any:
        answer = self.http.get(path, auth=(key, ""))
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    (tmp_path / "hub.yaml").write_text(HUB, "utf-8")
    (tmp_path / "events.yaml").write_text(PLAN, "utf-8")
    assert [problem for problem in check(tmp_path) if not problem.warning] == []
    with Hub.open(tmp_path, "memory:") as hub:
        made = Keys(hub.store)
        web, app = (made.new(kind, hub.clock.now(), name)[0] for kind, name in (("write", "web"), ("server", "app")))
        with beside(hub, listen("127.0.0.1", 0), tmp_path) as (address, secret), httpx.Client(base_url=address) as http:
            yield Door(http, hub, web, app, secret)


def order(number: int, **properties: Any) -> dict[str, Any]:
    properties = {"revenue": 39.9, "order_id": str(number), "currency": "EUR", **properties}
    return {"type": "track", "event": "Order Completed", "userId": f"u{number % 5}", "messageId": f"order-{number}",
            "properties": {key: value for key, value in properties.items() if value is not None}}  # fmt: skip


def test_events_of_every_form_are_held_against_the_plan(door: Door) -> None:
    door.batch(
        *(order(n) for n in range(10)),
        order(10, revenue="39.90"), order(11, revenue="39,90"), order(12, revenue=None), order(13, currency="DEM"),
        order(14, products=[{"sku": "TEA-1", "price": "2.5"}, {"sku": "tea"}]), order(15, coupon="SPRING"),
        {"type": "identify", "userId": "u1", "messageId": "i1",
         "traits": {"email": "nobody", "country": "Germany", "age": "30", "plan": "gold"}},
        {"type": "page", "userId": "u1", "name": "home", "properties": {"url": "https://x.example/", "utm": "mail"}},
        {"type": "screen", "anonymousId": "v1", "name": "start"},
        {"type": "track", "event": "Plan Cancelled", "userId": "u1", "messageId": "c1"},
        {"type": "track", "event": "Plan Canceled", "userId": "u1", "properties": {"reason": "price"}},
        {"type": "group", "userId": "u1", "groupId": "g1"},
        {"type": "alias", "userId": "u1", "previousId": "v2"},
    )  # fmt: skip
    single = {"userId": "u1", "event": "Order Completed", "properties": {"revenue": "12", "order_id": "x"}}
    assert door.http.post("/v1/track", json=single, auth=(door.web, "")).status_code == 200
    door.batch({**order(99), "type": "track"}, key=door.server)  # the key `app` is no planned source

    found = door.get("/v1/tracking-plan", door.admin)
    [completed, cancelled] = found["planned"]
    assert (completed["event"], completed["seen"], completed["owner"]) == ("Order Completed", 18, "ana")
    assert completed["sources"] == {"app": 1, "web": 17}
    assert (cancelled["event"], cancelled["seen"], found["neverSeen"]) == ("Plan Cancelled", 1, [])
    assert [one["event"] for one in found["unplanned"]] == ["Plan Canceled"]
    assert [(one["event"], one["field"]) for one in found["unplannedProperties"]] == [("Order Completed", "coupon")]
    told = {(one["source"], one["event"], one["field"], one["kind"]): one for one in found["violations"]}
    assert {key[1:]: one["count"] for key, one in told.items() if key[0] == "web"} == {
        ("Identify", "age", "type"): 1, ("Identify", "country", "format"): 1, ("Identify", "email", "format"): 1,
        ("Order Completed", "currency", "enum"): 1, ("Order Completed", "products[].sku", "pattern"): 1,
        ("Order Completed", "revenue", "required"): 1, ("Order Completed", "revenue", "type"): 1,
        ("Plan Cancelled", "reason", "required"): 1,
    }  # fmt: skip
    assert told["app", "Order Completed", "", "source"]["count"] == 1
    assert told["web", "Order Completed", "revenue", "type"]["samples"] == ["order-11"]
    assert told["web", "Plan Cancelled", "reason", "required"]["samples"] == ["c1"]
    assert {(one["field"], one["count"]) for one in found["cast"]} == {("revenue", 2), ("products[].price", 1)}
    assert not any(one["samples"] for one in door.get("/v1/tracking-plan", door.server)["violations"])
    assert door.http.get("/v1/tracking-plan", auth=(door.web, "")).status_code == 403

    [letter] = [letter for _, letter in door.hub.dead_letters.letters()]
    assert (letter.reason, letter.source) == ("off_plan", "web")
    assert door.hub.profile("u0").values["spend_30d"] == pytest.approx(4 * 39.9)  # orders 0, 5, 10 (cast) and 15


def test_the_score_is_made_and_shown(door: Door) -> None:
    door.batch(*(order(n, revenue="x" if n < 3 else 1) for n in range(30)),
               {"type": "identify", "userId": "u1", "traits": {"email": "u1@x.example"}},
               {"type": "identify", "userId": "u2", "traits": {"email": "U1@x.example"}})  # fmt: skip
    assert door.get("/v1/quality", door.server)["score"] is None
    assert door.http.post("/v1/quality", json={}, auth=(door.server, "")).status_code == 403
    answer = door.http.post("/v1/quality", json={}, auth=(door.admin, ""))
    assert answer.status_code == 200, answer.text
    found = door.get("/v1/quality?days=7", door.server)
    assert 0.5 < found["score"] < 1
    assert found["interval"] == [found["score"], found["score"]]
    assert found["kinds"]["validity"]["faults"] == 3
    assert {"web", ""} <= set(found["sources"])
    faults = {(one["field"], one["what"]): one for one in found["faults"]}
    assert faults["revenue", "type"]["owner"] == "ana"
    assert faults["email", "also of another customer"]["faults"] == 1
    assert faults["email", "missing"]["faults"] == 3
    assert not any(one["samples"] for one in found["faults"])
    open_ = {(one["field"], one["what"]): one["samples"] for one in door.get("/v1/quality", door.admin)["faults"]}
    assert open_["email", "also of another customer"] == ["u2"]
    assert set(open_["revenue", "type"]) == {"order-0", "order-1", "order-2"}
    for query in ("days=0", "days=x", "days=99999999999"):
        assert door.http.get(f"/v1/quality?{query}", auth=(door.admin, "")).status_code == 400
    for day in ("yesterday", "2019-01-01", "2999-01-01"):
        assert door.http.post("/v1/quality", json={"day": day}, auth=(door.admin, "")).status_code == 400


def test_what_is_suggested_can_be_pasted(door: Door, tmp_path: Path) -> None:
    items = [{"type": "track", "event": "Tea Bought", "userId": f"t{n}", "messageId": f"t{n}",
              "properties": {"cups": n % 7, "kind": ("green", "black")[n % 2], "note": f"note {n}", "at": "2026-01-31",
                             **({"gift": True} if n % 3 else {}), "price": n + 0.5 if n % 2 else n}}
             for n in range(120)]  # fmt: skip
    door.batch(*items, {"type": "track", "event": "No Properties", "userId": "t1"})
    client = Client(str(door.http.base_url), door.server)
    made = client.suggested_plan()
    assert yaml.safe_load(made.yaml) == {"events": made.events}
    [nothing, tea] = made.events
    assert nothing["name"] == "No Properties"
    assert tea["schema"]["properties"] == {
        "at": {"type": "string", "format": "date"}, "cups": {"type": "integer", "minimum": 0},
        "gift": {"type": "boolean"}, "kind": {"type": "string", "enum": ["black", "green"]}, "note": {"type": "string"},
        "price": {"type": "number", "minimum": 0},
    }  # fmt: skip
    assert tea["required"] == ["at", "cups", "kind", "note", "price"]
    (tmp_path / "more.yaml").write_text(made.yaml, "utf-8")
    assert [problem for problem in check(tmp_path) if not problem.warning] == []
    assert door.hub.publish(load(tmp_path))
    door.batch(*({**item, "messageId": f"again {item['messageId']}"} for item in items))
    found = client.tracking_plan()
    assert not [one for one in found["violations"] if one["event"] == "Tea Bought"]
    assert client.suggested_plan().events == []


def test_the_command_line_asks_the_hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from opportune.cli.customers import import_
    from opportune.cli.quality import plan, quality

    (tmp_path / "hub.yaml").write_text(HUB, "utf-8")
    (tmp_path / "events.yaml").write_text(PLAN, "utf-8")
    rows = [order(n, revenue="x" if n < 3 else 1) for n in range(9)]
    rows += [{"type": "track", "event": "Plan Cancelled", "userId": "u1"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    import_([tmp_path / "rows.jsonl"], source="shop", dir=str(tmp_path), json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["taken"], told["duplicates"], told["rejected"]) == (9, 0, 1)
    quality(dir=str(tmp_path))
    assert "no day was scored yet" in capsys.readouterr().out
    quality(now=True, dir=str(tmp_path))
    shown = capsys.readouterr().out
    assert "shop / Order Completed / revenue: send the planned type" in shown
    quality(dir=str(tmp_path), json=True)
    assert json.loads(capsys.readouterr().out)["kinds"]["validity"]["faults"] == 3
    plan(dir=str(tmp_path))
    shown = capsys.readouterr().out
    assert re.search(r"Order Completed +9 +shop", shown)
    assert "3  shop / Order Completed / revenue / type" in shown
    plan(suggest=True, dir=str(tmp_path))
    assert yaml.safe_load(capsys.readouterr().out) == {"events": []}


def test_a_server_scores_each_day_once_it_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality_at_work.QualityAtWork, "every", 0.02)
    (tmp_path / "hub.yaml").write_text(HUB + PLAN, "utf-8")
    clock = FakeClock()
    with Hub.of(load(tmp_path), "memory:", clock) as hub:
        hub.ingest([order(n, revenue="x") for n in range(5)], "shop")
        clock.advance(DAY)
        with beside(hub, listen("127.0.0.1", 0)) as (address, secret):
            client = Client(address, secret)
            for _ in range(500):
                found = client.quality()
                if found["days"]:
                    break
                sleep(0.02)
        assert (found["day"], found["kinds"]["validity"]["faults"]) == ("2026-01-01", 5)


def test_names_that_anybody_sends_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say(False, {}, "an\x1b[31mred\x9bm\r\ttea\nnext \N{TEACUP WITHOUT HANDLE}")
    assert capsys.readouterr().out == "an\ufffd[31mred\ufffdm\ufffd\ttea\nnext \N{TEACUP WITHOUT HANDLE}\n"
