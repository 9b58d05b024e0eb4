"""The section `funnel`: how a person becomes a customer, and what a sale brings."""

from __future__ import annotations

from typing import Any

from opportune.catalog.draft import Draft, slim
from opportune.catalog.fields import Fields
from opportune.catalog.funnel_types import Funnel
from opportune.catalog.node import Node
from opportune.catalog.types import Catalog
from opportune.clock import format_span
from opportune.rules.contradiction import contradiction

EVENTS = ("lead", "handed_over", "accepted", "customer")


def read_funnel(draft: Draft, node: Node | None) -> Funnel:
    """Return the funnel; where there is none, that of the events' usual names."""
    if node is None or node.value is None:
        return Funnel()
    draft.nodes["funnel"] = {"": node}
    fields, usual = Fields(node, draft.report, "`funnel`"), Funnel()
    named = {key: fields.text(key, getattr(usual, key)) for key in EVENTS}
    stages = fields.words("stages")
    steps = [named["lead"], *stages, named["handed_over"], named["accepted"], named["customer"]]
    for step in sorted({step for step in steps if steps.count(step) > 1}):
        key = "stages" if step in stages else next(key for key in EVENTS if named[key] == step)
        draft.report.error(fields.spot(key), f"`{step}` is two steps of `funnel`", "give each step an event of its own")
    where = fields.find("referral")
    referral = None if where is None else draft.conditions.read(where, anything=True)
    if where is not None and referral is not None and (reason := contradiction([referral])):
        draft.report.error(where.spot, f"this condition can never be true: {reason}", "change or remove it")
    funnel = Funnel(
        **named, stages=stages, referral=referral, window=fields.span("window", usual.window) or usual.window,
        events=fields.words("events"), value=fields.text("value"), margin=_margin(fields),
    )  # fmt: skip
    fields.close()
    return funnel


def _margin(fields: Fields) -> float | str | None:
    node = fields.find("margin")
    if node is None:
        return None
    if isinstance(node.value, str):
        return fields.text("margin")
    return fields.number_of(node, "margin", 1.0, 0.0, 1.0)


def write_funnel(catalog: Catalog) -> Any:
    """Return what differs from the usual names."""
    funnel, usual = catalog.funnel, Funnel()
    named = {key: None if getattr(funnel, key) == getattr(usual, key) else getattr(funnel, key) for key in EVENTS}
    return slim(
        **named, stages=list(funnel.stages), referral=funnel.referral and funnel.referral.canonical,
        window=None if funnel.window == usual.window else format_span(funnel.window), events=list(funnel.events),
        value=funnel.value, margin=funnel.margin,
    )  # fmt: skip
