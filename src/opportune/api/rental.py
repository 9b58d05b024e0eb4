"""Renting at the door: lists that customers see to themselves, what a warehouse sends, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter, Reply
from opportune.api.given import id_of, whole
from opportune.api.problems import Refused, problem
from opportune.api.recommend import caught_up
from opportune.api.who import browser_customer, text_id
from opportune.clock import parse_instant, to_datetime
from opportune.errors import BadRequest
from opportune.rental.book import Batch, Inside, Rental, Turn
from opportune.rental.facts import AnyMemberFact, Cancelled, Ended, Paused, Sent, Subscribed
from opportune.rental.rules import WhyNot, sent_in
from opportune.services.lending import Lending
from opportune.wire.recommending import Recommendations, RecommendedItem
from opportune.wire.renting import (
    Changed,
    CopiesRequest,
    CopyRequest,
    ItemCopies,
    NextItem,
    PassedOver,
    PlanRequest,
    RentalInfo,
    RentalLine,
    RentalList,
    RentalListRequest,
    RentalRequest,
    ReturnRequest,
    SendRequest,
    SentItem,
    ShippedBatch,
    ShipRequest,
    SubscribeRequest,
    Subscription,
    SuggestRequest,
    Swapped,
    TurnRequest,
    WishLine,
)

MOST_ITEMS = 1_000
"""Items of one change of a list, and of one page of it."""

MOST_PICKS = 2_000
"""Items of one batch, for which others wait."""

MOST_COPIES = 1_000
"""Copies that one call names."""

PAGE = 500
"""Lines of one page of a statement."""

Asked = RentalListRequest | TurnRequest | SuggestRequest


async def subscribe(door: Door, call: Call) -> Changed:
    """Give a customer a tier of a plan, or another one from now on."""
    asked: SubscribeRequest = call.body
    user = _user(asked.user_id)
    return Changed(await door.writer.do(lambda: Lending(door.hub).subscribe(user, asked.plan, asked.tier)))


async def pause(door: Door, call: Call) -> Changed | Reply:
    """Send a customer nothing of a plan until an instant, or until it is resumed."""
    asked: PlanRequest = call.body
    user, until = _user(asked.user_id), None if asked.until is None else parse_instant(asked.until.isoformat())
    return await _changed(door, lambda desk: desk.pause(user, asked.plan, until))


async def resume(door: Door, call: Call) -> Changed | Reply:
    """Let a subscription that is paused go on."""
    asked: PlanRequest = call.body
    user = _user(asked.user_id)
    return await _changed(door, lambda desk: desk.resume(user, asked.plan))


async def cancel(door: Door, call: Call) -> Changed | Reply:
    """End a subscription; everything must have come back."""
    asked: PlanRequest = call.body
    user = _user(asked.user_id)
    return await _changed(door, lambda desk: desk.cancel(user, asked.plan))


async def list_(door: Door, call: Call) -> RentalList:
    """Read the list of a customer, or change it first: a page of it as it is then."""
    asked: RentalListRequest = call.body
    user = _whose(door, call, asked)
    for field, some in (("put", asked.put or ()), ("add", asked.add), ("remove", asked.remove)):
        if len(some) > MOST_ITEMS:
            raise BadRequest(f"{field} has {len(some):,} items; send at most {MOST_ITEMS:,} at once", field)
    if not 1 <= asked.limit <= MOST_ITEMS or asked.after < 0 or (asked.place or 0) < 0:
        raise BadRequest(f"give a limit from 1 to {MOST_ITEMS:,}, and after and place of 0 or more", "limit")
    changes = asked.put is not None or asked.add or asked.remove

    def work() -> RentalList:
        desk, added, removed = Lending(door.hub), list[str](), list[str]()
        if changes:
            added, removed = desk.wish(user, asked.plan, asked.add, asked.remove, asked.put, asked.place)
        wishes = desk.wishes(user, asked.plan)
        page = wishes[asked.after : asked.after + asked.limit]
        lines = [
            WishLine(place, wish.item, item.title if (item := desk.item(wish.item)) else "")
            for place, wish in enumerate(page, asked.after)
        ]
        return RentalList(asked.plan, len(wishes), lines, added, removed)

    return await door.writer.do(work, size=len(call.raw))


async def next_(door: Door, call: Call) -> NextItem:
    """Return what would be sent to a customer now, and why not what stands before it on the list."""
    asked: TurnRequest = call.body
    user = _whose(door, call, asked)
    return await door.writer.do(lambda: _next(Lending(door.hub).next(user, asked.plan)))


async def suggest(door: Door, call: Call) -> Recommendations:
    """Recommend items of a plan that are not on the list yet."""
    asked: SuggestRequest = call.body
    user = _whose(door, call, asked)
    await caught_up(door)

    def work() -> Recommendations:
        found = Lending(door.hub).suggest(user, asked.plan, asked.n)
        items = [
            RecommendedItem(r.id, r.reason, r.score, r.part, r.because, r.probability, r.explored, r.item)
            for r in found
        ]
        return Recommendations(user, to_datetime(door.hub.clock.now()), items)

    return await door.writer.do(work)


async def send(door: Door, call: Call) -> SentItem:
    """Send the next item to a customer; where there is none, say why."""
    asked: SendRequest = call.body
    user, id = _user(asked.user_id), id_of(asked.id)

    def work() -> SentItem:
        desk = Lending(door.hub)
        return _sent(desk, desk.send(user, asked.plan, id))

    return await door.writer.do(work)


async def ship(door: Door, call: Call) -> ShippedBatch:
    """Send to everybody whose turn it is, as one batch; the same batch again is what it was."""
    asked: ShipRequest = call.body
    batch = id_of(asked.batch, "batch")
    if not 1 <= asked.limit <= MOST_PICKS:
        raise BadRequest(f"limit is {asked.limit}; send 1 to {MOST_PICKS:,} items at once", "limit")

    def work() -> ShippedBatch:
        desk = Lending(door.hub)
        with door.hub.group():
            done: Batch = desk.ship(batch, asked.limit)
            return ShippedBatch(batch, [_info(desk, one) for one in done.rentals], done.more, done.again)

    return await door.writer.do(work, alone=True)


async def returned(door: Door, call: Call) -> RentalInfo | Reply:
    """Take in that an item came back; said twice it counts once."""
    asked: ReturnRequest = call.body
    if (asked.rental is None) == (not asked.copy):
        raise BadRequest("say what came back: a `rental`, or a `copy` with an `id`", "rental")
    number = asked.rental
    if number is not None:
        return await _became(door, lambda desk: desk.back(_number(number)))
    id = id_of(asked.id)
    return await _became(door, lambda desk: desk.back_copy(asked.copy, id))


async def lost(door: Door, call: Call) -> RentalInfo | Reply:
    """Take in that an item will not come back; if it does after all, it is returned."""
    asked: RentalRequest = call.body
    return await _became(door, lambda desk: desk.lost(_number(asked.rental)))


async def keep(door: Door, call: Call) -> RentalInfo | Reply:
    """Take in that a customer buys what they have: an `Order Completed` of theirs."""
    asked: RentalRequest = call.body
    if asked.price is not None and not 0 <= asked.price <= 1e9:
        raise BadRequest(f"price is {asked.price}; give an amount of money, not below 0", "price")
    return await _became(door, lambda desk: desk.keep(_number(asked.rental), asked.price))


async def swap(door: Door, call: Call) -> Swapped | Reply:
    """Take an item back and send the next one to the same customer; once for each rental."""
    asked: RentalRequest = call.body

    def work() -> Swapped | Reply:
        desk = Lending(door.hub)
        done = desk.swap(_number(asked.rental))
        if isinstance(done, WhyNot):
            return _refused(done)
        answer = _sent(desk, done[1])
        return Swapped(_info(desk, done[0]), answer.sent, answer.next)

    return await door.writer.do(work)


async def copies(door: Door, call: Call) -> ItemCopies:
    """Let there be copies of an item; those that are there stay."""
    asked: CopiesRequest = call.body
    if len(asked.copies) + asked.count > MOST_COPIES or asked.count < 0:
        raise BadRequest(f"name 0 to {MOST_COPIES:,} copies at once, by `copies` and `count` together", "copies")
    for name in asked.copies:
        if not 1 <= len(name) <= 200 or not name.isprintable():
            raise BadRequest(f"{name[:60]!r} cannot name a copy; give 1 to 200 printable characters", "copies")

    def work() -> ItemCopies:
        return _copies(asked.item, Lending(door.hub).copies(asked.item, asked.copies, asked.count))

    return await door.writer.do(work)


async def inside(door: Door, call: Call) -> ItemCopies:
    """Return how many copies of an item there are, and where."""
    item = call.parameters["id"]
    return await door.writer.do(lambda: _copies(item, Lending(door.hub).inside(item)))


async def retire(door: Door, call: Call) -> Changed | Reply:
    """Take a copy that is in away for good."""
    asked: CopyRequest = call.body
    return await _changed(door, lambda desk: desk.retire(asked.copy))


async def rest(door: Door, call: Call) -> Changed | Reply:
    """Do not send a copy that is in before an instant."""
    asked: CopyRequest = call.body
    if asked.until is None:
        raise BadRequest("say `until` when the copy rests", "until")
    until = parse_instant(asked.until.isoformat())
    return await _changed(door, lambda desk: desk.rest(asked.copy, until))


async def of_customer(door: Door, call: Call) -> list[Subscription]:
    """Return what a customer has of each plan."""
    customer = call.parameters["id"]

    def work() -> list[Subscription]:
        desk, found = Lending(door.hub), list[Subscription]()
        with door.hub.group():
            book, now = desk.book, door.hub.clock.now()
            for name, member, out, wishes in desk.subscriptions(customer):
                plan = book.plans.get(name)
                tier = plan.tier(member.tier) if plan else None
                paused = None if member.paused <= now else to_datetime(member.paused)
                since = to_datetime(member.since) if member.tier else None
                found.append(
                    Subscription(
                        name, member.tier or None, tier.price if tier else 0.0, since, paused,
                        tier.at_once if tier else 0, tier.per_month if tier else None,
                        sent_in(member, book.month(now)), wishes, [_info(desk, one) for one in out],
                    )
                )  # fmt: skip
        return found

    return await door.writer.do(work)


async def statement(door: Door, call: Call) -> list[RentalLine]:
    """Return a page of a customer's subscriptions and rentals, the oldest line first."""
    customer, after, limit = call.parameters["id"], whole(call, "after", 0, 1 << 62), whole(call, "limit", 100, PAGE)

    def work() -> list[RentalLine]:
        return [_line(number, fact) for number, fact in Lending(door.hub).statement(customer, after, max(1, limit))]

    return await door.writer.do(work)


