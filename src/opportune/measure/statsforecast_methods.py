"""The automatic models of statsforecast as methods of `measure.forecast`, where it is installed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from opportune.errors import BadInput
from opportune.measure.pooling import FloatArray
from opportune.measure.rolling_origin import Method

MODELS = ("AutoTheta", "AutoETS", "AutoARIMA")

ONE_ERROR = 68.27
"""The level of an interval of one standard error to each side."""


def methods() -> Mapping[str, Method]:
    """Return the models by name; raises `BadInput` where statsforecast is not installed."""
    try:
        models = import_module("statsforecast.models")
    except ImportError:
        what = "statsforecast is not installed; run pip install 'opportune[forecast]', or leave `models` out"
        raise BadInput(what) from None
    return {name: partial(_told, getattr(models, name)) for name in MODELS}


def _told(model: Any, y: FloatArray, season: int, ahead: int) -> tuple[FloatArray, FloatArray]:
    found = model(season_length=season).forecast(y=y, h=ahead, level=[ONE_ERROR])
    mean = np.asarray(found["mean"], float)
    upper = next(np.asarray(each, float) for key, each in found.items() if key.startswith("hi-"))
    return mean, np.abs(upper - mean)
