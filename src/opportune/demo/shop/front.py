"""The start of the shop, its shelves, and the page of a product."""

from __future__ import annotations

from opportune.api.pages.markup import Html, Inner, tag
from opportune.demo.shop.frame import button, card, cards, form, hidden, link, page
from opportune.demo.shop.goods import SHELVES, Product
from opportune.demo.shop.session import fresh
from opportune.demo.shop.site import Answer, Ask, Shop, on

STAND_INS = ("book-moon", "acc-over", "phone-photo", "book-hound", "acc-light", "plan-daily")
"""What a visitor sees who is not known, or whose hub is away."""

TASTES = ("horror", "crime", "travel", "love", "science", "music", "reading")


def home(shop: Shop, ask: Ask) -> Answer:
    """Show the start: three slots that the hub fills, each with a content of its own for when it does not."""
    offer = tag(
        "template", tag("p", "A thought for you", class_="over"), tag("h2", data_field="title"),
        tag("p", data_field="text"), tag("a", data_href="url", data_field="button", class_="button"),
    )  # fmt: skip
    hero = tag(
        "section", tag("h2", "Good things, and time for them"), tag("p", "Phones, books, and what goes with them."),
        link("/browse", "Look around", "button"), offer, data_opportune="hero", class_="hero",
    )  # fmt: skip
    tile = tag(
        "template",
        tag("article", tag("h3", data_field="title"), tag("p", data_field="text"),
            tag("p", tag("span", data_field="code", class_="code")),
            tag("div", tag("a", data_href="url", data_field="button"),
                tag("button", "Not for me", class_="plain", data_outcome="dismiss"), class_="row")))  # fmt: skip
    usual = [
        tag("article", tag("h3", title), tag("p", text), link(url, "Look"))
        for title, text, url in (
            ("Rent, then send back", "Try it at home first.", "/rent"),
            ("A shoe in your colors", "For your own foot.", "/make/shoe"),
            ("A bundle of your size", "No gigabyte too many.", "/make/bundle"),
        )
    ]
    tiles = tag("section", usual, tile, data_opportune="tiles", class_="tiles", aria_label="Ideas")
    item = tag(
        "template",
        tag("ul", tag("template", tag("li",
            tag("a", tag("img", data_field="image", data_alt="alt", width="240", height="240"),
                tag("strong", data_field="title"), data_href="url"),
            tag("span", data_field="reason", class_="reason")), data_items=True), class_="cards"))  # fmt: skip
    stand_ins = [card(shop, shop.goods.all[id], "liked by many") for id in STAND_INS if id in shop.goods.all]
    picks = tag("section", tag("ul", stand_ins, class_="cards"), item, data_opportune="picks")
    return page(shop, ask, "Start", tag("h1", "Fable & Fiber", class_="unseen"), hero, tiles,
                tag("h2", "For your friend" if ask.session.gift else "For you"), picks, _gift(ask),
                slots="front")  # fmt: skip


def browse(shop: Shop, ask: Ask) -> Answer:
    """Show what is for sale, narrowed by category and words."""
    category, words = ask.query.get("category", ""), ask.query.get("q", "")
    found = shop.goods.found(words, category)
    title = category.capitalize() if category else "Everything"
    if words:
        title = f"“{words}”"
    group = next((s for s in SHELVES if any(s in one.categories for one in shop.goods.of(category))), "")
    kinds = shop.goods.kinds(group) if group else []
    narrower = tag("nav", [link(f"/browse?category={kind}", kind.capitalize(), "chip",
                                aria_current="page" if kind == category else None) for kind in (group, *kinds)],
                   aria_label="Kinds", class_="chips") if kinds else None  # fmt: skip
    told = tag("p", f"{len(found)} product{'' if len(found) == 1 else 's'}", class_="dim")
    nothing = tag("p", "Nothing has all of these words. Try fewer, or ", link("/browse", "look at everything"), ".")
    if words or category:
        shop.tell(ask.session, "Products Searched" if words else "Product List Viewed",
                  {"query": words} if words else {"category": category})  # fmt: skip
    return page(shop, ask, title, tag("h1", title), narrower, told,
                cards(shop, [(one, "") for one in found]) if found else nothing)  # fmt: skip


