"""What is alike in words: categories, tags and words of the title. It also finds what nobody has bought yet."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from opportune.recommend import kernels
from opportune.recommend.types import Asked, Floats, Ints, Longs, Scores, Words

LISTED = 2_000
"""Items that are kept of each word: one half those that most want, the other the newest."""

SAID = 24
"""Words of a taste that are looked up: those that say most."""

_WORD = re.compile(r"[^\W_]{3,}")


def words_of(title: str, categories: Sequence[str], tags: Iterable[str]) -> list[tuple[int, float]]:
    """Return the (word, weight) pairs of an item, each word once: 1 for categories and tags, 0.5 for the title's.

    >>> [weight for _, weight in words_of("A dark house", ["horror"], [])]
    [1.0, 0.5, 0.5]
    """
    found = {hashed("c", one): 1.0 for one in categories} | {hashed("t", one): 1.0 for one in tags}
    for one in _WORD.findall(title)[:40]:
        found.setdefault(hashed("w", one), 0.5)
    return list(found.items())


def hashed(kind: str, text: str) -> int:
    """Return the number of a word; case and width of letters do not matter."""
    plain = unicodedata.normalize("NFKC", text).casefold().strip()
    return int.from_bytes(blake2b(f"{kind}:{plain}".encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def said(likes: Iterable[str]) -> list[int]:
    """Return the words that a text somebody said may be: a category, a tag, or words of titles."""
    return [hashed(kind, one) for text in likes for kind, one in
            [("c", text), ("t", text), *(("w", word) for word in _WORD.findall(text))]]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Content:
    """A part that compares words. Items are unit vectors of weight x log(items / items with the word)."""

    starts: Longs
    words: Ints
    weights: Floats
    lists: Longs
    listed: Ints
    listed_weights: Floats
    vocabulary: npt.NDArray[np.uint64]
    name: str = "content"

    def scores(self, asked: Asked) -> Scores:
        """Return how alike each item is to what the customer had and said."""
        out = np.zeros(len(self.starts) - 1, np.float32)
        words, weights = self.taste(asked)
        return Scores(out, kernels.add_up(self.lists, self.listed, self.listed_weights, words, weights, out))

    def because(self, asked: Asked, item: int) -> int:
        """Return the item had that is most alike to an item; -1 where none is."""
        mine = dict(zip(self.words[self._row(item)].tolist(), self.weights[self._row(item)].tolist()))
        best, most = -1, 0.0
        for had in (asked.history, asked.session):
            for one, weight in zip(*had):
                row = self._row(int(one))
                worth = float(weight) * sum(
                    mine.get(word, 0.0) * w for word, w in zip(self.words[row].tolist(), self.weights[row].tolist())
                )
                if worth > most:
                    best, most = int(one), worth
        return best

    def taste(self, asked: Asked) -> tuple[Ints, Floats]:
        """Return the words that the taste says most about, and how much."""
        total = np.zeros(len(self.vocabulary), np.float32)
        items = np.concatenate([asked.history.items, asked.session.items])
        weights = np.concatenate([asked.history.weights, asked.session.weights])
        reached = [kernels.add_up(self.starts, self.words, self.weights, items, weights, total)]
        if asked.likes and len(self.vocabulary):
            wanted = np.array(said(asked.likes), np.uint64)
            at = np.minimum(np.searchsorted(self.vocabulary, wanted), len(self.vocabulary) - 1)
            known = at[self.vocabulary[at] == wanted].astype(np.int32)
            total[known] += max(1.0, float(np.abs(weights).sum()))
            reached.append(known)
        words = np.unique(np.concatenate(reached))
        if len(words) > SAID:
            words = words[np.argpartition(-np.abs(total[words]), SAID)[:SAID]]
        return words.astype(np.int32), total[words]

    def _row(self, item: int) -> slice:
        return slice(int(self.starts[item]), int(self.starts[item + 1]))


def content(known: Words, wanted: Floats) -> Content:
    """Return the part of what is known of items; `wanted` says how much each is wanted (`parts.popular`)."""
    n = len(known.starts) - 1
    vocabulary, words = np.unique(known.words, return_inverse=True)
    counts = np.bincount(words, minlength=len(vocabulary))
    rarity = np.log((n + 1) / (counts + 1)).astype(np.float32) + np.float32(0.1)
    weights = known.weights * rarity[words]
    owner = np.repeat(np.arange(n, dtype=np.int32), np.diff(known.starts))
    norm = np.sqrt(np.bincount(owner, weights**2, minlength=n)) + 1e-9
    weights = (weights / norm[owner]).astype(np.float32)
    added = known.added if len(known.added) else np.zeros(n, np.int64)
    kept = _listed(words, owner, wanted, added)
    lists = np.append(0, np.cumsum(np.bincount(words[kept], minlength=len(vocabulary))))
    return Content(known.starts, words.astype(np.int32), weights, lists, owner[kept], weights[kept], vocabulary)


def _listed(words: Longs, owner: Ints, wanted: Floats, added: Longs) -> Longs:
    """Return the places of (word, item) pairs that are kept, by word."""
    starts = np.append(0, np.cumsum(np.bincount(words)))
    kept = np.zeros(len(words), bool)
    for order in (np.lexsort((-wanted[owner], words)), np.lexsort((-added[owner], words))):
        rank = np.arange(len(words)) - starts[words[order]]
        kept[order[rank < LISTED // 2]] = True
    places = np.flatnonzero(kept)
    return places[np.argsort(words[places], kind="stable")]
