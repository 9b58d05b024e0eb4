"""The SQL files of the figures, and what their headers say of them: `-- key: text` lines before the first other one."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import cast

import msgspec

from opportune.errors import NotFound
from opportune.figures.answer import Direction

NAMES = ("roi", "velocity", "adoption", "quality", "conversion", "budget")
"""The six figures, in the order in which they are shown."""

KEYS = ("title", "unit", "grain", "direction", "meaning", "reference", "dimensions")


class Header(msgspec.Struct, frozen=True):
    """What a figure is. `sql` is the whole text of its file, `sha256` the digest of that."""

    name: str
    title: str
    unit: str
    grain: str
    direction: Direction
    meaning: str
    reference: str
    dimensions: tuple[str, ...]
    sql: str
    sha256: str

    @property
    def file(self) -> str:
        """The name of the SQL file, in the folder `figures/sql` of the package."""
        return f"{self.name}.sql"


@cache
def header(name: str) -> Header:
    """Return the header of a figure. Raises `NotFound` for a name that is none."""
    if name not in NAMES:
        raise NotFound(f"there is no figure {name[:60]!r}; the figures are {', '.join(NAMES)}")
    sql = (files("opportune.figures") / "sql" / f"{name}.sql").read_text("utf-8")
    return parsed(name, sql)


def parsed(name: str, sql: str) -> Header:
    """Return the header of the text of a figure. Raises `ValueError` for one that lacks a line, or has another.

    >>> text = "".join(f"-- {key}: up\\n" for key in KEYS) + "SELECT 1"
    >>> parsed("tea", text).dimensions
    ('up',)
    """
    told: dict[str, str] = {}
    for line in sql.splitlines():
        if not line.startswith("-- "):
            break
        key, _, value = line[3:].partition(": ")
        told[key] = value.strip()
    if set(told) != set(KEYS) or not all(told.values()) or told["direction"] not in ("up", "down"):
        raise ValueError(f"the header of {name}.sql must say {', '.join(KEYS)}, once each; it says {', '.join(told)}")
    dimensions = tuple(word.strip() for word in told.pop("dimensions").split(","))
    direction = cast(Direction, told.pop("direction"))
    return Header(
        name, told["title"], told["unit"], told["grain"], direction, told["meaning"], told["reference"], dimensions,
        sql, hashlib.sha256(sql.encode()).hexdigest(),
    )  # fmt: skip
