"""Attribution by Shapley values: what a channel adds to a coalition of others, averaged over all orders of joining.

The worth of a coalition is what converted on paths that met no other channel (Zhao, Mahboobi and Bagheri 2018). This
game is a sum of simple ones, one per path, whose worth is shared equally by the different channels of the path: so the
values are exact for any number of channels, in one pass, without looking at the 2^n coalitions.
"""

from __future__ import annotations

import numpy as np

from opportune.measure.attribution.paths import Doubles, Paths, Shares


def shapley(paths: Paths) -> Shares:
    """Return the model that shares a path equally among the different channels of it.

    >>> from opportune.measure.attribution.paths import paths_of
    >>> paths = paths_of(["a > b > a"], [1])
    >>> shapley(paths).credit(paths.counted)[:, 0].tolist()
    [0.5, 0.5]
    """
    return Shares.of(paths, met_first(paths))


def met_first(paths: Paths) -> Doubles:
    """Return 1 for the touches that meet a channel for the first time in their path, 0 for all others."""
    _, seen = np.unique(paths.owner * len(paths.channels) + paths.steps, return_index=True)
    weight = np.zeros(len(paths.steps))
    weight[seen] = 1.0
    return weight
