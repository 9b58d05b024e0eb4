"""The spec of `opportune budget`: where money may go, and what comes of it.

    total: 100000
    data: spend.csv                 # to fit curves to, where lines have none: rows of a line, a spend, and what came
    line: channel                   # its columns
    spend: cost
    result: conversions
    worth: 35                       # of one result, in the unit of the budget; default: not known
    lines:                          # default: those of the data, without bounds
      search: {min: 5000, max: 60000, spent: 20000}             # what it gets at least and at most, and gets now
      social: {curve: hill, scale: 4000, half: 30000, shape: 2} # a curve that is known (measure.response_curves)
      mail: {curve: power, scale: 90, shape: 0.4}
      print: {curve: logistic, scale: 900, half: 25000, shape: 4}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec

from opportune.catalog.fields import Fields, Report
from opportune.catalog.node import Node
from opportune.catalog.spec_file import data_path
from opportune.errors import BadInput
from opportune.lab.foresight_spec import Spec, loaded
from opportune.measure.response_curves import KINDS, Curve, Kind


class Named(msgspec.Struct, frozen=True):
    """A line: what it gets at least, at most and now (None where it is not said), and its curve where that is known."""

    least: float = 0.0
    most: float = float("inf")
    spent: float | None = None
    curve: Curve | None = None


class BudgetSpec(Spec, frozen=True, kw_only=True):
    """What to share out; the module's text says what each key means."""

    total: float
    line: str = ""
    spend: str = ""
    result: str = ""
    worth: float | None = None
    lines: Mapping[str, Named] = {}


def load_budget(path: str | Path) -> BudgetSpec:
    """Return the spec in a YAML file.

    Raises `BadCatalog` with every mistake at once, `BadInput` if the file cannot be read.
    """
    return loaded(path, "the budget", _read)


def _read(fields: Fields, root: Node, folder: Path) -> BudgetSpec:
    lines = {name: _line(name, node, fields.report) for name, _, node in fields.pairs("lines")}
    known = bool(lines) and all(line.curve for line in lines.values())
    table = "data" in fields.values or not known
    spec = BudgetSpec(
        total=fields.number("total", 1.0, 0.0, required=True),
        data=data_path(fields, "data", folder) if table else "",
        line=fields.text("line", required=table),
        spend=fields.text("spend", required=table),
        result=fields.text("result", required=table),
        worth=fields.number("worth", 1.0, 0.0) if fields.find("worth") else None,
        lines=lines,
        written=root,
    )
    if spec.total == 0:
        fields.report.error(fields.spot("total"), "`total` is 0", "give the money there is")
    if sum(line.least for line in lines.values()) > spec.total:
        what = f"the `min` of all lines is more than the total of {spec.total:g}"
        fields.report.error(fields.spot("lines"), what, "raise `total`, or lower them")
    return spec


def _line(name: str, node: Node, report: Report) -> Named:
    if node.value is None:
        return Named()
    fields = Fields(node, report, f"line `{name}`")
    least, most = fields.number("min", 0.0, 0.0), fields.number("max", float("inf"), 0.0)
    if least > most:
        report.error(fields.spot("min"), f"`min` of line `{name}` is above its `max`", "let it be less")
    spent = fields.number("spent", 0.0, 0.0) if fields.find("spent") else None
    kind = fields.choice("curve", KINDS)
    scale, shape = (fields.number(key, 1.0, required=bool(kind)) for key in ("scale", "shape"))
    half = fields.number("half", 1.0, required=kind in ("hill", "logistic"))
    curve = None
    if kind:
        try:
            curve = Curve(cast(Kind, kind), scale, half, shape)
        except BadInput as bad:
            what, _, cure = str(bad).partition("; ")
            report.error(fields.spot("curve"), what, cure)
    else:
        for key in ("scale", "half", "shape"):
            if key in fields.values:
                what = f"`{key}` is of a curve, and line `{name}` has none"
                report.error(fields.node.keys[key], what, "add `curve:`")
    fields.close()
    return Named(least, max(least, most), spent, curve)
