"""What was heard of a message, taken into the hub: an event, what it means for consent, and what the breaker counts."""

from __future__ import annotations

from typing import Any

from opportune.clock import format_instant
from opportune.deliver.feedback.actors import Actor
from opportune.deliver.feedback.heard import EVENTS, Heard, SendKey, digest, event_of
from opportune.deliver.feedback.keywords import keyword
from opportune.deliver.replies import Replies
from opportune.errors import Forgotten, NotFound
from opportune.hub import Hub
from opportune.outgoing import Outgoing
from opportune.profiles.people import View

CLICK = "click"
"""The outcome that a person's click is, where the action has one of that name."""


def take(hub: Hub, heard: Heard, send: SendKey, source: str, actor: Actor | None = None) -> bool:
    """Take in what was heard of a message; return whether it was news. Raises `NotFound`, `Forgotten`.

    Call it in a transaction of the hub. An open or a click counts for the model only if its `actor` is a person.
    """
    rows = hub.ledger.episodes(send.decision_id)
    episode = rows.of(send.action)
    if episode is None or episode.channel != send.channel:
        raise NotFound(f"decision {send.decision_id} has no {send.action!r} in {send.channel!r}")
    view = customer(hub, rows.subject)
    if heard.what == "unsubscribed":
        call = withdrawal(view, send, source, f"unsubscribed-{digest(heard.id or repr(heard), *send)}")
        call |= {} if heard.at is None else {"timestamp": format_instant(heard.at)}
        return hub.ingest(call, source=source).taken > 0
    if not hub.ingest(event_of(heard, naming(view), send, actor or ""), source=source).taken:
        return False
    counts = heard.what == "complained" or heard.kind == "hard" or actor == "human"
    if counts:
        Outgoing(hub).heard(send.decision_id, send.channel, heard.what)
    if heard.what == "clicked" and actor == "human":
        _answered(hub, send, heard.at)
    return True


def replied(hub: Hub, heard: Heard, source: str) -> bool:
    """Take in a reply by SMS: STOP, START and HELP, anything else as it is; return whether it was known whose it is."""
    found = [
        (channel.name, subject)
        for channel in hub.plan.catalog.channels
        if channel.form == "sms"
        for subject in Replies(hub.store).whose(channel.name, heard.address)
    ]
    known = False
    for channel, subject in found:
        view = hub.people.view(subject)
        if view is None:
            continue
        known = True
        word = keyword(heard.text)
        said: dict[str, Any] = {"channel": channel}
        if word in ("stop", "start"):
            status = "withdrawn" if word == "stop" else "granted"
            event, said = "Consent Updated", said | {"purpose": "all", "status": status, "method": "sms_keyword"}
        elif word == "help":
            event = "Help Asked"
        else:
            event, said = EVENTS["replied"], said | {"text": heard.text}
        call = {
            "type": "track", "event": event, **naming(view), "properties": said,
            "messageId": f"replied-{digest(heard.id or repr(heard), channel, subject)}",
        }  # fmt: skip
        hub.ingest(call, source=source)
    return known


def withdrawal(view: View, send: SendKey, source: str, message_id: str, **more: str) -> dict[str, Any]:
    """Return the track call by which a customer takes back their consent to marketing in a message's channel."""
    said = {"purpose": "marketing", "channel": send.channel, "status": "withdrawn", "source": source, **more}
    about = {"decision": send.decision_id, "action": send.action}
    return {
        "type": "track", "event": "Consent Updated", **naming(view), "properties": {**said, **about},
        "messageId": message_id,
    }  # fmt: skip


def customer(hub: Hub, subject: str) -> View:
    """Return the customer of a pseudonym as they are now; raise `Forgotten` if they were."""
    view = hub.people.view(subject)
    if view is None:
        raise Forgotten("its customer was forgotten")
    return view


def naming(view: View) -> dict[str, str]:
    """Return the field of a call that names a customer."""
    return {"userId" if view.state.user else "anonymousId": view.customer}


def _answered(hub: Hub, send: SendKey, at: int | None) -> None:
    known = hub.plan.position.get(send.action)
    if known is not None:
        outcomes = hub.plan.actions[known].outcomes
        if CLICK in (*outcomes.positive, *outcomes.negative):
            hub.respond(send.decision_id, send.action, CLICK, at=at)
