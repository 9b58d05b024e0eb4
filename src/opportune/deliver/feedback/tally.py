"""What was counted of each message already: however often a thing is told, one message counts for it once."""

from __future__ import annotations

from opportune.deliver.feedback.heard import SendKey, What, digest
from opportune.store.base import Store


class Tally:
    """The table of one store. Call it inside of a transaction.

    A row names neither customer nor message: its key is a digest of both with what was heard.
    """

    def __init__(self, store: Store) -> None:
        self._rows = store.table("feedback_counted")

    def first(self, send: SendKey, what: What) -> bool:
        """Note that something is counted of a message; return whether it was not before."""
        key = digest(what, *send)
        if self._rows.get(key) is not None:
            return False
        self._rows.put([(key, b"")])
        return True
