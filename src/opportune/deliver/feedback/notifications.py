"""One notification of each provider, as its documentation has it, read into `Heard`; None where it says nothing to us.

What was sent along comes back: the send key is in `opportune_key`, among the custom arguments of SendGrid, the metadata
of Postmark, the variables of Mailgun, the tags of SES and Resend; or in the header X-Opportune-Key; or in the
Message-ID, which SendGrid and Mailgun leave as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from opportune.deliver.carriers.mime import key_of
from opportune.deliver.feedback.heard import EVENTS, Heard, Kind, What, digest, plausible
from opportune.deliver.feedback.mail import date_of
from opportune.events.segment import instant_of

KEY = "opportune_key"
HEADER = "x-opportune-key"


def generic(item: dict[str, Any]) -> Heard | None:
    """The fields of `Heard` with `event` in place of `what` and `at` in ISO 8601; `messageId` in place of a `key`."""
    what = item["event"]
    if what not in EVENTS:
        raise ValueError(f"event is {str(what)[:40]!r}; write one of {', '.join(EVENTS)}")
    texts = {name: str(item.get(name) or "") for name in ("id", "reason", "url", "agent", "address", "text")}
    key = str(item.get("key") or key_of(str(item.get("messageId", ""))))
    machine = item["machine"] if isinstance(item.get("machine"), bool) else None
    kind: Kind = "" if what != "bounced" else "soft" if item.get("kind") == "soft" else "hard"
    return Heard(what, key, at=_instant(item.get("at")), kind=kind, machine=machine, **texts)


def sendgrid(item: dict[str, Any]) -> Heard | None:
    event, reason = item.get("event"), str(item.get("reason") or "")
    what = _SENDGRID.get(str(event))
    if event == "dropped" and not any(word in reason.lower() for word in ("bounced", "invalid")):
        return None  # held back for what is known already: an unsubscription, an old complaint
    if what is None:
        return None
    kind: Kind = "" if what != "bounced" else "soft" if item.get("type") in ("blocked", "expired") else "hard"
    key = item.get(KEY) or _pairs(item.get("unique_args")).get(KEY) or key_of(str(item.get("smtp-id", "")))
    return Heard(
        what, str(key), str(item.get("sg_event_id") or ""), _instant(item.get("timestamp")), kind, reason,
        str(item.get("url") or ""), str(item.get("useragent") or ""),
        bool(item["sg_machine_open"]) if "sg_machine_open" in item else None, str(item.get("email") or ""),
    )  # fmt: skip


_SENDGRID: dict[str, What] = {
    "delivered": "delivered", "bounce": "bounced", "dropped": "bounced", "spamreport": "complained", "open": "opened",
    "click": "clicked", "unsubscribe": "unsubscribed", "group_unsubscribe": "unsubscribed",
}  # fmt: skip


def postmark(item: dict[str, Any]) -> Heard | None:
    record, sort = str(item.get("RecordType")), str(item.get("Type"))
    what = "complained" if sort in ("SpamNotification", "SpamComplaint") else _POSTMARK.get(record)
    if record == "SubscriptionChange" and not (item.get("SuppressSending") and item.get("Origin") == "Recipient"):
        return None  # let in again, or held back for a bounce that was told of already
    if what is None or (what == "bounced" and sort in ("AutoResponder", "Subscribe", "AddressChange", "Unsubscribe")):
        return None
    when = next((str(item[name]) for name in _POSTMARK_TIMES if item.get(name)), "")
    link = str(item.get("OriginalLink") or "")
    hard = sort in ("HardBounce", "BadEmailAddress", "ManuallyDeactivated")
    return Heard(
        what, _pairs(item.get("Metadata")).get(KEY, ""), digest(record, str(item.get("MessageID")), when, link),
        _instant(when), ("hard" if hard else "soft") if what == "bounced" else "",
        str(item.get("Description") or item.get("Details") or ""), link, str(item.get("UserAgent") or ""),
        address=str(item.get("Email") or item.get("Recipient") or ""),
    )  # fmt: skip


_POSTMARK: dict[str, What] = {
    "Delivery": "delivered", "Bounce": "bounced", "SpamComplaint": "complained", "Open": "opened", "Click": "clicked",
    "SubscriptionChange": "unsubscribed",
}  # fmt: skip
_POSTMARK_TIMES = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")


def mailgun(outer: dict[str, Any]) -> Heard | None:
    item = outer.get("event-data", outer)
    what = _MAILGUN.get(str(item.get("event")))
    if what is None:
        return None
    headers = _pairs((item.get("message") or {}).get("headers"))
    client, status = item.get("client-info") or {}, item.get("delivery-status") or {}
    kind: Kind = "" if what != "bounced" else "soft" if item.get("severity") == "temporary" else "hard"
    return Heard(
        what, _pairs(item.get("user-variables")).get(KEY) or key_of(headers.get("message-id", "")),
        str(item.get("id") or ""), _instant(item.get("timestamp")), kind,
        str(status.get("description") or status.get("message") or item.get("reason") or ""),
        str(item.get("url") or ""), str(client.get("user-agent") or ""),
        # the proxy of Gmail fetches when somebody opens; that of Apple and other robots do so by themselves
        client["bot"] not in ("", "gmail") if "bot" in client else None, str(item.get("recipient") or ""),
    )  # fmt: skip


_MAILGUN: dict[str, What] = {
    "delivered": "delivered", "failed": "bounced", "rejected": "bounced", "complained": "complained",
    "opened": "opened", "clicked": "clicked", "unsubscribed": "unsubscribed",
}  # fmt: skip


def resend(item: dict[str, Any]) -> Heard | None:
    event, data = str(item.get("type")), item.get("data") or {}
    what = _RESEND.get(event)
    if what is None:
        return None
    bounce, acted = data.get("bounce") or {}, data.get("click") or data.get("open") or {}
    link, when = str(acted.get("link") or ""), acted.get("timestamp") or item.get("created_at")
    return Heard(
        what, _pairs(data.get("tags")).get(KEY) or _pairs(data.get("headers")).get(HEADER, ""),
        digest(event, str(data.get("email_id")), str(when), link), _instant(when),
        "" if what != "bounced" else "soft" if bounce.get("type") == "Transient" else "hard",
        str(bounce.get("message") or ""), link, str(acted.get("userAgent") or ""), address=_only(data.get("to")),
    )  # fmt: skip


_RESEND: dict[str, What] = {
    "email.delivered": "delivered", "email.bounced": "bounced", "email.complained": "complained",
    "email.opened": "opened", "email.clicked": "clicked",
}  # fmt: skip


def ses(envelope: dict[str, Any]) -> Heard | None:
    """In the envelope of SNS, or as it is ("raw message delivery")."""
    item = json.loads(envelope["Message"]) if "Message" in envelope else envelope
    name = str(item.get("eventType") or item.get("notificationType"))
    what = _SES.get(name)
    if what is None or envelope.get("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        return None
    sent, about = item["mail"], item.get(name.lower()) or {}
    if about.get("complaintFeedbackType") == "not-spam":
        return None
    headers, tagged = _pairs(sent.get("headers")), (sent.get("tags") or {}).get(KEY)
    link, when = str(about.get("link") or ""), about.get("timestamp")
    people = about.get("bouncedRecipients") or [{}]
    return Heard(
        what, str(tagged[0] if tagged else headers.get(HEADER) or key_of(headers.get("message-id", ""))),
        digest(name, str(sent.get("messageId")), str(when), link), _instant(when),
        "" if what != "bounced" else "hard" if about.get("bounceType") == "Permanent" else "soft",
        str(people[0].get("diagnosticCode") or about.get("complaintFeedbackType") or ""),
        link, str(about.get("userAgent") or ""), address=_only([one.get("emailAddress") for one in people]),
    )  # fmt: skip


_SES: dict[str, What] = {
    "Delivery": "delivered", "Bounce": "bounced", "Complaint": "complained", "Open": "opened", "Click": "clicked",
}  # fmt: skip


def _only(told: object) -> str:
    """Return the one text of a list of one; "" for anything else."""
    return str(told[0] or "") if isinstance(told, list) and len(told) == 1 else ""


def _pairs(told: object) -> dict[str, str]:
    """Return names in lower case and values of an object, or of a list of objects with `name` and `value`."""
    if isinstance(told, Mapping):
        return {str(name).lower(): str(value) for name, value in told.items()}
    if isinstance(told, list):
        return {str(one["name"]).lower(): str(one["value"]) for one in told}
    return {}


def _instant(told: object) -> int | None:
    """Return the instant of a number of seconds (or milliseconds), of ISO 8601 or of a mail's date.

    None where there is none, and where it is none at which something can have been heard.
    """
    try:
        return plausible(instant_of(told))
    except (ValueError, OverflowError):
        return date_of(str(told))
