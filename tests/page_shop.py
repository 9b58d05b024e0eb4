"""A bookshop with a home page of four slots, for the tests of personal pages."""

from __future__ import annotations

from typing import Any

from opportune.testing import tiny_action

ADDRESS = "https://www.shop.example/books/horror?utm_source=news&utm_campaign=halloween"


def banner(name: str, slot: str, value: float = 1, channel: str = "web", **more: Any) -> dict[str, Any]:
    """Return an action with one treatment for the slot of this placement; what is left of `more` is of the action."""
    content = more.pop("content", {"title": name, "url": f"/go/{name}"})
    forms = {key: more.pop(key) for key in ("languages", "items") if key in more}
    treatment = {"name": "banner", "channel": channel, "placements": [slot], "content": content, **forms}
    outcomes = {"positive": ["click", "accept"], "negative": ["dismiss"], "window": "1d"}
    return tiny_action(name, value=value, outcomes=outcomes, treatments=[treatment], **more)


HERO = "web.home.hero"

CATALOG: dict[str, Any] = {
    "currency": "EUR",
    "time_zone": "UTC",
    "language": "en",
    "traits": [{"name": "reads", "type": "text"}],
    "features": [{"name": "horror_views", "event": "Page Viewed", "where": "page = 'horror'", "aggregate": "count",
                  "window": "7d", "by": "1h"}],
    "context": [{"name": "gpc", "type": "bool"}, {"name": "basket", "type": "number"},
                *({"name": name, "type": "text"} for name in
                  ("referrer_host", "page_host", "page_path", "utm_campaign", "device", "language", "shelf"))],
    "placements": [{"name": HERO, "channel": "web"}, {"name": "web.home.tiles", "channel": "web"},
                   {"name": "web.home.text", "channel": "web"}, {"name": "web.product.shelf", "channel": "web"},
                   {"name": "app.home.banner", "channel": "app"},
                   {"name": "email.weekly", "channel": "email"}],
    "actions": [
        banner("welcome", HERO, content={"title": "Welcome", "text": "Free returns", "url": "/help", "image": "/a.png"},
               languages={"de": {"title": "Willkommen"}}),
        banner("from_search", HERO, 10, applicable="referrer_host = 'search.example'"),
        banner("halloween", HERO, 20, applicable="utm_campaign = 'halloween' AND page_path LIKE '/books/%'"),
        banner("pocket", HERO, 30, applicable="device = 'mobile'"),
        banner("ghosts", HERO, 40, applicable="horror_views >= 2"),
        banner("basket", HERO, 50, applicable="basket > 100"),
        banner("private", HERO, 60, applicable="gpc"),
        *(banner(f"tile_{n}", "web.home.tiles", 20**n) for n in range(1, 6)),  # in this order, whatever is learned
        banner("blurb", "web.home.text", applicable="shelf = 'front'",
               content={"title": "<img src=x onerror=boom()>", "text": "{{ traits.reads | default: 'books' }}",
                        "url": "javascript:boom()"}),
        banner("native", "app.home.banner", channel="app"),
        banner("like_this", "web.product.shelf", items={"n": 2}),
    ],
    "pages": [
        {"name": "home", "context": {"shelf": "front"}, "slots": [
            {"name": "hero", "placement": HERO}, {"name": "tiles", "placement": "web.home.tiles", "limit": 3},
            {"name": "text", "placement": "web.home.text"}, {"name": "native", "placement": "app.home.banner"}]},
        {"name": "product", "slots": [{"name": "hero", "placement": HERO}]},
        {"name": "shelf", "slots": [{"name": "books", "placement": "web.product.shelf"}]},
    ],
    "shelf": {"explore": 0},
    "model": {"explore": "greedy", "random_share": 0},
}  # fmt: skip

BOOKS = [{"id": f"b{n}", "title": f"<i>Book {n}</i>", "url": f"/books/{n}", "price": n + 0.5, "margin": 3,
          "categories": [f"c{n}"]} for n in range(4)]  # fmt: skip
