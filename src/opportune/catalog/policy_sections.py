"""The sections on where, how often and how well we speak, and what we keep: from placements to `retain`."""

from __future__ import annotations

import re
from typing import Any, cast

from opportune.catalog.consent_sections import week_days
from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields, nearest
from opportune.catalog.node import Node
from opportune.catalog.profile_sections import LEVER_BOUNDS
from opportune.catalog.schemas import read_schema
from opportune.catalog.types import (
    Cap,
    Catalog,
    ContactRule,
    ContextWeight,
    ModelSettings,
    Pause,
    Placement,
    Quiet,
    Retain,
)
from opportune.clock import format_span
from opportune.rules import Expression

EXPLORERS = ("thompson", "greedy", "epsilon", "squarecb")
FACTORS = "PCVL"

_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")


def read_placements(draft: Draft, node: Node | None) -> tuple[Placement, ...]:
    placements = []
    channels = [c.name for c in draft.parts["channels"]]
    for item in entries(node):
        fields, name = draft.named("placements", "placement", item)
        channel = fields.choice("channel", channels, required=True)
        price = fields.amount("price", 0.0, draft.conditions)
        placements.append(Placement(name, channel, price, read_schema(fields, "schema")))
        fields.close()
    return tuple(sorted(placements, key=lambda p: p.name))


def write_placements(catalog: Catalog) -> Any:
    return [
        slim(name=p.name, channel=p.channel, price=None if p.price == 0.0 else amount(p.price), schema=p.schema)
        for p in catalog.placements
    ]


def amount(value: float | Expression) -> float | str:
    """Return a number or an expression as plain data."""
    return value.canonical if isinstance(value, Expression) else value


def read_contact(draft: Draft, node: Node | None) -> tuple[ContactRule, ...]:
    rules = [rule for item in entries(node) if (rule := _rule(draft, item)) is not None]
    return tuple(sorted(rules, key=lambda r: r.name))


def _rule(draft: Draft, item: Node) -> ContactRule | None:
    fields, name = draft.named("contact", "contact rule", item)
    on = fields.text("on", required=True)
    shapes = [key for key in ("at_most", "after", "quiet") if key in fields.values]
    if len(shapes) != 1:
        cure = "a cap has `at_most` and `in`, a pause `after` and `pause`, quiet hours `quiet`; one rule each"
        draft.report.error(item.spot, f"{fields.what} must be a cap, a pause or quiet hours", cure)
        return None
    rule: ContactRule | None
    if shapes == ["at_most"]:
        rule = Cap(name, on, fields.whole("at_most", 1, low=1), fields.span("in", required=True) or 0)
    elif shapes == ["after"]:
        times, pause = fields.whole("times", 1, low=1), fields.span("pause", required=True) or 0
        span = fields.span("in", pause, required=times > 1) or 0
        rule = Pause(name, on, fields.text("after", required=True), times, span, pause)
    else:
        rule = _quiet(fields, name, on)
    fields.close()
    return rule


def _quiet(fields: Fields, name: str, on: str) -> Quiet | None:
    node = fields.find("quiet", required=True)
    if node is None:
        return None
    found = _QUIET.fullmatch(node.text.strip())
    if not found:
        fields.wrong(node, "quiet", 'two times of day, such as "21:00-08:00"')
        return None
    start = int(found[1]) * 60 + int(found[2])
    end = int(found[3] or found[5]) * 60 + int(found[4] or found[6])
    days, holidays = week_days(fields), fields.flag("holidays")
    if start == end or ((start, end) == (0, 24 * 60) and not days):
        cure = "name two different times; a whole day needs `days`"
        fields.report.error(node.spot, f"`quiet` of {fields.what} is all day or no time", cure)
        return None
    return Quiet(name, on, start, end, days, holidays)


def write_contact(catalog: Catalog) -> Any:
    return [_written(rule) for rule in catalog.contact if isinstance(rule, Quiet) or not rule.made]


def _written(rule: ContactRule) -> dict[str, Any]:
    match rule:
        case Cap():
            return {"name": rule.name, "on": rule.on, "at_most": rule.at_most, "in": format_span(rule.span)}
        case Pause():
            spans = {"in": format_span(rule.span), "pause": format_span(rule.pause)}
            return {"name": rule.name, "on": rule.on, "after": rule.after, "times": rule.times, **spans}
        case Quiet():
            hours = "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (rule.start, rule.end))
            more = slim(days=list(rule.days), holidays=rule.holidays or None)
            return {"name": rule.name, "on": rule.on, "quiet": hours, **more}


def read_levers(draft: Draft, node: Node | None) -> dict[str, float]:
    if node is None:
        return {}
    draft.nodes["levers"] = {"": node}
    fields = Fields(Node({"levers": node}, node.spot), draft.report, "the catalog")
    return {
        scope: fields.number_of(value, f"levers.{scope}", 0.0, *LEVER_BOUNDS)
        for scope, _, value in sorted(fields.pairs("levers"))
    }


