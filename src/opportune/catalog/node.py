"""Values that know where they were written, in a file or in plain data."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from opportune.errors import Problem

MAX_DEPTH = 60

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a file, or (where the content did not come from a file) the path of a field."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.file else "the same place"


@dataclass(frozen=True, slots=True)
class Written:
    """The characters of a scalar as the file has them: `raw[start:end]`, and how they are quoted."""

    raw: str
    start: int
    end: int
    style: str


@dataclass(slots=True)
class Node:
    """One value: a dict of nodes, a list of nodes or a scalar, and where it stands.

    `keys` are the spots of a mapping's keys; `text` is a scalar as text, before it was taken for a number or bool;
    `shared` marks what an alias or a merge brought in; `flow` a mapping or list in braces or brackets.
    """

    value: dict[str, Node] | list[Node] | Scalar
    spot: Spot
    text: str = ""
    keys: dict[str, Spot] = field(default_factory=dict)
    written: Written | None = None
    size: int = 1
    shared: bool = False
    flow: bool = False

    def plain(self) -> Any:
        """Return the value as plain Python data."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def get(self, *path: str | int) -> Node:
        """Return the node at a path below this one, or the nearest there is on the way."""
        node = self
        for step in path:
            inner: Any = node.value
            try:
                below = inner[step]
            except (LookupError, TypeError):
                break
            if not isinstance(below, Node):
                break
            node = below
        return node

    def inside(self, line: int, column: int) -> Spot:
        """Return the spot of the character at a line and column of `text` (both from 1), whatever the quoting."""
        if self.written is None:
            return Spot(self.spot.file, line, column)
        lines = self.text.split("\n")
        offset = sum(len(before) + 1 for before in lines[: line - 1]) + column - 1
        at = _align(self.text, self.written, offset)
        before = self.written.raw[self.written.start : at]
        if "\n" not in before:
            return Spot(self.spot.file, self.spot.line, self.spot.column + len(before))
        return Spot(self.spot.file, self.spot.line + before.count("\n"), at - self.written.raw.rfind("\n", 0, at))


def from_python(value: Any, path: str, problems: list[Problem], depth: int = 0) -> Node:
    """Return the tree of plain Python data; the spot of each node is the path of its field."""
    if depth > MAX_DEPTH:
        problems.append(Problem(f"nested deeper than {MAX_DEPTH}", "flatten it", file=path))
        return Node(None, Spot(path))
    if isinstance(value, Mapping):
        below: dict[str, Node] = {}
        for key, inner in value.items():
            word = "on" if key is True else str(key)
            below[word] = from_python(inner, f"{path}.{word}" if path else word, problems, depth + 1)
        return Node(below, Spot(path), keys={k: n.spot for k, n in below.items()})
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        items = [from_python(v, f"{path}.{_label(v, i)}", problems, depth + 1) for i, v in enumerate(value)]
        return Node(items, Spot(path))
    if isinstance(value, date):
        value = value.isoformat()
    if isinstance(value, str):
        if has_surrogate(value):
            problems.append(Problem("half of a surrogate pair", "write the character itself", file=path))
            value = ""
        return Node(value, Spot(path), value)
    if value is None or isinstance(value, bool):
        return Node(value, Spot(path), "" if value is None else str(value).lower())
    if isinstance(value, int | float) and math.isfinite(value):
        return Node(value, Spot(path), repr(value))
    problems.append(Problem(f"{value!r} is not text, number, bool, list or mapping", "convert it", file=path))
    return Node(None, Spot(path))


def _label(value: Any, index: int) -> str:
    named = isinstance(value, Mapping) and isinstance(value.get("name"), str)
    return str(value["name"]) if named else str(index)


def has_surrogate(text: str) -> bool:
    """Whether the text holds half of a surrogate pair, which no file can have."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_SPACE = re.compile(r"\s*")
_ESCAPED_SPACE = re.compile(r"(?:\s|\\[ntrNLP_ ]|\\x20|\\\n)*")


def _align(text: str, written: Written, offset: int) -> int:
    """Return where in the file the character `text[offset]` was written.

    Both are walked together: whitespace may have been folded, quotes doubled and characters escaped; nothing else
    differs between what YAML says and what it means.
    """
    raw, at, end = written.raw, written.start, written.end
    if written.style in ("|", ">"):
        at = raw.find("\n", at, end) + 1 or end
    elif written.style:
        at += 1
    gaps = _ESCAPED_SPACE if written.style == '"' else _SPACE
    for position, character in enumerate(text):
        if character.isspace() and position != offset:
            continue
        if not character.isspace() and (gap := gaps.match(raw, at, end)):
            at = gap.end()
        if position == offset:
            break
        if written.style == '"' and (escape := _ESCAPE.match(raw, at)):
            at = escape.end()
        else:
            at += 2 if written.style == "'" and character == "'" else 1
    return min(at, end)
