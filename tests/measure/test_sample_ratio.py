"""The check of the split: Cookie Cats, the chi-square of scipy, and what the bet makes of sound tests."""

from __future__ import annotations

import csv
import gzip
import math
from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from opportune.errors import BadInput
from opportune.measure.sample_ratio import log_evidence, sample_ratio


def test_cookie_cats_is_an_alarm() -> None:
    counts = {"gate_30": 44_700, "gate_40": 45_489}
    found = sample_ratio(counts, {"gate_30": 0.5, "gate_40": 0.5}, finished=True)
    assert (round(found.p, 5), found.alarm) == (0.00861, True)
    assert sample_ratio(counts, {"gate_30": 0.5, "gate_40": 0.5}).p == pytest.approx(0.419, abs=1e-3)


def test_cookie_cats_file_has_those_counts(data_folder: Path) -> None:
    with gzip.open(data_folder / "cookie_cats.csv.gz", "rt") as file:
        assert Counter(row["version"] for row in csv.DictReader(file)) == {"gate_30": 44_700, "gate_40": 45_489}


@given(st.lists(st.tuples(st.integers(50, 5_000), st.floats(0.5, 4)), min_size=2, max_size=6))
def test_a_finished_one_is_pearsons(arms: list[tuple[int, float]]) -> None:
    counts = [n for n, _ in arms]
    weights = np.array([w for _, w in arms])
    theirs = chisquare(counts, weights / weights.sum() * sum(counts)).pvalue
    names = [str(i) for i in range(len(arms))]
    ours = sample_ratio(dict(zip(names, counts)), dict(zip(names, weights.tolist())), finished=True)
    assert ours.p == pytest.approx(theirs, rel=1e-6, abs=1e-300)
    assert ours.alarm == (theirs < 0.01)


def test_a_customer_in_an_arm_without_weight_is_an_alarm() -> None:
    for finished in (True, False):
        for split in ({"a": 1, "b": 1, "off": 0}, {"a": 1, "b": 1}):
            assert sample_ratio({"a": 500, "b": 500, "off": 1}, split, finished=finished).alarm
        sound = sample_ratio({"a": 500, "b": 520, "off": 0}, {"a": 1, "b": 1, "off": 0}, finished=finished)
        assert not sound.alarm
        assert sound == sample_ratio({"a": 500, "b": 520}, {"a": 0.5, "b": 0.5}, finished=finished)


@pytest.mark.parametrize("weights", [[0.5, 0.5], [0.05, 0.95], [0.2, 0.3, 0.5]])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_bet_makes_nothing_of_sound_tests(weights: list[float], n: int) -> None:
    """Its mean over every sequence of assignments, weighed with its chance, is exactly 1."""
    total = 0.0
    for arms in product(range(len(weights)), repeat=n):
        counts = [arms.count(arm) for arm in range(len(weights))]
        total += math.prod(weights[arm] for arm in arms) * math.exp(log_evidence(counts, weights))
    assert total == pytest.approx(1, rel=1e-9)


@given(st.lists(st.integers(0, 10**7), min_size=2, max_size=5))
def test_p_is_a_chance(counts: list[int]) -> None:
    names = [str(arm) for arm in range(len(counts))]
    found = sample_ratio(dict(zip(names, counts)), dict.fromkeys(names, 1.0))
    assert 0 <= found.p <= 1
    assert found.alarm == (found.p < 0.01)


def test_a_sound_test_is_hardly_ever_alarming_in_52_looks_and_a_fault_soon_is() -> None:
    random = np.random.default_rng(4)
    split = {"a": 0.05, "b": 0.95}
    weights = list(split.values())

    def alarms(chance: float, tests: int) -> float:
        held = np.cumsum(random.binomial(200, chance, (tests, 52)), axis=1)
        seen = 200 * np.arange(1, 53)
        alarming = [
            any(sample_ratio({"a": int(x), "b": int(n - x)}, split).alarm for x, n in zip(row, seen)) for row in held
        ]
        return sum(alarming) / tests

    assert alarms(weights[0], 300) <= 0.01
    assert alarms(0.065, 40) > 0.9


def test_gross_faults_show_within_a_few_dozen_customers_and_small_ones_in_large_tests() -> None:
    assert sample_ratio({"a": 14, "b": 0}, {"a": 1, "b": 1}).alarm
    assert sample_ratio({"a": 501_500, "b": 498_500}, {"a": 1, "b": 1}).p == pytest.approx(0.35, abs=0.3)
    assert sample_ratio({"a": 5_020_000, "b": 4_980_000}, {"a": 1, "b": 1}).alarm


def test_few_customers_are_not_left_to_chi_square() -> None:
    split = {"a": 1, "b": 99}
    assert sample_ratio({"a": 2, "b": 38}, split, finished=True) == sample_ratio({"a": 2, "b": 38}, split)
    assert sample_ratio({}, split) == sample_ratio({"a": 0, "b": 0}, split, finished=True)
    assert sample_ratio({}, split).p == 1
    assert sample_ratio({"a": 900}, {"a": 1}, finished=True).p == 1


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match="'a': customers -1"):
        sample_ratio({"a": -1}, {"a": 1})
    with pytest.raises(BadInput, match="'a': weight -1"):
        sample_ratio({"a": 1}, {"a": -1})
    with pytest.raises(BadInput, match="no arm has a weight"):
        sample_ratio({"a": 1}, {"a": 0})
