"""HOW LIKELY: score a customer for some actions, learn from one answer.

A predictor is one file and one line in `REGISTRY`; `contract` holds the checks that each must pass.
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any, cast

from opportune.errors import BadInput
from opportune.predictors.base import ActionKey, Inputs, Posterior, Predictor, Values

__all__ = ["REGISTRY", "ActionKey", "Inputs", "Posterior", "Predictor", "Values", "open_predictor"]

REGISTRY = {
    "bayes": "opportune.predictors.bayes:Bayes",
    "naive_bayes": "opportune.predictors.naive_bayes:NaiveBayes",
}
"""Where each predictor is, `module:class`; imported when it is opened."""


def open_predictor(name: str, **settings: Any) -> Predictor:
    """Return a new, empty predictor of that name; `BadInput` if there is none, or if it has no such setting.

    >>> open_predictor("naive_bayes").name
    'naive_bayes'
    >>> open_predictor("naive_bays")
    Traceback (most recent call last):
    opportune.errors.BadInput: unknown predictor 'naive_bays'; did you mean 'naive_bayes'? (bayes, naive_bayes)
    """
    if name not in REGISTRY:
        near = difflib.get_close_matches(name, REGISTRY, 1, 0)
        known = ", ".join(sorted(REGISTRY))
        raise BadInput(f"unknown predictor {name!r}; did you mean {near[0]!r}? ({known})")
    module, _, kind = REGISTRY[name].partition(":")
    try:
        return cast(Predictor, getattr(importlib.import_module(module), kind)(**settings))
    except TypeError as error:
        raise BadInput(f"predictor {name!r}: {error}") from error
