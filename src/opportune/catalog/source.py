"""YAML text -> a tree of `Node`s that know where they stand.

Scalars follow the core schema of YAML 1.2: `true`, `false`, `null`, `~` and plain numbers are what they look like; all
else is text (`yes`, `no`, `on`, `21:00`, `2026-01-01`, `007`). Anchors, aliases and `<<` work; cycles are errors. The
key `true` is read as `on`, which tools of YAML 1.1 take for a bool and write back as `true`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from opportune.catalog.node import MAX_DEPTH, Node, Scalar, Spot, Written, has_surrogate
from opportune.errors import BadInput, Problem

MAX_BYTES = 64 * 1024 * 1024
MAX_NODES = 5_000_000


def read_folder(folder: Path, problems: list[Problem]) -> dict[str, str]:
    """Return the text of every catalog file by its path: `*.yaml` and `*.yml` of the folder and of `catalog/` in it.

    A file that cannot be read as UTF-8 is a problem. Raises `BadInput` if there is no folder or no file.
    """
    if not folder.is_dir():
        raise BadInput(f"there is no folder {str(folder)!r}; `opportune init {folder}` writes one that works")
    found = [p for part in (folder, folder / "catalog") if part.is_dir() for p in part.iterdir()]
    paths = sorted(p for p in found if p.suffix in (".yaml", ".yml") and p.is_file() and not p.name.startswith("."))
    if not paths:
        raise BadInput(f"no *.yaml file in {str(folder)!r}; `opportune init {folder}` writes a catalog that works")
    texts: dict[str, str] = {}
    for path in paths:
        try:
            texts[str(path)] = _decode(path)
        except Malformed as wrong:
            problems.append(wrong.problem)
    return texts


def _decode(path: Path) -> str:
    try:
        size, data = path.stat().st_size, b""
        if size <= MAX_BYTES:
            data = path.read_bytes()
    except OSError as wrong:
        raise Malformed(Problem(f"cannot be read: {wrong.strerror}", "check its rights", file=str(path))) from None
    if size > MAX_BYTES:
        raise Malformed(Problem(f"more than {MAX_BYTES >> 20} MB", "spread the catalog over files", file=str(path)))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        before = data[: wrong.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        problem = Problem("not UTF-8", "save the file as UTF-8", before.count(b"\n") + 1, column, str(path))
        raise Malformed(problem) from None


class Malformed(Exception):
    """A file that is not YAML as we read it; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


def parse_yaml(text: str, file: str, problems: list[Problem]) -> Node | None:
    """Return the tree of one file; None if it is empty or broken. What is wrong is added to `problems`.

    After a mistake in the YAML itself nothing of the file is used, so what it declares is missing elsewhere.
    """
    try:
        return _Builder(text, file, problems).document()
    except Malformed as wrong:
        problem = wrong.problem
    except yaml.YAMLError as wrong:
        problem = _scan_problem(wrong, text, file)
    problems.append(replace(problem, cure=f"{problem.cure} (nothing of this file was read; others may miss it)"))
    return None


