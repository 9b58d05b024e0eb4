"""The rule of two people: what an action says was approved as it stands, by somebody other than its owner."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from opportune.catalog.types import Action, Catalog, NeedsApproval, Standard
from opportune.deliver.standards.looking import Looking
from opportune.deliver.standards.spoken import blocks_used


def needs_approval(looking: Looking, standard: Standard, rule: NeedsApproval) -> None:
    """Every action carries the approval of its content as it is."""
    for action in looking.actions(standard):
        now, given = content_hash(looking.catalog, action), action.approved
        entry = f"`approved: {{by: NAME, at: DATE, hash: {now}}}`"
        if given is None:
            spot = looking.locate("actions", action.name, "name").spot
            looking.tell(standard, spot, f"nobody approved action `{action.name}`", f"read it, then add {entry}")
        elif given.hash != now:
            spot = looking.locate("actions", action.name, "approved", "hash").spot
            what = f"action `{action.name}` says something else since `{given.by}` approved it"
            looking.tell(standard, spot, what, f"read it again, then write {entry}")
        elif given.by.casefold() == action.owner.casefold():
            spot = looking.locate("actions", action.name, "approved", "by").spot
            what = f"`{given.by}` owns action `{action.name}` and approved it as well"
            looking.tell(standard, spot, what, "let somebody else read and approve it")


def content_hash(catalog: Catalog, action: Action) -> str:
    """Return 16 hex digits that change with whatever an action says: its treatments, its benefit and the blocks used.

    The first 64 bits of the SHA-256 of canonical JSON; layout, comments and order of keys do not count.
    """
    treatments = {t.name: [t.channel, t.content, t.languages] for t in action.treatments}
    used: dict[str, Any] = {}
    _gather(catalog, treatments, used)
    said = [action.benefit, treatments, used]
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=dict)
    return sha256(text.encode()).hexdigest()[:16]


def _gather(catalog: Catalog, value: Any, used: dict[str, Any]) -> None:
    """Add the blocks that texts render, and those that these render; all there are where the name is not written."""
    for text in _texts(value):
        for name in blocks_used(text, catalog.blocks):
            if name not in used:
                used[name] = catalog.blocks[name]
                _gather(catalog, catalog.blocks[name], used)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
