"""The tracking API: every line of the wire contract that clients of Segment's family rely on."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from running import Running

TRACK = {"type": "track", "event": "Tea Bought"}
SINGLE = ["identify", "i", "track", "t", "page", "p", "screen", "s", "group", "g", "alias", "a"]


def event(user: str, number: int = 0, **more: Any) -> dict[str, Any]:
    return {**TRACK, "userId": user, "messageId": f"{user}-{number}", **more}


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("prefix", ["", "/segment"])
@pytest.mark.parametrize("word", ["batch", "import", "b"])
def test_batches_are_taken_at_every_path(running: Running, word: str, prefix: str, slash: str) -> None:
    before, user = running.stored(), running.customer()
    answer = running.post(f"{prefix}/v1/{word}{slash}", {"batch": [event(user), event(user, 1)]}, running.write)
    assert (answer.status_code, answer.content) == (200, b'{"success":true}')
    assert not answer.history
    assert running.stored() == before + 2


@pytest.mark.parametrize("word", SINGLE)
def test_single_events_are_of_the_type_of_their_path(running: Running, word: str) -> None:
    user = running.customer()
    body = {"userId": user, "event": "Tea Bought", "groupId": "g1", "previousId": f"old-{user}", "name": "home"}
    for path in (f"/v1/{word}", f"/segment/v1/{word}/"):
        answer = running.post(path, body, running.write)
        assert (answer.status_code, answer.content) == (200, b'{"success":true}')
    found = running.client.export(user).events
    kinds = {
        kind for kind in ("identify", "track", "page", "screen", "group", "alias") if kind[0] == word or kind == word
    }
    assert [e["type"] for e in found] == [next(iter(kinds))] * 2


def test_a_key_may_be_in_many_places_and_basic_wins(running: Running) -> None:
    body = {"batch": [], "writeKey": running.write}
    post = running.http.post
    assert post("/v1/batch", json=body).status_code == 200
    assert post("/v1/batch?writeKey=" + running.write, json={"batch": []}).status_code == 200
    assert post("/v1/batch", json=body, headers={"Authorization": "Bearer some-oauth-token"}).status_code == 200
    assert post("/v1/batch", json={"batch": []}, auth=(running.write, "any password")).status_code == 200
    bare = "Basic " + __import__("base64").b64encode(running.write.encode()).decode().rstrip("=")
    assert post("/v1/batch", json={"batch": []}, headers={"Authorization": bare}).status_code == 200
    assert post("/v1/batch", json=body, auth=("opw_wrong", "")).status_code == 401, "Basic goes before the body"


@pytest.mark.parametrize("key", [None, "opw_unknown", "ключ", "x" * 5000, "\ud800"])
def test_without_a_known_key_nothing_is_taken(running: Running, key: str | None) -> None:
    body = {"batch": [event("nobody")], **({"writeKey": key} if key else {})}
    answer = running.http.post("/v1/batch", content=json.dumps(body))
    told = answer.json()
    assert answer.status_code == 401
    assert told["success"] is False
    assert all(isinstance(told[name], str) and told[name] for name in ("code", "message", "error"))


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8", None]
)
@pytest.mark.parametrize("packed", [False, True])
def test_content_types_do_not_matter_and_gzip_does(running: Running, media: str | None, packed: bool) -> None:
    user = running.customer()
    content = json.dumps({"batch": [event(user, unicode="žluťoučký 🐎")]}).encode()
    headers = {"Content-Type": media} if media else {}
    if packed:
        content, headers["Content-Encoding"] = gzip.compress(content), "gzip"
    answer = running.http.post("/v1/batch", content=content, headers=headers, auth=(running.write, ""))
    assert answer.status_code == 200
    assert len(running.client.export(user).events) == 1


def test_a_chunked_body_is_read_to_its_end(running: Running) -> None:
    user = running.customer()
    content = gzip.compress(json.dumps({"batch": [event(user, n) for n in range(50)]}).encode())
    parts = (content[i : i + 7] for i in range(0, len(content), 7))
    answer = running.http.post(
        "/v1/batch", content=parts, headers={"Content-Encoding": "gzip"}, auth=(running.write, "")
    )
    assert answer.status_code == 200
    assert len(running.client.export(user).events) == 50


@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (b"", None, 400),
        (b"{", None, 400),
        (b"\xff\xfe", None, 400),
        (b"[" * 100_000, None, 400),
        (b'{"batch":' * 20_000, None, 400),
        (b'"text"', None, 400),
        (b"{}", None, 400),
        (b'{"batch":{}}', None, 400),
        (b"not gzip", "gzip", 400),
        (gzip.compress(b'{"batch":[]}')[:-9], "gzip", 400),
        (b"{}", "br", 400),
        (b" " * 600_000, None, 413),
        (gzip.compress(b" " * 50_000_000), "gzip", 413),
        (zlib.compress(b" " * 50_000_000), "deflate", 413),
    ],
    ids=range(14),
)
def test_what_cannot_be_read_is_refused_in_the_form_that_clients_know(
    running: Running, content: bytes, encoding: str | None, status: int
) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    answer = running.http.post("/v1/batch", content=content, headers=headers, auth=(running.write, ""))
    assert answer.status_code == status
    assert {"code", "message", "error", "success"} <= set(answer.json())
    assert running.http.get("/healthz").status_code == 200


def test_python_json_with_nan_and_lone_surrogates_is_understood(running: Running) -> None:
    user = running.customer()
    content = json.dumps({"batch": [event(user, price=float("nan"), properties={"n": float("inf"), "t": "\ud83d"})]})
    assert running.http.post("/v1/batch", content=content, auth=(running.write, "")).status_code == 200
    assert len(running.client.export(user).events) == 1


def test_events_with_a_fault_are_set_aside_and_hold_up_nothing(running: Running) -> None:
    user = running.customer()
    bad = [
        {"type": "track", "event": "Nobody"},
        {"type": "track", "userId": user},
        {"type": "wish", "userId": user},
        {"type": "track", "event": "Huge", "userId": user, "properties": {"text": "x" * 33_000}},
        "no object",
        None,
        17,
    ]
    before = running.admin.rejected().count
    answer = running.post("/v1/batch", {"batch": [*bad, event(user)]}, running.write)
    assert answer.status_code == 200
    assert len(running.client.export(user).events) == 1
    found = running.admin.rejected()
    assert found.count == before + len(bad)
    reasons = {r.reason for r in found.reasons if r.source == "web"}
    assert {"no_id", "no_event", "bad_type", "too_large", "bad_shape"} <= reasons


def test_an_event_that_was_set_aside_may_come_again_in_order(running: Running) -> None:
    user = running.customer()
    running.client.ingest({"type": "identify", "userId": user})
    said = {"purpose": "marketing", "channel": "email", "status": "perhaps"}
    consent = event(user, event="Consent Updated", properties=said)
    running.post("/v1/batch", {"batch": [consent]}, running.write)
    assert [one["reason"] for one in running.client.export(user).rejected] == ["bad_consent"]
    running.post("/v1/batch", {"batch": [{**consent, "properties": {**said, "status": "opt_out"}}]}, running.write)
    assert running.client.profile(user).consents == {"marketing/email": "withdrawn"}


def test_more_than_2500_events_are_set_aside_beyond_that(running: Running) -> None:
    before, aside, user = running.stored(), running.admin.rejected().count, running.customer()
    items = [{"type": "track", "event": "E", "userId": user, "messageId": f"{user}-{n}"} for n in range(2_600)]
    assert running.post("/v1/batch", {"batch": items}, running.write).status_code == 200
    assert running.stored() == before + 2_500
    assert running.admin.rejected().count == aside + 100


def test_a_message_counts_once_per_source_also_within_a_batch(running: Running) -> None:
    user, other = running.customer(), running.server.key("write", name="shop")
    for _ in range(3):
        running.post("/v1/batch", {"batch": [event(user), event(user), event(user, 1)]}, running.write)
    assert len(running.client.export(user).events) == 2
    running.post("/v1/batch", {"batch": [event(user)]}, other)
    assert len(running.client.export(user).events) == 3, "another source has ids of its own"


def test_times_are_corrected_by_the_clock_of_the_sender(running: Running) -> None:
    user = running.customer()
    batch = {
        "sentAt": "2031-01-01T00:00:10Z",  # a clock far ahead
        "batch": [event(user, timestamp="2031-01-01T00:00:00Z")],
    }
    running.post("/v1/batch", batch, running.write)
    (found,) = running.client.export(user).events
    received, corrected = (datetime.fromisoformat(found[name]) for name in ("receivedAt", "timestamp"))
    assert received - corrected == timedelta(seconds=10)
    assert found["originalTimestamp"] == "2031-01-01T00:00:00Z"


def test_the_context_of_the_batch_reaches_each_event_and_so_does_what_the_browser_says(running: Running) -> None:
    user = running.customer()
    body = {"context": {"ip": "203.0.113.7", "locale": "de"}, "integrations": {"All": False},
            "batch": [event(user, context={"locale": "fr"})]}  # fmt: skip
    running.post("/v1/batch", body, running.write, headers={"Sec-GPC": "1", "User-Agent": "Mozilla/5.0 X"})
    (found,) = running.client.export(user).events
    assert found["context"] == {"ip": "203.0.113.7", "locale": "fr", "gpc": True, "userAgent": "Mozilla/5.0 X"}
    assert found["integrations"] == {"All": False}


def test_a_page_of_another_origin_may_send_and_may_read_when_to_try_again(running: Running) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
    told = running.http.options("/v1/t", headers=asked)
    assert told.status_code in (200, 204)
    assert told.headers["access-control-allow-origin"] == "https://shop.example"
    assert told.headers["access-control-allow-headers"] == "authorization,content-type"
    assert int(told.headers["access-control-max-age"]) >= 600
    sent = running.post(
        "/v1/t", {"userId": "x", "event": "E"}, running.write, headers={"Origin": "https://shop.example"}
    )
    assert sent.headers["access-control-allow-origin"] == "https://shop.example"
    assert sent.headers["access-control-expose-headers"] == "Retry-After"
    refused = running.post("/v1/t", {}, "opw_no", headers={"Origin": "https://shop.example"})
    assert refused.headers["access-control-allow-origin"] == "https://shop.example", "else a page cannot read the error"


def test_a_key_for_one_origin_is_of_no_use_on_another(running: Running) -> None:
    key = running.server.key("write", name="bound", origins=["https://shop.example"])
    body = {"userId": "x", "event": "E"}
    assert running.post("/v1/t", body, key, headers={"Origin": "https://shop.example"}).status_code == 200
    assert running.post("/v1/t", body, key, headers={"Origin": "https://evil.example"}).status_code == 403


def test_a_key_that_is_used_too_often_waits(running: Running) -> None:
    key = running.server.key("write", name="slow", rate=2)
    answers = [running.post("/v1/t", {"userId": "x", "event": "E"}, key) for _ in range(8)]
    refused = [a for a in answers if a.status_code != 200]
    assert refused
    for answer in refused:
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 300
        assert answer.json()["code"]


def test_the_browser_library_finds_its_settings(running: Running) -> None:
    answer = running.http.get(f"/v1/projects/{running.write}/settings", headers={"Origin": "https://shop.example"})
    told = answer.json()
    target = told["integrations"]["Segment.io"]
    assert target["apiKey"] == running.write
    assert f"{target['protocol']}://{target['apiHost']}" == f"{running.address}/v1"
    assert {"plan", "remotePlugins"} <= set(told)
    assert answer.headers["access-control-allow-origin"]
    assert running.http.get(f"/v1/projects/{running.key}/settings").status_code == 404, "a secret key is for no page"


def test_a_write_key_reads_nothing(running: Running) -> None:
    user = running.customer()
    running.welcome(user)
    assert running.post("/v1/decide", {"userId": user, "placement": "app.home.hero"}, running.write).status_code == 403
    for path in (f"/v1/customers/{user}", f"/v1/customers/{user}/export", "/v1/keys", "/v1/status", "/v1/model"):
        assert running.http.get(path, auth=(running.write, "")).status_code == 403


def test_an_answer_may_come_as_a_track_event_of_its_customer_only(running: Running) -> None:
    user, other = running.talkative(), running.talkative()
    made = running.client.decide(user, placement="app.home.hero")
    told = {"decisionId": made.decision_id, "action": made.actions[0].action, "outcome": "dismiss"}
    before = running.admin.rejected().count
    running.post("/v1/track", {"userId": other, "event": "Offer Accepted", "properties": told}, running.write)
    assert running.admin.rejected().count == before + 1
    assert running.client.respond(str(made.decision_id), made.actions[0].action, "impression"), "nothing was known yet"
    running.post("/v1/track", {"userId": user, "event": "Offer Accepted", "properties": told}, running.write)
    assert not running.client.respond(str(made.decision_id), made.actions[0].action, "dismiss"), "known already"


@pytest.mark.parametrize("begun", [b"", b"{"])
def test_a_connection_that_never_sends_its_body_is_let_go(running: Running, begun: bytes) -> None:
    with socket.create_connection(("127.0.0.1", running.server.port)) as wire:
        wire.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + begun)
        wire.settimeout(30)
        told = wire.recv(1000)
        assert b" 429 " in told, "a slow phone may try again; after a 400 it would throw its events away"
        assert b"retry-after: 1" in told
