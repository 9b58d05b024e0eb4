"""From what the parts think to a few items: the rules of the shelf, diversity, a place for what is new, reasons.

1. Each part names the items that it likes most for this customer; the blend of all parts scores those together.
2. Rules take items out: gone, out of stock or date, too young a customer, just bought, dismissed, `never`, the
   condition of the treatment. Where too few are left, the rest of the shelf follows by its scores.
3. The first of the list is the best; each next one has the most of (1 - d) relevance - d similarity, where similarity
   is 1 to an item before it of the same first category (maximal marginal relevance, Carbonell and Goldstein 1998).
   Where two are as good in both, and only there, the margin decides.
4. With the chance `explore` the last place goes to one of the items that are new, drawn in proportion to
   1 / sqrt(1 + how often it was shown so): the width of what we do not know of it. `probability` is the chance that
   what stands in a place had to stand there.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.recommend import blend
from opportune.recommend.feedback import KINDS, Purpose
from opportune.recommend.item import Item, told
from opportune.recommend.reasons import DID, sentence
from opportune.recommend.tastes import Taste
from opportune.recommend.types import NOTHING, Asked, Ints, Part, Scores, Weighted
from opportune.rules import Expression, Value

if TYPE_CHECKING:
    from opportune.recommend.shelf import Shelf

SIDE = 100
"""Items of each part that are looked at."""

POOL = 5
"""The items that diversity chooses from are this many times as many as are wanted."""

SLOW = 20_000
"""Items of the rest of the shelf that are looked at where the rules leave too few."""

SAME = 1e-6
"""Two items differ by less than this share of the best score: the margin decides."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the rules look at besides the taste."""

    values: Mapping[str, Value]
    topics: Set[str]
    purpose: Purpose
    n: int
    seed: int
    of: Expression | None


class Recommended(msgspec.Struct, frozen=True, rename="camel"):
    """One item of an answer. `part` is what counted most, `because` the id of the item that spoke for it ("": none).

    `probability` is the chance that this item had to stand in its place; `explored`: it was drawn among the new.
    """

    id: str
    score: float
    reason: str
    part: str
    because: str
    probability: float
    explored: bool
    item: dict[str, Any]


def ranked(
    shelf: Shelf, asked: Asked, taste: Taste, question: Question, now: int, out: Set[int]
) -> list[Recommended]:
    """Return the items of an answer, the best first."""
    if question.n < 1 or not len(shelf.items):
        return []
    parts = parts_of(shelf, asked, now)
    found = [(part, weight, part.scores(_within(part_asked, size))) for part, weight, part_asked, size in parts]
    numbers = blend.candidates([scores for _, _, scores in found], SIDE)
    allowed = numbers[left_by_rules(shelf, numbers, question, now, out)]
    if len(allowed) < question.n * POOL and len(numbers) < len(shelf.items):
        allowed = _more(shelf, allowed, found, question, now, out)
    if not len(allowed):
        return []
    total = _total(found, allowed)
    usual = [float(scores.values[allowed[allowed < len(scores.values)]].mean()) for _, _, scores in found]
    margin, category = shelf.items.column("margin"), shelf.items.column("category")
    pool = np.lexsort((allowed, -margin[allowed], -total))[: question.n * POOL]
    order = diverse(total[pool], category[allowed[pool]], margin[allowed[pool]], question.n, shelf.rules.diversity)
    chosen, scores = allowed[pool][order], total[pool][order]
    chances, explored = np.ones(len(chosen)), -1
    if shelf.rules.explore and len(chosen) == question.n:
        chosen, chances, explored = _explored(shelf, chosen, question, now, out)
    answer = []
    for place, number in enumerate(chosen.tolist()):
        item = shelf.items.get(shelf.items.id(number))
        if item is not None:
            part, other = ("new", -1) if number == explored else _counted_most(found, usual, asked, number)
            score = 0.0 if number == explored else float(scores[place])
            answer.append(_told(shelf, item, score, part, other, taste, question, asked, float(chances[place]),
                                number == explored))  # fmt: skip
    return answer


