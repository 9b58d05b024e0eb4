"""The customer's own page: what they get, how and how often, why they got it, and what is known of them.

The token of the link is the authority: whoever holds it got the message, or somebody passed it on; so who wants all
data or their end also names the address that it went to (`own_data`). There are no cookies, so no other site can make a
browser act here. Each change is an event of the customer, written before the answer; the answer leads back to the page
(303), so that reloading it changes nothing again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opportune.api.clicks import MESSAGE, opened, send_of
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Reply
from opportune.api.heard import customer, naming, speaking
from opportune.api.pages import changes, sections
from opportune.api.pages.address import mark_now, same
from opportune.api.pages.form import LARGEST, fields
from opportune.api.pages.frame import headers, page, sender_name, words_for
from opportune.api.pages.language import Words, languages
from opportune.api.pages.markup import tag
from opportune.api.pages.own_data import STEPS, own_data
from opportune.api.pages.reasons import reason, recent
from opportune.api.pages.standing import Standing, standing
from opportune.api.problems import Refused
from opportune.api.writer import Busy
from opportune.hub import Hub
from opportune.profiles.consent import sells
from opportune.profiles.people import View

RATE = 10.0
"""Times a second that the page of one customer may be asked for."""

NOTICES = {
    "saved": "saved", "same": "nothing_changed", "noted": "situation_noted", "unread": "unread", "moved": "moved",
}  # fmt: skip
"""What the page says after a change; the word is in the address that the change leads to."""


async def show(door: Door, call: Call) -> Reply:
    """Show the page. To look at it changes nothing, but a browser that sends Global Privacy Control is heard."""
    data, hub = _opened(door, call), door.hub
    subject, send = str(data.get("s", "")), send_of(data)

    def work() -> Reply:
        view = customer(hub, subject)
        was = standing(hub, view)
        words = words_for(hub, call, was.language)
        if _opts_out(call) and not was.gpc and any(sells(c) for c in hub.plan.catalog.channels):
            _write(hub, subject, [{"type": "page", "name": "Preferences"}], call)
        one = reason(hub, view, send.decision_id, send.action, send.channel, words.language)
        found = recent(hub, view, words.language)
        gpc = tag("p", words("gpc"), class_="notice") if _opts_out(call) else None
        lead = words("lead", sender=sender_name(hub.plan.catalog.sender))
        whose = tag("p", words("for_whom", name=was.name), class_="hint") if was.name else None
        notice = NOTICES.get(call.query.get("done", ""))
        return page(
            hub, words, words("title"), whose, tag("p", lead), gpc,
            sections.choices(was, hub.plan.catalog, words), sections.pause(was, words), sections.why(one, was, words),
            sections.recent(found, was, words), sections.situations(was, words), sections.facts(was, words),
            sections.data(words), notice=words(notice) if notice else "",
        )  # fmt: skip

    return await door.writer.do(work)


async def change(door: Door, call: Call) -> Reply:
    """Take a change; `do` of the form says which."""
    data, hub = _opened(door, call), door.hub
    told = fields(call.raw, call.headers.get("content-type", ""))
    subject, what = str(data.get("s", "")), told.get("do", "")
    if what in STEPS:
        return await own_data(door, call, data, told)

    def work() -> str:
        view = customer(hub, subject)
        was = standing(hub, view)
        words = words_for(hub, call, was.language)
        proven, moved = _came_by(door, view, data)
        if what == "facts":
            made, unread = changes.corrected(was, told, words.language)
        else:
            made, unread = _made(what, was, told, hub, words, proven, moved), False
        _write(hub, subject, made, call)
        if unread or (moved and changes.asks(made)):
            return "unread" if unread else "moved"
        return "same" if not made else "noted" if what == "situation" else "saved"

    done = await door.writer.do(work)
    language = call.query.get("language", "")
    kept = f"&language={language}" if language in languages() and "language" not in told else ""
    return Reply(b"", 303, "text/plain", {**headers(), "Location": f"?done={done}{kept}"})


def _made(
    what: str, was: Standing, told: Mapping[str, str], hub: Hub, words: Words, proven: str, moved: str
) -> list[changes.Call]:
    match what:
        case "choices":
            return changes.chosen(was, told, hub.plan.catalog, words.language, proven, moved)
        case "pause":
            return changes.paused(told)
        case "resume":
            return changes.resumed(was)
        case "situation":
            return changes.denied(was, told)
    raise Refused(400, "bad-form", "the form says nothing of what to change")


def _write(hub: Hub, subject: str, made: list[changes.Call], call: Call) -> None:
    """Write the calls of a customer, as of now and in this order. What a visitor refused stays theirs, too, should it
    turn out that they are somebody else.
    """
    if made:
        view = customer(hub, subject)
        who, own, gpc = naming(view), speaking(hub, view, subject), {"gpc": True} if _opts_out(call) else None
        items = [{**one, **who} for one in made]
        items += [{**one, **own} for one in changes.refusals(made) if own != who]
        hub.ingest([{**item, "messageId": hub.clock.new_id()} for item in items], source=changes.SOURCE, context=gpc)


def _came_by(door: Door, view: View, data: dict[str, Any]) -> tuple[str, str]:
    """Return the channel that the link came by, as (it, "") if the address is still the customer's and as ("", it) if
    they have another one now; ("", "") where the link does not say.
    """
    send, proof = send_of(data), str(data.get("k", ""))
    channel = door.hub.plan.channels.get(send.channel)
    if channel is None or not proof:
        return "", ""
    return (send.channel, "") if same(proof, mark_now(door, view, channel)) else ("", send.channel)


def _opened(door: Door, call: Call) -> dict[str, Any]:
    data = opened(door, MESSAGE, call.parameters["token"])
    wait = door.rates.take(f"page {data.get('s', '')}", RATE, door.hub.clock.now())
    if wait:
        raise Busy(max(1, round(wait + 0.5)))
    return data


def _opts_out(call: Call) -> bool:
    return call.headers.get("sec-gpc") == "1"


ENDPOINTS = (
    Endpoint("GET", "/preferences/{token}", "anyone", show, "The customer's own page", page=True),
    Endpoint("POST", "/preferences/{token}", "anyone", change, "Change what it shows", bytes, largest=LARGEST,
             page=True),
)  # fmt: skip
