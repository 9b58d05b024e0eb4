"""Customers as people look at them: found by an id, their story, and why not another action."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import islice

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.errors import Forgotten, NotFound
from opportune.hub import Hub
from opportune.profiles.people import View
from opportune.services.happened import story as story_of
from opportune.services.supposing import why_not_now
from opportune.wire import Supposed, Why
from opportune.wire.watching import FoundCustomer, PlacementInfo, Story, WhyRequest

MOST = 500
"""Customers, or happenings, of one answer."""

AT_ONCE = 50
"""Customers that are read while others wait: a few milliseconds."""


async def find(door: Door, call: Call) -> list[FoundCustomer]:
    """Return the customers that an id stands for, or a page of all."""
    text, after, limit = call.query.get("find", ""), call.query.get("after", ""), _limit(call, 50)
    if len(text) > 512:
        raise Refused(400, "bad-request", "an id has 512 characters at most", "find")
    if text:
        return await door.writer.do(lambda: _found(door.hub, text))
    found = list[FoundCustomer]()
    while len(found) < limit:  # others have their turn between the parts of a page
        part = await door.writer.do(lambda: _part(door.hub, after, min(AT_ONCE, limit - len(found))))  # noqa: B023
        found += part
        if not part:
            break
        after = part[-1].subject
    return found


async def story(door: Door, call: Call) -> Story:
    """Return the identities of a customer, and what happened, the latest first."""
    customer, limit = call.parameters["id"], _limit(call, 100)
    hub = door.hub

    def work() -> Story:
        with hub.reading():
            view = hub.people.view(customer)
            if view is None:
                raise NotFound(f"there is no customer {customer!r}")
            return story_of(hub, view, door.feed.lately.decisions_of(view.nodes), limit)

    await asyncio.to_thread(door.feed.lately.catch_up, 500)
    door.feed.count()
    return await door.writer.do(work)


async def placements(door: Door, call: Call) -> list[PlacementInfo]:
    """Return the placements of the live catalog."""
    found = [PlacementInfo(name, place.channel.name) for name, place in door.hub.plan.places.items()]
    return sorted(found, key=lambda one: (one.channel, one.name))


async def why(door: Door, call: Call) -> Why:
    """Return why an action would not win now, and the smallest change that would make it win."""
    asked: WhyRequest = call.body
    hub = door.hub
    return await door.writer.do(
        lambda: why_not_now(
            hub, asked.user_id, asked.anonymous_id, asked.suppose or Supposed(), asked.placement, asked.action,
            asked.context,
        )
    )  # fmt: skip


def _found(hub: Hub, text: str) -> list[FoundCustomer]:
    people, found = hub.people, dict[str, FoundCustomer]()

    def add(view: View | None, by: str) -> None:
        if view is not None and view.subject not in found:
            found[view.subject] = FoundCustomer(view.customer, view.subject, by)

    add(people.resolve(text, None), "user id")
    add(people.resolve(None, text), "anonymous id")
    add(people.view(text), "pseudonym")
    with suppress(NotFound, Forgotten):
        add(people.view(hub.ledger.episodes(text).subject), "decision")
    return list(found.values())


def _part(hub: Hub, after: str, limit: int) -> list[FoundCustomer]:
    if not after:
        hub.people.save()
    return [FoundCustomer(view.customer, view.subject, "all") for view in islice(hub.people.after(after), limit)]


def _limit(call: Call, usual: int) -> int:
    text = call.query.get("limit") or str(usual)
    if not (text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= MOST):
        raise Refused(400, "bad-request", f"limit is {text[:20]!r}; give 1 to {MOST}", "limit")
    return int(text)


ENDPOINTS = (
    Endpoint("GET", "/v1/customers", "server", find, "Find customers by an id, or page through all",
             gives=list[FoundCustomer], problems=(400, 401, 403, 429),
             query=(Parameter("find", str, "A user id, an anonymous id, a pseudonym, or the id of a decision"),
                    Parameter("after", str, "Without `find`: the pseudonym that the page comes after"),
                    Parameter("limit", int, "How many at most"))),
    Endpoint("GET", "/v1/customers/{id}/story", "server", story, "What happened to a customer, the latest first",
             gives=Story, query=(Parameter("limit", int, "How many at most"),),
             problems=(400, 401, 403, 404, 410, 429)),
    Endpoint("GET", "/v1/placements", "server", placements, "The placements of the live catalog",
             gives=list[PlacementInfo], problems=(401, 403, 429)),
    Endpoint("POST", "/v1/why", "server", why, "Why an action would not win now, and what would change that",
             WhyRequest, Why, problems=(400, 401, 403, 404, 410, 413, 429)),
)  # fmt: skip
