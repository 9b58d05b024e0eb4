"""What goes into a decision and what comes out of it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.rules import Row, Value

if TYPE_CHECKING:
    from opportune.decide.plan import Plan
    from opportune.decide.scores import Scores
    from opportune.predictors.base import Predictor
    from opportune.profiles.contacts import Refusal


class Stage(enum.IntEnum):
    """Where a candidate fell. `IN` means that it is still a candidate or won; `ARBITRATE` that another one won.

    Each step looks its members up once, when it is imported: a look-up takes Python 3.11 a quarter of a microsecond.
    """

    IN = 0
    AVAILABLE = 1
    CONSENT = 2
    SITUATION = 3
    ELIGIBLE = 4
    APPLICABLE = 5
    SUITABLE = 6
    CONTACT = 7
    SCORE = 8
    ARBITRATE = 9
    WITHHOLD = 10
    TREAT = 11
    LIMIT = 12


Limit = int | tuple[int, ...]
"""How many actions are wanted: of each placement, or one number for each in the order of the request."""


class Request(msgspec.Struct, frozen=True):
    """One question of a channel: what, if anything, should we do for this customer here and now?

    `customer` is the stable key of the person, used to assign arms. `seed` decides every draw. `limit` is the number
    of actions wanted per placement, one for all or one for each. `excluded` are (action, number of the placement,
    rank): the action found no room there and is out from then on, while what was drawn before stands; `missing` says of
    what else than contact limits it found too little;
    without `probabilities` the selection probabilities are left out (NaN).
    """

    customer: str
    placements: tuple[str, ...]
    at: int
    seed: int
    limit: Limit = 1
    context: Mapping[str, Value] = {}
    excluded: tuple[tuple[str, int, int], ...] = ()
    probabilities: bool = True
    missing: Mapping[str, str] = {}

    def wanted(self, number: int) -> int:
        """Return how many actions the placement of this number wants."""
        return self.limit if isinstance(self.limit, int) else self.limit[number]


class Snapshot(msgspec.Struct, frozen=True, eq=False):
    """Everything that a decision may look at. Equal requests on equal snapshots give equal decisions, to the bit.

    `row` holds the customer's traits, features and contact counts; what belongs to the request (context, channel, time)
    is put in by the decision. `consent` says per channel why marketing and why service may not be said (None: it may),
    and `topics` the same, by channel and topic, of topics that the customer said something else about. `refusals` are
    the scopes that caps, pauses and quiet hours close now. `answers` is the number of answers that the model has
    learned, `baseline_positives` the goals that the baseline has seen reached without a contact. `packed` is `row` as a
    record keeps it (`decide.record.pack_row`), where that is known already. `arms` are (experiment, arm) pairs of the
    customer, of which `plan` is the plan.
    """

    plan: Plan
    model: Predictor
    baseline: Predictor
    row: Row
    consent: Mapping[str, tuple[str | None, str | None]]
    refusals: tuple[Refusal, ...]
    answers: int = 0
    baseline_positives: float = 0.0
    packed: tuple[bytes, tuple[str | None, ...]] | None = None
    topics: Mapping[str, Mapping[str, tuple[str | None, str | None]]] = {}
    arms: tuple[tuple[str, str], ...] = ()


class Chosen(msgspec.Struct, frozen=True):
    """An action that was chosen for a placement, with every factor that made it win.

    `probability` is the chance that this policy chooses this action at this rank, over all draws; `baseline` the chance
    of the goal without any contact. `priority` is the mean, `drawn` the draw that decided.
    """

    action: str
    treatment: str
    placement: str
    channel: str
    rank: int
    propensity: float
    baseline: float
    context_weight: float
    value: float
    lever: float
    priority: float
    drawn: float
    probability: float


class Ghost(msgspec.Struct, frozen=True):
    """The action that would have been made, had it not been withheld or had silence not been worth more."""

    action: str
    placement: str
    channel: str
    propensity: float
    probability: float
    reason: str


class Answer(msgspec.Struct, frozen=True, eq=False):
    """What one placement gets. `silence` says why there is nothing (None when there is something).

    `discarded` is the probability mass that the selection probabilities left out; `pushed` says that V or L won against
    the customer's most likely choice; `stages` holds one `Stage` per action of the plan.
    `scores` are those of the candidates that came to be scored, `chances` their probabilities of the first rank.
    """

    placement: str
    chosen: tuple[Chosen, ...]
    silence: str | None
    ghost: Ghost | None
    price: float
    candidates: int
    silence_probability: float
    discarded: float
    pushed: bool
    notes: tuple[str, ...]
    stages: npt.NDArray[np.uint8]
    scores: Scores | None
    chances: npt.NDArray[np.float64] | None


class Decision(msgspec.Struct, frozen=True, eq=False):
    """The answer to one request."""

    request: Request
    answers: tuple[Answer, ...]
    arm: str

    @property
    def chosen(self) -> tuple[Chosen, ...]:
        """Every chosen action, placement by placement, rank by rank."""
        if len(self.answers) == 1:
            return self.answers[0].chosen
        return tuple(c for answer in self.answers for c in answer.chosen)

    @property
    def silence(self) -> str | None:
        """Why nothing was chosen at all; None if something was."""
        return None if self.chosen else "; ".join(dict.fromkeys(a.silence for a in self.answers if a.silence))


def hash01(*parts: str) -> float:
    """Return a number in [0, 1) that depends on the texts alone, uniform over them.

    >>> 0 <= hash01("salt", "maya") < 1
    True
    """
    return hash64(*parts) / 2**64


def hash64(*parts: str) -> int:
    """Return 64 bits that depend on the texts alone."""
    return int.from_bytes(blake2b("\x1f".join(parts).encode(), digest_size=8).digest(), "big")
