"""Small catalogs for tests of contact rules."""

from __future__ import annotations

from opportune.catalog.types import Action, Catalog, Channel, ContactRule, ModelSettings, Outcomes
from opportune.clock import DAY
from opportune.rules import Kind, Name

EMAIL, SMS, APP = Channel("email", push=True), Channel("sms", push=True), Channel("app", push=False)
OUTCOMES = Outcomes(("accept",), ("reject", "dismiss"), 7 * DAY)


def action(
    name: str, issue: str = "retain", group: str = "bundle", kind: str = "marketing", urgent: bool = False
) -> Action:
    return Action(name, issue, group, OUTCOMES, (), kind=kind, urgent=urgent)  # type: ignore[arg-type]


def catalog(*rules: ContactRule, names: tuple[str, ...] = (), hold: int | None = None) -> Catalog:
    return Catalog(
        currency="EUR",
        time_zone="Europe/Berlin",
        traits=(),
        features=(),
        context=(),
        situations=(),
        channels=(EMAIL, SMS, APP),
        placements=(),
        actions=(),
        contact=rules,
        model=ModelSettings() if hold is None else ModelSettings(hold=hold),
        names=tuple(Name(name, Kind.NUMBER) for name in names),
    )
