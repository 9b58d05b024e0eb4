"""The events of one batch on their way into the log: each has its number at once, all are written together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opportune.events import codec
from opportune.events.segment import bounded
from opportune.events.types import Event

if TYPE_CHECKING:
    from opportune.store.base import Rows
    from opportune.store.vault import Vault


class Tail:
    """What comes after the last row of a log of (node, sealed event) rows. Nobody else may append until `write`."""

    def __init__(self, log: Rows, vault: Vault) -> None:
        self._log, self._vault = log, vault
        self._last = log.last()
        self._rows: list[tuple[str, bytes]] = []

    @property
    def next(self) -> int:
        """The number that the next event will have."""
        return self._last + len(self._rows) + 1

    def add(self, node: str, event: Event) -> tuple[int, Event]:
        """Return the number that an event of a node will have, and the event as it will be read back."""
        try:
            payload = codec.encode(event)
        except OverflowError:
            event = bounded(event)
            payload = codec.encode(event)
        self._rows.append((node, payload))
        return self._last + len(self._rows), event

    def write(self) -> None:
        """Append what was added, sealed."""
        if self._rows:
            self._last = self._log.append(self._vault.seal_many(self._rows))
            self._rows.clear()
