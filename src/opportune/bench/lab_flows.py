"""Twelve flows that carry one hypothesis, read after each of them: how often each thing is said of a known truth.

    supported, depends, none, refuted   share of the hypotheses that were called so after some flow, and after the last
    by the oracle                       supported by bets that know the true size and spread, with the same interval
    mean, next flow                     how often the 95 % interval of the mean, and the 90 % interval of a thirteenth
                                        flow's estimate, hold what they are about
    naive                               one flow "won" (z > 1.96), or the z of all pooled as if they were alike did,
                                        after some flow: what is done without the lab

Flows have `arm` customers in each of two arms and buy at `rate`; the log of the ratio of their rates is normal around
`log(1 + effect)` with the spread `spread`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log1p

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.lab.standing import ALPHA, ENOUGH, verdicts
from opportune.measure.pooling import FloatArray, half_width, random_effects, reach, weighted

EFFECTS, SPREADS = (0.0, 0.15), (0.0, 0.1, 0.15, 0.25)
EXPECTED, SMALLEST = log1p(0.15), log1p(0.05)


class Cell(msgspec.Struct, frozen=True):
    """What was said of hypotheses of one true effect and spread, as shares of them."""

    effect: float
    spread: float
    ever: dict[str, float]
    at_end: dict[str, float]
    oracle: float
    mean_covered: float
    next_covered: float
    some_flow_won: float
    pooled_won: float


def table(runs: int = 20_000, flows: int = 12, arm: int = 2000, rate: float = 0.04, seed: int = 0) -> list[Cell]:
    """Return one cell for each of `EFFECTS` and `SPREADS`, of `runs` simulated hypotheses each."""
    return [
        cell(effect, spread, runs=runs, flows=flows, arm=arm, rate=rate, seed=seed)
        for effect in EFFECTS
        for spread in SPREADS
    ]


def cell(
    effect: float, spread: float, *, runs: int, flows: int = 12, arm: int = 2000, rate: float = 0.04, seed: int = 0
) -> Cell:
    """Return what is said of `runs` hypotheses whose mean effect is `effect`, each carried by so many flows."""
    values, variances = simulated(np.random.default_rng(seed), log1p(effect), spread, runs, flows + 1, arm, rate)
    coming, values, noise, variances = values[:, -1], values[:, :-1], variances[:, -1], variances[:, :-1]
    looks = [verdicts(values[:, :k], variances[:, :k], EXPECTED, SMALLEST) for k in _looks(flows)]
    fit, naive = random_effects(values, variances), [_fixed_z(values[:, :k], variances[:, :k]) for k in _looks(flows)]
    return Cell(
        effect=effect,
        spread=spread,
        ever=_shares([np.logical_or.reduce([look == word for look in looks]) for word in _WORDS]),
        at_end=_shares([looks[-1] == word for word in _WORDS]),
        oracle=float(_oracle(values, variances, log1p(effect or 0.15), spread).mean()),
        mean_covered=float((np.abs(fit.mean - log1p(effect)) <= half_width(fit, flows, ALPHA)).mean()),
        next_covered=float((np.abs(fit.mean - coming) <= reach(flows, fit.error, fit.tau2, noise, 0.1)).mean()),
        some_flow_won=float((values > 1.96 * np.sqrt(variances)).any(-1).mean()),
        pooled_won=float((np.max(naive, axis=0) > 1.96).mean()),
    )


def simulated(
    rng: np.random.Generator, mean: float, spread: float, runs: int, flows: int, arm: int, rate: float
) -> tuple[FloatArray, FloatArray]:
    """Return log ratios of two counts, a half added to each, and their variances, both of shape (runs, flows)."""
    effects = rng.normal(mean, spread, (runs, flows))
    control = rng.binomial(arm, rate, (runs, flows)) + 0.5
    treated = rng.binomial(arm, np.minimum(rate * np.exp(effects), 1.0)) + 0.5
    return np.log(treated / control), 1 / treated + 1 / control - 2 / (arm + 0.5)


def lines(cells: Sequence[Cell]) -> list[str]:
    """Return the table as text."""
    head = "effect spread | ever: " + " ".join(f"{word:>9}" for word in _WORDS) + " | end: "
    head += " ".join(f"{word:>9}" for word in _WORDS) + " | oracle   mean   next | naive: a flow pooled"
    rows = [
        f"{c.effect:6.2f} {c.spread:6.2f} |       " + " ".join(f"{c.ever[word]:9.2%}" for word in _WORDS) + " |      "
        + " ".join(f"{c.at_end[word]:9.2%}" for word in _WORDS)
        + f" | {c.oracle:6.1%} {c.mean_covered:6.1%} {c.next_covered:6.1%} |"
        + f"       {c.some_flow_won:7.1%} {c.pooled_won:6.1%}"
        for c in cells
    ]  # fmt: skip
    return [head, *rows]


_WORDS = ("supported", "depends", "refuted", "none")


def _looks(flows: int) -> range:
    return range(2, flows + 1)


def _shares(said: Sequence[npt.NDArray[np.bool_]]) -> dict[str, float]:
    return {word: float(hits.mean()) for word, hits in zip(_WORDS, said)}


def _fixed_z(values: FloatArray, variances: FloatArray) -> FloatArray:
    mean, error = weighted(values, variances)
    return mean / error


def _oracle(values: FloatArray, variances: FloatArray, mean: float, spread: float) -> npt.NDArray[np.bool_]:
    """Return what bets of the best stake support at some look: that of the true mean and spread."""
    won = np.cumsum(log(2) - np.logaddexp(0, -2 * mean * values / (variances + spread**2)), -1)
    found = np.zeros(len(values), bool)
    for flows in _looks(values.shape[-1]):
        fit = random_effects(values[:, :flows], variances[:, :flows])
        found |= (won[:, flows - 1] >= log(ENOUGH)) & (fit.mean > half_width(fit, flows, ALPHA))
    return found


if __name__ == "__main__":
    print("\n".join(lines(table())))
