"""Where customers stand with their points: events earn, what has ended ends, and their profiles are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from opportune.decide.plan import Plan
from opportune.errors import NotFound
from opportune.offers import told
from opportune.offers.point_book import PointBook
from opportune.profiles.fields import event_name
from opportune.profiles.people import People

if TYPE_CHECKING:
    from opportune.events.types import Event
    from opportune.store.base import Rows, Store
    from opportune.store.vault import Vault


class Standings:
    """The points of a hub's customers. What writes joins the caller's transaction; whoever calls takes the news in."""

    def __init__(self, store: Store, vault: Vault, people: People, log: Rows) -> None:
        self._store, self._vault, self._people, self._log = store, vault, people, log
        self._plan: Plan | None = None
        self._earning: frozenset[str] = frozenset()

    def adopt(self, plan: Plan) -> None:
        """Go on under a catalog."""
        self._plan, loyalty = plan, plan.catalog.loyalty
        self._earning = frozenset(earn.event for earn in loyalty.earn) if loyalty else frozenset()

    def earns(self, events: Iterable[Event]) -> bool:
        """Return whether one of some events may earn points: at no cost where there are none."""
        return bool(self._earning) and any(event_name(event) in self._earning for event in events)

    @property
    def has_points(self) -> bool:
        """Whether the catalog has points."""
        return self._plan is not None and self._plan.catalog.loyalty is not None

    @property
    def book(self) -> PointBook:
        """The points as the live catalog has them; `NotFound` if it has none."""
        catalog = self._plan.catalog if self._plan else None
        if catalog is None or catalog.loyalty is None:
            raise NotFound("the catalog that is live has no `loyalty`; add it to have points")
        return PointBook(self._store, self._vault, catalog.loyalty, catalog.time_zone)

    def catch_up(self, now: int, most: int) -> tuple[list[dict[str, Any]], bool]:
        """Let events that wait earn, end what has ended; return the events that tell of it, and whether more waits."""
        book = self.book
        changed, more = book.catch_up(self._log, now, most)
        ended, later = book.pass_time(now, most)
        return self.news([*changed, *ended], now), more or later

    def news(self, nodes: Sequence[str], now: int) -> list[dict[str, Any]]:
        """Return the events that tell customers, named by pseudonyms, what their profiles do not say yet."""
        book, found = self.book, list[dict[str, Any]]()
        views = {view.subject: view for node in nodes if (view := self._people.view(node))}
        for view in views.values():
            if (soon := book.notices(view.nodes, now)) is not None:
                points, last = soon
                found += told.expiring(view, points, book.day(last + 1))
            found += told.standing(view, now, book.standing(view.nodes, now))
        return found
