"""What every endpoint of the door works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from opportune.api.keys import Key, Keys, Rates
from opportune.api.metrics import Metrics
from opportune.api.streams import Streams
from opportune.api.webhooks import Webhooks
from opportune.api.writer import Writer
from opportune.hub import Hub
from opportune.store.tokens import Signer


@dataclass(slots=True)
class Door:
    """One hub behind HTTP: who may call, the thread that works, who watches, what is counted."""

    hub: Hub
    writer: Writer
    keys: Keys
    rates: Rates
    signer: Signer
    streams: Streams
    webhooks: Webhooks
    metrics: Metrics
    folder: Path | None = None
    local: Key | None = None
    local_hash: bytes = field(default=b"", repr=False)
    private_webhooks: bool = False
    stopping: bool = False
