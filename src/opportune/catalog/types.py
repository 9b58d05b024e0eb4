"""The catalog as frozen values: what `load` returns and the rest of the hub reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from opportune.catalog.campaign_types import Campaign, Person, Process
from opportune.catalog.funnel_types import Funnel
from opportune.catalog.lab_types import Experiment, Holdout, Hypothesis, Metric
from opportune.catalog.offer_types import Coupon, Loyalty
from opportune.catalog.page_types import Page
from opportune.catalog.product_types import Product
from opportune.catalog.rental_types import RentalPlan
from opportune.catalog.report_types import ReportPlan, Target
from opportune.catalog.shelf_types import ItemsWanted, ShelfRules
from opportune.catalog.tool_types import Tool
from opportune.catalog.tracking_types import EventPlan
from opportune.rules import Expression, Kind, Name

ActionKind = Literal["marketing", "service"]

Basis = Literal["consent", "contract", "legitimate_interest", "legal_obligation", "vital_interest", "public_task"]
"""The legal bases of article 6 GDPR."""

STAGED = ("eligible", "applicable", "suitable")

STANDING = {"propensity": 0.005, "no_levers": 0.005, "eligibility": 0.005, "random_propensity": 0.005}
"""The shares of the standing arms that switch a part of the brain off."""


@dataclass(frozen=True, slots=True)
class Trait:
    """A declared attribute of a customer.

    `mutable`: it can be changed, so an explanation may suggest it. `correctable`: customers may set it right. The rest
    is what a value must be like, so that it is no fault: of a `format` (`catalog.formats`), from `least` to `most`, one
    of `values`; `required`: every known customer should have one.
    """

    name: str
    kind: Kind
    mutable: bool = False
    correctable: bool = False
    format: str = ""
    least: float | None = None
    most: float | None = None
    values: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True)
class Feature:
    """A named number or text computed from events of one name.

    `aggregate` is count, distinct, sum, avg, min, max, last or days_since; `of` the property it reads. `window` and
    `by` are spans; None counts from the beginning. `kind` is NUMBER, or what `last` reads (TEXT, BOOL). `made`: no file
    has it, it comes with `pulse` or `asks`.
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
    made: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """A state of the customer that silences issues and raises others by percent."""

    name: str
    when: Expression
    silences: tuple[str, ...] = ()
    raises: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to the customer. `push` reaches out (needs a grant, sending counts); otherwise the customer comes to us.

    `form` is what a message consists of (`deliver.forms`). `via` is the carrier that the hub sends it through
    (`deliver.carriers`; None: the customer pulls, or whoever asked for the decision sends), at most `rate` a second, to
    the address in the trait `to`, with the carrier's own `options`, where `${NAME}` stands for the environment. `track`
    says what is heard of a message that arrived: `clicks` on its links, `opens`.
    """

    name: str
    push: bool
    form: str = "json"
    via: str | None = None
    to: str = ""
    rate: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    track: tuple[str, ...] = ("clicks",)


@dataclass(frozen=True, slots=True)
class Placement:
    """A named place in a channel that asks for actions, with the price of the attention it takes.

    `schema` is the JSON Schema that content shown here must fit (`catalog.schemas`); None: anything does.
    """

    name: str
    channel: str
    price: float | Expression = 0.0
    schema: Mapping[str, Any] | None = field(default=None, hash=False)


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
    """One form of an action in one channel; `placements` are names or globs.

    `content` is in the catalog's language; `languages` are the keys of it that other languages say otherwise. `items`
    are the recommended items that it carries, `coupon` names the coupon of which it gives a code ("": none).
    """

    name: str
    channel: str
    placements: tuple[str, ...]
    content: Mapping[str, Any] = field(default_factory=dict)
    languages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    items: ItemsWanted | None = None
    coupon: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """Who read and approved the content of an action, and when; `hash` is that of the content as it was then."""

    by: str
    at: int
    hash: str


@dataclass(frozen=True, slots=True)
class Action:
    """Something we could do for a customer.

    `basis` is the legal basis as declared (see `legal_basis`); `proof` says where what the texts claim is proven.
    `survey`: it is the question of `pulse`; `asks` is the trait that it asks for (see `Ask`), "" for all others. What
    is `off` is never made, until an arm of an experiment, or the files, switch it on.
    """

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
    basis: Basis | None = None
    proof: str = ""
    approved: Approval | None = None
    topic: str = ""
    survey: bool = False
    asks: str = ""
    off: bool = False

    @property
    def path(self) -> str:
        """`issue/group/name`, as people read it."""
        return f"{self.issue}/{self.group}/{self.name}"

    @property
    def legal_basis(self) -> Basis:
        """The declared basis; else consent for marketing and the contract for service."""
        return self.basis or ("contract" if self.kind == "service" else "consent")


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `at_most` contacts in any window (t - span, t], counted per `on`. `made`: as of a `Feature`."""

    name: str
    on: str
    at_most: int
    span: int
    made: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """After `times` outcomes `after` within `span`, no contact for `pause`, counted per `on`.

    `made`: as of a `Feature`.
    """

    name: str
    on: str
    after: str
    times: int
    span: int
    pause: int
    made: bool = False


