"""What a catalog says about configurable products, as frozen values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from opportune.rules import Expression, Kind

OptionType = Literal["choice", "number", "yes_no", "measure"]

Chosen = str | float | bool
"""What an option can be set to: a value of a choice, a number, or yes or no."""


@dataclass(frozen=True, slots=True)
class ProductValue:
    """One value of a choice: a text, or a number where all values of the choice are.

    It can be chosen where `when` holds, from `starts` until `ends`, and while the item `item` of the shelf is in stock.
    """

    name: str | float
    title: str = ""
    price: float = 0.0
    when: Expression | None = None
    because: str = ""
    item: str = ""
    starts: int | None = None
    ends: int | None = None


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """What each unit costs, up to `to` of them (None: without end); those before are priced by the steps before."""

    price: float
    to: float | None = None


@dataclass(frozen=True, slots=True)
class ProductOption:
    """One thing about a product that a customer decides, or (`measure`) that is so: a number of their own.

    A choice has `values`. A number or a measure is one of `low`, `low + step`, up to `high`; `units` is what its units
    cost. A `yes_no` costs `price` with yes. What is `personal` is never shown to others and never guessed from others;
    `fill` is what the profile of the customer says it is, `default` what it is where nothing is known.
    """

    name: str
    type: OptionType
    title: str = ""
    values: tuple[ProductValue, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float = 1.0
    unit: str = ""
    price: float = 0.0
    units: tuple[UnitPrice, ...] = ()
    default: Chosen | None = None
    personal: bool = False
    fill: Expression | None = None

    @property
    def kind(self) -> Kind:
        """The type that conditions know it by."""
        if self.type == "choice":
            return Kind.TEXT if any(isinstance(value.name, str) for value in self.values) else Kind.NUMBER
        return Kind.BOOL if self.type == "yes_no" else Kind.NUMBER


@dataclass(frozen=True, slots=True)
class ProductRule:
    """What must hold of a finished choice, where `when` does (None: always); `because` is the reason in words."""

    name: str
    then: Expression
    when: Expression | None = None
    because: str = ""


@dataclass(frozen=True, slots=True)
class PricePart:
    """What is added to the price where `when` holds: an amount, or `percent` of what comes before. Below 0: off."""

    name: str
    title: str = ""
    when: Expression | None = None
    amount: float | Expression = 0.0
    percent: float = 0.0


@dataclass(frozen=True, slots=True)
class Product:
    """A product that customers put together.

    The price is `base`, then the options in order, then `prices` in order, in the catalog's currency, never below 0.
    Whoever designed what another customer orders gets `designer_points`.
    """

    name: str
    options: tuple[ProductOption, ...]
    title: str = ""
    base: float = 0.0
    rules: tuple[ProductRule, ...] = ()
    prices: tuple[PricePart, ...] = ()
    starts: int | None = None
    ends: int | None = None
    designer_points: int = 0


def exactly(number: float) -> Fraction:
    """Return a number as it was written: .1 is a tenth, and not the nearest double.

    >>> exactly(0.1) * 3 == exactly(0.3)
    True
    """
    return Fraction(repr(float(number)))


def steps_of(option: ProductOption) -> int:
    """Return how many values an option can be set to."""
    if option.type == "choice":
        return len(option.values)
    if option.type == "yes_no":
        return 2
    return int((exactly(option.high) - exactly(option.low)) / exactly(option.step)) + 1


def position_of(option: ProductOption, value: object) -> int | None:
    """Return which value of an option this is, from 0; None for one that it does not have.

    >>> position_of(ProductOption("data", "number", low=5, high=20, step=5), 15.0)
    2
    """
    if option.type == "yes_no":
        return int(value) if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if option.type == "choice":
        return next((place for place, one in enumerate(option.values) if one.name == value), None)
    if isinstance(value, str) or not math.isfinite(value):
        return None
    place = (exactly(value) - exactly(option.low)) / exactly(option.step)
    return int(place) if place.denominator == 1 and 0 <= place < steps_of(option) else None


def value_at(option: ProductOption, position: int) -> Chosen:
    """Return the value of an option at a position."""
    if option.type == "choice":
        return option.values[position].name
    if option.type == "yes_no":
        return bool(position)
    return float(exactly(option.low) + exactly(option.step) * position)


def nearest_position(option: ProductOption, value: float) -> int:
    """Return the position of a number or measure that is nearest to a value.

    >>> nearest_position(ProductOption("foot", "measure", low=220, high=310), 263.4)
    43
    """
    place = (exactly(value) - exactly(option.low)) / exactly(option.step)
    return min(max(0, round(place)), steps_of(option) - 1)


def written(value: Chosen) -> str:
    """Return a value as people write it.

    >>> written(1234567.5), written(42.0), written(True), written("red")
    ('1234567.5', '42', 'yes', 'red')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | int):
        return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
    return value
