"""What goes over the wire about the model: how its predictions turned out, and what it looks at."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from opportune.wire.calling import Calling, quoted


class ModelAction(msgspec.Struct, frozen=True, rename="camel"):
    """How the predictions for one action turned out, each judged when its answer came, before it was learned.

    `said` is the 95 % interval of the share of good answers (Wilson), null without answers. `auc` is null until there
    is a good and a bad answer, `interval` that of 95 % (Hanley and McNeil 1982), null below 10 of either. `suspect`
    says why it is too good to be true, "" if not.
    """

    action: str
    answers: int
    positives: int
    auc: float | None
    log_loss: float | None
    calibration_error: float | None
    maturity: float
    suspect: str
    interval: tuple[float, float] | None = None
    said: tuple[float, float] | None = None


class ModelBin(msgspec.Struct, frozen=True):
    """One bin of a predictor: its answers, the good ones, their share (smoothed), and what it adds to the log odds."""

    bin: str
    answers: float
    positives: float
    propensity: float
    weight: float | None


class ModelInput(msgspec.Struct, frozen=True):
    """A predictor: `spread` is how far it moves the log odds of customers (standard deviation over its answers).

    `auc` is how well it alone tells good answers from bad, on the answers that were learned; null without both.
    """

    name: str
    kind: str
    spread: float | None
    auc: float | None
    suspect: str
    bins: list[ModelBin]


class ModelsInfo(msgspec.Struct, frozen=True, rename="camel"):
    """The live model. `auc` is the mean over actions by answers; `experts` are the learning rates and their shares."""

    predictor: str
    answers: int
    auc: float | None
    log_loss: float | None
    calibration_error: float | None
    actions: list[ModelAction]
    inputs: list[ModelInput]
    experts: dict[str, float]


class CalibrationBin(msgspec.Struct, frozen=True):
    """Answers whose predictions were alike: the mean of the predictions, the share that was good with its interval."""

    answers: int
    predicted: float
    rate: float
    interval: tuple[float, float]


class ModelPeriod(msgspec.Struct, frozen=True):
    """Answers of some days, up to `at`: how well predictions ranked them (DeLong), what was predicted, what came."""

    at: datetime
    answers: int
    positives: int
    predicted: float
    auc: float | None
    interval: tuple[float, float] | None


class ModelHistory(msgspec.Struct, frozen=True, rename="camel"):
    """How the predictions for one action turned out over time, of the answers since `since`.

    `drift` is what came minus what was predicted in the last period, with its 95 % interval; null without one.
    """

    action: str
    since: datetime | None
    answers: int
    auc: float | None
    interval: tuple[float, float] | None
    calibration: list[CalibrationBin]
    periods: list[ModelPeriod]
    drift: float | None
    drift_interval: tuple[float, float] | None


class SeenBin(msgspec.Struct, frozen=True):
    """One bin of a predictor, of one action: the answers of customers in it, and how many were good.

    `rate` is their share with its 95 % interval (Wilson), null without answers. `moves` is what the bin adds to the log
    odds of a yes to this action (what all share, its group's and its own weight), `deviation` the standard deviation of
    that belief; null where the predictor has none.
    """

    bin: str
    answers: int
    positives: int
    rate: float | None
    interval: tuple[float, float] | None
    moves: float
    deviation: float | None


class SeenInput(msgspec.Struct, frozen=True):
    """A predictor as one action sees it; `spread` is how far it moves the log odds of those who answered."""

    name: str
    kind: str
    spread: float
    bins: list[SeenBin]


class ActionInputs(msgspec.Struct, frozen=True):
    """What each predictor says of one action, those that move most first, and the last `answers`, since `since`."""

    action: str
    since: datetime | None
    answers: int
    inputs: list[SeenInput]


class MovedBin(msgspec.Struct, frozen=True):
    """How many customers were in a bin: before, and lately."""

    bin: str
    before: int
    lately: int


class InputDrift(msgspec.Struct, frozen=True):
    """How far a predictor has moved: the population stability index, and what chance alone brings.

    `verdict` is `steady`, `moving` (.1 and more), `moved` (.25 and more) or `unclear` (no more than chance brings); or
    `unknown`, with the reason, where there are too few customers, and `index` and `chance` are null.
    """

    name: str
    kind: str
    index: float | None
    chance: float | None
    verdict: Literal["steady", "moving", "moved", "unclear", "unknown"]
    reason: str
    bins: list[MovedBin]


class DriftInfo(msgspec.Struct, frozen=True, rename="camel"):
    """Whether the world is still the one that the model learned from.

    Customers who were decided for from `since` to `split` are compared with those from there to `until`, each once on a
    side. `periods` are answers to all actions over time, their AUC the mean of the actions by answers. `drift` is what
    came minus what was predicted in the last period, with its 95 % interval.
    """

    since: datetime | None
    split: datetime | None
    until: datetime | None
    before: int
    lately: int
    inputs: list[InputDrift]
    periods: list[ModelPeriod]
    drift: float | None
    drift_interval: tuple[float, float] | None


class Judging(Calling):
    """The methods of `Client` about the model."""

    def models(self) -> ModelsInfo:
        """Return the live model: how its predictions turned out, action by action, and what it looks at."""
        return self._call("GET", "/v1/models", ModelsInfo)

    def model_history(self, action: str) -> ModelHistory:
        """Return how the predictions for an action turned out over time. Raises `NotFound`."""
        return self._call("GET", f"/v1/models/{quoted(action)}", ModelHistory)

    def action_inputs(self, action: str) -> ActionInputs:
        """Return what each predictor says of one action, bin by bin. Raises `NotFound`."""
        return self._call("GET", f"/v1/models/{quoted(action)}/inputs", ActionInputs)

    def drift(self) -> DriftInfo:
        """Return how far what the model looks at has moved lately, and what came of its predictions over time."""
        return self._call("GET", "/v1/drift", DriftInfo)
