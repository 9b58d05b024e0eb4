"""Which hypothesis takes the place of one that lost: the one whose test is expected to earn most.

What is believed of an effect is normal, with a mean and a standard deviation, on the scale of log ratios and positive
where it is wanted. After a test with a known error the mean will have moved by a normal step, of standard deviation
step = sd^2 / sqrt(sd^2 + error^2), and what then has a mean above 0 is taken up. So the test is expected to bring

    E max(0, mean after) = mean Phi(mean / step) + step phi(mean / step)

(Raiffa and Schlaifer 1961; the knowledge gradient of Frazier, Powell and Dayanik 2008), times the customers who will
meet it and what they are worth, less what the test costs. A flow that does not carry the idea has nothing of it now,
so an idea that did well elsewhere comes first, and a vague one before one that is known to do nothing. What may be
taken up without another test, because it is supported, is worth a test only for what that adds to max(0, mean).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import erfc, exp, expm1, pi, sqrt

import msgspec

from opportune.catalog.lab_types import Change, Hypothesis
from opportune.lab.standing import Status
from opportune.measure.effect import NotEnoughData
from opportune.measure.pooling import Estimate, arrays, cochran, restricted, weighted

SPREAD = 0.05
"""How far the effects of one hypothesis are believed to differ between flows, until its flows tell."""

SETTLED: frozenset[Status] = frozenset({"supported", "refuted", "none"})

_SPREAD_COUNTS = 5  # the first belief about the spread weighs as much as this many flows


class Belief(msgspec.Struct, frozen=True):
    """What is believed of an effect: mean and standard deviation of its log ratio, positive where it is wanted, and the
    standard deviation `spread` of flows around it."""

    mean: float
    sd: float
    spread: float = SPREAD

    def of_a_flow(self) -> Belief:
        """Return what is believed of a flow that has not carried it yet."""
        return Belief(self.mean, sqrt(self.sd**2 + self.spread**2), self.spread)

    def after(self, estimate: float, error: float) -> Belief:
        """Return the belief after an estimate of this very effect (the mean weighted by precision)."""
        kept = self.sd**2 / (self.sd**2 + error**2)
        return Belief(self.mean + kept * (estimate - self.mean), sqrt(kept) * error, self.spread)


class Candidate(msgspec.Struct, frozen=True):
    """A hypothesis that a flow could carry next.

    `error` is what the flow's estimate would have, `customers` how many would meet it afterwards, `worth` what a
    customer brings now (a log ratio of .01 brings a hundredth of it), `cost` what the test costs, in the same money.
    """

    name: str
    belief: Belief
    error: float
    customers: float
    worth: float = 1.0
    cost: float = 0.0
    status: Status = "open"

    @property
    def gain(self) -> float:
        """What testing it is expected to bring."""
        without = max(0.0, self.belief.mean) if self.status == "supported" else 0.0
        return (expected_use(self.belief, self.error) - without) * self.customers * self.worth - self.cost


class Successor(msgspec.Struct, frozen=True):
    """What takes the place: `again` where it was settled before, `reason` in words, `ranked` all by what they gain."""

    name: str
    gain: float
    again: bool
    reason: str
    ranked: tuple[tuple[str, float], ...]


def successor(candidates: Sequence[Candidate]) -> Successor | NotEnoughData:
    """Return the candidate whose test is expected to gain most; `NotEnoughData` where none is worth its cost.

    Of equals one that is not settled goes first, then by name.

    >>> vague, known = Candidate("vague", Belief(0, .1), .05, 1e5), Candidate("known", Belief(.05, .01), .05, 1e5)
    >>> found = successor([vague, known])
    >>> found.name, round(found.gain), [name for name, _ in found.ranked]
    ('known', 5000, ['known', 'vague'])
    """
    ranked = sorted(candidates, key=lambda c: (-c.gain, c.status in SETTLED, c.name))
    if not ranked or ranked[0].gain <= 0:
        return NotEnoughData("no hypothesis whose test is worth what it costs: write a new one")
    best, gains = ranked[0], tuple((c.name, c.gain) for c in ranked)
    again = best.status in SETTLED
    return Successor(best.name, best.gain, again, _reason(best, again, ranked[1:2]), gains)


def expected_use(belief: Belief, error: float) -> float:
    """Return the mean effect of what will be in use after a test with this error, if it is taken up above 0; >= 0.

    >>> round(expected_use(Belief(0.0, .1), .05), 4), round(expected_use(Belief(-.3, .1), .05), 6)
    (0.0357, 9e-06)
    """
    step = belief.sd**2 / sqrt(belief.sd**2 + error**2)
    if step == 0:
        return max(0.0, belief.mean)
    z = belief.mean / step
    return max(belief.mean * erfc(-z / sqrt(2)) / 2 + step * exp(-z * z / 2) / sqrt(2 * pi), 0.0)


def believed(
    hypothesis: Hypothesis, estimates: Sequence[Estimate], good: Change = "up", spread: float = SPREAD
) -> Belief:
    """Return what is believed of a hypothesis' mean effect: its prior, and what its flows show together.

    `spread` is how far flows usually differ (`usual_spread`).
    """
    sign = 1 if good == "up" else -1
    prior = Belief(sign * hypothesis.prior_mean, hypothesis.prior_sd, spread)
    if not estimates:
        return prior
    mean, error, spread = together(estimates, spread)
    return msgspec.structs.replace(prior.after(sign * mean, error), spread=spread)


def together(estimates: Sequence[Estimate], spread: float = SPREAD) -> tuple[float, float, float]:
    """Return the mean effect that flows show, its error, and the spread between flows that was counted with.

    The variance between flows is that of the usual `spread` as if five flows had shown it, averaged with what these
    show: so one or two flows are not taken for all.
    """
    values, variances = arrays(estimates)
    more = len(estimates) - 1
    between = (_SPREAD_COUNTS * spread**2 + more * float(restricted(values, variances))) / (_SPREAD_COUNTS + more)
    mean, error = weighted(values, variances, between)
    return float(mean), float(error), sqrt(between)


def usual_spread(program: Iterable[Sequence[Estimate]]) -> float:
    """Return how far the flows of one hypothesis usually differ: the standard deviation of their true effects.

    Each item holds the flows of one hypothesis. The variance is that of DerSimonian and Laird over all hypotheses,
    sum (Q - degrees) / sum (sum w - sum w^2 / sum w), averaged with that of `SPREAD` as if five flows had shown it.

    >>> round(usual_spread([[Estimate(.1, .02), Estimate(.2, .02)], [Estimate(.0, .02), Estimate(.1, .02)]]), 3)
    0.056
    """
    beyond = scale = 0.0
    more = 0
    for flows in program:
        if len(flows) < 2:
            continue
        values, variances = arrays(flows)
        w = 1 / variances
        beyond += float(cochran(values, variances)[0]) - (len(flows) - 1)
        scale += float(w.sum() - (w * w).sum() / w.sum())
        more += len(flows) - 1
    seen = max(0.0, beyond / scale) if more else 0.0
    return sqrt((_SPREAD_COUNTS * SPREAD**2 + more * seen) / (_SPREAD_COUNTS + more))


def _reason(best: Candidate, again: bool, second: Sequence[Candidate]) -> str:
    mean, doubt = 100 * expm1(best.belief.mean), 100 * best.belief.sd
    told = f"{best.name}: believed to bring {mean:+.1f} %, give or take {doubt:.1f}; its test is worth {best.gain:,.0f}"
    if second:
        told += f", that of {second[0].name} {second[0].gain:,.0f}"
    return f"{told}; tested again though it is settled ({best.status})" if again else told
