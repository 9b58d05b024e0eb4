"""Have we said enough? Exact contact caps, pauses after an outcome and quiet hours, for one customer at one instant.

A contact is something that the customer really saw (pull) or that was delivered (push). Between the decision and the
contact there is a *hold*: it takes up room in every cap, ends when it is confirmed or released, and that of a pull
channel lapses. What is counted is (t - W, t]: a contact leaves a window exactly W after it was made.

Why caps are exact: a hold may become a contact at any instant from its own on, so `reserve` counts every live hold and
every contact younger than W (also one stamped later than `at`). Whatever instant a hold is confirmed at, no window of
length W then has more than N. Only two things can, and both are told: a hold confirmed after it had lapsed
(`confirm` returns True) and joined histories (`excess`).

Caps and pauses are about marketing: `service` is neither stopped nor counted by a cap. Quiet hours stop all but
`urgent` service. What the customer chose (`Terms`) adds caps to those of the catalog and never loosens one; where they
live says when it is quiet. A plain time zone stands for terms with nothing else.

Every function is a pure function of its arguments; those that change `contacts` change nothing else.
"""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import msgspec

from opportune.catalog.types import Action, Cap, Catalog, Channel, Pause, Quiet
from opportune.clock import DAY, HOUR, MINUTE, SECOND, parse_span
from opportune.profiles.history import NEVER, Contact, Contacts, Hold, Index, Reply, Touch, merge, order, scopes
from opportune.profiles.quiet import quiet_until, why_quiet
from opportune.profiles.terms import NOBODY, Terms

__all__ = ["BOUND", "Contact", "ContactPlan", "Contacts", "Hold", "Refusal", "Reply", "merge"]

BOUND = 1000
"""Most contacts kept per scope, replies per outcome and scope, and open reservations; more if a cap allows more."""

Watched = tuple[int, str | None]
"""A level and a scope of it; None: each scope of the level has a counter of its own."""

_LEVELS = ("all", "channel", "issue", "group", "action")
_SLACK = DAY  # clocks that run back by less than this still find every contact that they need


class Refusal(msgspec.Struct, frozen=True):
    """A scope that may not be contacted, by which rule, in words, and until when (None: not known, or for good).

    `scope` is `all`, `channel/NAME`, an issue, `issue/group` or `action/NAME`. `marketing_only` refusals do not touch
    service; no refusal touches urgent service.
    """

    rule: str
    scope: str
    sentence: str
    until: int | None
    marketing_only: bool = True


