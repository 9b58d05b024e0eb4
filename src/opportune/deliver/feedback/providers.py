"""What providers post, read into `Heard`. A new one is one function and one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
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


def read_notice(provider: str, notice: Notice) -> list[Heard]:
    """Return what a provider tells; what says nothing of a message is left out. Raises `BadInput`."""
    if provider not in PROVIDERS:
        raise BadInput(f"nothing is known of provider {provider[:40]!r}; there are {', '.join(sorted(PROVIDERS))}")
    try:
        return PROVIDERS[provider](notice)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError) as why:
        raise BadInput(f"this is not what {provider} sends ({type(why).__name__}: {str(why)[:80]})") from None


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


def _each(read: Callable[[dict[str, Any]], Heard | None]) -> Callable[[Notice], list[Heard]]:
    """Return what reads a notification in JSON, or a list of them."""

    def items(notice: Notice) -> list[Heard]:
        told = json.loads(notice.body)
        found = told[:MOST] if isinstance(told, list) else [told]
        if not all(isinstance(item, dict) for item in found):
            raise ValueError("a notification is an object")
        return [heard for heard in map(read, found) if heard is not None]

    return items


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

PROVIDERS: dict[str, Callable[[Notice], list[Heard]]] = {
    "generic": _each(notifications.generic),
    "mail": lambda notice: read_mail(notice.body),
    "mailgun": _each(notifications.mailgun),
    "postmark": _each(notifications.postmark),
    "resend": _each(notifications.resend),
    "sendgrid": _each(notifications.sendgrid),
    "ses": _each(notifications.ses),
    "twilio": _twilio,
}
