"""The models of attribution by name, and what they say of some paths, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opportune.measure.attribution import positions
from opportune.measure.attribution.logistic import Logistic
from opportune.measure.attribution.markov import Markov, best_order
from opportune.measure.attribution.paths import Counted, Doubles, Model, Paths
from opportune.measure.attribution.shapley import shapley
from opportune.measure.effect import Interval, NotEnoughData

GROUPS = 20
"""Parts that are left out in turn to learn how far credits may be off."""


@dataclass(frozen=True, slots=True)
class Options:
    """How models are set: `order` of the chain (None: chosen), `half_life` in touches, `ends` of `position`."""

    order: int | None = 1
    half_life: float = 2.0
    ends: float = 0.4


@dataclass(frozen=True, slots=True)
class Credit:
    """What a channel gets of the conversions, with where that may lie, and of their value."""

    conversions: float
    value: float
    interval: Interval
    error: float


MODELS: Mapping[str, Callable[[Paths, Options], Model]] = {
    "first": lambda paths, _: positions.first(paths),
    "last": lambda paths, _: positions.last(paths),
    "linear": lambda paths, _: positions.linear(paths),
    "position": lambda paths, options: positions.position(paths, options.ends),
    "time_decay": lambda paths, options: positions.time_decay(paths, options.half_life),
    "markov": lambda paths, options: Markov(paths, options.order or best_order(paths)),
    "shapley": lambda paths, _: shapley(paths),
    "logistic": lambda paths, _: Logistic(paths),
}
"""A new model is one file and one line here."""

COMPARING = frozenset(("logistic",))
"""Models that learn from the difference between paths that convert and paths that do not."""


def credits(
    paths: Paths, names: Sequence[str] = tuple(MODELS), options: Options = Options(), level: float = 0.95,
    seed: int = 0,
) -> dict[str, dict[str, Credit] | NotEnoughData]:  # fmt: skip
    """Return what each model gives each channel. The credits of a model add up to the conversions.

    Intervals are by a jackknife that leaves out a twentieth of the journeys at a time: how far the credit may be off
    because other people might have come, whether or not the model is right.
    """
    if not paths.conversions.sum() > 0:
        nothing = NotEnoughData("nothing converted: there is nothing to share out")
        return dict.fromkeys(names, nothing)
    found: dict[str, dict[str, Credit] | NotEnoughData] = {}
    models: dict[str, Model] = {}
    for name in names:
        if name in COMPARING and not paths.nulls.sum() > 0:
            reason = f"{name} learns from journeys that did not convert: name their column as `nulls`"
            found[name] = NotEnoughData(reason)
        else:
            models[name] = MODELS[name](paths, options)
    whole = {name: model.credit(paths.counted) for name, model in models.items()}
    left: dict[str, list[Doubles]] = {name: [] for name in models}
    for part in _parts(paths.counted, seed):
        rest = _less(paths.counted, part)
        for name, model in models.items():
            left[name].append(model.credit(rest)[:, 0])
    for name in models:
        found[name] = _told(paths.channels, whole[name], np.stack(left[name]), level)
    return {name: found[name] for name in names}


def _told(channels: Sequence[str], credit: Doubles, left: Doubles, level: float) -> dict[str, Credit]:
    from scipy.special import stdtrit

    left = left * GROUPS / (GROUPS - 1)  # without a part there is less to share out
    error = np.sqrt((GROUPS - 1) / GROUPS * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    reach = float(stdtrit(GROUPS - 1, 0.5 + level / 2)) * error
    return {
        name: Credit(float(c), float(v), Interval(max(float(c - r), 0.0), float(c + r)), float(e))
        for name, (c, v), r, e in zip(channels, credit, reach, error)
    }


def _parts(counted: Counted, seed: int) -> Iterator[Counted]:
    """Split the journeys into equal parts at random: each journey of a path by itself where counts are whole."""
    generator = np.random.default_rng(seed)
    whole = all(bool((each == np.floor(each)).all()) for each in (counted.conversions, counted.nulls))
    none = np.zeros(len(counted.value))
    each = np.divide(counted.value, counted.conversions, out=none, where=counted.conversions > 0)
    left = [counted.conversions.copy(), counted.nulls.copy()]
    group = generator.integers(0, GROUPS, len(counted.value))
    for number in range(GROUPS):
        part: list[Doubles] = []
        for index, rest in enumerate(left):
            taken: Any = (
                generator.binomial(rest.astype(np.int64), 1 / (GROUPS - number)).astype(np.float64)
                if whole else rest * (group == number)
            )  # fmt: skip
            left[index] = rest - taken
            part.append(taken)
        yield Counted(part[0], each * part[0], part[1])


def _less(counted: Counted, part: Counted) -> Counted:
    return Counted(*(np.maximum(a - b, 0.0) for a, b in zip(counted, part)))
