"""The sections that every message shares: the language, who sends it, and blocks of text."""

from __future__ import annotations

import re
from typing import Any

from opportune.catalog.content import is_language
from opportune.catalog.draft import Draft, slim
from opportune.catalog.fields import Fields
from opportune.catalog.node import Node
from opportune.catalog.types import Catalog, Sender

DEFAULT_LANGUAGE = "en"

_EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


def read_language(draft: Draft, node: Node | None) -> str:
    """Return the language that `content` and `blocks` are written in where nothing else is said."""
    if node is None or node.value is None:
        return DEFAULT_LANGUAGE
    is_language(draft, node.text, node.spot)
    return node.text


def read_sender(draft: Draft, node: Node | None) -> Sender:
    """Return who messages come from."""
    if node is None:
        return Sender()
    fields = Fields(node, draft.report, "`sender`")
    sender = Sender(*(fields.text(key) for key in ("name", "email", "reply_to", "address", "website")))
    for key in ("email", "reply_to"):
        if (text := fields.text(key)) and not _EMAIL.fullmatch(text):
            fields.wrong(fields.values[key], key, "an e-mail address, such as hello@acme.example")
    if sender.website and not sender.website.startswith(("https://", "http://")):
        fields.wrong(fields.values["website"], "website", "an address that starts with https://")
    fields.close()
    return sender


def read_blocks(draft: Draft, node: Node | None) -> dict[str, dict[str, str]]:
    """Return the texts of each block by language."""
    blocks: dict[str, dict[str, str]] = {}
    fields = Fields(node, draft.report, "`blocks`") if node is not None else None
    for name, inner in (fields.values if fields else {}).items():
        assert fields is not None
        draft.spell(name, fields.node.keys[name], "block")
        texts = inner.value if isinstance(inner.value, dict) else {draft.parts["language"]: inner}
        blocks[name] = {}
        for language, text in texts.items():
            if texts is inner.value:
                is_language(draft, language, inner.keys[language])
            if isinstance(text.value, dict | list):
                draft.report.error(text.spot, f"block `{name}` must be text", "write a text, or one for each language")
            else:
                blocks[name][language] = text.text
        if not texts:
            draft.report.error(inner.spot, f"block `{name}` has no text", "write a text, or one for each language")
    return blocks


def write_language(catalog: Catalog) -> Any:
    return None if catalog.language == DEFAULT_LANGUAGE else catalog.language


def write_sender(catalog: Catalog) -> Any:
    s = catalog.sender
    return slim(name=s.name, email=s.email, reply_to=s.reply_to, address=s.address, website=s.website)


def write_blocks(catalog: Catalog) -> Any:
    return {
        name: texts[catalog.language] if [*texts] == [catalog.language] else dict(texts)
        for name, texts in catalog.blocks.items()
    }
