"""Configurable products over HTTP and from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from shop import documented

from opportune.api.beside import beside
from opportune.api.serving import listen
from opportune.catalog import from_data
from opportune.client import Client
from opportune.configure.bench import THREADS
from opportune.errors import BadRequest, NotFound, Stale
from opportune.hub import Hub
from opportune.services.workshop import BROWSERS, Workshop
from serving import Server

MORE = {
    "traits": [{"name": "keyboard", "type": "text"}, {"name": "foot_mm", "type": "number"}],
    "loyalty": {"earn": [{"event": "Order Completed", "per": "revenue"}]},
    "products": documented(),
    "currency": "EUR", "time_zone": "UTC", "placements": [{"name": "app.home", "channel": "app"}],
    "actions": [{
        "name": "hello", "issue": "grow", "group": "any", "campaign": "a", "owner": "a", "benefit": "b",
        "outcomes": {"positive": ["accept"], "window": "7d"},
        "treatments": [{"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": "Hi"}}],
    }],
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("configure") / "shop"
    folder.mkdir()
    (folder / "hub.yaml").write_text(yaml.safe_dump(MORE), "utf-8")
    with Server(folder) as server:
        yield server


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return server.key("server")


def post(server: Server, key: str, path: str, body: Any) -> httpx.Response:
    return httpx.post(server.address + path, json=body, auth=(key, ""), timeout=20, trust_env=False)


def test_a_form_is_filled_saved_shared_and_ordered(server: Server, key: str) -> None:
    with Client(server.address, key) as client:
        assert [p.name for p in client.products()] == ["bundle", "computer", "shoe"]
        start = client.configure("shoe")
        assert start.missing == ["foot", "size", "upper", "color", "sole", "laces"]
        assert start.price.lowest == 80
        found = client.configure("shoe", {"foot": 255, "upper": "leather", "color": "gold"}, "maya", complete=True)
        assert found.complete
        assert found.choices["size"] == 41
        made = client.save_configuration("shoe", found.choices, "maya")
        assert "foot" not in made.choices
        assert client.configuration(made.id) == made
        wrong = client.configure("shoe", {"upper": "suede", "color": "gold"}, keep=["upper"])
        assert wrong.repair is not None
        assert [c.option for c in wrong.repair.changes] == ["color"]
        with pytest.raises(BadRequest, match="not everything is chosen"):
            client.order_configuration(made.id, "o1", "noah")
        done = client.order_configuration(made.id, "o1", "noah", {"foot": 280, "size": 44})
        assert (done.credited, done.points, done.again) == (True, 50, False)
        assert client.order_configuration(made.id, "o1", "noah", {"foot": 280, "size": 44}).again
        with pytest.raises(Stale, match="longer than the foot"):
            client.order_configuration(made.id, "o2", "noah", {"foot": 280, "size": 36})
        with pytest.raises(BadRequest, match="gold"):
            client.save_configuration("shoe", {"upper": "suede", "color": "gold"}, "maya")
        with pytest.raises(NotFound):
            client.configuration("A" * 22)
        assert [(d.id, d.orders) for d in client.configurations_of("maya")] == [(made.id, 1)]
        assert client.points("maya").points == 50


def test_a_browser_asks_for_itself_alone(server: Server, key: str) -> None:
    browser = server.key("write", scopes=["decide:anonymous"])
    ask = "/v1/products/computer/complete"
    assert post(server, browser, "/v1/products/computer/check", {"choices": {"screen": 13}}).status_code == 200
    assert post(server, browser, ask, {"anonymousId": "visitor", "tell": True}).status_code == 200
    named = post(server, browser, ask, {"userId": "maya"})
    assert (named.status_code, named.json()["code"]) == (403, "user-token-needed")
    with Client(server.address, key) as client:
        token = client.user_token("maya").user_token
    assert post(server, browser, ask, {"userToken": token}).status_code == 200
    save = {"product": "shoe", "choices": {}, "userId": "maya"}
    assert post(server, browser, "/v1/configurations", save).status_code == 403
    assert post(server, server.key("write"), ask, {}).status_code == 403, "without the scope"


def test_a_design_is_taken_back_by_its_designer_alone(server: Server, key: str) -> None:
    browser = server.key("write", scopes=["decide:anonymous"])

    def delete(with_: str, id: str, **query: str) -> tuple[int, str]:
        path = f"{server.address}/v1/configurations/{id}"
        answer = httpx.delete(path, params=query, auth=(with_, ""), timeout=20, trust_env=False)
        return answer.status_code, answer.json().get("code", "")

    with Client(server.address, key) as client:
        mine, other = (client.save_configuration("shoe", {"color": color}, "olga").id for color in ("red", "white"))
        with pytest.raises(NotFound, match="only its designer"):
            client.remove_configuration(mine, "pia")
        assert delete(key, mine) == (400, "bad-request")
        assert delete(browser, mine, userId="olga") == (403, "user-token-needed")
        token, pias = client.user_token("olga").user_token, client.user_token("pia").user_token
        assert delete(browser, mine, userToken=pias) == (404, "not-found")
        assert delete(browser, mine, userToken=pias, userId="olga") == (403, "wrong-user")
        assert delete(browser, mine, userToken=token) == (200, "")
        client.remove_configuration(other, "olga")
        assert client.configurations_of("olga") == []
        for gone in (mine, other):
            with pytest.raises(NotFound, match="no such configuration"):
                client.configuration(gone)


def test_browsers_that_ask_without_end_hold_up_no_order() -> None:
    hub, blocked = Hub.of(from_data(MORE)), threading.Event()
    workshop = Workshop(hub)
    with (
        beside(hub, listen("127.0.0.1", 0)) as (address, secret),
        Client(address, secret) as client,
        ThreadPoolExecutor(60) as browsers,
    ):
        made = client.new_key("write", scopes=["decide:anonymous"], rate=0)
        key, body = str(made.key), {"choices": {"screen": 13}}

        def check() -> httpx.Response:
            path = f"{address}/v1/products/computer/check"
            return httpx.post(path, json=body, auth=(key, ""), timeout=60, trust_env=False)

        held = [workshop.browsers.threads.submit(blocked.wait, 60) for _ in range(THREADS)]
        try:
            answers = [browsers.submit(check) for _ in range(60)]
            end = time.monotonic() + 30
            while sum(answer.done() for answer in answers) < 60 - BROWSERS and time.monotonic() < end:
                time.sleep(0.02)
            refused = [answer.result() for answer in answers if answer.done()]
            assert [answer.status_code for answer in refused] == [429] * (60 - BROWSERS)
            assert refused[0].headers["retry-after"] == "1"
            id = client.save_configuration("computer", {"screen": 13}, "ana").id
            whole = client.configure("computer", {"screen": 13, "keyboard": "de"}, complete=True).choices
            rest = {name: value for name, value in whole.items() if name != "screen"}
            assert client.order_configuration(id, "o1", "ben", rest).choices == whole
            with pytest.raises(NotFound):
                client.configuration("nope")
        finally:
            blocked.set()
        assert [answer.result().status_code for answer in answers if answer.result() not in refused] == [200] * BROWSERS
        assert all(one.result() for one in held)
    hub.close()


@pytest.mark.parametrize(("path", "body", "status", "field"), [
    ("/v1/products/car/check", {}, 404, ""),
    ("/v1/products/shoe/check", {"choices": {"colr": "red"}}, 400, "choices.colr"),
    ("/v1/products/shoe/check", {"choices": {"color": {"a": 1}}}, 400, "choices[...]"),
    ("/v1/products/shoe/check", {"choices": []}, 400, "choices"),
    ("/v1/products/shoe/check", {"chosen": {}}, 400, "chosen"),
    ("/v1/products/shoe/check", {"choices": {"foot": 1e400}}, 400, "choices[...]"),
    ("/v1/products/shoe/check", {"configuration": "nope"}, 404, ""),
    ("/v1/products/shoe/check", {"tell": True}, 400, "userId"),
    ("/v1/configurations", {"product": "shoe", "choices": {}, "userId": "null"}, 400, "userId"),
    ("/v1/configurations/nope/order", {"userId": "maya", "orderId": "1"}, 404, ""),
])  # fmt: skip
def test_what_is_wrong_is_said(server: Server, key: str, path: str, body: Any, status: int, field: str) -> None:
    content = json.dumps(body).replace("Infinity", "1e400")
    answer = httpx.post(server.address + path, content=content, auth=(key, ""), timeout=20, trust_env=False)
    assert answer.status_code == status, answer.text
    assert answer.json().get("field", "") == field


def test_the_command_line_puts_products_together(server: Server) -> None:
    command = [str(Path(sys.executable).with_name("opportune")), "configure"]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words, "--dir", str(server.folder)], capture_output=True, text=True, timeout=60
        )

    assert "computer" in run().stdout
    text = run("computer", "screen=16", "lit=yes", "years=4", "battery=small").stdout
    assert "Conflict: A 16-inch screen needs the large battery (chosen: Screen: 16 inch, Battery: small)" in text
    assert "Nearest choice that is possible: Battery small -> large" in text
    assert "Long service" in text
    found = json.loads(run("computer", "screen=16", "--complete", "--json").stdout)
    assert found["choices"]["battery"] == "large"
    with Client(server.address, server.admin) as client:
        made = client.save_configuration("shoe", {"color": "red"}, "quinn")
    assert "is taken back" in run("--remove", made.id, "--customer", "quinn").stdout
    for words in (("computer", "screen"), ("computer", "screen=17"), ("--remove", made.id)):
        wrong = run(*words)
        assert wrong.returncode == 2
        assert wrong.stderr.strip()
