"""The people of a store: the stateful door through which the hub folds events and reads profiles.

States live in a bounded cache and are written behind; a row holds the sequence number that it reflects, so `catch_up`
folds what the rows lack from the log of events. That log has (node, sealed `codec` bytes of the event) rows. Links are
written at once: take events inside the transaction that appends them, and `reset` if it fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Any

import msgspec

from opportune.errors import BadEvent, Forgotten, NotFound
from opportune.events import codec
from opportune.events.types import Event, Joined, LedgerFact, Proposed
from opportune.profiles.addresses import trait
from opportune.profiles.consent import Consent, Key
from opportune.profiles.fold import consents, fold, values
from opportune.profiles.identity import Identities
from opportune.profiles.merge import merge
from opportune.profiles.recent import Recent
from opportune.profiles.spec import ProfileSpec, Watch
from opportune.profiles.state import State, dump, load
from opportune.rules import Value
from opportune.store.base import Rows, Store
from opportune.store.vault import Vault


@dataclass(slots=True)
class View:
    """A person as they are now: good until the next event is taken.

    `subject` is the pseudonym of the root, `customer` the user id (of an unknown visitor the anonymous id), `nodes` the
    identities of the person, the root first, and `states` what is known of each.
    """

    subject: str
    customer: str
    states: Sequence[State]
    nodes: tuple[str, ...]
    spec: ProfileSpec
    _merged: State | None = None
    _read: dict[str, Value] = field(default_factory=dict)
    _from: int = 0
    _until: int = -1

    @property
    def state(self) -> State:
        """What is known of the person: the merge of their states, made when it is first asked for."""
        if self._merged is None:
            self._merged = merge(self.states, self.spec)
        return self._merged

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids that clients know the person by."""
        return tuple(dict.fromkeys(state.id for state in self.states if state.id))

    def values(self, now: int) -> Mapping[str, Value]:
        """Return every declared trait and feature at an instant; read once until time alone can change one."""
        if not self._from <= now < self._until:
            self._read, self._until = values(self.state, self.spec, now)
            self._from = now
        return self._read

    def until(self, now: int) -> int:
        """Return the instant until which `values(now)` stay if no event comes."""
        self.values(now)
        return self._until

    def consents(self) -> dict[Key, Consent]:
        """Return the last word on consent per (purpose, channel) or (purpose, channel, topic)."""
        return consents(self.state)

    def look(self, name: str, now: int) -> Any:
        """Return a declared trait or feature at an instant, else what a trait of that name holds, declared or not."""
        value = self.values(now).get(name)
        return trait(self.state, name)[1] if value is None else value


