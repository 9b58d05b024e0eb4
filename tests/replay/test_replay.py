"""Replaying logs: the same decide and learn as live, values of policies against a planted truth, real logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from planted_logs import ARMS, TRUTH, planted, write_csv

from opportune.clock import SECOND
from opportune.decide.pipeline import decide
from opportune.decide.plan import Plan
from opportune.decide.types import Request, Snapshot
from opportune.events.types import Labeled
from opportune.hub import Hub
from opportune.learn.brain import Brain
from opportune.measure.metrics import log_loss
from opportune.predictors.base import Values
from opportune.simulate.replay import ReplaySpec, load_spec, replay, run
from opportune.simulate.replay_catalog import PLACE, catalog_of
from opportune.simulate.replay_data import read
from opportune.simulate.replay_policies import BestSingle, Judge, Worth
from opportune.testing import FakeClock

EXAMPLES = Path(__file__).parents[2] / "examples"


def spec_of(folder: Path, columns: dict[str, list[Any]], **keys: Any) -> ReplaySpec:
    path = write_csv(folder / "log.csv", columns)
    default = {"predictors": ("plan", "age"), "action": "arm", "outcome": "y", "probability": "chance"}
    return ReplaySpec(data=str(path), **{**default, **keys})


def hub_chances(spec: ReplaySpec, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Return the hub's probabilities, rows x actions, as the judge of a replay gets them."""
    pages = []
    note = Judge.note

    def spy(self: Judge, first: int, q: np.ndarray, hub: np.ndarray) -> None:
        pages.append(hub.copy())
        note(self, first, q, hub)

    with monkeypatch.context() as patch:
        patch.setattr(Judge, "note", spy)
        log = read(spec)
        run(log, spec, catalog_of(log, spec))
    return np.concatenate(pages)


def test_the_model_is_that_of_a_live_loop(tmp_path: Path) -> None:
    columns, _ = planted(700)
    columns["age"] = ["" if i % 7 == 0 else age for i, age in enumerate(columns["age"])]
    spec = spec_of(tmp_path, columns)
    log = read(spec)
    logged = catalog_of(log, spec)
    done = run(log, spec, logged)
    plan, live = Plan(logged.catalog), Brain("bayes")
    live.align(plan.inputs, plan.keys)
    assert (plan.inputs.numbers, plan.inputs.texts) == (("age",), ("plan",))
    for i, (tier, age, arm, _, y) in enumerate(zip(*columns.values())):
        values = {"plan": tier, "age": age or None}
        row = plan.layout.row(values)
        answer = decide(
            Request(str(i), (PLACE,), i * SECOND, i),
            Snapshot(plan, live.model, live.baseline, row, {"web": (None, None)}, (), live.answers),
        ).answers[0]
        position = plan.position[arm]
        assert answer.scores is not None
        assert answer.scores.p[position] == done.p[i]
        seen = Values(np.array([np.nan if age == "" else age], np.float32), [tier])
        live.learn(seen, Labeled(0, str(i), arm, bool(y), None, float(answer.scores.p[position])), i * SECOND)
    assert live.snapshot() == done.brain.snapshot()


def test_the_model_is_that_of_a_hub_that_was_told_the_same(tmp_path: Path) -> None:
    columns, _ = planted(150)
    spec = spec_of(tmp_path, columns, action=None, probability=None)
    log = read(spec)
    logged = catalog_of(log, spec)
    done = run(log, spec, logged)
    clock = FakeClock(at=0)
    with Hub.of(logged.catalog, "memory:", clock) as hub:
        for i, (tier, age, y) in enumerate(zip(columns["plan"], columns["age"], columns["y"])):
            clock.at = i * SECOND
            traits = {"plan": tier, "age": age}
            hub.ingest({"type": "identify", "userId": f"u{i}", "messageId": f"m{i}", "traits": traits})
            made = hub.decide(f"u{i}", placement=PLACE)
            assert made.actions[0].propensity == done.p[i]
            assert made.decision_id
            hub.respond(made.decision_id, "action", "yes" if y else "no")
        assert hub.brain.snapshot() == done.brain.snapshot()


