"""Personal pages: every slot of a page in one decision, and the script that fills the slots."""

from __future__ import annotations

import gzip
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from opportune.api.decisions import decided
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter, Reply
from opportune.api.visit import language_of, opted_out, visit
from opportune.api.who import browser_customer, text_id
from opportune.catalog.fields import nearest
from opportune.catalog.page_types import VISIT_NAMES, Page
from opportune.errors import BadRequest, NotFound
from opportune.rules import Kind, Value
from opportune.wire import Answered
from opportune.wire.pages import BrowserPage, BrowserSlotOffer, PageAnswer, PageRequest, SlotOffer

Items = dict[str, dict[str, object]] | UnsetType

SCRIPT = "opportune.js"

NEVER_KEPT = {"Cache-Control": "no-store"}
"""An answer is of one person and one moment."""

FRESH = "public, max-age=3600, stale-while-revalidate=86400"
FOREVER = "public, max-age=31536000, immutable"
"""How long the script may be kept: by its plain address, and by the one that names its hash."""

VISITS = tuple(name for name, kind in VISIT_NAMES.items() if kind is Kind.TEXT and name not in ("language", "device"))
"""What a visit says that the query of a GET may give by name; the rest are fields of the request."""


async def page(door: Door, call: Call) -> Reply:
    """Decide for every slot of a page, by the address, the referrer and all that is known of the visitor.

    Each slot gets up to its limit of actions, different ones in different slots, or nothing: then its default content
    stays. POST asks the same in a body, so that nothing of it is in an address.
    """
    asked: PageRequest = call.body if call.method == "POST" else _asked(call.query)
    assert call.key is not None
    browser, found = call.key.kind == "write", _page(door, call.parameters["page"])
    user, anonymous = text_id(asked.user_id, "userId"), text_id(asked.anonymous_id, "anonymousId")
    who = browser_customer(door, user, anonymous, asked.user_token) if browser else None
    arguments = {
        "placements": [slot.placement for slot in found.slots],
        "limit": tuple(slot.limit for slot in found.slots),
        "context": {
            **found.context, **visit(asked, call.headers, browser), **asked.context, **opted_out(call.headers)
        },
        "peek": asked.peek,
        "request_id": asked.request_id,
    }
    answer = await decided(door, (user, anonymous), who, arguments, language_of(asked, {}))
    items = await _items(door, answer)
    return Reply((_for_browser if browser else _told)(door, found, answer, items), headers=NEVER_KEPT)