def product(shop: Shop, ask: Ask) -> Answer:
    """Show a product, and what the hub recommends beside it now that it was looked at."""
    one, session = shop.product(ask.one()), ask.session
    shop.tell(session, "Product Viewed", {"product_id": one.id, "name": one.title, "price": one.price})
    likes = [*session.likes.split("|")] if session.gift and session.likes else []
    found = shop.hub.recommend(
        session.user, None if session.user else session.visitor or fresh(), n=6,
        purpose="gift" if session.gift else None, likes=likes or ([] if session.known else list(one.categories)),
        of="category = 'gear'" if one.is_rented else "category <> 'gear'", without=[one.id, *_in_basket(ask)],
        peek=not session.known,
    ).items  # fmt: skip
    beside = [(shop.goods.all[r.id], r.reason) for r in found if r.id in shop.goods.all]
    thought = [tag("li", tag("strong", shop.goods.all[r.id].title), f": {r.reason} ",
                   tag("span", f"({r.part}, {r.score:.2f})", class_="dim")) for r in found if r.id in shop.goods.all]
    return page(
        shop, ask, one.title,
        tag("article",
            tag("img", src=f"/picture/{one.id}.svg", alt="", width="480", height="480"),
            tag("div", _crumbs(one), tag("h1", one.title), tag("p", f"by {one.by}", class_="dim"),
                tag("p", one.text, class_="lead"),
                tag("p", shop.money(one.price), class_="price"), _buy(one), _stock(one),
                tag("div", tag("p", "Delivered in two days."), tag("template", tag("p", data_field="text")),
                    data_opportune="note", class_="note")), class_="product"),
        tag("section", tag("h2", "For your friend, too" if session.gift else "Goes with what you look at"),
            cards(shop, beside)) if beside else None,
        tag("template", tag("h3", "Beside this product"), tag("ul", thought), id="more-thoughts") if thought else None,
        slots="goods",
    )  # fmt: skip


def gift(shop: Shop, ask: Ask) -> Answer:
    """Take in for whom a visit is, and what the recipient likes."""
    session = ask.session
    session.gift, likes = bool(ask.form.get("on")), ask.form.get("likes", "")
    session.likes = likes if session.gift and likes in TASTES else ""
    return on(f"/browse?category={session.likes}" if session.likes in TASTES[:5] else ask.form.get("back", "/"))


def consent(shop: Shop, ask: Ask) -> Answer:
    """Take in whether the visitor may be known again."""
    ask.session.agree(bool(ask.form.get("yes")))
    return on(ask.form.get("back", "/"))


def _gift(ask: Ask) -> Inner:
    if ask.session.gift:
        return None
    choice = tag("select", tag("option", "anything", value=""),
                 [tag("option", f"{one} stories" if one == "love" else one, value=one) for one in TASTES],
                 name="likes", id="likes")  # fmt: skip
    return tag(
        "section", tag("div", tag("h2", "Looking for a gift?"),
                       tag("p", "Say what they like. It will not change what we think that you like.")),
        form("/gift", hidden(on="1"), tag("label", "They like", for_="likes"), choice, button("Find a gift"),
             kind="row"), class_="panel", id="gift",
    )  # fmt: skip


def _crumbs(one: Product) -> Html:
    return tag("nav", [link(f"/browse?category={word}", word.capitalize(), "chip") for word in one.categories],
               aria_label="Categories", class_="chips")  # fmt: skip


def _buy(one: Product) -> Html:
    if one.is_rented:
        return form("/rent/add", hidden(item=one.id), button("Put it on my list to rent"))
    return form("/basket/add", hidden(product=one.id), button("Put it in the basket"))


def _stock(one: Product) -> Inner:
    if one.stock is None or one.is_rented:
        return None
    return tag("p", f"{one.stock} in stock" if one.stock > 10 else f"The last {one.stock}", class_="dim")


def _in_basket(ask: Ask) -> list[str]:
    return [line.product for line in ask.session.basket]
