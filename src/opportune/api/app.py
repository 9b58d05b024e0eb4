"""The HTTP door as one ASGI application: find the endpoint, let in or turn away, read, answer."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from opportune.api.body import read_body
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Reply, Send, Stream
from opportune.api.keys import Key, allows
from opportune.api.log import log, trace
from opportune.api.problems import Refused, problem
from opportune.api.writer import Busy

Receive = Callable[[], Awaitable[Any]]
Scope = Mapping[str, Any]

PREFIX = "/segment"
"""An optional first part of every path, for clients that were set up with one."""

ALLOWED = "Authorization, Content-Type, Content-Encoding, X-Retry-Count"


class App:
    """The endpoints of a door, by path and method."""

    def __init__(self, door: Door, endpoints: Sequence[Endpoint]) -> None:
        self._door = door
        self._fixed: dict[str, dict[str, Endpoint]] = {}
        self._shaped: dict[re.Pattern[str], dict[str, Endpoint]] = {}
        self._decoders = {e: msgspec.json.Decoder(e.takes) for e in endpoints if e.takes not in (None, bytes)}
        shapes: dict[str, re.Pattern[str]] = {}
        for endpoint in endpoints:
            if "{" in endpoint.path:
                shape = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", endpoint.path)
                pattern = shapes.setdefault(shape, re.compile(shape))
                self._shaped.setdefault(pattern, {})[endpoint.method] = endpoint
            else:
                self._fixed.setdefault(endpoint.path, {})[endpoint.method] = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"this door speaks HTTP, not {scope['type']}")
        began = time.perf_counter()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        endpoints, parameters = self._find(scope)
        method = scope["method"]
        endpoint = endpoints.get("GET" if method == "HEAD" else method)
        try:
            if method == "OPTIONS" and endpoints:
                reply: Reply | Stream = _preflight(endpoints, headers)
            elif endpoint is None:
                raise _lost(scope, endpoints)
            else:
                reply = await self._answer(endpoint, scope, headers, parameters, receive)
        except Exception as error:
            reply = self._problem(error, endpoint, scope, headers)
        extra = _cors(headers) if endpoint and endpoint.who in ("write", "browser") else {}
        try:
            if isinstance(reply, Stream):
                await reply.run(receive, send, extra)
            else:
                await _send(send, reply, extra, bodyless=method == "HEAD")
        finally:
            status = 200 if isinstance(reply, Stream) else reply.status
            self._door.metrics.answered(endpoint.path if endpoint else "", status, time.perf_counter() - began)

    def _find(self, scope: Scope) -> tuple[dict[str, Endpoint], dict[str, str]]:
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.partition(b"?")[0].decode("latin-1")
        prefixed = path.startswith(PREFIX + "/")
        if prefixed:
            path = path[len(PREFIX) :]
        if len(path) > 1:
            path = path.rstrip("/")
        found = self._fixed.get(path)
        if found is not None:
            return (found if not prefixed or next(iter(found.values())).segment else {}), {}
        for pattern, endpoints in self._shaped.items():
            if (match := pattern.fullmatch(path)) and (not prefixed or next(iter(endpoints.values())).segment):
                return endpoints, {name: unquote(value, errors="replace") for name, value in match.groupdict().items()}
        return {}, {}

    async def _answer(
        self, endpoint: Endpoint, scope: Scope, headers: dict[str, str], parameters: dict[str, str], receive: Receive
    ) -> Reply | Stream:
        door = self._door
        text = scope["query_string"]
        query = dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True)) if text else {}
        call = Call(
            scope["method"], scope["path"], parameters, query, headers, None, headers.get("origin"), scope["scheme"]
        )
        if not endpoint.segment:  # those may have their key in the body
            call.key = let_in(door, endpoint, secret_of(headers), query.get("writeKey"), call.origin)
        if call.method == "HEAD" and endpoint.media == "text/event-stream":
            return Reply(media=endpoint.media)
        if endpoint.takes is not None:
            call.raw = await read_body(receive, headers, endpoint.largest)
            if endpoint.takes is not bytes:
                call.body = self._decode(endpoint, call.raw)
        told = await endpoint.handler(door, call)
        return told if isinstance(told, Reply | Stream) else Reply(told)

    def _decode(self, endpoint: Endpoint, raw: bytes) -> Any:
        try:
            return self._decoders[endpoint].decode(raw)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(400, "bad-json", f"the body is not JSON: {error}") from None
        except RecursionError:
            raise Refused(400, "bad-json", "the body is nested too deeply") from None

    def _problem(
        self, error: Exception, endpoint: Endpoint | None, scope: Scope, call_headers: dict[str, str]
    ) -> Reply:
        told = problem(error)
        headers = {"Retry-After": str(error.after)} if isinstance(error, Busy) else {}
        if told.status >= 500:
            log.error("request failed", path=endpoint.path if endpoint else "", code=told.code, **trace(error))
        if told.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="opportune"'
        if endpoint and endpoint.page:
            from opportune.api.pages.frame import problem_page

            asked = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("language")
            shown = problem_page(self._door.hub, told, call_headers, asked)
            return Reply(shown.body, shown.status, shown.media, {**shown.headers, **headers})
        if endpoint and endpoint.segment:
            body = {"success": False, "code": told.code, "message": told.detail, "error": told.detail}
            return Reply(body, told.status, headers=headers)
        return Reply(told, told.status, "application/problem+json", headers)


def let_in(
    door: Door, endpoint: Endpoint, secret: str | None, shown: str | None, origin: str | None
) -> Key | None:
    """Return the key of a caller who may call an endpoint; raise `Refused`, or `Busy` if it calls too often.

    `shown` is a key that was sent where others may see it, in the address: only a write key, which is public.
    """
    if endpoint.who == "anyone":
        return None
    public = not secret
    secret = secret or shown
    if not secret:
        raise Refused(401, "no-key", "send a key: `Authorization: Bearer KEY`, or the key as the user of Basic auth")
    key = door.keys.find(secret)
    if (
        key is None
        and door.local
        and compare_digest(sha256(secret.encode("utf-8", "replace")).digest(), door.local_hash)
    ):
        key = door.local
    if key is None:
        raise Refused(
            401, "unknown-key", "this key is not known here, or it was revoked; `opportune key new` makes one"
        )
    if public and key.kind != "write":
        raise Refused(401, "key-in-address", "a secret key does not go into an address; send it as a header")
    if key.kind != "write" and origin:
        raise Refused(403, "secret-in-page", "a page of a browser must not hold this key; give it a write key")
    if not _opens(key, endpoint):
        needs = (
            "a server key, or a write key with the scope decide:anonymous"
            if endpoint.who == "browser"
            else endpoint.who
        )
        raise Refused(403, "wrong-key", f"a {key.kind} key does not open this; use {needs}")
    if key.kind == "write" and not allows(key, origin):
        who = f"not for pages of {origin}" if origin else "for pages of its origins only, and this request names none"
        raise Refused(403, "wrong-origin", f"this key is {who}; make a key that fits: opportune key new write")
    wait = door.rates.take(key.id, key.rate, time.time_ns() // 1000)
    if wait:
        after = max(1, min(300, round(wait + 0.5)))
        raise Busy(after, f"this key may be used {key.rate:g} times a second; try again in {after} s")
    if key is not door.local:
        door.keys.use(key.id, door.hub.clock.now())
    return key


def secret_of(headers: Mapping[str, str]) -> str | None:
    """Return the key of an Authorization header: the user name of Basic (its colon may be missing), or Bearer."""
    kind, _, rest = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return rest.strip() or None
    if kind.lower() == "basic":
        try:
            return base64.b64decode(rest.strip() + "==").decode("utf-8", "replace").partition(":")[0] or None
        except (binascii.Error, ValueError):
            return None
    return None


_LEVEL = {"write": 0, "server": 1, "admin": 2, "local": 3}


def _opens(key: Key, endpoint: Endpoint) -> bool:
    if endpoint.who == "browser":
        return key.kind != "write" or "decide:anonymous" in key.scopes
    return _LEVEL["local" if key.id == "local" else key.kind] >= _LEVEL[endpoint.who]


def _lost(scope: Scope, endpoints: Mapping[str, Endpoint]) -> Refused:
    if endpoints:
        return Refused(405, "wrong-method", f"use {' or '.join(sorted(endpoints))} here, not {scope['method']}")
    return Refused(404, "no-path", "there is nothing at this path; /openapi.json lists what there is")


def _preflight(endpoints: Mapping[str, Endpoint], headers: Mapping[str, str]) -> Reply:
    if not any(e.who in ("write", "browser") for e in endpoints.values()):
        return Reply(b"", 204, headers={"Allow": ", ".join([*endpoints, "OPTIONS"])})
    told = {
        "Access-Control-Allow-Methods": ", ".join([*endpoints, "OPTIONS"]),
        "Access-Control-Allow-Headers": headers.get("access-control-request-headers", ALLOWED),
        "Access-Control-Max-Age": "86400",
        **_cors(headers),
    }
    return Reply(b"", 204, headers=told)


def _cors(headers: Mapping[str, str]) -> dict[str, str]:
    origin = headers.get("origin")
    if not origin:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "Retry-After",
        "Vary": "Origin",
    }


_encode = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")


async def _send(send: Send, reply: Reply, extra: Mapping[str, str], bodyless: bool) -> None:
    body = reply.body if isinstance(reply.body, bytes) else _encode(reply.body)
    headers = []
    if reply.status not in (204, 304):
        media = _JSON if reply.media == "application/json" else (b"content-type", reply.media.encode())
        headers = [media, (b"content-length", str(len(body)).encode())]
    for told in (reply.headers, extra):
        headers += [
            (name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in told.items()
        ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if bodyless else body})