def test_values_of_known_policies_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns, truth = planted(4000)
    spec = spec_of(tmp_path, columns)
    found = replay(spec)
    hub = hub_chances(spec, monkeypatch)
    assert hub.sum(axis=1) == pytest.approx(1, abs=1e-6)
    known = {
        "uniform": truth.mean(),
        "hub": (hub * truth).sum(axis=1).mean(),
        "logged": sum(np.dot(*pair) for pair in zip([[0.5, 0.2, 0.3], [0.4, 0.4, 0.2]], TRUTH)) / 2,
    }
    for name, value in known.items():
        policy = found["policies"][name]
        for estimator in ("snips", "dr"):
            low, high = policy["interval"][estimator]
            assert low < value < high, (name, estimator)
            assert low < policy["value"][estimator] < high
    assert found["policies"]["hub"]["value"]["snips"] > found["policies"]["best_single"]["value"]["snips"] + 0.03
    assert known["hub"] > 0.27, "the best that can be is .30: always the arm that fits the plan"
    assert found["log_loss"] < found["log_loss_of_base_rate"]


@pytest.mark.long
def test_intervals_of_the_hub_cover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    covered = {"snips": 0, "dr": 0}
    logs = 120
    for seed in range(logs):
        columns, truth = planted(800, seed)
        spec = spec_of(tmp_path, columns)
        value = (hub_chances(spec, monkeypatch) * truth).sum(axis=1).mean()
        interval = replay(spec)["policies"]["hub"]["interval"]
        for estimator in covered:
            covered[estimator] += interval[estimator][0] < value < interval[estimator][1]
    for estimator, times in covered.items():
        assert times / logs > 0.88, (estimator, times)


def test_silence_is_an_arm_and_takes_what_the_hub_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns, _ = planted(2000)
    hub = hub_chances(spec_of(tmp_path, columns, silence="b"), monkeypatch)
    silver = np.array(columns["plan"]) == "silver"
    b = ARMS.index("b")
    assert hub[-500:, b][silver[-500:]].mean() > 0.8, "silence is best for silver"
    assert hub[-500:, b][~silver[-500:]].mean() < 0.1
    with_silence = replay(spec_of(tmp_path, columns, silence="b", explore="squarecb"))["policies"]["hub"]
    without = replay(spec_of(tmp_path, columns, explore="squarecb"))["policies"]["hub"]
    assert with_silence["without_support"] == pytest.approx(0, abs=1e-9)
    assert without["without_support"] > 0.001, "squarecb may choose nothing, which this log never did"


