"""What was heard of a message, taken into the hub: an event, what it means for consent, and what the breaker counts."""

from __future__ import annotations

from typing import Any

from opportune.clock import format_instant
from opportune.deliver.feedback.actors import Actor
from opportune.deliver.feedback.heard import EVENTS, Heard, SendKey, digest, event_of
from opportune.deliver.feedback.keywords import keyword
from opportune.deliver.feedback.tally import Tally
from opportune.deliver.replies import Replies
from opportune.errors import Forgotten, NotFound
from opportune.hub import Hub
from opportune.profiles.addresses import bounce_key, trait
from opportune.profiles.people import View
from opportune.profiles.terms import home_of
from opportune.services.outgoing import Outgoing

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
    who = speaking(hub, view, rows.subject)
    if heard.what == "unsubscribed":
        # as of its receipt: with an early time it would be older than the consent that it takes back
        call = withdrawal(who, send, source, f"unsubscribed-{digest(heard.id or repr(heard), *send)}")
        return hub.ingest(call, source=source).taken > 0
    sent = episode.delivered if episode.delivered is not None else hub.ledger.decision(send.decision_id)[0].at
    key = _address_key(hub, view, heard, send, sent) if heard.what == "bounced" else ""
    if not hub.ingest(event_of(heard, who, send, actor or "", key, sent), source=source).taken:
        return False
    counts = heard.what == "complained" or heard.kind == "hard" or actor == "human"
    if counts and Tally(hub.store).first(send, heard.what):
        Outgoing(hub).heard(send.decision_id, send.channel, heard.what)
    if heard.what == "clicked" and actor == "human":
        at = None if heard.at is None else min(max(heard.at, sent), hub.clock.now())
        _answered(hub, send, at)
    return True


def replied(hub: Hub, heard: Heard, source: str) -> bool:
    """Take in a reply by SMS: STOP, START and HELP, anything else as it is; return whether it was known whose it is.

    STOP counts from its receipt and for whomever it may be; START from when it was sent, for whose number it surely is.
    """
    catalog, word = hub.plan.catalog, keyword(heard.text)
    found = [
        (channel.name, owner)
        for channel in catalog.channels
        if channel.form == "sms"
        for owner in Replies(hub.store).whose(
            channel.name, heard.address, catalog.holidays.country, lambda subject: _country(hub, subject)
        )
    ]
    known = False
    for channel, (subject, surely) in found:
        view = hub.people.view(subject)
        if view is None or not (surely or word == "stop"):
            continue
        known = True
        said: dict[str, Any] = {"channel": channel}
        if word in ("stop", "start"):
            status = "withdrawn" if word == "stop" else "granted"
            event, said = "Consent Updated", said | {"purpose": "all", "status": status, "method": "sms_keyword"}
        elif word == "help":
            event = "Help Asked"
        else:
            event, said = EVENTS["replied"], said | {"text": heard.text}
        call = {
            "type": "track", "event": event, **speaking(hub, view, subject), "properties": said,
            "messageId": f"replied-{digest(heard.id or repr(heard), channel, subject)}",
        }  # fmt: skip
        if heard.at is not None and word != "stop":
            call["timestamp"] = format_instant(heard.at)
        hub.ingest(call, source=source)
    return known


def withdrawal(who: dict[str, str], send: SendKey, source: str, message_id: str, **more: str) -> dict[str, Any]:
    """Return the track call by which a customer takes back their consent to marketing in a message's channel; `who`
    holds the userId or the anonymousId.
    """
    said = {"purpose": "marketing", "channel": send.channel, "status": "withdrawn", "source": source, **more}
    about = {"decision": send.decision_id, "action": send.action}
    return {
        "type": "track", "event": "Consent Updated", **who, "properties": {**said, **about},
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


def speaking(hub: Hub, view: View, node: str) -> dict[str, str]:
    """Return the field of a call that one identity of a customer makes: what a visitor said stays theirs when it turns
    out that they are somebody else. That of the customer where no call leads to it any more.
    """
    if node in view.nodes:
        state = view.states[view.nodes.index(node)]
        if not state.user and state.id and hub.people.identities.anonymous(state.id, create=False) == node:
            return {"anonymousId": state.id}
    return naming(view)


def _address_key(hub: Hub, view: View, heard: Heard, send: SendKey, sent: int) -> str:
    """Return what the address that bounced is known by; "" where it is the one that is known now, or nobody says.

    An address that was known already when the message left is the one it went to, whatever a provider names: mail is
    forwarded.
    """
    channel = hub.plan.channels.get(send.channel)
    if channel is None or not channel.to or not heard.address:
        return ""
    (written, _), _ = trait(view.state, channel.to)
    return "" if written <= sent else bounce_key(send.channel, heard.address)


def _country(hub: Hub, subject: str) -> str:
    view, now = hub.people.view(subject), hub.clock.now()
    return "" if view is None else home_of(lambda name: view.look(name, now), hub.plan.catalog.holidays).country


def _answered(hub: Hub, send: SendKey, at: int | None) -> None:
    known = hub.plan.position.get(send.action)
    if known is not None:
        outcomes = hub.plan.actions[known].outcomes
        if CLICK in (*outcomes.positive, *outcomes.negative):
            hub.respond(send.decision_id, send.action, CLICK, at=at)
