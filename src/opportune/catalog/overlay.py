"""The overlay: single values that people set in the console, on top of the files, each with author and reason.

An entry is bound to the files as they were: to their hash (`base`) and to the value that it covered (`was`). Where the
files have changed that value since, the entry is in conflict; it holds until somebody confirms that it goes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from opportune.catalog.build import to_data
from opportune.catalog.diff import show
from opportune.catalog.sections import SECTIONS
from opportune.catalog.types import Catalog
from opportune.clock import format_instant
from opportune.errors import BadInput


@dataclass(frozen=True, slots=True)
class Entry:
    """One value on top of the files. `value` None takes the key back to its default; `was` None: it was the default.

    `path` is a section, a name, and keys: `actions.keep_bundle.lever`, `placements.app.home.hero.price`,
    `levers.retain/bundle`, `model.explore`, `actions.keep_bundle.treatments.hero.content.title`.
    """

    path: str
    value: Any
    author: str
    at: int
    reason: str
    base: str
    was: Any = None

    def __str__(self) -> str:
        return f"{self.path} = {show(self.value)} ({self.author}, {format_instant(self.at)}: {self.reason})"


@dataclass(frozen=True, slots=True)
class Conflict:
    """An entry whose value the files have changed since; `now` is what they say. `gone`: its place is no more."""

    entry: Entry
    now: Any
    gone: bool = False

    def __str__(self) -> str:
        if self.gone:
            return f"{self.entry}: the files no longer have it"
        return f"{self.entry}: the files changed it from {show(self.entry.was)} to {show(self.now)}"


def entry(files: Catalog, path: str, value: Any, author: str, at: int, reason: str) -> Entry:
    """Return a new entry over the files' catalog; `BadInput` if the path leads nowhere or names no single value."""
    data = to_data(files)
    steps = resolve(data, path)
    was = _get(data, steps)
    if isinstance(was, dict) or (isinstance(was, list) and any(isinstance(item, dict) for item in was)):
        raise BadInput(f"{path!r} is more than one value; set one of its keys")
    if isinstance(value, dict):
        raise BadInput(f"{path!r} takes one value at a time; got a mapping")
    if steps[-1] == "name":
        raise BadInput(f"{path!r}: a name cannot be overlaid; rename it in the files")
    return Entry(path, value, author, at, reason, files.hash, was)


def conflicts(files: Catalog, entries: Iterable[Entry]) -> list[Conflict]:
    """Return the entries whose underlying value the files have changed since they were made."""
    data = to_data(files)
    found: list[Conflict] = []
    for e in entries:
        if e.base == files.hash:
            continue
        try:
            now = _get(data, resolve(data, e.path))
        except BadInput:
            found.append(Conflict(e, None, gone=True))
        else:
            if now != e.was:
                found.append(Conflict(e, now))
    return found


def confirm(files: Catalog, entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries without those in conflict, bound to the files as they are now."""
    dropped = [c.entry for c in conflicts(files, entries)]
    return [replace(e, base=files.hash) for e in entries if e not in dropped]


def apply(data: dict[str, Any], entries: Iterable[Entry]) -> dict[str, Any]:
    """Return the files' data (`to_data`) with the entries set, in order; an entry whose place is gone has no effect."""
    result = copy.deepcopy(data)
    for e in entries:
        try:
            steps = resolve(result, e.path)
        except BadInput:
            continue
        _set(result, steps, e.value)
    return result


Step = str | int


def resolve(data: dict[str, Any], path: str) -> tuple[Step, ...]:
    """Return the steps of a path: keys, and positions where a list holds named things; names may contain dots.

    Keys below a named thing may be absent: they have their default. Raises `BadInput` for a name that does not exist.
    """
    here: Any = data
    steps: list[Step] = []
    rest = path
    while rest:
        if isinstance(here, list):
            named = {item["name"]: i for i, item in enumerate(here) if isinstance(item, dict) and "name" in item}
            word = max((name for name in named if _heads(rest, name)), key=len, default="")
            if not word:
                raise BadInput(f"{path!r} leads nowhere: there is no such name at {rest!r}")
            steps.append(named[word])
            here = here[named[word]]
        elif isinstance(here, dict):
            word = max((key for key in here if _heads(rest, key)), key=len, default=rest.partition(".")[0])
            if not steps and word not in here and _SHAPES.get(word) != "mapping":
                raise BadInput(f"{path!r} leads nowhere: the catalog has no {word!r}")
            steps.append(word)
            here = here.get(word, {})
        else:
            raise BadInput(f"{path!r} leads nowhere: a single value has no {rest!r}")
        rest = rest[len(word) + 1 :]
    if not steps or isinstance(steps[-1], int) or (len(steps) == 1 and _SHAPES[str(steps[0])] != "scalar"):
        raise BadInput(f"{path!r} names no single value; write a path such as actions.keep_bundle.lever")
    return tuple(steps)


_SHAPES = {section.key: section.shape for section in SECTIONS}


def _heads(path: str, name: str) -> bool:
    return path == name or path.startswith(f"{name}.")


def _get(data: Any, steps: Sequence[Step]) -> Any:
    for step in steps:
        data = data[step] if isinstance(step, int) else data.get(step)
        if data is None:
            return None
    return data


def _set(data: Any, steps: Sequence[Step], value: Any) -> None:
    for step in steps[:-1]:
        data = data[step] if isinstance(step, int) else data.setdefault(step, {})
    if value is None:
        data.pop(steps[-1], None)
    else:
        data[steps[-1]] = value
