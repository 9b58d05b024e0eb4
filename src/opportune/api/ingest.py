"""The tracking API of Segment, so that unmodified clients of its family can feed the hub.

Content types are ignored; bodies are JSON, packed or not. A call that can be read at all is answered
`200 {"success":true}` once its events are on disk: events with a fault of their own are set aside with the reason,
because clients throw a whole batch away on any 4xx. Too much is 429 with Retry-After, which they all honor or survive.

A write key is public. What comes with one may say that a customer consents, but not that they confirmed it, nor that we
can prove it (`consent_events.unproven`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from opportune.api import tool_events
from opportune.api.app import let_in, secret_of
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter, Reply
from opportune.api.keys import Key
from opportune.api.problems import Refused
from opportune.events.intake import Intake, Rejected
from opportune.events.segment import instant_of
from opportune.events.types import Event
from opportune.hub import Hub
from opportune.profiles.consent_events import CONSENT_UPDATED, unproven
from opportune.wire import Ingested, Success

LARGEST_BATCH = 500 * 1024
"""The most bytes of an unpacked body."""

MOST_EVENTS = 2_500
"""Events of one batch that are taken; the rest is set aside."""

DONE = b'{"success":true}'

SINGLE = {
    "identify": "identify", "i": "identify",
    "track": "track", "t": "track",
    "page": "page", "p": "page",
    "screen": "screen", "s": "screen",
    "group": "group", "g": "group",
    "alias": "alias", "a": "alias",
}  # fmt: skip
BATCH = ("batch", "import", "b")


async def ingest(door: Door, call: Call) -> Reply:
    """Take a batch, or one event whose type the path names."""
    word = call.path.rstrip("/").rpartition("/")[2]
    body = _read(call.raw, whole=word in SINGLE)
    endpoint = _ENDPOINTS[word]
    call.key = key = let_in(door, endpoint, *_secrets(call, body), call.origin)
    assert key is not None
    if call.headers.get("x-retry-count", "0") != "0":
        door.metrics.retries.inc()
    kind = SINGLE.get(word)
    body.pop("writeKey", None)
    items, excess = ([{**body, "type": kind}], []) if kind else _items(body)
    source = _source(key)
    sent_at = _instant(body.get("sentAt")) if not kind else None
    context = _context(call.headers, body.get("context") if not kind else None)
    integrations = body.get("integrations") if not kind and isinstance(body.get("integrations"), dict) else None

    take = _taken_unproven if key.kind == "write" else tool_events.taken

    def work() -> Ingested:
        return _with_excess(door.hub, take(door.hub, items, source, sent_at, context, integrations), excess, source)

    door.metrics.ingested(await door.writer.do(work, size=len(call.raw)))
    return Reply(DONE)


async def settings(door: Door, call: Call) -> Reply:
    """Return the settings document that the browser library of Segment loads first."""
    key = door.keys.find(call.parameters["key"])
    if key is None or key.kind != "write":
        raise Refused(404, "unknown-key", "there is no write key of that name")
    host = call.headers.get("host", "localhost")
    target = {"apiKey": call.parameters["key"], "apiHost": f"{host}/v1", "protocol": call.scheme}
    document = {"integrations": {"Segment.io": target}, "plan": {}, "remotePlugins": []}
    return Reply(document, headers={"Access-Control-Allow-Origin": "*", "Cache-Control": "max-age=60"})


class _Batch(msgspec.Struct):
    """A batch whose events are not read yet: most of them are read in one step later (`events.unread`)."""

    batch: list[msgspec.Raw]
    sentAt: Any = None
    context: Any = None
    integrations: Any = None
    writeKey: Any = None


_batch = msgspec.json.Decoder(_Batch)


def _read(raw: bytes, whole: bool) -> dict[str, Any]:
    """Return the fields of a body; unless it is wanted `whole`, with the events of a batch still as JSON."""
    try:
        if not whole:
            try:
                return msgspec.structs.asdict(_batch.decode(raw))
            except msgspec.ValidationError:
                pass
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:  # Python's own JSON writes NaN and lone surrogates, which clients send
            body = json.loads(raw, parse_constant=lambda name: None)
        except (ValueError, RecursionError) as error:
            raise Refused(400, "bad-json", f"the body is not JSON: {str(error)[:200]}") from None
    except RecursionError:
        raise Refused(400, "bad-json", "the body is nested too deeply") from None
    if isinstance(body, list):
        return {"batch": body}
    if not isinstance(body, dict):
        raise Refused(400, "bad-json", f"the body is {type(body).__name__}; send an object")
    return body


def _items(body: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    items = body.get("batch")
    if not isinstance(items, list):
        raise Refused(400, "no-batch", "a batch is an object with `batch`, a list of events", "batch")
    return items[:MOST_EVENTS], items[MOST_EVENTS:]


def _secrets(call: Call, body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the key of Basic auth, else of the body (beside an OAuth token), else Bearer; and that of the query."""
    in_body, shown = body.get("writeKey"), call.query.get("writeKey")
    named = in_body if isinstance(in_body, str) and in_body else None
    if call.headers.get("authorization", "")[:6].lower() == "basic ":
        return secret_of(call.headers) or named, shown
    return named or (None if shown else secret_of(call.headers)), shown


