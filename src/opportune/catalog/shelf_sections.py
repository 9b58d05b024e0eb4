"""The section `shelf`: what feedback says of a taste, and what is never recommended; and `items` of a treatment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from opportune.catalog.draft import Draft, slim
from opportune.catalog.fields import Conditions, Fields
from opportune.catalog.node import Node
from opportune.catalog.shelf_types import FEEDBACK, ITEM_NAMES, Feedback, Instead, ItemsWanted, Never, ShelfRules
from opportune.catalog.types import Catalog
from opportune.clock import format_span
from opportune.rules import Expression

MOST_ITEMS = 50
"""Items that a treatment may carry."""

MOST_HISTORY = 500

DEFAULT = ShelfRules()


def read_shelf(draft: Draft, node: Node | None) -> ShelfRules:
    """Return how items are learned and recommended."""
    if node is None:
        return DEFAULT
    fields = Fields(node, draft.report, "`shelf`")
    feedback = dict(FEEDBACK)
    for kind, spot, inner in fields.pairs("feedback"):
        if kind not in FEEDBACK:
            draft.report.error(spot, f"unknown feedback `{kind}`", f"the kinds are {', '.join(FEEDBACK)}")
            continue
        one = Fields(inner, draft.report, f"feedback `{kind}`")
        known = FEEDBACK[kind]
        weight = one.number("weight", known.weight, -1.0, 1.0)
        feedback[kind] = Feedback(weight, one.span("half_life", known.half_life) or known.half_life)
        one.close()
    events = {}
    for event, spot, inner in fields.pairs("events"):
        if inner.text not in FEEDBACK:
            cure = f"write one of {', '.join(FEEDBACK)}"
            draft.report.error(spot, f"`{event}` is no feedback as `{inner.text}`", cure)
        else:
            events[event] = inner.text
    history = fields.whole("history", DEFAULT.history, low=1)
    if history > MOST_HISTORY:
        fields.wrong(fields.values["history"], "history", f"at most {MOST_HISTORY}, as it is kept per customer")
    rules = ShelfRules(
        feedback, dict(sorted(events.items())), fields.text("item"), min(history, MOST_HISTORY),
        fields.span("session", DEFAULT.session) or DEFAULT.session,
        fields.span("again", DEFAULT.again) or DEFAULT.again,
        fields.number("diversity", DEFAULT.diversity, 0.0, 1.0), fields.number("explore", DEFAULT.explore, 0.0, 0.5),
        fields.span("new", DEFAULT.new) or DEFAULT.new, fields.flag("learn_items", DEFAULT.learn_items),
        tuple(sorted(_never(draft, fields.items("never")), key=lambda one: one.name)),
        fields.number("holdout", DEFAULT.holdout, 0.0, 0.5),
        "none" if fields.choice("instead", get_args(Instead), DEFAULT.instead) == "none" else "popular",
        fields.span("credit", DEFAULT.credit) or DEFAULT.credit,
    )  # fmt: skip
    fields.close()
    return rules


def _never(draft: Draft, nodes: Iterable[Node]) -> list[Never]:
    found = []
    for node in nodes:
        fields, name = draft.named("shelf.never", "rule of the shelf", node)
        items = _about_items(draft, fields, "items", required=True)
        unless = fields.condition("unless", draft.conditions)
        consent = fields.choice("consent", [topic.name for topic in draft.parts["topics"]])
        fields.close()
        if items is not None:
            found.append(Never(name, items, unless, consent))
    return found


def read_items(draft: Draft, treatment: Fields) -> ItemsWanted | None:
    """Return the items that a treatment carries."""
    node = treatment.find("items")
    if node is None:
        return None
    fields = Fields(node, draft.report, f"`items` of {treatment.what}")
    n = fields.whole("n", 1, low=1)
    if n > MOST_ITEMS:
        fields.wrong(fields.values["n"], "n", f"at most {MOST_ITEMS}")
    wanted = ItemsWanted(min(n, MOST_ITEMS), _about_items(draft, fields, "of"))
    fields.close()
    return wanted


def _about_items(draft: Draft, fields: Fields, key: str, required: bool = False) -> Expression | None:
    node = fields.find(key, required)
    if node is None:
        return None
    conditions = Conditions(draft.report)
    conditions.names = dict(ITEM_NAMES)
    return conditions.read(node)


def write_shelf(catalog: Catalog) -> Any:
    s, feedback = catalog.shelf, {}
    for kind, one in s.feedback.items():
        if one != FEEDBACK[kind]:
            feedback[kind] = {"weight": one.weight, "half_life": format_span(one.half_life)}
    return slim(
        feedback=feedback,
        events=dict(s.events),
        item=s.item,
        history=None if s.history == DEFAULT.history else s.history,
        **{k: None if getattr(s, k) == getattr(DEFAULT, k) else format_span(getattr(s, k))
           for k in ("session", "again", "new", "credit")},
        **{k: None if getattr(s, k) == getattr(DEFAULT, k) else getattr(s, k)
           for k in ("diversity", "explore", "learn_items", "holdout", "instead")},
        never=[slim(name=one.name, items=one.items.canonical, unless=one.unless and one.unless.canonical,
                    consent=one.consent) for one in s.never],
    )  # fmt: skip


def written_items(wanted: ItemsWanted | None) -> Any:
    """Return the items that a treatment carries, as plain data."""
    return wanted and slim(n=wanted.n, of=wanted.of and wanted.of.canonical)
