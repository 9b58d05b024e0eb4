"""What the laboratory says, in the words of the wire."""

from __future__ import annotations

from collections.abc import Iterable
from math import expm1, isfinite

from msgspec.structs import replace

from opportune.catalog.fields import nearest
from opportune.clock import DAY, format_span, to_datetime
from opportune.errors import NotFound
from opportune.lab.freedoms import FREEDOMS
from opportune.lab.gate import Lack, Passed, Refused
from opportune.lab.look import Finding, Look, shown
from opportune.lab.register import Entry, Flow
from opportune.measure.effect import Interval, NotEnoughData
from opportune.services.laboratory import Laboratory, Outlook, Started, Underway
from opportune.wire.trying import (
    Decided,
    ExperimentInfo,
    FlowInfo,
    Freedom,
    HypothesisInfo,
    LabFinding,
    LabLack,
    LabLook,
    LabStatus,
    NextTest,
    OutlookInfo,
    PastTest,
    SampleRatioInfo,
    StartedInfo,
)

Bounds = tuple[float | None, float | None]

USUAL = 1.96
"""Standard errors on each side of an estimate that hold 95 %."""


def status(lab: Laboratory, now: int) -> LabStatus:
    """Return how every experiment stands, and what learns freely."""
    under_way = lab.underway()
    begun = {one.trial.experiment for one in under_way}
    planned = [name for name in lab.names() if name not in begun]
    return LabStatus([experiment(one, now) for one in under_way], [Freedom(*row) for row in FREEDOMS], planned)


def experiment(one: Underway, now: int) -> ExperimentInfo:
    """Return an experiment as it stands."""
    run, trial = one.run, one.trial
    return ExperimentInfo(
        name=trial.experiment,
        status=run.outcome if run else trial.status,
        share=trial.share,
        started=to_datetime(trial.started),
        hypothesis=run.hypothesis if run else "",
        owner=run.owner if run else "",
        stopped=list(trial.stopped),
        winner=trial.winner,
        look=look(one.look) if one.look else None,
        missing={arm: lacks(missing) for arm, missing in one.missing.items()},
        expires=to_datetime(run.expires) if run and run.expires else None,
        retest=to_datetime(run.retest) if run and run.retest else None,
        decided_by=run.decided_by if run else "",
        reason=run.reason if run else "",
        outdated=one.outdated,
        alerts=_alerts(one, now),
    )


def look(one: Look) -> LabLook:
    """Return one look at an experiment."""
    found = [finding(each) for each in one.findings]
    ratio = SampleRatioInfo(one.ratio.p, one.ratio.alarm)
    return LabLook(to_datetime(one.at), one.customers, one.crossed, ratio, found)


def finding(one: Finding) -> LabFinding:
    """Return what an arm does to a metric."""
    effect = one.effect
    told = LabFinding(one.metric, one.arm, one.guardrail, one.verdict, shown(one), best_p=one.best_p, harm=one.harm,
                      drift=one.drift, reason=one.reason, more=one.more)  # fmt: skip
    if effect is None:
        return told
    told.control_value, told.value, told.difference = effect.control, effect.value, effect.difference
    told.interval, told.relative, told.p = bounds(effect.interval), effect.relative, effect.p
    told.relative_interval = None if effect.relative_interval is None else bounds(effect.relative_interval)
    return told


def bounds(interval: Interval) -> Bounds:
    """Return an interval with None at a side without a bound: JSON has no infinity."""
    low, high = interval
    return low if isfinite(low) else None, high if isfinite(high) else None


def lacks(missing: Iterable[Lack]) -> list[LabLack]:
    """Return what is missing."""
    return [LabLack(lack.what, lack.cure, lack.more) for lack in missing]


def decided(name: str, arm: str, answer: Passed | Refused) -> Decided:
    """Return what the gate said."""
    if isinstance(answer, Refused):
        return Decided(name, arm, False, lacks(answer.missing))
    return Decided(name, arm, True, [], answer.evidence, to_datetime(answer.expires), to_datetime(answer.retest))


def started(one: Started, takes: Outlook, stands: Underway, now: int) -> StartedInfo:
    """Return an experiment that was started."""
    past = [PastTest(near.name, near.alike, near.sentence, near.rules_out) for near in one.past]
    standing = one.standing.sentence if one.standing else ""
    return StartedInfo(experiment(stands, now), past, standing, outlook(takes), list(one.warnings))


def outlook(one: Outlook) -> OutlookInfo:
    """Return what a test takes."""
    return OutlookInfo(one.value, one.needed, one.finds, one.reason)


def hypothesis(entry: Entry) -> HypothesisInfo:
    """Return a hypothesis with its evidence."""
    stands = entry.standing
    return HypothesisInfo(
        name=entry.name, claim=entry.claim, because=entry.because, metric=entry.metric, parent=entry.parent,
        depth=entry.depth, status=stands.status, sentence=stands.sentence, evidence=stands.evidence,
        effect=stands.effect, interval=bounds(stands.interval) if stands.interval else None,
        next_flow=bounds(stands.next_flow) if stands.next_flow else None,
        i2=stands.pooled.i2 if stands.pooled else None, more_flows=stands.more, learned=list(entry.learned),
        flows=[_flow(flow) for flow in entry.flows], children=list(entry.children),
    )  # fmt: skip


def following(lab: Laboratory, instead_of: str) -> NextTest:
    """Return what to test next in place of a hypothesis. Raises `NotFound` where that is not known."""
    known = {entry.name for entry in lab.hypotheses()}
    if instead_of not in known:
        raise NotFound(f"there is no hypothesis {instead_of!r}; {nearest(instead_of, known)}")
    found = lab.following(instead_of)
    if isinstance(found, NotEnoughData):
        return NextTest("", found.reason, "", False)
    return NextTest(found.name, found.reason, lab.proposed(found.name), found.again)


def _flow(flow: Flow) -> FlowInfo:
    began, found = to_datetime(flow.started), flow.estimate
    told = FlowInfo(flow.experiment, flow.arm, began, flow.outcome, flow.sentence, flow.reason)
    if found is None:
        return told
    low, high = (expm1(found.log_ratio + side * USUAL * found.error) for side in (-1, 1))
    return replace(told, relative=expm1(found.log_ratio), relative_interval=(low, high))


def _alerts(one: Underway, now: int) -> list[str]:
    """Return what somebody should do something about."""
    found, run = [], one.run
    if one.outdated:
        found.append("the catalog defines it otherwise than it was decided, so it reaches nobody: test it again")
    if run and run.outcome == "rolled out" and run.expires is not None and run.retest is not None:
        left = format_span(max((run.expires - now) // DAY, 1) * DAY)
        if run.retest <= now:
            found.append(f"it expires in {left} at most: test it again now, or everybody gets what control gets")
    if one.look and one.look.ratio.alarm:
        found.append("the arms did not get the customers that they should: nothing that it shows is to be trusted")
    if not run:
        found.append("nothing was laid down when it began, so nothing that it finds can be rolled out")
    return found
