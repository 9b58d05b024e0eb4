"""The Bayesian predictor against independent references."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opportune.predictors import ActionKey, Inputs, Values, open_predictor
from opportune.predictors.bayes import EXPERTS, FULL, Bayes
from opportune.predictors.contract import ACTIONS, EVERY, INPUTS, opened, stream

NOTHING = Values(np.zeros(0, np.float32), [])


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def only_intercepts(groups: list[str]) -> Bayes:
    model = Bayes()
    model.align(Inputs((), ()), [ActionKey(f"a{i}", "all", group) for i, group in enumerate(groups)])
    return model


def test_p_starts_at_the_pooled_rate_and_new_actions_at_their_groups() -> None:
    model = Bayes(start=0.02)
    model.align(INPUTS, ACTIONS)
    for values, _, _ in stream(5):
        assert np.allclose(model.score(values, EVERY).p, 0.02, atol=0.004)
    model = opened(Bayes, 600)  # type: ignore[assignment]
    model.align(INPUTS, (*ACTIONS, ActionKey("n1", "retain", "bundle"), ActionKey("n2", "grow", "device")))
    for values, _, _ in stream(5):
        found = model.score(values, np.arange(5, dtype=np.int32))
        assert found.b[3] > found.b[0], "a new action is less certain"
        assert found.p[3] != found.p[4], "new actions start at their own group"


def test_the_first_step_is_the_mode_along_the_step() -> None:
    """One positive where P is small and uncertain: close to the exact posterior; a plain Kalman step is far off."""
    v, p0 = 4.2, 0.02
    m = math.log(p0 / (1 - p0)) * math.sqrt(1 + math.pi * v / 8)

    def moderated(mean: float, at: float) -> float:
        h = sigmoid(at) * (1 - sigmoid(at))
        return sigmoid(mean / math.sqrt(1 + math.pi / 8 * (v - v * v * h / (1 + h * v))))

    at = m
    for _ in range(100):
        at -= (at - m - v * (1 - sigmoid(at))) / (1 + v * sigmoid(at) * (1 - sigmoid(at)))
    implicit, kalman = moderated(at, at), moderated(m + v * (1 - sigmoid(m)), m)
    z = np.linspace(m - 12, m + 12, 20_001)
    density, p = np.exp(-((z - m) ** 2) / 2 / v), 1 / (1 + np.exp(-z))
    exact = float((density * p * p).sum() / (density * p).sum())
    assert abs(implicit - exact) < 0.5 * abs(kalman - exact)

    model = Bayes(start=p0)
    model.align(Inputs((), ()), [ActionKey("a", "all", "all")])
    e = len(EXPERTS) - 1
    model._prior[e, :3, 0] = [v - 2e-9, 1e-9, 1e-9]
    model._prior[e, 3:, 0] = 1 / model._prior[e, :3, 0]
    model._root[e, 0] = [1 / v, m / v]
    model.learn_one(NOTHING, 0, True)
    model._mix[:] = np.eye(len(EXPERTS))[e]
    assert model.score(NOTHING, EVERY[:1]).p[0] == pytest.approx(implicit, abs=1e-4)


def test_the_tree_within_a_row_is_the_full_gaussian_posterior() -> None:
    """Intercepts only: the messages give what a dense Gaussian over root, groups and actions gives, step by step."""
    groups = ["g", "g", "h", "h", "h"]
    model = only_intercepts(groups)
    rng = np.random.default_rng(3)
    e = 0
    v0, v1, v2 = EXPERTS[e].intercept
    size = 1 + 2 + 5
    mean = np.full(size, model._root[e, 0, 1] / model._root[e, 0, 0])
    up = np.zeros((5, size))
    for k, group in enumerate(groups):
        up[k, [0, 1 + "gh".index(group), 3 + k]] = 1
    free = np.diag([v0, v1, v1, *[v2] * 5])
    offsets = np.zeros(size)
    offsets[0] = mean[0]
    for _ in range(300):
        k, y = int(rng.integers(5)), bool(rng.random() < 0.3)
        x = up[k]
        m, v = float(x @ offsets), float(x @ free @ x)
        at = m
        for _ in range(50):
            at -= (at - m - v * (y - sigmoid(at))) / (1 + v * sigmoid(at) * (1 - sigmoid(at)))
        p = sigmoid(at)
        gain = free @ x
        offsets = offsets + gain * (y - p)
        free = free - np.outer(gain, gain) * p * (1 - p) / (1 + p * (1 - p) * v)
        model.learn_one(NOTHING, k, y)
    model._mix[:] = np.eye(len(EXPERTS))[e]
    found = model.score(NOTHING, np.arange(5, dtype=np.int32))
    m, v = up @ offsets, np.einsum("ki,ij,kj->k", up, free, up)
    assert np.allclose(found.p, [sigmoid(z) for z in m / np.sqrt(1 + math.pi / 8 * v)], atol=2e-5)


@pytest.mark.parametrize("answers", [3, 40, 200])
def test_close_to_the_exact_posterior_on_small_data(answers: int) -> None:
    """Against the integral over the intercept and the weights of one text's two bins, by brute force on a grid."""
    model = Bayes(start=0.3, seen=1_000_000)
    model.align(Inputs((), ("plan",)), [ActionKey("a", "all", "all")])
    e = [expert.name for expert in EXPERTS].index("shared")
    v, w = sum(EXPERTS[e].intercept), EXPERTS[e].bins[0]
    start = model._root[e, 0, 1] / model._root[e, 0, 0]
    values = {text: Values(np.zeros(0, np.float32), [text]) for text in (None, "gold")}
    line = np.linspace(-4, 4, 121)
    a, b, c = np.meshgrid(line * math.sqrt(v), line * math.sqrt(w), line * math.sqrt(w), indexing="ij")
    weight = -(a**2 / v + (b**2 + c**2) / w) / 2
    logits = {None: start + a + b, "gold": start + a + c}
    rng = np.random.default_rng(5)
    for i in range(answers):
        text = "gold" if i % 2 else None
        outcome = bool(rng.random() < (0.6 if text else 0.2))
        weight -= np.log1p(np.exp(-logits[text] if outcome else logits[text]))
        model.learn_one(values[text], 0, outcome)
    model._mix[:] = np.eye(len(EXPERTS))[e]
    weight = np.exp(weight - weight.max())
    for text, logit in logits.items():
        p = 1 / (1 + np.exp(-logit))
        exact = float((weight * p).sum() / weight.sum())
        spread = math.sqrt(float((weight * (p - exact) ** 2).sum() / weight.sum()))
        assert abs(model.score(values[text], EVERY[:1]).p[0] - exact) < spread


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.floats(0.1, 3)), min_size=1, max_size=40))
def test_variances_stay_within_the_prior_whatever_is_taken_back(steps: list[tuple[int, bool, float]]) -> None:
    model = opened(Bayes, 40)
    assert isinstance(model, Bayes)
    answers = list(stream(40, seed=1))
    for i, (action, outcome, weight) in enumerate(steps):
        model.learn_one(answers[i][0], action, outcome, -weight if i % 3 else weight)
    rows = model._bins.rows
    assert ((model._leaf[:, :rows, 0] >= 0) & (model._leaf[:, :rows, 0] < 1)).all()
    assert ((model._group[:, :rows, 0] >= 0) & (model._group[:, :rows, 0] < 1)).all()
    for e in range(len(EXPERTS)):
        assert (model._root[e, :rows, 0] >= 1 / model._variances(e)[0] * (1 - 1e-12)).all()
    assert model._mix.sum() == pytest.approx(1)


