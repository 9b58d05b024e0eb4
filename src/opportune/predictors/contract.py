"""What every predictor must keep to, as functions that take a factory: for our own tests and for plug-in authors.

    from opportune.predictors import contract

    @pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
    def test_mine(check):
        check(MyPredictor)

Each check raises AssertionError with a word on what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from opportune.predictors.base import ActionKey, Inputs, Posterior, Predictor, Values

Factory = Callable[[], Predictor]

INPUTS = Inputs(("age", "spend"), ("plan", "city"))
ACTIONS = (
    ActionKey("keep", "retain", "bundle"),
    ActionKey("upgrade", "grow", "device"),
    ActionKey("keep_plus", "retain", "bundle"),
)
EVERY = np.arange(len(ACTIONS), dtype=np.int32)
PLANS = ("gold", "silver", "basic", None)


def stream(rows: int, seed: int = 7) -> Iterator[tuple[Values, int, bool]]:
    """Yield answers of made-up customers: numbers and texts that matter, missing and rare values among them."""
    rng = np.random.default_rng(seed)
    for _ in range(rows):
        age, spend = rng.normal(40, 12), rng.exponential(50)
        plan = int(rng.integers(4))
        action = int(rng.integers(len(ACTIONS)))
        at = -1.5 + 0.05 * (age - 40) * (action - 1) + (0.8 if plan == 0 else 0)
        numbers = np.array([age if rng.random() > 0.1 else math.nan, spend], np.float32)
        yield Values(numbers, [PLANS[plan], f"city {rng.integers(500)}"]), action, bool(rng.random() < _sigmoid(at))


def opened(factory: Factory, rows: int = 0, seed: int = 7) -> Predictor:
    """Return a predictor of the made-up catalog that has learned some rows."""
    predictor = factory()
    predictor.align(INPUTS, ACTIONS)
    for values, action, outcome in stream(rows, seed):
        predictor.learn_one(values, action, outcome)
    return predictor


def score_is_a_probability(factory: Factory) -> None:
    """P lies in (0, 1) and belongs to the posterior; an empty predictor scores too."""
    for rows in (0, 1, 400):
        predictor = opened(factory, rows)
        for values, _, _ in stream(20, seed=1):
            found = predictor.score(values, EVERY)
            assert found.family in ("logit-normal", "beta"), f"unknown family {found.family}"
            assert ((found.p > 0) & (found.p < 1)).all(), f"P outside (0, 1): {found.p}"
            if found.family == "beta":
                assert np.allclose(found.a / (found.a + found.b), found.p), "P is not the mean of the posterior"
            else:
                moderated = found.a / np.sqrt(1 + math.pi / 8 * found.b)
                assert np.allclose(1 / (1 + np.exp(-moderated)), found.p), "P is not the mean of the posterior"
                assert (found.b >= 0).all(), "negative variance"


def score_is_pure(factory: Factory) -> None:
    """Scoring changes nothing, and an action's score does not depend on which others are asked."""
    predictor = opened(factory, 300)
    before = predictor.snapshot()
    for values, _, _ in stream(20, seed=2):
        first, second = predictor.score(values, EVERY), predictor.score(values, EVERY)
        assert _same(first, second, EVERY), "two scores differ"
        some = np.array([2, 0], np.int32)
        assert _same(predictor.score(values, some), first, some), "a score depends on the other actions asked"
        assert len(predictor.score(values, EVERY[:0]).p) == 0
    assert predictor.snapshot() == before, "score changed the state"


def learning_helps(factory: Factory) -> None:
    """After 3,000 answers the log loss is below that of the base rate."""
    predictor = opened(factory, 3000)
    loss = base = 0.0
    answers = list(stream(1000, seed=3))
    rate = sum(outcome for _, _, outcome in answers) / len(answers)
    for values, action, outcome in answers:
        p = float(predictor.score(values, EVERY).p[action])
        loss -= math.log(p if outcome else 1 - p)
        base -= math.log(rate if outcome else 1 - rate)
    assert loss < base, f"log loss {loss:.1f}, of the base rate {base:.1f}"