# --- parts


async def _changed(door: Door, work: Callable[[Lending], bool | WhyNot]) -> Changed | Reply:
    done = await door.writer.do(lambda: work(Lending(door.hub)))
    return _refused(done) if isinstance(done, WhyNot) else Changed(done)


async def _became(door: Door, work: Callable[[Lending], Rental | WhyNot]) -> RentalInfo | Reply:
    def job() -> RentalInfo | Reply:
        desk = Lending(door.hub)
        done = work(desk)
        return _refused(done) if isinstance(done, WhyNot) else _info(desk, done)

    return await door.writer.do(job)


def _whose(door: Door, call: Call, asked: Asked) -> str:
    """Return the user whose list it is: whom a server names, and of a browser whom its token does."""
    assert call.key is not None
    if call.key.kind != "write":
        if asked.user_id is None:
            raise BadRequest("name the customer: userId", "userId")
        return _user(asked.user_id)
    user = asked.user_id if asked.user_token else asked.user_id or ""  # without a token no browser speaks for a user
    who = browser_customer(door, user, None, asked.user_token)
    assert who.user is not None
    return who.user


def _user(user_id: str) -> str:
    user = text_id(user_id, "userId")
    if user is None:
        raise BadRequest(f"{user_id!r} names nobody; give the id of a customer", "userId")
    return user


