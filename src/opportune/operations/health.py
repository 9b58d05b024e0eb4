"""What a check of the operation says: how it stands, by which numbers, and what to do next.

A check is never well because data are missing: it is `unknown`, and says which they are and how they are sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from opportune.measure.effect import Interval

Status = Literal["ill", "watch", "unknown", "fine"]

WORST_FIRST: tuple[Status, ...] = ("ill", "watch", "unknown", "fine")


class Number(msgspec.Struct, frozen=True):
    """A number of a check, in a `unit`. `interval` is of 95 %; None where everything was counted, not a sample.

    `value` is None where there is no number yet, though an end of the interval may be known.
    """

    name: str
    value: float | None
    unit: str
    interval: Interval | None = None
    meaning: str = ""


class Finding(msgspec.Struct, frozen=True):
    """How one part of the operation stands: a sentence, the numbers behind it, the cases (`rows`), and the next step.

    `missing` says which data there are not, and how they are sent; "" where none are.
    """

    check: str
    title: str
    status: Status
    sentence: str
    evidence: tuple[Number, ...] = ()
    rows: tuple[dict[str, Any], ...] = ()
    missing: str = ""
    cure: str = ""


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in the order in which somebody should look at them."""
    return sorted(findings, key=lambda finding: WORST_FIRST.index(finding.status))
