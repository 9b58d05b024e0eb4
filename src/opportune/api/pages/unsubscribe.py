"""Unsubscribing: one click of the mail program (RFC 8058), or a page with a button. To look at it changes nothing.

Scanners of mail open every link, so a GET never unsubscribes; a POST does, with no login, no cookie and no question.
"""

from __future__ import annotations

from opportune.api.clicks import MESSAGE, NEVER_KEPT, opened, send_of
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Reply
from opportune.api.heard import customer, speaking, withdrawal
from opportune.api.pages.form import LARGEST, fields
from opportune.api.pages.frame import button, form, page, sender_name, words_for
from opportune.api.pages.language import Words
from opportune.api.pages.markup import Html, tag
from opportune.api.problems import Refused
from opportune.deliver.feedback.heard import SendKey
from opportune.hub import Hub
from opportune.profiles.choices import consents
from opportune.profiles.consent import REFUSED, Wishes, why_not

WORDING = "unsubscribe-page/1"
"""The version of the words that customers saw."""


async def ask(door: Door, call: Call) -> Reply:
    """Show what unsubscribing would do, and a button."""
    data = opened(door, MESSAGE, call.parameters["token"])
    send, hub = send_of(data), door.hub
    words = await door.writer.do(lambda: _words(hub, call, str(data.get("s", ""))))
    shown = {"sender": sender_name(hub.plan.catalog.sender), "channel": words.channel(send.channel)}
    topic = _topic(hub, send)
    rest = None
    if topic:
        about = words("unsubscribe_topic", topic=_titled(hub, words, topic))
        rest = form(tag("p", about), button(words("unsubscribe_topic_button"), "quiet", name="stop", value="topic"))
    return page(
        hub, words, words("unsubscribe_title"), tag("p", words("unsubscribe_text", **shown)),
        form(button(words("unsubscribe_button"), name="stop", value="channel")), rest, _more(call, words),
    )  # fmt: skip


async def unsubscribe(door: Door, call: Call) -> Reply:
    """Take the consent back: that of the channel, or from the page that of the topic alone."""
    data = opened(door, MESSAGE, call.parameters["token"])
    told = fields(call.raw, call.headers.get("content-type", ""))
    send, subject, hub = send_of(data), str(data.get("s", "")), door.hub
    one_click = told.get("List-Unsubscribe", "").strip().lower() == "one-click"
    stop = "channel" if one_click else told.get("stop")
    topic = _topic(hub, send)
    if stop not in ("channel", "topic") or (stop == "topic" and not topic):
        raise Refused(400, "bad-form", "the form says nothing of what to stop")
    source = "one-click" if one_click else "unsubscribe-page"
    about = topic if stop == "topic" else ""

    def work() -> Words:
        words = _words(hub, call, subject)
        _withdraw(hub, send, subject, about, source, words.language)
        return words

    words = await door.writer.do(work)
    if one_click:
        return Reply(b"Unsubscribed.\n", media="text/plain; charset=utf-8", headers=NEVER_KEPT)
    shown = {"sender": sender_name(hub.plan.catalog.sender)}
    text = (
        words("unsubscribe_topic_done", topic=_titled(hub, words, about), **shown)
        if about
        else words("unsubscribe_done", channel=words.channel(send.channel), **shown)
    )
    return page(
        hub, words, words("unsubscribe_done_title"), tag("p", text, role="status"), _more(call, words), switch=False
    )


def _withdraw(hub: Hub, send: SendKey, subject: str, topic: str, source: str, language: str) -> None:
    """Write the withdrawal, unless it is what the customer said last: a button pressed twice is one word."""
    view = customer(hub, subject)
    key = ("marketing", "all", topic) if topic else ("marketing", send.channel)
    # what counts is what the one said to whom it was sent: it must hold, too, if they turn out to be somebody else
    own = view.states[view.nodes.index(subject)] if subject in view.nodes else view.state
    said, channel = consents(own), hub.plan.channels.get(send.channel)
    stands = channel is None or why_not(Wishes(said), channel, "marketing", hub.clock.now(), topic)
    if key in said and said[key].status in REFUSED and stands:
        return
    saw = {"method": source, "wording": WORDING, "language": language, **({"topic": topic} if topic else {})}
    call = withdrawal(speaking(hub, view, subject), send._replace(channel=key[1]), source, hub.clock.new_id(), **saw)
    hub.ingest(call, source=source)


def _words(hub: Hub, call: Call, subject: str) -> Words:
    view = customer(hub, subject)
    return words_for(hub, call, view.state.traits.get("language", (None,))[0])


def _topic(hub: Hub, send: SendKey) -> str:
    """Return the topic of a message, where its action still has one; "" otherwise."""
    position = hub.plan.position.get(send.action)
    return hub.plan.actions[position].topic if position is not None else ""


def _titled(hub: Hub, words: Words, topic: str) -> str:
    titles = next((t.title for t in hub.plan.catalog.topics if t.name == topic), {})
    return words.titled(titles, topic)


def _more(call: Call, words: Words) -> Html:
    link = tag("a", words("unsubscribe_preferences"), href=f"../preferences/{call.parameters['token']}")
    return tag("p", words("unsubscribe_more"), " ", link)


ENDPOINTS = (
    Endpoint("GET", "/u/{token}", "anyone", ask, "The page to unsubscribe", page=True),
    Endpoint("POST", "/u/{token}", "anyone", unsubscribe, "Unsubscribe", bytes, largest=LARGEST, page=True),
)
