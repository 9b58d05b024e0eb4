"""Who is there: signing in as one of the simulated customers, and what belongs to them."""

from __future__ import annotations

from opportune.api.pages.markup import Html, Inner, tag
from opportune.demo.shop.frame import button, form, hidden, link, page
from opportune.demo.shop.site import Answer, Ask, Shop, on
from opportune.errors import Forgotten, NotFound


def account(shop: Shop, ask: Ask) -> Answer:
    """Show the customer's points, coupons and designs; or whom one can be."""
    session = ask.session
    if not session.user:
        return page(
            shop, ask, "Sign in", tag("h1", "Who would you like to be?"),
            tag("p", "These are customers of the demo. No password: they do not mind.", class_="lead"),
            tag("ul", [_person(shop, *one) for one in shop.people], class_="people"),
        )  # fmt: skip
    points, codes = shop.hub.points(session.user), shop.hub.codes_of(session.user)
    designs = shop.hub.configurations_of(session.user)
    tier = f"You are a {points.tier}." if points.tier else "From 100 points in a year on you are a regular."
    return page(
        shop, ask, session.name, tag("h1", f"Hello, {session.name}"),
        tag("div",
            _panel("Points", tag("p", f"{points.points:,}", class_="big"), tag("p", tier, class_="dim")),
            _panel("Coupons", tag("ul", [tag("li", tag("span", code.code, class_="code"), f" {code.state}")
                                         for code in codes if code.code]) if any(code.code for code in codes)
                   else tag("p", "None now. The start page may have one for you.", class_="dim")),
            _panel("Designs", tag("ul", [tag("li", link(f"/design/{one.id}", one.product), f" ({one.orders} orders)")
                                         for one in designs]) if designs
                   else tag("p", link("/make", "Make something of your own"), class_="dim")), class_="panels"),
        form("/sign-out", button("Sign out", "quiet")),
    )  # fmt: skip


def sign_in(shop: Shop, ask: Ask) -> Answer:
    """Sign in: what was done before in this visit joins the known profile, and from now on it is for oneself."""
    session, user = ask.session, ask.form.get("user", "")
    name = dict(shop.people).get(user)
    if name is None:
        raise NotFound("Nobody of this name is a customer of the demo.")
    visitor = {"anonymousId": session.visitor} if session.visitor and not session.user else {}
    session.leave()
    session.user, session.name, session.gift, session.likes = user, name, False, ""
    if visitor:
        shop.hub.ingest({"type": "identify", "userId": user, **visitor})
    return on("/basket" if session.basket else "/")


def sign_out(shop: Shop, ask: Ask) -> Answer:
    """Sign out."""
    ask.session.leave()
    ask.session.basket, ask.session.code = {}, ""
    return on("/")


def _person(shop: Shop, user: str, name: str) -> Html | None:
    try:
        values = shop.hub.profile(user).values
    except (NotFound, Forgotten):
        return None
    months, plan = values.get("tenure_months"), values.get("plan")
    parts = [f"{plan} plan" if plan else "", f"{months:.0f} months with us" if isinstance(months, int | float) else ""]
    about = ", ".join(filter(None, parts)) or "not known yet"
    known = tag("span", about, class_="dim")
    return tag("li", form("/sign-in", hidden(user=user), button(name, "quiet"), known, kind="row"))


def _panel(title: str, *inner: Inner) -> Html:
    return tag("section", tag("h2", title), inner, class_="panel")
