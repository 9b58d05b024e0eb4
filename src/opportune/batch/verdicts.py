"""What consent, situations and contact limits mean for many customers: the stages' own answers, asked once of equals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from opportune.batch.sheet import Sheet
from opportune.decide.board import Board
from opportune.decide.plan import Place, Plan
from opportune.decide.stages.available import available
from opportune.decide.stages.consent import consent
from opportune.decide.stages.contact import contact
from opportune.decide.stages.score import context_weights, levers
from opportune.decide.stages.situation import in_situations
from opportune.decide.types import Request, Snapshot
from opportune.profiles.consent import why_not
from opportune.profiles.contacts import Contacts, Refusal
from opportune.profiles.quiet import known_zone

REMEMBERED = 10_000
"""Different answers that are kept; beyond that all are made anew."""

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Allowed = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why marketing and why service may not be said to a customer, and what caps, pauses and quiet hours close."""

    allowed: Allowed
    refusals: tuple[Refusal, ...] = ()


@dataclass(slots=True)
class Verdicts:
    """The verdicts of the customers of a sheet, and what follows from them.

    `holding` says which situations hold, a byte each. `start` is the stage of every action before the conditions, `closed` says what contact limits close after them,
    `lever` and `context` are L and C: a row per different answer, with the row of each customer in `..._of`.
    """

    each: list[Verdict]
    holding: list[bytes]
    start: npt.NDArray[np.uint8]
    start_of: npt.NDArray[np.int64]
    lever: Floats
    closed: Mask
    closed_of: npt.NDArray[np.int64]
    context: Floats
    context_of: npt.NDArray[np.int64]


class Judge:
    """The verdicts of one plan in one placement at one instant."""

    def __init__(self, plan: Plan, place: Place, at: int) -> None:
        self._plan, self._place, self._at = plan, place, at
        self._usual = {zone: self._verdict(None, None, zone) for zone in [plan.catalog.time_zone]}
        self._starts: dict[Any, tuple[npt.NDArray[np.uint8], Floats]] = {}
        self._closed: dict[Any, Mask] = {}
        self._context: dict[bytes, Floats] = {}

    def judge(self, sheet: Sheet) -> Verdicts:
        """Return the verdicts of the customers of a sheet."""
        plan = self._plan
        for kept in (self._usual, self._starts, self._closed, self._context):
            if len(kept) > REMEMBERED:
                kept.clear()  # type: ignore[attr-defined]
        each = self._each(sheet)
        holding, weighing = (self._holds(sheet, asked) for asked in (plan.when, plan.weighed))
        keys = [(v.allowed[0] is None, v.allowed[1] is None, h) for v, h in zip(each, holding)]
        starts, start_of = _numbered(keys, self._start)
        closed, closed_of = _numbered([tuple((r.scope, r.marketing_only) for r in v.refusals) for v in each], self._shut)
        context, context_of = _numbered(weighing, self._weight)
        return Verdicts(
            each, holding, np.stack([s for s, _ in starts]), start_of, np.stack([lever for _, lever in starts]),
            np.stack(closed), closed_of, np.stack(context), context_of,
        )  # fmt: skip

    def _each(self, sheet: Sheet) -> list[Verdict]:
        default, quiets = self._plan.catalog.time_zone, bool(self._plan.contact.quiets)
        each = [self._verdict_of(default)] * len(sheet.subjects)
        zone_slot = sheet.reader.layout.slot.get("time_zone") if quiets else None
        some = range(len(each)) if zone_slot is not None else sheet.contacts.keys() | sheet.consents.keys()
        for i in some:
            zone = default if zone_slot is None else known_zone(sheet.row(i).texts[zone_slot], default)
            contacts, said = sheet.contacts.get(i), sheet.consents.get(i)
            each[i] = self._verdict_of(zone) if not contacts and not said else self._verdict(contacts, said, zone)
        return each

    def _verdict_of(self, zone: str) -> Verdict:
        """Return the verdict of customers who said nothing and to whom nothing was said."""
        found = self._usual.get(zone)
        if found is None:
            found = self._usual[zone] = self._verdict(None, None, zone)
        return found

    def _verdict(self, contacts: Contacts | None, said: Any, zone: str) -> Verdict:
        """Return what `Snapshots.of` says of a customer."""
        plan, channel = self._plan, self._place.channel
        refusals = plan.contact.blocked(contacts or Contacts(), self._at)
        if plan.contact.quiets:
            refusals = list(dict.fromkeys([*refusals, *plan.contact.quiet(channel, self._at, zone)]))
        allowed = why_not(said or {}, channel, "marketing"), why_not(said or {}, channel, "service")
        return Verdict(allowed, tuple(refusals))

    def _holds(self, sheet: Sheet, conditions: npt.NDArray[np.int32]) -> list[bytes]:
        """Return which of some conditions are TRUE of each customer, a byte each."""
        n, width = len(sheet.subjects), len(conditions)
        if not width:
            return [b""] * n
        fallen = np.zeros((n, width), np.uint8)
        self._plan.program.sift(sheet.numbers, sheet.row, conditions[None], np.ones(1, np.uint8), fallen)
        held = (1 - fallen).tobytes()
        return [held[start : start + width] for start in range(0, n * width, width)]

    def _start(self, key: tuple[bool, bool, bytes]) -> tuple[npt.NDArray[np.uint8], Floats]:
        if key not in self._starts:
            marketing, service, holding = key
            board = self._board((None if marketing else "", None if service else ""), ())
            board = consent(available(board))
            if self._plan.situations:
                board = in_situations(board, [s for s, h in zip(self._plan.situations, holding, strict=True) if h])
            self._starts[key] = board.stage, levers(board)
        return self._starts[key]

    def _shut(self, key: tuple[tuple[str, bool], ...]) -> Mask:
        if key not in self._closed:
            board = self._board((None, None), tuple(Refusal("", scope, "", None, only) for scope, only in key))
            board.stage[:] = 0
            self._closed[key] = contact(board).stage > 0
        return self._closed[key]

    def _weight(self, holding: bytes) -> Floats:
        if holding not in self._context:
            self._context[holding] = context_weights(self._plan, [bool(h) for h in holding])
        return self._context[holding]

    def _board(self, allowed: Allowed, refusals: tuple[Refusal, ...]) -> Board:
        """Return a board of nobody, to ask stages that look at nothing but verdicts."""
        plan, place = self._plan, self._place
        nobody: Any = None
        snapshot = Snapshot(plan, nobody, nobody, nobody, {place.channel.name: allowed}, refusals)
        request = Request("", (place.name,), self._at, 0)
        return Board(request, snapshot, plan, place, 0, nobody, nobody, place.start.copy())


def _numbered(keys: list[Any], make: Any) -> tuple[list[Any], npt.NDArray[np.int64]]:
    """Return what is made of each different key, and for each key which of these it is."""
    numbers: dict[Any, int] = {}
    of = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
    return [make(key) for key in numbers], of
