"""The peers and their settings, all in one place. They come with `pip install 'opportune[bench]'`.

Each `predict_*` goes through a stream test-then-train and returns one P per row. All see the same raw predictors:
numbers as they are, standardized as they come where the peer's own practice asks for it, with a flag for missing;
texts one-hot; with several actions also the action one-hot and action x predictor.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from opportune.errors import BadInput
from opportune.predictors.base import FloatArray

if TYPE_CHECKING:
    from opportune.bench.learn import Stream

VW_LOGISTIC = "--loss_function logistic --link logistic --quiet"
VW_EXPLORE = "--cb_explore_adf --quiet -q sa"
REFIT_EVERY = 500


def need(module: str) -> Any:
    """Return a module of a peer; `BadInput` with the cure if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        cure = "run `make bench`, or pip install 'opportune[bench]'"
        raise BadInput(f"{module.partition('.')[0]} is not installed; {cure}") from None


def predict_running_rate(stream: Stream) -> FloatArray:
    """(positives + .5) / (answers + 1) of the rows before."""
    before: FloatArray = np.cumsum(stream.outcomes, dtype=np.float64) - stream.outcomes
    return np.asarray((before + 0.5) / (np.arange(len(before)) + 1))


def predict_river(stream: Stream) -> FloatArray:
    """FTRL-proximal logistic regression behind a StandardScaler, defaults."""
    model, scaler = river_model(), need("river.preprocessing").StandardScaler()
    found = np.empty(len(stream))
    for i in range(len(stream)):
        numbers, flags = river_features(stream, i)
        scaler.learn_one(numbers)
        features = crossed(scaler.transform_one(numbers) | flags, stream, i)
        found[i] = model.predict_proba_one(features)[True]
        model.learn_one(features, bool(stream.outcomes[i]))
    return found


def river_model() -> Any:
    """Return river's logistic regression with the FTRL optimizer, defaults."""
    return need("river.linear_model").LogisticRegression(need("river.optim").FTRLProximal())


def river_features(stream: Stream, i: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return a row's numbers that are there, and flags: missing numbers and texts."""
    pairs = list(zip(stream.inputs.numbers, stream.numbers[i].tolist()))
    numbers = {name: value for name, value in pairs if not math.isnan(value)}
    flags = {f"{name}=?": 1.0 for name, value in pairs if math.isnan(value)}
    return numbers, flags | {f"{name}={value}": 1.0 for name, value in zip(stream.inputs.texts, stream.texts[i])}


def crossed(features: dict[str, float], stream: Stream, i: int) -> dict[str, float]:
    """Add the action and action x predictor where there are several actions."""
    if len(stream.actions) == 1:
        return features
    action = int(stream.action[i])
    return features | {f"{name}^{action}": value for name, value in features.items()} | {f"action={action}": 1.0}


def predict_vw(stream: Stream) -> FloatArray:
    """Vowpal Wabbit's logistic regression, defaults, with -q for action x predictor."""
    several = len(stream.actions) > 1
    model = need("vowpalwabbit").Workspace(VW_LOGISTIC + (" -q xa" if several else ""))
    found = np.empty(len(stream))
    for i in range(len(stream)):
        action = f" |a action_{stream.action[i]}" if several else ""
        label = 1 if stream.outcomes[i] else -1
        example = model.parse(f"{label} |x {vw_features(stream, i)}{action}")
        found[i] = model.predict(example)
        model.learn(example)
        model.finish_example(example)
    model.finish()
    return found


def vw_features(stream: Stream, i: int) -> str:
    """Return a row as features in VW's text format."""
    numbers, flags = river_features(stream, i)
    return " ".join([*(f"{_name(k)}:{v}" for k, v in numbers.items()), *map(_name, flags)])


def predict_sklearn(stream: Stream) -> FloatArray:
    """scikit-learn's LogisticRegression(C=1) on standardized numbers, refitted on all rows before, every 500 rows.

    Before the first refit with both outcomes it gives the running rate.
    """
    linear, sparse = need("sklearn.linear_model"), need("scipy.sparse")
    found = predict_running_rate(stream)
    flags = _one_hot(stream)
    actions = np.eye(len(stream.actions))[stream.action]
    for start in range(REFIT_EVERY, len(stream), REFIT_EVERY):
        known = stream.outcomes[:start]
        if known.all() or not known.any():
            continue
        stop = min(start + REFIT_EVERY, len(stream))
        design = sparse.csr_matrix(np.hstack([_standardized(stream.numbers[:stop], start), flags[:stop]]))
        if len(stream.actions) > 1:
            by_action = [design.multiply(actions[:stop, [k]]) for k in range(len(stream.actions))]
            design = sparse.hstack([design, actions[:stop], *by_action]).tocsr()
        model = linear.LogisticRegression(C=1, max_iter=1000).fit(design[:start], known)
        found[start:stop] = model.predict_proba(design[start:stop])[:, 1]
    return found


PEERS: dict[str, Callable[[Stream], FloatArray]] = {
    "running rate": predict_running_rate,
    "river FTRL": predict_river,
    "vowpal wabbit": predict_vw,
    "scikit-learn": predict_sklearn,
}


def _standardized(numbers: Any, known: int) -> FloatArray:
    """By mean and deviation of the first rows; missing becomes the mean."""
    values = np.asarray(numbers, np.float64)
    there = ~np.isnan(values[:known])
    count = np.maximum(there.sum(0), 1)
    mean = np.where(there, values[:known], 0).sum(0) / count
    deviation = np.sqrt(np.where(there, (values[:known] - mean) ** 2, 0).sum(0) / count)
    return np.asarray(np.nan_to_num((values - mean) / np.where(deviation > 0, deviation, 1)))


def _one_hot(stream: Stream) -> FloatArray:
    missing = np.isnan(stream.numbers)
    columns = [missing[:, missing.any(0)].astype(np.float64)]
    for j in range(len(stream.inputs.texts)):
        codes: dict[str | None, int] = {}
        column = [codes.setdefault(row[j], len(codes)) for row in stream.texts]
        columns.append(np.eye(len(codes))[column])
    return np.hstack(columns)


def _name(text: str) -> str:
    return "".join("_" if c in " :|\t\n" else c for c in text)
