"""The commands `lab ...` that run experiments: new, outlook, start, share, pause, stop, status, look, decide, history,
next, holdouts, holdout-cost, arms, promote."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opportune.cli.options import Dir, Json, StoreUrl, chosen, connect, note, say
from opportune.errors import BadInput

if TYPE_CHECKING:
    from opportune.wire.trying import ExperimentInfo, Freedom, HypothesisInfo, LabLack

Name = Annotated[str, typer.Argument(help="An experiment of the catalog.")]
By = Annotated[str, typer.Option(help="Who does it.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]


def new(
    name: Annotated[str, typer.Argument(help="What the hypothesis and its experiment are called.")],
    owner: Annotated[str, typer.Option(help="Who owns it; somebody else approves what it finds.")] = "",
    dir: Dir = None,
    json: Json = False,
) -> None:
    """Write a metric, a hypothesis and an experiment to fill in, as YAML into the project folder.

    Example: opportune lab new early_reminder --owner ana
    """
    from opportune.catalog.fields import NAME
    from opportune.lab.proposal import template

    if not NAME.fullmatch(name):
        raise BadInput(f"{name!r} is no name: use letters, digits and _ . -, starting with a letter")
    folder = chosen(dir).dir
    if not folder.is_dir():
        raise BadInput(f"there is no folder {str(folder)!r}; `opportune init {folder}` makes one")
    # a folder whose catalog lies in `catalog/` has its experiments there
    path = (folder / "catalog" if (folder / "catalog").is_dir() else folder) / f"lab_{name}.yaml"
    if path.exists():
        raise BadInput(f"{path} is there already; edit it, or take another name")
    path.write_text(template(name, owner), "utf-8")
    say(json, {"file": str(path)}, f"Wrote {path}. Fill it in, then: opportune check, opportune publish.")


def outlook(name: Name, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Tell how many customers an experiment takes, by what its metric was before.

    Example: opportune lab outlook early_reminder
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.experiment_outlook(name)
    say(json, found, _takes(found.value, found.needed, found.finds, found.reason))


def start(
    name: Name,
    by: By,
    share: Annotated[float | None, typer.Option(help="Of the customers, at first; default: all it may have.")] = None,
    reason: Reason = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Start an experiment, or let a paused one go on. Tells what was tried before that is like it.

    Example: opportune lab start early_reminder --share .1 --by ana
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.start_experiment(name, by, reason, share)
    lines = [f"{name} is {found.experiment.status}, for {found.experiment.share:.0%} of the customers."]
    lines += [f"Before: {past.sentence}" for past in found.past]
    lines += [f"Hypothesis: {found.standing}"] if found.standing else []
    out = found.outlook
    lines += [_takes(out.value, out.needed, out.finds, out.reason), *(f"! {told}" for told in found.warnings)]
    say(json, found, "\n".join(lines))


def share(
    name: Name,
    share: Annotated[float, typer.Argument(help="Of the customers, from now on.")],
    by: By,
    reason: Reason = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Let more customers into an experiment, or no more than before; nobody changes arms.

    Example: opportune lab share early_reminder .5 --by ana
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.share_experiment(name, share, by, reason)
    say(json, found, _told(found))


def pause(
    name: Name, by: By, reason: Reason = "", dir: Dir = None, store: StoreUrl = None, json: Json = False
) -> None:
    """Let nobody be in an experiment until it is started again.

    Example: opportune lab pause early_reminder --by ana --reason "the shop is down"
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.pause_experiment(name, by, reason)
    say(json, found, _told(found))


