"""Attribution by position: what most tools do. Each conversion is shared out over the touches of its own path."""

from __future__ import annotations

import numpy as np

from opportune.measure.attribution.paths import Doubles, Longs, Paths, Shares


def first(paths: Paths) -> Shares:
    """Everything to the first touch."""
    return Shares.of(paths, _at(paths, paths.starts[:-1]))


def last(paths: Paths) -> Shares:
    """Everything to the last touch."""
    return Shares.of(paths, _at(paths, paths.starts[1:] - 1))


def linear(paths: Paths) -> Shares:
    """The same to every touch."""
    return Shares.of(paths, np.ones(len(paths.steps)))


def position(paths: Paths, ends: float = 0.4) -> Shares:
    """`ends` to the first and to the last touch each, the rest to those between; half each where there are but two.

    >>> from opportune.measure.attribution.paths import paths_of
    >>> paths = paths_of(["a > b > c"], [1])
    >>> position(paths).credit(paths.counted)[:, 0].round(2).tolist()
    [0.4, 0.2, 0.4]
    """
    lengths = paths.lengths
    weight = np.repeat((1 - 2 * ends) / np.maximum(lengths - 2, 1), lengths)
    outer = np.where(lengths > 2, ends, 1.0)
    weight[paths.starts[:-1]] = outer
    weight[paths.starts[1:] - 1] = outer
    return Shares.of(paths, weight)


def time_decay(paths: Paths, half_life: float = 2.0) -> Shares:
    """The later the more: a touch that is `half_life` touches further from the end gets half.

    >>> from opportune.measure.attribution.paths import paths_of
    >>> paths = paths_of(["a > b > c"], [1])
    >>> time_decay(paths, 1).credit(paths.counted)[:, 0].round(3).tolist()
    [0.143, 0.286, 0.571]
    """
    distance = np.repeat(paths.starts[1:], paths.lengths) - 1 - np.arange(len(paths.steps))
    # a very long path must not lose its weight altogether: the last touch always has 1
    return Shares.of(paths, 0.5 ** np.minimum(distance / half_life, 1000.0))


def _at(paths: Paths, touches: Longs) -> Doubles:
    weight = np.zeros(len(paths.steps))
    weight[touches] = 1.0
    return weight
