"""A market whose truth is known: who would have bought without each channel, and what models say of it.

People differ in an intent that nobody sees. It moves both what they meet (who means to buy searches, and is found by
retargeting) and what they do. Display and social come early and lead to searches later, so that the last touch gets
credit for what they began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opportune.measure.attribution.models import Credit, Options, credits
from opportune.measure.attribution.paths import paths_of
from opportune.measure.attribution.tournament import Holdout, calibrated
from opportune.measure.effect import NotEnoughData

CHANNELS = ("display", "social", "email", "search", "brand", "retargeting")

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Market:
    """How a market works: by channel the lift in log odds, how many meet it, how much intent moves that, how late it
    comes; and the log odds to buy of who meets nothing."""

    lift: tuple[float, ...]
    reach: tuple[float, ...]
    intent: tuple[float, ...]
    late: tuple[float, ...] = (0.0, 0.04, 0.13, 0.23, 0.3, 0.27)
    base: float = -3.5

    @classmethod
    def of(cls, seed: int) -> Market:
        """Return a market drawn at random around a typical one."""
        draw = np.random.default_rng(seed)
        lift = np.array([0.51, 0.42, 0.47, 0.32, 0.12, 0.08]) * draw.uniform(0.6, 1.4, 6)
        reach = np.array([-0.4, -0.7, -0.8, -1.4, -1.8, -1.6]) + draw.normal(0, 0.2, 6)
        intent = np.array([0.0, 0.1, 0.2, 0.5, 0.7, 0.6]) * draw.uniform(0.8, 1.2, 6)
        return cls(tuple(lift), tuple(reach), tuple(intent))


@dataclass(frozen=True, slots=True)
class Lived:
    """By person and channel what they met, when (a rank) and whether twice; who bought; whom a channel was kept from.

    `would` is what they would have met had no channel been kept from them that was.
    """

    met: Flags
    would: Flags
    when: npt.NDArray[np.float64]
    twice: Flags
    bought: Flags
    held: Flags

    def paths(self) -> list[str]:
        """Return the path of each person, empty for those who met nothing."""
        order = np.argsort(np.where(self.met, self.when, np.inf), axis=1).tolist()
        names = [[(CHANNELS[c], f"{CHANNELS[c]} > {CHANNELS[c]}")[twice] for c, twice in enumerate(row)]
                 for row in self.twice.tolist()]  # fmt: skip
        counts = self.met.sum(axis=1).tolist()
        return [" > ".join([own[c] for c in by[:n]]) for own, by, n in zip(names, order, counts)]


def live(market: Market, people: int, seed: int, share: float = 0.1, without: int = -1) -> Lived:
    """Let people live through a market. The same seed makes the same people, whatever channel is switched off."""
    draw = np.random.default_rng(seed)
    intent = draw.normal(0, 1, people)
    held = draw.random((people, 6)) < share
    met_draw, order_draw, buys = draw.random((people, 6)), draw.random((people, 6)), draw.random(people)
    repeat = draw.random((people, 6)) < 0.35
    off = held.copy()
    if without >= 0:
        off[:, without] = True
    met, would = np.zeros((people, 6), np.bool_), np.zeros((people, 6), np.bool_)
    for c in range(6):
        push = market.reach[c] + market.intent[c] * intent
        if c >= 3:  # who met display or social searches more, and is retargeted
            push = push + 0.7 * met[:, 0] + 0.8 * met[:, 1]
        would[:, c] = met_draw[:, c] < 1 / (1 + np.exp(-push))
        met[:, c] = would[:, c] & ~off[:, c]
    odds = market.base + 1.0 * intent + met @ np.array(market.lift)
    bought = buys < 1 / (1 + np.exp(-odds))
    # early channels come early
    when = order_draw + np.array(market.late)
    return Lived(met, would, when, repeat, bought, held)


def truth(market: Market, people: int, seed: int, share: float = 0.1) -> npt.NDArray[np.float64]:
    """Return how many conversions each channel adds among those whom it could reach."""
    whole = live(market, people, seed, share)
    added = []
    for c in range(6):
        other = live(market, people, seed, share, c)
        reached = ~whole.held[:, c]
        added.append(float(whole.bought[reached].sum() - other.bought[reached].sum()))
    return np.array(added)


def told(lived: Lived, ghosts: bool = False) -> tuple[dict[str, dict[str, Credit]], dict[str, Holdout]]:
    """Return what every model says of a market, and what the holdouts measured in it.

    With `ghosts` only customers whom a channel met, or would have met, are compared, as a hub can that records what it
    would have done; without, all customers are, which is what anybody can do.
    """
    counts: Counter[tuple[str, bool]] = Counter(zip(lived.paths(), lived.bought.tolist()))
    texts = sorted({text for text, _ in counts if text})
    paths = paths_of(texts, [counts[t, True] for t in texts], None, [counts[t, False] for t in texts])
    said = {
        name: found for name, found in credits(paths, options=Options(order=1)).items()
        if not isinstance(found, NotEnoughData)
    }  # fmt: skip
    holdouts = {}
    for c, name in enumerate(CHANNELS):
        asked = lived.would[:, c] if ghosts else np.ones(len(lived.bought), np.bool_)
        held, others = lived.held[:, c] & asked, ~lived.held[:, c] & asked
        holdouts[name] = Holdout(
            int(others.sum()), int(lived.bought[others].sum()), int(held.sum()), int(lived.bought[held].sum())
        )
    return said, holdouts


def misallocated(said: npt.ArrayLike, true: npt.ArrayLike) -> float:
    """Return the share of the credit that is with the wrong channels: half of the sum of |share - true share|."""
    a, b = np.maximum(np.asarray(said, float), 0), np.maximum(np.asarray(true, float), 0)
    return float(np.abs(a / a.sum() - b / b.sum()).sum() / 2)


def tables(
    seeds: Sequence[int], people: int = 40_000, level: float = 0.9, ghosts: bool = False
) -> dict[str, dict[str, float]]:
    """Return, by model, the mean misallocation alone and with holdouts, and how often intervals hold the truth.

    Each seed is another market. `holdouts` is what they say without any model, `all` what all models say with them.
    """
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in seeds:
        market = Market.of(seed)
        lived, true = live(market, people, seed), truth(market, people, seed)
        said, holdouts = told(lived, ghosts)
        alone = misallocated([holdouts[name].added for name in CHANNELS], true)
        found.setdefault("holdouts", []).append((alone, alone, np.nan))
        for model, by_channel in (*said.items(), ("all", None)):
            both = calibrated(said if by_channel is None else {model: by_channel}, holdouts, level)
            covered = [t in both[name].interval for name, t in zip(CHANNELS, true)]
            alone = misallocated([by_channel[name].conversions for name in CHANNELS], true) if by_channel else np.nan
            together = misallocated([both[name].added for name in CHANNELS], true)
            found.setdefault(model, []).append((alone, together, float(np.mean(covered))))
    return {
        model: dict(zip(("alone", "calibrated", "covered"), np.mean(rows, axis=0).tolist()))
        for model, rows in found.items()
    }
