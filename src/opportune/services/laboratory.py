"""The laboratory: experiments are started, looked at, stopped and decided here, and what does harm is stopped.

Everything that changes is a fact of the ledger (`TrialChanged`), with who and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec
from msgspec.structs import replace

from opportune.catalog.fields import nearest
from opportune.catalog.lab_types import Change, Experiment, Hypothesis, Metric
from opportune.clock import DAY, HOUR
from opportune.errors import BadRequest, Forgotten, NotFound
from opportune.events import codec
from opportune.events.types import TrialChanged
from opportune.hub import Hub
from opportune.lab import register
from opportune.lab.book import Belief, Book, Run, plan_hash
from opportune.lab.counting import Counted
from opportune.lab.gate import Candidate, Lack, Passed, Refused, pass_or_refuse
from opportune.lab.look import Look, look_at, measured_by, shown
from opportune.lab.past import Near
from opportune.lab.proposal import proposal
from opportune.lab.register import Entry, Told
from opportune.lab.standing import Standing, standing
from opportune.lab.succession import Successor
from opportune.ledger.exposures import Exposure
from opportune.ledger.trials import Trial, definition
from opportune.measure.effect import NotEnoughData
from opportune.measure.power import Design, needed, smallest
from opportune.measure.sums import Sums
from opportune.questions import named
from opportune.services.counted import count

LOOK_EVERY = HOUR
"""How often running experiments are looked at by themselves, unless a setting says otherwise."""

BEFORE = 28 * DAY
"""How far back a metric is measured before a test, where it has no `within` of its own."""

ASKED = 5_000
"""Customers at most of whom a metric is measured before a test."""

BY_ITSELF = "the hub"
"""Who did it, where nobody did."""


class Outlook(msgspec.Struct, frozen=True):
    """What a test takes: control's value before it, the customers `needed` of all arms for the effect that is expected,
    and the smallest effect that is found with those planned (None: nothing is planned). `reason` where it is not known.
    """

    value: float | None = None
    needed: int | None = None
    finds: float | None = None
    reason: str = ""


class Started(msgspec.Struct, frozen=True):
    """An experiment that was started: past tests like it, where its hypothesis stands, and warnings."""

    trial: Trial
    past: tuple[Near, ...]
    standing: Standing | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Underway:
    """An experiment as it stands: how it is run, its latest run, the last look, and what the gate misses by arm.

    `outdated`: the catalog defines it otherwise, or no longer has it, so what was rolled out reaches nobody.
    """

    experiment: Experiment | None
    trial: Trial
    run: Run | None
    look: Look | None
    missing: dict[str, tuple[Lack, ...]]
    outdated: bool = False


class Laboratory:
    """The experiments of a hub. What writes is a transaction, or a part of the one around it (`Hub.group`).

    `measure`, `outlook`, `proposed` and `count` only read, take as long as there are events in the span, and may be
    called from any thread; all others are quick.
    """

    def __init__(self, hub: Hub, every: int = LOOK_EVERY) -> None:
        """`every` is the span after which a running experiment is `due` to be looked at again."""
        self._hub, self._every, self.book = hub, every, Book(hub.store)

    # --- running

    def start(self, name: str, by: str, reason: str = "", share: float | None = None) -> Started:
        """Start an experiment with a share of the customers (None: all that it may have), or let a paused one go on.

        An arm that was stopped for harm stays stopped in every later run of the same definition. Raises `NotFound`, and
        `BadRequest` where it cannot begin: it is under way, over, rolled out, does harm, or its layer has no room.
        """
        hub, experiment, by = self._hub, self.experiment(name), _who(by)
        self.pass_time()
        now, known = hub.clock.now(), hub.trials.get(name)
        if known is not None and known.winner:
            raise BadRequest(f"{known.winner!r} of experiment {name!r} is rolled out: stop it first, or test it again "
                             "under another name")  # fmt: skip
        if experiment.ends is not None and experiment.ends <= now:
            raise BadRequest(f"experiment {name!r} ended by its `until`; give it a later one, or a new name")
        if experiment.inference == "fixed" and experiment.planned is None:
            raise BadRequest(f"experiment {name!r} is read once, at its end, and has none: add `planned:`")
        with hub.group():
            if known is not None and known.status == "paused":
                trial = self._share(experiment, replace(known, status="running"), share)
                self._change(trial, "resumed", by, reason, outcome="running")
            else:
                trial = self._without_harm(hub.trials.begin(experiment, now, share), experiment)
                self.book.put(self._laid_down(experiment, trial, by))
                hub.run_trial(trial, "started", by, reason)
        hypothesis = self.hypothesis(experiment)
        past = register.tried(hypothesis, hub.plan.catalog.hypotheses, self.told()) if hypothesis else []
        stands = self._standing(hypothesis) if hypothesis else None
        return Started(trial, tuple(past), stands, tuple(self._warnings(experiment, stands)))

    def share(self, name: str, share: float, by: str, reason: str = "") -> Trial:
        """Let more customers in, or no more than before; whoever was exposed stays."""
        by = _who(by)
        trial = self._share(self.experiment(name), self._live(name), share)
        self._change(trial, f"share {share:g}", by, reason)
        return trial

    def pause(self, name: str, by: str, reason: str = "") -> Trial:
        """Let nobody be in an experiment until it is started again."""
        by, trial = _who(by), self._live(name)
        if trial.status == "paused":
            raise BadRequest(f"experiment {name!r} is paused already")
        trial = replace(trial, status="paused")
        self._change(trial, "paused", by, reason, outcome="paused")
        return trial

    def stop(self, name: str, by: str, reason: str = "", arm: str = "") -> Trial:
        """End an experiment, or one arm of it: its customers get what control gets. What was rolled out goes back."""
        by, trial = _who(by), self._trial(name)
        if arm:
            trial = self._live(name)
            run = self.book.run(name)
            if run is None or arm not in run.arms[1:] or arm in trial.stopped:
                raise BadRequest(f"{arm!r} is no arm of {name!r} that can be stopped")
            return self._stop_arms(trial, (arm,), by, reason)
        if not trial.live and not trial.winner:
            raise BadRequest(f"experiment {name!r} is {trial.status}; there is nothing to stop")
        trial = replace(trial, status="stopped", winner="")
        self._change(trial, "stopped", by, reason, outcome="stopped")
        return trial

    # --- looking

    def measure(self, name: str) -> Look:
        """Return what a look at an experiment shows now, or as it was at its end. Writes nothing.

        Raises `NotFound`, `BadRequest`.
        """
        hub, experiment, run = self._hub, self.experiment(name), self.book.run(name)
        trial = self._trial(name)
        if run is None:
            raise BadRequest(f"nothing was laid down when {name!r} began: start it with `opportune lab start`")
        with hub.reading():
            metrics, hypothesis, at = self.metrics(experiment), self.hypothesis(experiment), hub.clock.now()
            until = at if run.ended is None else run.ended
            exposures = [e for e in hub.exposed(name) if run.started <= e.at <= until]
            plan = plan_hash(experiment, metrics, hypothesis)
            before = self._before(run, plan, trial.stopped)
        counted = count(hub, list(metrics.values()), exposures, run.events, run.facts, until)
        matters = hypothesis.smallest if hypothesis else 0.0
        return look_at(experiment, metrics, counted, matters, run.started, at, before, trial.stopped, plan)

    def note(self, look: Look, by: str = BY_ITSELF) -> list[str]:
        """Keep a look, stop what does harm, and pause what drifts; return what was done, in words.

        An arm that is surely worse by more than the experiment's `harm` is stopped; all of it is, where the arms did
        not get the customers that they should. A look at a run that is over is not kept: what it showed at its end is.
        """
        hub, run, done, by = self._hub, self.book.run(look.experiment), list[str](), _who(by)
        if run is None or run.started != look.started or run.over:
            return []
        with hub.group():
            self.book.add(look)
            detail = "; ".join(shown(finding) for finding in look.findings)
            hub.learner.append([TrialChanged(look.at, look.experiment, "looked", by, detail)])
            trial = hub.trials.get(look.experiment)
            if trial is None or not trial.live:
                return []
            harmed = {arm: metric for arm, metric in look.harmed().items() if arm not in trial.stopped}
            if look.ratio.alarm:
                why = f"the arms did not get the customers that they should (p {look.ratio.p:.2g})"
                self._change(replace(trial, status="stopped"), "stopped", BY_ITSELF, why, outcome="stopped")
                done.append(f"{look.experiment} was stopped: {why}")
            elif harmed:
                why = ", ".join(f"{arm} is surely worse on {metric}" for arm, metric in sorted(harmed.items()))
                self._stop_arms(trial, tuple(harmed), BY_ITSELF, why, harm=True)
                done.append(f"{look.experiment}: {why}; its customers get what control gets")
            elif trial.status == "running" and (arm := look.drifted(run.metric, trial.stopped)):
                why = f"the effect of {arm} is surely not what it was at first"
                self._change(replace(trial, status="paused"), "paused", BY_ITSELF, why, outcome="paused")
                done.append(f"{look.experiment} was paused: {why}")
        return done

    def due(self) -> list[str]:
        """Return the experiments that it is time to look at: those that run, by name."""
        if not self._hub.published:
            return []
        now, found = self._hub.clock.now(), []
        there = {e.name for e in self._hub.plan.catalog.experiments}
        for trial in self._hub.trials.all():
            run = self.book.run(trial.experiment) if trial.status == "running" else None
            look = self.book.look(run) if run else None
            if run and trial.experiment in there and (look is None or look.at + self._every <= now):
                found.append(trial.experiment)
        return found

    def pass_time(self) -> list[str]:
        """End what has expired and experiments whose time is over; return what was done, in words."""
        hub, done = self._hub, list[str]()
        if not hub.published:
            return []
        now, there = hub.clock.now(), {e.name: e for e in hub.plan.catalog.experiments}
        for trial in hub.trials.all():
            run, experiment = self.book.run(trial.experiment), there.get(trial.experiment)
            if trial.winner and run is not None and run.expires is not None and run.expires <= now:
                why = f"{run.arm} was believed until now and was not tested again"
                ended = replace(trial, status="stopped", winner="", expires=None)
                self._change(ended, "expired", BY_ITSELF, why, outcome="expired")
                done.append(f"{trial.experiment} expired: {why}; everybody gets what control gets")
            elif trial.live and experiment and experiment.ends is not None and experiment.ends <= now:
                ended = replace(trial, status="stopped")
                self._change(ended, "stopped", BY_ITSELF, "its time is over", outcome="stopped")
                done.append(f"{trial.experiment} was stopped: its time is over")
        return done

    # --- deciding

    def decide(self, look: Look | None, name: str, arm: str, by: str, reason: str) -> Passed | Refused:
        """Roll an arm out if the gate lets it pass, and keep control otherwise; `look` is what was just measured.

        A refusal changes nothing but the ledger, which says who asked and what was missing.
        """
        hub, by, trial = self._hub, _who(by), self._trial(name)
        if look is not None:
            self.note(look, by)
            trial = self._trial(name)
        answer = self.would(name, arm, by)
        with hub.group():
            if isinstance(answer, Refused):
                told = "; ".join(map(str, answer.missing))
                hub.learner.append([TrialChanged(hub.clock.now(), name, f"refused {arm}", by, told)])
                return answer
            winner = replace(trial, status="decided", winner=arm, expires=answer.expires)
            run = self._change(winner, f"rolled out {arm}", by, reason, outcome="rolled out", arm=arm)
            if run is not None:
                self.book.put(
                    replace(run, expires=answer.expires, retest=answer.retest, evidence=answer.evidence, decided_by=by)
                )
        return answer

    def keep_control(self, name: str, by: str, reason: str) -> Trial:
        """Decide that nothing is rolled out: everybody gets what control gets."""
        by, trial = _who(by), replace(self._trial(name), status="decided", winner="")
        self._change(trial, "kept control", by, reason, outcome="control")
        return trial

    def would(self, name: str, arm: str, by: str) -> Passed | Refused:
        """Return what the gate says of an arm by the last look. Writes nothing."""
        hub, experiment, run = self._hub, self.experiment(name), self.book.run(name)
        if arm not in {one.name for one in experiment.arms[1:]}:
            arms = [one.name for one in experiment.arms[1:]]
            raise BadRequest(f"{name!r} has no arm {arm!r} beside control; {nearest(arm, arms)}", "arm")
        hypothesis, trial = self.hypothesis(experiment), hub.trials.get(name)
        look = self.book.look(run) if run else None
        candidate = Candidate(
            experiment, arm, by, run.plan if run else "", plan_hash(experiment, self.metrics(experiment), hypothesis),
            run.started if run else None, look.since if look else None,
            hypothesis.expected if hypothesis else None, run.owner if run else self._owner(experiment),
            run.belief.owner if run and run.belief else "",
            "" if trial is None or trial.live or run is None else run.outcome,
        )  # fmt: skip
        answer = pass_or_refuse(candidate, look, hub.clock.now())
        if trial is not None and arm in trial.stopped:
            stopped = Lack(f"{arm} was stopped", "an arm that was stopped is not rolled out: test another one")
            answer = Refused((stopped, *(answer.missing if isinstance(answer, Refused) else ())))
        return answer

    # --- telling

    def outlook(self, name: str) -> Outlook:
        """Return what a test takes, by what its metric was among customers before. Raises `NotFound`.

        Before is before its start: what a test does to its metric must not move its own plan.
        """
        experiment = self.experiment(name)
        metric, hypothesis = self.metrics(experiment)[experiment.metric], self.hypothesis(experiment)
        if metric.kind == "quantile":
            return Outlook(reason="a quantile has no power calculation here")
        trial = self._hub.trials.get(name)
        counted = self._as_it_was(metric, trial.started if trial else self._hub.clock.now())
        sums = counted.sums(metric.name, "all")
        assert isinstance(sums, Sums)
        n, value = sums.n, sums.mean[0]
        variance = sums.second[0] / (n - 1) if n > 1 else 0.0
        if metric.kind == "ratio":
            below = sums.mean[1]
            value = value / below if below else 0.0
            form = (1.0, -value, 0.0)
            variance = sums.product(form, form) / (n - 1) / below**2 if n > 1 and below else 0.0
        if not value > 0 or not variance > 0:
            return Outlook(reason=f"{metric.name} was 0 of {n:,} customers before, so nothing can be foreseen")
        shares = tuple(arm.weight for arm in experiment.arms)
        design = Design(
            "proportion" if metric.kind == "proportion" else metric.kind, value,
            None if metric.kind == "proportion" else variance, shares, experiment.alpha, experiment.inference,
        )  # fmt: skip
        many = needed(design, hypothesis.expected, experiment.power) if hypothesis else None
        finds = smallest(design, experiment.planned, experiment.power) if experiment.planned else None
        return Outlook(
            value,
            None if isinstance(many, NotEnoughData) else many,
            None if isinstance(finds, NotEnoughData) else finds,
            many.reason if isinstance(many, NotEnoughData) else "",
        )

    def names(self) -> list[str]:
        """Return the names of the experiments that the live catalog has."""
        return [one.name for one in self._hub.plan.catalog.experiments]

    def underway(self, name: str = "") -> list[Underway]:
        """Return how experiments stand that were ever started, or the one of a name. Raises `NotFound`."""
        there = {e.name: e for e in self._hub.plan.catalog.experiments}
        trials = [self._trial(name)] if name else list(self._hub.trials.all())
        return [self._underway(trial, there.get(trial.experiment)) for trial in trials]

    def hypotheses(self) -> list[Entry]:
        """Return every hypothesis with its evidence, parents before children."""
        return register.entries(self._hub.plan.catalog.hypotheses, self.told(), self._good())

    def following(self, instead_of: str = "") -> Successor | NotEnoughData:
        """Return the hypothesis whose test is expected to bring most now."""
        return register.following(self._hub.plan.catalog.hypotheses, self.told(), self._good(), instead_of)

    def proposed(self, hypothesis: str) -> str:
        """Return the YAML of the next experiment of a hypothesis. Raises `NotFound`."""
        catalog = self._hub.plan.catalog
        known = {h.name: h for h in catalog.hypotheses}
        known |= {run.hypothesis: run.belief.hypothesis() for run, _ in self.told() if run.belief} | known
        if hypothesis not in known:
            raise NotFound(f"there is no hypothesis {hypothesis!r}; {nearest(hypothesis, known)}")
        mine = [e for e in catalog.experiments if e.hypothesis == hypothesis]
        taken = {e.name for e in catalog.experiments} | {run.experiment for run, _ in self.told()}
        planned = self.outlook(mine[-1].name).needed if mine else None
        return proposal(known[hypothesis], mine[-1] if mine else None, taken, planned)

    def count(self, metrics: Sequence[Metric], exposures: Sequence[Exposure], since: int) -> Counted:
        """Return what customers did by some metrics from an instant on, were they exposed then. Writes nothing."""
        with self._hub.reading():
            after = self._hub.events.before(since, self._received) if any(m.event for m in metrics) else 0
        return count(self._hub, metrics, exposures, after)

    def told(self) -> Sequence[Told]:
        """Return every run with the last look at it, in order of time."""
        return [(run, self.book.look(run)) for run in self.book.runs()]

    def experiment(self, name: str) -> Experiment:
        """Return an experiment of the live catalog. Raises `NotFound`."""
        if not self._hub.published:
            raise BadRequest("no catalog is live: publish one first")
        known = {e.name: e for e in self._hub.plan.catalog.experiments}
        if name not in known:
            raise NotFound(f"the live catalog has no experiment {name!r}; {nearest(name, known)}")
        return known[name]

    def hypothesis(self, experiment: Experiment) -> Hypothesis | None:
        """Return the hypothesis that an experiment tests; None if it names none."""
        known = self._hub.plan.catalog.hypotheses
        return next((h for h in known if h.name == experiment.hypothesis), None)

    def metrics(self, experiment: Experiment) -> dict[str, Metric]:
        """Return the metric and the guardrails of an experiment by name."""
        known = {m.name: m for m in self._hub.plan.catalog.metrics}
        return {name: known[name] for name in measured_by(experiment)}

    # --- parts

    def _as_it_was(self, metric: Metric, until: int) -> Counted:
        """Return what a metric was among customers over a span until an instant; until now if it has no span."""
        hub, span = self._hub, metric.within or BEFORE
        with hub.reading():
            since = (until if metric.within else hub.clock.now()) - span
            subjects = [view.subject for view in islice(hub.people.everyone(), ASKED)]
        return self.count([metric], [Exposure(subject, "all", since) for subject in subjects], since)

    def _received(self, node: str, payload: bytes) -> int | None:
        try:
            return codec.decode_event(self._hub.vault.open(node, payload)).received_at if payload else None
        except Forgotten:
            return None

    def _laid_down(self, experiment: Experiment, trial: Trial, by: str) -> Run:
        hub, hypothesis, metrics = self._hub, self.hypothesis(experiment), self.metrics(experiment)
        return Run(
            experiment=experiment.name,
            started=trial.started,
            plan=plan_hash(experiment, metrics, hypothesis),
            arms=tuple(arm.name for arm in experiment.arms),
            metric=experiment.metric,
            good=metrics[experiment.metric].good,
            by=by,
            events=hub.events.last(),
            facts=hub.ledger.last(),
            hypothesis=experiment.hypothesis,
            belief=Belief.of(hypothesis) if hypothesis else None,
            owner=self._owner(experiment),
            catalog=hub.published,
            definition=trial.definition,
            harmed=trial.stopped,
        )

    def _without_harm(self, trial: Trial, experiment: Experiment) -> Trial:
        """Return a trial that begins without the arms that did harm in an earlier run of the same definition."""
        earlier = (run for run in self.book.runs() if run.experiment == trial.experiment)
        harmed = {arm for run in earlier if run.definition == trial.definition for arm in run.harmed}
        if harmed and harmed >= {arm.name for arm in experiment.arms[1:]}:
            raise BadRequest(f"every arm of experiment {trial.experiment!r} was stopped for harm: change them first")
        return replace(trial, stopped=tuple(sorted(harmed)))

    def _before(self, run: Run, plan: str, stopped: Sequence[str]) -> Look | None:
        """Return the last look at a run by the same plan; arms that were stopped are in it as they were seen last."""
        last = self.book.look(run)
        if last is None or last.plan == plan:
            return last
        same = self.book.look(run, plan)
        kept = [f for f in last.findings if f.arm in stopped]
        kept += [f for f in same.findings if f.arm not in stopped] if same else []
        return replace(last, findings=tuple(kept), plan=plan)

    def _change(self, trial: Trial, what: str, by: str, reason: str, **run: object) -> Run | None:
        """Let an experiment be run otherwise, as a fact of the ledger and in the book."""
        known = self.book.run(trial.experiment)
        with self._hub.group():
            self._hub.run_trial(trial, what, by, reason)
            if known is not None and run:
                over = trial.status in ("stopped", "decided")
                ended = known.ended if known.ended is not None or not over else self._hub.clock.now()
                known = replace(known, ended=ended, reason=reason or known.reason, **run)
                self.book.put(known)
        return known

    def _stop_arms(self, trial: Trial, arms: tuple[str, ...], by: str, why: str, harm: bool = False) -> Trial:
        run = self.book.run(trial.experiment)
        stopped = tuple(sorted({*trial.stopped, *arms}))
        rest = [arm for arm in (run.arms[1:] if run else ()) if arm not in stopped]
        trial = replace(trial, stopped=stopped, status=trial.status if rest else "stopped")
        told: dict[str, object] = {} if rest else {"outcome": "stopped"}
        if run is not None:
            told["stops"] = run.stops | dict.fromkeys(arms, self._hub.clock.now())
            told["harmed"] = tuple(sorted({*run.harmed, *(arms if harm else ())}))
        self._change(trial, "stopped " + ", ".join(sorted(arms)), by, why, **told)
        return trial

    def _share(self, experiment: Experiment, trial: Trial, share: float | None) -> Trial:
        if share is None:
            return trial
        if not 0 < share <= experiment.share:
            most = f"{experiment.name!r} may have more than 0 and at most {experiment.share:g}"
            raise BadRequest(f"share is {share}; {most}", "share")
        return replace(trial, share=share)

    def _trial(self, name: str) -> Trial:
        trial = self._hub.trials.get(name)
        if trial is None:
            self.experiment(name)
            raise NotFound(f"experiment {name!r} was never started: `opportune lab start {name}`")
        return trial

    def _live(self, name: str) -> Trial:
        trial = self._trial(name)
        if not trial.live:
            raise BadRequest(f"experiment {name!r} is {trial.status}")
        return trial

    def _owner(self, experiment: Experiment) -> str:
        hypothesis = self.hypothesis(experiment)
        return experiment.owner or (hypothesis.owner if hypothesis else "")

    def _good(self) -> dict[str, Change]:
        return {m.name: m.good for m in self._hub.plan.catalog.metrics}

    def _standing(self, hypothesis: Hypothesis) -> Standing:
        runs = self.told()
        estimates = register.estimates_of(register.flows_of(hypothesis.name, runs))
        return standing(hypothesis, estimates, register.direction(hypothesis, runs, self._good()))

    def _underway(self, trial: Trial, experiment: Experiment | None) -> Underway:
        run = self.book.run(trial.experiment)
        missing = dict[str, tuple[Lack, ...]]()
        if experiment is not None and run is not None and not run.over:
            # whoever reads this is not the one who approves
            answers = {arm.name: self.would(experiment.name, arm.name, "\0") for arm in experiment.arms[1:]}
            missing = {arm: a.missing if isinstance(a, Refused) else () for arm, a in answers.items()}
        outdated = bool(trial.winner) and (experiment is None or definition(experiment) != trial.definition)
        return Underway(experiment, trial, run, self.book.look(run) if run else None, missing, outdated)

    def _warnings(self, experiment: Experiment, stands: Standing | None) -> list[str]:
        """Return what the gate would refuse whatever the test shows, and what was settled before."""
        found = []
        if not experiment.guardrails:
            found.append("it has no guardrail, so nothing that it finds can be rolled out")
        if experiment.expires is None:
            found.append("it has no `expires`, so nothing that it finds can be rolled out")
        if not self._owner(experiment):
            found.append("nobody owns it, so nothing that it finds can be rolled out")
        if experiment.planned is None:
            found.append("nothing is `planned`: a test with a plan finds the same with fewer customers")
        if stands is not None and stands.status in ("supported", "refuted", "none"):
            found.append(f"its hypothesis is settled: {stands.sentence}")
        return found


def _who(by: str) -> str:
    return named(by, "by")
