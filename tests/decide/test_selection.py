"""Selection probabilities: against brute-force frequencies, closed forms, and as a distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit

from opportune.decide import chance, selection
from opportune.decide.explore import explorer
from opportune.decide.scores import Scores

POLICIES = ("thompson", "greedy", "epsilon", "squarecb", "random")


def scores(n: int, seed: int, family: str = "logit-normal", price: float = 0.1, ramp: bool = False) -> Scores:
    rng = np.random.default_rng(seed)
    if family == "beta":
        a, b = rng.uniform(0.5, 20, n), rng.uniform(5, 400, n)
        p = a / (a + b)
    else:
        a, b = rng.normal(-2.5, 1, n), rng.choice([0.0, 0.01, 0.1, 1, 4], n)
        p = expit(a / np.sqrt(1 + np.pi * b / 8))
    worth = rng.uniform(0.5, 20, n)
    base = np.where(rng.random(n) < 0.2, 0.01, 0.0)
    reach = np.where(rng.random(n) < 0.3, rng.random(n), 1.0) if ramp else np.ones(n)
    one = np.ones(n)
    service = rng.random(n) < 0.2
    table = np.stack([a, b, base, worth, reach, p, base, one, worth, one, (p - base) * worth])
    return Scores(np.arange(n, dtype=np.int32), family, table, service, price)


@given(st.integers(1, 30), st.integers(0, 10_000), st.sampled_from(POLICIES), st.booleans(), st.floats(0, 3))
def test_chances_are_a_distribution(n: int, seed: int, policy: str, ramp: bool, price: float) -> None:
    s = scores(n, seed, price=price, ramp=ramp)
    left = np.random.default_rng(seed).random(n) < 0.8
    left[0] = True
    found = explorer(policy).chances(s, left, 100)
    assert found.each.min() >= 0
    assert found.each[~left].sum() == 0
    assert found.silence + found.each.sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("family", ["logit-normal", "beta"])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chances_match_the_frequencies_of_the_draws(policy: str, family: str, seed: int) -> None:
    s = scores(8, seed, family, price=0.4, ramp=True)
    left = np.ones(8, bool)
    left[seed] = False
    way = explorer(policy)
    draws = 20_000 if policy == "thompson" else 4_000
    counts = np.zeros(9)
    for k in range(draws):
        winner, _ = way.choose(s, left, k, 0, 50)
        counts[winner] += 1
    found = way.chances(s, left, 50)
    expected = np.append(found.each, found.silence)
    error = np.sqrt(expected * (1 - expected) / draws)
    assert (np.abs(counts / draws - expected) <= 4.5 * error + 2e-3).all()


def test_two_normals_have_a_closed_form() -> None:
    """P(X1 > X2) of two logit-normals of equal worth is Phi((m1 - m2) / sqrt(v1 + v2))."""
    table = np.array([[-2.0, -2.4], [0.3, 0.5], [0, 0], [1, 1], [1, 1]], float)
    each, silence, discarded = selection.probabilities(0, table, np.ones(2, bool), np.zeros(2, bool), 0.0)
    assert each[0] == pytest.approx(stats.norm.cdf(0.4 / np.sqrt(0.8)), abs=1e-3)
    assert silence == pytest.approx(0, abs=1e-12)
    assert discarded < 1e-4


@given(st.integers(2, 12), st.integers(0, 10_000))
def test_the_grid_agrees_with_a_very_fine_one(n: int, seed: int) -> None:
    """An independent quadrature: 20,000 points of the definition, with SciPy's distribution functions."""
    s = scores(n, seed, price=0.2)
    s.table[1] = np.maximum(s.table[1], 0.05)
    a, b, base, worth = s.table[:4]
    s.service[:] = False
    each, silence, _ = selection.probabilities(0, s.table, np.ones(n, bool), s.service, s.price)
    top = ((expit(a + 6 * np.sqrt(b)) - base) * worth).max()
    x = np.linspace(s.price, max(top, s.price + 1e-6), 20_001)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = x[None, :] / worth[:, None] + base[:, None]
        z = (np.log(p / (1 - p)) - a[:, None]) / np.sqrt(b[:, None])
    f = np.where(p >= 1, 1.0, stats.norm.cdf(z))
    total = f.prod(axis=0)
    middle = (f[:, 1:] + f[:, :-1]) / 2
    wanted = (np.diff(f, axis=1) * np.array([np.delete(middle, i, 0).prod(axis=0) for i in range(n)])).sum(axis=1)
    assert silence == pytest.approx(total[0], abs=1e-6)
    assert np.abs(each - wanted).max() < 4e-3


@pytest.mark.parametrize(("a", "b"), [(0.5, 3.0), (20.0, 400.0), (1.0, 1.0), (2_000.0, 9_000.0)])
def test_beta_distribution_is_scipys(a: float, b: float) -> None:
    for x in (1e-6, 0.01, 0.2, 0.5, 0.99):
        assert chance.beta_cdf(x, a, b) == pytest.approx(stats.beta.cdf(x, a, b), abs=1e-11)
    for u in (1e-7, 0.2, 0.9, 1 - 1e-7):
        assert chance.quantile(1, a, b, u) == pytest.approx(stats.beta.ppf(u, a, b), abs=1e-9)


def test_normal_quantile_is_scipys() -> None:
    for u in np.concatenate([np.logspace(-14, -1, 50), np.linspace(0.1, 0.999999, 50)]):
        assert chance.normal_quantile(u) == pytest.approx(stats.norm.ppf(u), rel=1e-12, abs=1e-14)


def test_draws_are_uniform_and_repeatable() -> None:
    u = np.array([chance.uniform(np.uint64(s), t, i) for s in range(40) for t in range(5) for i in range(50)])
    assert 0 < u.min() < u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert chance.uniform(np.uint64(7), 1, 2) == chance.uniform(np.uint64(7), 1, 2)


def test_unknown_policy_names_the_nearest() -> None:
    from opportune.errors import BadInput

    with pytest.raises(BadInput, match="did you mean thompson"):
        explorer("tompson")
