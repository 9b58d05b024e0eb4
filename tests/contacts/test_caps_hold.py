"""Caps are exact: no window of any rule ever holds more than it may, whatever is interleaved with what."""

from __future__ import annotations

import copy
import os

import msgspec
from contact_catalogs import APP, EMAIL, SMS, action, catalog
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from opportune.catalog.types import Cap
from opportune.clock import HOUR, MINUTE
from opportune.profiles.contacts import ContactPlan, Contacts, merge

START = 1_800_000_000_000_000
ACTIONS = (
    action("a"),
    action("b"),
    action("c", "grow", "plan"),
    action("d", "grow", "plan"),
    action("bill", "service", "bill", kind="service"),
)
CHANNELS = (EMAIL, SMS, APP)
SPANS = (10 * MINUTE, 14 * MINUTE, 40 * MINUTE, 3 * HOUR)
ONS = ("all", "channel", "issue", "group", "action", "channel/app", "grow", "retain/bundle", "action/a")


class Item:
    """What the reference knows of a contact or hold: plain data, no index, no bisection."""

    def __init__(self, number: int, what, channel, at: int) -> None:
        self.number, self.what, self.channel, self.reserved = number, what, channel, at
        self.contact: int | None = None
        self.late = False

    @property
    def id(self) -> str:
        return f"d{self.number}"

    def counts_in(self, on: str) -> str | None:
        """Return the counter of a rule that this belongs to, by the words of the rule."""
        a = self.what
        own = {
            "all": "all",
            "channel": self.channel.name,
            "issue": a.issue,
            "group": f"{a.issue}/{a.group}",
            "action": a.name,
            f"channel/{self.channel.name}": on,
            a.issue: on,
            f"{a.issue}/{a.group}": on,
            f"action/{a.name}": on,
        }
        return own.get(on)


