"""What is counted of a simulated life: choices beside the truth, contacts, answers, and the summary of all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING

import msgspec

from opportune.clock import DAY
from opportune.measure.summary import Difference, Rate, difference, rate

if TYPE_CHECKING:
    from opportune.hub import Hub

PROBLEMS = ("complaint", "outage", "payment")
"""The open problems that a company tells its hub of at once; who thinks of leaving says nothing."""

SALES = "grow"


@dataclass(frozen=True, slots=True)
class Choice:
    """One placement of one decision beside the truth.

    `allowed` are the actions that had come through every stage to be scored; `truth` their true probabilities,
    `predicted` what the hub took them for, and `worth` their C x V x L. `action` is None for silence. `problem` is the
    customer's open one.
    """

    decision_id: str
    at: int
    customer: str
    placement: str
    channel: str
    push: bool
    arm: str
    problem: str | None
    allowed: tuple[str, ...]
    truth: tuple[float, ...]
    worth: tuple[float, ...]
    predicted: tuple[float, ...]
    price: float
    action: str | None
    issue: str
    kind: str
    propensity: float
    probability: float
    value: float
    pushed: bool
    silence: str | None

    @property
    def values(self) -> tuple[float, ...]:
        """What each allowed action is truly worth here: true probability x worth."""
        return tuple(p * w for p, w in zip(self.truth, self.worth, strict=True))

    @property
    def regret(self) -> float:
        """What was lost against the best of the allowed actions and silence, which is worth the price."""
        values = self.values
        mine = self.price if self.action is None else values[self.allowed.index(self.action)]
        return max(self.price, *values) - mine if values else 0.0

    @property
    def uniform_regret(self) -> float:
        """What a choice among the allowed actions with equal chance would have lost on average."""
        values = self.values
        return max(self.price, *values) - sum(values) / len(values) if values else 0.0


class Mean(msgspec.Struct, frozen=True):
    """A mean over `n` with its normal 95 % interval; None where there are too few."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class Arm(msgspec.Struct, frozen=True):
    """How one arm did: its customers, contacts that got a yes, and the value of these per customer."""

    customers: int
    accepted: Rate
    value_per_customer: Mean


class Week(msgspec.Struct, frozen=True):
    """Regret per choice (two or more allowed actions) in one week, beside that of choosing with equal chance."""

    choices: int
    regret: float
    uniform_regret: float


class Summary(msgspec.Struct, frozen=True):
    """A simulated life in figures.

    `problem_contacts` went to people with an open problem, `problem_sales` of these were sales. `log_loss` and `auc`
    are test-then-train; None without answers.
    """

    events: int
    decisions: int
    silences: dict[str, int]
    contacts: int
    answers: int
    arms: dict[str, Arm]
    lift: Difference
    push_share: Rate
    problem_contacts: int
    problem_sales: int
    weeks: list[Week]
    log_loss: float | None
    auc: float | None


@dataclass(slots=True)
class _ArmCounts:
    contacts: int = 0
    accepted: int = 0
    values: dict[str, float] = field(default_factory=dict)


class Tally:
    """Counts while a life goes on; grows with customers and weeks only."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.events = self.decisions = self.contacts = self.answers = 0
        self.pushed = self.made = self.problem_contacts = self.problem_sales = 0
        self.silences: Counter[str] = Counter()
        self.arms = {"hub": _ArmCounts(), "random": _ArmCounts()}
        self.weeks: list[list[float]] = []
        self._last = ""

    def choice(self, choice: Choice) -> None:
        """Count one placement of a decision."""
        self.decisions += choice.decision_id != self._last
        self._last = choice.decision_id
        self._arm(choice).values.setdefault(choice.customer, 0.0)
        if choice.silence:
            self.silences[choice.silence] += 1
        else:
            self.made += 1
            self.pushed += choice.pushed
        if len(choice.allowed) > 1 and choice.arm == "hub":
            week = (choice.at - self.start) // (7 * DAY)
            self.weeks += [[0, 0.0, 0.0] for _ in range(week + 1 - len(self.weeks))]
            for i, more in enumerate((1, choice.regret, choice.uniform_regret)):
                self.weeks[week][i] += more

    def contact(self, choice: Choice) -> None:
        """Count an action that reached its customer."""
        self.contacts += 1
        self._arm(choice).contacts += 1
        if choice.problem:
            self.problem_contacts += 1
            self.problem_sales += choice.issue == SALES

    def answer(self, choice: Choice, positive: bool) -> None:
        """Count an answer to a contact, at most one positive each."""
        self.answers += 1
        if positive:
            arm = self._arm(choice)
            arm.accepted += 1
            arm.values[choice.customer] += choice.value

    def summary(self, hub: Hub) -> Summary:
        """Return the figures so far."""
        arms = {
            name: Arm(len(a.values), rate(a.accepted, a.contacts), mean(list(a.values.values())))
            for name, a in self.arms.items()
        }
        loss, auc = hub.brain.metrics.log_loss(), hub.brain.metrics.auc()
        return Summary(
            events=self.events,
            decisions=self.decisions,
            silences=dict(self.silences.most_common()),
            contacts=self.contacts,
            answers=self.answers,
            arms=arms,
            lift=difference(arms["hub"].accepted, arms["random"].accepted),
            push_share=rate(self.pushed, self.made),
            problem_contacts=self.problem_contacts,
            problem_sales=self.problem_sales,
            weeks=[Week(int(n), lost / n if n else 0.0, uniform / n if n else 0.0) for n, lost, uniform in self.weeks],
            log_loss=loss if loss == loss else None,
            auc=auc if auc == auc else None,
        )

    def _arm(self, choice: Choice) -> _ArmCounts:
        return self.arms.setdefault(choice.arm, _ArmCounts())


def mean(values: list[float]) -> Mean:
    """Return the mean with its normal interval.

    >>> mean([1.0, 3.0]).value, mean([1.0]).low
    (2.0, None)
    """
    n = len(values)
    if not n:
        return Mean(None, None, None, 0)
    middle = sum(values) / n
    if n < 2:
        return Mean(middle, None, None, n)
    half = 1.96 * sqrt(sum((x - middle) ** 2 for x in values) / (n - 1) / n)
    return Mean(middle, middle - half, middle + half, n)
