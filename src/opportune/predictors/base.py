"""What every predictor does: score a customer for some actions, and learn from one answer.

A predictor sees *inputs*: named numbers and texts. It owns its bins, its vocabulary and its weights, holds no reference
to a store or clock, draws no random number, and is a pure function of what it was asked to learn, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from opportune.predictors.bins import Bins

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Inputs:
    """The names that a predictor may look at, numbers first."""

    numbers: tuple[str, ...]
    texts: tuple[str, ...]


class Values(msgspec.Struct, frozen=True, eq=False):
    """One customer's inputs: float32 numbers (NaN is missing) and texts (None is missing), in the order of `Inputs`."""

    numbers: npt.NDArray[np.float32]
    texts: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class ActionKey:
    """An action as the predictor pools it: unique name, issue and group."""

    name: str
    issue: str
    group: str


class Posterior(msgspec.Struct, frozen=True, eq=False):
    """What is believed of each scored action, in the order asked.

    `p` is the probability of the positive outcome. The posterior of that probability is of `family` with parameters
    `a` and `b`: `logit-normal` (mean and variance of the logit) or `beta`. For exploration `b` is the part of the
    variance that actions do not share, with `a` already moderated by the shared part.
    """

    family: str
    p: FloatArray
    a: FloatArray
    b: FloatArray


class Effect(NamedTuple):
    """What a bin adds to the logit of an action, and the standard deviation of that belief (None: it has none)."""

    bin: str
    moves: float
    deviation: float | None


class Predictor(Protocol):
    """The protocol that `predictors.registry` opens by name."""

    name: str

    def align(self, inputs: Inputs, actions: Sequence[ActionKey]) -> None:
        """Make room for the inputs and actions of a catalog; what was learned of those already known is kept.

        `score` and `learn_one` then mean actions by their position in this sequence.
        """

    def score(self, values: Values, actions: IntArray) -> Posterior:
        """Return the posterior of each action. Pure: nothing changes."""

    def learn_one(
        self, values: Values, action: int, outcome: bool, weight: float = 1.0, at: int = 0, who: int = -1
    ) -> None:
        """Learn one answer; a negative weight takes an earlier one of the same label back.

        `at` is an instant. `who` is a number that stands for the customer (-1: another one each time), so that no text
        is kept that only a few of them have.
        """

    def positives(self) -> FloatArray:
        """Return the number of positive answers learned per action: its maturity."""

    def contributions(self, values: Values, action: int) -> list[tuple[str, str, float]]:
        """Return (input, bin in words, share of the logit) for each input, largest absolute share first."""

    def describe(self) -> dict[str, Any]:
        """Return the bins of each input with their evidence and propensity, to be drawn as charts."""

    def effects(self, action: int) -> dict[str, list[Effect]]:
        """Return what each bin of each input adds to the logit of an action, bins in the order of `Bins.rows_of`."""

    @property
    def bins(self) -> Bins:
        """The bins of the inputs; they change with what is learned."""

    def snapshot(self) -> bytes:
        """Return everything learned as bytes; equal states give equal bytes."""

    def restore(self, data: bytes) -> None:
        """Become exactly what `snapshot` described, including its alignment."""
