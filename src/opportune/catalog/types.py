"""The catalog as frozen values: what `load` returns and the rest of the hub reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from opportune.rules import Expression, Kind, Name

ActionKind = Literal["marketing", "service"]

STAGED = ("eligible", "applicable", "suitable")


@dataclass(frozen=True, slots=True)
class Trait:
    """A declared attribute of a customer. `mutable`: a person can change it, so an explanation may suggest it."""

    name: str
    kind: Kind
    mutable: bool = False


@dataclass(frozen=True, slots=True)
class Feature:
    """A named number or text computed from events of one name.

    `aggregate` is count, distinct, sum, avg, min, max, last or days_since; `of` the property it reads. `window` and
    `by` are spans; None counts from the beginning. `kind` is NUMBER, or what `last` reads (TEXT, BOOL).
    """

    name: str
    event: str
    aggregate: str
    of: str | None = None
    where: Expression | None = None
    window: int | None = None
    by: int | None = None
    kind: Kind = Kind.NUMBER
    mutable: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """A state of the customer that silences issues and raises others by percent."""

    name: str
    when: Expression
    silences: tuple[str, ...] = ()
    raises: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to the customer. `push` reaches out (needs a grant, sending counts); otherwise the customer comes to us."""

    name: str
    push: bool


@dataclass(frozen=True, slots=True)
class Placement:
    """A named place in a channel that asks for actions, with the price of the attention it takes."""

    name: str
    channel: str
    price: float | Expression = 0.0


@dataclass(frozen=True, slots=True)
class Goal:
    """A later event that counts as success within a span, until an `undo` event takes it back."""

    event: str
    within: int
    undo: str | None = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Which answers are good, which are bad, and how long we wait for one."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    window: int
    goal: Goal | None = None


@dataclass(frozen=True, slots=True)
class Treatment:
    """One form of an action in one channel; `placements` are names or globs."""

    name: str
    channel: str
    placements: tuple[str, ...]
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    """Something we could do for a customer."""

    name: str
    issue: str
    group: str
    outcomes: Outcomes
    treatments: tuple[Treatment, ...]
    kind: ActionKind = "marketing"
    urgent: bool = False
    campaign: str = ""
    owner: str = ""
    cost: float = 0.0
    starts: int | None = None
    ends: int | None = None
    value: float | Expression = 1.0
    lever: float = 0.0
    benefit: str = ""
    helps: Expression | None = None
    eligible: Expression | None = None
    applicable: Expression | None = None
    suitable: Expression | None = None

    @property
    def path(self) -> str:
        """`issue/group/name`, as people read it."""
        return f"{self.issue}/{self.group}/{self.name}"


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `at_most` contacts in any window (t - span, t], counted per `on`."""

    name: str
    on: str
    at_most: int
    span: int


@dataclass(frozen=True, slots=True)
class Pause:
    """After `times` outcomes `after` within `span`, no contact for `pause`, counted per `on`."""

    name: str
    on: str
    after: str
    times: int
    span: int
    pause: int


@dataclass(frozen=True, slots=True)
class Quiet:
    """No contact between two times of the customer's local day; minutes since midnight, `start` may be after `end`."""

    name: str
    on: str
    start: int
    end: int


ContactRule = Cap | Pause | Quiet


@dataclass(frozen=True, slots=True)
class ContextWeight:
    """C: raise or lower an issue, group or action by percent when a condition holds."""

    on: str
    when: Expression
    percent: float


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """How P is learned and used. `factors` names the parts of the priority that are switched on.

    `width` is how far Thompson sampling draws, as a share of the posterior's own width: 1 draws from the posterior as
    it is, 0.5 served best in Chapelle and Li (2011), and 0 is greedy.
    """

    predictor: str = "bayes"
    predictors: tuple[str, ...] | None = None
    explore: str = "thompson"
    epsilon: float = 0.1
    width: float = 0.5
    arbitrate: Literal["propensity", "incremental"] = "propensity"
    factors: frozenset[str] = frozenset("PCVL")
    random_share: float = 0.02
    holdout_share: float = 0.0
    ramp: int = 200
    hold: int = 15 * 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class Retain:
    """How long events and facts of the ledger stay in the store before they move to its archive; None: for good."""

    events: int | None = None
    ledger: int | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that the hub may say, and when.

    `names` are the names that conditions and predictors may read, in a fixed order: traits, features, context, contact
    counts, built-ins. `levers` are percents by issue or `issue/group`. `hash` is the SHA-256 of the canonical content.
    """

    currency: str
    time_zone: str
    traits: tuple[Trait, ...]
    features: tuple[Feature, ...]
    context: tuple[Name, ...]
    situations: tuple[Situation, ...]
    channels: tuple[Channel, ...]
    placements: tuple[Placement, ...]
    actions: tuple[Action, ...]
    contact: tuple[ContactRule, ...]
    model: ModelSettings
    names: tuple[Name, ...]
    levers: Mapping[str, float] = field(default_factory=dict)
    context_weights: tuple[ContextWeight, ...] = ()
    retain: Retain = Retain()
    hash: str = ""
