"""Bins: cutting numbers, keeping texts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from opportune.predictors.base import Inputs, Values
from opportune.predictors.bins import SAMPLE, Bins, cut

finite = st.floats(-(2.0**99), 2.0**99, width=32)


@given(hnp.arrays(np.float32, st.integers(0, 300), elements=finite), st.integers(2, 20))
def test_cut_is_ascending_bounded_and_separates(column: np.ndarray, bins: int) -> None:
    column = np.sort(column)
    edges = cut(column, bins)
    assert len(edges) < bins
    assert (np.diff(edges) > 0).all()
    if len(np.unique(column)) <= bins:
        assert len(np.unique(np.searchsorted(edges, np.unique(column)))) == len(np.unique(column))


def test_heavy_values_stand_alone() -> None:
    column = np.sort(np.concatenate([np.full(500, 999), np.arange(30), np.full(200, -1)]).astype(np.float32))
    edges = cut(column, 16)
    places = np.searchsorted(edges, np.array([-1, 0, 29, 999], np.float32))
    assert len(set(places.tolist())) == 4


def bins_of(numbers: int, named: int, **limits: int) -> Bins:
    names = Inputs(tuple(f"n{i}" for i in range(numbers)), tuple(f"t{i}" for i in range(named)))
    return Bins(names, **{"bins": 16, "texts": 50, "seen": 20, **limits})


def learn(bins: Bins, numbers: list[float], texts: list[str | None]) -> None:
    values = Values(np.array(numbers, np.float32), texts)
    rows = bins.text_rows(texts)
    bins.recent[rows] += 1
    bins.observe(values, rows)


def test_the_sample_stays_bounded_and_even() -> None:
    bins = bins_of(1, 0)
    for i in range(20_000):
        learn(bins, [float(i % 1000)], [])
    assert bins.filled < SAMPLE
    kept = np.sort(bins.sample[: bins.filled, 0])
    expected = np.quantile(np.arange(1000), np.linspace(0.05, 0.95, 19))
    assert np.abs(np.quantile(kept, np.linspace(0.05, 0.95, 19)) - expected).max() < 120


def test_a_text_has_its_bin_from_its_twentieth_answer() -> None:
    bins = bins_of(0, 1)
    for i in range(20):
        assert bins.vocabularies[0]["gold"] == bins.vocabularies[0].rest, i
        learn(bins, [], ["gold"])
    assert bins.vocabularies[0]["gold"] != bins.vocabularies[0].rest


def test_a_full_vocabulary_lets_in_what_became_frequent() -> None:
    bins = bins_of(0, 1, texts=3, seen=2)
    for text in "abc" * 4:
        learn(bins, [], [text])
    for _ in range(40):
        learn(bins, [], ["new"])
    kept = set(bins.vocabularies[0])
    assert "new" in kept
    assert len(kept) == 4


def test_candidates_stay_bounded() -> None:
    bins = bins_of(0, 1)
    for i in range(5000):
        learn(bins, [], [f"id {i}"])
    assert len(bins.vocabularies[0].candidates) <= 200
    assert set(bins.vocabularies[0]) == {None}


def test_every_row_has_words() -> None:
    bins = bins_of(1, 1)
    for i in range(100):
        learn(bins, [float(i)], [f"v{i % 3}"])
    for name, rows in bins.rows_of().items():
        for row in rows:
            assert bins.words(row)[0] == name
    assert bins.words(int(bins.slots[0, 0]))[1].startswith("<= ")
