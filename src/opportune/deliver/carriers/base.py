"""What a carrier is: it takes a message that is ready and hands it to whoever brings it to the customer."""

from __future__ import annotations

from typing import Protocol

from opportune.deliver.types import Message, Receipt


class TryLater(Exception):
    """The message did not leave and may be tried again, after so many microseconds if the provider said so."""

    def __init__(self, what: str, after: int | None = None) -> None:
        self.what, self.after = what, after
        super().__init__(what)


class Refused(Exception):
    """The message did not leave and never will. `hard`: the address is bad, nothing can be sent to it."""

    def __init__(self, what: str, hard: bool = False) -> None:
        self.what, self.hard = what, hard
        super().__init__(what)


class InDoubt(Exception):
    """The message may have left: nobody can know."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)


class Carrier(Protocol):
    """Brings messages of one channel away.

    `repeatable`: the same send key twice is one message (a file by that name, a receiver that knows the key), so that
    what is in doubt can be tried again.
    """

    repeatable: bool

    async def send(self, message: Message) -> Receipt:
        """Return once the message left for certain; raise `TryLater`, `Refused` or `InDoubt`, and nothing else."""

    async def close(self) -> None:
        """Let go of connections and files."""
