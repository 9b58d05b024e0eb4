"""The rule that nothing about protected groups of people decides: no condition, amount or predictor reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from opportune.catalog.protected import told_by
from opportune.catalog.types import Action, Catalog, Feature, Protects, Standard
from opportune.deliver.standards.looking import Looking, covers
from opportune.rules import Expression


def protects(looking: Looking, standard: Standard, rule: Protects) -> None:
    """No condition, value, price or predictor reads a name that tells of a group, nor what is computed from one."""
    told = told_names(looking.catalog, rule)
    for path, expression, action in _expressions(looking.catalog):
        if action is not None and not _is_about(standard, action):
            continue
        node = looking.locate(*path)
        for word in (*expression.names, *expression.constants):
            if reason := told.get(word) or _told(rule, word):
                where = f"`{path[-1]}` of {_named(path)}"
                cure = "decide by something else, or list it under `allows` of the standard"
                spot = node.inside(*_position(expression.text, word)) if node.text else node.spot
                looking.tell(standard, spot, f"{where} reads `{word}`, which {reason}", cure)
    _predictors(looking, standard, told)


def told_names(catalog: Catalog, rule: Protects) -> dict[str, str]:
    """Return the declared names that are protected, and why: also features of events and properties that tell."""
    names = [*(t.name for t in catalog.traits), *(c.name for c in catalog.context)]
    told = {name: reason for name in names if (reason := _told(rule, name))}
    for feature in catalog.features:
        if reason := next((r for word in _read_by(feature) if (r := _told(rule, word))), ""):
            told[feature.name] = reason
    return {name: reason for name, reason in told.items() if name not in rule.allowed}


def _told(rule: Protects, word: str) -> str:
    if word in rule.allowed:
        return ""
    if word in rule.names:
        return "is protected"
    group = told_by(word, rule.groups)
    return f"tells of {group}" if group else ""


def _read_by(feature: Feature) -> Iterator[str]:
    yield from (feature.name, feature.event, feature.of or "")
    if feature.where is not None:
        yield from (*feature.where.names, *feature.where.constants)


def _predictors(looking: Looking, standard: Standard, told: Mapping[str, str]) -> None:
    chosen = looking.catalog.model.predictors
    node = looking.locate("model", "predictors")
    items = node.value if isinstance(node.value, list) else []
    for name in (n.name for n in looking.catalog.names) if chosen is None else chosen:
        if name in told:
            spot = next((item.spot for item in items if item.text == name), node.spot)
            what = f"the model predicts from `{name}`, which {told[name]}"
            looking.tell(standard, spot, what, "list `predictors` of `model` without it, or do not declare it")


def _is_about(standard: Standard, action: Action) -> bool:
    return standard.kind in (None, action.kind) and any(covers(standard, action, t) for t in action.treatments)


Path = tuple[str | Mapping[str, str], ...]


def _expressions(catalog: Catalog) -> Iterator[tuple[Path, Expression, Action | None]]:
    """Yield the path of every expression in any section, the expression, and the action that it belongs to.

    Conditions of features are left out: they make a feature tell of a group, and who reads that is asked.
    """
    for section in fields(catalog):
        entries = getattr(catalog, section.name)
        for entry in entries if isinstance(entries, tuple) and section.name != "features" else ():
            for key, expression in _fields(entry):
                named = getattr(entry, "name", None)
                by: str | Mapping[str, str] = named or {"on": getattr(entry, "on", ""), key: expression.text}
                yield (section.name, by, key), expression, entry if isinstance(entry, Action) else None


def _fields(entry: Any) -> Iterable[tuple[str, Expression]]:
    names = [f.name for f in fields(entry)] if is_dataclass(entry) else []
    return [(name, value) for name in names if isinstance(value := getattr(entry, name), Expression)]


def _named(path: Path) -> str:
    one = str(path[0]).removesuffix("s").replace("_", " ")
    return f"{one} `{path[1] if isinstance(path[1], str) else path[1].get('on', '')}`"


def _position(text: str, word: str) -> tuple[int, int]:
    """Return the line and column of a word in a condition, the first of them if it is not spelled out."""
    found = re.search(rf"(?<![\w.]){re.escape(word)}(?![\w.])", text, re.IGNORECASE)
    at = found.start() if found else 0
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
