"""What providers post, read into `Heard`. A new one is one function and one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from opportune.deliver.feedback import notifications
from opportune.deliver.feedback.heard import Heard, Kind, What
from opportune.deliver.feedback.mail import read_mail
from opportune.errors import BadInput

MOST = 5_000
"""Notifications in one request; what is more is not read."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a provider posted: the body, and what stood in the address."""

    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)


Reader = Callable[[Any], list[Heard]]
Items = Callable[[Notice], tuple[list[Any], Reader]]
"""Splits what was posted into items, and says what reads one of them."""


class Read(NamedTuple):
    """What a provider tells, and why items of it could not be read."""

    heard: list[Heard]
    unread: list[str]


def read_notice(provider: str, notice: Notice) -> Read:
    """Return what a provider tells; what says nothing of a message is left out.

    One item that cannot be read does not hold up the others. Raises `BadInput` where none can be read.
    """
    if provider not in PROVIDERS:
        raise BadInput(f"nothing is known of provider {provider[:40]!r}; there are {', '.join(sorted(PROVIDERS))}")
    heard, unread = list[Heard](), list[str]()
    try:
        items, read = PROVIDERS[provider](notice)
    except _WRONG as why:
        raise BadInput(f"this is not what {provider} sends ({_what(why)})") from None
    for item in items:
        try:
            heard += map(_sound, read(item))
        except _WRONG as why:
            unread.append(_what(why))
    if unread and len(unread) == len(items):
        raise BadInput(f"this is not what {provider} sends ({unread[0]})")
    return Read(heard, unread)


_WRONG = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError)


def _what(why: Exception) -> str:
    return f"{type(why).__name__}: {str(why)[:80]}"


def _sound(heard: Heard) -> Heard:
    """Return what was heard; raise `ValueError` for text that UTF-8 cannot hold."""
    "".join((heard.key, heard.id, heard.reason, heard.url, heard.agent, heard.address, heard.text)).encode()
    return heard


def confirmation(notice: Notice) -> str | None:
    """Return the address that confirms a subscription of Amazon SNS; None for anything else.

    Only one of Amazon's own is returned: whoever knows the key must not make the hub fetch what they like.

    >>> confirmation(Notice(b'{"Type": "SubscriptionConfirmation", "SubscribeURL": "https://evil.example/"}'))
    """
    try:
        told = json.loads(notice.body)
        if not isinstance(told, dict) or told.get("Type") != "SubscriptionConfirmation":
            return None
        url = str(told["SubscribeURL"])
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except (ValueError, KeyError, RecursionError):
        return None
    theirs = host.startswith("sns.") and host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    return url if parts.scheme == "https" and theirs and port in (None, 443) and parts.username is None else None


def _each(read: Callable[[dict[str, Any]], Heard | None]) -> Items:
    """Return what splits notifications in JSON, one or a list of them, to be read one by one."""

    def one(item: Any) -> list[Heard]:
        if not isinstance(item, dict):
            raise ValueError("a notification is an object")
        heard = read(item)
        return [] if heard is None else [heard]

    def items(notice: Notice) -> tuple[list[Any], Reader]:
        told = json.loads(notice.body)
        return told[:MOST] if isinstance(told, list) else [told], one

    return items


def _mail(notice: Notice) -> list[Heard]:
    return read_mail(notice.body)


def _twilio(notice: Notice) -> list[Heard]:
    """A status names its message by `?message=` in the address that it is sent to, a reply its sender's number."""
    form = dict(parse_qsl(notice.body.decode("utf-8"), keep_blank_values=True, max_num_fields=200))
    sid, status = form.get("MessageSid") or form["SmsSid"], form.get("MessageStatus") or form.get("SmsStatus") or ""
    if "Body" in form and "From" in form and status in ("", "received"):
        return [Heard("replied", id=sid, address=form["From"], text=form["Body"][:200])]
    code, what, kind = form.get("ErrorCode", ""), _STATUSES.get(status), _KINDS.get(status, "")
    if what is None:
        return []
    if code == _STOPPED:
        what, kind = "unsubscribed", ""
    elif code in _NO_SUCH_NUMBER:
        kind = "hard"
    reason = f"error {code}" if code else ""
    return [Heard(what, notice.query.get("message", ""), f"{sid}-{status}", kind=kind, reason=reason)]


_STATUSES: dict[str, What] = {"delivered": "delivered", "undelivered": "bounced", "failed": "bounced"}
_KINDS: dict[str, Kind] = {"undelivered": "soft", "failed": "soft"}
_STOPPED = "21610"
_NO_SUCH_NUMBER = ("30005", "30006", "21211", "21214", "21217", "21614")

PROVIDERS: dict[str, Items] = {
    "generic": _each(notifications.generic),
    "mail": lambda notice: ([notice], _mail),
    "mailgun": _each(notifications.mailgun),
    "postmark": _each(notifications.postmark),
    "resend": _each(notifications.resend),
    "sendgrid": _each(notifications.sendgrid),
    "ses": _each(notifications.ses),
    "twilio": lambda notice: ([notice], _twilio),
}
