"""The gate: evaluate before you automate. What is rolled out has evidence, an end, and a person who answers for it.

A candidate passes where all of this holds; a refusal says everything that is missing, and what would change it:

    under way    it runs or is paused: what ended, was decided or expired is tested again
    registered   metric, guardrails, arms and how they are read were laid down before the first exposure, unchanged
    sample       the arms got the customers that they should
    better       the metric is better, as the experiment is read: at some look of a sequential one (and still on that
                 side), at the end of a fixed one
    harm         neither a guardrail nor the metric may be worse by more than the ceiling
    drift        the last half of the customers does not contradict the first: its own estimate is on the wanted side,
                 and not below the first by more than 1.64 standard errors
    end          it expires, and is tested again
    person       somebody approves by name who owned neither it nor its hypothesis when it began

A model is promoted on an off-policy bound (`promote_or_refuse`): both estimators' intervals above what the live policy
earned, on choices that the log knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import expm1, log1p

import msgspec

from opportune.catalog.lab_types import Experiment
from opportune.lab.look import Finding, Look, measured_by, planned_for, reading_of, shown
from opportune.measure.effect import NotEnoughData
from opportune.measure.midway import missing
from opportune.measure.ope import Estimate as Worth

TURNED = 1.645
"""Standard errors by which the last half may lie below the first."""

WITHOUT_SUPPORT = 0.05
"""The share of a policy's choices that the log may hardly have tried."""


class Lack(msgspec.Struct, frozen=True):
    """Something that is missing: `what`, the `cure`, and how many more customers it takes where customers would do."""

    what: str
    cure: str
    more: int | None = None

    def __str__(self) -> str:
        return f"{self.what}; {self.cure}" + (f" ({self.more:,} more customers)" if self.more else "")


class Passed(msgspec.Struct, frozen=True):
    """It may be rolled out until it `expires`; it has to be tested again from `retest` on. `evidence` says why."""

    expires: int
    retest: int
    evidence: str


