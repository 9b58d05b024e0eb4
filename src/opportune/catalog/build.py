"""Trees of YAML or plain data -> one checked `Catalog`, or every mistake at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from opportune.catalog.arm_checks import arms_can_be_laid
from opportune.catalog.checks import CHECKS
from opportune.catalog.draft import PREDICTORS, Draft
from opportune.catalog.fields import Conditions, Report, nearest
from opportune.catalog.node import Node, from_python
from opportune.catalog.sections import DECLARING, READING, SECTIONS
from opportune.catalog.situated import BUILT_INS
from opportune.catalog.source import parse_yaml, read_folder
from opportune.catalog.types import Catalog
from opportune.clock import parse_span
from opportune.errors import BadCatalog, BadInput, Problem
from opportune.rules import Expression, Kind, Name


def load(folder: Path | str, predictors: Sequence[str] = PREDICTORS) -> Catalog:
    """Return the catalog of a folder.

    Its files are `*.yaml` and `*.yml` of the folder and of `catalog/` in it. `predictors` are the known values of
    `model.predictor`. Raises `BadCatalog` with every mistake at once, `BadInput` if there is nothing to read.
    """
    problems: list[Problem] = []
    return _accept(*build(read_texts(read_folder(Path(folder), problems), problems), problems, predictors))


def check(folder: Path | str, predictors: Sequence[str] = PREDICTORS) -> list[Problem]:
    """Return every error and warning of a folder, sorted by file, line and column; `BadInput` if there is no file."""
    problems: list[Problem] = []
    _, found = build(read_texts(read_folder(Path(folder), problems), problems), problems, predictors)
    return found


def from_data(data: Mapping[str, Any], predictors: Sequence[str] = PREDICTORS, free_names: bool = False) -> Catalog:
    """Return the catalog of plain data in the shape of the YAML files.

    A problem names the path of the field where a file would have its name. `free_names` takes any text without a `/` as
    a name, as the columns and values of a data set have them. Raises `BadCatalog`.
    """
    problems: list[Problem] = []
    tree = from_python(data, "", problems)
    return _accept(*build([tree], problems, predictors, free_names))


def to_data(catalog: Catalog) -> dict[str, Any]:
    """Return the catalog as plain data that `from_data` reads: sorted, without what is the default."""
    written = {section.key: section.write(catalog) for section in SECTIONS}
    return {key: value for key, value in written.items() if value not in ([], {}, None)}


def to_bytes(catalog: Catalog) -> bytes:
    """Return the canonical content as JSON in UTF-8; `catalog.hash` is the SHA-256 of it.

    The same for any layout, comments, split over files, and order of keys and named things.
    """
    text = json.dumps(to_data(catalog), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def from_bytes(data: bytes) -> Catalog:
    """Return the catalog that `to_bytes` wrote; `BadCatalog` if this version cannot read it."""
    content = json.loads(data)
    predictor = content.get("model", {}).get("predictor", PREDICTORS[0])
    return from_data(content, predictors=(predictor,), free_names=True)


def read_texts(texts: Mapping[str, str], problems: list[Problem]) -> list[Node]:
    """Return the trees of the texts of files by path; empty files give none."""
    trees = (parse_yaml(text, file, problems) for file, text in texts.items())
    return [tree for tree in trees if tree is not None]


def build(
    trees: Iterable[Node],
    problems: list[Problem],
    predictors: Sequence[str] = PREDICTORS,
    free_names: bool = False,
) -> tuple[Catalog | None, list[Problem]]:
    """Return the catalog of the trees (None after an error) and all problems, sorted."""
    report, trees = Report(problems), list(trees)
    unread = report.failed
    merged = merge(trees, report)
    home = min((f for f in [t.spot.file for t in trees] + [p.file for p in problems] if f), default="")
    draft = Draft(report, Conditions(report), (*predictors,), free_names, home, unread=unread)
    for section in DECLARING:
        draft.parts[section.key] = section.read(draft, merged.get(section.key))
    draft.conditions.names = {n.name: n.kind for n in _names(draft, _mentioned_contacts(draft, merged))}
    for section in READING:
        draft.parts[section.key] = section.read(draft, merged.get(section.key))
    for rule in CHECKS:
        rule(draft)
    catalog = Catalog(**draft.parts, names=_names(draft, _read_contacts(draft)))
    arms_can_be_laid(draft, catalog)
    found = sorted(set(report.problems), key=lambda p: (p.file, p.line, p.column, p.warning, p.what))
    if report.failed:
        return None, found
    return replace(catalog, hash=hashlib.sha256(to_bytes(catalog)).hexdigest()), found


def _accept(catalog: Catalog | None, problems: list[Problem]) -> Catalog:
    if catalog is None:
        raise BadCatalog([p for p in problems if not p.warning])
    return catalog


def merge(trees: Iterable[Node], report: Report) -> dict[str, Node]:
    """Return one node per top-level key: lists are joined, mappings united, scalars must agree."""
    shapes = {section.key: section.shape for section in SECTIONS}
    merged: dict[str, Node] = {}
    for tree in trees:
        if not isinstance(tree.value, dict):
            report.error(tree.spot, "a catalog file must be a mapping", "start with a key such as `actions:`")
            continue
        for key, node in tree.value.items():
            if key not in shapes:
                report.error(tree.keys[key], f"unknown key `{key}`", nearest(key, shapes))
            elif node.value is not None:
                _add(merged, key, shapes[key], node, report)
    return merged


def _add(merged: dict[str, Node], key: str, shape: str, node: Node, report: Report) -> None:
    is_a = "list" if isinstance(node.value, list) else "mapping" if isinstance(node.value, dict) else "scalar"
    if is_a != shape:
        cure = {"list": "start each entry with `- `", "mapping": "write `key: value` pairs", "scalar": "write one word"}
        report.error(node.spot, f"`{key}` must be a {shape}, not a {is_a}", cure[shape])
        return
    first = merged.setdefault(key, node)
    if first is node:
        return
    if isinstance(first.value, list) and isinstance(node.value, list):
        merged[key] = replace(first, value=[*first.value, *node.value])
    elif isinstance(first.value, dict) and isinstance(node.value, dict):
        for inner in first.value.keys() & node.value.keys():
            what = f"duplicate key `{inner}` of `{key}`, first given at {first.keys[inner]}"
            report.error(node.keys[inner], what, "keep one of them")
        united = {**node.value, **first.value}
        merged[key] = replace(first, value=united, keys={**node.keys, **first.keys})
    elif first.text != node.text:
        report.error(node.spot, f"`{key}` is `{node.text}` here and `{first.text}` at {first.spot}", "keep one of them")


_CONTACTS = re.compile(r"contacts_(\w+?)_(\d+[smhdw])\b")


def _mentioned_contacts(draft: Draft, merged: Mapping[str, Node]) -> set[str]:
    """Return the contact counts that any text mentions: `contacts_<channel or all>_<window>`."""
    known = {"all", *(c.name for c in draft.parts["channels"])}
    found: set[str] = set()
    waiting = [merged[section.key] for section in READING if section.key in merged]
    while waiting:
        node = waiting.pop()
        if isinstance(node.value, dict):
            waiting += [inner for key, inner in node.value.items() if key != "content"]
        elif isinstance(node.value, list):
            waiting += node.value
        elif "contacts_" in node.text:
            found |= {m[0] for m in _CONTACTS.finditer(node.text) if m[1] in known and _is_span(m[2])}
    return found


def _is_span(text: str) -> bool:
    try:
        return parse_span(text) > 0
    except BadInput:
        return False


def _read_contacts(draft: Draft) -> set[str]:
    """Return the contact counts that some condition or the model really reads."""
    parts = draft.parts
    texts: list[Any] = [s.when for s in parts["situations"]] + [w.when for w in parts["context_weights"]]
    texts += [p.price for p in parts["placements"]] + [r.audience for r in parts["outbound"]]
    texts += [x for a in parts["actions"] for x in (a.value, a.helps, a.eligible, a.applicable, a.suitable)]
    texts += [x.audience for key in ("hypotheses", "experiments") for x in parts[key]]
    read = {name for e in texts if isinstance(e, Expression) for name in e.names} | set(parts["model"].predictors or ())
    read |= {m.covariate for m in parts["metrics"]}
    # what an arm reads is counted for everybody: all variants of a catalog have its names
    known = {"all", *(c.name for c in parts["channels"])}
    said = repr([arm.changes for e in parts["experiments"] for arm in e.arms])
    read |= {m[0] for m in _CONTACTS.finditer(said) if m[1] in known and _is_span(m[2])}
    return {name for name in read if _CONTACTS.fullmatch(name)}


def _names(draft: Draft, contacts: Iterable[str]) -> tuple[Name, ...]:
    """Return the names that conditions may read: traits, features, context, contact counts, built-ins."""
    parts = draft.parts
    declared = [Name(x.name, x.kind) for key in ("traits", "features", "context") for x in parts[key]]
    return (*declared, *(Name(name, Kind.NUMBER) for name in sorted(contacts)), *BUILT_INS)