@dataclass(frozen=True, slots=True)
class Quiet:
    """No contact between two times of the customer's local day; minutes since midnight, `start` may be after `end`.

    With `days` (of mon, tue, wed, thu, fri, sat, sun) only what starts on one of them. With `holidays` the public
    holidays of the customer's country and region are quiet all day as well.
    """

    name: str
    on: str
    start: int
    end: int
    days: tuple[str, ...] = ()
    holidays: bool = False


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
    it is, 0.5 served best in Chapelle and Li (2011), and 0 is greedy. `arms` are the shares of customers for whom a
    part of the brain is switched off, so that what it adds can be known (`decide.stages.assign`).
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
    arms: Mapping[str, float] = field(default_factory=lambda: dict(STANDING), hash=False)


@dataclass(frozen=True, slots=True)
class Requires:
    """One of `texts` must appear, or a text that `pattern`, a regular expression of RE2, finds."""

    texts: tuple[str, ...] = ()
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Forbids:
    """None of `words` may appear, unless one of the texts `unless` does too.

    A `*` at an end of a word stands for any letters. `provable`: the `proof` of the action allows them as well.
    """

    words: tuple[str, ...]
    unless: tuple[str, ...] = ()
    provable: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """How words are spelled: what may be written by mistake -> what is right."""

    spellings: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Protects:
    """Nothing about these groups of people, nor any of `names`, may decide; `allowed` names may all the same."""

    groups: tuple[str, ...]
    names: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NeedsBasis:
    """Every action names its legal basis, and one that fits how it reaches the customer."""


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    """Every action is approved as it stands, by somebody other than its owner."""


Rule = Requires | Forbids | Terms | Protects | NeedsBasis | NeedsApproval


@dataclass(frozen=True, slots=True)
class Standard:
    """What the actions and treatments in any of the scopes `on` must meet before they go live.

    `kind`, `languages` and `fields` (globs of the keys of content, dots for nesting) narrow it; empty: all of them.
    `warns`: what does not meet it is told, and goes live.
    """

    name: str
    rule: Rule
    on: tuple[str, ...] = ("all",)
    kind: ActionKind | None = None
    languages: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    warns: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """What actions are about, as customers see and refuse it; `title` by language."""

    name: str
    title: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ConsentRules:
    """How consent is asked for, and how long it holds.

    A grant for a channel in `double_opt_in` counts once it is confirmed; with `since`, those given before that instant
    count as they are. A grant ends after `expires` (None: never). `wording` names the text that customers see now,
    `texts` is that text by language, and `controller` who is responsible for the data.
    """

    double_opt_in: frozenset[str] = frozenset()
    since: int | None = None
    expires: int | None = None
    wording: str = ""
    texts: Mapping[str, str] = field(default_factory=dict, hash=False)
    controller: str = ""


