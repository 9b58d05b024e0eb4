"""An e-mail as it goes over the wire: headers of RFC 5322, a text and an HTML part, and nothing smuggled in.

Written by hand: the `email` package takes 2.0 ms for a message of 13 KB, which is more than sending it, this 0.2 ms.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.utils import format_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

from opportune.clock import to_datetime
from opportune.deliver.carriers.base import Refused, TryLater
from opportune.deliver.types import Message

BOUNDARY = "=_opportune"
"""Quoted-printable text never holds `=_`, so the boundary cannot occur in a part."""

OUTER = "=_mixed_opportune"
"""The boundary around the message and its attachments; neither boundary begins like the other."""

_OWN = {"from", "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type", "bcc", "cc"}
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_CONTROL = dict.fromkeys((*range(32), 127), " ")
_WORD = 39
"""Bytes of a text in one encoded word: its line stays below the 76 characters of RFC 2047."""
_LINE = 76


@dataclass(frozen=True, slots=True)
class Address:
    """A checked e-mail address; `utf8` where it needs a relay with SMTPUTF8. A domain is always ASCII (IDNA 2008)."""

    text: str
    utf8: bool

    @property
    def domain(self) -> str:
        return self.text.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail with its envelope; `data` ends its lines with CR LF and its lines that begin with a dot are stuffed."""

    sender: str
    to: str
    data: bytes
    utf8: bool


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Who writes: texts such as `Acme <hello@acme.example>`. `bounces_to` is the sender of the envelope."""

    sender: str = ""
    reply_to: str = ""
    bounces_to: str = ""


def mail(message: Message, letterhead: Letterhead, at: int) -> Mail:
    """Return the e-mail of a message whose content has `subject`, `html` and `text` (one of these two may be missing).

    `attachments` of the content are files: each a `name` and a `media` type in ASCII, and `data`, bytes.
    The headers `From` and `Reply-To` of the message, and `from_name` of its content, go before the letterhead. What
    would break a line of a header becomes a space. Raises `Refused`, hard if the customer's address is no address, and
    `TryLater` if the letterhead's are none.
    """
    content, given = message.content, {name.lower(): value for name, value in message.headers.items()}
    to = address(message.to)
    name, sender = mailbox(given.get("from") or letterhead.sender, "sender of the channel (`from`)")
    name = str(content.get("from_name") or name)
    bounces = mailbox(letterhead.bounces_to, "`bounces_to` of the channel")[1] if letterhead.bounces_to else sender
    lines = [
        f"From: {_named(name, sender)}",
        f"To: {to.text}",
        header("Subject", str(content.get("subject", ""))),
        f"Date: {format_datetime(to_datetime(at))}",
        f"Message-ID: {message_id(message.key, sender.domain)}",
    ]
    utf8 = to.utf8 or sender.utf8 or bounces.utf8
    if answers := given.get("reply-to") or letterhead.reply_to:
        reply_name, reply = mailbox(answers, "`reply_to` of the channel")
        lines.append(f"Reply-To: {_named(reply_name, reply)}")
        utf8 = utf8 or reply.utf8
    for key, value in message.headers.items():
        if not _HEADER.fullmatch(key):
            raise Refused(f"{key[:50]!r} cannot be the name of a header")
        if key.lower() not in _OWN:
            lines.append(header(key, value))
    lines.append("MIME-Version: 1.0")
    data = "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n" + _body(content)
    return Mail(bounces.text, to.text, data.replace(b"\r\n.", b"\r\n.."), utf8)


def address(text: str) -> Address:
    """Return a checked address; `Refused`, hard, if its syntax is wrong. Nothing is asked of the network.

    >>> address("jörg@bücher.example")
    Address(text='jörg@xn--bcher-kva.example', utf8=True)
    """
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(text.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as why:
        shown = "there is no e-mail address" if not text.strip() else f"this is no e-mail address: {why}"
        raise Refused(shown, hard=True) from None
    if not found.ascii_domain:
        raise Refused("the e-mail address has no domain that the network knows", hard=True)
    return Address(found.ascii_email or f"{found.local_part}@{found.ascii_domain}", found.ascii_email is None)


@lru_cache(1000)
def mailbox(text: str, what: str) -> tuple[str, Address]:
    """Return name and address of a text such as `Acme <hello@acme.example>`; `TryLater`, naming `what`, if it is none.

    A name may be quoted or encoded, as headers have it.

    >>> mailbox("Müller & Söhne <post@mueller.example>", "sender")
    ('Müller & Söhne', Address(text='post@mueller.example', utf8=False))
    """
    found = re.fullmatch(r"\s*(?:(.*?)\s*<([^<>]*)>|(\S*))\s*", text, re.DOTALL)
    if not text or found is None:
        raise TryLater(f"the {what} is {text!r}; write it as `Acme <hello@acme.example>`")
    name = re.sub(r"\\(.)", r"\1", (found[1] or "").strip('"'))
    if "=?" in name:
        name = str(make_header(decode_header(name)))
    try:
        return name, address(found[2] if found[3] is None else found[3])
    except Refused as why:
        raise TryLater(f"the {what} {text!r} cannot be used: {why.what}") from None


def message_id(key: str, domain: str) -> str:
    """Return the Message-ID of a send key: the same at each try, and `key_of` reads it back.

    >>> message_id("01J:keep_bundle:email", "acme.example")
    '<01J%3Akeep_bundle%3Aemail@acme.example>'
    """
    return f"<{quote(key, safe='').replace('.', '%2E')}@{domain}>"


def key_of(message_id: str) -> str:
    """Return the send key that a Message-ID was made of, as a bounce or a complaint gives it back.

    >>> key_of(" <01J%3Akeep_bundle%3Aemail@acme.example>")
    '01J:keep_bundle:email'
    """
    return unquote(message_id.strip().strip("<>").rpartition("@")[0])


def header(name: str, text: str) -> str:
    """Return a header of one or more lines, without the line break at its end; not ASCII as RFC 2047 has it.

    >>> header("Subject", "Hello\\r\\nBcc: eve@example.com")
    'Subject: Hello Bcc: eve@example.com'
    >>> header("Subject", "Grüße")
    'Subject: =?utf-8?B?R3LDvMOfZQ==?='
    """
    clean = " ".join(text.translate(_CONTROL).split())
    if clean.isascii() and "=?" not in clean and len(name) + 2 + len(clean) <= _LINE:
        return f"{name}: {clean}"
    if clean.isascii() and "=?" not in clean:
        folded = _folded(name, clean)
        if folded is not None:
            return folded
    return f"{name}: {_encoded(clean)}"


def _folded(name: str, text: str) -> str | None:
    """Return a long header broken at its spaces; None where a word is too long for any line (RFC 5322, 2.1.1)."""
    lines = [f"{name}:"]
    for word in text.split(" "):
        if len(word) > 900:
            return None
        if len(lines[-1]) + 1 + len(word) > _LINE and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines)


def _encoded(text: str) -> str:
    words, word = [], b""
    for character in text:
        piece = character.encode("utf-8", "replace")
        if len(word) + len(piece) > _WORD:
            words.append(word)
            word = b""
        word += piece
    return "\r\n ".join(f"=?utf-8?B?{base64.b64encode(piece).decode()}?=" for piece in (*words, word))


@lru_cache(1000)
def _named(name: str, address: Address) -> str:
    clean = " ".join(name.translate(_CONTROL).split())
    if not clean:
        return address.text
    if clean.isascii() and len(clean) <= _LINE - 12:
        escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"\r\n <{address.text}>'
    return f"{_encoded(clean)}\r\n <{address.text}>"


def _body(content: Mapping[str, Any]) -> bytes:
    """Return the rest of the message, from its Content-Type."""
    files = content.get("attachments") or ()
    if not files:
        return _texts(content)
    edge = f"--{OUTER}".encode()
    inner = b"".join(edge + b"\r\n" + part for part in (_texts(content), *map(_attached, files)))
    return f'Content-Type: multipart/mixed; boundary="{OUTER}"\r\n\r\n'.encode() + inner + edge + b"--\r\n"


def _attached(file: Mapping[str, Any]) -> bytes:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", str(file["name"]))
    coded = base64.encodebytes(file["data"]).replace(b"\n", b"\r\n")
    about = (f'Content-Type: {file["media"]}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
             f'Content-Disposition: attachment; filename="{name}"\r\n\r\n')  # fmt: skip
    return about.encode() + coded


def _texts(content: Mapping[str, Any]) -> bytes:
    """Return the text and HTML parts, of which one may be missing."""
    parts = [(kind, content[key]) for kind, key in (("plain", "text"), ("html", "html")) if content.get(key)]
    if not parts:
        raise Refused("the e-mail has neither `html` nor `text`")
    made = [_part(kind, text) for kind, text in parts]
    if len(made) == 1:
        return made[0]
    edge = f"--{BOUNDARY}".encode()
    inner = b"".join(edge + b"\r\n" + part for part in made)
    return f'Content-Type: multipart/alternative; boundary="{BOUNDARY}"\r\n\r\n'.encode() + inner + edge + b"--\r\n"


def _part(kind: str, text: str) -> bytes:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    coded = binascii.b2a_qp(lines.encode("utf-8", "replace"), istext=True).replace(b"\n", b"\r\n")
    about = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return about.encode() + coded + (b"" if coded.endswith(b"\r\n") else b"\r\n")