class People:
    """Who everybody is: events in, views out. One at a time, in the order of the log."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        spec: ProfileSpec,
        cache_size: int = 20_000,
        blocked: Set[str] = frozenset(),
    ) -> None:
        """`cache_size` bounds the states held in memory; `blocked` adds to the ids that name nobody, in lower case."""
        self.spec = spec
        self.identities = Identities(store, vault, cache_size, blocked)
        self._store, self._vault = store, vault
        self._rows, self._marks = store.table("profiles"), store.table("profile_marks")
        self._states = Recent[str, State](cache_size)
        self._views = Recent[str, View](cache_size)
        self._dirty: dict[str, int] = {}
        """Node -> the first event that its row lacks, in order of these."""
        self._seq = 0
        self.fed: Sequence[Watch] = ()
        """What watched the event that was taken last."""

    def route(self, event: Event) -> str:
        """Return the node that an event belongs to, the key of its row in the log; call it right before `take`.

        Raises `BadEvent` for an event that names nobody.
        """
        node = self.identities.node(event.user_id, event.anonymous_id, create=True)
        if node is None:
            raise BadEvent("nobody", f"event {event.message_id} names nobody: send a userId or an anonymousId")
        return node

    def take(self, event: Event, seq: int, node: str | None = None) -> list[LedgerFact]:
        """Take in the event with that sequence number; return the joins and proposals that it causes.

        `node` is what `route` has just said.
        """
        node = node or self.route(event)
        self.fed = self._fold(node, event, seq)
        self._seq = seq
        self._views.drop(self.identities.root(node))
        if event.type == "identify":
            return self._join(event, event.anonymous_id)
        if event.type == "alias":
            return self._alias(event)
        return []

    def resolve(self, user_id: str | None, anonymous_id: str | None, create: bool = False) -> View | None:
        """Return the person of a user id, or where that is meaningless of an anonymous id.

        None if the id is unknown and none is to be made, or both are meaningless.
        """
        node = self.identities.node(user_id, anonymous_id, create)
        if node is None:
            return None
        self._name(node, user_id, anonymous_id, write=create)
        return self._view(self.identities.root(node))

    def view(self, customer: str) -> View | None:
        """Return the person of a user id, an anonymous id or the pseudonym of any of their nodes; None if unknown."""
        if self._states.get(customer) is not None or self._rows.get(customer) is not None:
            return self._view(self.identities.root(customer))
        return self.resolve(customer, None) or self.resolve(None, customer)

    def named(self, view: View) -> list[tuple[str, str]]:
        """Return the ids of a person as (`user_id` or `anonymous_id`, id), the user id first."""
        states = (self._state(node) for node in view.nodes)
        return [("user_id" if state.user else "anonymous_id", state.id) for state in states if state.id]

    def ids(self, view: View) -> list[str]:
        """Return the user id and the anonymous ids of a person, sorted."""
        return sorted({self._state(node).id for node in view.nodes} - {""})

    def everyone(self) -> Iterator[View]:
        """Yield the view of every person, by pseudonym; saves first. Those forgotten are left out."""
        self.save()
        linked = self.identities.linked()
        for node, _ in self._rows.scan():
            if node not in linked:
                try:
                    yield self._view(node)
                except Forgotten:
                    continue

    def after(self, subject: str) -> Iterator[View]:
        """Yield the view of every person whose pseudonym sorts after one; who is new since `save` may be missing."""
        for node, _ in self._rows.scan(after=subject):
            if self.identities.root(node) == node:
                with suppress(Forgotten):
                    yield self._view(node)

    def unjoin(self, node: str, at: int, cause: str = "admin") -> Joined:
        """Undo a join: the person is as if it had never been, and so is the visitor. `BadRequest` if there is none."""
        root = self.identities.unlink(node)
        self._views.drop(root)
        self._views.drop(node)
        return Joined(at=at, subject=root, node=node, cause=cause, undone=True)

    def forget(self, customer: str) -> tuple[str, ...]:
        """Destroy the rows, links and keys of a person; return the pseudonyms that no longer stand for anyone.

        The root comes first. Raises `NotFound` for one who is not known.
        """
        view = self.view(customer)
        if view is None:
            raise NotFound("no such customer: give a user id, an anonymous id or a pseudonym from a profile")
        with self._store.transaction():
            self._rows.delete(list(view.nodes))
            gone = self.identities.forget(view.nodes)
            for subject in gone:
                self._vault.destroy(subject)
        for node in view.nodes:
            self._states.drop(node)
            self._dirty.pop(node, None)
        self._views.drop(view.subject)
        return gone

    def save(self, until: int | None = None) -> int:
        """Write the rows that changed, and how far all rows reflect the log; return how many were written.

        With `until`, only rows that lack an event up to that number: what is left for later is written once then.
        """
        late = list(takewhile(lambda node: until is None or self._dirty[node] <= until, self._dirty))
        rows = []
        for node in sorted(late):
            state = self._states.get(node)
            assert state is not None
            rows.append((node, dump(state)))
        if not rows and until is not None:
            return 0
        reflected = next(islice(self._dirty.values(), len(late), None), self._seq + 1) - 1
        with self._store.transaction():
            self._rows.put(self._vault.seal_many(rows))
            self._marks.put([("seq", str(reflected).encode())])
        for node in late:
            del self._dirty[node]
        return len(rows)

    def catch_up(self, log: Rows) -> int:
        """Fold what the log has and the rows lack, fill features that the rows never had, and save.

        Call it at start, before the first event. Return how many events were folded. Payloads that were erased or
        whose key was destroyed are left out.
        """
        self._seq = int(self._marks.get("seq") or b"0")
        folded = 0
        for seq, node, event in self._events(log, self._seq):
            if seq > self._state(node).seq:
                self._fold(node, event, seq)
                folded += 1
        self._seq = log.last()
        self._views.clear()
        filled = set(msgspec.json.decode(self._marks.get("features") or b"[]", type=list[str]))
        if self.spec.fingerprints != filled:
            self._fill(log, self.spec.fingerprints - filled)
        self.save()
        self._marks.put([("features", msgspec.json.encode(sorted(self.spec.fingerprints)))])
        return folded

    def adopt(self, spec: ProfileSpec, log: Rows) -> None:
        """Go on with the traits and features of another catalog: fill the new ones from the log, drop the old ones."""
        self.save()
        self.spec = spec
        self._states.clear()
        self.catch_up(log)

    def reset(self, log: Rows) -> None:
        """Go back to what the store holds, after a transaction with taken events in it failed."""
        for cache in (self._states, self._views, self.identities, self._dirty):
            cache.clear()
        self.catch_up(log)

    def _fold(self, node: str, event: Event, seq: int) -> Sequence[Watch]:
        state = self._states.get(node)
        if state is None or not state.id:
            state = self._name(node, event.user_id, event.anonymous_id, write=False)
        self._dirty.setdefault(node, seq)
        return fold(state, event, seq, self.spec)

    def _name(self, node: str, user_id: str | None, anonymous_id: str | None, write: bool) -> State:
        """Return the state of a node with the id that led to it; `write` one that no event of the log would bring."""
        state = self._state(node)
        if not state.id:
            state.user = node == self.identities.user(user_id, create=False)
            state.id = (user_id if state.user else anonymous_id) or ""
            if write:
                self._write(node, state)
        return state

    def _write(self, node: str, state: State) -> None:
        self._rows.put([(node, self._vault.seal(node, dump(state)))])
        self._dirty.pop(node, None)

    def _join(self, event: Event, anonymous_id: str | None) -> list[LedgerFact]:
        user = self.identities.user(event.user_id, create=True)
        node = None if user is None or anonymous_id is None else self.identities.join(user, anonymous_id)
        if user is None or node is None:
            return []
        self._name(node, None, anonymous_id, write=True)
        self._views.drop(user)
        self._views.drop(node)
        return [Joined(at=event.received_at, subject=user, node=node, cause=f"event {self._seq}")]

    def _alias(self, event: Event) -> list[LedgerFact]:
        user, other = self.identities.user(event.user_id, True), self.identities.user(event.previous_id, False)
        if user is None or user == other:
            return []
        if other is None:
            return self._join(event, event.previous_id)
        return [Proposed(at=event.received_at, subject=user, other=other, cause=f"event {self._seq}")]

    def _state(self, node: str) -> State:
        state = self._states.get(node)
        if state is None:
            row = self._rows.get(node)
            state = State() if row is None else load(self._vault.open(node, row))
            for fingerprint in state.features.keys() - self.spec.fingerprints:
                del state.features[fingerprint]
            self._hold(node, state)
        return state

    def _hold(self, node: str, state: State) -> None:
        evicted = self._states.put(node, state)
        if evicted is not None and evicted[0] in self._dirty:
            self._write(*evicted)

    def _view(self, root: str) -> View:
        view = self._views.get(root)
        if view is None:
            nodes = self.identities.nodes(root)
            states = [self._state(node) for node in nodes]
            view = View(root, states[0].id, states, nodes, self.spec)
            self._views.put(root, view)
        return view

    def _events(self, log: Rows, after: int = 0) -> Iterator[tuple[int, str, Event]]:
        for seq, node, payload in log.read(after):
            if payload:
                try:
                    yield seq, node, codec.decode_event(self._vault.open(node, payload))
                except Forgotten:
                    continue

    def _fill(self, log: Rows, fingerprints: Set[str]) -> None:
        """Compute what features hold from the whole log, in place of whatever the rows have."""
        from opportune.profiles.duck import backfill

        events = ((node, seq, event) for seq, node, event in self._events(log))
        for node, held in backfill(events, self.spec, fingerprints):
            self._state(node).features.update(held)
            self._dirty.setdefault(node, self._seq)
