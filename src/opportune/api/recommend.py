"""Items at the door: recommended to customers, kept on the shelf, and learned about in the background."""

from __future__ import annotations

import asyncio

from opportune.api.at_work import AtWork
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.api.who import browser_customer, text_id
from opportune.clock import to_datetime
from opportune.errors import NotFound
from opportune.recommend.item import whole
from opportune.recommend.learning import Gathering
from opportune.recommend.model import dump
from opportune.services.shelves import Revenue, hear, recommend
from opportune.wire.recommending import (
    ItemsPage,
    ItemsRequest,
    ItemsTaken,
    Recommendations,
    RecommendedItem,
    RecommendRequest,
    ShelfRevenue,
    ShelfState,
)

MOST_ITEMS = 5_000
"""Items of one request."""

PAGE = 1_000
"""Items of one answer."""


class ShelfAtWork(AtWork):
    """Trains the model of a door's shelf when it has grown old."""

    every, failed = 60.0, "the shelf was not learned"

    async def look(self) -> None:
        """Learn what came since, and train anew if that is due."""
        if await self._door.writer.do(self._door.hub.goods.behind):
            await caught_up(self._door)
        if await self._door.writer.do(self._due):
            await trained(self._door)

    def _due(self) -> bool:
        hub = self._door.hub
        if not hub.published:
            return False
        shelf = hub.goods.shelf
        return shelf.learned.due(hub.clock.now()) and len(shelf.items) > 0


async def caught_up(door: Door) -> None:
    """Let the shelf hear every event that is there."""
    while await door.writer.do(lambda: hear(door.hub)):
        await asyncio.sleep(0)


async def recommended(door: Door, call: Call) -> Recommendations:
    """Recommend items: by the lasting taste and the running visit, or for a gift."""
    asked: RecommendRequest = call.body
    assert call.key is not None
    browser = call.key.kind == "write"
    user, anonymous = text_id(asked.user_id, "userId"), text_id(asked.anonymous_id, "anonymousId")
    who = browser_customer(door, user, anonymous, asked.user_token) if browser else None
    if browser and asked.of:
        raise Refused(403, "server-key-needed", "a condition on items needs a server key", "of")
    by = (who.user, who.anonymous) if who else (user, anonymous)
    await caught_up(door)

    def work() -> Recommendations:
        if who:
            who.check(door.hub)
        hear(door.hub)  # what came in the same group
        view, found = recommend(
            door.hub, *by, asked.n, asked.purpose, asked.likes, asked.of, frozenset(asked.without), asked.peek
        )
        name = view.customer if view else by[0] or by[1] or ""
        items = [
            RecommendedItem(r.id, r.reason, r.score, r.part, r.because, r.probability, r.explored, r.item)
            for r in found
        ]
        return Recommendations(name, to_datetime(door.hub.clock.now()), items)

    return await door.writer.do(work)


async def take_items(door: Door, call: Call) -> ItemsTaken:
    """Add items, or put them in the place of those of the same ids: all of the request or none."""
    asked: ItemsRequest = call.body
    if len(asked.items) > MOST_ITEMS:
        raise Refused(413, "too-many", f"{len(asked.items):,} items; send at most {MOST_ITEMS:,} at once", "items")

    def work() -> ItemsTaken:
        shelf = door.hub.goods.shelf
        return ItemsTaken(shelf.put(asked.items, door.hub.clock.now()), int(shelf.items.column("alive").sum()))

    return await door.writer.do(work, size=len(call.raw))


async def list_items(door: Door, call: Call) -> ItemsPage:
    """Return items by id, a page at a time."""
    after, limit = call.query.get("after", ""), call.query.get("limit", "100")
    if not limit.isdecimal() or not 1 <= int(limit) <= PAGE:
        raise Refused(400, "bad-request", f"limit is {limit[:20]!r}; give a whole number from 1 to {PAGE:,}", "limit")

    def work() -> ItemsPage:
        found = []
        for item in door.hub.goods.shelf.items.each(after):
            found.append(item)
            if len(found) > int(limit):
                break
        more = len(found) > int(limit)
        return ItemsPage([whole(item) for item in found[: int(limit)]], found[int(limit) - 1].id if more else None)

    return await door.writer.do(work)


