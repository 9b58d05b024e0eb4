"""The spec of an analysis: which customers were in which arm, and what is looked at.

    data: cookie_cats.csv.gz        # csv, csv.gz, parquet, a folder or pattern of them, FILE.duckdb:TABLE; relative to
                                    # the spec; or in its place `ledger: EXPERIMENT`
    unit: userid                    # column that identifies the customer, whose rows add up; default: a row is one
    arm: version
    control: gate_30
    split: {gate_30: 0.5, gate_40: 0.5}     # what was planned; default: equal arms
    inference: sequential           # looked at as often as one likes; or fixed: once, at the end
    alpha: 0.05
    planned: null                   # customers of all arms together that the test is planned for
    finished: true                  # false: the test goes on, and the sample ratio is looked at again and again
    smallest: 0                     # the relative effect below which nothing matters: what "no effect" is about
    correct: none                   # or holm, bh: p over all metrics x arms but guardrails
    segments: []                    # columns known before, whose values may differ in the effect
    metrics:
      - name: spend
        kind: mean                  # proportion, retention, mean, ratio, quantile, count
        column: spend               # a column, or a condition (proportion) or sum of columns in SQL
        numerator: null             # of a ratio, and
        denominator: null
        where: null                 # a condition on the rows that count
        covariate: null             # a column known before
        winsorize: null             # values above this quantile count as it
        quantile: 0.5               # of kind quantile
        good: up                    # or down
        guardrail: false
        smallest: null              # of this metric alone

What customers did may be in a table of its own; each customer then counts from the first row of `data` on:

    at: shown_at                    # when the customer was exposed
    outcomes: {data: orders.parquet, unit: customer, at: ordered_at}
    within: 7d                      # and for so long; a metric may have its own
    metrics:
      - {name: orders, kind: count, where: "kind = 'order'", after: 1d, before: 28d}

`after` is how long nothing counts at first, `before` makes a covariate of the same sum over that span before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import msgspec

from opportune.catalog.fields import Fields
from opportune.catalog.lab_types import Change, MetricKind
from opportune.catalog.node import Node
from opportune.catalog.spec_file import data_path, read_spec
from opportune.errors import Problem

KINDS = ("proportion", "retention", "mean", "ratio", "quantile", "count")

Inference = Literal["sequential", "fixed"]
Correction = Literal["none", "holm", "bh"]
Place = tuple[str | int, ...]



class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured of customers; the module's text says what each key means. `kind` retention is a proportion."""

    name: str
    kind: MetricKind = "proportion"
    column: str = ""
    numerator: str = ""
    denominator: str = ""
    where: str = ""
    covariate: str = ""
    winsorize: float | None = None
    quantile: float = 0.5
    good: Change = "up"
    guardrail: bool = False
    smallest: float | None = None
    within: int | None = None
    after: int = 0
    before: int | None = None


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """The table of what customers did, and its columns of the customer and the time."""

    data: str
    unit: str
    at: str


class AnalysisSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to analyze; the module's text says what each key means.

    `data` is the path of a table, or `ledger` names an experiment. `written` is where the keys were read from, None for
    a spec made in code.

    >>> bought = Measured(name="bought", column="bought")
    >>> AnalysisSpec(data="log.csv", arm="arm", control="old", metrics=(bought,)).alpha
    0.05
    """

    metrics: tuple[Measured, ...]
    data: str = ""
    ledger: str = ""
    arm: str = ""
    control: str = ""
    unit: str = ""
    at: str = ""
    outcomes: Outcomes | None = None
    split: dict[str, float] = msgspec.field(default_factory=dict)
    inference: Inference = "sequential"
    alpha: float = 0.05
    planned: int | None = None
    finished: bool = True
    smallest: float = 0.0
    correct: Correction = "none"
    segments: tuple[str, ...] = ()
    written: Node | None = None

    def problem(self, path: Place, what: str, cure: str = "", at: tuple[int, int] = (1, 1)) -> Problem:
        """Return a problem of the key at a path (at a line and column of its text), where it stands.

        A spec made in code has no place: the problem then names the key.
        """
        if self.written is None:
            return Problem(what, cure, *at, file=".".join(map(str, path)))
        spot = self.written.get(*path).inside(*at)
        return Problem(what, cure, spot.line, spot.column, spot.file)


def load_analysis(path: str | Path) -> AnalysisSpec:
    """Return the spec in a YAML file.

    Paths of data come back absolute or relative to the working directory. Raises `BadCatalog` with every mistake at
    once, `BadInput` if the file cannot be read.
    """
    return read_spec(path, "an analysis", "`data:`, the table", _read)


def _read(fields: Fields, root: Node, folder: Path) -> AnalysisSpec:
    ledger = fields.text("ledger")
    table = not ledger
    outcomes = _outcomes(fields, folder)
    spec = AnalysisSpec(
        ledger=ledger,
        data=data_path(fields, "data", folder) if table or "data" in fields.values else "",
        unit=fields.text("unit", required=table and outcomes is not None),
        arm=fields.text("arm", required=table),
        control=fields.text("control", required=table),
        at=fields.text("at", required=outcomes is not None),
        outcomes=outcomes,
        split=_split(fields),
        inference=cast(Inference, fields.choice("inference", ("sequential", "fixed"), "sequential")),
        alpha=fields.number("alpha", 0.05, 0.0001, 0.5),
        planned=fields.whole("planned", 0, low=1) or None,
        finished=fields.flag("finished", default=True),
        smallest=fields.number("smallest", 0.0, 0.0, 100.0),
        correct=cast(Correction, fields.choice("correct", ("none", "holm", "bh"), "none")),
        segments=fields.words("segments"),
        metrics=_metrics(fields, outcomes is not None, required=table),
        written=root,
    )
    if ledger:
        _of_the_ledger(fields)
    elif spec.at and outcomes is None:
        cure = "add `outcomes:`, or remove `at`"
        fields.report.error(fields.spot("at"), "`at` says since when outcomes count, and there are none", cure)
    if spec.split and spec.control and spec.control not in spec.split:
        fields.report.error(fields.spot("split"), f"control `{spec.control}` is not in `split`", "add its weight")
    fields.close()
    return spec


def _of_the_ledger(fields: Fields) -> None:
    """Refuse what the catalog says of an experiment of the ledger."""
    for key in fields.values:
        if key in fields.asked and key not in ("ledger", "correct"):
            what = f"`{key}` of an experiment of the ledger is as it was registered"
            fields.report.error(fields.node.keys[key], what, "remove it, or give `data:` in place of `ledger:`")


def _outcomes(fields: Fields, folder: Path) -> Outcomes | None:
    node = fields.find("outcomes")
    if node is None:
        return None
    inner = Fields(node, fields.report, "`outcomes`")
    found = Outcomes(
        data=data_path(inner, "data", folder),
        unit=inner.text("unit", fields.values["unit"].text if "unit" in fields.values else ""),
        at=inner.text("at", required=True),
    )
    inner.close()
    return found


def _split(fields: Fields) -> dict[str, float]:
    found = {}
    for arm, spot, node in fields.pairs("split"):
        weight = fields.number_of(node, f"split of `{arm}`", 0.0, 0.0, 1e9)
        if weight == 0 and isinstance(node.value, int | float):
            fields.report.error(spot, f"arm `{arm}` has no weight", "leave it out, or give it some")
        found[arm] = weight
    if len(found) == 1:
        fields.report.error(fields.spot("split"), "`split` has one arm", "name every arm with its weight")
    return found


def _metrics(fields: Fields, windowed: bool, required: bool) -> tuple[Measured, ...]:
    within = fields.span("within")
    if within is not None and not windowed:
        fields.report.error(fields.spot("within"), "`within` is a span of `outcomes`", "add `outcomes:`, or remove it")
    found: list[Measured] = []
    items = fields.items("metrics", required=required)
    if not items and "metrics" in fields.values:
        fields.report.error(fields.spot("metrics"), "`metrics` is empty", "add one: {name: bought, column: bought}")
    for item in items:
        metric = _metric(Fields(item, fields.report, "a metric"), windowed, within)
        if metric.name and metric.name in [m.name for m in found]:
            fields.report.error(item.get("name").spot, f"two metrics `{metric.name}`", "rename one")
        found.append(metric)
    return tuple(found)


def _metric(fields: Fields, windowed: bool, within: int | None) -> Measured:
    name = fields.text("name", required=True)
    fields.what = f"metric `{name}`" if name else fields.what
    kind = fields.choice("kind", KINDS, "proportion")
    ratio, counted = kind == "ratio", windowed and kind in ("count", "proportion", "retention")
    winsorize = fields.number("winsorize", 0.0, 0.5, 1.0)
    metric = Measured(
        name=name,
        kind=cast(MetricKind, "proportion" if kind == "retention" else kind),
        column=fields.text("column", required=not ratio and not counted),
        numerator=fields.text("numerator", required=ratio),
        denominator=fields.text("denominator", required=ratio),
        where=fields.text("where"),
        covariate=fields.text("covariate"),
        winsorize=winsorize if 0 < winsorize < 1 else None,
        quantile=fields.number("quantile", 0.5, 0.001, 0.999),
        good=cast(Change, fields.choice("good", ("up", "down"), "up")),
        guardrail=fields.flag("guardrail"),
        smallest=fields.number("smallest", 0.0, 0.0, 100.0) if fields.find("smallest") else None,
        within=fields.span("within", within),
        after=fields.span("after", 0) or 0,
        before=fields.span("before"),
    )
    _fits(fields, metric, ratio, windowed)
    fields.close()
    return metric


def _fits(fields: Fields, metric: Measured, ratio: bool, windowed: bool) -> None:
    """Refuse keys of a metric that mean nothing beside its others."""
    nothing: dict[str, str] = {}
    if ratio:
        nothing["column"] = "a ratio has `numerator` and `denominator`"
    else:
        nothing |= dict.fromkeys(("numerator", "denominator"), "only a ratio has one")
    if metric.kind != "quantile":
        nothing["quantile"] = "only kind quantile has one"
    else:
        nothing |= dict.fromkeys(("covariate", "before", "winsorize"), "a quantile has none")
    if metric.kind == "proportion":
        nothing["winsorize"] = "a proportion has no large values"
    if not windowed:
        nothing |= dict.fromkeys(("within", "after", "before"), "it is a span of `outcomes`, and there are none")
    if metric.covariate:
        nothing["before"] = "the metric has a `covariate` already"
    for key, why in nothing.items():
        if key in fields.values:
            fields.report.error(fields.node.keys[key], f"`{key}` of {fields.what}: {why}", "remove it")
    if metric.within is not None and metric.after >= metric.within:
        cure = "let `after` be less than `within`"
        fields.report.error(fields.spot("after"), f"nothing of {fields.what} counts", cure)