def _info(desk: Lending, one: Rental) -> RentalInfo:
    row = one.row
    sent, ended = to_datetime(row.sent), to_datetime(row.ended) if row.state != "out" else None
    customer, plan = desk.customer(one), row.member.partition("/")[2]
    return RentalInfo(one.number, row.copy, row.item, customer, plan, row.state, sent, ended, one.again)


def _next(turn: Turn) -> NextItem:
    passed = [PassedOver(item, why.reason, why.detail) for item, why in turn.passed]
    return NextItem(turn.item, turn.why.reason if turn.why else "", turn.why.detail if turn.why else "", passed)


def _sent(desk: Lending, done: Rental | Turn) -> SentItem:
    return SentItem(_info(desk, done)) if isinstance(done, Rental) else SentItem(None, _next(done))


def _copies(item: str, found: Inside) -> ItemCopies:
    return ItemCopies(item, found.copies, found.out, found.free, found.waiting)


def _line(number: int, fact: AnyMemberFact) -> RentalLine:
    at = to_datetime(fact.at)
    match fact:
        case Subscribed():
            return RentalLine(number, at, fact.plan, "subscribed", fact.tier)
        case Paused():
            return RentalLine(number, at, fact.plan, "paused" if fact.until else "resumed")
        case Cancelled():
            return RentalLine(number, at, fact.plan, "cancelled")
        case Sent():
            return RentalLine(number, at, fact.plan, "sent", "", fact.rental, fact.item, fact.copy)
        case Ended():
            return RentalLine(number, at, fact.plan, fact.how, "", fact.rental, fact.item)
        case _:
            raise AssertionError(f"a statement does not tell of {type(fact).__name__}")


