"""Drafts of texts: asked of a generator, checked like everything else that goes live, taken by a person."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from opportune.catalog import load
from opportune.catalog.content import LANGUAGE
from opportune.catalog.export import export
from opportune.catalog.fields import nearest
from opportune.catalog.node import Node
from opportune.catalog.overlay import Entry
from opportune.catalog.types import Action, Catalog, Forbids, Requires, Terms, Treatment
from opportune.deliver import standards
from opportune.deliver.draft_files import Draft, note, read, save, settle
from opportune.deliver.generators import Generator, Wanted
from opportune.deliver.standards.looking import covers
from opportune.deliver.standards.wording import block, sources
from opportune.errors import BadCatalog, BadInput, Problem

NOT_PROSE = ("html", "mjml", "url", "link", "href", "image", "icon", "src", "list", "audience", "id", "type")
"""Keys of content whose text is not for reading."""

USUAL = {
    "email": ("subject", "preheader"),
    "sms": ("text",),
    "push": ("title", "body"),
    "letter": ("subject", "text"),
    "script": ("opening", "offer"),
    "json": ("title", "text", "button"),
}
"""What to write for a treatment that says nothing yet, by form."""


def draft(
    folder: Path, action: str, treatment: str, language: str, generator: Generator, at: int, instruction: str = ""
) -> tuple[Path, Draft, list[Problem]]:
    """Ask for a draft and write it into the project folder; return its file, the draft, and what is wrong with it.

    Problems name the draft's own file. `language` "" is the catalog's. Raises `BadInput` for what the catalog does not
    have, `GeneratorFailed` where none comes.
    """
    catalog = load(folder)
    of, form = find(catalog, action, treatment)
    language = language or catalog.language
    if not LANGUAGE.fullmatch(language):
        raise BadInput(f"{language!r} is not a language; write a tag of BCP 47, such as de, de-AT, zh-Hant")
    wanted = ask(catalog, of, form, language, instruction)
    texts = generator.write(wanted)
    based_on = _hash(form, language)
    made = Draft(of.name, form.name, language, texts, generator.name, at, based_on, instruction)
    path = save(folder, made)
    found = problems(catalog, *read(path))
    note(path, found)
    return path, made, found


def find(catalog: Catalog, action: str, treatment: str) -> tuple[Action, Treatment]:
    """Return an action and a treatment of it by name; "" is the only treatment there is."""
    by_name = {a.name: a for a in catalog.actions}
    if action not in by_name:
        raise BadInput(f"there is no action {action!r}; {nearest(action, by_name)}")
    known = {t.name: t for t in by_name[action].treatments}
    if not treatment and len(known) == 1:
        treatment = next(iter(known))
    if treatment not in known:
        which = f"has no treatment {treatment!r}" if treatment else "has several treatments: give --treatment"
        raise BadInput(f"action {action!r} {which}; {nearest(treatment, known)}")
    return by_name[action], known[treatment]


def ask(catalog: Catalog, action: Action, treatment: Treatment, language: str, instruction: str = "") -> Wanted:
    """Return what a generator is asked for: which texts, what is there, and what the standards demand of them."""
    now = prose(treatment, language)
    form = next(c.form for c in catalog.channels if c.name == treatment.channel)
    fields = tuple(now) or USUAL.get(form, ())
    if not fields:
        raise BadInput(f"treatment {treatment.name!r} has no text to write; add a key to its `content`")
    about = [s for s in catalog.standards if covers(s, action, treatment) and s.kind in (None, action.kind)]
    without = trial(catalog, action, treatment, language, dict.fromkeys(fields, ""))
    missing = [s.rule.texts[0] for s in about if isinstance(s.rule, Requires) and s.rule.texts
               and standards.check(replace(without, standards=(s,)))]  # fmt: skip
    forbidden = [w for s in about if isinstance(s.rule, Forbids) and not (s.rule.provable and action.proof)
                 for w in s.rule.words]  # fmt: skip
    spelled = [right for s in about if isinstance(s.rule, Terms) for right in s.rule.spellings.values()]
    said = action.treatments if language == catalog.language else [replace(t, content={}) for t in action.treatments]
    others = tuple(texts for t in said if t.name != treatment.name and (texts := prose(t, language)))
    return Wanted(
        action.path, action.benefit, action.kind, treatment.channel, language, fields, now, others,
        tuple(missing), tuple(forbidden), tuple(spelled), instruction,
    )  # fmt: skip


def prose(treatment: Treatment, language: str) -> dict[str, str]:
    """Return the texts of a treatment that are there to be read, by key; those in lists are left out."""
    texts = {s.key: s.text for s in sources(treatment, language) if all(isinstance(step, str) for step in s.path)}
    return {key: text for key, text in texts.items() if _is_prose(key, text)}


def _is_prose(key: str, text: str) -> bool:
    bare = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.DOTALL)
    last = key.rpartition(".")[2].lower()
    return last not in NOT_PROSE and bool(re.search(r"[^\W\d_]", bare)) and not _ADDRESS.match(bare.strip())


_ADDRESS = re.compile(r"[a-z][a-z+.-]*:\S+$|/\S*$|\S+@\S+$")


def trial(
    catalog: Catalog, action: Action, treatment: Treatment, language: str, texts: Mapping[str, str]
) -> Catalog:
    """Return a catalog of this treatment alone, in this language alone, as it would be with the texts."""
    content = copy.deepcopy({**treatment.content, **treatment.languages.get(language, {})})
    for key, text in texts.items():
        _put(content, key, text)
    blocks = {name: {language: found.text} for name in catalog.blocks if (found := block(catalog, language, name))}
    alone = replace(action, treatments=(replace(treatment, content=content, languages={}),))
    return replace(catalog, actions=(alone,), blocks=blocks, language=language)


def _put(content: dict[str, Any], key: str, text: str) -> None:
    *way, last = key.split(".")
    for word in way:
        inner = content.get(word)
        content[word] = content = dict(inner) if isinstance(inner, Mapping) else {}
    content[last] = text


def problems(catalog: Catalog, made: Draft, node: Node) -> list[Problem]:
    """Return what is wrong with a draft, at the places in its own file; `node` is that of its texts.

    What a person must see before it goes live: what the standards say, Liquid that cannot be read, markup,
    placeholders that the text before did not have, and what is not translated.
    """
    action, treatment = find(catalog, made.action, made.treatment)
    tried = trial(catalog, action, treatment, made.language, made.texts)

    def locate(*path: Any) -> Node:
        return node.get(".".join(path[5:])) if path[4:5] == ("content",) and len(path) > 5 else node

    before = "\n".join([*prose(treatment, made.language).values(), *prose(treatment, catalog.language).values()])
    found = standards.check(tried, locate, standards.ABOUT_TEXT)
    found += [p for key in made.texts for p in _strange(node.get(key), before)]
    if made.language != catalog.language:
        known = {action.benefit, *prose(treatment, catalog.language).values()} - {""}
        found += [_at(node.get(key), 0, f"this is still in `{catalog.language}`", "translate it", True)
                  for key, text in made.texts.items() if any(said in text for said in known)]  # fmt: skip
    found += _compiled(tried, made, node)
    return sorted(set(found), key=lambda p: (p.line, p.column, p.warning, p.what))


def _strange(node: Node, before: str) -> list[Problem]:
    found = []
    for tag in re.finditer(r"<[a-zA-Z/!][^<>]*>", node.text):
        if tag[0] not in before:
            found.append(_at(node, tag.start(), f"markup `{tag[0][:40]}` in a text", "take it out", False))
    for liquid in re.finditer(r"\{\{-?\s*([\w.]*).*?\}\}|\{%.*?%\}", node.text, re.DOTALL):
        if liquid[0] not in before and not (liquid[1] or "").startswith("customer"):
            cure = "see that everybody may read it, or take it out"
            found.append(_at(node, liquid.start(), f"`{liquid[0][:60]}` is new in this text", cure, True))
    return found


def _at(node: Node, offset: int, what: str, cure: str, warning: bool) -> Problem:
    before = node.text[:offset]
    spot = node.inside(before.count("\n") + 1, offset - before.rfind("\n"))
    return Problem(what, cure, spot.line, spot.column, spot.file, warning)


def _compiled(tried: Catalog, made: Draft, node: Node) -> list[Problem]:
    """Return what the form of the channel says of the texts, where it is about them."""
    from opportune.deliver.forms import open_form
    from opportune.deliver.render.templates import BadTemplate, Templates

    treatment = tried.actions[0].treatments[0]
    form = open_form(next(c.form for c in tried.channels if c.name == treatment.channel))
    try:
        said = form.compile(treatment.content, made.language, Templates(tried.blocks, made.language, made.language))
        told = tuple(said.warnings)
    except BadTemplate as bad:
        told = bad.problems
    found = []
    for problem in told:
        if problem.file in made.texts:
            spot = node.get(problem.file).inside(problem.line, problem.column)
            found.append(replace(problem, file=spot.file, line=spot.line, column=spot.column))
    return found


def accept(folder: Path, path: Path, by: str, at: int) -> tuple[list[str], Path]:
    """Put a draft into the files of the catalog, which keep their comments; return the files changed, and its record.

    Raises `BadCatalog` with what is wrong with it (warnings pass), `BadInput` if what it replaces has changed since or
    cannot be edited in place. Nothing is live before it is published.
    """
    if not by.strip():
        raise BadInput("who accepts it? give --by NAME")
    made, node = read(path)
    catalog = load(folder)
    _, treatment = find(catalog, made.action, made.treatment)
    if made.based_on != _hash(treatment, made.language):
        what = f"treatment {made.treatment!r} of action {made.action!r} has changed since {str(path)!r} was drafted"
        raise BadInput(f"{what}; draft it anew, or delete the draft")
    if errors := [p for p in problems(catalog, made, node) if not p.warning]:
        raise BadCatalog(errors)
    changed = export(folder, list(_entries(catalog, treatment, made, by.strip(), at)))
    return changed, settle(path, by.strip(), at)


def _entries(catalog: Catalog, treatment: Treatment, made: Draft, by: str, at: int) -> list[Entry]:
    """Return the texts as values on top of the files; in another language, whole values of `content` are replaced."""
    home = f"actions.{made.action}.treatments.{made.treatment}"
    reason, own = f"draft by {made.by}", made.language == catalog.language
    values: dict[str, Any] = dict(made.texts)
    if not own:
        content = copy.deepcopy({**treatment.content, **treatment.languages.get(made.language, {})})
        for key, text in made.texts.items():
            _put(content, key, text)
        values = {key: content[key] for key in dict.fromkeys(key.partition(".")[0] for key in made.texts)}
    below = "content" if own else f"languages.{made.language}"
    return [Entry(f"{home}.{below}.{key}", value, by, at, reason, catalog.hash) for key, value in values.items()]


def _hash(treatment: Treatment, language: str) -> str:
    said = [treatment.content, treatment.languages.get(language, {})]
    return sha256(json.dumps(said, sort_keys=True, default=dict).encode()).hexdigest()[:16]