@given(st.integers(0, 400), st.booleans(), st.floats(0.2, 1.1))
@example(0, True, 1.0)
@example(0, True, 1.1)
def test_taking_back_at_once_is_the_exact_inverse(rows: int, outcome: bool, weight: float) -> None:
    model = opened(lambda: Bayes(seen=1_000_000), rows)
    assert isinstance(model, Bayes)
    values, action, _ = next(stream(1, seed=rows + 1000))
    before = [np.array(part) for part in (model._leaf, model._group, model._root[:, :, 1], model._mix)]
    size = model._bins.rows
    model._bins.learned = 10_001  # no cut in between
    model.learn_one(values, action, outcome, weight)
    model.learn_one(values, action, outcome, -weight)
    after = [model._leaf, model._group, model._root[:, :, 1], model._mix]
    for was, now in zip(before[:3], after[:3]):
        assert np.allclose(was[:, :size], now[:, :size], rtol=1e-6, atol=1e-6)
    assert np.allclose(before[3], after[3], atol=1e-6)


def test_a_late_correction_comes_close_to_never_having_erred() -> None:
    """Negatives turned to positives 50 answers later: P differs little from having known it."""
    late, known = opened(Bayes), opened(Bayes)
    waiting = []
    for i, (values, action, outcome) in enumerate(stream(3000, seed=12)):
        late.learn_one(values, action, False)
        known.learn_one(values, action, outcome)
        if outcome:
            waiting.append((i + 50, values, action))
        while waiting and waiting[0][0] <= i:
            _, before, which = waiting.pop(0)
            late.learn_one(before, which, False, -1.0)
            late.learn_one(before, which, True)
    for _, values, action in waiting:
        late.learn_one(values, action, False, -1.0)
        late.learn_one(values, action, True)
    assert (late.positives() == known.positives()).all()
    probe = [values for values, _, _ in stream(300, seed=13)]
    gap = [np.abs(late.score(v, EVERY).p - known.score(v, EVERY).p).mean() for v in probe]
    assert np.mean(gap) < 0.02