def parts_of(shelf: Shelf, asked: Asked, now: int) -> list[tuple[Part, float, Asked, int]]:
    """Return the parts with their weights, what each is asked, and how many items each knows."""
    weights, model, size = shelf.learned.weights(), shelf.learned.model(), len(shelf.items)
    live: list[tuple[Part, float, Asked, int]] = [
        (shelf.wanted.part(now), weights.get("popular_now", 0.05), asked, size),
        (shelf.pairs.resized(size), weights.get("session", 1.0), asked, size),
    ]
    found: list[tuple[Part, float, Asked, int]] = []
    if model is not None:
        for part in model.parts:
            if part.name != "popular_now":
                weight = weights[part.name]
                if part.name == "content" and (asked.likes or not len(asked.history.items)):
                    weight = max(weight, 1.0)  # what somebody said, or looks at, is all that is known then
                found.append((part, weight, asked, model.n))
    return [*found, *live]


def diverse(
    total: npt.NDArray[np.float64], category: Ints, margin: npt.NDArray[np.float32], n: int, share: float
) -> npt.NDArray[np.int64]:
    """Return the places of up to n items in the order in which they are shown; `share` is d of the module's text.

    >>> diverse(np.array([3.0, 2.9, 2.0]), np.array([1, 1, 2], np.int32), np.zeros(3, np.float32), 2, 0.5).tolist()
    [0, 2]
    """
    low, high = float(total.min()), float(total.max())
    relevance = (total - low) / (high - low) if high > low else np.ones(len(total))
    chosen: list[int] = []
    penalty, free = np.zeros(len(total)), np.ones(len(total), bool)
    for _ in range(min(n, len(total))):
        worth = np.where(free, (1 - share) * relevance - share * penalty, -np.inf)
        same = np.flatnonzero(worth >= worth.max() - SAME)
        best = int(same[np.argmax(margin[same])])
        chosen.append(best)
        free[best] = False
        if category[best] >= 0:
            penalty[category == category[best]] = 1.0
    return np.array(chosen, np.int64)


def _within(asked: Asked, size: int) -> Asked:
    """Return what is asked without items that a part does not know yet."""
    return Asked(_known(asked.history, size), _known(asked.session, size), asked.likes)


def _known(had: Weighted, size: int) -> Weighted:
    if not len(had.items):
        return NOTHING
    if int(had.items.max()) < size:
        return had
    keep = had.items < size
    return Weighted(had.items[keep], had.weights[keep])


def _total(found: list[tuple[Part, float, Scores]], numbers: Ints) -> npt.NDArray[np.float64]:
    total = np.zeros(len(numbers))
    for _, weight, scores in found:
        if len(numbers) and int(numbers[-1]) < len(scores.values):
            total += weight * scores.values[numbers]
        else:
            known = numbers < len(scores.values)
            total[known] += weight * scores.values[numbers[known]]
    return total


def left_by_rules(
    shelf: Shelf, numbers: Ints, question: Question, now: int, out: Set[int]
) -> npt.NDArray[np.bool_]:
    """Return which items the rules of the shelf leave."""
    column = shelf.items.column
    keep = column("alive")[numbers] & (column("stock")[numbers] > 0)
    keep &= (column("starts")[numbers] <= now) & (now < column("ends")[numbers])
    if out:
        keep &= ~np.isin(numbers, np.fromiter(out, np.int32))
    age = question.values.get("age")
    young = column("min_age")[numbers]
    keep &= young <= (age if isinstance(age, int | float) and not isinstance(age, bool) else 0)
    if question.of is not None:
        keep[keep] = shelf.conditions.hold(question.of, numbers[keep])
    for rule in shelf.rules.never:
        if rule.unless is not None and rule.unless.evaluate(question.values) is True:
            continue
        if rule.consent and rule.consent in question.topics:
            continue
        keep[keep] = ~shelf.conditions.hold(rule.items, numbers[keep])
    found: npt.NDArray[np.bool_] = keep
    return found