def write_levers(catalog: Catalog) -> Any:
    return dict(catalog.levers)


def read_context_weights(draft: Draft, node: Node | None) -> tuple[ContextWeight, ...]:
    weights = []
    for item in entries(node):
        fields = Fields(item, draft.report, "this context weight")
        on = fields.text("on", required=True)
        when = fields.condition("when", draft.conditions, required=True)
        percent = fields.number("percent", 0.0, *LEVER_BOUNDS, required=True)
        fields.close()
        if when is not None:
            weights.append(ContextWeight(on, when, percent))
            draft.nodes.setdefault("context_weights", {}).setdefault(on, item)
    return tuple(sorted(weights, key=lambda w: (w.on, w.when.canonical, w.percent)))


def write_context_weights(catalog: Catalog) -> Any:
    return [{"on": w.on, "when": w.when.canonical, "percent": w.percent} for w in catalog.context_weights]


def read_model(draft: Draft, node: Node | None) -> ModelSettings:
    default = ModelSettings()
    if node is None:
        return default
    draft.nodes["model"] = {"": node}
    fields = Fields(node, draft.report, "`model`")
    model = ModelSettings(
        predictor=fields.choice("predictor", tuple(draft.predictors), default.predictor),
        predictors=_predictors(draft, fields),
        explore=fields.choice("explore", EXPLORERS, default.explore),
        epsilon=fields.number("epsilon", default.epsilon, 0.0, 1.0),
        width=fields.number("width", default.width, 0.0, 2.0),
        arbitrate=cast(Any, fields.choice("arbitrate", ("propensity", "incremental"), default.arbitrate)),
        factors=_factors(fields),
        holdout_share=fields.number("holdout_share", default.holdout_share, 0.0, 1.0),
        ramp=fields.whole("ramp", default.ramp),
        hold=fields.span("hold", default.hold) or default.hold,
        **_standing_arms(draft, fields, default),
    )
    if model.random_share + model.holdout_share > 1:
        draft.report.error(node.spot, "`random_share` and `holdout_share` are more than 1 together", "lower one")
    fields.close()
    return model


def _standing_arms(draft: Draft, model: Fields, default: ModelSettings) -> dict[str, Any]:
    """Return the shares of the standing arms; that of the random arm may also stand as `random_share`."""
    share, node = model.number("random_share", default.random_share, 0.0, 1.0), model.find("arms")
    if node is None:
        return {"random_share": share}
    fields = Fields(node, draft.report, "`arms` of `model`")
    if "random" in fields.values and "random_share" in model.values:
        cure = "keep one of them"
        draft.report.error(fields.spot("random"), "both `random_share` and `random` of `arms`", cure)
    share = fields.number("random", share, 0.0, 1.0)
    arms = {name: fields.number(name, usual, 0.0, 0.5) for name, usual in default.arms.items()}
    if sum(arms.values()) > 0.5:
        what = "the standing arms that switch a part off are more than half of the customers together"
        draft.report.error(node.spot, what, "lower one; a few in a thousand are enough")
    fields.close()
    return {"random_share": share, "arms": arms}


def _predictors(draft: Draft, fields: Fields) -> tuple[str, ...] | None:
    node = fields.find("predictors")
    if node is None or node.value == "all":
        return None
    names = draft.conditions.names
    for item in fields.items("predictors"):
        if item.text not in names:
            draft.report.error(item.spot, f"unknown predictor `{item.text}`", nearest(item.text, names))
    return tuple(sorted(fields.words("predictors")))


def _factors(fields: Fields) -> frozenset[str]:
    words = fields.words("factors", tuple(FACTORS))
    for item in fields.items("factors"):
        if item.text not in FACTORS:
            fields.report.error(item.spot, f"unknown factor `{item.text}`", "use any of P, C, V and L")
    return frozenset(words)


def write_model(catalog: Catalog) -> Any:
    model, default = catalog.model, ModelSettings()
    data = {
        name: getattr(model, name)
        for name in ModelSettings.__dataclass_fields__
        if getattr(model, name) != getattr(default, name)
    }
    if model.predictors is not None:
        data["predictors"] = list(model.predictors)
    if "arms" in data:
        data["arms"] = {name: share for name, share in model.arms.items() if share != default.arms[name]}
    if "factors" in data:
        data["factors"] = [f for f in FACTORS if f in model.factors]
    if "hold" in data:
        data["hold"] = format_span(model.hold)
    return data


def read_retain(draft: Draft, node: Node | None) -> Retain:
    if node is None:
        return Retain()
    draft.nodes["retain"] = {"": node}
    fields = Fields(node, draft.report, "`retain`")
    retain = Retain(fields.span("events"), fields.span("ledger"))
    fields.close()
    return retain


def write_retain(catalog: Catalog) -> Any:
    spans = {"events": catalog.retain.events, "ledger": catalog.retain.ledger}
    return {key: format_span(span) for key, span in spans.items() if span is not None}
