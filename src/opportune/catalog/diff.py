"""What differs between two catalogs, field by field, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from opportune.catalog.build import to_data
from opportune.catalog.types import Catalog


@dataclass(frozen=True, slots=True)
class Change:
    """One difference; `path` is such as `actions.keep_bundle.lever`. None stands for the default.

    >>> print(Change("changed", "actions.keep_bundle.lever", None, 20.0))
    actions.keep_bundle.lever: the default -> 20
    >>> print(Change("removed", "actions.old", {"name": "old"}, None))
    actions.old: removed
    """

    kind: Literal["added", "removed", "changed"]
    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if self.kind == "changed":
            return f"{self.path}: {show(self.before)} -> {show(self.after)}"
        return f"{self.path}: {self.kind}"


def show(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return "the default"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def diff(old: Catalog, new: Catalog) -> list[Change]:
    """Return the changes that lead from one catalog to another, sorted by path.

    A named thing that comes or goes is one change; in one that stays, each field is one.
    """
    return sorted(_mapping(to_data(old), to_data(new), ""), key=lambda change: change.path)


def _mapping(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[Change]:
    for key in {**old, **new}:
        yield from _value(old.get(key), new.get(key), f"{path}.{key}" if path else key)


def _value(old: Any, new: Any, path: str) -> Iterator[Change]:
    if old == new:
        return
    sides = [side for side in (old, new) if side is not None]
    if all(_is_named(side) for side in sides):
        before, after = ({item["name"]: item for item in side or ()} for side in (old, new))
        for name in {**before, **after}:
            below = f"{path}.{name}"
            if name not in after:
                yield Change("removed", below, before[name], None)
            elif name not in before:
                yield Change("added", below, None, after[name])
            else:
                yield from _mapping(before[name], after[name], below)
        if old and new and before == after:
            yield Change("changed", f"{path}.order", [*before], [*after])
    elif all(isinstance(side, dict) for side in sides):
        yield from _mapping(old or {}, new or {}, path)
    else:
        yield Change("changed", path, old, new)


def _is_named(side: Any) -> bool:
    return isinstance(side, list) and all(isinstance(item, dict) and "name" in item for item in side)
