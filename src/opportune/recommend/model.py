"""What the recommender has learned: parts and their weights, trained from rows alone, kept as bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import msgspec
import numpy as np

from opportune.recommend import blend
from opportune.recommend.blend import Case
from opportune.recommend.parts.content import Content, content
from opportune.recommend.parts.neighbors import (
    RIDGES,
    TRIED,
    Neighbors,
    companions,
    cosine,
    ease,
    head,
    in_session,
    solved,
)
from opportune.recommend.parts.popular import Popular, popular, popular_now
from opportune.recommend.rows import arranged, baskets, by_content, without
from opportune.recommend.types import Asked, Floats, Longs, Part, Rows, Words

HELD, HELD_SHARE = 3_000, 0.4
"""Customers of whom one item is held back to learn the weights of the parts, and the most of all of them."""

BEFORE: Mapping[str, float] = {"popular_now": 0.1, "popular": 0.1}
"""How much a part is thought to count beside 1 of the others: what everybody wants says little of anybody."""

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Model:
    """The parts, how much each counts, and how often each found the held item among its first ten.

    `ids` name the items by number, as `items.number_of` has them; empty where the caller keeps the numbers.
    """

    parts: tuple[Part, ...]
    weights: Floats
    judged: Mapping[str, float]
    ridge: float
    trained: int
    ids: Longs

    @property
    def n(self) -> int:
        """How many items there are."""
        return len(self.parts[-1].scores(Asked()).values)


def train(
    rows: Rows, words: Words | None = None, trained: int = 0, ids: Longs | None = None, seed: int = 0,
    bought: Rows | None = None,
) -> Model:  # fmt: skip
    """Return the model of some rows. Pure: the same rows give the same model to the bit, in whatever order they come.

    Weights below 0 or of 0 in the rows are left out. Some customers' last items (random ones where no instants are
    known) are held back first, the parts learned from the rest, the ridge of `ease` and the weights of the parts chosen
    by what finds them; then the parts are learned again from everything. `bought` are the rows of what was bought,
    which say what is bought together: all of `rows` by default.
    """
    rows = without(rows, np.flatnonzero(rows.weights <= 0))
    keys = np.empty(0, np.int64) if ids is None else ids
    order = by_content(rows, keys if len(keys) else np.arange(rows.n), rows if bought is None else bought)
    rows, bought = arranged(rows, order), None if bought is None else arranged(bought, order)
    places = held_back(rows, min(HELD, int((np.diff(rows.starts) > 1).sum() * HELD_SHARE)), 2, seed)
    rest = without(rows, places)
    cases = cases_of(rest, rows, places)
    ridge = _ridge(rest, cases)
    sold = rest if bought is None else without(bought, _same(bought, rows, places))
    parts = _parts(rest, words, ease(rest, ridge), sold)
    compared = [blend.compared(parts, case) for case in cases]
    weights = blend.fitted(compared, np.array([BEFORE.get(part.name, 1.0) for part in parts]))
    judged = {part.name: blend.hits(compared, np.eye(len(parts))[k]) for k, part in enumerate(parts)}
    judged["blend"] = blend.hits(compared, weights)
    whole = _parts(rows, words, ease(rows, ridge), rows if bought is None else bought)
    return Model(whole, weights.astype(np.float32), judged, ridge, trained, keys)


def held_back(rows: Rows, most: int, least: int, seed: int) -> Longs:
    """Return the places of the items that are held back: one of each of up to `most` customers with `least` or more."""
    rng = np.random.default_rng(seed)
    sizes = np.diff(rows.starts)
    who = np.flatnonzero(sizes >= least)
    if len(who) > most:
        who = np.sort(rng.choice(who, most, replace=False))
    if len(rows.at) and rows.at.min() < rows.at.max():
        return rows.starts[who + 1] - 1
    return rows.starts[who] + (rng.random(len(who)) * sizes[who]).astype(np.int64)


def cases_of(rest: Rows, rows: Rows, places: Longs) -> list[Case]:
    """Return the customers of whom an item was held back, in random order."""
    who = np.searchsorted(rows.starts, places, side="right") - 1
    cases = []
    for customer, place in zip(who.tolist(), places.tolist()):
        part = slice(rest.starts[customer], rest.starts[customer + 1])
        asked = blend.asked_of(rest.items[part], rest.weights[part])
        cases.append(Case(asked, rest.items[part], int(rows.items[place])))
    return [cases[k] for k in np.random.default_rng(1).permutation(len(cases))]


def _parts(rows: Rows, words: Words | None, model: Neighbors, bought: Rows) -> tuple[Part, ...]:
    near, wanted = cosine(rows), popular(rows)
    told = (content(words, wanted.values),) if words is not None and len(words.words) else ()
    return (model, near, in_session(near), companions(baskets(bought)), *told, popular_now(rows), wanted)


def _same(bought: Rows, rows: Rows, places: Longs) -> Longs:
    """Return the places in the rows of what was bought that stand for some places of all rows."""
    found = []
    for place in places.tolist():
        customer = int(np.searchsorted(rows.starts, place, side="right")) - 1
        if customer < len(bought):
            part = bought.items[bought.starts[customer] : bought.starts[customer + 1]]
            found += (bought.starts[customer] + np.flatnonzero(part == rows.items[place])).tolist()
    return np.array(found, np.int64)


def _ridge(rest: Rows, cases: list[Case]) -> float:
    """Return the ridge with which `ease` of the most frequent items finds most."""
    found = []
    square = head(rest, TRIED)
    for ridge in RIDGES:
        one: list[Part] = [solved(*square, ridge, rest.n)]
        found.append(blend.hits([blend.compared(one, case) for case in cases], np.ones(1)))
    return RIDGES[int(np.argmax(found))]


class _Head(msgspec.Struct, frozen=True):
    weights: list[float]
    judged: dict[str, float]
    ridge: float
    trained: int
    parts: list[tuple[str, str]]
    format: int = FORMAT


def dump(model: Model) -> bytes:
    """Return a model as bytes."""
    arrays: dict[str, Any] = {"ids": model.ids}
    kinds = []
    for k, part in enumerate(model.parts):
        kinds.append((type(part).__name__, part.name))
        if part.name != "session":  # made from the neighbors
            arrays |= {f"{k}.{name}": value for name, value in _arrays(part).items()}
    told = _Head(model.weights.tolist(), dict(model.judged), model.ridge, model.trained, kinds)
    out = io.BytesIO()
    np.savez(out, head=np.frombuffer(msgspec.msgpack.encode(told), np.uint8), **arrays)
    return out.getvalue()


def load(data: bytes) -> Model | None:
    """Return the model that `dump` wrote; None if another version did: train anew."""
    file = np.load(io.BytesIO(data), allow_pickle=False)
    try:
        told = msgspec.msgpack.decode(file["head"].tobytes(), type=_Head)
    except msgspec.DecodeError:
        return None
    if told.format != FORMAT:
        return None
    parts: list[Part] = []
    for k, (kind, name) in enumerate(told.parts):
        if name == "session":
            parts.append(in_session(cast(Neighbors, parts[-1])))
            continue
        arrays = {key.partition(".")[2]: file[key] for key in file.files if key.startswith(f"{k}.")}
        made = {"Neighbors": Neighbors, "Popular": Popular, "Content": Content}[kind](name=name, **arrays)
        parts.append(replace(made, of="session") if isinstance(made, Neighbors) and name == "companions" else made)
    weights = np.array(told.weights, np.float32)
    return Model(tuple(parts), weights, told.judged, told.ridge, told.trained, file["ids"])


def _arrays(part: Part) -> dict[str, Any]:
    found = ((name, getattr(part, name)) for name in type(part).__dataclass_fields__)  # type: ignore[attr-defined]
    return {name: value for name, value in found if isinstance(value, np.ndarray)}
