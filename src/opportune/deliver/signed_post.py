"""A signed message over HTTP, as Standard Webhooks have it (github.com/standard-webhooks), and what comes back."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING

from opportune.clock import DAY, SECOND
from opportune.errors import BadInput

if TYPE_CHECKING:
    import ssl

    import httpx

    from opportune.deliver.addresses import Target

LARGEST_ANSWER = 1 << 16


class Status(int):
    """The status of HTTP, 0 where no answer came. `why` says what went wrong; `retry_after` is in seconds, or None.

    >>> Status(503, retry_after=60.0) == 503, Status(204).arrived
    (True, True)
    """

    why: str
    retry_after: float | None

    def __new__(cls, status: int, why: str = "", retry_after: float | None = None) -> Status:
        made = super().__new__(cls, status)
        made.why, made.retry_after = why, retry_after
        return made

    @property
    def arrived(self) -> bool:
        """True where the endpoint took the message: any 2xx."""
        return 200 <= self < 300


async def post(
    client: httpx.AsyncClient, target: Target, body: bytes, headers: Mapping[str, str], now: int
) -> Status:
    """Post JSON to a checked address and return what came back; raises what the client does where nothing did.

    Redirects have to be off in the client: they are answers like any other that is not 2xx. `now` is for a
    `Retry-After` that is a date.
    """
    async with client.stream(
        "POST",
        target.pinned,
        content=body,
        headers={**headers, "host": target.authority, "content-type": "application/json", "user-agent": "Opportune"},
        extensions={"sni_hostname": target.host},
    ) as answer:
        await _read_some(answer)
        why = "" if answer.is_success else f"HTTP {answer.status_code}"
        return Status(answer.status_code, why, retry_after(answer.headers, now))


def signed(id: str, at: int, body: bytes, secret: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks: the id, the time of this attempt, and HMAC-SHA256 over both and body.

    >>> signed("m1", 0, b"{}", b"key")["webhook-signature"]
    'v1,AYBf1NHlm5P6TtEFjCpQEV3GrUMStzROimwk2bO64xg='
    """
    timestamp = at // SECOND
    digest = hmac.new(secret, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def secret_of(text: str) -> bytes:
    """Return the bytes of a secret that is written `whsec_` and base64; `BadInput` for any other text."""
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise BadInput("the secret is not base64; write `whsec_` and 24 to 64 random bytes in base64")
    return key


def retry_after(answer: Mapping[str, str], now: int) -> float | None:
    """Return the seconds in the header `Retry-After`, written as a number or a date; None where there are none.

    >>> retry_after({"retry-after": "120"}, 0), retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, 0)
    (120.0, 60.0)
    """
    text = answer.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:12]), DAY // SECOND))
    try:
        return max(0.0, min(parsedate_to_datetime(text).timestamp() - now / SECOND, DAY / SECOND))
    except (ValueError, TypeError, OverflowError):
        return None


@cache
def trust() -> ssl.SSLContext:
    """Return the certificates that we trust: those of `SSL_CERT_FILE` where it is set. Loading them takes long."""
    import httpx

    return httpx.create_ssl_context()


async def _read_some(answer: httpx.Response) -> None:
    """Let the endpoint finish its answer, if it is short, so that it sees no broken connection."""
    read = 0
    async for chunk in answer.aiter_raw():
        read += len(chunk)
        if read > LARGEST_ANSWER:
            return