@dataclass(frozen=True, slots=True)
class ContactPlan:
    """The contact rules of a catalog, compiled once; `of` makes it.

    The `keep`s say how long a marketing contact, any contact, and a reply of an outcome matter to a scope.
    """

    caps: tuple[tuple[Cap, int, str | None], ...]
    pauses: tuple[tuple[Pause, int, str | None], ...]
    quiets: tuple[tuple[Quiet, str], ...]
    counted: tuple[tuple[str, int, str, int], ...]
    keep_capped: Mapping[Watched, int]
    keep_counted: Mapping[Watched, int]
    keep_replies: Mapping[str, Mapping[Watched, int]]
    hold: int
    bound: int

    @classmethod
    def of(cls, catalog: Catalog) -> ContactPlan:
        """Return the plan of a catalog.

        A rule `on: action | group | issue | channel` has a counter of its own for each value; `on: all`,
        `channel/email`, `retain`, `retain/bundle` or `action/keep_bundle` is about that one. Quiet hours on a level
        are quiet hours of everything.
        """
        caps = tuple((rule, *_on(rule.on)) for rule in catalog.contact if isinstance(rule, Cap))
        pauses = tuple((rule, *_on(rule.on)) for rule in catalog.contact if isinstance(rule, Pause))
        counted = tuple(_counted(catalog))
        return cls(
            caps=caps,
            pauses=pauses,
            quiets=tuple((rule, _on(rule.on)[1] or "all") for rule in catalog.contact if isinstance(rule, Quiet)),
            counted=counted,
            keep_capped=_longest((level, scope, cap.span) for cap, level, scope in caps),
            # a rule of tomorrow's catalog finds the contacts of the last 90 days
            keep_counted=_longest([(0, "all", 90 * DAY), *((lv, scope, window) for _, lv, scope, window in counted)]),
            keep_replies={
                outcome: _longest((lv, scope, p.span + p.pause) for p, lv, scope in pauses if p.after == outcome)
                for outcome in {p.after for p, _, _ in pauses}
            },
            hold=catalog.model.hold,
            bound=max([BOUND, *(cap.at_most for cap, _, _ in caps)]),
        )

    def blocked(self, contacts: Contacts, at: int, terms: str | Terms = NOBODY) -> list[Refusal]:
        """Return the scopes that caps and pauses close now; the cost grows with this customer's own history alone."""
        found: list[Refusal | None] = []
        most = len(contacts.made) + len(contacts.holds)
        close = [rule for rule in self._caps(terms) if most >= rule[0].at_most]
        if close:
            made, held = contacts.marketing, _held(contacts.holds, at)
            for cap, level, scope in close:
                for name in _names(level, scope, made, held):
                    times, holds = made[level].get(name, ()), held[level].get(name, ())
                    if len(times) + len(holds) >= cap.at_most:
                        found.append(_full(cap, name, times, holds, at))
        for pause, level, scope in self.pauses:
            if len(contacts.replies) >= pause.times:
                said = contacts.replied.get(pause.after, _NOTHING)
                for name in _names(level, scope, said, _NOTHING):
                    times = said[level].get(name, ())
                    if len(times) >= pause.times:
                        found.append(_paused(pause, name, times, at))
        return [refusal for refusal in found if refusal]

    def quiet(self, channel: Channel, at: int, terms: str | Terms) -> list[Refusal]:
        """Return the scopes that are quiet now in a channel."""
        here = f"channel/{channel.name}"
        found = [_asleep(r, s, at, terms) for r, s in self.quiets if s == here or not s.startswith("channel/")]
        return [refusal for refusal in found if refusal]

    def why_not(
        self,
        contacts: Contacts,
        action: Action,
        channel: Channel,
        at: int,
        terms: str | Terms,
        decision_id: str | None = None,
    ) -> Refusal | None:
        """Return the first refusal of an action in a channel; None if it may be made.

        With `decision_id` the hold of that decision for this action does not count, so that a push can be asked about
        again when it leaves.
        """
        if action.kind == "service" and action.urgent:
            return None
        own = scopes(action.issue, action.group, action.name, channel.name)
        refusal: Refusal | None = None
        if action.kind == "marketing":
            held = contacts.holds if decision_id is None else _others(contacts.holds, decision_id, action.name)
            live = [h for h in held if h.marketing and h.lives(at)]
            for cap, level, scope in self._caps(terms):
                if scope in (None, own[level]) and len(contacts.made) + len(live) >= cap.at_most:
                    times = contacts.marketing[level].get(own[level], ())
                    holds = [_lapse(h) for h in live if h.scopes[level] == own[level]]
                    refusal = refusal or _full(cap, own[level], times, holds, at)
            for pause, level, scope in self.pauses:
                if scope in (None, own[level]):
                    times = contacts.replied.get(pause.after, _NOTHING)[level].get(own[level], ())
                    refusal = refusal or _paused(pause, own[level], times, at)
        for quiet, scope in self.quiets:
            if scope in own:
                refusal = refusal or _asleep(quiet, scope, at, terms)
        return refusal

    def reserve(
        self, contacts: Contacts, decision_id: str, action: Action, channel: Channel, at: int, terms: str | Terms
    ) -> Refusal | None:
        """Keep room for a contact and return None; or return why there is none, and change nothing.

        Push is held until it is confirmed or released, pull lapses after the catalog's `hold`. The same reservation
        twice is one. Holds that have lapsed by `at` are dropped: their room may go to this one.
        """
        if _told(contacts.holds, decision_id, action.name) or _told(contacts.made, decision_id, action.name):
            return None
        if refusal := self.why_not(contacts, action, channel, at, terms):
            return refusal
        holds = [h for h in contacts.holds if h.lives(at)]
        if len(holds) >= self.bound:
            return Refusal("reservations", "all", f"{len(holds)} reservations are open already", None, False)
        until = None if channel.push else at + self.hold
        hold = Hold(*_who(at, decision_id, action, channel), action.kind == "marketing", until)
        if holds and holds[-1].at >= at:
            insort(holds, hold, key=order)
        else:
            holds.append(hold)
        contacts.holds = holds
        return None

    def release(self, contacts: Contacts, decision_id: str, action: str) -> bool:
        """Give the room of a hold back; return whether there was one."""
        kept = _others(contacts.holds, decision_id, action)
        found, contacts.holds = len(kept) < len(contacts.holds), kept
        return found

    def confirm(self, contacts: Contacts, decision_id: str, action: Action, channel: Channel, at: int) -> bool:
        """Make a hold a contact at an instant (never before its own); return whether it was late.

        Late: the hold had lapsed, was released or never was, so its room may have been given away. The contact counts
        all the same. The same contact twice is one, and the second time is not late.
        """
        key = (decision_id, action.name)
        if any(c.key == key for c in contacts.made):
            return False
        hold = next((h for h in contacts.holds if h.key == key), None)
        if hold is None:
            contact = Contact(*_who(at, decision_id, action, channel), action.kind == "marketing")
        else:
            at = max(at, hold.at)
            contact = Contact(at, *key, hold.issue, hold.group, hold.channel, hold.marketing)
            contacts.holds = [h for h in contacts.holds if h is not hold]
        insort(contacts.made, contact, key=order)
        self._forget(contacts, contacts.made[-1].at)
        return hold is None or not hold.lives(at)

    def answer(
        self, contacts: Contacts, decision_id: str, action: Action, channel: Channel, outcome: str, at: int
    ) -> None:
        """Note an answer, if some pause asks for it; the same answer twice is one, at its earliest instant."""
        if outcome in self.keep_replies:
            reply = Reply(*_who(at, decision_id, action, channel), outcome)
            contacts.replies = merge([contacts, Contacts(replies=[reply])]).replies
            self._forget(contacts, contacts.replies[-1].at)

    def counts(self, contacts: Contacts, at: int) -> tuple[dict[str, int], int | None]:
        """Return the contacts made in (at - window, at] for each such name of the catalog, as `contacts_email_7d`,
        and the instant before which they stay right without another contact (None: for ever).

        Marketing and service both count; holds do not.
        """
        if not self.counted:
            return {}, None
        values, valid = dict.fromkeys((name for name, *_ in self.counted), 0), NEVER
        for name, level, scope, window in self.counted if contacts.made else ():
            times = contacts.everything[level].get(scope, ())
            first, end = bisect_right(times, at - window), bisect_right(times, at)
            values[name] = end - first
            if first < end:
                valid = min(valid, times[first] + window)
            if end < len(times):
                valid = min(valid, times[end])
        return values, None if valid == NEVER else valid

    def excess(self, contacts: Contacts, at: int) -> list[Refusal]:
        """Return the caps that are exceeded in some window, by a late contact or a join: "5 of 3 e-mails in 7 days".

        Looks at every window that ends at a contact still kept, and, with the live holds, at the one that ends now.
        """
        held, found = _held(contacts.holds, at), []
        for cap, level, scope in self.caps:
            for name in _names(level, scope, contacts.marketing, held):
                times = contacts.marketing[level].get(name, [])
                most = max((i + 1 - bisect_right(times, t - cap.span) for i, t in enumerate(times)), default=0)
                now = len(times) - bisect_right(times, at - cap.span) + len(held[level].get(name, ()))
                if max(most, now) > cap.at_most:
                    found.append(Refusal(cap.name, name, _of(max(most, now), cap, name), None))
        return found

    def prune(self, contacts: Contacts, at: int) -> None:
        """Drop lapsed holds, and the contacts and answers that no rule and no count needs from `at` on."""
        contacts.holds = [h for h in contacts.holds if h.lives(at)]
        self._forget(contacts, at)

    def _caps(self, terms: str | Terms) -> Sequence[tuple[Cap, int, str | None]]:
        """Return the caps of the catalog and those that the customer chose."""
        if isinstance(terms, str) or not terms.caps:
            return self.caps
        return (*self.caps, *((cap, *_on(cap.on)) for cap in terms.caps))

    def _forget(self, contacts: Contacts, at: int) -> None:
        spans = (self.keep_capped, self.keep_counted)
        wanted = [spans if c.marketing else spans[1:] for c in contacts.made]
        contacts.made = _needed(contacts.made, wanted, at, self.bound)
        asked = [(self.keep_replies.get(r.outcome, {}),) for r in contacts.replies]
        contacts.replies = _needed(contacts.replies, asked, at, self.bound)
        contacts.changed()