async def script(door: Door, call: Call) -> Reply:
    """Return the script that fills the marked slots of a page."""
    kept = _script()
    headers = {
        "ETag": f'"{kept.hash}"',
        "Cache-Control": FOREVER if call.query.get("v") == kept.hash else FRESH,
        "Vary": "Accept-Encoding",
        "Access-Control-Allow-Origin": "*",  # pages that check its integrity load it with `crossorigin`
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if kept.hash in call.headers.get("if-none-match", ""):
        return Reply(b"", 304, headers=headers)
    packed = "gzip" in call.headers.get("accept-encoding", "")
    more = {"Content-Encoding": "gzip"} if packed else {}
    return Reply(kept.packed if packed else kept.plain, media="text/javascript; charset=utf-8", headers=headers | more)


class _Script(NamedTuple):
    plain: bytes
    packed: bytes
    hash: str


@cache
def _script() -> _Script:
    plain = files("opportune.api").joinpath(SCRIPT).read_bytes()
    return _Script(plain, gzip.compress(plain, 9, mtime=0), sha256(plain).hexdigest()[:16])


def _page(door: Door, name: str) -> Page:
    pages = {page.name: page for page in door.hub.plan.catalog.pages} if door.hub.published else {}
    if name not in pages:
        raise NotFound(f"there is no page {name[:60]!r}: {nearest(name, pages)}")
    return pages[name]


def _asked(query: Any) -> PageRequest:
    """Return the request that the query of an address makes."""
    given = {name: value for name, value in query.items() if name not in ("writeKey", "peek", "context", *VISITS)}
    if unknown := sorted(given.keys() - _FIELDS):
        raise BadRequest(f"unknown parameter {unknown[0][:60]!r}: {nearest(unknown[0], _FIELDS)}", unknown[0][:60])
    context: dict[str, Value] = {name: query[name] for name in VISITS if name in query}
    if "context" in query:
        try:
            context |= msgspec.json.decode(query["context"].encode(), type=dict[str, Value])
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise BadRequest("context is no JSON object of numbers, texts and bools", "context") from None
    peek = query.get("peek", "") in ("true", "1", "yes")
    return msgspec.convert({**given, "context": context, "peek": peek}, PageRequest)


async def _items(door: Door, answer: Answered) -> Items:
    """Return what is known of the items that actions carry, by id."""
    pairs = [(item.id, item.reason) for offer in answer.actions for item in offer.items]
    if not pairs:
        return UNSET
    found = await door.writer.do(lambda: door.hub.goods.items(pairs))
    return {str(item["id"]): {key: value for key, value in item.items() if key != "reason"} for item in found}


def _told(door: Door, page: Page, answer: Answered, items: Items) -> PageAnswer:
    by: dict[str, list[SlotOffer]] = {slot.placement: [] for slot in page.slots}
    for o in answer.actions:
        by[o.placement].append(SlotOffer(**msgspec.structs.asdict(o), outcomes=_outcomes(door, o.action)))
    slots = {slot.name: by[slot.placement] for slot in page.slots}
    return PageAnswer(page.name, answer.decision_id, slots, answer.silence, items)


def _for_browser(door: Door, page: Page, answer: Answered, items: Items) -> BrowserPage:
    by: dict[str, list[BrowserSlotOffer]] = {slot.placement: [] for slot in page.slots}
    for o in answer.actions:
        seen = (o.action, o.treatment, o.placement, o.rank, o.content, o.items, o.coupon)
        by[o.placement].append(BrowserSlotOffer(*seen, outcomes=_outcomes(door, o.action)))
    slots = {slot.name: by[slot.placement] for slot in page.slots}
    return BrowserPage(page.name, answer.decision_id, slots, items)


def _outcomes(door: Door, action: str) -> list[str]:
    """Return the answers to an action that are heard; none for one of an earlier catalog that is gone."""
    plan = door.hub.plan
    if action not in plan.position:
        return []
    outcomes = plan.action(action).outcomes
    return list(dict.fromkeys((*outcomes.positive, *outcomes.negative)))


_QUERY = (
    Parameter("userId", str, "The customer, with a server key"),
    Parameter("anonymousId", str, "The visitor"),
    Parameter("userToken", str, "With a write key: the token of a known user"),
    Parameter("url", str, "The address of the page: host, path and utm parameters are read from it"),
    Parameter("referrer", str, "The address of the page before"),
    Parameter("language", str, "The language of the page, such as de or pt-BR"),
    Parameter("device", str, "desktop, mobile or tablet"),
    *(Parameter(name, str, "What is known of the visit; counts more than what `url` and `referrer` say")
      for name in VISITS),
    Parameter("context", str, "What else the request knows, as a JSON object"),
    Parameter("peek", bool, "Answer the same way and leave nothing behind"),
    Parameter("requestId", str, "The same id gets the first answer again for a day"),
    Parameter("writeKey", str, "The key, where no header can be set"),
)  # fmt: skip

_FIELDS = {"userId", "anonymousId", "userToken", "url", "referrer", "language", "device", "requestId"}

_PROBLEMS = (400, 401, 403, 404, 409, 410, 413, 429)

ENDPOINTS = (
    Endpoint("GET", "/v1/pages/{page}", "browser", page, "Every slot of a page, in one decision",
             gives=PageAnswer | BrowserPage, query=_QUERY, problems=_PROBLEMS),
    Endpoint("POST", "/v1/pages/{page}", "browser", page, "The same, asked in a body", PageRequest,
             PageAnswer | BrowserPage, problems=_PROBLEMS),
    Endpoint("GET", f"/v1/{SCRIPT}", "anyone", script, "The script that fills the slots of a page", gives=str,
             query=(Parameter("v", str, "The hash of the script: it may then be kept for good"),),
             media="text/javascript"),
)  # fmt: skip
