"""Rows of values as predictors: what is a number, what a text, and what names its row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from opportune.rules import Kind, Value

REPEATS = 0.5
"""The share of different values from which on a text names its row, and tells nothing of others."""


def kept(kinds: Mapping[str, Kind], rows: Sequence[Mapping[str, Value]]) -> tuple[dict[str, Kind], dict[str, str]]:
    """Return the names that can be predictors, and the others with the reason."""
    found: dict[str, Kind] = {}
    left_out: dict[str, str] = {}
    for name, kind in kinds.items():
        if kind is Kind.TIME:
            left_out[name] = "a time: make a number of it, such as days_since"
            continue
        if kind is Kind.TEXT:
            texts = [row[name] for row in rows if row[name] is not None]
            if len({*texts}) > max(REPEATS * len(texts), 1):
                left_out[name] = "a text that hardly repeats"
                continue
        found[name] = kind
    return found, left_out


def columns(kinds: Mapping[str, Kind], rows: Sequence[Mapping[str, Value]]) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of some rows: numbers and bools as floats with NaN for NULL, texts as objects."""
    made: dict[str, npt.NDArray[Any]] = {}
    for name, kind in kinds.items():
        values = [row[name] for row in rows]
        if kind is Kind.TEXT:
            column = np.empty(len(values), object)
            column[:] = values
        else:
            column = np.array([np.nan if value is None else float(value) for value in values], np.float64)
        made[name] = column
    return made