_NOTHING: Index = ({}, {}, {}, {}, {})
_Any = TypeVar("_Any", bound=Touch)


def _needed(touches: list[_Any], wanted: Sequence[Sequence[Mapping[Watched, int]]], at: int, bound: int) -> list[_Any]:
    """Return the touches that a wanted span still reaches and that are among the `bound` newest of that scope."""
    seen: Counter[tuple[int, int, str]] = Counter()
    kept = []
    for touch, keeps in zip(reversed(touches), reversed(wanted)):
        needed = False
        for keep in keeps:
            for level, scope in enumerate(touch.scopes):
                span = max(keep.get((level, None), 0), keep.get((level, scope), 0))
                if span and touch.at > at - span - _SLACK:
                    seen[id(keep), level, scope] += 1
                    needed = needed or seen[id(keep), level, scope] <= bound
        if needed:
            kept.append(touch)
    return kept[::-1]


def _full(cap: Cap, scope: str, times: Sequence[int], holds: Sequence[int], at: int) -> Refusal | None:
    """`times` are those of the contacts of the scope, ascending; `holds` when its live holds lapse."""
    if len(times) + len(holds) < cap.at_most:
        return None
    first = bisect_right(times, at - cap.span)
    used = len(times) - first + len(holds)
    if used < cap.at_most:
        return None
    if not cap.at_most:
        return Refusal(cap.name, scope, _of(used, cap, scope), None)
    # Room comes back when all but N - 1 of those that take it have left.
    until = sorted([*(t + cap.span for t in times[first:]), *holds])[used - cap.at_most]
    reserved = f", {len(holds)} of them reserved" if holds else ""
    return Refusal(cap.name, scope, _of(used, cap, scope) + reserved, None if until >= NEVER else until)


