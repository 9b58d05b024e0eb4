"""The shelf of a hub: recommendations for its customers, by its events, under its catalog."""

from __future__ import annotations

from array import array
from collections.abc import Sequence, Set
from itertools import islice

from opportune.catalog.shelf_types import ITEM_NAMES, ItemsWanted
from opportune.clock import DAY, format_span
from opportune.decide.types import hash64
from opportune.errors import BadInput, BadRequest
from opportune.goods import LONGEST_LIKE, MOST_LIKES
from opportune.hub import Hub
from opportune.measure.compare import compare
from opportune.measure.effect import NotEnoughData
from opportune.measure.reading import Fixed
from opportune.measure.sums import Sums
from opportune.profiles.people import View
from opportune.questions import named
from opportune.recommend.feedback import Purpose
from opportune.recommend.ranking import Recommended
from opportune.rules import Expression, parse
from opportune.wire.recommending import MoneyFigure, ShelfRevenue

MOST = 100
"""Items of one answer."""

AT_ONCE = 100
"""Events that the shelf hears in one go, which others wait for."""

MOST_WITHOUT = 1_000
"""Ids that are not wanted."""

PAGE = 100
"""Customers that are looked at in one step, which others wait for."""

ALPHA = 0.05

def hear(hub: Hub) -> bool:
    """Let the shelf hear events that it has not heard yet; return whether there are more. Call it in `Hub.group`."""
    return hub.goods.catch_up(AT_ONCE)


def recommend(
    hub: Hub, user: str | None, anonymous: str | None = None, n: int = 10, purpose: Purpose | None = None,
    likes: Sequence[str] = (), of: str = "", without: Set[str] = frozenset(), peek: bool = False,
    most_without: int = MOST_WITHOUT,
) -> tuple[View | None, list[Recommended]]:  # fmt: skip
    """Return the customer and the items recommended to them now. Call it in `Hub.group`, after `hear` said no more.

    Unless it is a `peek`, it is noted what was recommended and what of it was drawn among the new. The answer to a peek
    stays the same for a day where nothing changes. Customers who are held out of recommendations, or of all marketing,
    get what everybody likes, or none, as `instead` says; the latter do not count. Raises `BadRequest`.
    """
    if user is None and anonymous is None:
        raise BadRequest("name a customer: userId or anonymousId", "userId")
    who = named(user, "userId") if user is not None else named(anonymous, "anonymousId")
    if isinstance(n, bool) or not 1 <= n <= MOST:
        raise BadRequest(f"n is {n}; ask for at least 1 item, and for {MOST} at most", "n")
    if len(likes) > MOST_LIKES or any(len(one) > LONGEST_LIKE for one in likes):
        most = f"at most {MOST_LIKES}, of {LONGEST_LIKE} characters each"
        raise BadRequest(f"likes has {len(likes)} words; give {most}", "likes")
    if len(without) > most_without:
        raise BadRequest(f"without has {len(without)} ids; give at most {most_without}", "without")
    goods, now = hub.goods, hub.clock.now()
    wanted = ItemsWanted(n, _condition(of)) if of else None
    view = hub.people.resolve(user, anonymous, create=not peek)
    seed = hash64("shelf", who, str(now // DAY)) if peek else hash64(hub.clock.new_id())
    control = view is not None and goods.control(view, now)
    held = control or (view is not None and goods.held_out(view))
    none = held and hub.plan.catalog.shelf.instead == "none"
    # what would have been recommended says whether who gets none counts, too
    found = goods.recommend(view, now, n, purpose, likes, wanted, without, seed, personal=none or not held)
    if found and not peek:
        if not none:
            goods.shelf.shown([one.id for one in found if one.explored])
        if view is not None and not control:
            goods.recommended(view, [one.id for one in found], now)
    return view, [] if none else found


def _condition(text: str) -> Expression:
    try:
        return parse(text, ITEM_NAMES)
    except BadInput as error:
        raise BadRequest(f"of: {error}", "of") from None


class Revenue:
    """What recommendations bring: gathered in small steps while others work, then told."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._after = hub, ""
        self._gets, self._held, self._credited = array("d"), array("d"), array("d")

    def step(self) -> bool:
        """Look at some customers; return whether there are more. Call it where nobody else works on the hub."""
        hub, credits = self._hub, self._hub.goods.shelf.credits
        page = list(islice(credits.each(self._after), PAGE))
        for node in page:
            self._after = node
            view = hub.people.view(node)
            # a customer of several identities is met at the first of them
            if view is None or credits.first(view.nodes) != node:
                continue
            rows = credits.each_of(view.nodes)
            revenue = sum(row.revenue for row in rows)
            if hub.goods.held_out(view):
                self._held.append(revenue)
            else:
                self._gets.append(revenue)
                self._credited.append(sum(row.credited for row in rows))
        return len(page) == PAGE

    def told(self) -> ShelfRevenue:
        """Return what was found: the interval of `attributed` is mean +- z s / sqrt(n), `incremental` is compared as a
        mean per customer (`measure.compare`).
        """
        rules = self._hub.plan.catalog.shelf
        gets, reading, n = Sums.of(self._gets), Fixed(ALPHA), len(self._gets)
        incremental, reason = None, ""
        if not rules.holdout:
            reason = "nobody is held out: `shelf: {holdout: 0.05}` in the catalog shows what recommendations change"
        else:
            found = compare("mean", Sums.of(self._held), gets, reading)
            if isinstance(found, NotEnoughData):
                reason = found.reason
            else:
                incremental = MoneyFigure(found.difference, *found.interval, found.difference * n)
        credited = Sums.of(self._credited)
        attributed = None
        if n > 1:
            off = reading.critical(n) * (credited.second[0] / (n - 1) / n) ** 0.5
            mean = credited.mean[0]
            attributed = MoneyFigure(mean, max(mean - off, 0.0), mean + off, mean * n)
        return ShelfRevenue(
            self._hub.plan.catalog.currency, format_span(rules.credit), rules.holdout, n, len(self._held),
            sum(self._gets), attributed, incremental, reason,
        )  # fmt: skip