def _more(
    shelf: Shelf, allowed: Ints, found: list[tuple[Part, float, Scores]], question: Question, now: int, out: Set[int]
) -> Ints:
    """Return the allowed items and more of the rest of the shelf, by their scores and then the newest."""
    every = np.arange(len(shelf.items), dtype=np.int32)
    order = np.lexsort((every, -shelf.items.column("added"), -_total(found, every)))[:SLOW].astype(np.int32)
    kept, enough = [allowed], question.n * POOL
    for start in range(0, len(order), 500):
        some = order[start : start + 500]
        kept.append(some[left_by_rules(shelf, some, question, now, out)])
        if sum(map(len, kept[1:])) >= enough:
            break
    return np.unique(np.concatenate(kept)).astype(np.int32)


def _explored(
    shelf: Shelf, chosen: Ints, question: Question, now: int, out: Set[int]
) -> tuple[Ints, npt.NDArray[np.float64], int]:
    """Return the answer in which the last place may have gone to a new item, the chance of each place, and that item.

    -1: none was drawn.
    """
    chances = np.ones(len(chosen))
    fresh, shown = shelf.wanted.newest(now, shelf.rules.new)
    keep = left_by_rules(shelf, fresh, question, now, out) & ~np.isin(fresh, chosen)
    fresh, shown = fresh[keep], shown[keep]
    if not len(fresh):
        return chosen, chances, -1
    explore, rng = shelf.rules.explore, np.random.default_rng(question.seed)
    if rng.random() >= explore:
        chances[-1] = 1 - explore
        return chosen, chances, -1
    width = 1 / np.sqrt(1.0 + shown)
    width /= width.sum()
    drawn = int(rng.choice(len(fresh), p=width))
    chances[-1] = explore * width[drawn]
    return np.append(chosen[:-1], fresh[drawn]), chances, int(fresh[drawn])


def _counted_most(
    found: list[tuple[Part, float, Scores]], usual: list[float], asked: Asked, number: int
) -> tuple[str, int]:
    """Return the part that lifted an item most above the others, and the item that spoke for it there (-1: none)."""
    worth = []
    for (part, weight, scores), mean in zip(found, usual):
        if number < len(scores.values) and scores.values[number] > 0:
            worth.append((weight * (float(scores.values[number]) - mean), part, len(scores.values)))
    for _, part, size in sorted(worth, key=lambda one: -one[0]):
        if part.name in ("popular", "popular_now"):
            return part.name, -1
        other = part.because(_within(asked, size), number)
        if other >= 0 or (part.name == "content" and asked.likes):
            return part.name, other
    return "", -1


def _told(
    shelf: Shelf, item: Item, score: float, part: str, other: int, taste: Taste, question: Question, asked: Asked,
    chance: float, explored: bool,
) -> Recommended:  # fmt: skip
    by = shelf.items.get(shelf.items.id(other)) if other >= 0 else None
    did = strongest(taste, by.id, question.purpose, shelf) if by else ""
    reason = sentence(part, by.name if by else "", did, question.purpose, asked.likes)
    if by and by.id == item.id:  # what was looked at before may be the best there is; it is not like itself
        reason = f"because {DID.get(did, DID['viewed'])} it"
    return Recommended(item.id, score, reason, part, by.id if by else "", chance, explored, told(item))


def strongest(taste: Taste, item: str, purpose: Purpose, shelf: Shelf) -> str:
    """Return the kind of feedback that says most of what a customer had to do with an item."""
    kinds = {KINDS[t.kind] for t in taste.touches if t.item == item and t.gift == (purpose == "gift")}
    return max(kinds, key=lambda kind: shelf.rules.feedback[kind].weight, default="")