def _source(key: Key) -> str:
    return key.name or key.id


def _context(headers: Mapping[str, str], context: object) -> dict[str, Any] | None:
    """Return the context of the batch, with what only the request says: the browser, and that it opts out of sale."""
    told = dict(context) if isinstance(context, dict) else {}
    if headers.get("sec-gpc") == "1":
        told["gpc"] = True
    if "user-agent" in headers and "mozilla" in headers["user-agent"][:16].lower():
        told.setdefault("userAgent", headers["user-agent"][:500])
    return told or None


def _instant(value: object) -> int | None:
    try:
        return None if value is None else instant_of(value)
    except (ValueError, OverflowError):
        return None


def _taken_unproven(
    hub: Hub,
    items: list[Any],
    source: str,
    sent_at: int | None,
    context: Mapping[str, Any] | None,
    integrations: Mapping[str, Any] | None,
) -> Ingested:
    """Take events in of which anybody may be the sender: nothing in them proves that a customer confirmed."""
    with hub.group():
        now = hub.clock.now()
        events, rejected = Intake(hub.clock.new_id, source).take(
            items, received_at=now, sent_at=sent_at, context=context, integrations=integrations
        )
        told = hub.ingest([_unproven(event) for event in events], source)
        if rejected:  # they may be taken later, and then prove nothing either
            hub.dead_letters.add([_unproven_raw(one) for one in rejected], source=source, received_at=now)
    return Ingested(told.taken, told.duplicates, told.rejected + len(rejected))


def _unproven(event: Event) -> Event:
    if event.event != CONSENT_UPDATED:
        return event
    return msgspec.structs.replace(event, properties=unproven(event.properties))


def _unproven_raw(one: Rejected) -> Rejected:
    if not isinstance(one.raw, dict) or not isinstance(one.raw.get("properties"), dict):
        return one
    if str(one.raw.get("event")).strip() != CONSENT_UPDATED:
        return one
    return one._replace(raw={**one.raw, "properties": unproven(one.raw["properties"])})


def _with_excess(hub: Hub, told: Ingested, excess: list[Any], source: str) -> Ingested:
    if not excess:
        return told
    hub.set_aside("too_many", f"a batch holds at most {MOST_EVENTS:,} events; send smaller ones", excess, source)
    return Ingested(told.taken, told.duplicates, told.rejected + len(excess))


def _endpoint(word: str, summary: str) -> Endpoint:
    return Endpoint(
        "POST", f"/v1/{word}", "write", ingest, summary, bytes, Success,
        (Parameter("writeKey", str, "The write key, for senders that cannot set headers"),),
        (400, 401, 403, 413, 429), LARGEST_BATCH, True,
    )  # fmt: skip


_ENDPOINTS = {word: _endpoint(word, "Take a batch of events") for word in BATCH} | {
    word: _endpoint(word, f"Take one {kind} call") for word, kind in SINGLE.items()
}

ENDPOINTS = (
    *_ENDPOINTS.values(),
    Endpoint(
        "GET",
        "/v1/projects/{key}/settings",
        "anyone",
        settings,
        "Settings for the browser library",
        gives=dict,
        problems=(404,),
        segment=True,
    ),
)
