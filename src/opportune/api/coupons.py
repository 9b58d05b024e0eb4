"""Coupons at the door: redeemed by shops, made and looked after by the people who run a hub."""

from __future__ import annotations

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Reply
from opportune.api.log import log
from opportune.api.problems import Refused, problem
from opportune.api.who import text_id
from opportune.clock import to_datetime
from opportune.errors import BadRequest, NotFound
from opportune.offers.coupon_rows import Done, Shown
from opportune.offers.coupons import FOREVER, Item, Refusal, finite, sum_of
from opportune.services.till import Till, Wanted
from opportune.wire.offering import (
    CodeInfo,
    CodeRequest,
    CodesRequest,
    CouponInfo,
    IssueRequest,
    NewCodes,
    OrderItem,
    RedeemRequest,
    Redemption,
    ReleaseRequest,
)

MOST_CODES = 200_000
"""Codes that are made at once; they take a second for some ten thousand, for which others wait."""

MOST_ITEMS = 1_000

_MISSING = frozenset(("unknown", "mistyped", "order"))
"""What there is not: 404. What there is, and cannot be now, is 409."""


async def redeem(door: Door, call: Call) -> Redemption | Reply:
    """Redeem a code for an order: once, and only if the budget, the limits and the terms of the coupon allow it."""
    asked: RedeemRequest = call.body
    items, key = _items(asked.items, asked.amount), call.key.id if call.key else ""
    user = None if asked.user_id is None else text_id(asked.user_id, "userId")
    if asked.user_id is not None and user is None:
        raise BadRequest(f"{asked.user_id!r} names nobody; give the id of the customer, or leave it out", "userId")
    wanted = Wanted(_code(asked.code), _order(asked.order_id), user, asked.amount, items, asked.ip)
    [done] = await door.writer.do(lambda: Till(door.hub).redeem([wanted], key, asked.peek), size=len(call.raw))
    if isinstance(done, Refusal):
        if done.reason == "tries":
            log.warning("too many wrong codes", key=key)
        return _refused(done)
    return _redemption(door, done, asked.order_id)


async def release(door: Door, call: Call) -> Redemption | Reply:
    """Take in that an order was returned, or part of it: what it got off is spent no more, and the code open again."""
    asked: ReleaseRequest = call.body
    code, order, items = _code(asked.code), _order(asked.order_id), _items(asked.items, asked.amount)
    done = await door.writer.do(lambda: Till(door.hub).release(code, order, asked.amount, items), size=len(call.raw))
    return _refused(done) if isinstance(done, Refusal) else _redemption(door, done, asked.order_id)


async def show(door: Door, call: Call) -> CodeInfo:
    """Return what became of a code."""
    code = _code(call.body.code)

    def work() -> CodeInfo:
        found = Till(door.hub).coupons.show(code, door.hub.clock.now())
        if found is None:
            raise NotFound("there is no such code")
        return _info(door, found)

    return await door.writer.do(work)


async def withdraw(door: Door, call: Call) -> dict[str, bool]:
    """End a code that nobody may use any more; `withdrawn` is false where it was not open."""
    code = _code(call.body.code)
    return {"withdrawn": await door.writer.do(lambda: Till(door.hub).end(code))}


async def issue(door: Door, call: Call) -> CodeInfo | Reply:
    """Make a code for a customer."""
    asked: IssueRequest = call.body
    name, reference = call.parameters["coupon"], _order(asked.reference, "reference")

    def work() -> CodeInfo | Reply:
        made = Till(door.hub).issue(name, asked.user_id, reference)
        if isinstance(made, Refusal):
            return _refused(made)
        found = Till(door.hub).coupons.show(made.text, door.hub.clock.now())
        assert found is not None
        return _info(door, found)

    return await door.writer.do(work)


async def codes(door: Door, call: Call) -> NewCodes | Reply:
    """Make many codes. They are in this answer and nowhere else."""
    asked: CodesRequest = call.body
    if not 1 <= asked.count <= MOST_CODES:
        raise BadRequest(f"count is {asked.count}; ask for 1 to {MOST_CODES:,} codes", "count")
    name = call.parameters["coupon"]
    made = await door.writer.do(lambda: Till(door.hub).print(name, asked.count), alone=asked.count > 100)
    return _refused(made) if isinstance(made, Refusal) else NewCodes(name, made)


