"""The figures of learning and scoring: log loss against peers on real streams, and time.

    log_loss_vs_best_peer   test-then-train log loss over that of the best peer; the worst of three files
    log_loss_rare           the same on two files with few positives: the upper end of a 95 % interval, and whether
                            the interval contains 1 or lies below
    learn_us, learn_vs_river, score_1000_vs_vw

Real files are found in the folder OPPORTUNE_DATA (default `../shared/data`); one that is absent is left out with a
note on stderr.
"""

from __future__ import annotations

import csv
import gzip
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from opportune.bench import peers
from opportune.predictors import ActionKey, Inputs, Predictor, Values, open_predictor
from opportune.predictors.base import FloatArray

Figure = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a file becomes a stream. `predictors` None: all columns but those named in `leave` and the outcome."""

    file: str
    outcome: str
    positive: str
    action: str | None = None
    predictors: tuple[str, ...] | None = None
    leave: tuple[str, ...] = ()


OPEN_BANDIT = ("position", "user_feature_0", "user_feature_1", "user_feature_2", "user_feature_3")
COMMON = (
    Recipe(
        "hillstrom_womens.csv.gz", "visit", "1", "segment",
        ("recency", "history", "mens", "womens", "zip_code", "newbie", "channel"),
    ),
    Recipe("bank_calls.csv.gz", "y", "yes", leave=("duration",)),
    Recipe("telco_churn.csv.gz", "Churn", "Yes", leave=("customerID",)),
)  # fmt: skip
RARE = (
    Recipe("open_bandit_men_random.csv.gz", "click", "1", "item_id", OPEN_BANDIT),
    Recipe("open_bandit_men_bts.csv.gz", "click", "1", "item_id", OPEN_BANDIT),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """A logged campaign, row by row: numbers (NaN is missing), texts (None is missing), the action taken, 0/1."""

    name: str
    inputs: Inputs
    actions: tuple[str, ...]
    numbers: npt.NDArray[np.float32]
    texts: list[list[str | None]]
    action: npt.NDArray[np.int64]
    outcomes: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.outcomes)

    def take(self, rows: npt.NDArray[Any]) -> Stream:
        """Return the stream of some rows, in that order."""
        texts = [self.texts[i] for i in rows.tolist()]
        return Stream(
            self.name, self.inputs, self.actions, self.numbers[rows], texts, self.action[rows], self.outcomes[rows]
        )


def open_stream(recipe: Recipe) -> Stream:
    """Read a file; a column is numbers if every value is one or blank. `FileNotFoundError` if it is absent."""
    with gzip.open(data_folder() / recipe.file, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    left = {recipe.outcome, recipe.action, *recipe.leave}
    columns = recipe.predictors or tuple(name for name in rows[0] if name not in left)
    numeric = tuple(name for name in columns if all(_is_number(row[name]) for row in rows))
    textual = tuple(name for name in columns if name not in numeric)
    numbers = np.array([[float(row[n]) if row[n].strip() else math.nan for n in numeric] for row in rows], np.float32)
    texts = [[row[name] if row[name].strip() else None for name in textual] for row in rows]
    taken = [row[recipe.action] if recipe.action else "only" for row in rows]
    actions = tuple(sorted(set(taken)))
    place = {action: i for i, action in enumerate(actions)}
    return Stream(
        recipe.file.partition(".")[0], Inputs(numeric, textual), actions, numbers.reshape(len(rows), len(numeric)),
        texts, np.array([place[a] for a in taken]), np.array([row[recipe.outcome] == recipe.positive for row in rows]),
    )  # fmt: skip


def predict_ours(stream: Stream, name: str = "bayes") -> FloatArray:
    """Go through a stream with one of our predictors, test-then-train; return one P per row."""
    predictor = opened(stream, name)
    found = np.empty(len(stream))
    asked = np.zeros(1, np.int32)
    for i in range(len(stream)):
        values = Values(stream.numbers[i], stream.texts[i])
        asked[0] = stream.action[i]
        found[i] = predictor.score(values, asked).p[0]
        predictor.learn_one(values, int(asked[0]), bool(stream.outcomes[i]))
    return found


def opened(stream: Stream, name: str = "bayes") -> Predictor:
    """Return an empty predictor of a stream's inputs and actions (one group)."""
    predictor = open_predictor(name)
    predictor.align(stream.inputs, [ActionKey(action, "all", "all") for action in stream.actions])
    return predictor