def test_exploration_uses_only_what_actions_do_not_share() -> None:
    """Ten thousand answers for other groups leave the own part of the variance of an unseen action as it was."""
    model = only_intercepts(["g", "h"])
    before = model.score(NOTHING, EVERY[:2]).b
    for i in range(3000):
        model.learn_one(NOTHING, 0, i % 10 == 0)
    after = model.score(NOTHING, EVERY[:2]).b
    assert after[0] < 0.1 * before[0]
    assert after[1] > 0.9 * before[1]


def test_the_best_expert_leads() -> None:
    model = opened(Bayes, 4000)
    assert isinstance(model, Bayes)
    weights = {e["name"]: e["weight"] for e in model.describe()["experts"]}
    assert weights["plain"] < 0.01
    assert FULL == 2


def test_numbers_are_cut_where_they_lie_and_weights_follow() -> None:
    model = open_predictor("bayes")
    model.align(Inputs(("x",), ()), [ActionKey("a", "all", "all")])
    rng = np.random.default_rng(2)
    xs = rng.lognormal(3, 1, 4000).astype(np.float32)
    for x in xs:
        model.learn_one(Values(np.array([x]), []), 0, bool(rng.random() < sigmoid(math.log(x) - 3)))
    bins = model.describe()["inputs"][0]["bins"]
    assert len(bins) == 17
    answers = [b["answers"] for b in bins[:-1]]
    assert min(answers) > 4000 / 16 / 3, f"bins of uneven size: {answers}"
    weights = [b["weight"] for b in bins[:-1]]
    assert weights[-1] - weights[0] > 1.5
    for x in (5.0, 20.0, 80.0):
        p = model.score(Values(np.array([x], np.float32), []), EVERY[:1]).p[0]
        assert p == pytest.approx(sigmoid(math.log(x) - 3), abs=0.08)


@given(st.lists(st.integers(0, 59), max_size=9))
def test_some_of_many_actions_score_as_all_do(asked: list[int]) -> None:
    model = Bayes()
    model.align(INPUTS, [ActionKey(f"a{i}", "all", f"g{i % 4}") for i in range(60)])
    answers = list(stream(300, seed=21))
    for i, (values, _, outcome) in enumerate(answers):
        model.learn_one(values, i * 7 % 60, outcome)
    model._mix[:] = 0.25
    some = np.array(asked, np.int32)
    for values, _, _ in answers[:3]:
        one, every = model.score(values, some), model.score(values, np.arange(60, dtype=np.int32))
        assert (one.p == every.p[some]).all()
        assert (one.a == every.a[some]).all()
        assert (one.b == every.b[some]).all()


def test_effects_are_what_contributions_compare() -> None:
    model = opened(Bayes, 600)
    assert isinstance(model, Bayes)
    rows = model.bins.rows_of()
    for action in range(len(ACTIONS)):
        effects = model.effects(action)
        for values, _, _ in stream(5, seed=3):
            for name, told, share in model.contributions(values, action):
                answers = model._seen[rows[name], 0]
                moves = np.array([one.moves for one in effects[name]])
                mine = next(one.moves for one in effects[name] if one.bin == told)
                assert mine - moves @ answers / answers.sum() == pytest.approx(share, abs=1e-9)


def test_the_deviation_of_an_effect_is_that_of_the_posterior() -> None:
    """Planted: with one input of two values, what the model says lies within two deviations of the truth."""
    inside = []
    for seed in range(12):
        rng, model = np.random.default_rng(seed), Bayes(start=0.3, seen=1)
        model.align(Inputs((), ("plan",)), [ActionKey("a", "all", "all")])
        for _ in range(3000):
            gold = bool(rng.random() < 0.5)
            plan = ["gold" if gold else "basic"]
            model.learn_one(Values(np.zeros(0, np.float32), plan), 0, bool(rng.random() < (0.45 if gold else 0.3)))
        found = {one.bin: one for one in model.effects(0)["plan"]}
        difference = found["gold"].moves - found["basic"].moves
        truth = math.log(0.45 / 0.55) - math.log(0.3 / 0.7)
        wide = math.hypot(found["gold"].deviation or 0, found["basic"].deviation or 0)
        inside.append(abs(difference - truth) < 2 * wide)
    assert sum(inside) >= 10
