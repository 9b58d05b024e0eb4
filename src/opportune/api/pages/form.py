"""The fields of a form, as browsers and mail programs post them."""

from __future__ import annotations

from collections.abc import Mapping
from email import message_from_bytes
from email.message import Message
from urllib.parse import parse_qsl

from opportune.api.problems import Refused

LARGEST = 64 << 10
"""Bytes of a form."""

MOST = 500
"""Fields of a form."""


def fields(raw: bytes, content_type: str) -> Mapping[str, str]:
    """Return the fields by name, of several of one name the last; raise `Refused` for what is no form.

    One-click unsubscription may come as either kind of form (RFC 8058, 3.1), so both are read.

    >>> fields(b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded")
    {'List-Unsubscribe': 'One-Click'}
    """
    try:
        if content_type.strip().lower().startswith("multipart/form-data"):
            return _parts(raw, content_type)
        return dict(parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST))
    except (ValueError, UnicodeDecodeError):
        raise Refused(400, "bad-form", "this is not a form") from None


def _parts(raw: bytes, content_type: str) -> Mapping[str, str]:
    mail = message_from_bytes(b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n" + raw)
    payload = mail.get_payload()
    found: dict[str, str] = {}
    parts = payload[:MOST] if isinstance(payload, list) else []
    for part in (part for part in parts if isinstance(part, Message)):
        name = part.get_param("name", header="content-disposition")
        text = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(text, bytes):
            found[name] = text.decode("utf-8")
    return found
