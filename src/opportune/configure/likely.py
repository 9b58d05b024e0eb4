"""How likely customers are to choose each value: by what others chose, and by what they chose before.

Each estimate is drawn toward the one that it refines (shrinkage), p = (n + m q) / (N + m): what all customers chose
toward the default, what those chose who share a choice of the customer toward that, and what the customer chose before
toward this. So few data move little, and many decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from opportune.catalog.product_types import Chosen
from opportune.configure.model import Choice, Model, titled

Ints = npt.NDArray[np.int32]

OTHERS, OWN = 5.0, 0.5
"""How many choices the estimate before counts as, beside what others chose and beside what the customer did."""

AGAIN = 0.5
"""What a choice of the customer's own counts beside the one after it."""

TOLD = 5
"""Customers below which nothing is said of them."""


@dataclass(frozen=True, slots=True)
class Own:
    """An earlier configuration of the customer: `ordered`, or saved."""

    choices: Mapping[str, Chosen]
    ordered: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a customer for a product.

    `profile` is what their profile says, `own` what they chose, the newest first, `others` a row for each other
    customer: the position of each option, -1 where it is not known.
    """

    profile: Mapping[str, Chosen] = field(default_factory=dict)
    own: Sequence[Own] = ()
    others: Ints | None = None


@dataclass(frozen=True, slots=True)
class Guess:
    """A value that an option may be given: how likely it is from 0 to 1, and why in words."""

    position: int
    likelihood: float
    reason: str


def rows_of(model: Model, designs: Sequence[Mapping[str, Chosen]]) -> Ints:
    """Return the designs of customers as positions, -1 for what is personal, not set, or not there any more."""
    names = [None if option.personal else name for name, option in model.options.items()]
    rows = np.full((len(designs), len(names)), -1, np.int32)
    for row, design in zip(rows, designs):
        for at, name in enumerate(names):
            position = None if name is None or name not in design else model.position(name, design[name])
            if position is not None:
                row[at] = position
    return rows


class Likely:
    """What is likely for one customer, as their choice grows."""

    def __init__(self, model: Model, choice: Choice, known: Known) -> None:
        self._model, self._known = model, known
        self._names = list(model.options)
        self._everybody: dict[str, Ints] = {}
        self._alike: dict[str, tuple[float, str, Ints]] = {}
        self._found: dict[str, list[Guess]] = {}
        rows = known.others
        for at, name in enumerate(self._names if rows is not None else ()):
            assert rows is not None
            self._everybody[name] = rows[rows[:, at] >= 0, at]
        for name, position in choice.items():
            self.chose(name, position)

    def chose(self, name: str, position: int) -> None:
        """Take in that an option is chosen: who shares this choice may tell more about others."""
        rows, option = self._known.others, self._model.options[name]
        if rows is None:
            return
        rows = rows[rows[:, self._names.index(name)] == position]
        if len(rows) < TOLD:
            return
        whose = f"of those with {option.title or name}: {titled(option, position)}"
        for at, other in enumerate(self._names):
            alike = rows[rows[:, at] >= 0, at]
            if other == name or len(alike) < TOLD:
                continue
            tells = _tells(alike, self._everybody[other], self._model.domains[other].count)
            if tells > self._alike.get(other, (0.0,))[0]:
                self._alike[other] = tells, whose, alike
                self._found.pop(other, None)

    def guesses(self, option: str) -> list[Guess]:
        """Return the values of an option, the likeliest first, of equal ones the cheapest, then the first.

        Of a number, only the value in the middle. None for what is personal and the customer's own past does not tell.
        """
        if option not in self._found:
            own, reasons = _own(self._model, option, self._known)
            personal = self._model.options[option].personal
            samples = [] if personal else self._samples(option)
            if personal and not own:
                found = []
            elif self._model.domains[option].is_number:
                found = [_middle(self._model, option, samples, own, reasons)]
            else:
                found = _ranked(self._model, option, samples, own, reasons)
            self._found[option] = found
        return self._found[option]

    def _samples(self, option: str) -> list[tuple[Ints, str]]:
        """Return what all others chose, then those who share the choice that tells the most about the option."""
        found = [(self._everybody[option], "of the customers")] if len(self._everybody.get(option, ())) else []
        if option in self._alike:
            _, whose, values = self._alike[option]
            found.append((values, whose))
        return found


def _ranked(
    model: Model, option: str, samples: Sequence[tuple[Ints, str]], own: Mapping[int, float], reasons: Mapping[int, str]
) -> list[Guess]:
    count, spec = model.domains[option].count, model.options[option]
    at_default = None if spec.default is None else model.position(option, spec.default)
    likely, reason = np.full(count, 1.0 / count), [""] * count
    if at_default is not None:
        likely *= 0.5
        likely[at_default] += 0.5
        reason[at_default] = "the usual choice"
    for values, whose in samples:
        counts, size = np.bincount(values, minlength=count), len(values)
        likely = (counts + OTHERS * likely) / (size + OTHERS)
        top = int(np.argmax(counts))
        if size >= TOLD:
            share = "most" if 2 * counts[top] > size else "more than any other"
            reason[top] = f"{share} {whose} chose it ({int(counts[top])} of {size})"
    if own:
        mine = np.zeros(count)
        for position, weight in own.items():
            mine[position] += weight
            reason[position] = reasons[position]
        likely = (mine + OWN * likely) / (mine.sum() + OWN)
    prices = [value.price for value in spec.values] or [0.0, spec.price]
    order = sorted(range(count), key=lambda at: (-round(float(likely[at]), 12), prices[at], at))
    cheapest = "the least dear" if len(set(prices)) > 1 else ""
    return [Guess(at, float(likely[at]), reason[at] or cheapest) for at in order]


def _middle(
    model: Model, option: str, samples: Sequence[tuple[Ints, str]], own: Mapping[int, float], reasons: Mapping[int, str]
) -> Guess:
    if own:
        at = max(own, key=lambda position: (own[position], -position))
        return Guess(at, (own[at] + OWN / 2) / (sum(own.values()) + OWN), reasons[at])
    default = model.options[option].default
    at_default = None if default is None else model.position(option, default)
    found = Guess(0, 0.0, "the least") if at_default is None else Guess(at_default, 0.5, "the usual choice")
    near = max(1, model.domains[option].count // 10)
    for values, whose in samples:
        if len(values) >= TOLD:
            middle = int(np.sort(values)[(len(values) - 1) // 2])
            around = float((abs(values - middle) <= near).sum())
            likelihood = (around + OTHERS * found.likelihood) / (len(values) + OTHERS)
            found = Guess(middle, likelihood, f"half {whose} chose no more")
    return found


def _own(model: Model, option: str, known: Known) -> tuple[dict[int, float], dict[int, str]]:
    """Return the positions that a customer's profile and past speak for, how much each, and in which words."""
    found: dict[int, float] = {}
    reasons: dict[int, str] = {}
    if option in known.profile and (position := model.position(option, known.profile[option])) is not None:
        found[position], reasons[position] = 1.0, "as your profile says"
    weight = 1.0
    for place, past in enumerate(known.own):
        if option not in past.choices:
            continue
        position = model.position(option, past.choices[option])
        if position is not None:
            found[position] = found.get(position, 0.0) + weight
            when = "your last" if place == 0 else "an earlier"
            reasons.setdefault(position, f"from {when} {'order' if past.ordered else 'design'}")
        weight *= AGAIN
    return found, reasons


def _tells(alike: Ints, everybody: Ints, count: int) -> float:
    """Return how far a choice moves the likeliest value: the rise of its share, drawn toward none by few data."""
    bins = min(count, 64)
    one = np.bincount(alike * bins // count, minlength=bins)
    all_ = np.bincount(everybody * bins // count, minlength=bins)
    top = int(np.argmax(one))
    share = all_[top] / len(everybody)
    return float((one[top] + OTHERS * share) / (len(alike) + OTHERS) - share)
