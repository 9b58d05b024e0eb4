"""The trained model of a shelf: gathering what it learns from, keeping it, and numbering it as the shelf does."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from opportune.clock import HOUR
from opportune.errors import NotFound
from opportune.recommend import model as models
from opportune.recommend.feedback import KINDS
from opportune.recommend.item import Item
from opportune.recommend.items import Items
from opportune.recommend.model import Model
from opportune.recommend.parts.content import Content, words_of
from opportune.recommend.parts.neighbors import Neighbors
from opportune.recommend.parts.popular import Popular, of
from opportune.recommend.rows import rows_of
from opportune.recommend.tastes import Taste, Tastes
from opportune.recommend.types import Floats, Ints, Longs, Part, Words
from opportune.store.base import Store

if TYPE_CHECKING:
    from opportune.catalog.shelf_types import ShelfRules

PAGE = 100
"""Rows that are gathered in one step, which others wait for."""

AGAIN = 6 * HOUR
"""A model older than this is trained anew when something happened since."""

START: Mapping[str, float] = {"session": 1.0, "content": 0.5, "popular_now": 0.05}
"""How much the parts count that need no training, until there is a model."""


class Kept(msgspec.Struct, frozen=True):
    """Which model is in force."""

    blob: str
    trained: int
    touches: int
    judged: dict[str, float]
    weights: dict[str, float]


class Learned:
    """The model in force, read when it is first asked for."""

    def __init__(self, store: Store, items: Items) -> None:
        self._store, self._items = store, items
        self._marks = store.table("shelf_marks")
        row = self._marks.get("model")
        self.kept = msgspec.msgpack.decode(row, type=Kept) if row else None
        self._model: Model | None = None

    def model(self) -> Model | None:
        """Return the model, numbered as the shelf is; None where none was trained yet."""
        if self._model is None and self.kept is not None:
            try:
                found = models.load(self._store.blobs.get(self.kept.blob))
            except NotFound:
                found = None
            if found is None:
                self.kept = None
            else:
                self._model = renumbered(found, self._items.numbers(found.ids), len(self._items))
        return self._model

    def weights(self) -> Mapping[str, float]:
        """Return how much each part counts."""
        return self.kept.weights if self.kept is not None else START

    def due(self, now: int) -> bool:
        """Return whether the model should be trained anew by its age."""
        return self.kept is None or now - self.kept.trained >= AGAIN

    def take(self, model: Model, touches: int, data: bytes) -> None:
        """Go on with another model; `data` is its `dump`. Call it inside of a transaction."""
        before = self.kept
        names = [part.name for part in model.parts]
        kept = Kept(
            self._store.blobs.put(data), model.trained, touches, dict(model.judged),
            dict(zip(names, model.weights.tolist())),
        )  # fmt: skip
        self._marks.put([("model", msgspec.msgpack.encode(kept))])
        if before is not None and before.blob != kept.blob:
            self._store.blobs.delete(before.blob)
        self.kept = kept
        self._model = renumbered(model, self._items.numbers(model.ids), len(self._items))


class Gathering:
    """What a training learns from, gathered in small steps while others work: all tastes, and the words of all items.

    It learns from the own touches of everybody, gifts left out, as they stand in `Tastes`: bounded per customer, and
    without those who were forgotten. Touches of items that came meanwhile wait for the next training.
    """

    def __init__(self, tastes: Tastes, items: Items, rules: ShelfRules, now: int) -> None:
        self._rules, self.now = rules, now
        self._items, self._n = items, len(items)
        self.keys: Longs = items.column("key").copy()
        self.added: Longs = items.column("added").copy()
        self._whose, self._what, self._bought = array("i"), array("i"), array("b")
        self._at, self._weights = array("q"), array("f")
        self._who = 0
        self._words: dict[int, tuple[array[int], array[float]]] = {}
        self._steps = self._gather(tastes)

    def step(self) -> bool:
        """Gather some more; return whether there is more after it."""
        return next(self._steps, None) is not None

    @property
    def touches(self) -> int:
        """How many touches were gathered."""
        return len(self._bought)

    def train(self) -> Model:
        """Return the model of what was gathered. Takes a while, and may run in any thread."""
        who, item = np.array(self._whose, np.int32), np.array(self._what, np.int32)
        weight, at = np.array(self._weights, np.float32), np.array(self._at, np.int64)
        most = self._rules.history
        rows = rows_of(who, item, weight, at, self._n, most)
        mask = np.array(self._bought, np.bool_)
        bought = rows_of(who[mask], item[mask], weight[mask], at[mask], self._n, most)
        return models.train(rows, self._all_words(), self.now, self.keys, bought=bought)

    def _gather(self, tastes: Tastes) -> Iterator[bool]:
        after = ""
        while page := list(islice(tastes.each(after), PAGE)):
            for _, taste in page:
                self._take(taste)
            after = page[-1][0]
            yield True
        after = ""
        while items := list(islice(self._items.each(after), PAGE)):
            for item in items:
                self._take_words(item)
            after = items[-1].id
            yield True

    def _take(self, taste: Taste) -> None:
        said = [self._rules.feedback[kind] for kind in KINDS]
        for touch in taste.touches:
            number = self._items.number(touch.item)
            weight = said[touch.kind].weight
            if not touch.gift and weight > 0 and 0 <= number < self._n:
                self._whose.append(self._who)
                self._what.append(number)
                self._weights.append(weight)
                self._at.append(touch.at)
                self._bought.append(KINDS[touch.kind] == "bought")
        self._who += 1

    def _take_words(self, item: Item) -> None:
        number = self._items.number(item.id)
        if 0 <= number < self._n:
            found = words_of(item.title, item.categories, item.tags)
            self._words[number] = array("Q", [w for w, _ in found]), array("f", [x for _, x in found])

    def _all_words(self) -> Words:
        none: tuple[array[int], array[float]] = array("Q"), array("f")
        each = [self._words.get(number, none) for number in range(self._n)]
        starts = np.append(0, np.cumsum([len(words) for words, _ in each])).astype(np.int64)
        words = np.concatenate([np.array(w, np.uint64) for w, _ in each] or [np.empty(0, np.uint64)])
        weights = np.concatenate([np.array(x, np.float32) for _, x in each] or [np.empty(0, np.float32)])
        return Words(starts, words, weights, self.added)


def renumbered(model: Model, numbers: Ints, n: int) -> Model:
    """Return the model with its item k as `numbers[k]` of n; those of -1 are gone."""
    if len(numbers) == n and bool((numbers == np.arange(n)).all()):
        return model
    parts: list[Part] = []
    for part in model.parts:
        if isinstance(part, Neighbors):
            starts, items, values = _moved(part.starts, part.items, part.values, numbers, n)
            keep = numbers[items] >= 0
            starts = np.append(0, np.cumsum(keep))[starts]
            parts.append(replace(part, starts=starts, items=numbers[items][keep], values=values[keep]))
        elif isinstance(part, Popular):
            values = np.zeros(n, np.float32)
            values[numbers[numbers >= 0]] = part.values[numbers >= 0]
            parts.append(of(part.name, np.expm1(values)))
        elif isinstance(part, Content):
            starts, words, weights = _moved(part.starts, part.words, part.weights, numbers, n)
            keep = numbers[part.listed] >= 0
            lists = np.append(0, np.cumsum(keep))[part.lists]
            listed, listed_weights = numbers[part.listed][keep], part.listed_weights[keep]
            parts.append(replace(part, starts=starts, words=words, weights=weights, lists=lists, listed=listed,
                                 listed_weights=listed_weights))  # fmt: skip
    return replace(model, parts=tuple(parts))


def _moved(starts: Longs, items: Ints, values: Floats, numbers: Ints, n: int) -> tuple[Longs, Ints, Floats]:
    """Return rows that stand at other numbers."""
    sizes = np.zeros(n, np.int64)
    sizes[numbers[numbers >= 0]] = np.diff(starts)[numbers >= 0]
    moved = np.append(0, np.cumsum(sizes))
    owner = np.repeat(numbers, np.diff(starts))
    keep = owner >= 0
    order = np.argsort(owner[keep], kind="stable")
    return moved, items[keep][order], values[keep][order]
