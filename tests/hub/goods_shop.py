"""A bookshop for the tests of what decisions carry: a hub whose actions recommend books and give codes."""

from __future__ import annotations

from typing import Any

from opportune.catalog import Catalog
from opportune.catalog.types import ModelSettings
from opportune.hub import Hub
from opportune.testing import FakeClock, tiny_action, tiny_catalog
from opportune.wire import Answered

THEMES = ("horror", "travel", "art")
EACH = 8

NO_ARMS = dict.fromkeys(ModelSettings().arms, 0)

SPRING = {"name": "spring", "value": 10, "budget": 30, "valid": "30d", "prefix": "SPR"}


def card(name: str, place: str = "app.*", channel: str = "app", **more: Any) -> dict[str, Any]:
    return {"name": name, "channel": channel, "placements": [place], "content": {"title": name}, **more}


def action(name: str, value: float = 1.0, **treatment: Any) -> dict[str, Any]:
    return tiny_action(name, value=value, treatments=[card("card", **treatment)])


def catalog(*actions: dict[str, Any], **more: Any) -> Catalog:
    """Return a catalog of a greedy hub, so that the dearest action that fits wins."""
    places = [{"name": name, "channel": "app", "price": 0} for name in ("app.home", "app.side", "app.foot")]
    shelf = {"explore": 0, **more.pop("shelf", {})}
    model = {"explore": "greedy", "random_share": 0, "holdout_share": 0, "ramp": 0, "arms": NO_ARMS}
    return tiny_catalog(**{"actions": list(actions), "placements": places, "shelf": shelf, "model": model, **more})


def shop(*actions: dict[str, Any], store: str = "memory:", books: bool = True, **more: Any) -> Hub:
    hub = Hub.of(catalog(*actions, **more), store=store, clock=FakeClock())
    if books:
        with hub.group():
            hub.goods.shelf.put([book(theme, k) for theme in THEMES for k in range(EACH)], hub.clock.now())
    return hub


def book(theme: str, k: int, **more: Any) -> dict[str, Any]:
    return {"id": f"{theme}-{k}", "title": f"The {theme} volume {k}", "categories": [theme], "price": 10 + k,
            "added": "2024-01-01", **more}  # fmt: skip


_count = iter(range(1_000_000))


def hears(hub: Hub, who: str, event: str, *items: str, **properties: Any) -> None:
    told = {"product_id": items[0]} if len(items) == 1 else {"products": [{"product_id": i} for i in items]}
    hub.ingest({"type": "track", "event": event, "userId": who, "messageId": f"m{next(_count)}",
                "properties": {**(told if items else {}), **properties}})  # fmt: skip


def ids(answer: Answered, number: int = 0) -> list[str]:
    return [item.id for item in answer.actions[number].items]


def themes(answer: Answered, number: int = 0) -> set[str]:
    return {item.partition("-")[0] for item in ids(answer, number)}


def names(answer: Answered) -> list[str]:
    return [offer.action for offer in answer.actions]


def decides_and_fails(hub: Hub, who: str) -> None:
    """Decide about somebody in a transaction that is taken back. Raises `RuntimeError`."""
    with hub.group():
        hub.decide(who, placement="app.home")
        raise RuntimeError("the disk is full")
