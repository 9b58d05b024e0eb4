"""Coupons and points over HTTP and from the command line: what is told when, and to whom."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from opportune.client import Client
from opportune.errors import NotFound, Stale
from serving import Server

CATALOG = """\
currency: EUR
time_zone: Europe/Berlin
placements: [{name: app.home, channel: app}]
actions:
  - name: hello
    issue: grow
    group: any
    campaign: always
    owner: ana
    value: 1
    benefit: Something for you
    outcomes: {positive: [accept], negative: [reject], window: 7d}
    treatments: [{name: card, channel: app, placements: [app.*], content: {title: Hi}}]
coupons:
  - {name: spring, value: 10, minimum: 30, valid: 30d, budget: 100, prefix: SPR}
  - {name: books, kind: shared, code: READ-MORE, percent: 10, for: {category: books}}
loyalty: {earn: [{event: Order Completed, per: revenue}], tiers: [{name: silver, at: 100}], expire: 365d}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("offers") / "shop"
    folder.mkdir()
    (folder / "hub.yaml").write_text(CATALOG, "utf-8")
    with Server(folder) as server:
        yield server


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return server.key("server")


def post(server: Server, key: str, path: str, body: Any) -> httpx.Response:
    return httpx.post(server.address + path, json=body, auth=(key, ""), timeout=20, trust_env=False)


def test_items_that_come_to_more_than_any_order_are_refused(server: Server, key: str) -> None:
    line = {"price": 1e9, "quantity": 1_000_000, "properties": {"category": "books"}}
    for path in ("redeem", "release"):
        asked = {"code": "READ-MORE", "orderId": "huge", "items": [line]}
        answer = post(server, key, f"/v1/coupons/{path}", asked)
        assert answer.status_code == 400
        assert "1e+15" in answer.json()["detail"]


def test_a_shop_redeems_and_releases_and_hears_why_not(server: Server, key: str) -> None:
    with Client(server.address, key) as client:
        code = client.issue_coupon("spring", "maya", "complaint-7").code
        assert client.redeem(code, "o1", "maya", 80, peek=True).discount == 10
        assert client.redeem(code, "o1", "maya", 80).again is False
        again = client.redeem(code, "o1", "maya", 80)
        assert (again.discount, again.currency, again.again) == (10, "EUR", True)
        with pytest.raises(Stale, match="used already"):
            client.redeem(code, "o2", "maya", 80)
        assert client.release_coupon(code, "o1").returned
        with pytest.raises(Stale, match="for orders of 30"):
            client.redeem(code, "o2", "maya", 29)
        with pytest.raises(NotFound, match="no such code"):
            client.redeem("SPR", "o2")
        items = [{"price": 12.5, "quantity": 2, "properties": {"category": "books"}}, {"price": 100}]
        assert client.redeem("read more", "o3", items=items).discount == 2.5
        assert [c.state for c in client.codes_of("maya")] == ["open"]
    refused = post(server, key, "/v1/coupons/redeem", {"code": code, "orderId": "o2", "amount": 29})
    assert (refused.status_code, refused.json()["code"]) == (409, "coupon-minimum")
    assert refused.headers["content-type"] == "application/problem+json"
    prices = {"items": [{"price": 1e300}]}
    for wrong in ({"amount": -1}, {"orderId": ""}, {"userId": "null"}, prices, {"code": "x" * 300}):
        assert post(server, key, "/v1/coupons/redeem", {"code": code, "orderId": "o", **wrong}).status_code == 400
    for path in ("/v1/coupons/redeem", "/v1/coupons/spring/issue", "/v1/points/spend"):
        assert post(server, server.key("write"), path, {}).status_code == 403, "a browser redeems nothing"


def test_a_guesser_waits(server: Server, key: str) -> None:
    guesses = [{"code": f"GUESS{n}", "orderId": "o", "userId": "eve"} for n in range(12)]
    answers = [post(server, key, "/v1/coupons/redeem", guess) for guess in guesses]
    assert [a.status_code for a in answers] == [404] * 10 + [429] * 2
    assert answers[-1].json()["code"] == "coupon-tries"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 3600


def test_points_are_earned_spent_and_stated(server: Server, key: str) -> None:
    with Client(server.address, key) as client:
        order = {"order_id": "p1", "revenue": 120.5}
        client.ingest({"type": "track", "event": "Order Completed", "userId": "zoe", "properties": order})
        assert (client.points("zoe").points, client.points("zoe").tier) == (120, "silver")
        assert client.spend_points("zoe", 100, "s1").balance == 20
        assert client.spend_points("zoe", 100, "s1").again
        with pytest.raises(Stale, match="80 too few"):
            client.spend_points("zoe", 100, "s2")
        assert client.reverse_points("zoe", "earned", "p1", "r1").points == 20
        lines = client.statement("zoe")
        assert [(line.kind, line.points, line.balance) for line in lines] == [
            ("earned", 120, 120), ("spent", -100, 20), ("unearned", -20, 0),
        ]  # fmt: skip
        assert client.statement("zoe", after=lines[0].number, limit=1) == lines[1:2]
        with pytest.raises(NotFound):
            client.points("nobody at all")


def test_codes_are_printed_from_the_command_line(server: Server, tmp_path: Path) -> None:
    def run(*words: str) -> Any:
        command = [str(Path(sys.executable).with_name("opportune")), *words, "--dir", str(server.folder), "--json"]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    out = tmp_path / "codes.txt"
    assert run("coupon", "new", "spring", "--count", "5", "--out", str(out))["codes"] == []
    codes = out.read_text().split()
    assert len({*codes}) == 5
    assert out.stat().st_mode & 0o777 == 0o600
    assert run("coupon", "redeem", codes[0].lower(), "--order", "c1", "--amount", "50")["discount"] == 10
    [spring] = [c for c in run("coupon", "list")["coupons"] if c["name"] == "spring"]
    assert (spring["redeemed"], spring["spent"]) == (1, 10)
