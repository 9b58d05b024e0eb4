"""The second opt-in: a link that went to the address itself, and a page with a button, because scanners open links."""

from __future__ import annotations

import hmac
from typing import Any

from opportune.api.clicks import opened
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Reply
from opportune.api.heard import customer, naming
from opportune.api.pages.address import mark_now
from opportune.api.pages.form import LARGEST, fields
from opportune.api.pages.frame import button, form, page, sender_name, words_for
from opportune.api.pages.language import Words
from opportune.api.pages.markup import tag
from opportune.api.problems import Refused
from opportune.api.who import browser_customer, text_id
from opportune.clock import DAY
from opportune.hub import Hub
from opportune.profiles.consent import REFUSED
from opportune.profiles.people import View
from opportune.wire.caring import ConsentAsked, ConsentRequest

CONFIRM = "confirm"
"""The purpose of the tokens in links that confirm."""

GOOD_FOR = 30 * DAY
"""How long a confirmation may be waited for."""

SOURCE = "double-opt-in"

LONGEST_WORDING = 200
"""Characters of the name of a wording: it is in the link."""


def confirm_url(
    door: Door, view: View, channel: str, asked_at: int, purpose: str = "marketing", topic: str = "",
    wording: str = "", language: str = "",
) -> str:  # fmt: skip
    """Return the address of the page that confirms a consent asked for at an instant; send it to the customer's address
    in that channel and nowhere else. It works as long as that address is theirs and nothing was refused since.
    """
    about = {"channel": channel, "purpose": purpose, "topic": topic, "t": asked_at}
    proof = mark_now(door, view, door.hub.plan.channels[channel])
    data = {"s": view.subject, **about, "wording": wording, "language": language, "k": proof}
    token = door.signer.sign(CONFIRM, data, door.hub.clock.now() + GOOD_FOR)
    return f"{door.public_url}/confirm/{token}"


def requested_url(door: Door, view: View, channel: str) -> str:
    """Return the address that confirms what the customer asked for last in a channel; "" if they asked for nothing.

    Who asked for every channel confirms the one that the link comes by: it proves the address of no other.
    """
    choices = view.state.choices
    asked = {key: said for key, said in (choices.requests if choices else {}).items() if key[1] in (channel, "all")}
    if not asked:
        return ""
    key, said = max(asked.items(), key=lambda pair: (pair[1].at, pair[1].seq))
    topic = key[2] if len(key) == 3 else ""
    return confirm_url(door, view, channel, said.at, key[0], topic, said.wording, said.language)


async def ask(door: Door, call: Call) -> Reply:
    """Show what would be confirmed, and a button. To look at it changes nothing."""
    data, hub = opened(door, CONFIRM, call.parameters["token"]), door.hub
    words = await door.writer.do(lambda: _words(hub, call, data))
    sender, channel = sender_name(hub.plan.catalog.sender), words.channel(str(data["channel"]))
    topic = str(data.get("topic", ""))
    titles = next((t.title for t in hub.plan.catalog.topics if t.name == topic), {})
    texts = hub.plan.catalog.consent.texts
    return page(
        hub, words, words("confirm_title"), tag("p", words("confirm_text", sender=sender, channel=channel)),
        tag("p", words("confirm_topic", topic=words.titled(titles, topic))) if topic else None,
        tag("p", words.titled(texts, ""), class_="hint") if texts else None,
        form(tag("input", type="hidden", name="do", value="confirm"), button(words("confirm_button"))),
        tag("p", words("confirm_ignore"), class_="hint"),
    )  # fmt: skip


async def confirm(door: Door, call: Call) -> Reply:
    """Record the grant, once; nothing where the address is another one by now, or the customer refused since."""
    data, hub = opened(door, CONFIRM, call.parameters["token"]), door.hub
    if fields(call.raw, call.headers.get("content-type", "")).get("do") != "confirm":
        raise Refused(400, "bad-form", "the form confirms nothing")

    def work() -> tuple[Words, bool]:
        words, view = _words(hub, call, data), customer(hub, str(data["s"]))
        topic = str(data.get("topic", ""))
        key = (str(data["purpose"]), str(data["channel"]), *((topic,) if topic else ()))
        if not _good(door, view, key, data):
            return words, False
        said = view.consents().get(key)
        if said is None or said.status != "granted" or not said.proven:
            _record(hub, view, key, "granted", SOURCE, {
                "method": "double_opt_in", "wording": str(data.get("wording", "")),
                "language": str(data.get("language") or words.language),
            })  # fmt: skip
        return words, True

    words, good = await door.writer.do(work)
    if not good:
        return page(hub, words, words("old_title"), tag("p", words("confirm_void")), status=410, switch=False)
    return page(hub, words, words("confirm_done_title"), tag("p", words("confirm_done"), role="status"), switch=False)


