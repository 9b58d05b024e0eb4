"""One door: every kind, with and without a covariate, and what does not fit."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from opportune.catalog.lab_types import MetricKind
from opportune.measure.compare import KINDS, compare
from opportune.measure.effect import Effect
from opportune.measure.mean import mean
from opportune.measure.quantile import Ranks
from opportune.measure.reading import Fixed
from opportune.measure.sums import Sums


def customers(seed: int, lift: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    before = rng.gamma(1.0, 0.1, 2000)
    hit = rng.random(2000) < np.minimum(before * 2 * lift, 1.0)
    return hit.astype(float), 1.0 + rng.poisson(2, 2000), before


def test_every_kind_of_the_catalog_has_a_comparison() -> None:
    assert {*KINDS, "quantile"} == set(get_args(MetricKind))
    for kind in KINDS:
        found = compare(kind, Sums.of(*customers(1)[:2]), Sums.of(*customers(2, 1.5)[:2]), Fixed(0.05))
        assert isinstance(found, Effect)
        assert found.units == (2000, 2000)
        assert found.p < 0.05
        assert found.relative is not None
        assert found.relative > 0.2
    spent = np.random.default_rng(3).lognormal(0, 1, 500)
    found = compare("quantile", Ranks.of(spent), Ranks.of(1.5 * spent), Fixed(0.05))
    assert isinstance(found, Effect)
    assert found.relative == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["proportion", "count"])
def test_a_covariate_makes_a_mean_of_it(kind: MetricKind) -> None:
    (a, _, before), (b, _, other) = customers(1), customers(2, 1.3)
    pair = Sums.of(a, before=before), Sums.of(b, before=other)
    found = compare(kind, *pair, Fixed(0.05))
    assert found == mean(*pair, Fixed(0.05))
    assert isinstance(found, Effect)
    assert found.variance_saved > 0.05


def test_a_ratio_keeps_its_covariate() -> None:
    found = compare("ratio", Sums.of(*customers(1)), Sums.of(*customers(2)), Fixed(0.05))
    assert isinstance(found, Effect)
    assert found.variance_saved > 0.05
    assert found.control < 0.1


def test_the_wrong_evidence_is_refused() -> None:
    ranks, sums = Ranks.of(np.arange(50.0)), Sums.of(np.arange(50.0))
    with pytest.raises(TypeError, match="from two Ranks, not Sums and Ranks"):
        compare("quantile", sums, ranks, Fixed(0.05))
    with pytest.raises(TypeError, match="from two Sums, not Ranks and Ranks"):
        compare("mean", ranks, ranks, Fixed(0.05))
