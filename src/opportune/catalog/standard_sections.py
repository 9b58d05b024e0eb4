"""The section `standards`: what actions and treatments must meet before they go live."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields, nearest
from opportune.catalog.node import Node
from opportune.catalog.patterns import mistake
from opportune.catalog.protected import GROUPS
from opportune.catalog.types import (
    Catalog,
    Forbids,
    NeedsApproval,
    NeedsBasis,
    Protects,
    Requires,
    Rule,
    Standard,
    Terms,
)

LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


def read_standards(draft: Draft, node: Node | None) -> tuple[Standard, ...]:
    standards = [standard for item in entries(node) if (standard := _standard(draft, item)) is not None]
    return tuple(sorted(standards, key=lambda s: s.name))


def _standard(draft: Draft, item: Node) -> Standard | None:
    fields, name = draft.named("standards", "standard", item)
    kinds = [key for key in KINDS if key in fields.values]
    if kinds == ["requires", "pattern"]:
        kinds = ["requires"]
    if len(kinds) != 1:
        cure = f"give it one of {', '.join(f'`{key}`' for key in KINDS)}; one rule each"
        draft.report.error(item.spot, f"{fields.what} must say what it demands", cure)
        return None
    rule = KINDS[kinds[0]](draft, fields)
    standard = Standard(
        name=name,
        rule=rule,
        on=_scopes(draft, fields),
        kind=cast(Any, fields.choice("kind", ("marketing", "service")) or None),
        languages=_languages(fields) if isinstance(rule, ABOUT_TEXT) else (),
        fields=tuple(sorted(fields.words("field"))) if isinstance(rule, ABOUT_TEXT) else (),
        warns=fields.choice("severity", ("error", "warning"), "error") == "warning",
    )
    fields.close()
    return standard


ABOUT_TEXT = (Requires, Forbids, Terms)
"""The rules that read texts, so that languages and fields can narrow them."""


def _requires(draft: Draft, fields: Fields) -> Rule:
    pattern = fields.text("pattern")
    if pattern and (wrong := mistake(pattern)):
        cure = "write a regular expression of RE2: no references back, no looking around"
        draft.report.error(fields.spot("pattern"), f"`pattern` of {fields.what} cannot be read: {wrong}", cure)
    texts = _texts(fields, "requires")
    if not texts and not pattern:
        draft.report.error(fields.node.spot, f"{fields.what} demands no text", "write the text that must appear")
    return Requires(texts, pattern)


def _forbids(draft: Draft, fields: Fields) -> Rule:
    return Forbids(_words(fields, "forbids"), _texts(fields, "unless"))


def _claims(draft: Draft, fields: Fields) -> Rule:
    return Forbids(_words(fields, "claims"), _texts(fields, "unless"), provable=True)


def _terms(draft: Draft, fields: Fields) -> Rule:
    node = fields.find("terms")
    if node is not None and isinstance(node.value, dict):
        pairs = {wrong: value for wrong, _, value in fields.pairs("terms")}
        for value in pairs.values():
            if isinstance(value.value, dict | list) or not value.text.strip():
                fields.wrong(value, "terms", "the right spelling after each wrong one")
        return Terms({wrong: pairs[wrong].text.strip() for wrong in sorted(pairs)})
    return Terms({right: right for right in _words(fields, "terms", stars=False)})


def _protects(draft: Draft, fields: Fields) -> Rule:
    for item in fields.items("protects"):
        if item.text not in GROUPS:
            cure = nearest(item.text, GROUPS)
            draft.report.error(item.spot, f"unknown group `{item.text}` in `protects` of {fields.what}", cure)
    groups = tuple(sorted(word for word in fields.words("protects") if word in GROUPS))
    return Protects(groups, _texts(fields, "names"), _texts(fields, "allows"))


def _needs_basis(draft: Draft, fields: Fields) -> Rule:
    _only_true(fields, "needs_basis")
    return NeedsBasis()


def _needs_approval(draft: Draft, fields: Fields) -> Rule:
    _only_true(fields, "needs_approval")
    return NeedsApproval()


KINDS: dict[str, Callable[[Draft, Fields], Rule]] = {
    "requires": _requires,
    "pattern": _requires,
    "forbids": _forbids,
    "claims": _claims,
    "terms": _terms,
    "protects": _protects,
    "needs_basis": _needs_basis,
    "needs_approval": _needs_approval,
}
"""The key that says what a standard demands, and what reads it."""


def _texts(fields: Fields, key: str) -> tuple[str, ...]:
    return tuple(sorted(text.strip() for text in fields.words(key)))


def _words(fields: Fields, key: str, stars: bool = True) -> tuple[str, ...]:
    for item in fields.items(key, required=True):
        if not re.search(r"\w", item.text) or "*" in item.text.strip()[1:-1] or (not stars and "*" in item.text):
            ends = "a word, or words, with `*` at an end for any letters" if stars else "the right spelling of words"
            fields.wrong(item, key, ends)
    return _texts(fields, key)


def _only_true(fields: Fields, key: str) -> None:
    if not fields.flag(key, True):
        fields.report.error(fields.spot(key), f"`{key}` of {fields.what} demands nothing", "write true, or remove it")


def _scopes(draft: Draft, fields: Fields) -> tuple[str, ...]:
    actions = draft.parts["actions"]
    known = {"all", *(f"channel/{c.name}" for c in draft.parts["channels"])}
    known |= {scope for a in actions for scope in (a.issue, f"{a.issue}/{a.group}", f"action/{a.name}")}
    for item in fields.items("on"):
        if item.text not in known and draft.scopes_are_known:
            draft.report.error(item.spot, f"unknown scope `{item.text}` in {fields.what}", nearest(item.text, known))
    return tuple(sorted(fields.words("on", ("all",))))


def _languages(fields: Fields) -> tuple[str, ...]:
    for item in fields.items("languages"):
        if not LANGUAGE.fullmatch(item.text):
            fields.wrong(item, "languages", "codes of languages, such as de or pt-BR")
    return tuple(sorted(fields.words("languages")))


def write_standards(catalog: Catalog) -> Any:
    return [
        slim(
            name=s.name,
            **_written(s.rule),
            on=None if s.on == ("all",) else list(s.on),
            kind=s.kind,
            languages=list(s.languages),
            field=list(s.fields),
            severity="warning" if s.warns else None,
        )
        for s in catalog.standards
    ]


def _written(rule: Rule) -> dict[str, Any]:
    match rule:
        case Requires():
            return {"requires": list(rule.texts), "pattern": rule.pattern}
        case Forbids():
            return {"claims" if rule.provable else "forbids": list(rule.words), "unless": list(rule.unless)}
        case Terms():
            plain = all(wrong == right for wrong, right in rule.spellings.items())
            return {"terms": list(rule.spellings) if plain else dict(rule.spellings)}
        case Protects():
            lists = {"protects": rule.groups, "names": rule.names, "allows": rule.allowed}
            return {key: list(words) for key, words in lists.items()}
        case NeedsBasis():
            return {"needs_basis": True}
        case NeedsApproval():
            return {"needs_approval": True}
