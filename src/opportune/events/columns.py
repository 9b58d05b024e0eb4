"""Which column of a file is which field of an event: `userId=customer_id`, `event='Order Completed'`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from opportune.errors import BadInput

Item = dict[str, Any]

FIELDS = (
    "type", "messageId", "userId", "anonymousId", "previousId", "groupId", "event", "name", "category",
    "timestamp", "originalTimestamp", "sentAt",
)  # fmt: skip
OBJECTS = ("properties", "traits", "context", "integrations")

_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?([eE][+-]?\d{1,3})?")
_EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Columns:
    """How rows of a file become items of a tracking call.

    Each pair is (target, source). A target is a field (`userId`, `event`, `timestamp`, ...) or a place in an object
    (`properties.revenue`, `traits.address.city`). A source is a column; dots reach into nested columns; `column::text`
    (or `::number`, `::bool`) sets its type; `'Order Completed'` in quotes, or `=Order Completed`, is a constant.
    `traits.*=*` puts every column that is not named elsewhere into the traits. Without a `type` it is `track` where an
    event is named and `identify` where not.

    Text of CSV files that reads as a number or as true or false becomes one in objects, unless `::text` says no; a
    leading zero or plus keeps it text. Empty text is absent.

    >>> columns = Columns.parse(["userId=id", "event='Order Completed'", "properties.revenue=amount"])
    >>> columns.item({"id": "007", "amount": "12.5"})
    {'userId': '007', 'event': 'Order Completed', 'properties': {'revenue': 12.5}, 'type': 'track'}
    """

    pairs: tuple[tuple[str, str], ...]

    @staticmethod
    def parse(texts: Iterable[str]) -> Columns:
        """Return the columns of `target=source` texts, as `--map` takes them; raise `BadInput`."""
        pairs = []
        for text in texts:
            target, equals, source = text.partition("=")
            if not equals or not target.strip() or not source.strip():
                raise BadInput(f"--map {text!r} is not TARGET=COLUMN; write for example userId=customer_id")
            pairs.append((target, source))
        return Columns.of(dict(pairs))

    @staticmethod
    def of(mapping: Mapping[str, object]) -> Columns:
        """Return the columns of a target -> source mapping, as a YAML file holds it; raise `BadInput`."""
        pairs = tuple((target.strip(), str(source).strip()) for target, source in mapping.items())
        for target, source in pairs:
            first, dot, rest = target.partition(".")
            if not (first in OBJECTS and rest if dot else target in FIELDS):
                near = get_close_matches(target, [*FIELDS, *(f"{name}.{rest or 'NAME'}" for name in OBJECTS)], n=1)
                hint = f"did you mean {near[0]}?" if near else f"write one of {', '.join(FIELDS)}, or properties.NAME"
                raise BadInput(f"{target!r} is no field of an event; {hint}")
            if (target.endswith(".*") or source == _EVERYTHING) and not (target.count(".*") == 1 and source == "*"):
                raise BadInput(f"{target}={source}: a star stands for all other columns; write {first}.*=*")
        return Columns(pairs)

    def check(self, names: Iterable[str]) -> None:
        """Raise `BadInput` where a source is none of the names of a file's columns."""
        known = list(names)
        for target, source in self.pairs:
            column = _column(source)
            if column in (None, _EVERYTHING) or column in known or str(column).partition(".")[0] in known:
                continue
            near = get_close_matches(str(column), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the columns are {', '.join(known)}."
            raise BadInput(f"{target}={source}: the file has no such column; {hint} A constant is {target}=={source}")

    def item(self, row: Mapping[str, Any]) -> Item:
        """Return the item of one row; columns that the row lacks are absent."""
        item: Item = {}
        for target, source in self.pairs:
            if source == _EVERYTHING:
                named = {_column(other) for _, other in self.pairs}
                for name, value in row.items():
                    if name not in named:
                        _place(item, (target[:-2], name), _guess(value))
            else:
                path = tuple(target.split("."))
                _place(item, path, _value(row, source, guess=len(path) > 1))
        item.setdefault("type", "track" if item.get("event") else "identify")
        return item


def as_named(row: Mapping[str, Any]) -> Item:
    """Return the item of a row whose columns are named as the fields: `userId`, `event`, `properties.revenue`."""
    item: Item = {}
    for name, value in row.items():
        path = tuple(name.split("."))
        _place(item, path, _guess(value) if len(path) > 1 else value)
    item.setdefault("type", "track" if item.get("event") else "identify")
    return item


def check_named(names: Iterable[str]) -> None:
    """Raise `BadInput` where columns are not named as the fields of an event, so that a mapping is needed."""
    known = list(names)
    if not {"userId", "anonymousId"} & set(known):
        raise BadInput(
            f"no column is named userId or anonymousId; say which is, such as --map userId=COLUMN; the columns are "
            f"{', '.join(known)}"
        )


def _bool(text: str) -> Any:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower(), text)


def _number(text: str) -> Any:
    try:
        return float(text) if not text.lstrip("-").isdecimal() else int(text)
    except ValueError:
        return text


_CASTS: dict[str, Callable[[str], Any]] = {"text": str, "number": _number, "bool": _bool}


def _constant(source: str) -> str | None:
    if source.startswith("="):
        return source[1:]
    return source[1:-1] if len(source) > 1 and source[0] == source[-1] and source[0] in "'\"" else None


def _column(source: str) -> str | None:
    """Return the column that a source names; None for a constant."""
    if _constant(source) is not None:
        return None
    name, colons, cast = source.rpartition("::")
    return name if colons and cast in _CASTS else source


def _value(row: Mapping[str, Any], source: str, guess: bool) -> Any:
    constant = _constant(source)
    if constant is not None:
        return constant
    column = str(_column(source))
    value = row.get(column)
    if value is None and "." in column:
        inner: Any = row
        for part in column.split("."):
            inner = inner.get(part) if isinstance(inner, Mapping) else None
        value = inner
    if value is None or value == "":
        return None
    if column != source:
        text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
        return _CASTS[source[len(column) + 2 :]](text)
    return _guess(value) if guess else value


def _guess(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value in ("true", "false", "True", "False", "TRUE", "FALSE"):
        return value[0] in "tT"
    found = _NUMBER.fullmatch(value)
    if found:
        return float(value) if found[2] or found[3] else int(value)
    return value or None


def _place(item: Item, path: tuple[str, ...], value: Any) -> None:
    if value is None or value == "":
        return
    for part in path[:-1]:
        inner = item.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        item = inner
    item[path[-1]] = value
