"""What a condition on the options of a product may say: what a solver can turn into clauses, about values there are."""

from __future__ import annotations

from collections.abc import Mapping

from opportune.catalog.fields import Report, nearest
from opportune.catalog.node import Node
from opportune.catalog.product_types import ProductOption, written
from opportune.rules import Expression, Kind
from opportune.rules.tree import Call, Column, Compare, In, Literal, Tree, canonical, columns, walk

STEPPED = ("floor", "ceil", "round", "%")
"""Functions that jump: each is about one option at most, so that it is a table of that option's values."""

NEVER = {"sqrt": "compare with the square", "nullif": "use CASE"}
"""Functions that have no exact value, or none at all."""


def check_condition(report: Report, node: Node, found: Expression, options: Mapping[str, ProductOption]) -> bool:
    """Report what a condition asks that cannot be answered for a product; return whether it is fine."""
    before = len(report.problems)
    for part in walk(found.tree):
        match part:
            case Literal(None):
                report.error(node.spot, "a finished choice has no NULL", "use a value of the option")
            case Literal(_, Kind.TIME):
                report.error(node.spot, "a product knows no time", "use `from` and `until` of values")
            case Call(name) if name in NEVER:
                report.error(node.spot, f"`{name}` cannot be used in a product", NEVER[name])
            case Call("/", (_, by)) if columns(by):
                what = f"`{canonical(part)}` divides by what is chosen"
                report.error(node.spot, what, "multiply the other side instead")
            case Call("/" | "%", (_, Literal(0.0))):
                report.error(node.spot, f"`{canonical(part)}` divides by 0", "divide by another number")
            case Call(name) if name in STEPPED and len(columns(part)) > 1:
                what = f"`{name}` of several options, `{canonical(part)}`, cannot be used in a product"
                report.error(node.spot, what, "use it on one option")
            case Call("%", (_, by)) if columns(by):
                report.error(node.spot, f"`{canonical(part)}` divides by what is chosen", "divide by a number")
            case Compare("=" | "<>", left, right):
                _values_exist(report, node, left, [right], options)
                _values_exist(report, node, right, [left], options)
            case In(of, items):
                _values_exist(report, node, of, items, options)
    return len(report.problems) == before


def _values_exist(
    report: Report, node: Node, of: Tree, among: list[Tree] | tuple[Tree, ...], options: Mapping[str, ProductOption]
) -> None:
    """A choice can only be compared with values that it has: others are mistyped."""
    option = options.get(of.name) if isinstance(of, Column) else None
    if option is None or option.type != "choice":
        return
    known = {value.name for value in option.values}
    for item in among:
        if isinstance(item, Literal) and item.value is not None and item.value not in known:
            word = written(item.value)
            at = node.text.find(f"'{word}'")
            line, column = node.text.count("\n", 0, at) + 1, at - node.text.rfind("\n", 0, at)
            spot = node.spot if at < 0 else node.inside(line, column)
            shown = nearest(word, map(written, known))
            report.error(spot, f"option `{option.name}` has no value `{word}`", shown)
