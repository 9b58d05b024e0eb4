"""One door to all kinds of metrics: the effect of an arm against control."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from opportune.catalog.lab_types import MetricKind
from opportune.measure.count import count
from opportune.measure.cuped import COVARIATE
from opportune.measure.effect import Effect, NotEnoughData, Reading
from opportune.measure.mean import mean
from opportune.measure.proportion import proportion
from opportune.measure.quantile import Ranks, quantile
from opportune.measure.ratio import ratio
from opportune.measure.sums import Sums

KINDS: Mapping[MetricKind, Callable[[Sums, Sums, Reading], Effect | NotEnoughData]] = {
    "proportion": proportion,
    "mean": mean,
    "ratio": ratio,
    "count": count,
}
"""What compares two arms, by the kind of the metric; a quantile takes `Ranks` in place of `Sums`."""


def compare(kind: MetricKind, control: Sums | Ranks, arm: Sums | Ranks, reading: Reading) -> Effect | NotEnoughData:
    """Return what the arm does to a metric against control, or why that cannot be said.

    A covariate in the sums is taken out of means, counts, ratios and proportions; a proportion or count with one is
    compared as a mean. A quantile takes `Ranks`, which have none. Raise `TypeError` for the other.

    >>> from opportune.measure.reading import Fixed
    >>> effect = compare("proportion", Sums.of_hits(10, 1000), Sums.of_hits(304, 19_000), Fixed(0.05))
    >>> round(effect.relative, 3), round(effect.p, 3)
    (0.6, 0.123)
    """
    if kind == "quantile" and isinstance(control, Ranks) and isinstance(arm, Ranks):
        return quantile(control, arm, reading)
    if kind == "quantile" or isinstance(control, Ranks) or isinstance(arm, Ranks):
        given, wanted = (type(control).__name__, type(arm).__name__), "Ranks" if kind == "quantile" else "Sums"
        raise TypeError(f"a {kind} is compared from two {wanted}, not {' and '.join(given)}")
    has_covariate = any(sums.product(COVARIATE, COVARIATE) > 0 for sums in (control, arm))
    return mean(control, arm, reading) if has_covariate and kind != "ratio" else KINDS[kind](control, arm, reading)
