"""One attempt to deliver a webhook: signed, to an address that was checked, bounded in time and in what is read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from opportune.deliver import addresses
from opportune.deliver.signed_post import Status, post, secret_of, signed, trust
from opportune.errors import BadInput

if TYPE_CHECKING:
    from opportune.api.webhooks import Delivery

SECONDS = 15.0
"""What an attempt may take from its beginning to its end."""


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


async def _post(target: addresses.Target, delivery: Delivery) -> Status:
    import httpx

    headers = signed(delivery.id, delivery.at, delivery.body, secret_of(delivery.secret))
    # A client for each message: a pool tells connections apart by address, and one address may serve many names, each
    # with its own certificate. Proxies of the environment would resolve the name again.
    async with httpx.AsyncClient(verify=trust(), trust_env=False, follow_redirects=False, timeout=SECONDS) as client:
        return await post(client, target, delivery.body, headers, delivery.at)
