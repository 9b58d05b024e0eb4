"""What goes over the wire about configurable products: made for a form that shows each option with what it can be.

JSON has these names in camelCase. `possible` is null where the time of a call was over before it was known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from opportune.wire.calling import Calling, quoted

Chosen = str | float | bool
"""What an option is set to: a value of a choice, a number, or yes or no."""


class ValueInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A value of an option: whether it can be chosen beside the rest of the choice, and if not because of what."""

    value: Chosen
    title: str
    price: float
    possible: bool | None
    because: str = ""


class TierInfo(msgspec.Struct, frozen=True, rename="camel"):
    """What each unit costs up to `to` units (null: without end), those before by the tiers before."""

    price: float
    to: float | None = None


class OptionInfo(msgspec.Struct, frozen=True, rename="camel"):
    """An option as a form shows it.

    A `choice` and a `yes_no` have `values`. A `number` and a `measure` go from `min` to `max` by `step`, beside the
    rest of the choice from `lowest` to `highest`, `because` of what is said; `tiers` is what their units cost. `filled`
    is why `chosen` was filled in. What is `personal` is never shown to others.
    """

    name: str
    title: str
    type: Literal["choice", "number", "yes_no", "measure"]
    chosen: Chosen | None
    filled: str = ""
    personal: bool = False
    values: list[ValueInfo] = []
    unit: str = ""
    min: float | None = None
    max: float | None = None
    step: float | None = None
    lowest: float | None = None
    highest: float | None = None
    because: str = ""
    tiers: list[TierInfo] = []


class ConflictInfo(msgspec.Struct, frozen=True, rename="camel"):
    """Chosen values that cannot be together, none of them in vain; `rules` are those that say so."""

    because: str
    choices: dict[str, Chosen]
    rules: list[str]


class ChangeInfo(msgspec.Struct, frozen=True, rename="camel"):
    """An option that a repair changes."""

    option: str
    title: str
    before: Chosen
    after: Chosen


class RepairInfo(msgspec.Struct, frozen=True, rename="camel"):
    """The nearest choice that is possible: as few options changed as can be, numbers as little as can be."""

    choices: dict[str, Chosen]
    changes: list[ChangeInfo]


class PriceLine(msgspec.Struct, frozen=True, rename="camel"):
    """A part of a price; the parts add up to it."""

    name: str
    title: str
    amount: float


class PriceInfo(msgspec.Struct, frozen=True, rename="camel"):
    """What a choice costs: `now` what is decided of it, `lowest` the least that a finished choice can still cost.

    `lowest` is null where there is no finished choice, or the time of a call was over before it was found.
    """

    currency: str
    now: float
    lowest: float | None
    lines: list[PriceLine]


class Configured(msgspec.Struct, frozen=True, rename="camel"):
    """A partial choice of a product, and what it still can be.

    `complete`: all options are set. `missing` are those that are not. A choice that is not `possible` has `conflicts`
    and, where there is one, a `repair`; options then show what is possible beside what is in no conflict. `inTime` is
    false where the time of a call was over before everything was known.
    """

    product: str
    title: str
    possible: bool | None
    complete: bool
    choices: dict[str, Chosen]
    missing: list[str]
    price: PriceInfo
    options: list[OptionInfo]
    conflicts: list[ConflictInfo] = []
    repair: RepairInfo | None = None
    in_time: bool = True


class ProductInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A product that can be configured; `base` is its price before any option."""

    name: str
    title: str
    base: float
    currency: str
    options: int


class ConfigureRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What can this choice still be?

    `choices` may be of some options; those of a saved `configuration` come before them. A repair does not touch the
    options in `keep`, such as the one that was changed last. The customer is who it is completed for; with `tell`, an
    event `Product Configured` says that they are at it.
    """

    choices: dict[str, Chosen | None] = {}
    configuration: str = ""
    keep: list[str] = []
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    user_token: str | None = None
    tell: bool = False


class SaveRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Keep a choice of a customer under an id that others may be given. It may be unfinished, but must be possible."""

    product: str
    choices: dict[str, Chosen]
    user_id: str | int


class OrderRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Order a configuration for a customer, who gives what is personal (measures, a size) and was left open."""

    user_id: str | int
    order_id: str
    choices: dict[str, Chosen] = {}


class Configuration(msgspec.Struct, frozen=True, rename="camel"):
    """A saved configuration as everybody sees it: without its designer, and without what is personal."""

    id: str
    product: str
    title: str
    saved: datetime
    orders: int
    choices: dict[str, Chosen]
    missing: list[str]
    possible: bool | None
    price: PriceInfo
    conflicts: list[ConflictInfo] = []


class DesignInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A configuration that a customer saved, and how often it was ordered."""

    id: str
    product: str
    saved: datetime
    orders: int


class OrderedConfiguration(msgspec.Struct, frozen=True, rename="camel"):
    """An order of a configuration. `points` went to its designer; `again`: the order was known."""

    id: str
    order_id: str
    product: str
    choices: dict[str, Chosen]
    price: float
    currency: str
    credited: bool
    points: int
    again: bool


class Configuring(Calling):
    """Products that are put together."""

    def products(self) -> list[ProductInfo]:
        """Return the products that can be configured now."""
        return self._call("GET", "/v1/products", list[ProductInfo])

    def configure(
        self, product: str, choices: Mapping[str, Chosen | None] | None = None, customer: str | None = None,
        anonymous: str | None = None, complete: bool = False, configuration: str = "", keep: Sequence[str] = (),
        tell: bool = False,
    ) -> Configured:  # fmt: skip
        """Return what a partial choice of a product still can be; with `complete`, filled in for the customer.

        The choices of a saved `configuration` come before `choices`. A repair of a choice that is not possible leaves
        the options in `keep` as they are. `tell` says in an event that the customer is at it.
        """
        asked = {
            "choices": dict(choices or {}), "configuration": configuration, "keep": list(keep), "userId": customer,
            "anonymousId": anonymous, "tell": tell,
        }  # fmt: skip
        path = f"/v1/products/{quoted(product)}/{'complete' if complete else 'check'}"
        return self._call("POST", path, Configured, asked)

    def save_configuration(self, product: str, choices: Mapping[str, Chosen], customer: str) -> Configuration:
        """Keep a choice of a customer under an id that can be shared; `BadRequest` where it is not possible."""
        asked = {"product": product, "choices": dict(choices), "userId": customer}
        return self._call("POST", "/v1/configurations", Configuration, asked)

    def configuration(self, id: str) -> Configuration:
        """Return a saved configuration as everybody may see it, and what it costs now."""
        return self._call("GET", f"/v1/configurations/{quoted(id)}", Configuration)

    def remove_configuration(self, id: str, customer: str) -> None:
        """Take a saved configuration back for its designer: nobody sees or orders it any more. Raises `NotFound`."""
        self._call("DELETE", f"/v1/configurations/{quoted(id)}", dict, query={"userId": customer})

    def order_configuration(
        self, id: str, order_id: str, customer: str, choices: Mapping[str, Chosen] | None = None
    ) -> OrderedConfiguration:
        """Order a configuration, with what it leaves open as `choices`; the same order once. `Stale` where it fails."""
        asked = {"userId": customer, "orderId": order_id, "choices": dict(choices or {})}
        return self._call("POST", f"/v1/configurations/{quoted(id)}/order", OrderedConfiguration, asked)

    def configurations_of(self, customer: str) -> list[DesignInfo]:
        """Return the configurations that a customer saved, the newest first."""
        return self._call("GET", f"/v1/customers/{quoted(customer)}/configurations", list[DesignInfo])
