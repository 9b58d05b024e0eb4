"""What goes over the wire about the model: how its predictions turned out, and what it looks at."""

from __future__ import annotations

from datetime import datetime

import msgspec

from opportune.wire.calling import Calling, quoted


class ModelAction(msgspec.Struct, frozen=True, rename="camel"):
    """How the predictions for one action turned out, each judged when its answer came, before it was learned.

    `auc` is null until there is a good and a bad answer. `suspect` says why it is too good to be true, "" if not.
    """

    action: str
    answers: int
    positives: int
    auc: float | None
    log_loss: float | None
    calibration_error: float | None
    maturity: float
    suspect: str


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


class Judging(Calling):
    """The methods of `Client` about the model."""

    def models(self) -> ModelsInfo:
        """Return the live model: how its predictions turned out, action by action, and what it looks at."""
        return self._call("GET", "/v1/models", ModelsInfo)

    def model_history(self, action: str) -> ModelHistory:
        """Return how the predictions for an action turned out over time. Raises `NotFound`."""
        return self._call("GET", f"/v1/models/{quoted(action)}", ModelHistory)
