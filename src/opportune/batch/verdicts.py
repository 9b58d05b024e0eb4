"""What consent, situations and contact limits mean for many customers: the stages themselves, asked once of equals."""

from __future__ import annotations

import logging
import re
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from opportune.batch.reader import LOOKED
from opportune.batch.sheet import Sheet
from opportune.decide.board import Board
from opportune.decide.plan import Place, Plan
from opportune.decide.stages.available import available
from opportune.decide.stages.consent import consent
from opportune.decide.stages.contact import contact
from opportune.decide.stages.score import context_weights, levers
from opportune.decide.stages.situation import in_situations
from opportune.decide.types import Request, Snapshot
from opportune.profiles.addresses import trait, unreachable
from opportune.profiles.allowed import allowed
from opportune.profiles.choices import PREFERRED_CHANNEL, consents
from opportune.profiles.consent import status_of
from opportune.profiles.contacts import Contacts, Refusal
from opportune.profiles.state import State
from opportune.profiles.terms import Terms, terms_of

REMEMBERED = 10_000
"""Different answers of a kind that are kept; beyond that all are made anew."""

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Stages = npt.NDArray[np.uint8]
Allowed = tuple[str | None, str | None]
Said = tuple[Allowed, Mapping[str, Allowed]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why marketing and why service may not be said to a customer, of topics about which that is different, and what
    caps, pauses and quiet hours close. The words leave days out.
    """

    allowed: Allowed = (None, None)
    topics: Mapping[str, Allowed] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()


UNJUDGED = Verdict(("what they chose cannot be read",) * 2)
"""The verdict of a customer about whom there is none."""


@dataclass(slots=True)
class Verdicts:
    """The verdicts of the customers of a sheet, and what follows from them.

    Row `of[i]` of `each` is the verdict of customer i, and of `closed` which actions contact limits close after the
    conditions. Row `start_of[i]` of `start` is the stage of every action before the conditions, of `lever` L. Row
    `context_of[i]` of `context` is C. `holding` counts customers by the situations that hold, a byte each.
    """

    each: list[Verdict]
    of: Ints
    closed: Mask
    start: Stages
    lever: Floats
    start_of: Ints
    context: Floats
    context_of: Ints
    holding: Counter[bytes]


class Judge:
    """The verdicts of one plan in one placement at one instant."""

    def __init__(self, plan: Plan, place: Place, at: int) -> None:
        self._plan, self._place, self._at = plan, place, at
        self._open = replace(place.channel, via=None)
        """The channel, for whom there is an address."""
        rules = plan.catalog.consent
        self._plain = rules.expires is None and not rules.double_opt_in
        """Whether words on consent amount to what they say."""
        self._one_word: dict[bytes, Verdict] = {}
        self._said: dict[Any, Said] = {}
        self._terms: dict[Any, Terms] = {}
        self._quiet: dict[Terms, tuple[Refusal, ...]] = {}
        self._verdicts: dict[Any, Verdict] = {}
        self._starts: dict[Any, tuple[Stages, Floats]] = {}
        self._closed: dict[Any, Mask] = {}
        self._context: dict[bytes, Floats] = {}
        self._kept: tuple[dict[Any, Any], ...] = (
            self._one_word, self._said, self._terms, self._quiet, self._verdicts, self._starts, self._closed,
            self._context,
        )  # fmt: skip

    def judge(self, sheet: Sheet) -> Verdicts:
        """Return the verdicts of the customers of a sheet."""
        for kept in self._kept:
            if len(kept) > REMEMBERED:
                kept.clear()
        plan, (each, of) = self._plan, self._each(sheet)
        holding, weighing = (self._holds(sheet, asked) for asked in (plan.when, plan.weighed))
        shapes = [
            (v.allowed[0] is None, v.allowed[1] is None, *((t, m is None, s is None) for t, (m, s) in v.topics.items()))
            for v in each
        ]
        if holding is None:
            starts, start_of = [self._start((shape, b"")) for shape in shapes], of
        else:
            starts, start_of = _numbered([(shapes[n], h) for n, h in zip(of.tolist(), holding)], self._start)
        contexts, context_of = _numbered(weighing, self._weight) if weighing else ([self._weight(b"")], of * 0)
        closed = [self._shut(tuple((r.scope, r.marketing_only) for r in v.refusals)) for v in each]
        return Verdicts(
            each, of, np.stack(closed), np.stack([s for s, _ in starts]), np.stack([lever for _, lever in starts]),
            start_of, np.stack(contexts), context_of, Counter(holding),
        )  # fmt: skip

    def _each(self, sheet: Sheet) -> tuple[list[Verdict], Ints]:
        """Return the different verdicts, and for each customer which of them it is."""
        n, every = len(sheet.subjects), bool(self._place.channel.via or self._plan.contact.quiets)
        usual = Verdict() if every else self._verdict(State(), _NOBODY, None)
        of, each, numbers = [0] * n, [usual], {id(usual): 0}
        for i in range(n) if every else sheet.speaking | sheet.heeding | sheet.contacts.keys():
            word = sheet.word(i) if self._plain and not every and i not in sheet.contacts else None
            found = self._one_word.get(word) if word else None
            if found is None:
                found = self.of_one(sheet, i)
                if word:
                    self._one_word[word] = found
            number = numbers.setdefault(id(found), len(each))
            if number == len(each):
                each.append(found)
            of[i] = number
        return each, np.array(of, np.int64)

    def of_one(self, sheet: Sheet, i: int) -> Verdict:
        """Return the verdict of one customer; of whom there is none, nothing may be said to, and the others go on."""
        try:
            return self._of(sheet, i)
        except Exception as error:
            places = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-5:]]
            _log.warning("%s cannot be judged: %s in %s", sheet.subjects[i], type(error).__name__, ", ".join(places))
            return UNJUDGED

    def _of(self, sheet: Sheet, i: int) -> Verdict:
        state = sheet.state(i)
        known = {name: sheet.value(i, name) for name in LOOKED} if self._plan.contact.quiets else {}
        return self._verdict(state, self._look(state, known), sheet.contacts.get(i))

    def _verdict(self, state: State, terms: Terms, contacts: Contacts | None) -> Verdict:
        """Return what `Snapshots.of` says of a customer; equal ones are one object."""
        (said, topics), refusals = self._allowed(state), self._refusals(contacts, terms)
        rules = tuple([(r.rule, r.scope) for r in refusals]) if refusals else ()
        key = said, tuple(topics.items()) if topics else (), rules
        return self._verdicts.get(key) or self._verdicts.setdefault(key, Verdict(said, topics, refusals))

    def _refusals(self, contacts: Contacts | None, terms: Terms) -> tuple[Refusal, ...]:
        rules = self._plan.contact
        quiet = self._quiet.get(terms)
        if quiet is None:
            quiet = self._quiet[terms] = tuple(rules.quiet(self._place.channel, self._at, terms))
        if not terms.caps and (contacts is None or not (contacts.made or contacts.holds or contacts.replies)):
            return quiet
        closed = rules.blocked(contacts or Contacts(), self._at, terms)
        return tuple(dict.fromkeys([*closed, *quiet])) if closed else quiet

    def _look(self, state: State, known: Mapping[str, Any]) -> Terms:
        """Return the terms of a customer, of whom these declared values are known."""
        chose = state.choices and state.choices.frequency
        if not chose and not self._plan.contact.quiets:
            return _NOBODY

        def look(name: str) -> Any:
            value = known.get(name)
            return trait(state, name)[1] if value is None else value

        if chose:
            return terms_of(state, look, self._plan.catalog)
        key = repr([look(name) for name in LOOKED])
        return self._terms.get(key) or self._terms.setdefault(key, terms_of(state, look, self._plan.catalog))

    def _allowed(self, state: State) -> Said:
        """Return what may be said to a customer: looked up once for those who said the same in the same order."""
        channel, catalog = self._open, self._plan.catalog
        lost = unreachable(state, self._place.channel)
        if lost:
            lost = without_date(lost)
            return (lost, lost), {}
        key = self._key(state)
        said = None if key is None else self._said.get(key)
        if said is None:
            found = allowed(state, catalog, [channel], self._at)[channel.name]
            said = _without_dates(found.verdict), {t: _without_dates(pair) for t, pair in found.topics.items()}
            if key is not None:
                self._said[key] = said
        return said

    def _key(self, state: State) -> Any:
        """Return what two customers must agree in to be allowed the same; None for those who are looked at alone.

        While nothing but words on consent is there, these count by what they amount to now and by their order.
        """
        if state.preferences or state.choices is not None or PREFERRED_CHANNEL in state.traits:
            return None
        if not state.consents:
            return ()
        if not self._plain or any(word.until is not None for word in state.consents.values()):
            rules, channel = self._plan.catalog.consent, self._place.channel.name
            words = consents(state).items()
            statuses = {key: status_of(key, word, self._at, rules, channel) for key, word in words}
            said = [(key, word.status, statuses[key]) for key, word in state.consents.items()]
        else:
            said = [(key, word.status, word.status) for key, word in state.consents.items()]
        if len(said) == 1:
            return said[0]
        order = sorted({word.at for word in state.consents.values()})
        return tuple(sorted((*word, order.index(state.consents[word[0]].at)) for word in said))

    def _holds(self, sheet: Sheet, conditions: npt.NDArray[np.int32]) -> list[bytes] | None:
        """Return which of some conditions are TRUE of each customer, a byte each; None if there are no conditions."""
        n, width = len(sheet.subjects), len(conditions)
        if not width:
            return None
        fallen = np.zeros((n, width), np.uint8)
        self._plan.program.sift(sheet.numbers, sheet.row, conditions[None], np.ones(1, np.uint8), fallen)
        held = (1 - fallen).tobytes()
        return [held[start : start + width] for start in range(0, n * width, width)]

    def _start(self, key: tuple[Any, bytes]) -> tuple[Stages, Floats]:
        found = self._starts.get(key)
        if found is None:
            (marketing, service, *topics), holding = key
            about = {topic: (None if m else "", None if s else "") for topic, m, s in topics}
            board = self._board(Verdict((None if marketing else "", None if service else ""), about))
            board = consent(available(board))
            if holding:
                board = in_situations(board, [s for s, h in zip(self._plan.situations, holding, strict=True) if h])
            found = self._starts[key] = board.stage, levers(board)
        return found

    def _shut(self, key: tuple[tuple[str, bool], ...]) -> Mask:
        found = self._closed.get(key)
        if found is None:
            board = self._board(Verdict(refusals=tuple(Refusal("", scope, "", None, only) for scope, only in key)))
            board.stage[:] = 0
            found = self._closed[key] = contact(board).stage > 0
        return found

    def _weight(self, holding: bytes) -> Floats:
        found = self._context.get(holding)
        if found is None:
            found = self._context[holding] = context_weights(self._plan, [bool(h) for h in holding])
        return found

    def _board(self, verdict: Verdict) -> Board:
        """Return a board of nobody, to ask stages that look at nothing but verdicts."""
        plan, place = self._plan, self._place
        nobody: Any = None
        snapshot = snapshot_of(plan, place, verdict, nobody, nobody, nobody)
        request = Request("", (place.name,), self._at, 0)
        return Board(request, snapshot, plan, place, 0, nobody, nobody, place.start.copy())


def snapshot_of(plan: Plan, place: Place, verdict: Verdict, model: Any, baseline: Any, row: Any) -> Snapshot:
    """Return what a decision may look at of a customer with this verdict."""
    here = place.channel.name
    topics = {here: verdict.topics} if verdict.topics else {}
    return Snapshot(plan, model, baseline, row, {here: verdict.allowed}, verdict.refusals, topics=topics)


def without_date(reason: str) -> str:
    """Return a reason without the days that it names, so that equal ones can be counted.

    >>> without_date("marketing by email was withdrawn on 2026-01-01")
    'marketing by email was withdrawn'
    """
    return re.sub(r" (?:on|of|until) \d{4}-\d\d-\d\d", "", reason)


def _without_dates(verdict: Allowed) -> Allowed:
    marketing, service = verdict
    return marketing and without_date(marketing), service and without_date(service)


def _numbered(keys: list[Any], make: Any) -> tuple[list[Any], Ints]:
    """Return what is made of each different key, and for each key which of these it is."""
    numbers: dict[Any, int] = {}
    of = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
    return [make(key) for key in numbers], of


_NOBODY = Terms()
_log = logging.getLogger(__name__)
