"""The list to rent from: what is wished for, what is sent next and why, what is out."""

from __future__ import annotations

from collections.abc import Callable

from opportune.api.pages.markup import Html, Inner, tag
from opportune.demo.shop.frame import button, card, form, hidden, link, page
from opportune.demo.shop.goods import RENTED
from opportune.demo.shop.session import fresh
from opportune.demo.shop.site import Answer, Ask, Shop, on
from opportune.errors import BadRequest, NotFound, Stale
from opportune.wire.renting import NextItem, RentalInfo, Subscription

PLAN = "gear"

TIERS = {"small": "One thing at a time, three a month, 9.90 EUR", "large": "Three things at a time, 29 EUR"}


def rent(shop: Shop, ask: Ask) -> Answer:
    """Show the list of a customer, or what renting is."""
    user = ask.session.user
    if user is None:
        return page(shop, ask, "Rent", _opening(), tag("p", link("/account", "Sign in", "button"), " to begin a list."),
                    _gear(shop, set()))  # fmt: skip
    wishes = shop.hub.rental_list(user, PLAN).items
    mine = next((one for one in shop.hub.rentals(user) if one.plan == PLAN), None)
    rows = [_wish(shop, wish.item, place, len(wishes)) for place, wish in enumerate(wishes)]
    if mine is None or mine.tier is None:
        following: Inner = tag("p", "Choose how much you would like at once; then we send.")
    else:
        following = _next(shop, shop.hub.next_rental(user, PLAN))
    out = mine.out if mine else []
    return page(
        shop, ask, "Rent", _opening(), _tiers(mine),
        tag("div",
            tag("section", tag("h2", "Your list"), tag("ol", rows, class_="lines", id="wishes") if rows else
                tag("p", "Empty so far. Take what you like from below.", class_="dim"), class_="panel"),
            tag("div",
                tag("section", tag("h2", "Next"), following, class_="panel", id="next"),
                tag("section", tag("h2", "With you now"), tag("ul", [_out(shop, one) for one in out], class_="lines",
                    id="out") if out else tag("p", "Nothing yet.", class_="dim"), class_="panel"), class_="stack"),
            class_="two"),
        _gear(shop, {wish.item for wish in wishes} | {one.item for one in out}),
    )  # fmt: skip


def change(shop: Shop, ask: Ask) -> Answer:
    """Do what a form of this page asks for."""
    session, what = ask.session, ask.one()
    if session.user is None:
        return on("/account")
    if what not in CHANGES:
        raise NotFound("There is no such page.")
    try:
        session.notice = CHANGES[what](shop, session.user, ask.form)
    except Stale as error:
        session.notice = str(error).capitalize()
    return on("/rent")


def _subscribe(shop: Shop, user: str, sent: Sent) -> str:
    if sent.get("tier") not in TIERS:
        raise BadRequest("Choose one of the sizes.")
    shop.hub.subscribe_rental(user, PLAN, sent["tier"])
    return f"From now on: {sent['tier']}."


def _add(shop: Shop, user: str, sent: Sent) -> str:
    one = shop.product(sent.get("item", ""))
    shop.hub.change_rental_list(user, PLAN, add=[one.id], place=int(sent["place"]) if sent.get("place") else None)
    return f"{one.title} is at the front of your list." if sent.get("place") else f"{one.title} is on your list."


def _remove(shop: Shop, user: str, sent: Sent) -> str:
    one = shop.product(sent.get("item", ""))
    shop.hub.change_rental_list(user, PLAN, remove=[one.id])
    return f"{one.title} is off your list."


def _send(shop: Shop, user: str, sent: Sent) -> str:
    done = shop.hub.send_rental(user, PLAN, fresh())
    if done.sent is None:
        return f"Nothing was sent: {done.next.detail if done.next else 'nothing to send'}."
    return f"{shop.product(done.sent.item).title} is on its way."


def _return(shop: Shop, user: str, sent: Sent) -> str:
    done = shop.hub.return_rental(_own(shop, user, sent))
    return f"{shop.product(done.item).title} came back. Thank you."


def _keep(shop: Shop, user: str, sent: Sent) -> str:
    done = shop.hub.keep_rental(_own(shop, user, sent))
    one = shop.product(done.item)
    return f"{one.title} is yours now, for {shop.money(one.price)}."


