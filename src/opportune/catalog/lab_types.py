"""Hypotheses, experiments, metrics and holdouts, as the catalog has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from opportune.rules import Expression

MetricKind = Literal["proportion", "mean", "ratio", "quantile", "count"]

Change = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What customers are counted by, from the moment that they are in an experiment on, for a span `within`.

    It looks at events of one name (`event`, those where `where` holds) or at the answers `outcome` to what the
    experiment is about. A proportion is whether there was one, a count how many, a mean and a quantile the sum of the
    property `of` per customer, a ratio the sum of `of` over that of `per`, a property of the same events ("" counts
    them). `covariate` is a trait or feature, as it was before, that takes noise away; values above the `winsorize`
    quantile count as that. `good` is the direction that is wanted.
    """

    name: str
    kind: MetricKind = "proportion"
    event: str = ""
    outcome: str = ""
    where: Expression | None = None
    of: str = ""
    per: str = ""
    within: int | None = None
    covariate: str = ""
    winsorize: float | None = None
    quantile: float = 0.5
    good: Change = "up"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A belief: what we claim, why it would be so (`because`), for whom, and by which metric it shows.

    `expected` is the relative effect that we expect (.1 is 10 % more), `smallest` the one below which it would not
    matter: an effect that is surely smaller is none. `prior_mean` and `prior_sd` are what is believed of the log ratio
    before any test. `parent` is the hypothesis that it came from.
    """

    name: str
    claim: str
    because: str
    metric: str
    expected: float
    smallest: float
    audience: Expression | None = None
    guardrails: tuple[str, ...] = ()
    prior_mean: float = 0.0
    prior_sd: float = 0.2
    parent: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arm:
    """A version. `changes` is a piece of a catalog that is laid over the live one for the customers of the arm."""

    name: str
    weight: float = 1.0
    changes: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Experiment:
    """A test: arms, of which the first is control, for a `share` of the customers in `audience`.

    A customer is in one experiment of a `layer` at most. Experiments of one hypothesis with the same arms give a
    customer the same arm in each. `metric` and `guardrails` are those of the hypothesis unless it names its own;
    a guardrail, or the metric itself, that is surely worse by more than `harm` (relative) stops the arm at once.
    `inference` is how it is read, `planned` the customers that it is planned for, `power` and `alpha` what for.
    `expires` is how long what it found may be rolled out before it is tested again.
    """

    name: str
    arms: tuple[Arm, ...]
    hypothesis: str = ""
    layer: str = ""
    share: float = 1.0
    audience: Expression | None = None
    metric: str = ""
    guardrails: tuple[str, ...] = ()
    inference: Literal["sequential", "fixed"] = "sequential"
    alpha: float = 0.05
    power: float = 0.8
    planned: int | None = None
    harm: float = 0.1
    starts: int | None = None
    ends: int | None = None
    expires: int | None = None
    owner: str = ""
    campaign: str = ""

    @property
    def lane(self) -> str:
        """The layer, whose experiments share no customer; that of the experiment alone where it names none."""
        return self.layer or self.name


@dataclass(frozen=True, slots=True)
class Holdout:
    """Customers whom marketing in the scopes `on` does not reach, so that its effect can be known.

    Every `rotate` (None: never) another share of the customers takes their place; whoever leaves is not looked at for
    a `washout`.
    """

    name: str
    on: tuple[str, ...]
    share: float
    rotate: int | None = None
    washout: int = 0