async def coupons(door: Door, call: Call) -> list[CouponInfo]:
    """Return the coupons of the catalog, and what became of each."""

    def work() -> list[CouponInfo]:
        till, currency = Till(door.hub), door.hub.plan.catalog.currency
        known = {coupon.name: coupon for coupon in door.hub.plan.catalog.coupons}
        return [
            CouponInfo(
                name=name, kind=known[name].kind, issued=t.issued, open=t.held, redeemed=t.redeemed,
                returned=t.returned, expired=t.expired, withdrawn=t.withdrawn, budget=known[name].budget,
                reserved=t.reserved / 1e6, spent=t.spent / 1e6, discount=t.discount / 1e6, revenue=t.revenue / 1e6,
                currency=currency,
            )
            for name, t in till.totals().items()
        ]

    return await door.writer.do(work)


async def of_customer(door: Door, call: Call) -> list[CodeInfo]:
    """Return the codes that were made for a customer, the newest first."""
    customer = call.parameters["id"]
    return await door.writer.do(lambda: [_info(door, one) for one in Till(door.hub).codes(customer)])


def _code(text: str) -> str:
    if len(text) > 200:
        raise BadRequest(f"the code has {len(text)} characters; no code has so many", "code")
    return text


def _order(text: str, field: str = "orderId") -> str:
    try:
        if 1 <= len(text) <= 512 and text.encode():
            return text
    except UnicodeEncodeError:
        pass
    raise BadRequest(f"{text[:60]!r} cannot be the {field}; give a text of 1 to 512 characters", field)


def _items(items: list[OrderItem], amount: float | None) -> list[Item]:
    if not finite(amount):
        raise BadRequest(f"amount is {amount}; give an amount of money, not below 0", "amount")
    if len(items) > MOST_ITEMS:
        raise BadRequest(f"{len(items)} items; an order has {MOST_ITEMS:,} at most", "items")
    for item in items:
        if not finite(item.price) or not 0 <= item.quantity <= 1_000_000:
            raise BadRequest("an item has a price that is no amount of money, or an odd quantity", "items")
    found = [Item(item.price, item.quantity, item.properties) for item in items]
    if not finite(sum_of(found)):
        raise BadRequest(f"the items come to {sum_of(found):.4g} together; an order has a billion at most", "items")
    return found


def _refused(refusal: Refusal) -> Reply:
    """Return the problem that a refusal is."""
    if refusal.reason == "tries":
        told, headers = Refused(429, "coupon-tries", refusal.detail), {"Retry-After": str(refusal.after)}
    else:
        status = 404 if refusal.reason in _MISSING else 409
        told, headers = Refused(status, f"coupon-{refusal.reason.replace('_', '-')}", refusal.detail), {}
    return Reply(problem(told), told.status, "application/problem+json", headers)


def _redemption(door: Door, done: Done, order: str) -> Redemption:
    currency = door.hub.plan.catalog.currency
    return Redemption(
        done.coupon, order, done.discount / 1e6, done.amount / 1e6, currency, to_datetime(done.at), done.again,
        done.returned,
    )  # fmt: skip


def _info(door: Door, one: Shown) -> CodeInfo:
    view = door.hub.people.view(one.owner) if one.owner else None
    expires = None if one.expires >= FOREVER else to_datetime(one.expires)
    return CodeInfo(
        one.coupon, one.text, one.state, to_datetime(one.made), expires, one.used, view.customer if view else ""
    )


_PROBLEMS = (400, 401, 403, 404, 409, 413, 429)

ENDPOINTS = (
    Endpoint("POST", "/v1/coupons/redeem", "server", redeem, "Redeem a code for an order", RedeemRequest, Redemption,
             problems=_PROBLEMS),
    Endpoint("POST", "/v1/coupons/release", "server", release, "Say that an order was returned", ReleaseRequest,
             Redemption, problems=_PROBLEMS),
    Endpoint("POST", "/v1/coupons/show", "admin", show, "What became of a code", CodeRequest, CodeInfo,
             problems=_PROBLEMS),
    Endpoint("POST", "/v1/coupons/withdraw", "admin", withdraw, "End a code", CodeRequest, dict[str, bool],
             problems=_PROBLEMS),
    Endpoint("GET", "/v1/coupons", "admin", coupons, "The coupons, and what became of them", None, list[CouponInfo],
             problems=(400, 401, 403, 429)),
    Endpoint("POST", "/v1/coupons/{coupon}/issue", "server", issue, "Make a code for a customer", IssueRequest,
             CodeInfo, problems=_PROBLEMS),
    Endpoint("POST", "/v1/coupons/{coupon}/codes", "admin", codes, "Make many codes", CodesRequest, NewCodes,
             problems=_PROBLEMS),
    Endpoint("GET", "/v1/customers/{id}/coupons", "server", of_customer, "The codes of a customer", None,
             list[CodeInfo], problems=(400, 401, 403, 404, 410, 429)),
)  # fmt: skip
