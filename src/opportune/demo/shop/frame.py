"""What every page of the shop has: head, way through the shop, consent, what the hub thinks, footer."""

from __future__ import annotations

from opportune.api.pages.markup import Html, Inner, tag
from opportune.demo.shop.goods import SHELVES, Product
from opportune.demo.shop.site import Answer, Ask, Shop, shown
from opportune.errors import OpportuneError

NAME = "Fable & Fiber"


def page(
    shop: Shop, ask: Ask, title: str, *inner: Inner, slots: str = "", status: int = 200, script: str = ""
) -> Answer:  # fmt: skip
    """Return a page. `slots` is the page of the catalog whose slots it has, `script` a script that it needs besides."""
    session = ask.session
    notice, session.notice = session.notice, ""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{title} – {NAME}"),
        tag("link", rel="icon", href="/static/icon.svg"),
        tag("link", rel="stylesheet", href="/static/shop.css"),
        tag("script", src="/static/shop.js", **_visit(shop, ask, slots)),
        _tag_of_hub(shop, ask),
        tag("script", src=f"/static/{script}", defer=True, data_hub=shop.hub_address, data_key=shop.key,
            data_token=shop.token(session) or None) if script else None,
    )  # fmt: skip
    body = tag(
        "body",
        tag("a", "Skip to the content", class_="skip", href="#content"),
        _header(ask),
        _gift_bar(ask) if session.gift else None,
        tag("main", tag("p", notice, class_="notice", role="status") if notice else None, inner, id="content",
            tabindex="-1"),
        _thoughts() if slots else None,
        _footer(ask),
        _consent(ask) if session.consent is None else None,
    )  # fmt: skip
    return shown(tag("html", head, body, lang="en"), status)


def problem(shop: Shop, ask: Ask, error: OpportuneError, status: int) -> Answer:
    """Return the page that an error is."""
    title = {404: "Not here", 400: "That did not work"}.get(status, "One moment, please")
    return page(shop, ask, title, tag("h1", title), tag("p", str(error)), tag("p", link("/", "To the start", "button")),
                status=status)  # fmt: skip


def link(href: str, text: Inner, kind: str = "", **attributes: str | bool | None) -> Html:
    """Return a link; `kind` is its class."""
    return tag("a", text, href=href, class_=kind or None, **attributes)


def form(action: str, *inner: Inner, kind: str = "", back: str = "") -> Html:
    """Return a form that is sent to the shop; `back` is the page to which its answer leads."""
    way = tag("input", type="hidden", name="back", value=back) if back else None
    return tag("form", way, inner, method="post", action=action, class_=kind or None)


def button(text: str, kind: str = "", **attributes: str | bool | None) -> Html:
    """Return a button that sends its form; `kind` is `quiet`, `small` or both."""
    return tag("button", text, class_=kind or None, **attributes)


def hidden(**values: str) -> list[Html]:
    """Return fields of a form that nobody sees."""
    return [tag("input", type="hidden", name=name, value=value) for name, value in values.items()]


def card(shop: Shop, product: Product, reason: str = "") -> Html:
    """Return a product as lists show it, with the reason why it is there."""
    return tag(
        "li",
        tag("a", tag("img", src=f"/picture/{product.id}.svg", alt="", width="240", height="240", loading="lazy"),
            tag("strong", product.title), tag("span", product.by, class_="dim"), href=f"/product/{product.id}"),
        tag("span", shop.money(product.price) + (" to buy" if product.is_rented else ""), class_="price"),
        tag("span", reason, class_="reason") if reason else None,
    )  # fmt: skip


def cards(shop: Shop, products: list[tuple[Product, str]]) -> Html:
    """Return products beside each other, each with its reason."""
    return tag("ul", [card(shop, product, reason) for product, reason in products], class_="cards")


def _visit(shop: Shop, ask: Ask, slots: str) -> dict[str, str | None]:
    """Return what the script of the shop needs to know before that of the hub runs."""
    session = ask.session
    return {
        "data_page": slots or None, "data_visitor": session.visitor if session.consent and not session.user else None,
        "data_purpose": "gift" if session.gift else "self", "data_likes": session.likes or None,
    }  # fmt: skip


def _tag_of_hub(shop: Shop, ask: Ask) -> Html:
    session = ask.session
    return tag(
        "script", src=f"{shop.hub_address}/v1/opportune.js", async_=True, data_key=shop.key, data_wait=str(shop.wait),
        data_consent="denied" if session.consent is False else None, data_user=session.user,
        data_token=shop.token(session) or None, data_peek=True,
    )  # fmt: skip


def _header(ask: Ask) -> Html:
    session, here = ask.session, ask.path
    ways = [(f"/browse?category={one}", one.capitalize()) for one in SHELVES]
    ways += [("/make", "Make your own"), ("/rent", "Rent")]
    count = sum(session.basket.values())
    current = f"{here}?category={ask.query.get('category', '')}" if here == "/browse" else f"/{here.split('/')[1]}"
    return tag(
        "header",
        tag("div",
            link("/", NAME, "brand"),
            tag("form", tag("label", "Search the shop", for_="q", class_="unseen"),
                tag("input", type="search", name="q", id="q", placeholder="Search", value=ask.query.get("q", "")),
                method="get", action="/browse", role="search"),
            tag("nav",
                link("/account", session.name if session.user else "Sign in"),
                link("/basket", ["Basket", tag("span", str(count), class_="count") if count else None]),
                aria_label="Yours", class_="yours"), class_="top"),
        tag("nav", [link(href, text, aria_current="page" if href == current else None) for href, text in ways],
            aria_label="Shop", class_="ways"),
    )  # fmt: skip


def _gift_bar(ask: Ask) -> Html:
    likes = ask.session.likes.replace("|", ", ")
    words = f"You are looking for a gift for somebody who likes {likes}." if likes else "You are looking for a gift."
    return tag(
        "div", tag("p", words, " Your own taste rests meanwhile."),
        form("/gift", hidden(on=""), button("For myself again", "small quiet"), back="/"), class_="bar", id="gift-bar",
    )  # fmt: skip


def _thoughts() -> Html:
    return tag(
        "aside",
        tag("details", tag("summary", "What the hub thinks"),
            tag("div", tag("p", "It has not answered yet.", class_="dim"), id="thoughts", aria_live="polite")),
        class_="thoughts", aria_label="What the hub thinks",
    )  # fmt: skip


def _consent(ask: Ask) -> Html:
    said = (
        "May we know you again on your next page? Then what you look at shapes what we show. "
        "Until you say yes, nothing is kept in your browser and nothing about you in the hub."
    )
    answers = [button("Yes", name="yes", value="1"), button("No", "quiet", name="yes", value="")]
    return tag("section", tag("p", said), form("/consent", tag("div", answers, class_="row"), back=ask.path),
               class_="consent", aria_label="Consent", id="consent")  # fmt: skip


def _footer(ask: Ask) -> Html:
    agreed = ask.session.consent
    word = "You agreed to be known again. " if agreed else "You are not known again. "
    switch = form("/consent", hidden(yes="" if agreed else "1"),
                  button("Take that back" if agreed else "Change that", "small quiet"), back=ask.path)  # fmt: skip
    return tag(
        "footer",
        tag("p", f"{NAME} is not a real shop: it belongs to the demo of Opportune, and nobody sends anything."),
        tag("div", tag("p", word), switch, class_="row") if agreed is not None else None,
    )  # fmt: skip
