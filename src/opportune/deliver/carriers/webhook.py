"""`webhook`: each message as JSON to an address of the channel, signed as Standard Webhooks have it.

The send key is the `webhook-id`: a receiver that has seen it takes the message for the same one, so what is in doubt is
sent again. 410 says that this customer cannot be reached any more; what a receiver cannot read (400, 413, 422) it will
not read the next time either; everything else is tried again, no sooner than its `Retry-After`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from opportune.clock import SECOND, Clock, format_instant
from opportune.deliver import addresses
from opportune.deliver.carriers.base import Refused, TryLater
from opportune.deliver.carriers.options import Options
from opportune.deliver.signed_post import post, secret_of, signed, trust
from opportune.deliver.types import Message, Receipt
from opportune.errors import BadInput

if TYPE_CHECKING:
    import httpx

SECONDS = 15.0
"""What an attempt may take from its beginning to its end."""

UNREADABLE = (400, 413, 422)
_OWN = ("content-type", "content-length", "host", "user-agent", "transfer-encoding", "connection")


def open_webhook(options: Options, clock: Clock) -> Webhook:
    allow_private = options.flag("allow_private")
    try:
        url = addresses.check(options.need("url"), allow_private)[0]
        secret = secret_of(options.need("secret"))
    except BadInput as why:
        raise BadInput(f"channel `{options.channel.name}`: {why}") from None
    headers = options.texts("headers")
    for name, text in headers.items():
        if name.lower() in _OWN or name.lower().startswith("webhook-") or not text.isprintable():
            raise options.wrong("headers", f"without `{name}`, which the hub sets itself or cannot send")
    return Webhook(url, secret, headers, allow_private, clock)


class Webhook:
    """One receiver, over connections that stay open to the address that was checked."""

    repeatable = True

    def __init__(
        self,
        url: str,
        secret: bytes,
        headers: Mapping[str, str],
        allow_private: bool,
        clock: Clock,
        resolver: addresses.Resolver = addresses.lookup,
    ) -> None:
        self._url, self._secret, self._headers = url, secret, headers
        self._allow_private, self._clock, self._resolver = allow_private, clock, resolver
        self._client: httpx.AsyncClient | None = None

    async def send(self, message: Message) -> Receipt:
        import httpx

        now = self._clock.now()
        body = as_json(message, now)
        headers = {**self._headers, **signed(message.key, now, body, self._secret)}
        if self._client is None:
            # Proxies of the environment would resolve the name again.
            self._client = httpx.AsyncClient(verify=trust(), trust_env=False, follow_redirects=False, timeout=SECONDS)
        try:
            async with asyncio.timeout(SECONDS):
                target = await addresses.resolve(self._url, self._allow_private, self._resolver)
                status = await post(self._client, target, body, headers, now)
        except TimeoutError:
            raise TryLater(f"no answer within {SECONDS:g} seconds") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, BadInput) as why:
            raise TryLater(f"{type(why).__name__}: {why}") from None
        if status.arrived:
            return Receipt()
        if status == 410:
            raise Refused("the receiver says that the customer cannot be reached any more (410)", hard=True)
        if status in UNREADABLE:
            raise Refused(f"the receiver cannot read the message: {status.why}")
        raise TryLater(status.why, None if status.retry_after is None else int(status.retry_after * SECOND))

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def as_json(message: Message, now: int) -> bytes:
    """Return what is posted: `type`, `timestamp` and `data`, as Standard Webhooks recommend; bytes are base64.

    >>> as_json(Message("k", "sms", "+49301234", {"text": "Hi"}), 0)[:66]
    b'{"type":"message.due","timestamp":"1970-01-01T00:00:00Z","data":{"'
    """
    told = {"type": "message.due", "timestamp": format_instant(now), "data": message}
    return msgspec.json.encode(told)
