"""A partial choice as it comes from outside, read against the product: which option has which value."""

from __future__ import annotations

from collections.abc import Mapping

from opportune.catalog.fields import nearest
from opportune.catalog.product_types import Chosen, ProductOption, position_of, written
from opportune.configure.model import Choice, Model
from opportune.errors import BadRequest


def read_choice(model: Model, choices: Mapping[str, Chosen | None]) -> Choice:
    """Return the positions of chosen values by option; what is None is not chosen. Raises `BadRequest`."""
    found: dict[str, int] = {}
    for name, value in choices.items():
        option = option_of(model, name)
        if value is None:
            continue
        position = position_of(option, value)
        if position is None:
            raise BadRequest(f"{_said(value)} is no value of option {name!r}; {values_of(option)}", f"choices.{name}")
        found[name] = position
    return found


def option_of(model: Model, name: str, field: str = "choices") -> ProductOption:
    """Return an option of a product. Raises `BadRequest`, naming the field of the request."""
    option = model.options.get(name)
    if option is None:
        cure = nearest(name, model.options)
        raise BadRequest(f"product {model.product.name!r} has no option {name[:60]!r}; {cure}", f"{field}.{name[:60]}")
    return option


def values_of(option: ProductOption) -> str:
    """Return in words what an option can be set to."""
    if option.type == "choice":
        return nearest("", (written(value.name) for value in option.values))
    if option.type == "yes_no":
        return "say true or false"
    steps = "" if option.step == 1.0 and option.low.is_integer() else f" in steps of {written(option.step)}"
    return f"give a number from {written(option.low)} to {written(option.high)}{steps}"


def _said(value: Chosen) -> str:
    return repr(value)[:60]
