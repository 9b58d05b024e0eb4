"""The sections on what we believe and how it is measured: `metrics`, `hypotheses` and `holdouts`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast, get_args

from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields, nearest
from opportune.catalog.lab_types import Holdout, Hypothesis, Metric, MetricKind
from opportune.catalog.node import Node
from opportune.catalog.situated import BUILT_INS
from opportune.catalog.types import Catalog
from opportune.clock import format_span
from opportune.rules import Expression, Kind
from opportune.rules.contradiction import contradiction

KINDS: tuple[MetricKind, ...] = get_args(MetricKind)
SUMMED = ("mean", "quantile", "ratio")
"""Kinds of metrics that add a property up."""


def read_metrics(draft: Draft, node: Node | None) -> tuple[Metric, ...]:
    return tuple(sorted((_metric(draft, item) for item in entries(node)), key=lambda m: m.name))


def _metric(draft: Draft, item: Node) -> Metric:
    fields, name = draft.named("metrics", "metric", item)
    kind = cast(MetricKind, fields.choice("kind", KINDS, "proportion"))
    event, outcome = fields.text("event"), fields.text("outcome")
    if bool(event) == bool(outcome):
        cure = "name the `event` that is counted, or the `outcome` of the actions in the experiment; one of both"
        draft.report.error(item.get("name").spot, f"{fields.what} counts nothing, or two things", cure)
    answers = {w for a in draft.parts["actions"] for w in (*a.outcomes.positive, *a.outcomes.negative)}
    if outcome and outcome not in answers:
        draft.report.error(fields.spot("outcome"), f"no action has the outcome `{outcome}`", nearest(outcome, answers))
    where = fields.find("where")
    condition = None if where is None else draft.conditions.read(where, anything=True)
    if where is not None and condition is not None and (reason := contradiction([condition])):
        draft.report.error(where.spot, f"this condition can never be true: {reason}", "change or remove it")
    of, per = fields.text("of"), fields.text("per")
    if event and kind in SUMMED and not of:
        draft.report.error(item.get("name").spot, f"{fields.what} has no `of`", "name the property that is added up")
    covariate = fields.text("covariate")
    numbers = [n for n, k in draft.conditions.names.items() if k is Kind.NUMBER and n not in _ASKED]
    if covariate and covariate not in numbers:
        what = f"`{covariate}` is no trait or feature that is a number"
        draft.report.error(fields.spot("covariate"), what, nearest(covariate, numbers))
    metric = Metric(
        name, kind, event, outcome, condition, of, per, fields.span("within"), covariate,
        fields.number("winsorize", 0.0, 0.5, 1.0) or None, fields.number("quantile", 0.5, 0.001, 0.999),
        cast(Any, fields.choice("good", ("up", "down"), "up")),
    )  # fmt: skip
    fields.close()
    return metric


def write_metrics(catalog: Catalog) -> Any:
    return [
        slim(
            name=m.name, kind=None if m.kind == "proportion" else m.kind, event=m.event, outcome=m.outcome,
            where=m.where and m.where.canonical, of=m.of, per=m.per, within=m.within and format_span(m.within),
            covariate=m.covariate, winsorize=m.winsorize, quantile=None if m.quantile == 0.5 else m.quantile,
            good=None if m.good == "up" else m.good,
        )
        for m in catalog.metrics
    ]  # fmt: skip


def read_hypotheses(draft: Draft, node: Node | None) -> tuple[Hypothesis, ...]:
    found = tuple(sorted((_hypothesis(draft, item) for item in entries(node)), key=lambda h: h.name))
    parents = {h.name: h.parent for h in found}
    for h in found:
        if h.parent and h.parent not in parents:
            what = f"hypothesis `{h.name}` comes from `{h.parent}`, which there is not"
            draft.report.error(draft.spot("hypotheses", h.name, "parent"), what, nearest(h.parent, parents))
        line, above = [h.name], h.parent
        while above and above not in line:
            line.append(above)
            above = parents.get(above, "")
        if above == h.name:
            told = " from ".join(f"`{name}`" for name in [*line, above])
            spot = draft.spot("hypotheses", h.name, "parent")
            draft.report.error(spot, f"hypothesis {told}: a circle", "take one `parent` away")
    return found


def _hypothesis(draft: Draft, item: Node) -> Hypothesis:
    fields, name = draft.named("hypotheses", "hypothesis", item)
    metric, guardrails = measured(draft, fields, required=True)
    guards_another(draft, fields, metric, guardrails)
    expected = fields.number("expected", 0.0, -1.0, 100.0, required=True)
    if expected == 0 and "expected" in fields.values:
        fields.wrong(fields.values["expected"], "expected", "another than 0: .1 is 10 % more, -.1 is 10 % less")
    mean, sd = _prior(draft, fields)
    hypothesis = Hypothesis(
        name, fields.text("claim", required=True), fields.text("because", required=True), metric, expected,
        fields.number("smallest", abs(expected) / 2, 0.0, 100.0), about_the_customer(draft, fields), guardrails,
        mean, sd, fields.text("parent"), fields.text("owner"), tuple(sorted(fields.words("tags"))),
    )  # fmt: skip
    fields.close()
    return hypothesis


def _prior(draft: Draft, hypothesis: Fields) -> tuple[float, float]:
    node = hypothesis.find("prior")
    if node is None:
        return 0.0, 0.2
    fields = Fields(node, draft.report, f"`prior` of {hypothesis.what}")
    prior = fields.number("mean", 0.0, -5.0, 5.0), fields.number("sd", 0.2, 0.001, 5.0)
    fields.close()
    return prior


def write_hypotheses(catalog: Catalog) -> Any:
    return [
        slim(
            name=h.name, claim=h.claim, because=h.because, metric=h.metric, guardrails=list(h.guardrails),
            audience=h.audience and h.audience.canonical, parent=h.parent, owner=h.owner, tags=list(h.tags),
            prior=slim(mean=h.prior_mean or None, sd=None if h.prior_sd == 0.2 else h.prior_sd),
        ) | {"expected": h.expected, "smallest": h.smallest}
        for h in catalog.hypotheses
    ]  # fmt: skip


def measured(draft: Draft, fields: Fields, required: bool = False) -> tuple[str, tuple[str, ...]]:
    """Return the names of a metric and of guardrails, checked against the metrics that there are."""
    metrics = [m.name for m in draft.parts["metrics"]]
    metric = fields.text("metric", required=required)
    named = [(fields.spot("metric"), metric)] if metric else []
    named += [(item.spot, item.text) for item in fields.items("guardrails")]
    for spot, name in named:
        if name not in metrics:
            draft.report.error(spot, f"unknown metric `{name}` in {fields.what}", nearest(name, metrics))
    return metric, fields.words("guardrails")


def guards_another(draft: Draft, fields: Fields, metric: str, guardrails: tuple[str, ...]) -> None:
    """Report a metric that is to be its own guardrail, where the metric or the guardrails are written."""
    if metric and metric in guardrails:
        named = [item.spot for item in fields.items("guardrails") if item.text == metric]
        what = f"`{metric}` of {fields.what} is its own guardrail"
        cure = "name another metric: harm to the metric itself stops an arm without it"
        draft.report.error(named[0] if named else fields.spot("metric"), what, cure)


def about_the_customer(draft: Draft, fields: Fields) -> Expression | None:
    """Return the condition of an audience: it reads what is known of a customer, not what a request says."""
    audience = fields.condition("audience", draft.conditions)
    if audience is None:
        return None
    asked = {n.name for n in draft.parts["context"]} | _ASKED
    spot = fields.spot("audience")
    for name in audience.names:
        if name in asked:
            what = f"the audience of {fields.what} reads `{name}`, which belongs to a request and not to a customer"
            draft.report.error(spot, what, "use traits and features: who is meant must not change from call to call")
    if reason := contradiction([audience]):
        draft.report.error(spot, f"this condition can never be true: {reason}", "change or remove it")
    return audience


def read_holdouts(draft: Draft, node: Node | None) -> tuple[Holdout, ...]:
    return tuple(sorted((_holdout(draft, item) for item in entries(node)), key=lambda h: h.name))


def _holdout(draft: Draft, item: Node) -> Holdout:
    fields, name = draft.named("holdouts", "holdout", item)
    on, known = fields.words("on"), {*scopes(draft.parts)}
    if not on:
        cure = "add `on: [all]`, or a narrower scope"
        draft.report.error(item.get("name").spot, f"{fields.what} is on nothing", cure)
    for inner in fields.items("on"):
        if inner.text not in known and draft.scopes_are_known:
            draft.report.error(inner.spot, f"unknown scope `{inner.text}` in {fields.what}", nearest(inner.text, known))
    share, rotate = fields.number("share", 0.0, 0.0001, 0.9, required=True), fields.span("rotate")
    washout = fields.span("washout", 0) or 0
    if rotate is not None and share > 0.5:
        what = f"{fields.what} rotates and has more than half of the customers: somebody would be in it twice in a row"
        draft.report.error(fields.spot("share"), what, "take .5 or less, or remove `rotate`")
    if washout and rotate is None:
        what = f"nobody leaves {fields.what}, so `washout` means nothing"
        draft.report.error(fields.spot("washout"), what, "add `rotate:`, or remove `washout`")
    fields.close()
    return Holdout(name, on, share, rotate, washout)


def write_holdouts(catalog: Catalog) -> Any:
    return [
        slim(name=h.name, on=list(h.on), share=h.share, rotate=h.rotate and format_span(h.rotate),
             washout=format_span(h.washout) if h.washout else None)
        for h in catalog.holdouts
    ]  # fmt: skip


def scopes(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a holdout may be on."""
    yield "all"
    for action in parts["actions"]:
        yield from (action.issue, f"{action.issue}/{action.group}", f"action/{action.name}")
    yield from (f"channel/{channel.name}" for channel in parts["channels"])
    yield from (f"hypothesis/{hypothesis.name}" for hypothesis in parts["hypotheses"])


_ASKED = {name.name for name in BUILT_INS}
"""Names that belong to a request."""
