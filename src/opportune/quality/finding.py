"""What one look at an event or a customer found, right or wrong."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["validity", "completeness", "uniqueness", "timeliness", "consistency", "consent", "identity"]


class Finding(NamedTuple):
    """One check of one field of an event or a customer.

    `what` names the fault, "" where there is none; `number` is that of the event in the log that said it, 0 for what no
    event said; `faults` is how many it stands for: more than 1 where a sample finds only some.
    """

    event: str
    field: str
    kind: Kind
    weight: float
    what: str = ""
    number: int = 0
    at: int = 0
    faults: float = 1.0
