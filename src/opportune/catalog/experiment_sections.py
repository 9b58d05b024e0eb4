"""The section `experiments`: who takes part, in which arms, and what each arm changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, cast

from opportune.catalog.content import with_files
from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields
from opportune.catalog.lab_sections import about_the_customer, guards_another, measured
from opportune.catalog.lab_types import Arm, Experiment
from opportune.catalog.node import Node
from opportune.catalog.types import Catalog
from opportune.clock import format_instant, format_span

ROUNDING = 1e-9

Leaf = tuple[str, ...]
"""Where a changed value stands: section, name, keys."""


def read_experiments(draft: Draft, node: Node | None) -> tuple[Experiment, ...]:
    found = tuple(sorted((_experiment(draft, item) for item in entries(node)), key=lambda e: e.name))
    _layers_have_room(draft, found)
    return found


def _experiment(draft: Draft, item: Node) -> Experiment:
    fields, name = draft.named("experiments", "experiment", item)
    hypotheses = {h.name: h for h in draft.parts["hypotheses"]}
    hypothesis = fields.choice("hypothesis", list(hypotheses))
    metric, guardrails = measured(draft, fields)
    if hypothesis in hypotheses:
        metric = metric or hypotheses[hypothesis].metric
        guardrails = guardrails if "guardrails" in fields.values else hypotheses[hypothesis].guardrails
    elif not metric:
        cure = "add `metric:`, or the `hypothesis:` that it tests"
        draft.report.error(item.get("name").spot, f"{fields.what} has no metric", cure)
    if {"metric", "guardrails"} & {*fields.values}:
        guards_another(draft, fields, metric, guardrails)
    layer = fields.text("layer")
    if layer:
        draft.spell(layer, fields.spot("layer"), "layer")
    experiment = Experiment(
        name, tuple(_arms(draft, fields)), hypothesis, layer, fields.number("share", 1.0, 0.0001, 1.0),
        about_the_customer(draft, fields), metric, guardrails,
        cast(Any, fields.choice("inference", ("sequential", "fixed"), "sequential")),
        fields.number("alpha", 0.05, 0.0001, 0.5), fields.number("power", 0.8, 0.1, 0.999),
        fields.whole("planned", 0, low=1) or None, fields.number("harm", 0.1, 0.001, 1.0),
        fields.instant("from", draft.zone), fields.instant("until", draft.zone), fields.span("expires"),
        fields.text("owner"), fields.text("campaign"),
    )  # fmt: skip
    if experiment.starts is not None and experiment.ends is not None and experiment.starts >= experiment.ends:
        draft.report.error(fields.spot("until"), f"{fields.what} ends before it starts", "let `from` be before `until`")
    fields.close()
    return experiment


def _arms(draft: Draft, experiment: Fields) -> Iterator[Arm]:
    names: list[str] = []
    items = experiment.items("arms", required=True)
    for item in items:
        fields = Fields(item, draft.report, f"an arm of {experiment.what}")
        name = fields.text("name", required=True)
        if name:
            draft.spell(name, fields.spot("name"), "arm")
        if name in names:
            draft.report.error(fields.spot("name"), f"duplicate arm `{name}` of {experiment.what}", "rename one")
        names.append(name)
        changes = fields.find("changes")
        if changes is not None and not isinstance(changes.value, dict):
            fields.wrong(changes, "changes", "a piece of a catalog: `key: value` pairs")
            changes = None
        if changes is not None:
            _read_files(draft, changes)
        weight = fields.number("weight", 1.0, 0.001, 1e6)
        yield Arm(name, weight, {} if changes is None else changes.plain())
        fields.close()
    if len(items) == 1:
        draft.report.error(items[0].spot, f"{experiment.what} has one arm", "add another one to compare it with")


def _read_files(draft: Draft, changes: Node) -> None:
    """Read the texts that changed contents have in files of their own."""
    for action in _items(changes.get("actions")):
        for treatment in _items(action.get("treatments")) if "treatments" in _keys(action) else ():
            said = [treatment.get("content")] if "content" in _keys(treatment) else []
            if "languages" in _keys(treatment) and isinstance(treatment.get("languages").value, dict):
                said += treatment.get("languages").value.values()  # type: ignore[union-attr]
            for content in said:
                if isinstance(content.value, dict):
                    with_files(draft, content)


def _items(node: Node) -> list[Node]:
    return node.value if isinstance(node.value, list) else []


def _keys(node: Node) -> set[str]:
    return {*node.value} if isinstance(node.value, dict) else set()


def write_experiments(catalog: Catalog) -> Any:
    hypotheses = {h.name: h for h in catalog.hypotheses}
    return [_written(e, hypotheses.get(e.hypothesis)) for e in catalog.experiments]


def _written(e: Experiment, hypothesis: Any) -> dict[str, Any]:
    arms = [
        slim(name=a.name, weight=None if a.weight == 1.0 else a.weight, changes=dict(a.changes)) for a in e.arms
    ]
    own = hypothesis is None or e.guardrails != hypothesis.guardrails
    return slim(
        name=e.name, arms=arms, hypothesis=e.hypothesis, layer=e.layer, share=None if e.share == 1.0 else e.share,
        audience=e.audience and e.audience.canonical,
        metric=None if hypothesis and e.metric == hypothesis.metric else e.metric,
        inference=None if e.inference == "sequential" else e.inference, alpha=None if e.alpha == 0.05 else e.alpha,
        power=None if e.power == 0.8 else e.power, planned=e.planned, harm=None if e.harm == 0.1 else e.harm,
        from_=None if e.starts is None else format_instant(e.starts),
        until=None if e.ends is None else format_instant(e.ends),
        expires=e.expires and format_span(e.expires), owner=e.owner, campaign=e.campaign,
    ) | ({"guardrails": list(e.guardrails)} if own and (e.guardrails or hypothesis) else {})  # fmt: skip


def _layers_have_room(draft: Draft, experiments: tuple[Experiment, ...]) -> None:
    """The experiments of a layer share no customer, so their shares are 1 at most together."""
    shares: dict[str, float] = {}
    for e in experiments:
        shares[e.lane] = shares.get(e.lane, 0.0) + e.share
        if shares[e.lane] > 1 + ROUNDING:
            what = f"the experiments of layer `{e.lane}` take {shares[e.lane]:.3g} of the customers together"
            spot = draft.spot("experiments", e.name, "share")
            draft.report.error(spot, what, "lower a `share`, or put experiments that may meet in layers of their own")
            return


def arms_do_not_meet(draft: Draft) -> None:
    """No two arms that one customer may be in change the same value: which of them would count?"""
    experiments: tuple[Experiment, ...] = draft.parts["experiments"]
    changed = {e.name: {leaf for arm in e.arms for leaf in leaves(arm.changes)} for e in experiments}
    for one, other in combinations(experiments, 2):
        if one.lane == other.lane or not _may_meet(one, other):
            continue
        both = next((a for a in sorted(changed[one.name]) for b in changed[other.name] if _touch(a, b)), None)
        if both is not None:
            what = f"experiments `{one.name}` and `{other.name}` both change `{'.'.join(both)}`, for the same customers"
            cure = f"put them in one layer: `layer: {one.lane}` in both, with shares of 1 at most together"
            draft.report.error(draft.spot("experiments", other.name, "name"), what, cure)


def _may_meet(one: Experiment, other: Experiment) -> bool:
    """Return whether their dates overlap; audiences keep nobody apart, since whoever was exposed to one stays in it."""
    for first, second in ((one, other), (other, one)):
        if first.ends is not None and second.starts is not None and first.ends <= second.starts:
            return False
    return True


def _touch(a: Leaf, b: Leaf) -> bool:
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]


def leaves(changes: Any, path: Leaf = ()) -> Iterator[Leaf]:
    """Yield the path of each value that a piece of a catalog changes; named things are found by their name.

    >>> [*leaves({"actions": [{"name": "stay", "lever": 5, "treatments": [{"name": "hero", "content": {"a": 1}}]}]})]
    [('actions', 'stay', 'lever'), ('actions', 'stay', 'treatments', 'hero', 'content', 'a')]
    """
    if isinstance(changes, dict) and changes:
        for key, value in changes.items():
            yield from leaves(value, (*path, key))
    elif isinstance(changes, list) and changes and all(isinstance(x, dict) and "name" in x for x in changes):
        for item in changes:
            yield from leaves({key: value for key, value in item.items() if key != "name"}, (*path, str(item["name"])))
    elif path:
        yield path
