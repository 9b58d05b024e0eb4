"""What must not be possible: each of these opened a door, or stopped the server, once."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Running
from test_streams import Reader

from opportune.client import Client
from opportune.errors import BadRequest, OpportuneError
from opportune.profiles.consent_events import unproven
from page_house import House

HERO = "app.home.hero"


@pytest.fixture
def browser(running: Running) -> str:
    return running.server.key("write", name="site", scopes=["decide:anonymous"])


def test_a_request_id_is_of_one_customer_and_one_kind_of_id(running: Running, browser: str) -> None:
    user = running.talkative()
    made = running.post("/v1/decide", {"userId": user, "placement": HERO, "requestId": "r"}).json()
    spied = running.post("/v1/decide", {"anonymousId": user, "placement": HERO, "requestId": "r"}, browser).json()
    assert spied["decisionId"] != made["decisionId"]
    one = running.post("/v1/decide", {"userId": f"{user}x", "placement": HERO, "requestId": "a\x1fb"}).json()
    two = running.post("/v1/decide", {"userId": f"{user}x\x1fa", "placement": HERO, "requestId": "b"}).json()
    assert one["decisionId"] != two["decisionId"]


@pytest.mark.parametrize("nobody", ["null", "", "0", "undefined", "-1"])
def test_no_token_is_signed_for_nobody(running: Running, nobody: str) -> None:
    assert running.post("/v1/tokens", {"userId": nobody}).status_code == 400


def test_a_token_opens_its_user_and_no_visitor_beside(running: Running, browser: str) -> None:
    user, other = running.talkative(), running.talkative()
    running.client.ingest({"type": "identify", "userId": other, "anonymousId": f"phone-of-{other}"})
    token = running.client.user_token(user).user_token
    body = {"anonymousId": f"phone-of-{other}", "placement": HERO, "userToken": token}
    made = running.post("/v1/decide", body, browser).json()
    assert running.client.recorded(made["decisionId"]).customer_id == user


@pytest.fixture
def house() -> Iterator[House]:
    house = House(consent={"double_opt_in": ["email"]})
    yield house
    house.close()


CLAIMS = [
    {"method": "double_opt_in"}, {"source": "import", "proof": "crm/7"}, {"consents": [{"method": "Double Opt-In"}]},
]  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS, ids=repr)
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
def test_who_only_has_a_write_key_confirms_nothing(house: House, path: str, claim: dict[str, Any]) -> None:
    said = {"type": "track", "event": " Consent Updated", "timestamp": "never",
            "properties": {"channel": "email", "status": "granted", **claim}}  # fmt: skip
    bought = {"type": "track", "event": "Tea Bought", "properties": {"proof": "of purchase", "method": "double_opt_in"}}

    def sent(kind: str, *calls: dict[str, Any]) -> None:
        key = house.door.keys.new(kind, now=house.clock.now())[0]
        for call in calls:
            body = call if path == "/v1/track" else {"batch": [call]}
            assert house.call("POST", path, json=body, auth=(key, "")).status_code == 200

    good = {name: value for name, value in said.items() if name != "timestamp"}
    for kind, status in (("write", "requested"), ("server", "granted")):
        who = house.customer()
        house.clock.advance(1)
        sent(kind, {**said, "userId": who}, {**good, "userId": who}, {**bought, "userId": who})
        assert house.consents(who)["marketing/email"] == status, kind
        assert house.events(who)[-1].properties == bought["properties"]
    first, last = (letter.raw for _, letter in house.hub.dead_letters.letters())
    assert last["properties"] == good["properties"]
    assert first["properties"] == unproven(last["properties"]), "and it does not when it is taken later, either"


def test_a_stream_ends_with_its_key(running: Running) -> None:
    made = running.admin.new_key("server")
    user = running.talkative()
    reader = Reader(running, f"/v1/customers/{user}/actions?placement={HERO}", str(made.key))
    reader.next()
    running.admin.revoke_key(made.id)
    assert reader.next()["status"] == 401, "the stream says why it ends"
    reader.close()


def test_a_stream_ends_with_the_token_of_its_user(running: Running, browser: str) -> None:
    user = running.talkative()
    token = running.client.user_token(user, "3s").user_token
    path = f"/v1/customers/{user}/actions?placement={HERO}&userToken={token}"
    reader = Reader(running, path, browser)
    assert "actions" in reader.next()
    assert reader.next()["status"] == 400
    reader.close()


def test_the_token_of_a_stream_of_a_channel_is_good(running: Running) -> None:
    user = running.talkative()
    reader = Reader(running, f"/v1/customers/{user}/actions?channel=app")
    told = reader.next()
    reader.close()
    made = running.client.decide(token=told["token"])
    assert [a.action for a in made.actions] == [a["action"] for a in told["actions"]]


def test_secrets_are_not_taken_from_addresses_nor_from_pages(running: Running) -> None:
    assert running.http.get("/v1/status", params={"writeKey": running.server.admin}).status_code == 401
    assert running.http.post("/v1/batch", params={"writeKey": running.key}, json={"batch": []}).status_code == 401
    body, origin = {"userId": "u", "placement": HERO}, {"Origin": "https://evil.example"}
    assert running.post("/v1/decide", body, headers=origin).status_code == 403


def test_only_the_tracking_api_has_a_prefix(running: Running) -> None:
    assert running.http.get("/segment/v1/keys", auth=(running.server.admin, "")).status_code == 404
    assert running.http.get(f"/segment/v1/projects/{running.write}/settings").status_code == 200


def test_files_of_the_machine_are_for_its_own_user(running: Running, tmp_path: Path) -> None:
    admin = running.admin.new_key("admin")
    remote = Client(running.address, str(admin.key))
    with pytest.raises(OpportuneError, match="does not open this"):
        remote.backup(tmp_path / "copy.db")
    with pytest.raises(OpportuneError, match="does not open this"):
        list(remote.import_files([tmp_path / "events.jsonl"]))
    store = running.server.folder / ".opportune"
    for name in ("hub.db-wal", "hub.db", "hub.json", "hub.db-new"):
        with pytest.raises(BadRequest):
            running.admin.backup(store / name)
    with pytest.raises(BadRequest, match="no folder"):
        running.admin.backup(tmp_path / "none" / "copy.db")
    assert not (tmp_path / "none").exists()
    assert running.admin.ready()


def test_a_head_that_never_ends_is_cut_off(running: Running) -> None:
    sent = 0
    with socket.create_connection(("127.0.0.1", running.server.port)) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        with suppress(OSError):
            while sent < 5_000_000:
                wire.sendall(b"X-%d: %s\r\n" % (sent, b"x" * 8_000))
                sent += 8_000
                time.sleep(0.001)
    assert sent < 5_000_000
    assert running.http.get("/healthz").status_code == 200


def test_a_list_of_outcomes_is_bounded(running: Running) -> None:
    one = {"decisionId": "x", "action": "y", "outcome": "z"}
    assert running.post("/v1/outcomes", [one] * 501).status_code == 400


def test_to_ask_about_a_stream_opens_none(running: Running) -> None:
    before = running.admin.status().streams
    url = f"/v1/customers/u/actions?placement={HERO}"
    assert running.http.head(url, auth=(running.key, "")).status_code == 200
    assert running.admin.status().streams == before


def test_who_sent_many_faulty_events_is_forgotten_at_once(running: Running) -> None:
    user = running.customer()
    running.client.ingest({"type": "identify", "userId": user})
    for _ in range(4):
        faulty = [{"type": "track", "userId": user}] * 2_000
        assert running.post("/v1/batch", {"batch": faulty}, running.write).status_code == 200
    before = running.server.computed()
    running.client.forget(user)
    assert running.server.computed() - before < 8


def test_the_client_cuts_what_is_too_large_for_one_batch(running: Running) -> None:
    user = running.customer()
    running.client.ingest(
        {"type": "track", "userId": user, "event": "E", "properties": {"n": n, "text": "x" * 9_000}} for n in range(120)
    )
    assert len(running.client.export(user).events) == 120


def test_two_stores_in_one_folder_are_served_side_by_side(tmp_path: Path) -> None:
    opportune = str(Path(sys.executable).with_name("opportune"))
    subprocess.check_call([opportune, "init", str(tmp_path / "shop")], stdout=subprocess.DEVNULL)
    stores = [f"sqlite:///{tmp_path}/{name}.db" for name in "ab"]
    hubs: list[subprocess.Popen[str]] = []
    try:
        for store in stores:
            command = [opportune, "serve", str(tmp_path / "shop"), "--store", store, "--port", "0", "--json"]
            hubs.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
        one, two = (json.loads(hub.stdout.readline())["address"] for hub in hubs if hub.stdout)
        for store, address, elsewhere in zip(stores, (one, two), (two, one)):
            new = [opportune, "key", "new", "server", "--dir", str(tmp_path / "shop"), "--store", store]
            key = subprocess.check_output(new, text=True).strip()
            assert httpx.post(f"{address}/v1/batch", auth=(key, ""), json={"batch": []}).status_code == 200
            assert httpx.post(f"{elsewhere}/v1/batch", auth=(key, ""), json={"batch": []}).status_code == 401
    finally:
        for hub in hubs:
            hub.terminate()
            hub.wait(20)
    assert not list(tmp_path.glob("*.json")), "each takes its own file along"