def test_value_as_a_column_is_learned_per_action(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns, truth = planted(2000)
    worth = {"a": 1.0, "b": 1.0, "c": 8.0}
    columns["spend"] = [worth[arm] if y else "" for arm, y in zip(columns["arm"], columns["y"])]
    spec = spec_of(tmp_path, columns, value="spend")
    found = replay(spec)["policies"]
    hub = hub_chances(spec, monkeypatch)
    assert hub[-500:, 2].mean() > 0.99
    value = (hub * truth * [1.0, 1.0, 8.0]).sum(axis=1).mean()
    low, high = found["hub"]["interval"]["dr"]
    assert low < value < high
    assert found["uniform"]["value"]["dr"] == pytest.approx((truth * [1, 1, 8]).mean(), rel=0.15)


def test_worth_starts_at_the_mean_of_all() -> None:
    worth = Worth(3)
    assert worth.each().tolist() == [1, 1, 1]
    worth.learn(0, 4.0)
    worth.learn(0, 8.0)
    worth.learn(2, 3.0)
    assert worth.each().tolist() == [6, 5, 3]


def test_best_single_by_hand() -> None:
    """SNIPS of each action before each row, straight from its definition."""
    random = np.random.default_rng(5)
    n, k = 60, 4
    action, reward = random.integers(0, k, n), (random.random(n) < 0.3) * random.integers(-1, 3, n).astype(float)
    logged = random.uniform(0.1, 0.9, n)
    best = BestSingle(k)
    pages = [best.chances(action[a:b].astype(np.int32), reward[a:b], logged[a:b]) for a, b in ((0, 7), (7, 8), (8, n))]
    found = np.concatenate(pages)
    for i in range(n):
        value = {}
        for a in set(action[:i].tolist()):
            rows = [j for j in range(i) if action[j] == a]
            value[a] = sum(reward[j] / logged[j] for j in rows) / sum(1 / logged[j] for j in rows)
        top = [a for a in value if abs(value[a] - max(value.values())) < 1e-12] or list(range(k))
        assert found[i] == pytest.approx([(a in top) / len(top) for a in range(k)], abs=1e-9)


def test_the_judge_counts_what_has_no_support() -> None:
    action = np.array([0] * 20 + [1] * 9 + [2] * 20, np.int32)
    n = len(action)
    outcome = np.arange(n) % 2 == 0
    judge = Judge(action, outcome, outcome * 1.0, np.full(n, 0.4), 3)
    judge.note(0, np.zeros((30, 3)), np.tile([0.5, 0.2, 0.1], (30, 1)))
    judge.note(30, np.zeros((n - 30, 3)), np.tile([0.5, 0.2, 0.1], (n - 30, 1)))
    found = judge.estimates(None, 0)
    assert list(found) == ["logged", "uniform", "best_single", "hub"]
    assert found["hub"].without_support == pytest.approx(0.2 + 0.2)
    assert found["uniform"].without_support == pytest.approx(1 / 3)
    assert found["logged"].without_support == pytest.approx(9 / n)
    assert found["hub"].reason is not None
    assert found["hub"].reason.startswith("not estimable: ")
    assert found["hub"].value.snips is None


KEYS = [
    "rows", "actions", "predictor", "auc", "auc_by_action", "log_loss", "log_loss_of_base_rate", "calibration_error",
    "rows_per_second", "policies",
]  # fmt: skip
POLICY = ["value", "interval", "effective_sample_size", "effective_positives", "without_support", "reason"]


def test_the_result_has_its_keys_is_json_and_repeats(tmp_path: Path) -> None:
    columns, _ = planted(600)
    columns["who"] = [f"u{i % 200}" for i in range(600)]
    spec = spec_of(tmp_path, columns)
    told: list[tuple[int, int]] = []
    found = replay(spec, lambda done, total: told.append((done, total)))
    assert told == [(500, 600), (600, 600)]
    assert list(found) == KEYS
    assert list(found["policies"]) == ["logged", "uniform", "best_single", "hub"]
    assert all(list(policy) == POLICY for policy in found["policies"].values())
    assert (found["rows"], found["actions"], found["predictor"]) == (600, 3, "bayes")
    assert json.loads(json.dumps(found, allow_nan=False))["policies"]["hub"]["interval"]["dr"][0] > 0
    again = replay(spec)
    found.pop("rows_per_second"), again.pop("rows_per_second")
    assert found == again
    assert found["policies"]["logged"]["value"]["snips"] == pytest.approx(np.mean(columns["y"]))
    assert found["policies"]["logged"]["value"]["dr"] == pytest.approx(np.mean(columns["y"]))
    p = (np.cumsum([0, *columns["y"]])[:-1] + 0.5) / (np.arange(600) + 1)
    assert found["log_loss_of_base_rate"] == pytest.approx(log_loss(p, columns["y"]))
    by_customer = replay(msgspec.structs.replace(spec, customer="who"))["policies"]["hub"]
    assert by_customer["value"] == found["policies"]["hub"]["value"]
    assert by_customer["interval"] != found["policies"]["hub"]["interval"]


@pytest.mark.parametrize("keys", [{"action": None}, {"probability": None}, {"action": None, "silence": "a"}])
def test_without_action_or_probability_no_policy_is_judged(tmp_path: Path, keys: dict[str, Any]) -> None:
    found = replay(spec_of(tmp_path, planted(300)[0], **keys))
    assert found["policies"] == {}
    assert found["actions"] == (3 if keys.get("action", "arm") else 1)


def test_the_order_of_rows_is_that_of_the_column(tmp_path: Path) -> None:
    columns, _ = planted(500)
    columns["at"] = list(range(500))
    sorted_one = replay(spec_of(tmp_path, columns))
    shuffle = np.random.default_rng(2).permutation(500)
    mixed = {name: [values[i] for i in shuffle] for name, values in columns.items()}
    mixed_one = replay(spec_of(tmp_path, mixed))
    found = replay(spec_of(tmp_path, mixed, order="at"))
    for result in (sorted_one, mixed_one, found):
        result.pop("rows_per_second")
    assert found == sorted_one != mixed_one


@pytest.mark.parametrize(
    ("predictor", "explore"), [("naive_bayes", "thompson"), ("bayes", "greedy"), ("bayes", "epsilon")]
)
def test_other_predictors_and_explorers(tmp_path: Path, predictor: str, explore: str) -> None:
    found = replay(spec_of(tmp_path, planted(900)[0], predictor=predictor, explore=explore, predictors=("plan",)))
    assert found["predictor"] == predictor
    assert found["policies"]["hub"]["value"]["dr"] > 0.2


def test_no_predictor_no_positive_and_a_single_row_are_fine(tmp_path: Path) -> None:
    columns, _ = planted(200)
    assert replay(spec_of(tmp_path, columns, predictors=()))["log_loss"] > 0
    never = replay(spec_of(tmp_path, {**columns, "y": [0] * 200}))
    assert (never["auc"], never["auc_by_action"]) == (None, {})
    assert never["policies"]["hub"]["reason"].startswith("not estimable: effective positives 0")
    single = replay(spec_of(tmp_path, {name: values[:1] for name, values in columns.items()}))
    assert single["rows"] == 1
    assert single["policies"]["hub"]["reason"].startswith("not estimable")


def test_the_uniform_policy_on_the_open_bandit_log_is_as_published(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPPORTUNE_DATA", str(data_folder))
    spec = load_spec(EXAMPLES / "open_bandit_bts.yaml")
    log = read(spec)
    assert (len(log), len(log.actions)) == (10_000, 34)
    assert log.probability is not None
    weight = 1 / 34 / log.probability
    assert (weight * log.outcome).mean() == pytest.approx(0.00301, abs=5e-6)
    found = replay(spec)["policies"]
    assert found["uniform"]["value"]["snips"] == pytest.approx(0.00319, abs=5e-6)
    assert found["uniform"]["effective_sample_size"] == pytest.approx(656, abs=0.5)
    assert found["logged"]["value"]["snips"] == pytest.approx(0.0069)


@pytest.mark.parametrize("name", [pytest.param("open_bandit_random", marks=pytest.mark.long), "telco_churn"])
def test_examples_run(name: str, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPPORTUNE_DATA", str(data_folder))
    found = replay(load_spec(EXAMPLES / f"{name}.yaml"))
    assert found["log_loss"] < found["log_loss_of_base_rate"] * (0.75 if name == "telco_churn" else 1.02)
    assert found["calibration_error"] < 0.02


def test_no_example_looks_at_what_is_known_later(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPPORTUNE_DATA", str(data_folder))
    replays = [path for path in EXAMPLES.glob("*.yaml") if "\naction: " in path.read_text()]
    specs = {path.stem: load_spec(path) for path in replays}
    assert len(specs) >= 5
    assert "duration" not in specs["bank_calls"].predictors
    assert "customerID" not in specs["telco_churn"].predictors
    assert not {"visit", "conversion", "spend"} & set(specs["hillstrom_womens"].predictors)
    for name, spec in specs.items():
        assert len(read(spec)) > 5_000, name


@pytest.mark.long
def test_the_hub_on_the_real_campaigns(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPPORTUNE_DATA", str(data_folder))
    bank = replay(load_spec(EXAMPLES / "bank_calls.yaml"))
    assert bank["log_loss"] < 0.93 * bank["log_loss_of_base_rate"]
    mail = replay(load_spec(EXAMPLES / "hillstrom_womens.yaml"))
    assert mail["log_loss"] < 0.97 * mail["log_loss_of_base_rate"]
    assert mail["policies"]["hub"]["value"]["snips"] > mail["policies"]["uniform"]["interval"]["snips"][1]
    best = mail["policies"]["best_single"]["value"]["snips"]
    assert mail["policies"]["hub"]["interval"]["snips"][1] > best, "exploring may cost a little, not more"
