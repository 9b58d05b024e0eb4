"""Products to put together: the form is the hub's answer, drawn by a script; saving and ordering go by the shop."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import msgspec

from opportune.api.pages.markup import Html, Inner, tag
from opportune.demo.shop.frame import button, form, hidden, link, page
from opportune.demo.shop.session import fresh
from opportune.demo.shop.site import Answer, Ask, Shop, on
from opportune.errors import BadRequest, NotFound, Stale
from opportune.wire.configured import Chosen, OptionInfo

ABOUT = {
    "bundle": "As much data, calls and texts as you use.",
    "computer": "Part by part. We say at once what goes together.",
    "shoe": "In your colors, for your own foot.",
}


def make(shop: Shop, ask: Ask) -> Answer:
    """Show what can be made, or one of it with its form; `from` in the query begins with a design of somebody."""
    if not ask.rest:
        each = [
            tag("li", link(f"/make/{one.name}", [_drawing(one.name), tag("strong", one.title)]),
                tag("span", ABOUT.get(one.name, ""), class_="dim"),
                tag("span", f"from {shop.money(one.base)}", class_="price"))
            for one in shop.hub.products()
        ]  # fmt: skip
        return page(shop, ask, "Make your own", tag("h1", "Make your own"), tag("ul", each, class_="cards wide"))
    name = ask.one()
    product = next((one for one in shop.hub.products() if one.name == name), None)
    if product is None:
        raise NotFound("This cannot be made here.")
    save = form(f"/save/{name}", hidden(choices=""), button("Save, to share or order", "quiet"), kind="save")
    sign_in = tag("p", link("/account", "Sign in"), " to save it and to order.", class_="dim")
    return page(
        shop, ask, product.title, tag("h1", product.title), tag("p", ABOUT.get(name, ""), class_="lead"),
        tag("noscript", tag("p", "This form asks the hub at each step, and needs JavaScript.")),
        tag("div",
            tag("div", tag("div", id="conflicts", role="alert"),
                tag("div", tag("p", "Asking what is possible …", class_="dim"), id="options")),
            tag("div",
                tag("div", _drawing(name), class_="drawing", id="drawing"),
                tag("section", tag("h2", "Price so far"), tag("p", class_="big", id="price"),
                    tag("dl", class_="sums", id="sums"),
                    tag("p", id="missing", class_="hint"),
                    tag("div", button("Complete it for me", "", type="button", id="complete"), class_="row"),
                    save if ask.session.user else sign_in,
                    class_="panel"), class_="stack side"),
            class_="two make", id="make", data_product=name, data_design=ask.query.get("from")),
        script="make.js",
    )  # fmt: skip


def save(shop: Shop, ask: Ask) -> Answer:
    """Save a design, and lead on to the page that can be shared."""
    session = ask.session
    if session.user is None:
        return on("/account")
    try:
        choices = msgspec.json.decode(ask.form.get("choices", "{}"), type=dict[str, Chosen])
    except msgspec.MsgspecError:
        raise BadRequest("The design did not arrive whole. Go back and try again.") from None
    design = shop.hub.save_configuration(ask.one(), choices, session.user)
    session.notice = "Saved. Give the address of this page to whom you like."
    return on(f"/design/{design.id}")


def design(shop: Shop, ask: Ask) -> Answer:
    """Show a design to whoever has its address."""
    found = shop.hub.configuration(ask.one())
    info = shop.hub.configure(found.product, found.choices)
    rows = [[tag("dt", option.title), tag("dd", _words(option, found.choices[option.name]))] for option in info.options
            if option.name in found.choices]  # fmt: skip
    titles = {option.name: option for option in info.options}
    fields: list[Inner] = []
    for name in found.missing:
        option = titles[name]
        if option.values:
            control = tag("select", [tag("option", one.title, value=msgspec.json.encode(one.value).decode())
                                     for one in option.values if one.possible is not False],
                          name=name, id=name)  # fmt: skip
        else:
            low, high = option.lowest or option.min or 0.0, option.highest or option.max or 0.0
            control = tag("input", type="number", name=name, id=name, min=f"{low:g}", max=f"{high:g}", required=True,
                          step=f"{option.step or 1:g}")  # fmt: skip
        unit = f" ({option.unit})" if option.unit else ""
        fields.append(tag("div", tag("label", f"{option.title}{unit}", for_=name), control, class_="field"))
    order: Inner = [link("/account", "Sign in"), " to order it."]
    if ask.session.user:
        order = form(f"/order/{found.id}", fields, button("Order it", name="ordered", value="1"))
    return page(
        shop, ask, found.title, tag("h1", found.title),
        tag("p", f"A design by a customer, {_often(found.orders)}. Who designed it gets points when others order.",
            class_="lead"),
        tag("div",
            tag("section", tag("div", _drawing(found.product, found.choices), class_="drawing"),
                tag("dl", rows, class_="sums"), class_="panel"),
            tag("section", tag("p", shop.money(found.price.lowest or found.price.now), class_="big"),
                tag("div", order),
                tag("div", tag("label", "To share it, give this address", for_="address"),
                    tag("input", id="address", readonly=True, value=f"{shop.address}{ask.path}"), class_="field"),
                tag("p", link(f"/make/{found.product}?from={found.id}", "Change it to your own")),
                class_="panel"), class_="two"),
    )  # fmt: skip


def order(shop: Shop, ask: Ask) -> Answer:
    """Order a design with what it leaves open."""
    session, id = ask.session, ask.one()
    if session.user is None:
        return on("/account")
    choices: dict[str, Chosen] = {}
    for name, text in ask.form.items():
        if name != "ordered" and text:
            choices[name] = _value(text)
    try:
        done = shop.hub.order_configuration(id, f"d-{fresh()[:12]}", session.user, choices)
    except (Stale, BadRequest) as error:
        session.notice = f"It could not be ordered: {error}"
        return on(f"/design/{id}")
    shop.tell(session, "Order Completed", {"order_id": done.order_id, "revenue": done.price, "currency": done.currency})
    points = f" Who designed it got {done.points} points." if done.points else ""
    session.notice = f"Ordered for {shop.money(done.price)}.{points}"
    return on("/account")


def _value(text: str) -> Chosen:
    """Return what a field says: a number, yes or no, or a word."""
    try:
        return msgspec.json.decode(text, type=str | float | bool)
    except msgspec.MsgspecError:
        return text


def _often(orders: int) -> str:
    return {0: "not ordered yet", 1: "ordered once"}.get(orders, f"ordered {orders} times")


def _words(option: OptionInfo, value: Chosen) -> str:
    named = next((one.title for one in option.values if one.value == value), "")
    return named or f"{value:g} {option.unit}"


def _drawing(name: str, choices: Mapping[str, Chosen] = {}) -> Html:
    """Return the drawing of a product; the style sheet colors its parts as `data-color` and others say."""
    parts: dict[str, str | bool | None] = {f"data_{part}": str(value) for part, value in choices.items()}
    drawn = files(__package__).joinpath(f"drawings/{name}.svg")
    inner = Html(drawn.read_text("utf-8")) if name in ABOUT else None
    return tag("svg", inner, viewBox="0 0 320 200", class_=f"draw {name}", aria_hidden="true", **parts)
