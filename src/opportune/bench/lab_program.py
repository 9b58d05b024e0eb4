"""Two years of testing in a simulated company, by the lab and by what is done without one.

    lab       the next hypothesis of each flow by `lab.succession`, from what all flows showed of it and what is usual
              in the program; a flow takes an idea up where its belief about it, with luck taken out, is above 0
    fixed     each flow by itself, ideas in their order, an A/B test of fixed size, taken up at p < .05 the right way
    thompson  each flow by itself, ideas in their order, weekly Thompson sampling of champion and challenger; the one
              that looks better at the end stays

Every four weeks each flow tests one idea that it has not tried, on `arm` customers a side who buy at `rate`. The mean
effects of ideas are heavy-tailed (t of 3 degrees of freedom: most do little or harm, a few do much), and a flow's own
effect lies around the mean. Effects of ideas taken up add on the log scale. `claimed` is what was believed of an idea
when it was taken up (for the other two the estimate itself), `realised` its true effect there, and `lift` how much more
all customers of the two years bought than without any idea, those in tests counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import expm1, sqrt

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.lab.succession import Belief, Candidate, successor, together, usual_spread
from opportune.measure.effect import NotEnoughData
from opportune.measure.pooling import Estimate, FloatArray
from opportune.measure.shrinkage import shrunk, usual

Flags = npt.NDArray[np.bool_]


class World(msgspec.Struct, frozen=True):
    """The truth: `effects` are log ratios of shape (ideas, flows)."""

    effects: FloatArray
    periods: int
    arm: int
    rate: float

    @property
    def flows(self) -> int:
        return len(self.effects[0])

    @property
    def error(self) -> float:
        """The error of the log ratio of one test."""
        return sqrt(2 * (1 - self.rate) / (self.rate * self.arm))


class Program(msgspec.Struct, frozen=True):
    """What a way of testing came to in two years: ideas taken up, what was claimed of them, what is true, the lift."""

    taken: int
    claimed: float
    realised: float
    lift: float


class Compared(msgspec.Struct, frozen=True):
    """One way over many simulated companies: `ratio` is realised over claimed, of all that was taken up."""

    way: str
    taken: float
    claimed: float
    realised: float
    ratio: float
    lift: float
    lift_error: float


def compared(
    programs: int = 200, *, periods: int = 26, flows: int = 8, ideas: int = 60, arm: int = 10_000, rate: float = 0.04
) -> list[Compared]:
    """Return each way over the same `programs` simulated companies."""
    found: dict[str, list[Program]] = {way: [] for way in WAYS}
    for seed in range(programs):
        rng = np.random.default_rng(seed)
        means = -0.01 + 0.04 * rng.standard_t(3, (ideas, 1))
        world = World(means + rng.normal(0, 0.03, (ideas, flows)), periods, arm, rate)
        for way, run in WAYS.items():
            found[way].append(run(world, np.random.default_rng([seed, 1])))
    return [_summed(way, runs) for way, runs in found.items()]


def lab(world: World, rng: np.random.Generator) -> Program:
    """Return what the lab makes of it."""
    seen: list[list[Estimate]] = [[] for _ in world.effects]
    taken, tried = np.zeros(world.effects.shape, bool), np.zeros(world.effects.shape, bool)
    told: dict[int, Estimate] = {}  # what the flows of each tested idea say together
    claimed = lift = 0.0
    for period in range(world.periods):
        spread = usual_spread(seen)
        beliefs = _beliefs(told, len(seen), spread)
        left = (world.periods - period - 1) * 2 * world.arm
        tests = []
        for flow in range(world.flows):
            idea = _chosen(beliefs, tried[:, flow], world, left)
            if idea is None:
                lift += _lift(world, taken, flow, 0.0, 0.0)
                continue
            tried[idea, flow] = True
            effect = float(world.effects[idea, flow])
            lift += _lift(world, taken, flow, effect, 0.5)
            tests.append((idea, flow, _tested(rng, world, effect, str(flow))))
            # the next flow chooses as if this test had shown what is expected of it
            beliefs[idea] = beliefs[idea].after(beliefs[idea].mean, sqrt(world.error**2 + beliefs[idea].spread ** 2))
        for idea, _, estimate in tests:
            seen[idea].append(estimate)
            told[idea] = Estimate(*together(seen[idea], spread)[:2])
        for idea, flow, own in tests:
            value = _here(told, idea, own, [estimate for estimate in seen[idea] if estimate is not own], spread)
            if value > 0:
                taken[idea, flow] = True
                claimed += value
    return _program(world, taken, claimed, lift)


def _chosen(beliefs: Sequence[Belief], tried: Flags, world: World, left: int) -> int | None:
    candidates = [
        Candidate(str(idea), belief.of_a_flow(), world.error, left, world.rate)
        for idea, belief in enumerate(beliefs)
        if not tried[idea]
    ]
    found = successor(candidates)
    return None if isinstance(found, NotEnoughData) else int(found.name)


def _beliefs(told: Mapping[int, Estimate], ideas: int, spread: float) -> list[Belief]:
    """Return what is believed of the mean effect of each idea: of those that no flow tested, what is usual."""
    known, prior = shrunk(list(told.values())), usual(list(told.values()))
    if isinstance(known, NotEnoughData) or isinstance(prior, NotEnoughData):
        first = {idea: _FIRST.after(one.log_ratio, one.error) for idea, one in told.items()}
        return [first.get(idea, _FIRST) for idea in range(ideas)]
    by_idea = {idea: Belief(effect.value, effect.error, spread) for idea, effect in zip(told, known)}
    return [by_idea.get(idea, Belief(*prior, spread)) for idea in range(ideas)]


def _here(
    told: Mapping[int, Estimate], idea: int, own: Estimate, others: Sequence[Estimate], spread: float
) -> float:
    """Return what is believed of an idea in a flow that tested it, with luck taken out: what the other flows showed,
    drawn to what is usual, and then its own test."""
    program = {**told, idea: Estimate(*together(others, spread)[:2]) if others else own}
    found = shrunk(list(program.values()))
    if isinstance(found, NotEnoughData):
        return _FIRST.after(told[idea].log_ratio, told[idea].error).mean
    effect = found[list(program).index(idea)]
    if not others:
        return effect.value
    return Belief(effect.value, effect.error, spread).of_a_flow().after(own.log_ratio, own.error).mean


def fixed(world: World, rng: np.random.Generator) -> Program:
    """Return what A/B tests of fixed size make of it, each read by itself."""
    taken = np.zeros(world.effects.shape, bool)
    claimed = lift = 0.0
    for period in range(world.periods):
        for flow in range(world.flows):
            idea = _next_idea(world, period, flow)
            lift += _lift(world, taken, flow, world.effects[idea, flow], 0.5)
            estimate = _tested(rng, world, world.effects[idea, flow], str(flow))
            if estimate.log_ratio > 1.96 * estimate.error:
                taken[idea, flow] = True
                claimed += estimate.log_ratio
    return _program(world, taken, claimed, lift)


def thompson(world: World, rng: np.random.Generator, weeks: int = 4) -> Program:
    """Return what Thompson sampling of champion and challenger makes of it, with Beta(1, 1) for both in each test."""
    taken = np.zeros(world.effects.shape, bool)
    claimed = lift = 0.0
    for period in range(world.periods):
        for flow in range(world.flows):
            idea = _next_idea(world, period, flow)
            effect = world.effects[idea, flow]
            rates = np.minimum(world.rate * np.exp([0.0, effect]), 1.0)
            yes, no = np.ones(2), np.ones(2)
            for _ in range(weeks):
                draws = rng.beta(yes, no, (500, 2))
                share = float((draws[:, 1] > draws[:, 0]).mean())
                lift += _lift(world, taken, flow, effect, share) / weeks
                second = rng.binomial(2 * world.arm // weeks, share)
                sent = np.array([2 * world.arm // weeks - second, second])
                bought = rng.binomial(sent, rates)
                yes, no = yes + bought, no + sent - bought
            looks = np.log(yes / (yes + no))
            if looks[1] > looks[0]:
                taken[idea, flow] = True
                claimed += float(looks[1] - looks[0])
    return _program(world, taken, claimed, lift)


WAYS: dict[str, Callable[[World, np.random.Generator], Program]] = {"lab": lab, "fixed": fixed, "thompson": thompson}


def lines(found: Sequence[Compared]) -> list[str]:
    """Return the table as text."""
    rows = [
        f"{c.way:>8} {c.taken:7.1f} {c.claimed:8.2f} {c.realised:9.2f} {c.ratio:17.2f} {c.lift:+8.1%}"
        f" (standard error {c.lift_error:.1%})"
        for c in found
    ]
    return ["     way   taken  claimed  realised  realised/claimed     lift", *rows]


_FIRST = Belief(0.0, 0.05)
"""What is believed of ideas until there are tests enough to know what is usual."""


def _next_idea(world: World, period: int, flow: int) -> int:
    """Flows begin at different ideas, so that not all of them try the same first."""
    return (period + flow * len(world.effects) // world.flows) % len(world.effects)


def _tested(rng: np.random.Generator, world: World, effect: float, flow: str) -> Estimate:
    rates = np.minimum(world.rate * np.exp([0.0, effect]), 1.0)
    control, treated = rng.binomial(world.arm, rates) + 0.5
    error = sqrt(1 / treated + 1 / control - 2 / (world.arm + 0.5))
    return Estimate(float(np.log(treated / control)), error, flow)


def _lift(world: World, taken: Flags, flow: int, effect: float, share: float) -> float:
    """Return the lift of a flow in this period, of which a share meets one more effect."""
    level = float((world.effects[:, flow] * taken[:, flow]).sum())
    return (1 - share) * expm1(level) + share * expm1(level + effect)


def _program(world: World, taken: Flags, claimed: float, lift: float) -> Program:
    realised = float(world.effects[taken].sum())
    return Program(int(taken.sum()), claimed, realised, lift / world.periods / world.flows)


def _summed(way: str, runs: Sequence[Program]) -> Compared:
    claimed, realised = (float(np.mean([getattr(run, name) for run in runs])) for name in ("claimed", "realised"))
    lifts = [run.lift for run in runs]
    return Compared(
        way=way,
        taken=float(np.mean([run.taken for run in runs])),
        claimed=claimed,
        realised=realised,
        ratio=realised / claimed,
        lift=float(np.mean(lifts)),
        lift_error=float(np.std(lifts)) / sqrt(len(lifts)),
    )


if __name__ == "__main__":
    print("\n".join(lines(compared())))
