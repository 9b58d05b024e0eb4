"""Writing the overlay into the files: only the characters of the changed values, comments and layout stay."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from opportune.catalog.build import build, from_data, read_texts, to_data
from opportune.catalog.draft import PREDICTORS
from opportune.catalog.node import Node
from opportune.catalog.overlay import Entry, apply, resolve
from opportune.catalog.source import parse_yaml, read_folder
from opportune.catalog.source import resolve as meaning
from opportune.catalog.types import Catalog
from opportune.errors import BadCatalog, BadInput, Problem


def export(folder: Path | str, entries: Sequence[Entry], predictors: Sequence[str] = PREDICTORS) -> list[str]:
    """Write the entries into the YAML files of a folder and return the paths of the files that changed.

    Only the text of the values changes. Before anything is written, the new texts are read again: they must give the
    same catalog as the files with the overlay on top. Raises `BadInput` where a value cannot be edited in place (it is
    shared by an alias, or its place is gone) and `BadCatalog` if the outcome is not a valid catalog.
    """
    problems: list[Problem] = []
    before = read_folder(Path(folder), problems)
    if problems:
        raise BadCatalog(problems)
    wanted = to_data(from_data(apply(to_data(_catalog(before, predictors)), entries), predictors))
    after = dict(before)
    for e in entries:
        _edit(after, e)
    if to_data(_catalog(after, predictors)) != wanted:
        raise BadInput("the overlay could not be written into the files without changing something else; edit by hand")
    changed = [path for path in before if before[path] != after[path]]
    for path in changed:
        _replace(Path(path), after[path])
    return changed


def _catalog(texts: Mapping[str, str], predictors: Sequence[str]) -> Catalog:
    problems: list[Problem] = []
    catalog, found = build(read_texts(texts, problems), problems, predictors)
    if catalog is None:
        raise BadCatalog([p for p in found if not p.warning])
    return catalog


def _edit(texts: dict[str, str], e: Entry) -> None:
    """Change the text of the file in which the entry's value, or the mapping that lacks it, stands."""
    best: tuple[int, str, Node, tuple[str | int, ...]] | None = None
    for path, text in texts.items():
        tree = parse_yaml(text, path, [])
        try:
            steps = resolve(tree.plain(), e.path) if tree is not None and isinstance(tree.value, dict) else ()
        except BadInput:
            continue
        if tree is not None and steps and (best is None or _depth(tree, steps) > best[0]):
            best = _depth(tree, steps), path, tree, steps
    if best is None:
        raise BadInput(f"{e.path!r}: the files no longer have it; drop this entry, or add its place by hand")
    depth, path, tree, steps = best
    if depth >= len(steps) - 1:
        texts[path] = _with(texts[path], tree.get(*steps[:-1]), str(steps[-1]), e)
    elif e.value is not None and depth == 0:
        end = "" if texts[path].endswith("\n") else "\n"
        texts[path] += f"{end}{steps[0]}:\n  {scalar(str(steps[1]))}: {scalar(e.value)}\n"
    elif e.value is not None and all(isinstance(step, str) for step in steps[depth:]):
        value = e.value
        for step in reversed(steps[depth + 1 :]):
            value = {step: value}
        texts[path] = _with(texts[path], tree.get(*steps[:depth]), str(steps[depth]), replace(e, value=value))
    elif e.value is not None:
        raise BadInput(f"{e.path!r}: the files have no `{steps[depth]}` there; add it by hand")


def _depth(tree: Node, steps: tuple[str | int, ...]) -> int:
    """Return how many steps of a path exist."""
    nodes = [tree.get(*steps[:n]) for n in range(len(steps) + 1)]
    return sum(inner is not outer for outer, inner in itertools.pairwise(nodes))


def _with(text: str, owner: Node, key: str, e: Entry) -> str:
    """Return the text with one key of a mapping set."""
    node = owner.value.get(key) if isinstance(owner.value, dict) else None
    if owner.shared or (node is not None and node.shared):
        raise BadInput(f"{e.path!r}: the value is shared by an alias; edit it by hand at {owner.spot}")
    value = scalar(e.value)
    if node is not None:
        start, end = _span(text, node)
        return text[:start] + (" " if text[start - 1 : start] == ":" else "") + value + text[end:]
    if e.value is None or not isinstance(owner.value, dict):
        return text
    if owner.flow:
        at = _offset(text, owner.spot.line, owner.spot.column) + 1
        return f"{text[:at]}{scalar(key)}: {value}{', ' if owner.value else ''}{text[at:]}"
    return _with_line(text, owner, f"{scalar(key)}: {value}", e)


def _with_line(text: str, owner: Node, line: str, e: Entry) -> str:
    """Return the text with one line more in a block mapping, after its last value that fits on a line."""
    values = owner.value.items() if isinstance(owner.value, dict) else ()
    for key, node in reversed(list(values)):
        written = node.written
        if written is None or node.shared or "\n" in text[written.start : written.end].rstrip():
            continue
        if written.style in ("|", ">"):
            continue
        at = text.find("\n", written.end)
        at = len(text) if at < 0 else at - (text[at - 1] == "\r")
        indent = "\n" + " " * (owner.keys[key].column - 1)
        return f"{text[:at]}{indent}{line}{text[at:]}"
    raise BadInput(f"{e.path!r}: no line to put it after; add it by hand at {owner.spot}")


def _span(text: str, node: Node) -> tuple[int, int]:
    """Return where the characters of a scalar, or of a list of scalars, begin and end."""
    if node.written is not None:
        end = node.written.start + len(text[node.written.start : node.written.end].rstrip())
        return node.written.start, end
    items = node.value if isinstance(node.value, list) else []
    start = _offset(text, node.spot.line, node.spot.column)
    if not node.flow or any(item.written is None for item in items):
        raise BadInput(f"the value at {node.spot} is not written on one line; edit it by hand")
    after = max((item.written.end for item in items if item.written), default=start + 1)
    return start, text.index("]", after) + 1


def _offset(text: str, line: int, column: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = text.index("\n", at) + 1
    return at + column - 1


def scalar(value: Any) -> str:
    """Return a value as YAML on one line, quoted only where it must be.

    >>> scalar("plan <> 'trial'"), scalar(20.0), scalar("yes: no"), scalar(["a", "b"]), scalar(None)
    ("plan <> 'trial'", '20', '"yes: no"', '[a, b]', 'null')
    >>> scalar({"de": {"title": "Hallo, du"}})
    '{de: {title: "Hallo, du"}}'
    """
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_flow(str(key))}: {_flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_flow(item) for item in value)}]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if not isinstance(value, str):
        return json.dumps(value)
    return value if _is_plain(value) else _quoted(value)


def _flow(item: Any) -> str:
    return _quoted(item) if isinstance(item, str) and set(item) & set(",[]{}") else scalar(item)


def _quoted(text: str) -> str:
    """Return a text in double quotes, with escapes for whatever cannot be seen."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    if character == "\n":
        return "\\n"
    return f"\\u{ord(character):04x}" if character <= "\uffff" else f"\\U{ord(character):08x}"


def _is_plain(text: str) -> bool:
    """Whether YAML reads the bare text as this text, also in a flow mapping."""
    if not isinstance(meaning(text), str) or set(text) & set(",[]{}") or not text.isprintable():
        return False
    problems: list[Problem] = []
    tree = parse_yaml(f"{{key: {text} }}", "", problems)
    return not problems and tree is not None and tree.plain() == {"key": text}


def _replace(path: Path, text: str) -> None:
    """Write the text so that a reader sees the old file or the new one, never a part."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


