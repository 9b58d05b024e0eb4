"""What a treatment says: its content, its variants in other languages, and the files that hold long texts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from opportune.catalog.draft import Draft
from opportune.catalog.fields import Fields
from opportune.catalog.node import Node, Spot

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
"""A language as texts are marked with it: `de`, `de-AT`, `zh-Hant`."""

LARGEST_FILE = 1 << 20
"""Bytes of a text in a file of its own."""

_SUFFIX = "_file"


def read_content(draft: Draft, treatment: Fields) -> dict[str, Any]:
    """Return the content of a treatment in the catalog's language."""
    node = treatment.find("content")
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        treatment.wrong(node, "content", "a mapping")
        return {}
    return _said(draft, node)


def read_languages(draft: Draft, treatment: Fields) -> dict[str, dict[str, Any]]:
    """Return the keys of the content that other languages say otherwise, by language."""
    found: dict[str, dict[str, Any]] = {}
    for language, spot, node in treatment.pairs("languages"):
        is_language(draft, language, spot)
        if language == draft.parts["language"]:
            cure = "say it in `content`, or set `language:` of the catalog to that of `content`"
            draft.report.error(spot, f"`{language}` is the catalog's language", cure)
        if node.value is None:
            found[language] = {}
        elif isinstance(node.value, dict):
            found[language] = _said(draft, node)
        else:
            treatment.wrong(node, f"languages.{language}", "a mapping of keys of the content")
    return found


def is_language(draft: Draft, language: str, spot: Spot) -> None:
    """Check the spelling of a language."""
    if not LANGUAGE.fullmatch(language):
        draft.report.error(spot, f"`{language}` is not a language", "write a tag of BCP 47, such as de, de-AT, zh-Hant")


def _said(draft: Draft, content: Node) -> dict[str, Any]:
    with_files(draft, content)
    _warn_of_nothing(draft, content)
    found: dict[str, Any] = content.plain()
    return found


def with_files(draft: Draft, content: Node) -> None:
    """Let `key_file: path` of a content in a YAML file become `key` with the text of that file.

    The text's node stands in its own file, so that mistakes in it are found there.
    """
    assert isinstance(content.value, dict)
    for key, node in list(content.value.items()):
        if not key.endswith(_SUFFIX) or node.written is None:
            continue
        word = key.removesuffix(_SUFFIX)
        if word in content.value:
            draft.report.error(content.keys[key], f"both `{word}` and `{key}`", "keep one of them")
            continue
        text = _read(draft, node)
        content.value = {(word if k == key else k): (text if k == key else v) for k, v in content.value.items()}
        content.keys[word] = content.keys[key]


def _warn_of_nothing(draft: Draft, content: Node) -> None:
    """Warn about keys and entries without a value, at any depth: text after a comma that was not quoted becomes one."""
    if isinstance(content.value, dict):
        for key, node in content.value.items():
            if node.value is None:
                cure = f'write `{key}: ""`, or remove it; a text with a comma in braces needs quotes around it'
                draft.report.warn(content.keys.get(key, node.spot), f"`{key}` of the content has no value", cure)
            _warn_of_nothing(draft, node)
    elif isinstance(content.value, list):
        for node in content.value:
            if node.value is None:
                draft.report.warn(node.spot, "an entry of the content has no value", 'write "", or remove it')
            _warn_of_nothing(draft, node)


def _read(draft: Draft, node: Node) -> Node:
    """Return the node of the text in the file that a node names, relative to the project folder."""
    beside = Path(node.spot.file).parent
    homes = [beside.parent, beside] if beside.name == "catalog" else [beside]
    for home in homes:
        path = home / node.text
        if not path.resolve().is_relative_to(home.resolve()) or not node.text:
            draft.report.error(node.spot, f"`{node.text}` leads out of the project folder", "name a file inside of it")
            return Node("", node.spot)
        if path.is_file():
            return _text_of(draft, node, path)
    draft.report.error(node.spot, f"there is no file `{node.text}` in {str(homes[0])!r}", "write it, or mend the path")
    return Node("", node.spot)


def _text_of(draft: Draft, node: Node, path: Path) -> Node:
    try:
        data = path.read_bytes() if path.stat().st_size <= LARGEST_FILE else None
        if data is not None:
            text = data.decode("utf-8-sig").replace("\r\n", "\n")
            return Node(text, Spot(str(path)), text)
        draft.report.error(node.spot, f"`{node.text}` has more than {LARGEST_FILE >> 20} MB", "shorten it")
    except OSError as wrong:
        draft.report.error(node.spot, f"`{node.text}` cannot be read: {wrong.strerror}", "check its rights")
    except UnicodeDecodeError:
        draft.report.error(node.spot, f"`{node.text}` is not UTF-8", "save the file as UTF-8")
    return Node("", node.spot)
