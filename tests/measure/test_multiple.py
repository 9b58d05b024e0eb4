"""Holm and Benjamini-Hochberg against published figures and statsmodels."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from opportune.errors import BadInput
from opportune.measure.multiple import benjamini_hochberg, holm


def test_published_figures() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005, 0.55, 0.6]) == pytest.approx([0.05, 0.12, 0.12, 0.03, 1, 1])
    ps = [0.898, 0.138, 0.007, 0.964, 0.538, 0.006, 0.138]
    theirs = multipletests(ps, method="fdr_bh")[1]
    assert benjamini_hochberg(ps) == pytest.approx([0.964, 0.2415, 0.0245, 0.964, 0.7532, 0.0245, 0.2415], abs=1e-4)
    assert benjamini_hochberg(ps) == pytest.approx(theirs)


@pytest.mark.parametrize(("ours", "method"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
@given(ps=st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 1.0]), min_size=1, max_size=30))
def test_agree_with_statsmodels(ours: Callable, method: str, ps: list[float]) -> None:
    assert ours(ps) == pytest.approx(list(multipletests(ps, method=method)[1]))
    assert all(p <= adjusted <= 1 for p, adjusted in zip(ps, ours(ps)))


def test_nothing_and_what_is_no_p() -> None:
    assert holm([]) == benjamini_hochberg([]) == []
    for bad in (-0.1, 1.1, float("nan")):
        with pytest.raises(BadInput, match="p number 2"):
            holm([0.5, bad])
        with pytest.raises(BadInput, match="p number 2"):
            benjamini_hochberg([0.5, bad])