class Refused(msgspec.Struct, frozen=True):
    """It may not, and what is missing."""

    missing: tuple[Lack, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An arm that somebody wants to roll out.

    `registered` is the hash of what was laid down (`registered_at`), `current` that of what the catalog says now,
    `exposed` when the first customer was exposed. `expected` is the relative effect that is expected of the metric.
    `owner` and `believer` own it and its hypothesis, `ended` is what became of it ("": it is under way).
    """

    experiment: Experiment
    arm: str
    by: str
    registered: str = ""
    current: str = ""
    registered_at: int | None = None
    exposed: int | None = None
    expected: float | None = None
    owner: str = ""
    believer: str = ""
    ended: str = ""


def pass_or_refuse(candidate: Candidate, evidence: Look | None, now: int) -> Passed | Refused:
    """Return whether an arm may be rolled out, by the last look at its experiment. Pure.

    The date to test again is a tenth of the time before it expires.
    """
    lacks = [*_registered(candidate), *_evidence(candidate, evidence), *_answered_for(candidate)]
    if lacks or evidence is None or candidate.experiment.expires is None:
        return Refused(tuple(lacks))
    found = [evidence.of(name, candidate.arm) for name in measured_by(candidate.experiment)]
    span = candidate.experiment.expires
    told = "; ".join(shown(finding) for finding in found if finding)
    return Passed(now + span, now + span - span // 10, told)


def promote_or_refuse(policy: Worth, live: float, by: str, owner: str) -> Passed | Refused:
    """Return whether a model may take over, by what its policy would have earned on logged decisions. Pure.

    `live` is what the policy that was logged earned per decision. A promotion does not expire: `expires` and `retest`
    are 0.
    """
    lacks = list(_named(by, owner))
    snips, dr = policy.interval.snips, policy.interval.dr
    if policy.reason or snips is None or dr is None:
        told = policy.reason or "not estimable"
        lacks.append(Lack(f"what it would earn is {told}", "let the standing random arm run longer, or grow it"))
    else:
        low = min(snips[0], dr[0])
        if not low > live:
            told = f"it may earn no more than {low:.4g} a decision, and what decided so far earned {live:.4g}"
            lacks.append(Lack(told, "gather more logged decisions, or improve the model"))
        if policy.without_support > WITHOUT_SUPPORT:
            told = f"{policy.without_support:.0%} of its choices were hardly ever made before"
            lacks.append(Lack(told, f"explore them first: at most {WITHOUT_SUPPORT:.0%} may be"))
    if lacks or snips is None or dr is None:
        return Refused(tuple(lacks))
    return Passed(0, 0, f"{min(snips[0], dr[0]):.4g} a decision at least, {live:.4g} so far")


def _registered(candidate: Candidate) -> Iterator[Lack]:
    again = "start it anew under another name"
    if candidate.ended:
        yield Lack(f"it is over ({candidate.ended})", "test it again: what ended says nothing of today")
    if candidate.registered_at is None:
        yield Lack("nothing was laid down before it ran", "start it with `opportune lab start`")
    elif candidate.exposed is not None and candidate.exposed < candidate.registered_at:
        yield Lack("its metric and guardrails were laid down after the first customer was exposed", again)
    elif candidate.registered != candidate.current:
        what = "metric, guardrails, arms or reading are others than were laid down"
        yield Lack(what, f"change them back, or {again}")
    if not {*candidate.experiment.guardrails} - {candidate.experiment.metric}:
        yield Lack("it has no guardrail", "name in `guardrails` what must not get worse, and start it anew")


def _evidence(candidate: Candidate, look: Look | None) -> Iterator[Lack]:
    if look is None:
        yield Lack("nobody has looked at it", "run it, and look at it with `opportune lab status`")
        return
    if look.ratio.alarm:
        what = f"the arms did not get the customers that they should (p {look.ratio.p:.2g})"
        yield Lack(what, "no number of customers mends that: find what chose them, and start anew")
    metric = look.of(candidate.experiment.metric, candidate.arm)
    if metric is None:
        yield Lack(f"there is no arm {candidate.arm!r} to compare with control", "name another arm")
        return
    yield from _better(candidate, metric)
    for name in measured_by(candidate.experiment):
        if (finding := look.of(name, candidate.arm)) is not None:
            yield from _harmless(candidate, finding)
    yield from _steady(candidate, metric)


def _better(candidate: Candidate, finding: Finding) -> Iterator[Lack]:
    effect = finding.effect
    if effect is None:
        yield Lack(f"{finding.metric}: {finding.reason}", "let it run", finding.more)
        return
    wanted = (effect.difference > 0) == (finding.good == "up")
    if finding.found and wanted:
        return
    if finding.verdict in ("worse", "no effect"):
        yield Lack(shown(finding), "more customers will not change that: keep control, and try another idea")
    else:
        yield Lack(shown(finding), "let it run", _more(candidate, finding))


def _more(candidate: Candidate, finding: Finding) -> int | None:
    """Return how many more customers find what is expected, or what is seen where nothing is."""
    effect = finding.effect
    if effect is None or not effect.log_error:
        return finding.more
    size = log1p(candidate.expected) if candidate.expected else effect.log_ratio
    return _missing(candidate, finding, size) if size else None


def _missing(candidate: Candidate, finding: Finding, size: float) -> int | None:
    effect = finding.effect
    if effect is None or not effect.log_error:
        return finding.more
    reading = reading_of(candidate.experiment, candidate.arm)
    more = missing(effect.log_error, sum(effect.units), size, reading, candidate.experiment.power)
    if isinstance(more, NotEnoughData):
        return None
    # a plan that is not over yet is run to its end: the test asks for least there
    planned = planned_for(candidate.experiment, candidate.arm) or 0.0
    return max(more, int(planned - sum(effect.units)), 1)


def _harmless(candidate: Candidate, finding: Finding) -> Iterator[Lack]:
    ceiling = candidate.experiment.harm
    if finding.harm:
        yield Lack(f"{finding.metric}: it does harm", "keep control: harm is not outweighed")
    elif finding.worst is None:
        if finding.guardrail:
            why = finding.reason or "control hardly has any, so no share can be told"
            cure = "let it run, or guard what happens more often"
            yield Lack(f"guardrail {finding.metric}: {why}", cure, finding.more)
    elif not finding.worst < ceiling:
        what = f"{finding.metric} may be worse by {100 * finding.worst:.1f} %, and {100 * ceiling:g} % is the ceiling"
        yield Lack(what, "let it run", _missing(candidate, finding, log1p(ceiling)))


def _steady(candidate: Candidate, finding: Finding) -> Iterator[Lack]:
    if finding.drift is None or finding.last is None:
        if finding.effect is not None:
            yield Lack("first and last customers cannot be compared", "let it run", finding.more)
    elif finding.last <= 0 or finding.drift < -TURNED:
        told = f"{finding.metric}: among the last half of the customers it is {100 * expm1(finding.last):+.1f} %"
        # with half as many again, most of the last half are new customers
        more = None if finding.effect is None else sum(finding.effect.units) // 2
        cure = "what wears off is not worth having for ever: let it run until the last half agrees"
        yield Lack(f"{told}, which contradicts the first", cure, more)


def _answered_for(candidate: Candidate) -> Iterator[Lack]:
    if candidate.experiment.expires is None:
        yield Lack("it has no end", "add `expires: 180d` to the experiment: how long what it found is believed")
    yield from _named(candidate.by, candidate.owner, candidate.believer)


def _named(by: str, owner: str, believer: str = "") -> Iterator[Lack]:
    if not (owner or believer):
        yield Lack("nobody owns it", "name the `owner` of the experiment or of its hypothesis")
    if not _name(by):
        yield Lack("nobody approves", "name who does: `--by NAME`")
    elif _name(by) in (_name(owner), _name(believer)):
        yield Lack(f"{by} owns it", "let somebody else approve")


def _name(who: str) -> str:
    """Return a name as names are compared: `Ana ` is `ana`."""
    return " ".join(who.split()).casefold()
