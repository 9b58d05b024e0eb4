"""Points at the door: where a customer stands, and what they spend."""

from __future__ import annotations

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter, Reply
from opportune.api.given import id_of, whole
from opportune.api.problems import Refused, problem
from opportune.clock import to_datetime
from opportune.errors import BadRequest
from opportune.offers.point_book import MOST, Moved, NotMoved
from opportune.services.till import Till
from opportune.wire.offering import PointsInfo, PointsMoved, ReverseRequest, SpendRequest, StatementLine

PAGE = 500
"""Lines of one page of a statement, at most."""


async def standing(door: Door, call: Call) -> PointsInfo:
    """Return where a customer stands, with all that was heard of them so far."""
    customer = call.parameters["id"]

    def work() -> PointsInfo:
        till = Till(door.hub)
        found = till.standing(customer)
        ends = to_datetime(till.points.day(found.last_day + 1)) if found.expiring else None
        return PointsInfo(customer, found.points, found.tier, found.expiring, ends)

    return await door.writer.do(work)


async def statement(door: Door, call: Call) -> list[StatementLine]:
    """Return a page of a customer's account, the oldest line first."""
    customer, after, limit = call.parameters["id"], whole(call, "after", 0, 1 << 62), whole(call, "limit", 100, PAGE)

    def work() -> list[StatementLine]:
        return [
            StatementLine(number, to_datetime(e.at), e.kind, e.points, balance, e.reference)
            for number, e, balance in Till(door.hub).statement(customer, after, max(1, limit))
        ]

    return await door.writer.do(work)


async def spend(door: Door, call: Call) -> PointsMoved | Reply:
    """Spend points of a customer: all of them or none, once for each id."""
    asked: SpendRequest = call.body
    id = id_of(asked.id)
    if not 1 <= asked.points <= MOST:
        raise BadRequest(f"points is {asked.points}; spend at least 1", "points")
    return _moved(await door.writer.do(lambda: Till(door.hub).spend(asked.user_id, asked.points, id)))


async def reverse(door: Door, call: Call) -> PointsMoved | Reply:
    """Give points back that were spent, or take back points that were earned; once for each id."""
    asked: ReverseRequest = call.body
    id, of = id_of(asked.id), id_of(asked.of, "of")
    if asked.points is not None and not 1 <= asked.points <= MOST:
        raise BadRequest(f"points is {asked.points}; reverse at least 1, or leave it out for all", "points")
    done = await door.writer.do(lambda: Till(door.hub).reverse(asked.user_id, asked.what, of, id, asked.points))
    return _moved(done)


def _moved(done: Moved | NotMoved) -> PointsMoved | Reply:
    if isinstance(done, Moved):
        return PointsMoved(done.points, done.balance, done.again)
    told = Refused(404 if done.reason == "unknown" else 409, f"points-{done.reason}", done.detail)
    return Reply(problem(told), told.status, "application/problem+json")


_PROBLEMS = (400, 401, 403, 404, 409, 413, 429)
_READ = (400, 401, 403, 404, 410, 429)

ENDPOINTS = (
    Endpoint("GET", "/v1/customers/{id}/points", "server", standing, "Where a customer stands", None, PointsInfo,
             problems=_READ),
    Endpoint("GET", "/v1/customers/{id}/points/statement", "server", statement, "The account of a customer", None,
             list[StatementLine], problems=_READ, query=(
                 Parameter("after", int, "The number of the last line that is known already"),
                 Parameter("limit", int, f"How many lines at most (default 100, at most {PAGE})"),
             )),
    Endpoint("POST", "/v1/points/spend", "server", spend, "Spend points", SpendRequest, PointsMoved,
             problems=_PROBLEMS),
    Endpoint("POST", "/v1/points/reverse", "server", reverse, "Reverse points that were spent or earned",
             ReverseRequest, PointsMoved, problems=_PROBLEMS),
)  # fmt: skip
