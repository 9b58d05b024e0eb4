"""The way of a person to becoming a customer, and what a sale brings, as the catalog has them."""

from __future__ import annotations

from dataclasses import dataclass

from opportune.rules import Expression

WINDOW = 90 * 86_400 * 1_000_000
"""How long a lead has to become a customer, unless the catalog says otherwise."""


@dataclass(frozen=True, slots=True)
class Funnel:
    """Events that make a person a `lead`, move them through `stages`, hand them over to sales, and end in a `customer`.

    A lead has the `window` to become a customer; `referral` is a condition on the properties of the lead's event (None:
    it has a property `referrer`). `events` bring money (empty: the customer's event), by the property `value` ("": the
    first of `value`, `revenue` and `total`). `margin` is the share of the value that is margin, or the property that
    says it; None: nobody has said, and the whole value counts.
    """

    lead: str = "Lead Created"
    stages: tuple[str, ...] = ()
    handed_over: str = "Lead Handed Over"
    accepted: str = "Lead Accepted"
    customer: str = "Order Completed"
    referral: Expression | None = None
    window: int = WINDOW
    events: tuple[str, ...] = ()
    value: str = ""
    margin: float | str | None = None

    @property
    def sales(self) -> tuple[str, ...]:
        """The events that bring money."""
        return self.events or (self.customer,)