def restore_continues(factory: Factory) -> None:
    """Snapshot, restore and continue equals never having stopped, to the bit."""
    for rows in (0, 25, 700):
        one = opened(factory, rows)
        other = factory()
        other.restore(one.snapshot())
        assert other.snapshot() == one.snapshot(), "a restored predictor has another snapshot"
        for values, action, outcome in stream(150, seed=4):
            assert _same(one.score(values, EVERY), other.score(values, EVERY), EVERY), "scores differ after restore"
            one.learn_one(values, action, outcome)
            other.learn_one(values, action, outcome)
        assert other.snapshot() == one.snapshot(), "they learn differently after restore"
        assert (other.positives() == one.positives()).all()


def same_answers_same_bytes(factory: Factory) -> None:
    """Two predictors that learned the same in the same order have equal snapshots."""
    assert opened(factory, 500).snapshot() == opened(factory, 500).snapshot()


def align_keeps(factory: Factory) -> None:
    """Aligning again changes nothing; other inputs and actions, in another order, keep what was learned."""
    predictor = opened(factory, 800)
    before = predictor.snapshot()
    predictor.align(INPUTS, ACTIONS)
    assert predictor.snapshot() == before, "aligning to the same changed the state"
    probe = [values for values, _, _ in stream(30, seed=5)]
    old = [predictor.score(values, EVERY) for values in probe]
    positives = predictor.positives()
    turned = tuple(reversed(ACTIONS))
    predictor.align(INPUTS, (ActionKey("new", "retain", "bundle"), *turned))
    assert (predictor.positives() == [0.0, *positives[::-1]]).all(), "positives were lost"
    for values, was in zip(probe, old):
        now = predictor.score(values, np.array([3, 2, 1, 0], np.int32))
        assert np.allclose(now.p[:3], was.p, atol=1e-5), "what was learned of known actions changed"
        assert 0 < now.p[3] < 1
    predictor.align(INPUTS, ACTIONS)
    for values, was in zip(probe, old):
        assert np.allclose(predictor.score(values, EVERY).p, was.p, atol=1e-4), "an action that came and went changed P"
    predictor.align(Inputs(("spend", "visits"), ("plan",)), ACTIONS[:1])
    narrow = Values(np.array([20.0, 3.0], np.float32), ["gold"])
    assert 0 < predictor.score(narrow, EVERY[:1]).p[0] < 1
    predictor.learn_one(narrow, 0, True)
    predictor.align(Inputs((), ()), ())
    assert len(predictor.positives()) == 0


def negative_weight_takes_back(factory: Factory) -> None:
    """Learning and at once taking back leaves P as it was; later it moves P back and stays safe."""
    predictor = opened(factory, 500)
    probe = [values for values, _, _ in stream(20, seed=6)]
    before = [predictor.score(values, EVERY).p for values in probe]
    positives = predictor.positives()
    for values, action, outcome in stream(5, seed=8):
        predictor.learn_one(values, action, outcome)
        predictor.learn_one(values, action, outcome, weight=-1.0)
        for value, was in zip(probe, before):
            assert np.allclose(predictor.score(value, EVERY).p, was, atol=1e-6), "taking back left a trace"
    assert (predictor.positives() == positives).all()
    for values, action, outcome in stream(2000, seed=9):
        predictor.learn_one(values, action, outcome, weight=-1.0)
        p = predictor.score(values, EVERY).p
        assert np.isfinite(p).all(), "P is not finite after taking back"
        assert ((p > 0) & (p < 1)).all(), "P left (0, 1) after taking back"
    assert (predictor.positives() >= 0).all(), "fewer than no positives"


