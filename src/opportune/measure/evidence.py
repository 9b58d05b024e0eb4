"""How much the flows so far speak for a belief: evidence that may be looked at after every flow, for ever.

Each flow is a bet at fair odds. Under the belief that there is no effect, the estimate y of a flow is as likely to be
y as -y, whatever the errors and however far the flows' own effects are spread around 0. So

    1 + tanh(b y / s^2)  =  2 / (1 + exp(-2 b y / s^2))

has the mean 1, given the size of y, for each stake b > 0 and the error s of the flow; where the true effect lies below
0 the mean is lower still. The product over flows, and any mixture of such products over stakes fixed in advance, is
therefore a test martingale: the chance that it *ever* reaches 20 without an effect is at most 1 in 20 (Ville 1939; de
la Pena 1999 bounds the same bets by exp(b y - b^2 y^2 / 2); tests are joined by multiplying, as ter Schure and
Gruenwald 2022 do). The true effect is the best stake, so half of the mixture stakes what the hypothesis expected.

A normal mixture with the errors alone would take a spread between flows for an effect; one with an estimated spread is
not valid for few flows. The price of these bets is that five flows are the least that can say anything at 20 (each
at most doubles), and that "no effect" means effects that are spread evenly on both sides: where a few flows are hurt
badly and most gain a little, the median speaks, not the mean.
"""

from __future__ import annotations

from math import ceil, log, log2

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

STAKES = ((0.25, 0.5), (0.5, 1.0), (0.25, 2.0))
"""(share of the mixture, stake in multiples of the size that is expected)."""


def log_evidence(values: FloatArray, variances: FloatArray, size: float, above: float = 0.0) -> FloatArray:
    """Return the logarithm of the evidence after each flow, of shape (..., flows), that the mean exceeds `above`.

    `values` are the flows' log ratios in order of time, `variances` the squares of their errors, `size` by how much the
    mean is expected to exceed `above`. A wrong `size` costs power, never validity. For evidence that the mean lies
    below, turn the signs of `values` and `above`. Raise `ValueError` for a size that is not above 0.

    >>> strong = np.exp(log_evidence(np.full(8, .14), np.full(8, .05 ** 2), size=.14))
    >>> [round(float(e), 1) for e in strong]
    [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 127.9, 255.8]
    """
    if not size > 0:
        raise ValueError(f"a size of {size}: say by how much, above 0, the mean is expected to exceed {above}")
    away = (values - above) / variances
    won = [log(share) + np.cumsum(log(2) - np.logaddexp(0, -2 * times * size * away), -1) for share, times in STAKES]
    total: FloatArray = np.logaddexp.reduce(np.stack(won), axis=0)
    return total


def least_flows(enough: float) -> int:
    """Return how many flows it takes at least to reach evidence of `enough`: each can at most double it.

    >>> least_flows(20)
    5
    """
    return ceil(log2(enough))
