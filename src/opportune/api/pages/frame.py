"""What every page has: its head, the sender's name, the choice of language, how to write to the sender, and headers.

A page loads nothing, runs nothing and keeps nothing: all of it is in its own text, and no script is allowed in it.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from opportune.api.clicks import NEVER_KEPT
from opportune.api.endpoint import Call, Reply
from opportune.api.pages.language import Words, chosen, languages
from opportune.api.pages.markup import Html, Inner, put, tag
from opportune.catalog.types import Sender
from opportune.hub import Hub
from opportune.wire import Problem


def page(
    hub: Hub, words: Words, title: str, *inner: Inner, status: int = 200, notice: str = "", switch: bool = True
) -> Reply:
    """Return a page in a language; `notice` is said first. With `switch` it can be read in another language."""
    sender = hub.plan.catalog.sender if hub.published else Sender()
    name = sender_name(sender)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="robots", content="noindex, nofollow"),
        tag("title", f"{title} – {name}" if name else title),
        tag("style", _style()[0]),
    )
    body = tag(
        "body",
        tag("a", words("skip"), class_="skip", href="#content"),
        tag("header", tag("p", name) if name else None, _switch(words) if switch else None),
        tag("main", tag("p", notice, class_="notice", role="status") if notice else None, tag("h1", title), inner,
            id="content", tabindex="-1"),
        tag("footer", _contact(sender, words)),
    )  # fmt: skip
    text = Html("<!doctype html>\n") + tag("html", head, body, lang=words.language, dir=words.direction)
    return Reply(text.encode(), status, "text/html; charset=utf-8", headers())


def headers() -> dict[str, str]:
    """Return the headers of every page."""
    policy = (
        f"default-src 'none'; style-src 'sha256-{_style()[1]}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    return {**NEVER_KEPT, "Content-Security-Policy": policy, "X-Frame-Options": "DENY", "Vary": "Accept-Language"}


def problem_page(hub: Hub, told: Problem, call_headers: dict[str, str], asked: str | None) -> Reply:
    """Return the page that an error is, which says how to go on and nothing of what is inside."""
    default = hub.plan.catalog.language if hub.published else "en"
    words = chosen(asked, None, call_headers.get("accept-language", ""), default)
    key = _CODES.get(told.code) or _STATUSES.get(told.status, "failed")
    return page(hub, words, words(f"{key}_title"), tag("p", words(key)), status=told.status, switch=False)


_CODES = {"old-link": "old", "bad-link": "broken", "forgotten": "forgotten"}
_STATUSES = {404: "broken", 405: "broken", 410: "forgotten", 429: "busy", 503: "busy"}


def words_for(hub: Hub, call: Call, customer: object = None) -> Words:
    """Return the words in which a customer reads a page."""
    asked, accepted = call.query.get("language"), call.headers.get("accept-language", "")
    return chosen(asked, customer, accepted, hub.plan.catalog.language)


def sender_name(sender: Sender) -> str:
    """Return what the sender is called."""
    return sender.name or sender.website.partition("://")[2].strip("/")


def button(text: str, kind: str = "", **attributes: str) -> Html:
    """Return a button that sends its form; `kind` is `quiet` or `grave`."""
    return tag("button", text, type="submit", class_=kind or None, **attributes)


def form(*inner: Inner, **attributes: str) -> Html:
    """Return a form that is posted to the address of its page."""
    return tag("form", *inner, method="post", **attributes)


def section(name: str, title: str, *inner: Inner) -> Html:
    """Return a part of a page with a heading that names it, also to those who hear it."""
    return tag("section", tag("h2", title, id=f"{name}-title"), inner, id=name, aria_labelledby=f"{name}-title")


def select(name: str, options: list[tuple[str, str]], now: str, **attributes: str) -> Html:
    """Return a choice of one of several (value, text)."""
    each = [tag("option", text, value=value, selected=value == now) for value, text in options]
    return tag("select", each, name=name, **attributes)


def _switch(words: Words) -> Html:
    options = [
        tag("option", name, value=code, lang=code, selected=code == words.language)
        for code, name in languages().items()
    ]
    label = tag("label", words("language"), for_="page-language")
    choice = tag("select", options, name="language", id="page-language")
    return tag("form", label, choice, button(words("change_language"), "quiet"), method="get")


def _contact(sender: Sender, words: Words) -> Html:
    address = sender.reply_to or sender.email
    before, _, after = words("contact").partition("{address}")
    write = tag("p", before, tag("a", address, href=f"mailto:{address}", dir="ltr"), after) if address else None
    post = ", ".join(part for part in (sender.name, sender.address) if part)
    return put([write, tag("p", tag("bdi", post)) if post else None])


@cache
def _style() -> tuple[Html, str]:
    text = (files(__package__) / "style.css").read_text("utf-8")
    return Html(text), b64encode(sha256(text.encode()).digest()).decode()