@dataclass(frozen=True, slots=True)
class Holidays:
    """Whose public holidays count for customers who did not say where they live: ISO 3166 codes, "" for none."""

    country: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Retain:
    """How long events and facts of the ledger stay in the store before they move to its archive; None: for good."""

    events: int | None = None
    ledger: int | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who messages come from; "" for what is not said."""

    name: str = ""
    email: str = ""
    reply_to: str = ""
    address: str = ""
    website: str = ""


@dataclass(frozen=True, slots=True)
class Trigger:
    """An event of a customer, or a situation that they enter, makes a decision about them due.

    It is decided `wait` after the event, unless one of the events `unless` comes before, and no later than `until`
    beyond that; then not `again` for a span (None: each time). `limit` is how many actions may be made.
    """

    name: str
    placement: str
    event: str = ""
    situation: str = ""
    where: Expression | None = None
    wait: int = 0
    unless: tuple[str, ...] = ()
    until: int = 86_400 * 1_000_000
    again: int | None = None
    limit: int = 1


@dataclass(frozen=True, slots=True)
class Run:
    """A decision about each customer of an audience (None: everybody), now or on a `schedule` of cron.

    At most `limit` customers get something, `throttle` messages leave per second, and only within `window` (minutes
    since midnight of each customer's own zone); with `best_time` at the hour in which the customer usually answers.
    """

    name: str
    placement: str
    audience: Expression | None = None
    schedule: str = ""
    throttle: float | None = None
    window: tuple[int, int] | None = None
    best_time: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Pulse:
    """One question to a sample of the customers, answered yes or no; texts by language, "" for every language.

    In each period of `every` a `share` of the customers may be asked, in `placements` that are for nothing else, once.
    They are asked about what happened between `within` and `after` ago: a contact, or one of `events`. A situation in
    `about` is what the question is about, so it does not silence it.
    """

    question: Mapping[str, str] = field(hash=False)
    yes: Mapping[str, str] = field(hash=False)
    no: Mapping[str, str] = field(hash=False)
    placements: tuple[str, ...]
    share: float
    every: int
    after: int
    within: int
    events: tuple[str, ...]
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """One answer that a customer may give; `title` by language, empty where the value says it."""

    value: str | float | bool
    title: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Ask:
    """A trait that is asked for when it helps: the question and what an answer buys, by language.

    Without `options` any value of the trait's type is an answer.
    """

    fact: str
    question: Mapping[str, str] = field(hash=False)
    buys: Mapping[str, str] = field(hash=False)
    placements: tuple[str, ...]
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that the hub may say, and when.

    `names` are the names that conditions and predictors may read, in a fixed order: traits, features, context, contact
    counts, built-ins. `levers` are percents by issue or `issue/group`. `external`: it is that of an arm for whose
    customers another tool decides. `hash` is the SHA-256 of the canonical content.
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
    standards: tuple[Standard, ...] = ()
    topics: tuple[Topic, ...] = ()
    consent: ConsentRules = ConsentRules()
    holidays: Holidays = Holidays()
    language: str = "en"
    sender: Sender = Sender()
    blocks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    triggers: tuple[Trigger, ...] = ()
    outbound: tuple[Run, ...] = ()
    pulse: Pulse | None = None
    asks: tuple[Ask, ...] = ()
    coupons: tuple[Coupon, ...] = ()
    loyalty: Loyalty | None = None
    shelf: ShelfRules = field(default_factory=ShelfRules)
    rentals: tuple[RentalPlan, ...] = ()
    pages: tuple[Page, ...] = ()
    products: tuple[Product, ...] = ()
    metrics: tuple[Metric, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    holdouts: tuple[Holdout, ...] = ()
    people: tuple[Person, ...] = ()
    processes: tuple[Process, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    tools: tuple[Tool, ...] = ()
    targets: tuple[Target, ...] = ()
    reports: tuple[ReportPlan, ...] = ()
    funnel: Funnel = field(default_factory=Funnel)
    events: tuple[EventPlan, ...] = ()
    external: bool = False
    hash: str = ""
