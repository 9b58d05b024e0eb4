"""What a carrier is: it takes a message that is ready and hands it to whoever brings it to the customer."""

from __future__ import annotations

import re
from typing import Protocol

from opportune.deliver.types import Message, Receipt


class _Told(Exception):
    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)

    def __str__(self) -> str:
        return self.what


class TryLater(_Told):
    """The message did not leave and may be tried again, after so many microseconds if the provider said so."""

    def __init__(self, what: str, after: int | None = None) -> None:
        self.after = after
        super().__init__(what)


class Refused(_Told):
    """The message did not leave and never will. `hard`: the address is bad, nothing can be sent to it."""

    def __init__(self, what: str, hard: bool = False) -> None:
        self.hard = hard
        super().__init__(what)


class InDoubt(_Told):
    """The message may have left: nobody can know."""


class Carrier(Protocol):
    """Brings messages of one channel away; any number at the same time, all in one event loop.

    `repeatable`: the same send key twice is one message (a file by that name, a receiver that knows the key), so that
    what is in doubt can be tried again.
    """

    repeatable: bool

    async def send(self, message: Message) -> Receipt:
        """Return once the message left for certain; raise `TryLater`, `Refused` or `InDoubt`, and nothing else.

        What is wrong with the channel, such as a wrong password, is `TryLater`: the messages are good. What an
        exception says is kept for good, so it names no customer (`nameless`).
        """

    async def close(self) -> None:
        """Let go of connections and files; nothing is sent after that."""


def nameless(text: str, to: str) -> str:
    """Return what a provider said on one line, without the customer's address in it.

    >>> nameless("550 5.1.1 <Maya@example.com>: user maya\\nunknown", "maya@example.com")
    '550 5.1.1 <(address)>: user (address) unknown'
    """
    words = [word for word in (to.strip(), to.strip().partition("@")[0]) if len(word) > 1]
    for word in words:
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "(address)", text, flags=re.IGNORECASE)
    return " ".join(text.split())[:300]
