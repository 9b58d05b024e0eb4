"""The models of attribution: against published figures and independent calculations, and on odd journeys."""

from __future__ import annotations

from itertools import combinations, permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.errors import BadInput
from opportune.measure.attribution import markov as markov_module
from opportune.measure.attribution.markov import Markov, best_order
from opportune.measure.attribution.models import MODELS, Credit, Options, credits
from opportune.measure.attribution.paths import Paths, paths_of
from opportune.measure.effect import NotEnoughData

DEFAULTS = Options()


def conversions(paths: Paths, name: str, options: Options = DEFAULTS) -> dict[str, float]:
    credit = MODELS[name](paths, options).credit(paths.counted)
    return dict(zip(paths.channels, credit[:, 0].tolist()))


JOURNEYS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(("a", "b c", "ü", "d", "e")), min_size=1, max_size=7),
        st.integers(0, 4),
        st.integers(0, 6),
        st.floats(0, 50),
    ),
    min_size=1,
    max_size=25,
)


def made(journeys: list[tuple[list[str], int, int, float]]) -> Paths:
    return paths_of(
        [" > ".join(names) for names, *_ in journeys],
        [float(converted) for _, converted, _, _ in journeys],
        [converted * worth for _, converted, _, worth in journeys],
        [float(lost) for _, _, lost, _ in journeys],
    )


@settings(max_examples=60, deadline=None)
@given(JOURNEYS, st.integers(1, 4), st.sampled_from((0.0, 0.25, 0.4, 0.5)))
def test_credits_add_up_to_the_conversions_and_their_value(
    journeys: list[tuple[list[str], int, int, float]], order: int, ends: float
) -> None:
    paths = made(journeys)
    if not paths.conversions.sum():
        return
    for name in MODELS:
        credit = MODELS[name](paths, Options(order, 1.5, ends)).credit(paths.counted)
        assert credit.sum(axis=0) == pytest.approx([paths.conversions.sum(), paths.value.sum()], rel=1e-9), name
        assert credit.min() >= -1e-9, name


def exact_removal(paths: Paths, order: int) -> np.ndarray:
    """Removal effects by the fundamental matrix of a dense chain that is built touch by touch."""
    moves: dict[object, dict[object, float]] = {}

    def move(source: object, target: object, often: float) -> None:
        moves.setdefault(source, {}).setdefault(target, 0.0)
        moves[source][target] += often

    for i in range(len(paths)):
        steps = paths.steps[paths.starts[i] : paths.starts[i + 1]].tolist()
        states = [tuple(steps[max(0, at - order + 1) : at + 1]) for at in range(len(steps))]
        often = paths.conversions[i] + paths.nulls[i]
        for source, target in zip(["start", *states], states):
            move(source, target, often)
        move(states[-1], "converted", paths.conversions[i])
        move(states[-1], "lost", paths.nulls[i])

    def chance(without: int) -> float:
        known = [s for s in moves if s == "start" or s[-1] != without]
        at = {s: i for i, s in enumerate(known)}
        q, r = np.zeros((len(known), len(known))), np.zeros(len(known))
        for source in known:
            whole = sum(moves[source].values())
            for target, often in moves[source].items():
                if target in at and whole:
                    q[at[source], at[target]] = often / whole
                elif target == "converted" and whole:
                    r[at[source]] = often / whole
        return float((np.linalg.inv(np.eye(len(known)) - q) @ r)[at["start"]])

    whole = chance(-1)
    return np.array([1 - chance(c) / whole for c in range(len(paths.channels))])


