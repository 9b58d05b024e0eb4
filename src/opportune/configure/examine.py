"""What is wrong with the products of a catalog that only the solver finds: a product, or a value, nobody can choose."""

from __future__ import annotations

from opportune.catalog.node import Node
from opportune.catalog.places import Locate, in_data
from opportune.catalog.product_types import Product, ProductOption, written
from opportune.catalog.types import Catalog
from opportune.configure.circuit import TooLarge
from opportune.configure.form import form
from opportune.configure.machine import Machine
from opportune.configure.model import Model
from opportune.configure.solver import searching
from opportune.errors import Problem
from opportune.wire.configured import Configured, OptionInfo

SECONDS = 10.0
"""How long one product is looked at."""


def check(catalog: Catalog, locate: Locate | None = None, seconds: float = SECONDS) -> list[Problem]:
    """Return errors of products that no choice satisfies or that are too large, warnings of values that none has.

    `locate` finds the node of a value in its file (`places.in_files`); without it, the path of the field stands for the
    file.
    """
    locate = locate or in_data(catalog)
    return [problem for product in catalog.products for problem in _looked_at(product, locate, seconds)]


def _looked_at(product: Product, locate: Locate, seconds: float) -> list[Problem]:
    where = locate("products", product.name, "name")
    try:
        model = Model(product)
    except TooLarge as error:
        return [_problem(where, f"product `{product.name}` is too large: {error}", "say less in one condition")]
    with searching(Machine(model), {}, (), seconds) as search:
        answer = form(search, "EUR", 1)
    if answer.possible is False:
        because = answer.conflicts[0].because if answer.conflicts else "its rules contradict each other"
        rules = ", ".join(f"`{name}`" for name in answer.conflicts[0].rules) if answer.conflicts else ""
        what = f"no choice of product `{product.name}` is possible: {because}"
        return [_problem(where, what, f"change one of {rules}" if rules else "change a rule")]
    if not _decided(answer):
        what = f"product `{product.name}` could not be looked at as a whole within {seconds:g} s"
        return [_problem(where, what, "make its rules simpler, or try it: opportune configure", warning=True)]
    return [
        found
        for option, told in zip(product.options, answer.options)
        for found in _never(product, option, told, locate)
    ]


def _decided(answer: Configured) -> bool:
    if answer.possible is None:
        return False
    return all(
        option.lowest is not None if option.type in ("number", "measure") else
        all(value.possible is not None for value in option.values)
        for option in answer.options
    )  # fmt: skip


def _never(product: Product, option: ProductOption, told: OptionInfo, locate: Locate) -> list[Problem]:
    at = locate("products", product.name, "options", option.name)
    if option.type in ("number", "measure"):
        if (told.lowest, told.highest) == (option.low, option.high):
            return []
        low, high = (written(end) for end in (told.lowest or 0.0, told.highest or 0.0))
        what = f"option `{option.name}` can only be from {low} to {high}: {told.because}"
        return [_problem(at.get("name"), what, "set `min` and `max` so, or change a rule", True)]
    found = []
    for place, value in enumerate(told.values):
        if value.possible is False:
            node = at.get("values", place) if option.type == "choice" else at
            node = node.get("name") if isinstance(node.value, dict) else node
            what = f"`{value.title}` of option `{option.name}` can never be chosen: {value.because}"
            found.append(_problem(node, what, "remove it, or change a rule", True))
    return found


def _problem(node: Node, what: str, cure: str, warning: bool = False) -> Problem:
    return Problem(what, cure, node.spot.line, node.spot.column, node.spot.file, warning)
