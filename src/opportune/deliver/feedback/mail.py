"""Bounces and complaints that come by mail: delivery status (RFC 3464) and feedback reports (RFC 5965)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Literal

from opportune.clock import parse_instant
from opportune.deliver.carriers.mime import key_of
from opportune.deliver.feedback.heard import Heard, digest, plausible, send_key
from opportune.errors import BadInput

MOST_BYTES = 512 << 10
"""Of a mail; what comes later is the text of the message that came back."""

MOST_BLOCKS = 100
"""Recipients of whom one mail tells that are looked at: a message of ours goes to one."""

_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})")
_MESSAGE_ID = re.compile(r"<[^<>\s]+@[^<>\s]+>")


def read_mail(raw: bytes) -> list[Heard]:
    """Return what a mail tells of messages of ours; nothing if it is neither a bounce nor a complaint.

    It tells one thing of the one message that came back, however many recipients it lists.

    A bounce is hard where the address is bad: a status of 5.1 (no such address), 5.2.1 (disabled), or 5.0 (nothing said
    but that it failed for good). A full mailbox (5.2.2), a policy (5.7) or a host that is away are soft.
    """
    mail = message_from_bytes(raw[:MOST_BYTES], policy=policy.compat32)
    parts = list(_parts(mail))
    kinds = {part.get_content_type() for part in parts}
    key, at = _key(mail, parts), date_of(str(mail["date"]))
    if "message/feedback-report" in kinds:
        return _complaint(mail, parts, key, at)
    if "message/delivery-status" in kinds:
        return _bounces(mail, parts, key, at)
    return []


def _bounces(mail: Message, parts: list[Message], key: str, at: int | None) -> list[Heard]:
    found = []
    id = digest(str(mail.get("message-id", "")), key)
    for fields in islice(_fields(parts, "message/delivery-status"), MOST_BLOCKS):
        action = str(fields.get("action", "")).strip().lower().split(" ")[0]
        if action not in ("failed", "delivered"):  # delayed: it goes on trying; the part about the host has none
            continue
        reason = " ".join(str(fields.get("diagnostic-code") or fields.get("status") or "").split())
        if action == "delivered":
            found.append(Heard("delivered", key, id, at))
        else:
            kind = _kind(str(fields.get("status", "")))
            found.append(Heard("bounced", key, id, at, kind, reason, address=_recipient(fields)))
    # what is worst of all counts: an address that is bad before one that is full
    return sorted(found, key=lambda heard: ("hard", "soft", "").index(heard.kind))[:1]


def _complaint(mail: Message, parts: list[Message], key: str, at: int | None) -> list[Heard]:
    fields = next(iter(_fields(parts, "message/feedback-report")), None)
    kind = str(fields.get("feedback-type", "") if fields is not None else "").strip().lower()
    id = digest(str(mail.get("message-id", "")), key, kind)
    if kind in ("opt-out", "opt-out-list"):
        return [Heard("unsubscribed", key, id, at)]
    # fraud, virus and not-spam say nothing of what the customer thinks of the sender
    return [Heard("complained", key, id, at, reason=kind)] if kind in ("abuse", "other", "") else []


def _recipient(fields: Message) -> str:
    """Return the address that a block is about: the one that was written to, before anybody forwarded it."""
    told = str(fields.get("original-recipient") or fields.get("final-recipient") or "")
    return told.partition(";")[2].strip()


def _kind(status: str) -> Literal["hard", "soft"]:
    found = _STATUS.search(status)
    if found is None:
        return "hard"
    sort, subject, detail = found.groups()
    return "hard" if sort == "5" and (subject in ("0", "1") or (subject, detail) == ("2", "1")) else "soft"


def _parts(mail: Message) -> Iterator[Message]:
    """Yield the parts of a mail, not those within a message that it carries, which count as one."""
    kind = mail.get_content_maintype()
    if kind == "multipart" and isinstance(mail.get_payload(), list):
        for part in mail.get_payload():
            if isinstance(part, Message):
                yield from _parts(part)
    else:
        yield mail


def _fields(parts: list[Message], kind: str) -> Iterator[Message]:
    """Yield the blocks of fields in the parts of a kind."""
    for part in parts:
        if part.get_content_type() == kind:
            payload = part.get_payload()
            if isinstance(payload, list):
                yield from (block for block in payload if isinstance(block, Message))
            else:
                text = part.get_payload(decode=True)
                yield message_from_bytes(text if isinstance(text, bytes) else str(payload).encode(), EmailMessage)


def _key(mail: Message, parts: list[Message]) -> str:
    """Return the send key of the message that came back: from its headers, else from what the mail answers to."""
    for part in parts:
        kind = part.get_content_type()
        payload = part.get_payload()
        if kind == "message/rfc822" and isinstance(payload, list) and payload:
            original = payload[0]
        elif kind in ("text/rfc822-headers", "message/rfc822-headers"):
            text = part.get_payload(decode=True)
            original = message_from_bytes(text if isinstance(text, bytes) else b"")
        else:
            continue
        if isinstance(original, Message) and (key := _named(original)):
            return key
    told = " ".join(str(mail.get(name, "")) for name in ("in-reply-to", "references"))
    keys = (key_of(found) for found in reversed(_MESSAGE_ID.findall(told)))
    return next((key for key in keys if send_key(key)), "")


def _named(original: Message) -> str:
    if key := str(original.get("x-opportune-key", "")).strip():
        return key
    key = key_of(str(original.get("message-id", "")))
    return key if send_key(key) else ""


def date_of(told: str) -> int | None:
    """Return the instant of a mail's date; None where it cannot be read, or where nothing was heard of us yet."""
    try:
        return plausible(parse_instant(parsedate_to_datetime(told).isoformat()))
    except (ValueError, TypeError, OverflowError, BadInput):
        return None