class Caps(RuleBasedStateMachine):
    @initialize(
        caps=st.lists(
            st.tuples(st.sampled_from(ONS), st.integers(1, 3), st.sampled_from(SPANS)), min_size=1, max_size=4
        )
    )
    def begin(self, caps) -> None:
        self.caps = [Cap(f"cap{i}", on, n, span) for i, (on, n, span) in enumerate(caps)]
        self.plan = ContactPlan.of(catalog(*self.caps))
        self.contacts = Contacts()
        self.items: list[Item] = []
        self.now = START
        self.merged = 0  # items up to this number were made before the last join

    @rule(minutes=st.sampled_from([0, 1, 3, 9, 10, 14, 15, 16, 45, 200]), more=st.integers(0, 3))
    def wait(self, minutes: int, more: int) -> None:
        self.now += minutes * MINUTE + more

    @rule(what=st.sampled_from(ACTIONS), channel=st.sampled_from(CHANNELS), back=st.sampled_from([0, 0, 0, 0, 1, 20]))
    def reserve(self, what, channel, back: int) -> None:
        item = Item(len(self.items), what, channel, self.now - back * MINUTE)
        allowed = self.plan.why_not(self.contacts, what, channel, item.reserved, "UTC") is None
        closed = {r.scope for r in self.plan.blocked(self.contacts, item.reserved) if r.marketing_only}
        scopes = {"all", f"channel/{channel.name}", what.issue, f"{what.issue}/{what.group}", f"action/{what.name}"}
        assert allowed == (what.kind == "service" or not closed & scopes), "the hot path and the commit agree"
        assert back or allowed == self.fits(item), "a cap refuses only what would not fit"
        refusal = self.plan.reserve(self.contacts, item.id, what, channel, item.reserved, "UTC")
        assert (refusal is None) == allowed
        if refusal is None:
            self.items.append(item)
        elif refusal.until is not None and not back:
            before = self.plan.why_not(self.contacts, what, channel, refusal.until - 1, "UTC")
            after = self.plan.why_not(self.contacts, what, channel, refusal.until, "UTC")
            assert before is not None
            assert before.rule == refusal.rule
            assert after is None or after.rule != refusal.rule

    @precondition(lambda self: self.items)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(self.items))
        at = data.draw(st.integers(min(item.reserved - MINUTE, self.now), self.now))
        held = next((h for h in self.contacts.holds if h.decision_id == item.id), None)
        remembered = any(c.decision_id == item.id for c in self.contacts.made)
        late = self.plan.confirm(self.contacts, item.id, item.what, item.channel, at)
        if item.contact is None:
            item.contact = at if held is None else max(at, item.reserved)
            item.late = late
            assert late == (held is None or (held.until is not None and held.until <= item.contact))
        elif remembered:
            assert late is False

    @precondition(lambda self: self.items)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(self.items))
        held = any(h.decision_id == item.id for h in self.contacts.holds)
        assert self.plan.release(self.contacts, item.id, item.what.name) == held

    @rule(what=st.sampled_from(ACTIONS), channel=st.sampled_from(CHANNELS), ago=st.integers(0, 60))
    def join(self, what, channel, ago: int) -> None:
        """Another identity of the same person turns up, with a contact and a hold of its own."""
        other, at = Contacts(), self.now - ago * MINUTE
        items = [Item(len(self.items) + i, what, channel, at) for i in range(2)]
        taken = [i for i in items if self.plan.reserve(other, i.id, i.what, i.channel, at, "UTC") is None]
        if taken:
            assert self.plan.confirm(other, taken[0].id, what, channel, at) is False
            taken[0].contact = at
        self.contacts = merge([self.contacts, other])
        assert self.contacts == merge([other, self.contacts, self.contacts])
        self.items += items
        self.merged = len(self.items)

    @rule()
    def restart(self) -> None:
        self.contacts = msgspec.msgpack.decode(msgspec.msgpack.encode(self.contacts), type=Contacts)

    @rule()
    def prune(self) -> None:
        before = copy.deepcopy(self.contacts)
        self.plan.prune(self.contacts, self.now)
        assert self.plan.blocked(self.contacts, self.now) == self.plan.blocked(before, self.now)

    def holds(self, at: int) -> list[Item]:
        live = {h.decision_id for h in self.contacts.holds if h.until is None or h.until > at}
        return [i for i in self.items if i.id in live]

    def marketing(self, cap: Cap, counter: str) -> list[Item]:
        return [i for i in self.items if i.what.kind == "marketing" and i.counts_in(cap.on) == counter]

    def fits(self, item: Item) -> bool:
        """Return whether every cap has room for one more now: contacts in (now - W, now] and live holds."""
        for cap in self.caps:
            counter = item.counts_in(cap.on)
            if counter is None or item.what.kind == "service":
                continue
            used = self.marketing(cap, counter)
            made = [i for i in used if i.contact is not None and i.contact > self.now - cap.span]
            if len(made) + len([i for i in self.holds(self.now) if i in used]) >= cap.at_most:
                return False
        return True

    @invariant()
    def no_window_is_overfull(self) -> None:
        if not hasattr(self, "items"):
            return
        holds = self.holds(self.now)
        for cap in self.caps:
            for counter in {i.counts_in(cap.on) for i in self.items} - {None}:
                own = [i for i in self.marketing(cap, counter) if not i.late]
                made = [i for i in own if i.contact is not None]
                held = [i for i in own if i in holds]
                for end in {i.contact for i in made} | {i.contact + cap.span - 1 for i in made} | {self.now}:
                    window = [i for i in made if end - cap.span < i.contact <= end]
                    # A live hold may become a contact at any instant from now on.
                    window += held if end >= self.now else []
                    newest = max((i.number for i in window), default=0)
                    assert len(window) <= cap.at_most or newest < self.merged, (cap, counter, end, window)

    @invariant()
    def excess_is_told(self) -> None:
        if not hasattr(self, "items") or any(i.late for i in self.items):
            return
        for cap in self.caps:
            scopes = [r.scope for r in self.plan.excess(self.contacts, self.now) if r.rule == cap.name]
            told = {s.split("/", 1)[-1] if cap.on in ("channel", "action") else s for s in scopes}
            known = {c.decision_id for c in self.contacts.made}
            for counter in {i.counts_in(cap.on) for i in self.items} - {None}:
                own = self.marketing(cap, counter)
                instants = [i.contact for i in own if i.id in known]
                most = max((sum(t - cap.span < u <= t for u in instants) for t in instants), default=0)
                held = [i for i in self.holds(self.now) if i in own]
                now = sum(u > self.now - cap.span for u in instants) + len(held)
                assert (counter in told) == (max(most, now) > cap.at_most), (cap, counter)


LONG = bool(os.environ.get("OPPORTUNE_LONG"))
TestCaps = Caps.TestCase
TestCaps.settings = settings(max_examples=1000 if LONG else 150, stateful_step_count=80 if LONG else 40)