def _paused(pause: Pause, scope: str, times: Sequence[int], at: int) -> Refusal | None:
    for last in range(bisect_right(times, at) - 1, pause.times - 2, -1):
        if times[last] + pause.pause <= at:
            return None
        if times[last] - times[last - pause.times + 1] < pause.span:
            sentence = f"{pause.times} x {pause.after} in {_words(pause.span)}: paused for {_words(pause.pause)}"
            return Refusal(pause.name, scope, sentence, times[last] + pause.pause)
    return None


def _asleep(rule: Quiet, scope: str, at: int, terms: str | Terms) -> Refusal | None:
    where = Terms((terms,)) if isinstance(terms, str) else terms
    sentence = why_quiet(rule, at, where)
    if sentence is None:
        return None
    return Refusal(rule.name, scope, sentence, quiet_until(rule, at, where), False)


def _on(on: str) -> Watched:
    """Return the level that a rule counts on, and its one scope (None: each of the level)."""
    if on == "all":
        return 0, "all"
    if on in _LEVELS:
        return _LEVELS.index(on), None
    if on.startswith(("channel/", "action/")):
        return _LEVELS.index(on.partition("/")[0]), on
    return _LEVELS.index("group" if "/" in on else "issue"), on


def _counted(catalog: Catalog) -> Iterable[tuple[str, int, str, int]]:
    """Yield (name, level, scope, window) of each contact count among the catalog's names."""
    declared = {t.name for t in catalog.traits} | {f.name for f in catalog.features} | {c.name for c in catalog.context}
    channels = {c.name for c in catalog.channels}
    for name in (n.name for n in catalog.names if n.name not in declared):
        found = re.fullmatch(r"contacts_(.+)_(\d+[smhdw])", name)
        if found and found[1] == "all":
            yield name, 0, "all", parse_span(found[2])
        elif found and found[1] in channels:
            yield name, 1, f"channel/{found[1]}", parse_span(found[2])


def _longest(spans: Iterable[tuple[int, str | None, int]]) -> dict[Watched, int]:
    longest: dict[Watched, int] = {}
    for level, scope, span in spans:
        longest[level, scope] = max(span, longest.get((level, scope), 0))
    return longest


def _names(level: int, scope: str | None, one: Index, other: Index) -> Iterable[str]:
    if scope is not None:
        return (scope,)
    return {**one[level], **other[level]} if other[level] else one[level]


def _held(holds: Iterable[Hold], at: int) -> Index:
    """Return when each live marketing hold lapses, by scope."""
    if not holds:
        return _NOTHING
    index: Index = ({}, {}, {}, {}, {})
    for h in holds:
        if h.marketing and h.lives(at):
            for level, scope in zip(index, h.scopes):
                level.setdefault(scope, []).append(_lapse(h))
    return index


def _told(touches: Iterable[Touch], decision_id: str, action: str) -> bool:
    return any(t.decision_id == decision_id and t.action == action for t in touches)


def _others(touches: Iterable[_Any], decision_id: str, action: str) -> list[_Any]:
    return [t for t in touches if t.decision_id != decision_id or t.action != action]


def _lapse(hold: Hold) -> int:
    return NEVER if hold.until is None else hold.until


def _who(at: int, decision_id: str, action: Action, channel: Channel) -> tuple[int, str, str, str, str, str]:
    return at, decision_id, action.name, action.issue, action.group, channel.name


def _of(used: int, cap: Cap, scope: str) -> str:
    """Return "3 of 3 e-mails in 7 days"."""
    if scope == "channel/email":
        what = "e-mails"
    elif scope == "all":
        what = "contacts"
    elif scope.startswith("channel/"):
        what = f"contacts by {scope.removeprefix('channel/')}"
    else:
        what = f"contacts about {scope.removeprefix('action/')}"
    return f"{used} of {cap.at_most} {what} in {_words(cap.span)}"


@lru_cache(maxsize=1024)
def _words(span: int) -> str:
    """Return a span as people say it: "7 days", "1 hour"."""
    units = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second"))
    unit, word = next(((u, w) for u, w in units if span % u == 0), units[-1])
    return f"{span // unit} {word}" + ("s" if span // unit != 1 else "")
