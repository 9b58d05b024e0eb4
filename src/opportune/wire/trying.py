"""What goes over the wire about experiments: requests and answers, the same for the hub and for its client."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from opportune.wire.calling import Calling, quoted


class LabChange(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Change how an experiment is run: who does it, and why. `share` of the customers is for start and share,
    `arm` for stop (empty: all of it)."""

    by: str
    reason: str = ""
    share: float | None = None
    arm: str = ""


class LabVerdict(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Decide an experiment: roll `arm` out, if the gate lets it pass, or keep control (empty). Who does it, and why."""

    by: str
    arm: str = ""
    reason: str = ""


class LabLack(msgspec.Struct, frozen=True, rename="camel"):
    """What is missing for an arm to be rolled out, what mends it, and how many more customers that takes."""

    what: str
    cure: str
    more: int | None = None


class LabFinding(msgspec.Struct, rename="camel"):
    """What an arm does to a metric. Intervals are [low, high], null at a side without a bound; `relative` .15 is 15 %
    more. `bestP` is the smallest p so far on the side that is wanted, `drift` by how many standard errors the last half
    of the customers lies on the better or (below 0) worse side of the first half.
    """

    name: str
    arm: str
    guardrail: bool
    verdict: str
    sentence: str
    control_value: float | None = None
    value: float | None = None
    difference: float | None = None
    interval: tuple[float | None, float | None] | None = None
    relative: float | None = None
    relative_interval: tuple[float | None, float | None] | None = None
    p: float | None = None
    best_p: float = 1.0
    harm: bool = False
    drift: float | None = None
    reason: str = ""
    more: int | None = None


class SampleRatioInfo(msgspec.Struct, frozen=True):
    """How likely a sound assignment strays that far, and whether that is an alarm."""

    p: float
    alarm: bool


class LabLook(msgspec.Struct, frozen=True, rename="camel"):
    """One look at an experiment: customers by arm, those left out because they met two arms, and what was found."""

    at: datetime
    arms: dict[str, int]
    crossed: int
    sample_ratio: SampleRatioInfo
    metrics: list[LabFinding]


class ExperimentInfo(msgspec.Struct, frozen=True, rename="camel"):
    """An experiment as it stands. `missing` is what the gate misses by arm while it runs, beside a person's approval;
    `outdated`: what was decided is not what the catalog has now, so it reaches nobody."""

    name: str
    status: str
    share: float
    started: datetime
    hypothesis: str
    owner: str
    stopped: list[str]
    winner: str
    look: LabLook | None
    missing: dict[str, list[LabLack]]
    expires: datetime | None = None
    retest: datetime | None = None
    decided_by: str = ""
    reason: str = ""
    outdated: bool = False
    alerts: list[str] = []


class OutlookInfo(msgspec.Struct, frozen=True, rename="camel"):
    """What a test takes: control's value before, customers `needed`, and the smallest effect that the plan finds."""

    value: float | None
    needed: int | None
    finds: float | None
    reason: str


class PastTest(msgspec.Struct, frozen=True, rename="camel"):
    """A past test like this one: how alike (0 to 1), and what came of it."""

    hypothesis: str
    alike: float
    sentence: str
    rules_out: bool


class StartedInfo(msgspec.Struct, frozen=True, rename="camel"):
    """An experiment that was started, what was tried before that is like it, what it takes, and warnings."""

    experiment: ExperimentInfo
    past: list[PastTest]
    standing: str
    outlook: OutlookInfo
    warnings: list[str]


class Decided(msgspec.Struct, frozen=True, rename="camel"):
    """What was decided: `rolledOut` until `expires`, or what is `missing` for that."""

    name: str
    arm: str
    rolled_out: bool
    missing: list[LabLack] = []
    evidence: str = ""
    expires: datetime | None = None
    retest: datetime | None = None


class FlowInfo(msgspec.Struct, frozen=True, rename="camel"):
    """An arm of an experiment that carried a hypothesis, and what came of it; the interval holds 95 %."""

    experiment: str
    arm: str
    started: datetime
    outcome: str
    sentence: str
    reason: str
    relative: float | None = None
    relative_interval: tuple[float, float] | None = None


class HypothesisInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A hypothesis with its evidence. `depth` is how many lie above it; effects are shares (.15 is 15 % more)."""

    name: str
    claim: str
    because: str
    metric: str
    parent: str
    depth: int
    status: str
    sentence: str
    evidence: float
    effect: float | None
    interval: tuple[float | None, float | None] | None
    next_flow: tuple[float | None, float | None] | None
    i2: float | None
    more_flows: int | None
    learned: list[str]
    flows: list[FlowInfo]
    children: list[str]


class NextTest(msgspec.Struct, frozen=True, rename="camel"):
    """The hypothesis whose test is expected to bring most now, why, and the experiment as YAML to begin from."""

    hypothesis: str
    reason: str
    yaml: str
    again: bool


class Freedom(msgspec.Struct, frozen=True):
    """What may change by itself, what bounds it, and what waits for a person."""

    what: str
    learns: str
    bound: str


class LabStatus(msgspec.Struct, frozen=True, rename="camel"):
    """How every experiment stands that was started, and what learns freely and what waits for a person. `planned` are
    those of the catalog that never were."""

    experiments: list[ExperimentInfo]
    freedoms: list[Freedom]
    planned: list[str] = []


class HeldEffect(msgspec.Struct, frozen=True, rename="camel"):
    """What all that we do adds to a metric: everybody else against those held out."""

    metric: str
    since: datetime
    held: int
    rest: int
    held_value: float | None
    rest_value: float | None
    relative: float | None
    relative_interval: tuple[float | None, float | None] | None
    p: float | None
    sentence: str


class HoldoutInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A holdout: how many are in it, and have just left it; marketing that was about to reach one or did, by channel;
    when it rotates next, and the effect of what it is kept from."""

    name: str
    on: list[str]
    share: float
    members: int
    washout: int
    blocked: dict[str, int]
    reached: dict[str, int]
    rotates: datetime | None
    effects: list[HeldEffect]


class SumOfWins(msgspec.Struct, frozen=True, rename="camel"):
    """The sum of what was rolled out, without its luck, beside what the control group shows; log ratios."""

    metric: str
    claimed: float | None
    measured: float | None
    gap: float | None
    gap_interval: tuple[float, float] | None
    agrees: bool | None
    sentence: str


class Holdouts(msgspec.Struct, frozen=True, rename="camel"):
    """Every holdout, and whether the sum of wins agrees with the whole."""

    holdouts: list[HoldoutInfo]
    wins: list[SumOfWins]


class PartInfo(msgspec.Struct, frozen=True, rename="camel"):
    """What a part of the brain adds, by the standing arm that goes without it: the hub as it is against that arm.

    `acceptance` is accepted offers per decision, `value` money accepted per decision; each of the arm and of the hub.
    """

    arm: str
    part: str
    customers: int
    decisions: int
    acceptance: tuple[float | None, float | None]
    acceptance_added: tuple[float | None, float | None] | None
    value: tuple[float | None, float | None]
    value_added: tuple[float | None, float | None] | None
    sentence: str


class Trying(Calling):
    """Experiments, hypotheses and holdouts."""

    def analysis(self, experiment: str, correct: str = "none") -> dict[str, Any]:
        """Return what an experiment did; `correct` is none, holm or bh, over all metrics x arms."""
        path = f"/v1/lab/experiments/{quoted(experiment)}/analysis"
        return self._call("GET", path, dict[str, Any], query={"correct": correct})

    def lab_status(self) -> LabStatus:
        """Return how experiments stand, and what learns freely and what waits for a person."""
        return self._call("GET", "/v1/lab", LabStatus)

    def experiment(self, name: str) -> ExperimentInfo:
        """Return how an experiment stands."""
        return self._call("GET", f"/v1/lab/experiments/{quoted(name)}", ExperimentInfo)

    def experiment_looks(self, name: str) -> list[LabLook]:
        """Return every look at the latest run of an experiment, in order of time."""
        return self._call("GET", f"/v1/lab/experiments/{quoted(name)}/looks", list[LabLook])

    def experiment_outlook(self, name: str) -> OutlookInfo:
        """Return what a test takes, by what its metric was before."""
        return self._call("GET", f"/v1/lab/experiments/{quoted(name)}/outlook", OutlookInfo)

    def look_at_experiment(self, name: str, by: str) -> ExperimentInfo:
        """Look at an experiment now, and keep what is seen; what does harm is stopped."""
        return self._lab(name, "look", {"by": by})

    def start_experiment(self, name: str, by: str, reason: str = "", share: float | None = None) -> StartedInfo:
        """Start an experiment, or let a paused one go on."""
        asked = {"by": by, "reason": reason, "share": share}
        return self._call("POST", f"/v1/lab/experiments/{quoted(name)}/start", StartedInfo, asked)

    def pause_experiment(self, name: str, by: str, reason: str = "") -> ExperimentInfo:
        """Let nobody be in an experiment until it is started again."""
        return self._lab(name, "pause", {"by": by, "reason": reason})

    def stop_experiment(self, name: str, by: str, reason: str = "", arm: str = "") -> ExperimentInfo:
        """End an experiment, an arm of it, or what was rolled out."""
        return self._lab(name, "stop", {"by": by, "reason": reason, "arm": arm})

    def share_experiment(self, name: str, share: float, by: str, reason: str = "") -> ExperimentInfo:
        """Let more customers into an experiment, or no more than before."""
        return self._lab(name, "share", {"by": by, "reason": reason, "share": share})

    def decide_experiment(self, name: str, by: str, arm: str = "", reason: str = "") -> Decided:
        """Roll an arm out if the gate lets it pass, or keep control (no arm)."""
        asked = {"by": by, "arm": arm, "reason": reason}
        return self._call("POST", f"/v1/lab/experiments/{quoted(name)}/decide", Decided, asked)

    def hypotheses(self) -> list[HypothesisInfo]:
        """Return every hypothesis with its evidence, parents before children."""
        return self._call("GET", "/v1/lab/hypotheses", list[HypothesisInfo])

    def next_test(self, hypothesis: str) -> NextTest:
        """Return what to test next in place of a hypothesis, as YAML to begin from."""
        return self._call("GET", f"/v1/lab/hypotheses/{quoted(hypothesis)}/next", NextTest)

    def holdouts(self) -> Holdouts:
        """Return every holdout: its members, what leaked, what it shows, and whether wins add up to the whole."""
        return self._call("GET", "/v1/lab/holdouts", Holdouts)

    def standing_arms(self, days: int = 28) -> list[PartInfo]:
        """Return what each part of the brain added over the last days, by the arms that go without it."""
        return self._call("GET", "/v1/lab/arms", list[PartInfo], query={"days": str(days)})

    def _lab(self, name: str, what: str, asked: dict[str, Any]) -> ExperimentInfo:
        return self._call("POST", f"/v1/lab/experiments/{quoted(name)}/{what}", ExperimentInfo, asked)