Sent = dict[str, str]

CHANGES: dict[str, Callable[[Shop, str, Sent], str]] = {
    "subscribe": _subscribe, "add": _add, "remove": _remove, "send": _send, "return": _return, "keep": _keep,
}  # fmt: skip
"""What can be done, by the last part of the address of its form."""


def _own(shop: Shop, user: str, sent: Sent) -> int:
    """Return the number of a rental that is with this customer: nobody sends back what others have."""
    number = sent.get("rental", "")
    if not any(str(one.rental) == number for plan in shop.hub.rentals(user) for one in plan.out):
        raise BadRequest("This is not with you.")
    return int(number)


def _opening() -> list[Html]:
    return [
        tag("h1", "Rent, then send it back"),
        tag("p", "Your list may be as long as you like. The first thing on it that is free comes to you. Keep it as "
                 "long as you like, send it back, and the next one comes.", class_="lead"),
    ]  # fmt: skip


def _tiers(mine: Subscription | None) -> Html:
    now = mine.tier if mine else None
    each = [
        tag("label", tag("input", type="radio", name="tier", value=name, checked=name == (now or "small")),
            tag("span", tag("strong", name.capitalize()), tag("span", text, class_="dim")), class_="choice")
        for name, text in TIERS.items()
    ]  # fmt: skip
    return form(
        "/rent/subscribe",
        tag("fieldset", tag("legend", "How much at once"), tag("div", each, class_="choices"),
            button("Change" if now else "Begin", "quiet")), kind="panel",
    )  # fmt: skip


def _wish(shop: Shop, item: str, place: int, count: int) -> Html:
    one = shop.product(item)
    front = form("/rent/add", hidden(item=item, place="0"),
                 button("First", "small quiet", aria_label=f"{one.title} first"))  # fmt: skip
    return tag(
        "li", tag("img", src=f"/picture/{item}.svg", alt="", width="56", height="56"),
        tag("div", link(f"/product/{item}", one.title), tag("span", f"place {place + 1} of {count}", class_="dim")),
        tag("span", front if place else None, form("/rent/remove", hidden(item=item),
            button("Remove", "small quiet", aria_label=f"Remove {one.title}")), class_="acts"),
    )  # fmt: skip


def _next(shop: Shop, following: NextItem) -> Inner:
    passed = [tag("li", tag("strong", shop.product(one.item).title), f": {one.detail}")
              for one in following.passed]  # fmt: skip
    if following.item is None:
        why = ", for these reasons:" if passed else f": {following.detail}."
        head = tag("p", f"Nothing is sent now{why}")
    else:
        head = tag("p", tag("strong", shop.product(following.item).title), " is sent next.")
    warehouse = form("/rent/send", button("Let the warehouse send it now")) if following.item else None
    return [head, tag("p", "Before it on your list:", class_="dim") if passed and following.item else None,
            tag("ul", passed, class_="why") if passed else None, warehouse]  # fmt: skip


def _out(shop: Shop, one: RentalInfo) -> Html:
    product = shop.product(one.item)
    return tag(
        "li", tag("img", src=f"/picture/{one.item}.svg", alt="", width="56", height="56"),
        tag("div", link(f"/product/{one.item}", product.title), tag("span", f"since {one.sent:%B %d}", class_="dim")),
        tag("span",
            form("/rent/return", hidden(rental=str(one.rental)),
                 button("Send back", "small", aria_label=f"Send {product.title} back")),
            form("/rent/keep", hidden(rental=str(one.rental)),
                 button("Keep", "small quiet", aria_label=f"Keep {product.title}")), class_="acts"),
    )  # fmt: skip


def _gear(shop: Shop, there: set[str]) -> Html:
    """Return what can be rented and is not on the list."""
    rest = [one for one in shop.goods.of(RENTED) if one.id not in there]
    each = [
        tag("div", tag("ul", card(shop, one), class_="cards"),
            form("/rent/add", hidden(item=one.id),
                 button("Add to my list", "small quiet", aria_label=f"Add {one.title} to my list")))
        for one in rest
    ]  # fmt: skip
    return tag("section", tag("h2", "What there is"), tag("div", each, class_="grid", id="gear"))