async def request(door: Door, call: Call) -> ConsentAsked:
    """Record that a customer asked for messages; `confirmUrl` has to reach them by the channel that they asked for.

    A page of a browser is not told the address: who could read it there could confirm for an address of somebody else.
    """
    asked: ConsentRequest = call.body
    assert call.key is not None
    browser, hub = call.key.kind == "write", door.hub
    user, anonymous = text_id(asked.user_id, "userId"), text_id(asked.anonymous_id, "anonymousId")
    who = browser_customer(door, user, anonymous, asked.user_token) if browser else None
    if asked.channel not in hub.plan.channels:
        known = ", ".join(sorted(hub.plan.channels))
        raise Refused(400, "bad-request", f"there is no channel {asked.channel[:40]!r}; there are {known}", "channel")
    if asked.purpose not in ("marketing", "ads", "all"):
        raise Refused(400, "bad-request", "purpose is one of marketing, ads, all", "purpose")
    topics = [topic.name for topic in hub.plan.catalog.topics]
    if asked.topic and asked.topic not in topics:
        raise Refused(400, "bad-request", f"there is no such topic; there are {', '.join(topics) or 'none'}", "topic")
    wording = asked.wording or hub.plan.catalog.consent.wording
    if len(wording) > LONGEST_WORDING:
        raise Refused(400, "bad-request", f"wording is the name of a version, {LONGEST_WORDING} characters at most",
                      "wording")  # fmt: skip

    def work() -> str:
        if who:
            who.check(hub)
        by = (who.user, who.anonymous) if who else (user, anonymous)
        view = hub.people.resolve(*by, create=True)
        if view is None:
            raise Refused(400, "bad-request", "name the customer: userId or anonymousId", "userId")
        key = (asked.purpose, asked.channel, *((asked.topic,) if asked.topic else ()))
        _record(hub, view, key, "requested", "api", {"wording": wording, "language": asked.language})
        at = hub.clock.now()
        return confirm_url(door, view, asked.channel, at, asked.purpose, asked.topic, wording, asked.language[:64])

    url = await door.writer.do(work)
    return ConsentAsked(None if browser else url)


def _good(door: Door, view: View, key: tuple[str, ...], data: dict[str, Any]) -> bool:
    """Return whether a link still confirms: the address is the one that it was made for, and no refusal came since."""
    channel = door.hub.plan.channels.get(key[1])
    if channel is None or not hmac.compare_digest(str(data.get("k", "")), mark_now(door, view, channel)):
        return False
    purposes = {key[0], "all", *(("marketing",) if key[0] == "ads" else ())}
    said = view.consents().items()
    about = [word for (purpose, where, *topic), word in said
             if purpose in purposes and where in (key[1], "all") and tuple(topic) in ((), key[2:])]  # fmt: skip
    refused = [word.at if word.status in REFUSED else word.refused for word in about]
    return all(at is None or at < int(data.get("t", 0)) for at in refused)


def _record(hub: Hub, view: View, key: tuple[str, ...], status: str, source: str, saw: dict[str, str]) -> None:
    said = {"purpose": key[0], "channel": key[1], "status": status, "source": source}
    about = {"topic": key[2]} if len(key) == 3 else {}
    hub.ingest(
        {
            "type": "track", "event": "Consent Updated", **naming(view), "messageId": hub.clock.new_id(),
            "properties": {**said, **about, **{name: text for name, text in saw.items() if text}},
        },
        source=source,
    )  # fmt: skip


def _words(hub: Hub, call: Call, data: dict[str, Any]) -> Words:
    view = customer(hub, str(data["s"]))
    return words_for(hub, call, data.get("language") or view.state.traits.get("language", (None,))[0])


ENDPOINTS = (
    Endpoint("GET", "/confirm/{token}", "anyone", ask, "The page that confirms a consent", page=True),
    Endpoint("POST", "/confirm/{token}", "anyone", confirm, "Confirm a consent", bytes, largest=LARGEST, page=True),
    Endpoint("POST", "/v1/consents", "browser", request, "Ask for a consent that is to be confirmed", ConsentRequest,
             ConsentAsked, problems=(400, 401, 403, 404, 410, 413, 429)),
)  # fmt: skip
