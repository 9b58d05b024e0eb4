"""What a catalog says about renting, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from opportune.rules import Expression


@dataclass(frozen=True, slots=True)
class RentalTier:
    """How much a subscription holds: items `at_once`, items sent `per_month`, and the `most_value` of each of them.

    A month is one of the calendar in the hub's time zone. None bounds nothing. `price` is what a month costs.
    """

    name: str
    at_once: int
    per_month: int | None = None
    most_value: float | None = None
    price: float = 0.0


@dataclass(frozen=True, slots=True)
class RentalPlan:
    """Something to subscribe to: `items` of the shelf (None: all of them) in `tiers`.

    After `keep` a customer who still has an item is reminded of it. A copy that came back rests for `clean` before it
    is sent again, and a customer does not get an item again for `again` after it came back.
    """

    name: str
    tiers: tuple[RentalTier, ...]
    items: Expression | None = None
    keep: int | None = None
    clean: int = 0
    again: int | None = None

    def tier(self, name: str) -> RentalTier | None:
        """Return the tier of a name; None if there is none."""
        return next((tier for tier in self.tiers if tier.name == name), None)