@settings(max_examples=40, deadline=None)
@given(JOURNEYS, st.integers(1, 3), st.sampled_from((0, 512)))
def test_markov_is_its_linear_algebra(
    journeys: list[tuple[list[str], int, int, float]], order: int, dense: int
) -> None:
    paths = made(journeys)
    if not paths.conversions.sum():
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markov_module, "DENSE", dense)
        found = Markov(paths, order).removal(paths.counted)[:, 0]
    assert found == pytest.approx(exact_removal(paths, order), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(JOURNEYS)
def test_repeated_touches_change_nothing_of_a_memory_of_one(journeys: list[tuple[list[str], int, int, float]]) -> None:
    if not any(converted for _, converted, _, _ in journeys):
        return
    once = [([x for i, x in enumerate(names) if not i or names[i - 1] != x], *rest) for names, *rest in journeys]
    whole, short = made(journeys), made(once)  # type: ignore[arg-type]
    assert conversions(whole, "markov") == pytest.approx(conversions(short, "markov"), abs=1e-9)


def test_the_three_paths_of_bryl() -> None:
    paths = paths_of(["c1 > c2 > c3", "c1", "c2 > c3"], [1, 0, 0], nulls=[0, 1, 1])
    assert conversions(paths, "markov") == pytest.approx({"c1": 0.2, "c2": 0.4, "c3": 0.4}, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(JOURNEYS)
def test_shapley_is_the_mean_over_all_orders_of_joining(journeys: list[tuple[list[str], int, int, float]]) -> None:
    paths = made(journeys)
    met = [set(paths.steps[a:b].tolist()) for a, b in zip(paths.starts, paths.starts[1:])]
    n = len(paths.channels)
    worth = {
        coalition: sum(k for names, k in zip(met, paths.conversions) if names <= set(coalition))
        for size in range(n + 1)
        for coalition in combinations(range(n), size)
    }
    values = np.zeros(n)
    for joining in permutations(range(n)):
        for place, channel in enumerate(joining):
            before = tuple(sorted(joining[:place]))
            values[channel] += worth[tuple(sorted((*before, channel)))] - worth[before]
    expected = dict(zip(paths.channels, (values / factorial(n)).tolist()))
    assert conversions(paths, "shapley") == pytest.approx(expected, abs=1e-9)


def test_heuristics_by_hand() -> None:
    paths = paths_of(["a > b > c > a", "b"], [3, 1], nulls=[1, 0])
    assert conversions(paths, "first") == {"a": 3, "b": 1, "c": 0}
    assert conversions(paths, "last") == {"a": 3, "b": 1, "c": 0}
    assert conversions(paths, "linear") == {"a": 1.5, "b": 1.75, "c": 0.75}
    assert conversions(paths, "position", Options(ends=0.3)) == pytest.approx({"a": 1.8, "b": 1.6, "c": 0.6})
    decayed = {"a": 3 * 9 / 15, "b": 3 * 2 / 15 + 1, "c": 3 * 4 / 15}
    assert conversions(paths, "time_decay", Options(half_life=1)) == pytest.approx(decayed)


def test_a_memory_is_used_where_the_journeys_have_one() -> None:
    draw = np.random.default_rng(3)
    flat = [" > ".join(draw.choice(["a", "b", "c"], n)) for n in draw.geometric(0.4, 3000)]
    bought = (draw.random(3000) < 0.3).astype(float)
    assert best_order(paths_of(flat, bought, nulls=1 - bought)) == 1
    after = np.array([0.9 if text.endswith("a > b") else 0.1 for text in flat])
    bought = (draw.random(3000) < after).astype(float)
    assert best_order(paths_of(flat, bought, nulls=1 - bought)) == 2


def test_logistic_finds_who_makes_the_difference() -> None:
    draw = np.random.default_rng(5)
    met = draw.random((4000, 3)) < 0.5
    met[:, 2] |= ~met.any(axis=1)
    bought = (draw.random(4000) < np.where(met[:, 0], 0.4, 0.1)).astype(float)
    texts = [" > ".join(np.array(["good", "idle", "other"])[row]) for row in met]
    found = conversions(paths_of(texts, bought, nulls=1 - bought), "logistic")
    without = bought[~met[:, 0]].sum()
    assert found["good"] == pytest.approx(bought.sum() - without, rel=0.1)


def test_intervals_hold_what_another_sample_would_give() -> None:
    draw = np.random.default_rng(7)
    names, chance = np.array(["a", "b", "c", "d"]), np.array([0.5, 0.3, 0.15, 0.05])

    def sample(n: int) -> Paths:
        texts = [" > ".join(draw.choice(names, k, p=chance)) for k in draw.integers(1, 5, n)]
        bought = (draw.random(n) < [0.1 + 0.1 * ("b" in text) for text in texts]).astype(float)
        return paths_of(texts, bought, nulls=1 - bought)

    truth = {name: conversions(sample(60_000), name) for name in ("last", "markov")}
    inside = []
    for _ in range(30):
        found = credits(sample(1500), ("last", "markov"))
        for model, true in truth.items():
            told = found[model]
            assert isinstance(told, dict)
            inside += [true[name] / 40 in credit.interval for name, credit in told.items()]
    assert 0.9 <= np.mean(inside) <= 0.99


def test_the_same_seed_gives_the_same_intervals() -> None:
    paths = paths_of(["a > b", "b", "a"], [30, 20, 10], nulls=[70, 80, 90])
    assert credits(paths, seed=3) == credits(paths, seed=3)
    assert credits(paths, seed=3) != credits(paths, seed=4)


def test_where_there_is_nothing_to_share_out_there_is_no_number() -> None:
    found = credits(paths_of(["a > b"], [0], nulls=[9]))
    assert all(isinstance(told, NotEnoughData) for told in found.values())
    assert list(found) == list(MODELS)
    found = credits(paths_of(["a > b", "a"], [3, 2]))
    assert isinstance(found["logistic"], NotEnoughData)
    assert isinstance(found["markov"], dict)


def test_one_channel_gets_everything_from_every_model() -> None:
    for told in credits(paths_of(["only", "only > only"], [3, 2], [7, 5], [4, 0])).values():
        assert isinstance(told, dict)
        [credit] = told.values()
        assert isinstance(credit, Credit)
        assert (credit.conversions, credit.value) == pytest.approx((5, 12))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((["a"], [-1]), "row 1: conversions is -1; a count is 0 or more"),
        ((["a", "b"], [1, 1], [0, -2]), "row 2: value is -2; take what came back"),
        ((["a"], [1], None, [float("nan")]), "row 1: nulls is nan; give a finite number"),
        ((["a", " > "], [1, 1]), "row 2: ' > ' names no channel"),
        ((["a"], [0], [5]), "the path 'a' has value and no conversion"),
        ((["a"], [1, 2]), "there are 1 paths and 2 values of conversions"),
    ],
)
def test_mistakes_are_told(given: tuple[object, ...], said: str) -> None:
    with pytest.raises(BadInput, match=said.replace("(", r"\(")):
        paths_of(*given)  # type: ignore[arg-type]
