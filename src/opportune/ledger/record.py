"""The record of one decision: what was asked, the values read, where each action fell, and the leaders in full."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import structs

from opportune.catalog.situated import situated
from opportune.catalog.types import Catalog
from opportune.ledger.compact import unpack_numbers
from opportune.predictors.base import ActionKey, Inputs, Values
from opportune.rules import Kind, Layout, Row, Value


class Leader(NamedTuple):
    """An action that was chosen, or came close: its posterior, P, C, V, L, its draw and its probability, as float32.

    `rank` counts from 1; 0 did not win. `action` is its position in the catalog.
    """

    action: int
    rank: int
    propensity: float
    baseline: float
    context_weight: float
    value: float
    lever: float
    priority: float
    drawn: float
    probability: float
    a: float
    b: float


def pack_leaders(positions: npt.NDArray[np.uint16], rows: npt.NDArray[np.float32], won: int) -> bytes:
    """Return leaders in 42 bytes each; the first `won` of them, in order of rank, won."""
    return won.to_bytes(2, "little") + positions.tobytes() + rows.tobytes()


def unpack_leaders(data: bytes) -> list[Leader]:
    """Return the leaders that `pack_leaders` packed."""
    if not data:
        return []
    count, won = (len(data) - 2) // 42, int.from_bytes(data[:2], "little")
    positions = np.frombuffer(data, np.uint16, count, 2).tolist()
    rows = np.frombuffer(data[2 + 2 * count :], np.float32).reshape(count, 10).tolist()
    ranks = [*range(1, won + 1), *[0] * (count - won)]
    return [Leader(p, rank, *row) for p, rank, row in zip(positions, ranks, rows, strict=True)]


class Ghost(msgspec.Struct, frozen=True, array_like=True):
    """The action that would have been made: position, P, probability, and why it was not (`price` or `holdout`)."""

    action: int
    propensity: float
    probability: float
    reason: str


class Place(msgspec.Struct, frozen=True, array_like=True):
    """What one placement got; `stages` is packed by `compact.pack_stages`."""

    placement: str
    channel: str
    leaders: bytes
    silence: str | None
    ghost: Ghost | None
    price: float
    candidates: int
    silence_probability: float
    discarded: float
    pushed: bool
    stages: bytes


class Carried(msgspec.Struct, frozen=True, array_like=True):
    """What the actions of a decision carry: by action the ids of items with their reasons, and for whom they are.

    `missing` says why actions are out that had nothing to carry. Codes of coupons are not here: the book of coupons
    finds them by the decision, while the customer is not forgotten.
    """

    items: dict[str, tuple[tuple[str, str], ...]] = {}
    purpose: Literal["self", "gift"] = "self"
    missing: dict[str, str] = {}


class Record(msgspec.Struct, frozen=True, array_like=True):
    """Everything that a decision depended on, with the catalog and the model that its fact names, and its answer."""

    customer: str
    at: int
    seed: int
    placements: tuple[str, ...]
    limit: int | tuple[int, ...]
    context: dict[str, Value]
    excluded: tuple[tuple[str, int, int], ...]
    numbers: bytes
    texts: tuple[str | None, ...]
    consent: dict[str, tuple[str | None, str | None]]
    refusals: tuple[tuple[str, str, str, bool], ...]
    answers: int
    baseline_positives: float
    arm: str
    places: tuple[Place, ...]
    flow: str = ""
    topics: dict[str, dict[str, tuple[str | None, str | None]]] = {}
    carried: Carried | None = None
    arms: tuple[tuple[str, str], ...] = ()

    def row(self, layout: Layout) -> Row:
        """Return the customer's row as it was, in the layout of the decision's catalog."""
        return unpack_row(layout, self.numbers, self.texts)

    def situated(self, layout: Layout, place: Place, time_zone: str) -> Row:
        """Return the row of one placement: the customer's, with context, channel, placement and time."""
        row = self.row(layout)
        return situated(layout, row, self.context, place.channel, place.placement, self.at, time_zone)


def unpack_row(layout: Layout, numbers: bytes, texts: tuple[str | None, ...]) -> Row:
    """Return a row of its packed numbers and its texts in the order of the text slots."""
    row = Row(unpack_numbers(numbers, len(layout)), [None] * len(layout))
    for slot, text in zip(text_slots(layout), texts, strict=True):
        row.texts[slot] = text
        row.numbers[slot] = np.nan if text is None else layout.codes.get(text, -1)
    return row


def text_slots(layout: Layout) -> list[int]:
    """Return the slots of the names that are texts."""
    return [i for i, n in enumerate(layout.names) if n.kind is Kind.TEXT]


def values_of(row: Row, layout: Layout, inputs: Inputs) -> Values:
    """Return what a predictor sees of a row; an input that the layout does not have is missing."""
    numbers = [row.numbers[layout.slot[n]] if n in layout.slot else np.nan for n in inputs.numbers]
    texts = [row.texts[layout.slot[n]] if n in layout.slot else None for n in inputs.texts]
    return Values(np.array(numbers, np.float32), texts)


def inputs_of(catalog: Catalog) -> Inputs:
    """Return the names that the predictors of a catalog may look at: all but times, or those that it lists."""
    wanted = catalog.model.predictors
    names = [n for n in catalog.names if n.kind is not Kind.TIME and (wanted is None or n.name in wanted)]
    texts = tuple(n.name for n in names if n.kind is Kind.TEXT)
    return Inputs(tuple(n.name for n in names if n.kind is not Kind.TEXT), texts)


def keys_of(catalog: Catalog) -> tuple[ActionKey, ...]:
    """Return the actions of a catalog as predictors pool them, in the order of the catalog."""
    return tuple(ActionKey(a.name, a.issue, a.group) for a in catalog.actions)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


def encode(record: Record) -> bytes:
    """Return the record as bytes; one without experiments, and that carries nothing, is no longer for it."""
    if record.arms:
        return _encoder.encode(record)
    return _encoder.encode(structs.astuple(record)[: -2 if record.carried is None else -1])


def decode(data: bytes) -> Record:
    """Return the record of these bytes."""
    record: Any = _decoder.decode(data)
    return record  # type: ignore[no-any-return]
