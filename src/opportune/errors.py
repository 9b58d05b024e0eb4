"""Every exception that Opportune raises on purpose.

    OpportuneError
    ├── BadInput            what a user gave us is wrong (exit code 2)
    │   ├── BadCatalog      one or more `Problem`s in the YAML files
    │   ├── BadCondition    one or more `Problem`s in a SQL condition
    │   ├── BadEvent        one event cannot be taken
    │   └── BadRequest      a decide, respond or explain call that makes no sense
    ├── Stale               an answer that was shown no longer holds
    ├── NotFound            a decision, customer, action or blob that does not exist
    ├── Forgotten           it existed, and its customer asked us to forget it
    ├── StoreInUse          another process writes this store
    └── BrokenStore         the store cannot be read or written

Each message says what is wrong, where, and the cure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class OpportuneError(Exception):
    """The root of all exceptions that Opportune raises on purpose."""


class BadInput(OpportuneError):
    """What a user gave us is wrong."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, where it is and how to mend it.

    >>> print(Problem("unknown name `tenur`", "did you mean `tenure`?", line=3, column=7, file="shop.yaml"))
    shop.yaml:3:7: unknown name `tenur`; did you mean `tenure`?
    """

    what: str
    cure: str = ""
    line: int = 1
    column: int = 1
    file: str = ""
    warning: bool = False

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.file else f"line {self.line}, column {self.column}: "
        return f"{place}{'warning: ' if self.warning else ''}{self.what}" + (f"; {self.cure}" if self.cure else "")


class _Problems(BadInput):
    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class BadCatalog(_Problems):
    """One or more mistakes in the catalog files."""


class BadCondition(_Problems):
    """One or more mistakes in a SQL condition; lines and columns count from its own first character."""


class BadEvent(BadInput):
    """An event that cannot be taken; `reason` is a short machine-readable word."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class BadRequest(BadInput):
    """A call that makes no sense: an unknown placement, an outcome that the action does not have.

    `field` names the part of the request that is at fault, where there is one.
    """

    def __init__(self, message: str, field: str = "") -> None:
        self.field = field
        super().__init__(message)


class Stale(OpportuneError):
    """An answer that was shown no longer holds: something about the customer changed since."""


class NotFound(OpportuneError):
    """What was asked for does not exist."""


class Forgotten(OpportuneError):
    """It existed, and its customer asked us to forget it."""


class StoreInUse(OpportuneError):
    """Another process writes this store."""


class BrokenStore(OpportuneError):
    """The store cannot be read or written."""