class _Builder:
    """Builds nodes from parse events: no recursion deeper than `MAX_DEPTH`, no tag is ever executed."""

    def __init__(self, text: str, file: str, problems: list[Problem]) -> None:
        self.text, self.file, self.problems = text, file, problems
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        self.anchors: dict[str, Node | None] = {}
        self.nodes = 0

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self.malformed(event, "a second document", "remove the line `---`, or use another file")
                root = self.node(next(self.events), 0)
        return None if root is None or (root.value is None and root.text == "") else root

    def node(self, event: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.malformed(event, f"nested deeper than {MAX_DEPTH}", "flatten it")
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.tag is not None and event.tag not in ("!", *_TAGS):
            mark = event.start_mark
            what = f"the tag `{event.tag}` is not used here"
            self.problems.append(Problem(what, "write no tag", mark.line + 1, mark.column + 1, self.file))
        anchor = event.anchor
        if anchor is not None:
            self.anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = self.scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.sequence(event, depth)
        else:
            node = self.mapping(event, depth)
        if anchor is not None:
            self.anchors[anchor] = node
        return node

    def alias(self, event: Any) -> Node:
        name = event.anchor
        target = self.anchors.get(name)
        if target is None:
            if name in self.anchors:
                self.complain(event, f"`*{name}` is cyclic: it stands inside the value it means", "write it out")
            else:
                self.complain(event, f"`*{name}` has no anchor", f"write `&{name}` before the value it means")
            return Node(None, self.spot(event), shared=True)
        self.count(event, target.size)
        return _shared(target)

    def count(self, event: Any, size: int) -> None:
        self.nodes += size
        if self.nodes > MAX_NODES:
            raise self.malformed(event, f"more than {MAX_NODES:,} values", "spread the catalog, use fewer aliases")

    def scalar(self, event: Any) -> Node:
        self.count(event, 1)
        text, style = event.value, event.style or ""
        style = "" if style not in ("'", '"', "|", ">") else style
        if has_surrogate(text):
            self.complain(event, "half of a surrogate pair", "write the character itself")
            text = ""
        quoted = style != "" or event.tag in ("!", "tag:yaml.org,2002:str")
        written = Written(self.text, self.start(event), event.end_mark.index, style)
        return Node(text if quoted else resolve(text), self.spot(event), text, written=written)

    def sequence(self, event: Any, depth: int) -> Node:
        items: list[Node] = []
        for inner in self.events:
            if isinstance(inner, yaml.SequenceEndEvent):
                break
            items.append(self.node(inner, depth + 1))
        self.count(event, 1)
        size = 1 + sum(n.size for n in items)
        return Node(items, self.spot(event), size=size, flow=bool(event.flow_style))

    def mapping(self, event: Any, depth: int) -> Node:
        items: dict[str, Node] = {}
        keys: dict[str, Spot] = {}
        merged: list[Node] = []
        for inner in self.events:
            if isinstance(inner, yaml.MappingEndEvent):
                break
            if not isinstance(inner, yaml.ScalarEvent):
                raise self.malformed(inner, "a key that is not a word", "write `key: value`")
            key, spot = inner.value, self.spot(inner)
            key = "on" if key == "true" and not inner.style else key
            value = self.node(next(self.events), depth + 1)
            if key == "<<" and not inner.style:
                merged += value.value if isinstance(value.value, list) else [value]
            elif key in items:
                self.complain(inner, f"duplicate key `{key}`, first given at {keys[key]}", "keep one of them")
            else:
                items[key], keys[key] = value, spot
        for other in merged:
            if not isinstance(other.value, dict):
                self.complain(event, "`<<` must bring in a mapping", "point it at `&name` of a mapping")
                continue
            for key, value in other.value.items():
                if key not in items:
                    items[key], keys[key] = _shared(value), other.keys[key]
        self.count(event, 1)
        size = 1 + sum(n.size for n in items.values())
        return Node(items, self.spot(event), keys=keys, size=size, flow=bool(event.flow_style))

    def start(self, event: Any) -> int:
        """Return where a value begins, after its anchor and tag."""
        at: int = event.start_mark.index
        if getattr(event, "anchor", None) is None and getattr(event, "tag", None) is None:
            return at
        before = _PROPERTIES.match(self.text, at)
        return min(before.end(), event.end_mark.index) if before and event.end_mark.index > at else at

    def spot(self, event: Any) -> Spot:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        skipped = self.text[event.start_mark.index : self.start(event)]
        if "\n" in skipped:
            return Spot(self.file, line + skipped.count("\n"), len(skipped) - skipped.rfind("\n"))
        return Spot(self.file, line, column + len(skipped))

    def malformed(self, event: Any, what: str, cure: str) -> Malformed:
        spot = self.spot(event)
        return Malformed(Problem(what, cure, spot.line, spot.column, self.file))

    def complain(self, event: Any, what: str, cure: str) -> None:
        self.problems.append(self.malformed(event, what, cure).problem)


_TAGS = tuple(f"tag:yaml.org,2002:{t}" for t in ("str", "int", "float", "bool", "null", "map", "seq"))
_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*\s+)+")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,300})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def resolve(text: str) -> Scalar:
    """Return what an unquoted scalar means.

    >>> [resolve(t) for t in ("12", "1.5", "true", "null", "no", "007", "21:00")]
    [12, 1.5, True, None, 'no', '007', '21:00']
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


def _shared(node: Node) -> Node:
    """Return the same node marked as brought in by an alias: it can be read, never edited in place."""
    return Node(node.value, node.spot, node.text, node.keys, node.written, node.size, True, node.flow)


def _scan_problem(wrong: Any, text: str, file: str) -> Problem:
    mark = getattr(wrong, "problem_mark", None) or getattr(wrong, "context_mark", None)
    if mark is None:
        at = min(getattr(wrong, "position", 0) or 0, len(text))
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        return Problem("a character that YAML does not allow", "remove it", line, column, file)
    line, column = mark.line + 1, mark.column + 1
    what = str(wrong.problem or wrong.context)
    start = getattr(wrong, "context_mark", None)
    if start is not None and (start.line, start.column) != (mark.line, mark.column) and wrong.context:
        what += f" {wrong.context}, which starts at line {start.line + 1}, column {start.column + 1}"
    before = text.split("\n")[line - 1][:column] if line <= text.count("\n") + 1 else ""
    if "\t" in before[: len(before) - len(before.lstrip())] or "'\\t'" in what:
        return Problem("a tab in the indentation", "indent with spaces", line, column, file)
    cure = "put quotes around a text that contains `: `, `#`, `{`, `[` or starts with a sign"
    return Problem(f"not YAML: {what}", cure, line, column, file)
