"""One attempt to deliver a webhook: signed, to an address that was checked, bounded in time and in what is read."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING

from opportune.api import addresses
from opportune.clock import DAY, SECOND
from opportune.errors import BadInput

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    import httpx

    from opportune.api.webhooks import Delivery

SECONDS = 15.0
"""What an attempt may take from its beginning to its end."""

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


async def send(delivery: Delivery, allow_private: bool, resolver: addresses.Resolver = addresses.lookup) -> Status:
    """Post a message once and return what came back; it raises nothing for whatever an endpoint may do.

    Redirects are not followed: they are answers like any other that is not 2xx. An address that is not public, unless
    `allow_private`, is no answer: 0.
    """
    import httpx

    try:
        async with asyncio.timeout(SECONDS):
            target = await addresses.resolve(delivery.url, allow_private, resolver)
            return await _post(target, delivery)
    except TimeoutError:
        return Status(0, f"no answer within {SECONDS:.0f} seconds")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, BadInput) as why:
        return Status(0, f"{type(why).__name__}: {why}")


def headers(delivery: Delivery) -> dict[str, str]:
    """Return the headers of Standard Webhooks: the id, the time of this attempt, and HMAC-SHA256 over both and body."""
    timestamp = delivery.at // SECOND
    key = base64.b64decode(delivery.secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{delivery.id}.{timestamp}.".encode() + delivery.body, hashlib.sha256).digest()
    return {
        "webhook-id": delivery.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
    }


async def _post(target: addresses.Target, delivery: Delivery) -> Status:
    import httpx

    about = {"host": target.authority, "content-type": "application/json", "user-agent": "Opportune"}
    # A client for each message: a pool tells connections apart by address, and one address may serve many names, each
    # with its own certificate. Proxies of the environment would resolve the name again.
    async with (
        httpx.AsyncClient(verify=_trust(), trust_env=False, follow_redirects=False, timeout=SECONDS) as client,
        client.stream(
            "POST",
            target.pinned,
            content=delivery.body,
            headers={**about, **headers(delivery)},
            extensions={"sni_hostname": target.host},
        ) as answer,
    ):
        await _read_some(answer)
        why = "" if answer.is_success else f"HTTP {answer.status_code}"
        return Status(answer.status_code, why, retry_after(answer.headers, delivery.at))


async def _read_some(answer: httpx.Response) -> None:
    """Let the endpoint finish its answer, if it is short, so that it sees no broken connection."""
    read = 0
    async for chunk in answer.aiter_raw():
        read += len(chunk)
        if read > LARGEST_ANSWER:
            return


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
def _trust() -> ssl.SSLContext:
    """Return the certificates that we trust: those of `SSL_CERT_FILE` where it is set. Loading them takes long."""
    import httpx

    return httpx.create_ssl_context()
