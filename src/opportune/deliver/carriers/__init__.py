"""How messages leave: a carrier brings those of one channel away.

A carrier is one file, one line in `CARRIERS`, and one line in the catalog's table of what each can be told
(`catalog.channel_sections`). `contract` holds what every carrier must do. A channel that the customer comes to (app,
web, agent) has none: its `via` is None.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from opportune.catalog.types import Channel
from opportune.clock import Clock, SystemClock
from opportune.deliver.carriers.base import Carrier, InDoubt, Refused, TryLater
from opportune.deliver.carriers.options import Options
from opportune.errors import BadInput

__all__ = ["CARRIERS", "Carrier", "InDoubt", "Refused", "TryLater", "open_carrier"]

CARRIERS = {
    "apprise": "opportune.deliver.carriers.apprise:open_apprise",
    "file": "opportune.deliver.carriers.file:open_file",
    "print": "opportune.deliver.carriers.print:open_print",
    "smtp": "opportune.deliver.carriers.smtp:open_smtp",
    "webhook": "opportune.deliver.carriers.webhook:open_webhook",
}
"""Where each carrier is, `module:function`; the function takes `Options` and a clock."""


def open_carrier(
    channel: Channel, environ: Mapping[str, str], folder: Path | str, clock: Clock | None = None
) -> Carrier:
    """Return the carrier of a channel, ready to send; nothing is connected yet.

    `${NAME}` in the options is filled in from `environ`, and stays nowhere but in the carrier. `folder` is the
    project's. `BadInput` says what is missing or wrong, for a channel without a carrier too.

    >>> open_carrier(Channel("email", True, via="smtp", options={"host": "${RELAY}"}), {}, ".")
    Traceback (most recent call last):
    opportune.errors.BadInput: channel `email` needs RELAY from the environment, which is not set; start with \
`RELAY=...`, or change `options` of the channel
    """
    if channel.via is None:
        raise BadInput(f"channel `{channel.name}` has no carrier, so the hub does not send there; add `via:` to it")
    if channel.via not in CARRIERS:
        near = difflib.get_close_matches(channel.via, CARRIERS, 1, 0)
        known = ", ".join(sorted(CARRIERS))
        raise BadInput(f"unknown carrier {channel.via!r}; did you mean {near[0]!r}? ({known})")
    module, _, function = CARRIERS[channel.via].partition(":")
    opener = getattr(importlib.import_module(module), function)
    return cast(Carrier, opener(Options(channel, environ, Path(folder)), clock or SystemClock()))
