"""The customer's side of the contact rules: where they live, and how often they want to hear from us."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opportune.catalog.types import Cap, Catalog, Holidays
from opportune.profiles.state import State
from opportune.profiles.zones import country_of, zones_of

CHOSEN = "chosen by the customer"
"""The name of the rule that a frequency chosen by the customer is."""

NOWHERE = Holidays()


@dataclass(frozen=True, slots=True)
class Terms:
    """The IANA time zones that a customer may live in (one where it is known; quiet in one of them is quiet), whose
    public holidays they have, and the caps that they chose.
    """

    zones: tuple[str, ...] = ("UTC",)
    home: Holidays = NOWHERE
    caps: tuple[Cap, ...] = ()


NOBODY = Terms()
"""The terms of a customer of whom nothing is known, where nobody asks for more."""


def terms_of(state: State, look: Callable[[str], Any], catalog: Catalog) -> Terms:
    """Return the terms of a customer; `look` gives a trait, or None.

    Traits come first (see `zones.zones_of`, `home_of`), then the catalog.
    """
    return Terms(zones_of(look, catalog.time_zone), home_of(look, catalog.holidays), caps_of(state))


def home_of(look: Callable[[str], Any], otherwise: Holidays) -> Holidays:
    """Return whose public holidays a customer has: of their country, in their region of it.

    Where the country is unknown it is the catalog's; the region of the catalog counts in its own country only.
    """
    country = country_of(look) or otherwise.country
    said = look("region") or look("address.region") or look("address.state")
    region = said.strip().upper() if isinstance(said, str) else ""
    region = region.removeprefix(f"{country}-")
    if not region and country == otherwise.country:
        region = otherwise.region
    return Holidays(country, region[:64])


def caps_of(state: State) -> tuple[Cap, ...]:
    """Return the frequencies that a customer chose, as caps on `all` or on `channel/NAME`."""
    found = []
    for channel, choices in sorted((state.choices.frequency if state.choices else {}).items()):
        scope = "all" if channel == "all" else f"channel/{channel}"
        found += [Cap(CHOSEN, scope, o.at_most, o.span) for o in choices if o.at_most is not None]
    return tuple(found)