def _refused(why: WhyNot) -> Reply:
    status = 404 if why.reason in ("unknown", "subscription") else 409
    told = Refused(status, f"rental-{why.reason.replace('_', '-')}", why.detail)
    return Reply(problem(told), told.status, "application/problem+json")


def _number(rental: int) -> int:
    if not 0 <= rental < 1 << 62:
        raise BadRequest(f"{rental} cannot be the number of a rental", "rental")
    return rental


_PROBLEMS = (400, 401, 403, 404, 409, 413, 429)
_READ = (400, 401, 403, 404, 410, 429)


def _post(path: str, handler: Any, summary: str, takes: Any, gives: Any, who: Any = "server") -> Endpoint:
    return Endpoint("POST", f"/v1/rentals/{path}", who, handler, summary, takes, gives, problems=_PROBLEMS)


ENDPOINTS = (
    _post("subscribe", subscribe, "Subscribe, or change to another tier", SubscribeRequest, Changed),
    _post("pause", pause, "Pause a subscription", PlanRequest, Changed),
    _post("resume", resume, "Let a paused subscription go on", PlanRequest, Changed),
    _post("cancel", cancel, "End a subscription", PlanRequest, Changed),
    _post("list", list_, "Read or change a list to rent from", RentalListRequest, RentalList, "browser"),
    _post("next", next_, "What would be sent next, and why not", TurnRequest, NextItem, "browser"),
    _post("suggest", suggest, "Items for a list", SuggestRequest, Recommendations, "browser"),
    _post("send", send, "Send the next item to a customer", SendRequest, SentItem),
    _post("ship", ship, "Send to everybody whose turn it is", ShipRequest, ShippedBatch),
    _post("returns", returned, "Say that an item came back", ReturnRequest, RentalInfo),
    _post("lost", lost, "Say that an item will not come back", RentalRequest, RentalInfo),
    _post("keep", keep, "Say that a customer keeps an item", RentalRequest, RentalInfo),
    _post("swap", swap, "Take an item back and send the next", RentalRequest, Swapped),
    _post("copies", copies, "Add copies of an item", CopiesRequest, ItemCopies),
    _post("copies/retire", retire, "Take a copy away for good", CopyRequest, Changed),
    _post("copies/rest", rest, "Let a copy rest", CopyRequest, Changed),
    Endpoint("GET", "/v1/rentals/items/{id}", "server", inside, "The copies of an item", None, ItemCopies,
             problems=_READ),
    Endpoint("GET", "/v1/customers/{id}/rentals", "server", of_customer, "What a customer rents", None,
             list[Subscription], problems=_READ),
    Endpoint("GET", "/v1/customers/{id}/rentals/statement", "server", statement, "The rentals of a customer", None,
             list[RentalLine], problems=_READ, query=(
                 Parameter("after", int, "The number of the last line that is known already"),
                 Parameter("limit", int, f"How many lines at most (default 100, at most {PAGE})"),
             )),
)  # fmt: skip
