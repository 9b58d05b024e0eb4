"""How a winner is drawn, and with what probability: one policy per name.

Among the candidates left, the winner is the one whose drawn priority X = (P - base) x worth is highest; a marketing
action needs X above the price of the placement, or silence wins. Service actions do not pay the price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.decide import selection
from opportune.decide.chance import FAMILIES, uniform
from opportune.decide.scores import REACH, Scores
from opportune.errors import BadInput

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Chances(msgspec.Struct, frozen=True, eq=False):
    """The probability of each candidate and of silence at one rank, and the mass that the computation left out."""

    each: Floats
    silence: float
    discarded: float


@dataclass(frozen=True, slots=True)
class Explorer:
    """`choose` returns (winner or -1, its drawn priority); `chances` the probabilities of that very draw.

    `drew` returns what one candidate drew; None where the policy draws no priorities.
    """

    choose: Callable[[Scores, Mask, int, int, int], tuple[int, float]]
    chances: Callable[[Scores, Mask, int], Chances]
    drew: Callable[[Scores, int, int, int], float] | None = None


@lru_cache(maxsize=64)
def explorer(name: str, epsilon: float = 0.1) -> Explorer:
    """Return the policy of that name; raise `BadInput` with the nearest name if there is none."""
    try:
        return _REGISTRY[name](epsilon)
    except KeyError:
        near = get_close_matches(name, _REGISTRY, 1)
        raise BadInput(
            f"there is no way to explore called {name!r}; " + (f"did you mean {near[0]}?" if near else "")
            + f" There are {', '.join(sorted(_REGISTRY))}"
        ) from None


def greedy(epsilon: float) -> Explorer:
    """The highest mean priority among those that take part: all, but of new actions a share that grows."""
    del epsilon

    def choose(s: Scores, left: Mask, seed: int, stream: int, answers: int) -> tuple[int, float]:
        reach = s.table[REACH]
        for i in _ladder(s, left):
            if reach[i] >= 1 or uniform(np.uint64(seed), stream + RAMP, s.index[i]) < reach[i]:
                return _worth(s, i)
        return _worth(s, -1)

    def chances(s: Scores, left: Mask, answers: int) -> Chances:
        each, still = np.zeros(len(s.index)), 1.0
        for i in _ladder(s, left):
            each[i] = still * float(s.table[REACH, i])
            still -= float(each[i])
        return Chances(each, max(still, 0.0), 0.0)

    return Explorer(choose, chances)


def epsilon_greedy(epsilon: float) -> Explorer:
    """As `greedy` with 1 - epsilon, else any allowed candidate with equal chance, whatever the price."""

    exploit = greedy(0.0)

    def chances(s: Scores, left: Mask, answers: int) -> Chances:
        best = exploit.chances(s, left, answers)
        each = np.where(left, epsilon / left.sum(), 0.0) + (1 - epsilon) * best.each
        return Chances(each, (1 - epsilon) * best.silence, 0.0)

    return _by_chances(chances)


def squarecb(epsilon: float) -> Explorer:
    """Inverse gap weighting on priority scaled to [0, 1] by the best: 1 / (K + gamma gap), the best gets the rest.

    gamma = 10 n^0.5 after n answers (Foster and Rakhlin 2020; the settings of Vowpal Wabbit). Silence is one of the K.
    """
    del epsilon

    def chances(s: Scores, left: Mask, answers: int) -> Chances:
        floor = s.price if not s.service[left].any() else -np.inf
        priority = np.where(left & (s.service | (s.priority > s.price)), s.priority, np.nan)
        options = np.append(priority, floor if floor >= 0 else np.nan)
        here = ~np.isnan(options)
        top = np.nanmax(options)
        best = int(np.nanargmax(options))
        gap = (top - options) / top if top > 0 else np.zeros(len(options))
        each = np.where(here, 1 / (here.sum() + 10 * np.sqrt(max(answers, 1)) * gap), 0.0)
        each[best] = 0.0
        each[best] = 1 - each.sum()
        return Chances(each[:-1], float(each[-1]), 0.0)

    return _by_chances(chances)


def uniform_random(epsilon: float) -> Explorer:
    """Any candidate with equal chance 1/K: the standing random arm."""
    del epsilon

    def chances(s: Scores, left: Mask, answers: int) -> Chances:
        return Chances(np.where(left, 1 / left.sum(), 0.0), 0.0, 0.0)

    return _by_chances(chances)


def thompson(epsilon: float) -> Explorer:
    """Each candidate's P drawn from its own posterior (Thompson 1933); new actions take part with their `reach`."""
    del epsilon

    certain = greedy(0.0)

    def choose(s: Scores, left: Mask, seed: int, stream: int, answers: int) -> tuple[int, float]:
        drawn: tuple[int, float] = selection.draw(
            FAMILIES[s.family], s.table, s.index, left, s.service, s.price, np.uint64(seed), stream
        )
        return drawn

    def chances(s: Scores, left: Mask, answers: int) -> Chances:
        if s.family == "certain":
            return certain.chances(s, left, answers)
        each, silence, discarded = selection.probabilities(FAMILIES[s.family], s.table, left, s.service, s.price)
        return Chances(each, silence, discarded)

    def drew(s: Scores, i: int, seed: int, stream: int) -> float:
        return float(selection.drawn(FAMILIES[s.family], s.table, s.index, i, np.uint64(seed), stream))

    return Explorer(choose, chances, drew)


_REGISTRY: dict[str, Callable[[float], Explorer]] = {
    "thompson": thompson,
    "greedy": greedy,
    "epsilon": epsilon_greedy,
    "squarecb": squarecb,
    "random": uniform_random,
}


RAMP = 2048
"""The stream, after that of its rank, of the coins of new actions."""


def _ladder(s: Scores, left: Mask) -> Iterator[int]:
    """Yield the candidates worth more than silence, the highest mean priority first, the first of equals first."""
    worthy = np.flatnonzero(left & (s.service | (s.priority > s.price)))
    for i in worthy[np.argsort(-s.priority[worthy], kind="stable")]:
        yield int(i)
        if s.table[REACH, i] >= 1:
            return


def _worth(s: Scores, i: int) -> tuple[int, float]:
    return i, float(s.priority[i]) if i >= 0 else s.price


def _by_chances(chances: Callable[[Scores, Mask, int], Chances]) -> Explorer:
    """Draw by inverting the cumulated probabilities: what is drawn is what is recorded."""

    def choose(s: Scores, left: Mask, seed: int, stream: int, answers: int) -> tuple[int, float]:
        found = chances(s, left, answers)
        u = uniform(np.uint64(seed), stream, 0)
        ladder = np.cumsum(found.each)
        if u >= ladder[-1]:
            if found.silence > 0:
                return -1, s.price
            return _worth(s, int(np.flatnonzero(found.each)[-1]))
        return _worth(s, int(np.searchsorted(ladder, u, side="right")))

    return Explorer(choose, chances)
