"""The basket: what it costs with a coupon and points, and the order."""

from __future__ import annotations

from typing import Any

from opportune.api.pages.markup import Html, Inner, tag
from opportune.demo.shop.frame import button, form, hidden, link, page
from opportune.demo.shop.session import Line, Session, fresh
from opportune.demo.shop.site import Answer, Ask, Shop, on
from opportune.errors import BadRequest, NotFound, OpportuneError, Stale

POINT = 0.1
"""What a point is worth at the till."""


def basket(shop: Shop, ask: Ask) -> Answer:
    """Show the basket."""
    session = ask.session
    if not session.basket:
        return page(shop, ask, "Basket", tag("h1", "Your basket"), tag("p", "It is empty so far."),
                    tag("p", link("/browse", "Look around", "button")))  # fmt: skip
    total = _total(shop, session)
    discount, said = _discount(shop, session)
    points = shop.hub.points(session.user).points if session.user else 0
    usable = min(points, int((total - discount) / POINT))
    pay = tag("label", tag("input", type="checkbox", name="points", value=str(usable)),
              f"Pay {shop.money(usable * POINT)} with {usable} of your {points} points", class_="tick")  # fmt: skip
    order = form("/checkout", pay if usable >= 10 else None, button("Order now")) if session.user else tag(
        "p", "To order, ", link("/account", "sign in"), ". Your basket stays.")  # fmt: skip
    return page(
        shop, ask, "Basket", tag("h1", "Your basket"),
        tag("div",
            tag("ul", [_line(shop, line, count) for line, count in session.basket.items()], class_="lines"),
            tag("section", tag("h2", "Together", class_="unseen"), _sums(shop, total, discount), _coupon(session, said),
                order, class_="panel"), class_="two"),
    )  # fmt: skip


def add(shop: Shop, ask: Ask) -> Answer:
    """Put a product into the basket, as a gift while the visit is for one."""
    one, session = shop.product(ask.form.get("product", "")), ask.session
    if one.is_rented:
        raise BadRequest("This can be rented, not bought.")
    line = Line(one.id, session.gift)
    session.basket[line] = min(session.basket.get(line, 0) + 1, 20)
    shop.tell(session, "Product Added", {"product_id": one.id, "name": one.title, "price": one.price})
    session.notice = f"{one.title} is in your basket{', as a gift' if session.gift else ''}."
    return on("/basket")


def remove(shop: Shop, ask: Ask) -> Answer:
    """Take a line out of the basket."""
    line = Line(ask.form.get("product", ""), bool(ask.form.get("gift")))
    if ask.session.basket.pop(line, 0):
        shop.tell(ask.session, "Product Removed", {"product_id": line.product})
    return on("/basket")


def coupon(shop: Shop, ask: Ask) -> Answer:
    """Take a coupon code; the basket says what it is worth, or why nothing."""
    ask.session.code = ask.form.get("code", "").strip()[:60]
    return on("/basket")


def checkout(shop: Shop, ask: Ask) -> Answer:
    """Order what is in the basket: redeem the coupon, spend the points, tell the hub, in this order."""
    session, order = ask.session, f"o-{fresh()[:12]}"
    if not session.user or not session.basket:
        return on("/basket")
    total, discount, spent = _total(shop, session), 0.0, 0
    if session.code:
        try:
            discount = shop.hub.redeem(session.code, order, session.user, items=_items(shop, session)).discount
        except (Stale, NotFound) as error:
            session.notice = f"Nothing was ordered: {error}"
            return on("/basket")
    wanted = min(int(ask.form.get("points", "0") or 0), int((total - discount) / POINT))
    if wanted > 0:
        spent = shop.hub.spend_points(session.user, wanted, order).points
    paid = round(total - discount - spent * POINT, 2)
    products = [
        {"product_id": line.product, "name": shop.goods.all[line.product].title, "quantity": count,
         "price": shop.goods.all[line.product].price, "purpose": "gift" if line.gift else "self"}
        for line, count in session.basket.items()
    ]  # fmt: skip
    shop.tell(session, "Order Completed", {
        "order_id": order, "revenue": paid, "total": paid, "discount": discount, "currency": shop.currency,
        "products": products}, )  # fmt: skip
    names = [str(one["name"]) for one in products]
    session.basket, session.code, session.gift, session.likes = {}, "", False, ""
    saved = f", {shop.money(total - paid)} less than without coupon and points" if paid < total else ""
    session.notice = f"Ordered: {', '.join(names)}, for {shop.money(paid)}{saved}."
    return on("/account")


def _line(shop: Shop, line: Line, count: int) -> Html:
    one = shop.goods.all[line.product]
    times = f"{count} × " if count > 1 else ""
    return tag(
        "li", tag("img", src=f"/picture/{one.id}.svg", alt="", width="72", height="72"),
        tag("div", link(f"/product/{one.id}", f"{times}{one.title}"), tag("span", "a gift", class_="chip") if line.gift
            else None, tag("span", one.by, class_="dim")),
        tag("span", shop.money(one.price * count), class_="price"),
        form("/basket/remove", hidden(product=one.id, gift="1" if line.gift else ""),
             button("Remove", "small quiet", aria_label=f"Remove {one.title}")),
    )  # fmt: skip


def _sums(shop: Shop, total: float, discount: float) -> Html:
    rows: list[tuple[str, str]] = [("Goods", shop.money(total))]
    if discount:
        rows += [("Coupon", f"−{shop.money(discount)}")]
    rows += [("Together", shop.money(total - discount))]
    return tag("dl", [[tag("dt", what), tag("dd", amount)] for what, amount in rows], class_="sums")


def _coupon(session: Session, said: str) -> Inner:
    field = tag("input", name="code", id="code", value=session.code, placeholder="HELLO-10", autocomplete="off",
                aria_describedby="code-said")  # fmt: skip
    return [
        form("/basket/coupon", tag("label", "Coupon code", for_="code"),
             tag("div", field, button("Use", "quiet"), class_="row")),
        tag("p", said, id="code-said", class_="hint", role="status"),
    ]  # fmt: skip


def _discount(shop: Shop, session: Session) -> tuple[float, str]:
    """Return what the coupon takes off, and a sentence about it."""
    if not session.code:
        return 0.0, "HELLO-10 takes 10 % off your first order."
    if not session.user:
        return 0.0, "Sign in to use it: a code is good once for each customer."
    try:
        items = _items(shop, session)
        found = shop.hub.redeem(session.code, f"look-{session.id}", session.user, items=items, peek=True)
    except OpportuneError as error:
        return 0.0, str(error).capitalize()
    return found.discount, f"{session.code} takes {shop.money(found.discount)} off."


def _items(shop: Shop, session: Session) -> list[dict[str, Any]]:
    """Return the basket as coupons look at it: each line with its category."""
    return [
        {"price": one.price, "quantity": count, "properties": {"category": one.categories[0]}}
        for line, count in session.basket.items() for one in (shop.goods.all[line.product],)
    ]  # fmt: skip


def _total(shop: Shop, session: Session) -> float:
    return round(sum(shop.goods.all[line.product].price * count for line, count in session.basket.items()), 2)
