"""From the bytes of states to the values of customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from opportune.batch.sheet import Sheet
from opportune.batch.source import Opened, Part
from opportune.batch.unpack import BOOL, CONSENTS, MISSING, NOTHING, NUMBER, TEXT, Texts, header, skip, unpack
from opportune.catalog.situated import situated
from opportune.decide.plan import Place, Plan
from opportune.ledger.relationship import Relationship, decode, merge
from opportune.predictors.bayes import Bayes
from opportune.profiles.choices import PREFERRED_CHANNEL
from opportune.profiles.contacts import Contacts
from opportune.profiles.fields import dig
from opportune.profiles.fold import values
from opportune.profiles.merge import merge as merge_states
from opportune.profiles.spec import ProfileSpec
from opportune.profiles.state import State, dump, load
from opportune.rules import Kind, Layout, Row

LOOKED = ("time_zone", "country", "address.country", "phone", "region", "address.region", "address.state")
"""The traits that say where a customer lives (`profiles.zones`, `profiles.terms`)."""


class Reader:
    """Reads the values that the customers of a catalog have at an instant in a placement.

    Declared traits come out of the bytes by a kernel; what else there is (features, times, paths into objects, several
    identities, contacts) goes through the functions that a single decision goes through. `constants` are texts that
    conditions outside of the catalog name, `models` the predictors whose text inputs are wanted.
    """

    def __init__(
        self, plan: Plan, spec: ProfileSpec, place: Place, at: int, models: Sequence[Bayes] = (),
        constants: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.plan, self._spec, self._place, self._at = plan, spec, place, at
        self.layout = Layout(plan.layout.names, [*plan.layout.codes, *constants])
        self.declared = frozenset([*(t.name for t in spec.traits), *(f.name for f in spec.features)])
        self.blank = self._row(State(), Contacts())
        self.head, self.silent = _blank()
        vocabularies = [v for model in models for v in model.bins.vocabularies]
        known = dict.fromkeys([*self.layout.codes, *(text for v in vocabularies for text in v if text is not None)])
        self.texts = list(known)
        self._known = Texts(self.texts)
        self._codes = np.array([self.layout.codes.get(text, -1) for text in self.texts], np.float64)
        self._features = ProfileSpec((), spec.features, spec.time_zone)
        self._lay_out()

    def read(self, people: Opened) -> Sheet:
        """Return the values of the people of a page."""
        n, columns = len(people.subjects), len(self.text_slots) + len(self._asked)
        data = b"".join(people.states)
        starts = np.zeros(n + 1, np.int64)
        np.cumsum([len(state) for state in people.states], out=starts[1:])
        numbers = np.tile(self.blank.numbers, (n, 1))
        found, spans = np.full((n, columns), MISSING), np.zeros((n, columns, 2), np.int64)
        parts = np.zeros((n, 4, 2), np.int64)
        unpack(
            np.frombuffer(data, np.uint8), starts, self._names.table, self._wanted, self._slots, self._known.table,
            self._codes, self.silent, numbers, found, spans, parts,
        )  # fmt: skip
        customers = [data[begin:end].decode() for begin, end in parts[:, 0].tolist()]
        tails = np.column_stack([starts[:-1], parts[:, 2], parts[:, 3]])
        sheet = Sheet(self, people.subjects, customers, numbers, data, found, spans, tails.tolist())
        heeding = (spans[:, list(self.heeded.values()), 1] > 0).any(axis=1)
        sheet.heeding = set(np.flatnonzero(heeding).tolist())
        sheet.speaking = set(np.flatnonzero(tails[:, 2] - tails[:, 1] != self.silent).tolist())
        if self._features.features:
            for i, (first, last) in enumerate(parts[:, 1].tolist()):
                if last - first > 1:
                    held = State(features=_features(data[first:last]))
                    self._put(sheet, i, values(held, self._features, self._at)[0])
        if self._reads:
            self._read_asked(sheet)
        for i, relationship in people.relationships.items():
            known = decode(relationship)
            self._count(sheet, i, known.contacts)
            if known.exposed:
                sheet.exposed[i] = known.exposed
        for i, members in people.members.items():
            self._merge(sheet, i, people, members)
        return sheet

    def _lay_out(self) -> None:
        """Number the names that the kernel looks for, and say where what it finds goes."""
        channel, quiets = self._place.channel, self.plan.contact.quiets
        paths = [PREFERRED_CHANNEL, *([channel.to] if channel.via and channel.to else []), *(LOOKED if quiets else ())]
        heeded = dict.fromkeys(name for path in paths for name in (path, path.partition(".")[0]))
        plain: dict[str, tuple[int, int]] = {}
        asked = dict.fromkeys(heeded, 0)
        self._reads = []
        for name, top, rest, typed in self._spec.reads:
            kind = self.layout.kinds[name]
            if kind is Kind.TIME or rest:
                asked.update({name: 0, top: 0})
                self._reads.append((name, top, rest, typed))
            else:
                plain[name] = _KINDS[kind], self.layout.slot[name]
        self.text_slots = [slot for wanted, slot in plain.values() if wanted == TEXT]
        texts = {slot: column for column, slot in enumerate(self.text_slots)}
        self._asked = {name: len(texts) + column for column, name in enumerate(asked)}
        self.heeded = {name: self._asked[name] for name in heeded}
        names = list(dict.fromkeys([*plain, *asked]))
        self._names = Texts(names)
        self._wanted = np.array([plain.get(name, (NOTHING, -1))[0] for name in names], np.int64)
        slots = [plain.get(name, (NOTHING, -1))[1] for name in names]
        places = [(slot, texts.get(slot, -1), self._asked.get(name, -1)) for name, slot in zip(names, slots)]
        self._slots = np.array(places, np.int64).reshape(-1, 3)

    def _read_asked(self, sheet: Sheet) -> None:
        """Read the traits that the kernel has only found, as `profiles.fold.values` reads them."""
        for i, spans in enumerate(sheet.spans.tolist()):
            for name, top, rest, typed in self._reads:
                begin, end = spans[self._asked[name]]
                raw: Any = None
                if end:
                    raw = _decode(sheet.data[begin:end])[0]
                elif rest:
                    begin, end = spans[self._asked[top]]
                    whole = _decode(sheet.data[begin:end])[0] if end else None
                    raw = dig(whole, rest) if isinstance(whole, dict) else None
                if raw is not None:
                    self._put(sheet, i, {name: typed(raw)})

    def _put(self, sheet: Sheet, i: int, found: dict[str, Any]) -> None:
        row = sheet.row(i)
        before = row.texts.copy()
        for name, value in found.items():
            self.layout.put(row, name, value)
        if row.texts != before:
            sheet.written[i] = row.texts

    def _count(self, sheet: Sheet, i: int, contacts: Contacts) -> None:
        sheet.contacts[i] = contacts
        for name, count in self.plan.contact.counts(contacts, self._at)[0].items():
            sheet.numbers[i, self.layout.slot[name]] = count

    def _merge(self, sheet: Sheet, i: int, people: Opened, members: Sequence[Part]) -> None:
        """Read a person of several identities as `profiles.people` does."""
        parts = [(people.states[i], people.relationships.get(i)), *members]
        said = [relationship for _, relationship in parts]
        states = [State() if state is None else load(state) for state, _ in parts]
        whole = merge_states([_known_features(state, self._spec) for state in states], self._spec)
        relations = [Relationship(Contacts()) if r is None else decode(r) for r in said]
        merged = merge(relations)
        contacts, sheet.exposed[i] = merged.contacts, merged.exposed
        row = self._row(whole, contacts)
        sheet.numbers[i], sheet.written[i] = row.numbers, row.texts
        sheet.contacts[i], sheet.whole[i] = contacts, whole
        sheet.speaking.add(i)

    def _row(self, state: State, contacts: Contacts) -> Row:
        counts = self.plan.contact.counts(contacts, self._at)[0]
        row = self.layout.row({**values(state, self._spec, self._at)[0], **counts})
        channel, zone = self._place.channel.name, self.plan.catalog.time_zone
        return situated(self.layout, row, {}, channel, self._place.name, self._at, zone)


def _blank() -> tuple[bytes, int]:
    """Return the bytes of a state that holds nothing, from the second to its consents, and how many come from there.

    A state in which anything is said takes more.
    """
    blank = dump(State())
    data = np.frombuffer(blank, np.uint8)
    _, at = header(data, 0)
    for _ in range(CONSENTS):
        at = skip(data, at)
    return blank[1:at], len(blank) - at


def _known_features(state: State, spec: ProfileSpec) -> State:
    for fingerprint in state.features.keys() - spec.fingerprints:
        del state.features[fingerprint]
    return state


_KINDS = {Kind.NUMBER: NUMBER, Kind.TEXT: TEXT, Kind.BOOL: BOOL}
_decode: Any = msgspec.msgpack.Decoder(Any).decode
_features = msgspec.msgpack.Decoder(dict[str, Any]).decode
