"""What a figure says: its value with an interval, what stands beside it, and which data and query it comes from."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Direction = Literal["up", "down"]
Status = Literal["in range", "out of range", "unclear", "no target"]

Between = tuple[float | None, float | None]
"""An interval; None at a side without a bound."""


class Beside(msgspec.Struct, frozen=True, rename="camel"):
    """A number that stands beside a figure, and what it means."""

    name: str
    value: float | None
    interval: Between | None
    meaning: str


class Query(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The SQL file of a figure, and the SHA-256 of its text; `sql` is the text where it was asked for."""

    file: str
    sha256: str
    sql: str = ""


class Data(msgspec.Struct, frozen=True, rename={"begin": "from"}):
    """The tables that a figure was computed from: the version of their content, and the facts `from` and `to`."""

    version: str
    begin: int
    to: int


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """A figure as of an instant, `since` another one (None: from the beginning).

    `value` is None where there is no number: `reason` says why. `rows` are the values by the dimension `by`, each with
    `key`, `value`, `interval`, `n` and what else a figure has. `target` and `status` are filled in by targets.
    `dimensions` are what it can be told by.
    `currency` is that of the catalog, "" where tables come without one.
    """

    figure: str
    title: str
    unit: str
    direction: Direction
    grain: str
    meaning: str
    since: str | None
    as_of: str
    by: str | None
    value: float | None
    interval: Between | None
    n: int
    reason: str | None
    beside: tuple[Beside, ...]
    rows: tuple[dict[str, Any], ...]
    query: Query
    data: Data
    target: dict[str, Any] | None = None
    status: Status = "no target"
    warnings: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    currency: str = ""


class SixFigures(msgspec.Struct, frozen=True):
    """All figures, in the order in which they are shown."""

    figures: list[Answer]
