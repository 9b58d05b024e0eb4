"""Marketing that reached, or was about to reach, customers who are held out: counted by holdout and channel."""

from __future__ import annotations

from opportune.store.base import Store


class Leaks:
    """The counts of a store; what is written joins the caller's transaction. Facts of the ledger say who and when."""

    def __init__(self, store: Store) -> None:
        self._rows = store.table("leaks")

    def count(self, holdout: str, channel: str, blocked: bool) -> None:
        """Count one: `blocked` before it left, or told of by somebody else's event when it had."""
        key = f"{holdout}\x1f{channel}\x1f{'blocked' if blocked else 'reached'}"
        self._rows.put([(key, str(int(self._rows.get(key) or b"0") + 1).encode())])

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Return how many by (holdout, channel, `blocked` or `reached`)."""
        found = {}
        for key, row in self._rows.scan():
            holdout, channel, what = key.split("\x1f")
            found[holdout, channel, what] = int(row)
        return found
