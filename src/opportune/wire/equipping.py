"""What goes over the wire about the tools that people work with: the same for the hub and for its client."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from opportune.wire.calling import Calling, quoted

Bounds = tuple[float | None, float | None]
"""An interval; null at a side without a bound."""


class ToolUse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person used a feature of a tool, so many times.

    `at` is a day or a time of ISO 8601, in the hub's time zone where it names none (null: now). `entry` names the use,
    so that it counts once; without it tool, person, feature and `at` do, and `nth` tells those apart that are alike in
    all of these. A count told again replaces the one before; 0 takes it back, or says that nobody used it.
    """

    tool: str
    person: str
    feature: str = ""
    at: str | None = None
    uses: int = 1
    entry: str = ""
    nth: int = 0


class RefusedUse(msgspec.Struct, frozen=True):
    """A use that was not taken: its position in the list, the field at fault, what is wrong, and the cure."""

    index: int
    field: str
    what: str
    cure: str


class UseTaken(msgspec.Struct, frozen=True):
    """What became of uses: new ones, those told with another count than before, those known, and those refused."""

    taken: int
    changed: int
    known: int
    refused: list[RefusedUse] = []


class ToolFeature(msgspec.Struct, frozen=True):
    """A feature: people who used it lately, how often, and the last week in which anybody did (null: none shown)."""

    feature: str
    people: int
    uses: int
    last: str | None
    licensed: bool


class ToolWeek(msgspec.Struct, frozen=True):
    """How many people used a tool in a week of ISO 8601, and how often; the last one still runs."""

    week: str
    people: int
    uses: int


class ToolTrend(msgspec.Struct, frozen=True, rename="camel"):
    """People more (or below 0: less) from one whole week to the next; null where `reason` says why."""

    per_week: float | None = None
    interval: Bounds | None = None
    weeks: int = 0
    reason: str = ""


class StoppedUse(msgspec.Struct, frozen=True):
    """A person who used a tool and does no longer, and the last week in which they did."""

    person: str
    last: str


class AdoptionInfo(msgspec.Struct, frozen=True, rename="camel"):
    """How a tool is used by now: people in the running week and the four before, and what follows from it.

    Not `told`: nothing was said of these weeks, so nobody uses it, or its use is no longer sent.
    Figures of use are counted, not sampled, so they have no interval. Costs are of a month, null where not known.
    """

    told: bool
    people: int
    share: float | None
    features: list[ToolFeature]
    features_used: int
    features_licensed: int | None
    by_week: list[ToolWeek]
    trend: ToolTrend
    stopped: list[StoppedUse]
    idle_seats: int | None
    idle_cost: float | None
    cost_per_person: float | None
    note: str


class ToolInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A tool of the catalog. `monthly` is what it costs a month; `adoption` is null where `reason` says why."""

    name: str
    category: str
    owner: str
    monthly: float | None
    currency: str
    seats: int | None
    features: list[str]
    does: list[str]
    starts: datetime | None
    ends: datetime | None
    notice: datetime | None
    running: bool
    adoption: AdoptionInfo | None
    reason: str = ""


class ToolCell(msgspec.Struct, frozen=True):
    """What a person did with a feature of a tool in a week; `uses` of 0: it was told that they did not use it."""

    week: str
    person: str
    feature: str
    uses: int


class OverlapInfo(msgspec.Struct, frozen=True):
    """Two tools for the same. `both` of the people who use `either` use both; `saves` is the cheaper one's month."""

    tools: list[str]
    category: str
    does: list[str]
    both: int | None
    either: int | None
    share: float | None
    saves: float | None
    reason: str


class ToolDate(msgspec.Struct, frozen=True):
    """What is to be decided or ends: `notice`, `contract` or `trial`, with the days that are left."""

    tool: str
    what: str
    at: datetime
    days: int
    owner: str
    sentence: str


class TrialInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A tool on trial. `strength` is what it rests on: experiment, before and after (weak), or none.

    `spent` is what the tool cost since its contract began; null where that is not known.
    """

    tool: str
    question: str
    owner: str
    decide_by: datetime
    days: int
    overdue: bool
    decided: str
    because: str
    strength: str
    evidence: str
    relative: float | None
    interval: Bounds | None
    spent: float | None
    sentence: str


class HealthNumber(msgspec.Struct, frozen=True):
    """A number of a check, in a unit; `interval` is null where it was counted and not sampled."""

    name: str
    value: float | None
    unit: str
    interval: Bounds | None
    meaning: str


class HealthCheckInfo(msgspec.Struct, frozen=True):
    """A check of the operation: fine, watch, ill or unknown, with the evidence and the next step.

    `missing` says which data there are not, and how they are sent.
    """

    check: str
    title: str
    status: str
    sentence: str
    evidence: list[HealthNumber]
    rows: list[dict[str, Any]]
    missing: str
    cure: str


class OperationHealth(msgspec.Struct, frozen=True):
    """Every check of the operation, the worst first, as of an instant."""

    at: datetime
    checks: list[HealthCheckInfo]


class Equipping(Calling):
    """The methods of `Client` about tools, and the health of the operation."""

    def use_tools(self, uses: Sequence[ToolUse]) -> UseTaken:
        """Tell of up to 5,000 uses of tools; each counts once. Those with a fault are told, and hold up none."""
        return self._call("POST", "/v1/tools/use", UseTaken, list(uses))

    def tools(self) -> list[ToolInfo]:
        """Return the tools of the catalog, and how they are used."""
        return self._call("GET", "/v1/tools", list[ToolInfo])

    def tool(self, name: str) -> ToolInfo:
        """Return a tool of the catalog, and how it is used."""
        return self._call("GET", f"/v1/tools/{quoted(name)}", ToolInfo)

    def tool_use(self, name: str, weeks: int = 12) -> list[ToolCell]:
        """Return who used what of a tool in the running week and so many before."""
        return self._call("GET", f"/v1/tools/{quoted(name)}/use", list[ToolCell], query={"weeks": str(weeks)})

    def tool_overlaps(self) -> list[OverlapInfo]:
        """Return the pairs of tools that are for the same."""
        return self._call("GET", "/v1/tool-overlaps", list[OverlapInfo])

    def tool_dates(self, days: int = 30) -> list[ToolDate]:
        """Return what ends or is to be decided within some days, or should have been."""
        return self._call("GET", "/v1/tool-dates", list[ToolDate], query={"days": str(days)})

    def tool_trials(self) -> list[TrialInfo]:
        """Return how the tools on trial stand, those to be decided first."""
        return self._call("GET", "/v1/tool-trials", list[TrialInfo])

    def health_check(self) -> OperationHealth:
        """Return how healthy the operation is, the worst first."""
        return self._call("GET", "/v1/health-check", OperationHealth)
