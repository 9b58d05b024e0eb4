"""The values of many customers at one instant in one placement: rows of one layout, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.batch.source import Opened, Source
from opportune.batch.unpack import ASKED, BOOL, CONSENTS, MISSING, NUMBER, TEXT, Texts, header, skip, unpack
from opportune.catalog.situated import situated
from opportune.decide.plan import Place, Plan
from opportune.ledger.relationship import Relationship, merge
from opportune.ledger.relationship import decode as decode_relationship
from opportune.predictors.bayes import Bayes
from opportune.profiles.consent import Consent, Key
from opportune.profiles.contacts import Contacts
from opportune.profiles.fields import dig
from opportune.profiles.fold import consents, values
from opportune.profiles.merge import merge as merge_states
from opportune.profiles.spec import ProfileSpec
from opportune.profiles.state import State, dump, load
from opportune.rules import Kind, Layout, Row

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class Sheet:
    """One row per customer: `numbers` as `rules.Row` has them, texts by `row`.

    `found` and `spans` tell of each trait of kind text which known text it is, and its bytes in `data`; `written` are
    the texts of the rows that were read one by one. `contacts` and `consents` hold those who have any.
    """

    reader: Reader
    subjects: list[str]
    customers: list[str]
    numbers: Floats
    data: bytes
    found: Ints
    spans: Ints
    written: dict[int, list[str | None]] = field(default_factory=dict)
    contacts: dict[int, Contacts] = field(default_factory=dict)
    consents: dict[int, dict[Key, Consent]] = field(default_factory=dict)

    def row(self, i: int) -> Row:
        """Return one customer's row."""
        texts = self.written.get(i)
        if texts is None:
            texts = list(self.reader.blank.texts)
            for column, slot in enumerate(self.reader.text_slots):
                if self.found[i, column] != MISSING:
                    begin, end = self.spans[i, column].tolist()
                    texts[slot] = self.data[begin:end].decode()
        return Row(self.numbers[i], texts)

    def text_rows(self, model: Bayes) -> npt.NDArray[np.int32]:
        """Return the row of each text input of a model, per customer."""
        bins, slots = model.bins, self.reader.plan.text_slots
        blank = bins.text_rows([self.reader.blank.texts[slot] for slot in slots])
        rows = np.tile(blank, (len(self.subjects), 1))
        for column, slot in enumerate(self.reader.text_slots):
            if slot in slots:
                vocabulary = bins.vocabularies[slots.index(slot)]
                # MISSING and UNKNOWN are the last two when counted from the end
                known = [vocabulary[text] for text in self.reader.texts] + [vocabulary[None], vocabulary.rest]
                rows[:, slots.index(slot)] = np.array(known, np.int32)[self.found[:, column]]
        for i, texts in self.written.items():
            rows[i] = bins.text_rows([texts[slot] for slot in slots])
        return rows

    def keep(self, kept: npt.NDArray[np.bool_]) -> Sheet:
        """Return the rows of some customers."""
        places = np.flatnonzero(kept).tolist()
        if len(places) == len(self.subjects):
            return self
        new = {old: i for i, old in enumerate(places)}
        written, contacts, said = (
            {new[i]: value for i, value in part.items() if i in new}
            for part in (self.written, self.contacts, self.consents)
        )
        return Sheet(
            self.reader, [self.subjects[i] for i in places], [self.customers[i] for i in places], self.numbers[kept],
            self.data, self.found[kept], self.spans[kept], written, contacts, said,  # type: ignore[arg-type]
        )  # fmt: skip


