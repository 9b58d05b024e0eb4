"""A market whose truth is known: who would have bought without each channel, and what models say of it.

People differ in an intent that nobody sees. It moves both what they meet (who means to buy searches, and is found by
retargeting) and what they do. Display and social come early and lead to searches later, so that the last touch gets
credit for what they began.
"""

from __future__ import annotations

from collections import Counter
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
    """How a market works: lifts in log odds by channel, and how much intent moves meeting a channel."""

    lift: tuple[float, ...]
    reach: tuple[float, ...]
    intent: tuple[float, ...]
    base: float = -3.4

    @classmethod
    def of(cls, seed: int) -> Market:
        """Return a market drawn at random around a typical one."""
        draw = np.random.default_rng(seed)
        lift = np.array([0.55, 0.45, 0.5, 0.35, 0.15, 0.1]) * draw.uniform(0.6, 1.4, 6)
        reach = np.array([-0.4, -0.7, -0.8, -1.4, -1.8, -1.6]) + draw.normal(0, 0.2, 6)
        intent = np.array([0.0, 0.1, 0.2, 0.5, 0.7, 0.6]) * draw.uniform(0.8, 1.2, 6)
        return cls(tuple(lift), tuple(reach), tuple(intent))


@dataclass(frozen=True, slots=True)
class Lived:
    """What everybody met, as paths with counts, whether they bought, and whom each channel was kept from."""

    paths: list[str]
    bought: Flags
    held: Flags


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
    met = np.zeros((people, 6), np.bool_)
    for c in range(6):
        push = market.reach[c] + market.intent[c] * intent
        if c >= 3:  # who met display or social searches more, and is retargeted
            push = push + 0.7 * met[:, 0] + 0.8 * met[:, 1]
        met[:, c] = (met_draw[:, c] < 1 / (1 + np.exp(-push))) & ~off[:, c]
    odds = market.base + 1.0 * intent + met @ np.array(market.lift)
    bought = buys < 1 / (1 + np.exp(-odds))
    # early channels come early
    when = order_draw + np.array([0.0, 0.1, 0.35, 0.6, 0.8, 0.7])
    order = np.argsort(np.where(met, when, np.inf), axis=1)
    texts = []
    for person in range(people):
        names = [CHANNELS[c] for c in order[person] if met[person, c] for _ in range(1 + int(repeat[person, c]))]
        texts.append(" > ".join(names))
    return Lived(texts, bought, held)


def truth(market: Market, people: int, seed: int, share: float = 0.1) -> npt.NDArray[np.float64]:
    """Return how many conversions each channel adds among those whom it could reach."""
    whole = live(market, people, seed, share)
    added = []
    for c in range(6):
        other = live(market, people, seed, share, c)
        reached = ~whole.held[:, c]
        added.append(float(whole.bought[reached].sum() - other.bought[reached].sum()))
    return np.array(added)


def told(lived: Lived) -> tuple[dict[str, dict[str, Credit]], dict[str, Holdout]]:
    """Return what every model says of a market, and what the holdouts measured in it."""
    counts: Counter[tuple[str, bool]] = Counter(zip(lived.paths, lived.bought.tolist()))
    texts = sorted({text for text, _ in counts if text})
    paths = paths_of(texts, [counts[t, True] for t in texts], None, [counts[t, False] for t in texts])
    said = {
        name: found for name, found in credits(paths, options=Options(order=1)).items()
        if not isinstance(found, NotEnoughData)
    }  # fmt: skip
    holdouts = {}
    for c, name in enumerate(CHANNELS):
        held = lived.held[:, c]
        holdouts[name] = Holdout(
            int((~held).sum()), int(lived.bought[~held].sum()), int(held.sum()), int(lived.bought[held].sum())
        )
    return said, holdouts


def misallocated(said: npt.ArrayLike, true: npt.ArrayLike) -> float:
    """Return the share of the credit that is with the wrong channels: half of the sum of |share - true share|."""
    a, b = np.maximum(np.asarray(said, float), 0), np.maximum(np.asarray(true, float), 0)
    return float(np.abs(a / a.sum() - b / b.sum()).sum() / 2)


def tables(seeds: int, people: int = 40_000, level: float = 0.9) -> dict[str, dict[str, float]]:
    """Return, by model, the mean misallocation alone and with holdouts, and how often intervals hold the truth.

    Each seed is another market. `holdouts` is what they say without any model, `all` what all models say with them.
    """
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(seeds):
        market = Market.of(seed)
        lived, true = live(market, people, seed), truth(market, people, seed)
        said, holdouts = told(lived)
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
