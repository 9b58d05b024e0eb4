"""The shelf of a hub: recommendations for its customers, by its events, under its catalog."""

from __future__ import annotations

from collections.abc import Sequence, Set
from weakref import WeakKeyDictionary

from opportune.catalog.shelf_types import ITEM_NAMES, ItemsWanted
from opportune.clock import DAY
from opportune.decide.types import hash64
from opportune.errors import BadInput, BadRequest
from opportune.hub import Hub
from opportune.profiles.allowed import statuses
from opportune.profiles.people import View
from opportune.questions import named
from opportune.recommend.feedback import Purpose
from opportune.recommend.ranking import Recommended
from opportune.recommend.shelf import Customer, Shelf
from opportune.rules import Expression, parse

MOST = 100
"""Items of one answer."""

AT_ONCE = 100
"""Events that the shelf hears in one go, which others wait for."""

MOST_LIKES, MOST_WITHOUT = 20, 1_000
"""Words by which a recipient is described, and ids that are not wanted."""

_SHELVES: WeakKeyDictionary[Hub, Shelf] = WeakKeyDictionary()


def shelf_of(hub: Hub) -> Shelf:
    """Return the shelf of a hub, under the catalog that is live. Call it inside of `Hub.group`."""
    shelf = _SHELVES.get(hub)
    if shelf is None:
        identities = hub.people.identities
        shelf = Shelf(hub.store, hub.vault, lambda node: identities.nodes(identities.root(node)))
        _SHELVES[hub] = shelf
    shelf.adopt(hub.plan.catalog.shelf if hub.published else shelf.rules)
    return shelf


def hear(hub: Hub) -> bool:
    """Let the shelf hear events that it has not heard yet; return whether there are more. Call it in `Hub.group`."""
    return shelf_of(hub).catch_up(hub.events, AT_ONCE)


def customer_of(hub: Hub, view: View | None, now: int) -> Customer:
    """Return for whom a recommendation is: their identities, what conditions read of them, the topics they allowed."""
    if view is None:
        return Customer()
    values = dict(view.values(now))
    if "age" not in values:
        values["age"] = view.look("age", now)
    said = statuses(view.state, hub.plan.catalog, now)
    topics = {key.split("/")[2] for key, status in said.items() if status == "granted" and key.count("/") == 2}
    return Customer(view.nodes, values, topics)


def recommend(
    hub: Hub, user: str | None, anonymous: str | None = None, n: int = 10, purpose: Purpose | None = None,
    likes: Sequence[str] = (), of: str = "", without: Set[str] = frozenset(), peek: bool = False,
) -> tuple[View | None, list[Recommended]]:  # fmt: skip
    """Return the customer and the items recommended to them now. Call it in `Hub.group`, after `hear` said no more.

    What was drawn among the new counts as shown, unless it is a `peek`, whose answer stays the same for a day where
    nothing changes. Raises `BadRequest`.
    """
    if user is None and anonymous is None:
        raise BadRequest("name a customer: userId or anonymousId", "userId")
    who = named(user, "userId") if user is not None else named(anonymous, "anonymousId")
    if isinstance(n, bool) or not 1 <= n <= MOST:
        raise BadRequest(f"n is {n}; ask for at least 1 item, and for {MOST} at most", "n")
    if len(likes) > MOST_LIKES or any(len(one) > 200 for one in likes):
        raise BadRequest(f"likes has {len(likes)} words; give at most {MOST_LIKES}, of 200 characters each", "likes")
    if len(without) > MOST_WITHOUT:
        raise BadRequest(f"without has {len(without)} ids; give at most {MOST_WITHOUT}", "without")
    shelf, now = shelf_of(hub), hub.clock.now()
    wanted = ItemsWanted(n, _condition(of)) if of else None
    view = hub.people.resolve(user, anonymous)
    seed = hash64("shelf", who, str(now // DAY)) if peek else hash64(hub.clock.new_id())
    found = shelf.recommend(customer_of(hub, view, now), now, n, purpose, likes, wanted, without, seed)
    if not peek:
        shelf.shown([one.id for one in found if one.explored])
    return view, found


def _condition(text: str) -> Expression:
    try:
        return parse(text, ITEM_NAMES)
    except BadInput as error:
        raise BadRequest(f"of: {error}", "of") from None