class Reader:
    """Reads the values that the customers of a catalog have at an instant in a placement.

    Declared traits come out of the bytes by a kernel; what else there is (features, times, paths into objects, several
    identities, contacts) goes through the functions that a single decision goes through. `constants` are texts that
    conditions outside of the catalog name, `models` the predictors whose text inputs are wanted.
    """

    def __init__(
        self, plan: Plan, spec: ProfileSpec, source: Source, place: Place, at: int, models: Sequence[Bayes] = (),
        constants: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.plan, self._spec, self._source, self._place, self._at = plan, spec, source, place, at
        self.layout = Layout(plan.layout.names, [*plan.layout.codes, *constants])
        self.blank = self._row(State(), Contacts())
        vocabularies = [v for model in models for v in model.bins.vocabularies]
        known = dict.fromkeys([*self.layout.codes, *(text for v in vocabularies for text in v if text is not None)])
        self.texts = list(known)
        self._known = Texts(self.texts)
        self._codes = np.array([self.layout.codes.get(text, -1) for text in self.texts], np.float64)
        self._lay_out()
        self._features = ProfileSpec((), spec.features, spec.time_zone)
        self._head, self._tail = _blank()

    def read(self, people: Opened) -> Sheet:
        """Return the values of the people of a page."""
        n, columns = len(people.subjects), len(self.text_slots) + len(self._asked)
        data = b"".join(people.states)
        starts = np.zeros(n + 1, np.int64)
        np.cumsum([len(state) for state in people.states], out=starts[1:])
        numbers = np.tile(self.blank.numbers, (n, 1))
        found, spans = np.full((n, columns), MISSING), np.zeros((n, columns, 2), np.int64)
        parts = np.zeros((n, 3, 2), np.int64)
        unpack(
            np.frombuffer(data, np.uint8), starts, self._names.table, self._wanted, self._slots, self._known.table,
            self._codes, numbers, found, spans, parts,
        )  # fmt: skip
        told: list[list[list[int]]] = parts.tolist()
        customers = [data[begin:end].decode() for (begin, end), _, _ in told]
        sheet = Sheet(self, people.subjects, customers, numbers, data, found, spans)
        for i, (_, (first, last), (tail, end)) in enumerate(told):
            if last - first > 1 and self._features.features:
                self._put(sheet, i, values(State(features=_features(data[first:last])), self._features, self._at)[0])
            if data[tail:end] != self._tail:
                head = data[starts[i] : starts[i] + 1] + self._head
                sheet.consents[i] = consents(load(head + data[tail:end]))
        if self._asked:
            self._read_asked(sheet)
        for i, relationship in people.relationships.items():
            self._count(sheet, i, decode_relationship(relationship).contacts)
        for i, members in people.members.items():
            self._merge(sheet, i, people, members)
        return sheet

    def _lay_out(self) -> None:
        """Number the names that the kernel looks for, and say where what it finds goes."""
        plain: dict[str, tuple[int, int]] = {}
        asked: dict[str, int] = {}
        tops = {top for _, top, rest, _ in self._spec.reads if rest}
        self._reads = []
        for name, top, rest, typed in self._spec.reads:
            kind = self.layout.kinds[name]
            if kind is Kind.TIME or rest or name in tops:
                for key in {name, top}:
                    asked.setdefault(key, len(asked))
                self._reads.append((name, top, rest, typed))
            else:
                plain[name] = _KINDS[kind], self.layout.slot[name]
        self.text_slots = [slot for wanted, slot in plain.values() if wanted == TEXT]
        self._asked = asked
        names = [*plain, *asked]
        self._names = Texts(names)
        self._wanted = np.array([plain[n][0] if n in plain else ASKED for n in names], np.int64)
        self._slots = np.zeros((len(names), 2), np.int64)
        for number, name in enumerate(names):
            if name in plain:
                slot = plain[name][1]
                self._slots[number] = slot, self.text_slots.index(slot) if slot in self.text_slots else -1
            else:
                self._slots[number] = -1, len(self.text_slots) + asked[name]

    def _read_asked(self, sheet: Sheet) -> None:
        """Read the traits that the kernel has only found, as `profiles.fold.values` reads them."""
        first, asked = len(self.text_slots), self._asked
        for i, spans in enumerate(sheet.spans[:, first:].tolist()):
            for name, top, rest, typed in self._reads:
                begin, end = spans[asked[name]]
                raw: Any = None
                if end:
                    raw = _decode(sheet.data[begin:end])
                elif rest:
                    begin, end = spans[asked[top]]
                    whole = _decode(sheet.data[begin:end]) if end else None
                    raw = dig(whole, rest) if isinstance(whole, dict) else None
                if raw is not None:
                    self._put(sheet, i, {name: typed(raw)})

    def _put(self, sheet: Sheet, i: int, found: dict[str, Any]) -> None:
        row = sheet.row(i)
        for name, value in found.items():
            if value is not None or self.layout.kinds[name] is Kind.TEXT:
                self.layout.put(row, name, value)
            else:
                row.numbers[self.layout.slot[name]] = np.nan
        if row.texts != sheet.row(i).texts:
            sheet.written[i] = row.texts

    def _count(self, sheet: Sheet, i: int, contacts: Contacts) -> None:
        sheet.contacts[i] = contacts
        for name, count in self.plan.contact.counts(contacts, self._at)[0].items():
            sheet.numbers[i, self.layout.slot[name]] = count

    def _merge(self, sheet: Sheet, i: int, people: Opened, members: list[str]) -> None:
        """Read a person of several identities as `profiles.people` does."""
        states, said = [load(people.states[i])], [people.relationships.get(i)]
        for member in members:
            state, relationship = self._source.alone(member)
            states.append(State() if state is None else load(state))
            said.append(relationship)
        whole = merge_states([_known_features(state, self._spec) for state in states], self._spec)
        relations = [Relationship(Contacts()) if r is None else decode_relationship(r) for r in said]
        contacts = merge(relations).contacts
        row = self._row(whole, contacts)
        sheet.numbers[i], sheet.written[i] = row.numbers, row.texts
        sheet.contacts[i], sheet.consents[i] = contacts, consents(whole)

    def _row(self, state: State, contacts: Contacts) -> Row:
        counts = self.plan.contact.counts(contacts, self._at)[0]
        row = self.layout.row({**values(state, self._spec, self._at)[0], **counts})
        channel, zone = self._place.channel.name, self.plan.catalog.time_zone
        return situated(self.layout, row, {}, channel, self._place.name, self._at, zone)


def _blank() -> tuple[bytes, bytes]:
    """Return the bytes of a state that holds nothing: up to its consents without the first, and from there on."""
    blank = dump(State())
    data = np.frombuffer(blank, np.uint8)
    _, at = header(data, 0)
    for _ in range(CONSENTS):
        at = skip(data, at)
    return blank[1:at], blank[at:]


def _known_features(state: State, spec: ProfileSpec) -> State:
    for fingerprint in state.features.keys() - spec.fingerprints:
        del state.features[fingerprint]
    return state


_KINDS = {Kind.NUMBER: NUMBER, Kind.TEXT: TEXT, Kind.BOOL: BOOL}
_decode = msgspec.msgpack.Decoder(Any).decode
_features = partial(msgspec.msgpack.decode, type=dict[str, Any])