def stop(
    name: Name,
    by: By,
    arm: Annotated[str, typer.Option(help="Only this arm.")] = "",
    reason: Reason = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """End an experiment, an arm of it, or what was rolled out: customers get what control gets.

    Example: opportune lab stop early_reminder --by ana --reason "too noisy"
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.stop_experiment(name, by, reason, arm)
    say(json, found, _told(found))


def look(name: Name, by: By, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Look at an experiment now, and keep what is seen. A server looks by itself every hour.

    Example: opportune lab look early_reminder --by ana
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.look_at_experiment(name, by)
    say(json, found, _told(found))


def status(
    name: Annotated[str, typer.Argument(help="An experiment (default: all that were started).")] = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show how experiments stand and what the gate misses; without a name, also what learns freely.

    Example: opportune lab status early_reminder
    """
    with connect(dir, store, quiet=json) as hub:
        if name:
            one = hub.experiment(name)
            say(json, one, _told(one))
            return
        found = hub.lab_status()
    lines = [_told(one) for one in found.experiments] or ["No experiment was started yet: opportune lab new NAME"]
    say(json, found, "\n\n".join([*lines, _freely(found.freedoms)]))


def decide(
    name: Name,
    by: By,
    arm: Annotated[str, typer.Option(help="The arm to roll out (default: none, everybody gets control).")] = "",
    reason: Reason = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Roll an arm out, if the gate lets it pass; or keep control. Exit code 1 where the gate refuses.

    Example: opportune lab decide early_reminder --arm early --by bo --reason "ten more orders a day"
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.decide_experiment(name, by, arm, reason)
    if not arm:
        say(json, found, f"{name}: everybody gets what control gets.")
    elif found.rolled_out:
        ends = f"until {_day(found.expires)}; test it again from {_day(found.retest)} on"
        say(json, found, f"{name}: {arm} is rolled out {ends}.\n{found.evidence}")
    else:
        say(json, found, "\n".join([f"{name}: {arm} is not rolled out. What is missing:", *_missing(found.missing)]))
        raise typer.Exit(1)


def history(
    hypothesis: Annotated[str, typer.Argument(help="A hypothesis (default: all, as a tree).")] = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show what is believed, with all evidence for and against it, where it stands, and what came of it.

    Example: opportune lab history early_reminder
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.hypotheses()
    if hypothesis and hypothesis not in {one.name for one in found}:
        raise BadInput(f"there is no hypothesis {hypothesis!r}; see `opportune lab history`")
    found = [one for one in found if not hypothesis or one.name == hypothesis]
    told = "\n".join(_believed(one, bool(hypothesis)) for one in found)
    say(json, {"hypotheses": found}, told or "Nothing is believed yet: opportune lab new NAME")


def next_(
    hypothesis: Annotated[str, typer.Argument(help="The hypothesis whose place is taken.")],
    out: Annotated[Path | None, typer.Option(help="Write the experiment to this file of the project.")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Print the next experiment as YAML: of the hypothesis whose test is expected to bring most, in place of one.

    Example: opportune lab next early_reminder --out lab_next.yaml
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.next_test(hypothesis)
    note(found.reason)
    if out and found.yaml:
        if out.exists():
            raise BadInput(f"{out} is there already; take another name")
        out.write_text(found.yaml, "utf-8")
        note(f"Wrote {out}.")
    say(json, found, "" if out else found.yaml)


def holdouts(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show who is held out, what leaked, what holding them out tells, and whether wins add up to the whole.

    Example: opportune lab holdouts
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.holdouts()
    lines = []
    for one in found.holdouts:
        rotates = f", rotates {_day(one.rotates)}" if one.rotates else ""
        left = f" ({one.washout:,} have just left it)" if one.washout else ""
        lines.append(f"{one.name} on {', '.join(one.on)}: {one.members:,} customers, {one.share:.1%}{left}{rotates}")
        lines += [f"  blocked in {channel or 'a channel'}: {many:,}" for channel, many in sorted(one.blocked.items())]
        lines += [f"  ! reached in {channel or 'a channel'}: {n:,}" for channel, n in sorted(one.reached.items())]
        lines += [f"  {e.metric} since {_day(e.since)}: {e.sentence}" for e in one.effects]
    lines += [f"{wins.metric}: {wins.sentence}" for wins in found.wins]
    say(json, found, "\n".join(lines) or "Nobody is held out: add `holdouts:` to the catalog.")


def holdout_cost(
    customers: Annotated[float, typer.Option(help="Customers that there are.")],
    variance: Annotated[float, typer.Option(help="Of what one customer brings in a period.")],
    effect: Annotated[float, typer.Option(help="What all that we do adds per customer and period, in money.")],
    periods: Annotated[int, typer.Option(help="Periods until it is looked at.")] = 1,
    correlation: Annotated[float, typer.Option(help="Of what a customer brings in two periods.")] = 0.5,
    share: Annotated[float | None, typer.Option(help="Only this share.")] = None,
    dir: Dir = None,
    json: Json = False,
) -> None:
    """Tell what holding customers out costs against what it tells, for shares to choose from.

    Example: opportune lab holdout-cost --customers 200000 --variance 900 --effect .5 --periods 12
    """
    from opportune.measure.holdout_cost import SHARES, Program, holdout_costs

    del dir  # everything that it takes is said
    program = Program(customers, variance, effect, periods, correlation)
    rows = holdout_costs(program, SHARES if share is None else (share,))
    lines = [f"{'share':>7} {'held out':>10} {'costs':>14} {'finds from':>12} {'power':>7}"]
    form = "{0.share:7.1%} {0.customers:10,.0f} {0.forgone:14,.0f} {0.smallest:12,.4g} {0.power:7.0%}"
    lines += [form.format(row) for row in rows]
    lines.append("finds from: the smallest effect per customer and period that is found with a chance of 80 %.")
    say(json, {"shares": rows}, "\n".join(lines))


def arms(
    days: Annotated[int, typer.Option(min=1, max=3650, help="How many days back.")] = 28,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show what each part of the brain adds, by the standing arms that go without it.

    Example: opportune lab arms --days 90
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.standing_arms(days)
    lines = [f"{p.part} ({p.arm}: {p.customers:,} customers, {p.decisions:,} decisions)\n  {p.sentence}" for p in found]
    say(json, {"arms": found}, "\n".join(lines) or "No customer of a standing arm was decided for.")


def promote(
    spec: Annotated[Path, typer.Argument(help="A replay spec in YAML: a log of decisions.")],
    by: By,
    owner: Annotated[str, typer.Option(help="Whose model it is; somebody else approves.")],
    dir: Dir = None,
    json: Json = False,
) -> None:
    """Ask the gate whether the hub's model may take over from what decided in a log. Exit code 1 where it may not.

    Example: opportune lab promote examples/hillstrom_womens.yaml --owner ana --by bo
    """
    import msgspec

    from opportune.lab.gate import Passed, promote_or_refuse
    from opportune.measure.ope import Estimate
    from opportune.simulate.replay import load_spec
    from opportune.simulate.replay import replay as run

    del dir  # a replay has a catalog and a memory of its own
    policies = run(load_spec(spec))["policies"]
    if "hub" not in policies or policies["logged"]["reason"]:
        raise BadInput(f"{spec}: what decided so far cannot be valued: name the `probability` of what was logged")
    live = policies["logged"]["value"]["snips"]
    answer = promote_or_refuse(msgspec.convert(policies["hub"], Estimate), live, by, owner)
    if isinstance(answer, Passed):
        say(json, {"passed": True, "evidence": answer.evidence, "missing": []}, f"It may take over: {answer.evidence}.")
        return
    told = "\n".join(["It may not take over. What is missing:", *(f"  - {lack}" for lack in answer.missing)])
    say(json, {"passed": False, "evidence": "", "missing": answer.missing}, told)
    raise typer.Exit(1)


def _takes(value: float | None, needed: int | None, finds: float | None, reason: str) -> str:
    """Return what a test takes, for people."""
    told = [f"control's metric was {value:.4g} before"] if value is not None else []
    told += [f"it takes {needed:,} customers to find what is expected"] if needed is not None else []
    told += [f"those planned find {finds:+.1%}"] if finds is not None else []
    text = "; ".join([*told, *([reason] if reason else [])]) or "no hypothesis says what is expected"
    return f"{text[:1].upper()}{text[1:]}."


def _told(one: ExperimentInfo) -> str:
    """Return how an experiment stands, for people."""
    who = f" by {one.decided_by}" if one.decided_by else ""
    ends = f" until {_day(one.expires)}" if one.expires else ""
    winner = f" {one.winner}{ends}{who}" if one.winner else ""
    why = f" ({one.reason})" if one.reason else ""
    lines = [f"{one.name}: {one.status}{winner}{why}, started {_day(one.started)}, {one.share:.0%} of the customers"]
    lines += [f"  ! {alert}" for alert in one.alerts]
    if one.stopped:
        lines.append(f"  stopped: {', '.join(one.stopped)}")
    if one.look:
        arms = ", ".join(f"{many:,} in {arm}" for arm, many in one.look.arms.items())
        crossed = f", {one.look.crossed:,} met two arms" if one.look.crossed else ""
        lines.append(f"  {_day(one.look.at)}: {arms}{crossed}; sample ratio p {one.look.sample_ratio.p:.2g}")
        lines += [f"  {found.sentence}{' (guardrail)' if found.guardrail else ''}" for found in one.look.metrics]
    if not one.look or not any(one.look.arms.values()):
        seen = "nobody had met it when it was last looked at" if one.look else "nobody has looked at it yet"
        lines.append(f"  {seen}; look now: opportune lab look {one.name} --by NAME")
    elif any("[" in found.sentence for found in one.look.metrics):
        lines.append(f"  {READ}")
    for arm, missing in one.missing.items():
        lines += [f"  the gate misses for {arm}:", *(f"  {line}" for line in _missing(missing))] if missing else [
            f"  the gate is open for {arm}: opportune lab decide {one.name} --arm {arm} --by NAME"
        ]
    return "\n".join(lines)


READ = "(intervals are of how the test is read; those of `lab history` are of flows that are over, as if read once)"


def _missing(lacks: list[LabLack]) -> list[str]:
    return [
        f"  - {lack.what}; {lack.cure}" + (f" ({lack.more:,} more customers)" if lack.more else "") for lack in lacks
    ]


def _believed(one: HypothesisInfo, whole: bool) -> str:
    """Return a hypothesis, for people: in the tree, or the `whole` of it."""
    indent = "" if whole else "  " * one.depth
    lines = [f"{indent}{one.name}: {one.claim}", f"{indent}  {one.sentence}"]
    if whole:
        lines.insert(1, f"  because: {one.because}")
        lines += [f"  learned: {told}" for told in one.learned[1:]]
        lines += [f"  from {one.parent}"] if one.parent else []
        lines += [f"  led to {', '.join(one.children)}"] if one.children else []
    for flow in one.flows if whole else ():
        why = f" ({flow.reason})" if flow.reason else ""
        lines.append(f"  {_day(flow.started)} {flow.experiment}: {flow.outcome}{why}: {flow.sentence}")
    return "\n".join(lines)


def _freely(rows: list[Freedom]) -> str:
    lines = ["What learns freely, and what waits for a person:"]
    return "\n".join([*lines, *(f"  {row.what:42} {row.learns:44} {row.bound}" for row in rows)])


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else ""


COMMANDS = (
    new, outlook, start, share, pause, stop, look, status, decide, history, next_, holdouts, holdout_cost, arms,
    promote,
)  # fmt: skip