async def one_item(door: Door, call: Call) -> dict[str, object]:
    """Return everything about an item."""

    def work() -> dict[str, object]:
        item = door.hub.goods.shelf.items.get(call.parameters["id"])
        if item is None:
            raise NotFound(f"there is no item {call.parameters['id'][:60]!r}")
        return whole(item)

    return await door.writer.do(work)


async def remove_item(door: Door, call: Call) -> dict[str, bool]:
    """Take an item off the shelf."""
    return {"removed": await door.writer.do(lambda: door.hub.goods.shelf.remove([call.parameters["id"]])) > 0}


async def state(door: Door, call: Call) -> ShelfState:
    """Return what the shelf holds, and how well its model finds what customers took."""
    return await door.writer.do(lambda: _state(door))


async def revenue(door: Door, call: Call) -> ShelfRevenue:
    """Return what recommendations bring: what was bought after them, and what they changed."""
    await caught_up(door)
    found = Revenue(door.hub)
    while await door.writer.do(found.step):
        await asyncio.sleep(0)
    return await door.writer.do(found.told)


async def train(door: Door, call: Call) -> ShelfState:
    """Train the model of the shelf now, and return what it has learned."""
    await trained(door)
    return await door.writer.do(lambda: _state(door))


async def trained(door: Door) -> None:
    """Gather what customers had to do with items, train beside the event loop, and go on with the new model."""
    await caught_up(door)
    gathering = await door.writer.do(lambda: _gathering(door))
    while await door.writer.do(gathering.step):
        await asyncio.sleep(0)
    model = await asyncio.to_thread(gathering.train)
    data = await asyncio.to_thread(dump, model)

    def take() -> None:
        with door.hub.group():
            door.hub.goods.shelf.learned.take(model, gathering.touches, data)

    await door.writer.do(take, alone=True)


def _gathering(door: Door) -> Gathering:
    shelf = door.hub.goods.shelf
    return Gathering(shelf.tastes, shelf.items, shelf.rules, door.hub.clock.now())


def _state(door: Door) -> ShelfState:
    shelf = door.hub.goods.shelf
    kept, items = shelf.learned.kept, int(shelf.items.column("alive").sum())
    if kept is None:
        return ShelfState(items, None, 0, {}, {})
    return ShelfState(items, to_datetime(kept.trained), kept.touches, kept.judged, kept.weights)


_PROBLEMS = (400, 401, 403, 404, 413, 429)
_PAGE = (
    Parameter("after", str, "The `next` of the page before"),
    Parameter("limit", int, f"How many, {PAGE:,} at most"),
)

ENDPOINTS = (
    Endpoint("POST", "/v1/recommend", "browser", recommended, "Items for a customer, each with a reason",
             RecommendRequest, Recommendations, problems=_PROBLEMS),
    Endpoint("POST", "/v1/items", "server", take_items, "Put items on the shelf", ItemsRequest, ItemsTaken,
             problems=_PROBLEMS, largest=16 << 20),
    Endpoint("GET", "/v1/items", "server", list_items, "The items, a page at a time", None, ItemsPage, query=_PAGE,
             problems=_PROBLEMS),
    Endpoint("GET", "/v1/items/{id}", "server", one_item, "Everything about an item", None, dict[str, object],
             problems=_PROBLEMS),
    Endpoint("DELETE", "/v1/items/{id}", "server", remove_item, "Take an item off the shelf", None, dict[str, bool],
             problems=_PROBLEMS),
    Endpoint("GET", "/v1/shelf", "server", state, "What the shelf holds and has learned", None, ShelfState,
             problems=_PROBLEMS),
    Endpoint("GET", "/v1/shelf/revenue", "server", revenue, "What recommendations bring, attributed and incremental",
             None, ShelfRevenue, problems=_PROBLEMS),
    Endpoint("POST", "/v1/shelf/train", "admin", train, "Train the model of the shelf now", None, ShelfState,
             problems=_PROBLEMS),
)  # fmt: skip
