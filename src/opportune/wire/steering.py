"""What goes over the wire to those who steer a hub: actions and how they do, where candidates fall, the overlay."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from opportune.wire.calling import Calling, quoted

VersionKind = Literal["set", "undo", "files", "confirm", "export"]


class ActionInfo(msgspec.Struct, frozen=True, rename="camel"):
    """An action of the live catalog and how it does.

    `value` is a number or the text of an expression. `lever` is its own, in percent; `levers` adds those of its issue
    and group, within the bounds of L. Of `answers` that were learned, `positives` are good: `accept` is their share and
    `interval` its 95 % interval (Wilson), null without answers. `maturity` is 1 once it takes part in all decisions.
    """

    name: str
    issue: str
    group: str
    kind: str
    channels: list[str]
    campaign: str
    owner: str
    value: float | str
    lever: float
    levers: float
    off: bool
    starts: datetime | None
    ends: datetime | None
    answers: int
    positives: int
    accept: float | None
    interval: tuple[float, float] | None
    maturity: float


class TreatmentInfo(msgspec.Struct, frozen=True):
    """One form of an action: its channel, the placements (or globs) that it is for, and its languages."""

    name: str
    channel: str
    placements: list[str]
    languages: list[str]


class ConditionShare(msgspec.Struct, frozen=True, rename="camel"):
    """One part of an action's policy: of `customers`, it is true of `alone`; it and all before it of `left`.

    `stage` is eligible, applicable, suitable or helps.
    """

    stage: str
    text: str
    customers: int
    alone: int
    left: int


class RuleInfo(msgspec.Struct, frozen=True):
    """A contact limit that an action falls under, in words."""

    name: str
    on: str
    text: str


class ChangeTold(msgspec.Struct, frozen=True, rename="camel"):
    """One change of the catalog that went live: when, by whom and why, in a `version` that may be undone.

    `version` is 0 where a whole catalog went live past the versions, as the first one does.
    """

    version: int
    at: datetime
    author: str
    reason: str
    kind: VersionKind
    text: str


class ActionDetail(msgspec.Struct, frozen=True, rename="camel"):
    """An action wholly: how it does, what it says, to whom, how often, and how it came to be as it is.

    `levers` are the percents that push it, by their paths: its own, and those of its group and issue.
    """

    info: ActionInfo
    benefit: str
    cost: float
    topic: str
    basis: str
    outcomes: str
    levers: dict[str, float]
    policy: list[ConditionShare]
    rules: list[RuleInfo]
    treatments: list[TreatmentInfo]
    history: list[ChangeTold]
    customers: int


class Fallen(msgspec.Struct, frozen=True, rename="camel"):
    """How many candidates of an action in a placement fell at each stage (`in`: chosen), of so many decisions."""

    action: str
    placement: str
    channel: str
    stages: dict[str, int]


class PlaceFunnel(msgspec.Struct, frozen=True, rename="camel"):
    """One placement of the sample.

    `fell` are candidates by the stage where they fell. `choices` counts decisions by the number of actions that were
    still candidates when they were compared (the last number: that many or more); `silent` are the reasons for silence.
    """

    placement: str
    channel: str
    decisions: int
    chosen: int
    fell: dict[str, int]
    choices: list[int]
    silent: dict[str, int]


class Unserved(msgspec.Struct, frozen=True, rename="camel"):
    """A customer for whom nothing is a candidate anywhere, and the stage where most of it fell."""

    customer_id: str
    subject: str
    stage: str


class FunnelInfo(msgspec.Struct, frozen=True, rename="camel"):
    """Where candidates fall: what each placement would answer to a sample of customers now. Nothing is recorded.

    The sample are customers by pseudonym, which says nothing of them. `reach` is how many of them an action is a
    candidate for somewhere, whatever else competes; for `unserved` of them nothing is, and `examples` are some.
    """

    at: datetime
    customers: int
    places: list[PlaceFunnel]
    actions: list[Fallen]
    reach: dict[str, int]
    unserved: int
    examples: list[Unserved]


class Setting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One value on top of the files, such as `actions.keep_bundle.lever`; null is the default."""

    path: str
    value: Any = None


class ShiftRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What would these changes shift, on a sample of so many customers?"""

    changes: list[Setting]
    customers: int = 300


class ActionShift(msgspec.Struct, frozen=True):
    """How often an action would be chosen in the sample: now, and after the changes."""

    action: str
    before: int
    after: int


class Pressure(msgspec.Struct, frozen=True):
    """How many chosen actions fall under a cap on contacts: now, and after the changes; `text` says the cap."""

    rule: str
    text: str
    before: int
    after: int


class ShiftInfo(msgspec.Struct, frozen=True, rename="camel"):
    """What changes would shift: the same customers asked twice, with the same seed and model. Nothing is recorded.

    `value` is the mean of P x V over decisions, V as changed and without levers (silence: 0), now and then. `gained` is
    their difference with `interval`, 95 % by customers, null below 30 of them. Of `decisions`, `moved` would be others,
    for `changed` of `customers`, and `silent` are now and would be without an action.
    """

    changes: list[str]
    customers: int
    changed: int
    decisions: int
    moved: int
    silent: tuple[int, int]
    value: tuple[float, float]
    gained: float
    interval: tuple[float, float] | None
    currency: str
    actions: list[ActionShift]
    pressure: list[Pressure]


class OverlayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Apply these changes as a new version; `version` is the one that they were made on (null: whatever it is)."""

    changes: list[Setting]
    author: str
    reason: str
    version: int | None = None


class WhoAndWhy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who does something to the overlay, and why."""

    author: str
    reason: str = ""


class OverlayEntry(msgspec.Struct, frozen=True):
    """One value that lies on top of the files; `conflict` says what the files changed under it, "" if nothing."""

    path: str
    value: Any
    was: Any
    author: str
    at: datetime
    reason: str
    conflict: str


class OverlayVersion(msgspec.Struct, frozen=True, rename="camel"):
    """One version of what is live: what changed, by whom and why. `undoable`: nobody changed the same values since."""

    number: int
    at: datetime
    kind: VersionKind
    author: str
    reason: str
    changes: list[str]
    undoable: bool


class OverlayInfo(msgspec.Struct, frozen=True):
    """What lies on top of the files, and the versions that led there, the latest first."""

    version: int
    entries: list[OverlayEntry]
    versions: list[OverlayVersion]


class Exported(msgspec.Struct, frozen=True):
    """The files that were changed when the overlay was written into them."""

    files: list[str]


class Steering(Calling):
    """The methods of `Client` for those who steer a hub."""

    def catalog(self) -> list[ActionInfo]:
        """Return the actions of the live catalog by issue, group and name, and how they do."""
        return list(self._call("GET", "/v1/actions", list[ActionInfo]))

    def action(self, name: str, customers: int = 300) -> ActionDetail:
        """Return an action wholly, its policy tried on a sample of customers. Raises `NotFound`."""
        path = f"/v1/actions/{quoted(name)}"
        return self._call("GET", path, ActionDetail, query={"customers": str(customers)})

    def funnel(self, customers: int = 300) -> FunnelInfo:
        """Return where candidates fall, on a sample of customers."""
        return self._call("GET", "/v1/funnel", FunnelInfo, query={"customers": str(customers)})

    def shift(self, changes: Mapping[str, Any], customers: int = 300) -> ShiftInfo:
        """Return what changes (path -> value) would shift on a sample of customers; nothing is applied."""
        return self._call("POST", "/v1/overlay/shift", ShiftInfo, ShiftRequest(_set(changes), customers))

    def overlay(self) -> OverlayInfo:
        """Return what lies on top of the files, and its versions."""
        return self._call("GET", "/v1/overlay", OverlayInfo)

    def steer(self, changes: Mapping[str, Any], author: str, reason: str, version: int | None = None) -> OverlayVersion:
        """Apply changes (path -> value) as a new version. `Stale` if `version` is no longer the last one."""
        asked = OverlayRequest(_set(changes), author, reason, version)
        return self._call("POST", "/v1/overlay", OverlayVersion, asked)

    def undo_version(self, number: int, author: str, reason: str = "") -> OverlayVersion:
        """Undo a version, by a new one. `Stale` if a value of it was changed again since."""
        path = f"/v1/overlay/{number}/undo"
        return self._call("POST", path, OverlayVersion, WhoAndWhy(author, reason))

    def confirm_overlay(self, author: str) -> OverlayVersion:
        """Let go of the values that the files have changed since; the rest stays."""
        return self._call("POST", "/v1/overlay/confirm", OverlayVersion, WhoAndWhy(author))

    def export_overlay(self, author: str) -> list[str]:
        """Write the overlay into the files of the project folder; return the files that changed."""
        found: Exported = self._call("POST", "/v1/overlay/export", Exported, WhoAndWhy(author))
        return found.files


def _set(changes: Mapping[str, Any]) -> list[Setting]:
    return [Setting(path, value) for path, value in changes.items()]
