"""The values of many customers at one instant in one placement: rows of one layout, side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.batch.unpack import MISSING
from opportune.ledger.relationship import Seen
from opportune.predictors.bayes import Bayes
from opportune.profiles.contacts import Contacts
from opportune.profiles.state import State, load
from opportune.rules import Row, Value

if TYPE_CHECKING:
    from opportune.batch.reader import Reader

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class Sheet:
    """One row per customer: `numbers` as `rules.Row` has them, texts by `row`.

    `found` says of each trait of kind text which known text it is, `spans` where in `data` its bytes are, and those of
    the traits that Python reads. `written` are the texts of rows that were read one by one, `whole` the states of
    people of several identities. `contacts` are those of customers to whom something was said, `speaking` the places of
    customers whose words or other choices count, `heeding` of those with traits that do; `tails` are where the state of
    each begins, where its consents do, where it ends, and between where and where it says when its only word was said.
    `exposed` are the arms of experiments that customers have met.
    """

    reader: Reader
    subjects: list[str]
    customers: list[str]
    numbers: Floats
    data: bytes
    found: Ints
    spans: Ints
    tails: list[list[int]]
    written: dict[int, list[str | None]] = field(default_factory=dict)
    whole: dict[int, State] = field(default_factory=dict)
    contacts: dict[int, Contacts] = field(default_factory=dict)
    speaking: set[int] = field(default_factory=set)
    heeding: set[int] = field(default_factory=set)
    exposed: dict[int, list[Seen]] = field(default_factory=dict)

    def row(self, i: int) -> Row:
        """Return one customer's row; its numbers are those of the sheet."""
        texts = self.written.get(i)
        if texts is None:
            texts = list(self.reader.blank.texts)
            for column, slot in enumerate(self.reader.text_slots):
                if self.found[i, column] != MISSING:
                    begin, end = self.spans[i, column].tolist()
                    texts[slot] = self.data[begin:end].decode()
        return Row(self.numbers[i], texts)

    def value(self, i: int, name: str) -> Value:
        """Return a declared trait or feature of one customer; None for any other name."""
        if name not in self.reader.declared:
            return None
        return self.reader.layout.get(self.row(i), name)

    def state(self, i: int) -> State:
        """Return what one customer's state holds about being contacted, and nothing else."""
        if i in self.whole:
            return self.whole[i]
        begin, tail, end, _, _ = self.tails[i]
        state = load(self.data[begin : begin + 1] + self.reader.head + self.data[tail:end])
        for name, column in self.reader.heeded.items() if i in self.heeding else ():
            first, last = self.spans[i, column].tolist()
            if last:
                state.traits[name] = _triple(self.data[first:last])
        return state

    def word(self, i: int) -> bytes | None:
        """Return the bytes of what one customer said, without when; None unless one word on consent is all."""
        _, tail, end, first, last = self.tails[i]
        return self.data[tail:first] + self.data[last:end] if first and i not in self.heeding else None

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
        return Sheet(
            reader=self.reader,
            subjects=[self.subjects[i] for i in places],
            customers=[self.customers[i] for i in places],
            numbers=self.numbers[kept],
            data=self.data,
            found=self.found[kept],
            spans=self.spans[kept],
            tails=[self.tails[i] for i in places],
            written={new[i]: texts for i, texts in self.written.items() if i in new},
            whole={new[i]: state for i, state in self.whole.items() if i in new},
            contacts={new[i]: contacts for i, contacts in self.contacts.items() if i in new},
            speaking={new[i] for i in self.speaking if i in new},
            heeding={new[i] for i in self.heeding if i in new},
            exposed={new[i]: seen for i, seen in self.exposed.items() if i in new},
        )


_triple: Any = msgspec.msgpack.Decoder(tuple[Any, int, int]).decode
