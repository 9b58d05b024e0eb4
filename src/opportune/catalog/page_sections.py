"""The section `pages`: which slots a page has, and what every request for it says."""

from __future__ import annotations

from typing import Any

from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import NAME, Fields, nearest
from opportune.catalog.node import Node
from opportune.catalog.page_types import VISIT_NAMES, Page, Slot
from opportune.catalog.types import Catalog
from opportune.rules import Kind, Value

MOST_SLOTS = 50
"""Slots of a page: each is one more round of the same decision."""

MOST_OFFERS = 50
"""Actions of a slot."""

LONGEST = 1000
"""Characters of a text that a request may carry as context."""

def read_pages(draft: Draft, node: Node | None) -> tuple[Page, ...]:
    """Return the pages by name; the slots of each in the order in which they were written."""
    pages = [_page(draft, item) for item in entries(node)]
    if pages:
        _visits_fit(draft)
    return tuple(sorted(pages, key=lambda page: page.name))


def _page(draft: Draft, item: Node) -> Page:
    fields, name = draft.named("pages", "page", item)
    nodes = fields.items("slots", required=True)
    written = fields.values.get("slots")
    if written is not None and isinstance(written.value, list) and not 1 <= len(nodes) <= MOST_SLOTS:
        fields.wrong(written, "slots", f"a list of 1 to {MOST_SLOTS} slots")
    slots: dict[str, Slot] = {}
    for node in nodes[:MOST_SLOTS]:
        _slot(draft, fields, node, slots)
    page = Page(name, tuple(slots.values()), _context(draft, fields))
    fields.close()
    return page


def _slot(draft: Draft, page: Fields, node: Node, slots: dict[str, Slot]) -> None:
    """Add the slot to those that the page has already."""
    inner = node.value.get("name") if isinstance(node.value, dict) else None
    label = inner.text if inner is not None else ""
    fields = Fields(node, draft.report, f"slot `{label}` of {page.what}" if label else f"this slot of {page.what}")
    name = fields.text("name", required=True)
    placements = {p.name: p.channel for p in draft.parts["placements"]}
    placement = fields.choice("placement", list(placements), required=True)
    limit = fields.whole("limit", 1, low=1)
    if limit > MOST_OFFERS:
        fields.wrong(fields.values["limit"], "limit", f"at most {MOST_OFFERS}")
    fields.close()
    if name and not NAME.fullmatch(name):
        draft.report.error(
            fields.spot("name"), f"`{name}` cannot name a slot", "use letters, digits and _ . -, starting with a letter"
        )
    if name in slots:
        draft.report.error(fields.spot("name"), f"duplicate slot `{name}` in {page.what}", "rename one")
    other = next((slot for slot in slots.values() if placement and slot.placement == placement), None)
    if other is not None:
        cure = f"raise the `limit` of `{other.name}`, or declare a placement of its own for `{name}`"
        what = f"`{placement}` is the placement of slot `{other.name}` already"
        draft.report.error(fields.spot("placement"), what, cure)
    channel = next((c for c in draft.parts["channels"] if c.name == placements.get(placement)), None)
    if channel is not None and channel.push:
        what = f"`{placement}` is of channel `{channel.name}`, which goes out to customers: no page has it"
        cure = "name a placement of a channel that customers come to, such as web or app"
        draft.report.error(fields.spot("placement"), what, cure)
    if name:
        slots.setdefault(name, Slot(name, placement, min(limit, MOST_OFFERS)))


def _context(draft: Draft, page: Fields) -> dict[str, Value]:
    declared = {name.name: name.kind for name in draft.parts["context"]}
    found: dict[str, Value] = {}
    for name, spot, node in page.pairs("context"):
        if name not in declared:
            cure = nearest(name, declared) if declared else f"add {{name: {name}, type: text}} under `context`"
            draft.report.error(spot, f"unknown context value `{name}` in {page.what}", cure)
            continue
        value = node.value
        if isinstance(value, dict | list) or not _is(value, declared[name]):
            what = f"context value `{name}` of {page.what} is no {declared[name].value}"
            draft.report.error(node.spot, what, f"write a {declared[name].value}, or leave it out")
            continue
        found[name] = value
    return dict(sorted(found.items()))


def _is(value: Value, kind: Kind) -> bool:
    if kind is Kind.TEXT:
        return isinstance(value, str) and len(value) <= LONGEST
    if kind is Kind.BOOL:
        return isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _visits_fit(draft: Draft) -> None:
    """What requests for pages say of a visit must be declared with the type that it has."""
    for name in draft.parts["context"]:
        kind = VISIT_NAMES.get(name.name, name.kind)
        if kind is not name.kind:
            what = f"context value `{name.name}` is a {name.kind.value}, but requests for pages give a {kind.value}"
            cure = f"write `type: {kind.value}`, or rename it"
            draft.report.error(draft.spot("context", name.name, "type"), what, cure)


def write_pages(catalog: Catalog) -> Any:
    return [
        slim(
            name=page.name,
            slots=[
                slim(name=slot.name, placement=slot.placement, limit=None if slot.limit == 1 else slot.limit)
                for slot in page.slots
            ],
            context=dict(page.context),
        )
        for page in catalog.pages
    ]
