"""Small signed texts that we hand out and take back: whoever holds one can neither read more into it nor alter it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from opportune.clock import format_instant
from opportune.errors import BadInput, BadRequest

if TYPE_CHECKING:
    from opportune.store.base import Store

LONGEST = 4096
"""The most characters of a token."""

_MAC = hashlib.sha256().digest_size


class Signer:
    """Signs with a random secret of 32 bytes, made when a store is first used and kept in its table `meta`.

    A token is base64url of HMAC-SHA256 and payload, the payload msgpack of (purpose, expires, data). It is signed, not
    sealed: its holder can read the data.

    >>> from opportune.store import open_store
    >>> signer = Signer(open_store("memory:"))
    >>> token = signer.sign("unsubscribe", {"topic": "news"}, expires=10)
    >>> signer.read("unsubscribe", token, now=9)
    {'topic': 'news'}
    """

    def __init__(self, store: Store) -> None:
        meta = store.table("meta")
        with store.transaction():
            secret = meta.get("token_secret")
            if secret is None:
                secret = secrets.token_bytes(32)
                meta.put([("token_secret", secret)])
        self._secret = secret

    def sign(self, purpose: str, data: Mapping[str, Any], expires: int) -> str:
        """Return a token of url-safe letters, good for this purpose until the instant `expires`.

        `BadInput` where the data do not fit in 4,096 characters or are not of JSON's types.
        """
        try:
            payload = msgspec.msgpack.encode((purpose, expires, dict(data)))
        except (TypeError, ValueError, OverflowError) as why:
            raise BadInput(f"the data of a token for {purpose!r} cannot be written ({why}); use JSON's types") from None
        text = base64.urlsafe_b64encode(self._mac(payload) + payload).rstrip(b"=").decode()
        if len(text) > LONGEST:
            raise BadInput(f"a token for {purpose!r} would take {len(text)} characters; {LONGEST} is the most")
        return text

    def read(self, purpose: str, text: str, now: int) -> dict[str, Any]:
        """Return the data of a token; `BadRequest` where it is not ours, for another purpose, or expired by `now`."""
        raw = _bytes(text)
        if raw is None or len(raw) <= _MAC:
            _refuse("is not a token: it was cut off or altered", "send it back as it came")
        mac, payload = raw[:_MAC], raw[_MAC:]
        if not hmac.compare_digest(mac, self._mac(payload)):
            _refuse("was not signed by this hub, or was altered", "send it back as it came, to the hub that gave it")
        signed_for, expires, data = _payload.decode(payload)
        if signed_for != purpose:
            _refuse(f"is for {signed_for!r}, not for {purpose!r}", "send each token where it belongs")
        if now >= expires:
            _refuse(f"expired at {_when(expires)}", "ask for a new one")
        return data

    def _mac(self, payload: bytes) -> bytes:
        return hmac.digest(self._secret, payload, "sha256")


_payload = msgspec.msgpack.Decoder(tuple[str, int, dict[str, Any]])


def _bytes(text: object) -> bytes | None:
    """Return what base64url holds, if it is written in the one way that we write it."""
    if not isinstance(text, str) or len(text) > LONGEST:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:  # letters beyond base64url, or too few
        return None
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=") == text.encode() else None


def _refuse(what: str, cure: str) -> NoReturn:
    raise BadRequest(f"the token {what}; {cure}")


def _when(instant: int) -> str:
    try:
        return format_instant(instant)
    except (OverflowError, ValueError, OSError):
        return f"instant {instant}"