def log_losses(p: FloatArray, outcomes: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the log loss of each row; P is kept 1e-15 away from 0 and 1."""
    p = np.clip(p, 1e-15, 1 - 1e-15)
    return -np.where(outcomes, np.log(p), np.log1p(-p))


def log_loss_vs_best_peer() -> list[Figure]:
    """The worst ratio over the files with 500 positives or more, then each file with its best peer."""
    found = []
    for stream in _streams(COMMON):
        ours, best, _, name = compare(stream)
        found.append(figure(f"log_loss_vs_best_peer_{stream.name}", ours.mean() / best.mean(), "ratio", peer=name,
                            peer_value=float(best.mean()), ratio=ours.mean() / best.mean()))  # fmt: skip
    if not found:
        return []
    worst = max(found, key=lambda one: float(one["value"]))
    return [{**worst, "name": "log_loss_vs_best_peer"}, *found]


def log_loss_rare() -> list[Figure]:
    """The higher lower end over the two files: at or below 1 where the interval contains or lies below 1."""
    found = []
    for stream in _streams(RARE):
        ours, best, _, name = compare(stream)
        low, high = bootstrap_ratio(ours, best)
        found.append(figure(f"log_loss_rare_{stream.name}", ours.mean() / best.mean(), "ratio", spread=[low, high],
                            peer=name, peer_value=float(best.mean()), ratio=ours.mean() / best.mean()))  # fmt: skip
    if not found:
        return []
    worst = max(found, key=lambda one: float(one["spread"][0]))
    return [{**worst, "name": "log_loss_rare"}, *found]


def compare(stream: Stream) -> tuple[FloatArray, FloatArray, dict[str, float], str]:
    """Return our losses per row, those of the best peer, every peer's mean and the best one's name."""
    losses = {name: log_losses(predict(stream), stream.outcomes) for name, predict in peers.PEERS.items()}
    means = {name: float(loss.mean()) for name, loss in losses.items()}
    best = min(means, key=lambda name: means[name])
    return log_losses(predict_ours(stream), stream.outcomes), losses[best], means, best


def bootstrap_ratio(ours: FloatArray, best: FloatArray, draws: int = 2000, seed: int = 7) -> tuple[float, float]:
    """Return the 95 % interval of mean(ours) / mean(best), rows drawn in pairs (percentile bootstrap)."""
    rng = np.random.default_rng(seed)
    ratios = np.empty(draws)
    for i in range(draws):
        rows = rng.integers(0, len(ours), len(ours))
        ratios[i] = ours[rows].sum() / best[rows].sum()
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def learn_us(steps: int = 4000) -> list[Figure]:
    """CPU time of one learning step with 100 predictors (50 numbers, 50 texts) and 100 actions, and river's over it.

    River gets the same row as a dict that is ready: numbers as they are, texts one-hot.
    """
    stream = made_up(steps, actions=100)
    ours = opened(stream)
    values = [Values(stream.numbers[i], stream.texts[i]) for i in range(steps)]
    answers = list(zip(values, stream.action.tolist(), stream.outcomes.tolist()))
    model = peers.river_model()
    rows = [(a | b, bool(y)) for (a, b), y in zip((peers.river_features(stream, i) for i in range(steps)),
                                                  stream.outcomes)]  # fmt: skip
    warm = steps // 4
    for answer, row in zip(answers[:warm], rows[:warm]):
        ours.learn_one(*answer)
        model.learn_one(*row)
    mine = timed(lambda one: ours.learn_one(*one), answers[warm:])
    theirs = timed(lambda one: model.learn_one(*one), rows[warm:])
    return [
        figure("learn_us", mine[0], "us", spread=mine[1:], peer="river FTRL", peer_value=theirs[0],
               ratio=theirs[0] / mine[0]),
        figure("learn_vs_river", theirs[0] / mine[0], "ratio", peer="river FTRL", peer_value=theirs[0],
               ratio=theirs[0] / mine[0]),
    ]  # fmt: skip


def score_1000_vs_vw(scores: int = 300) -> list[Figure]:
    """CPU time of scoring 1,000 actions with 100 predictors: Vowpal Wabbit's (cb_explore_adf, text in) over ours."""
    stream = made_up(4000, actions=1000)
    ours = opened(stream)
    for i in range(len(stream)):
        ours.learn_one(Values(stream.numbers[i], stream.texts[i]), int(stream.action[i]), bool(stream.outcomes[i]))
    every = np.arange(1000, dtype=np.int32)
    values = [Values(stream.numbers[i], stream.texts[i]) for i in range(scores)]
    mine = timed(lambda one: ours.score(one, every), values)
    model = peers.need("vowpalwabbit").Workspace(peers.VW_EXPLORE)
    actions = "\n".join(f"|a action_{k}" for k in range(1000))
    asked = [f"shared |s {peers.vw_features(stream, i)}\n{actions}" for i in range(scores // 10)]
    theirs = timed(model.predict, asked)
    model.finish()
    return [
        figure("score_1000_vs_vw", theirs[0] / mine[0], "ratio", spread=mine[1:], peer="vowpal wabbit",
               peer_value=theirs[0], ratio=theirs[0] / mine[0], ours_us=mine[0])
    ]  # fmt: skip


def figures() -> list[Figure]:
    """Return the group `learn`; `score_1000_vs_vw` belongs to the group `engine`."""
    return [one for measure in (learn_us, log_loss_vs_best_peer, log_loss_rare) for one in measure()]


def made_up(rows: int, actions: int, seed: int = 7) -> Stream:
    """Return a made-up stream: 50 numbers and 50 texts of 8 values, a few of them and the action matter."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(rows, 50)).astype(np.float32)
    codes = rng.integers(0, 8, (rows, 50))
    action = rng.integers(0, actions, rows)
    logit = -2 + numbers[:, :4].sum(1) * 0.4 + (codes[:, :3] == 0).sum(1) * 0.5 + np.sin(action)
    texts: list[list[str | None]] = [[f"value {code}" for code in row] for row in codes.tolist()]
    return Stream(
        "made_up", Inputs(tuple(f"number_{j}" for j in range(50)), tuple(f"text_{j}" for j in range(50))),
        tuple(f"action_{k}" for k in range(actions)), numbers, texts, action,
        rng.random(rows) < 1 / (1 + np.exp(-logit)),
    )  # fmt: skip


def timed(call: Callable[[Any], object], questions: list[Any]) -> tuple[float, float, float]:
    """Return the median and the quartiles of the CPU time of one call, in microseconds, over groups of ten calls."""
    found = []
    for start in range(0, len(questions) - 9, 10):
        before = time.thread_time_ns()
        for question in questions[start : start + 10]:
            call(question)
        found.append((time.thread_time_ns() - before) / 10_000)
    low, middle, high = np.quantile(found or [math.nan], [0.25, 0.5, 0.75])
    return float(middle), float(low), float(high)


def figure(name: str, value: float, unit: str, **more: Any) -> Figure:
    """Return a figure as `opportune bench --json` prints it."""
    shown = {"name": name, "value": float(value), "unit": unit, "spread": None, "peer": None, "peer_value": None,
             "ratio": None}  # fmt: skip
    return {**shown, **{k: float(v) if isinstance(v, np.floating) else v for k, v in more.items()}}


def data_folder() -> Path:
    """Where the real files are."""
    return Path(os.environ.get("OPPORTUNE_DATA", Path(__file__).parents[4] / "shared" / "data"))


def _streams(recipes: tuple[Recipe, ...]) -> list[Stream]:
    found = []
    for recipe in recipes:
        try:
            found.append(open_stream(recipe))
        except FileNotFoundError:
            print(f"left out: {recipe.file} is not in {data_folder()}; set OPPORTUNE_DATA", file=sys.stderr)
    return found


def _is_number(text: str) -> bool:
    try:
        float(text if text.strip() else "0")
    except ValueError:
        return False
    return True