def strange_values_are_safe(factory: Factory) -> None:
    """NaN, infinities, huge numbers, unknown, empty and odd texts are scored and learned."""
    predictor = opened(factory, 300)
    for number in (math.nan, math.inf, -math.inf, 3e38, -3e38, 0.0, 1e-40):
        for text in (None, "", "never seen", "\ud800", "\x00", "ß" * 10_000):
            values = Values(np.array([number, number], np.float32), [text, text])
            assert np.isfinite(predictor.score(values, EVERY).p).all()
            for outcome in (True, False):
                predictor.learn_one(values, 0, outcome)
                predictor.learn_one(values, 1, outcome, weight=2.5)
    assert np.isfinite(predictor.score(Values(np.array([1, 2], np.float32), ["gold", None]), EVERY).p).all()
    before = predictor.snapshot()
    for weight in (0.0, math.nan, math.inf, -math.inf):
        predictor.learn_one(Values(np.array([1, 2], np.float32), ["gold", None]), 0, True, weight=weight)
    assert predictor.snapshot() == before, "a weight of 0, NaN or infinity changed the state"


def rare_texts_are_not_kept(factory: Factory) -> None:
    """No text seen in fewer than 20 answers is in the snapshot."""
    predictor = opened(factory)
    number = np.zeros(2, np.float32)
    for i in range(19):
        predictor.learn_one(Values(number, ["secret-of-nineteen", f"only once {i}"]), 0, i % 2 == 0)
    assert b"secret" not in predictor.snapshot()
    assert b"only once" not in predictor.snapshot()


def memory_is_bounded(factory: Factory) -> None:
    """Any number of distinct numbers and texts makes the snapshot grow no further."""
    predictor = opened(factory)
    rng = np.random.default_rng(10)
    sizes = []
    for i in range(12_000):
        texts = [f"value {int(rng.zipf(1.3)) % 5000}", f"id {i}"]
        predictor.learn_one(Values(rng.normal(size=2).astype(np.float32), texts), i % 3, rng.random() < 0.2)
        if i in (8_000, 11_999):
            sizes.append(len(predictor.snapshot()))
    assert sizes[1] < sizes[0] * 1.05, f"the snapshot keeps growing: {sizes}"


def explains(factory: Factory) -> None:
    """Contributions name each input once, largest first; the bins drawn account for the answers."""
    predictor = opened(factory, 600)
    for values, action, _ in stream(5, seed=11):
        shares = predictor.contributions(values, action)
        assert sorted(name for name, _, _ in shares) == sorted((*INPUTS.numbers, *INPUTS.texts))
        sizes = [abs(share) for _, _, share in shares]
        assert sizes == sorted(sizes, reverse=True), "not the largest first"
    drawn = {one["input"]: one["bins"] for one in predictor.describe()["inputs"]}
    assert set(drawn) == {*INPUTS.numbers, *INPUTS.texts}
    for name, bins in drawn.items():
        assert abs(sum(b["answers"] for b in bins) - 600) < 1e-6, f"the bins of {name} do not add up"
    for action in range(len(ACTIONS)):
        effects = predictor.effects(action)
        assert {name: [b["bin"] for b in bins] for name, bins in drawn.items()} == {
            name: [one.bin for one in found] for name, found in effects.items()
        }, "effects are not of the bins that are drawn"
        for values, _, _ in stream(5, seed=action):
            moves = {(name, one.bin): one.moves for name, found in effects.items() for one in found}
            told = [moves[name, bin_] for name, bin_, _ in predictor.contributions(values, action)]
            assert all(map(math.isfinite, told)), "an effect is no number"


CHECKS: tuple[Callable[[Factory], None], ...] = (
    score_is_a_probability,
    score_is_pure,
    learning_helps,
    restore_continues,
    same_answers_same_bytes,
    align_keeps,
    negative_weight_takes_back,
    strange_values_are_safe,
    rare_texts_are_not_kept,
    memory_is_bounded,
    explains,
)


def _same(one: Posterior, other: Posterior, of_other: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> bool:
    pick = of_other if len(other.p) != len(one.p) else slice(None)
    pairs = ((one.p, other.p), (one.a, other.a), (one.b, other.b))
    return all((mine == theirs[pick]).all() for mine, theirs in pairs)


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))
