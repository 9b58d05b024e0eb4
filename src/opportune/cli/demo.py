"""The command that shows what a hub does: a simulated company, live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opportune.cli.options import Json, progress, say

if TYPE_CHECKING:
    from opportune.hub import Hub
    from opportune.measure.summary import Rate
    from opportune.simulate.run import Life, Movable
    from opportune.simulate.tally import Mean, Summary, Week

STORY = Path("stories") / "lunch_break.jsonl"
HERO = "app.home.hero"


def demo(
    customers: Annotated[int, typer.Option(min=1, help="How many customers the company has.")] = 500,
    days: Annotated[int, typer.Option(min=1, help="How many days to live, up to today.")] = 28,
    seed: Annotated[int, typer.Option(min=0, help="Another number, another company.")] = 1,
    dir: Annotated[Path | None, typer.Option("--dir", help="The folder to make (default: a temporary one).")] = None,
    json: Json = False,
) -> None:
    """Run a simulated telecom company through a hub of its own; needs no configuration.

    Example: opportune demo --customers 200 --days 14
    """
    from tempfile import mkdtemp

    import msgspec

    from opportune.catalog.project import write_project
    from opportune.clock import DAY, SystemClock
    from opportune.hub import Hub
    from opportune.simulate.company import Company
    from opportune.simulate.run import Life
    from opportune.testing import FakeClock

    folder = dir or Path(mkdtemp(prefix="opportune-demo-"))
    write_project(folder)
    end = SystemClock().now() // DAY * DAY - DAY
    clock = FakeClock(end - days * DAY, salt=seed)
    with Hub.open(folder, clock=clock) as hub:
        company = Company(seed, hub.plan.actions, customers, start=clock.now())
        life = Life(hub, company, clock, seed)
        _live(life, end, quiet=json)
        summary = life.tally.summary(hub)
        found: dict[str, Any] = {
            "dir": str(folder),
            "customers": customers,
            "days": days,
            **msgspec.to_builtins(summary),
            "learned": _learned(hub),
            "story": list(_story(hub, clock, folder / STORY)),
        }
        found["explained"] = _telling(found["story"])
        found["explanation"] = str(hub.explain(found["explained"]))
    say(json, found, _readable(found, summary))


def _live(life: Life, end: int, quiet: bool) -> None:
    """Live up to an instant, with a progress bar on stderr."""
    from opportune.clock import DAY

    start = life.clock.now()
    with progress("Living", quiet) as tell:
        tell(0, "compiling what is hot")
        for day in life.until(end):
            tell((day - start) / (end - start), f"day {(day - start) // DAY}, {life.tally.decisions} decisions")


def _learned(hub: Hub, most: int = 5) -> list[dict[str, Any]]:
    """Return the predictors over whose bins the rate of a yes differs most, with their worst and best common bin."""
    found = []
    for drawn in hub.brain.model.describe()["inputs"]:
        total = sum(b["answers"] for b in drawn["bins"])
        bins = [b for b in drawn["bins"] if b["answers"] >= max(20, total / 50)]
        if len(bins) < 2:
            continue
        usual = sum(b["answers"] * b["propensity"] for b in bins) / sum(b["answers"] for b in bins)
        spread = sum(b["answers"] * (b["propensity"] - usual) ** 2 for b in bins) / sum(b["answers"] for b in bins)
        low, high = min(bins, key=_propensity), max(bins, key=_propensity)
        found.append({"predictor": drawn["input"], "spread": spread**0.5, "lowest": low, "highest": high})
    return sorted(found, key=lambda one: -one["spread"])[:most]


def _propensity(drawn: Mapping[str, Any]) -> float:
    return float(drawn["propensity"])


def _story(hub: Hub, clock: Movable, path: Path) -> Iterator[dict[str, Any]]:
    """Play a story and yield each event of today, three minutes apart, with the answer that follows it."""
    import json

    from opportune.clock import DAY, HOUR, MINUTE, format_instant

    noon = clock.now() - clock.now() % DAY + 11 * HOUR + 30 * MINUTE
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if "timestamp" not in event:
            clock.at = max(clock.at + 3 * MINUTE, noon)
        hub.ingest(event)
        if "timestamp" not in event:
            told = hub.decide(event["userId"], HERO)
            won = told.actions[0] if told.actions else None
            yield {
                "at": format_instant(clock.at),
                "event": event.get("event") or f"{event['type']} {event['name']}",
                "decision": told.decision_id,
                "action": won and f"{won.issue}/{won.group}/{won.action}",
                "title": won and won.content.get("title"),
                "situations": hub.profile(event["userId"])["situations"],
                "silence": told.silence,
            }


def _telling(story: list[dict[str, Any]]) -> str:
    """Return the decision of the story that says most: one made in a situation, else the last."""
    return str(next((s["decision"] for s in story if s["situations"]), story[-1]["decision"]))


def _readable(found: Mapping[str, Any], summary: Summary) -> str:
    """Return the summary for people."""
    hub, random = summary.arms["hub"], summary.arms["random"]
    quiet = sum(summary.silences.values())
    why = ", ".join(f"{reason} {count}" for reason, count in summary.silences.items())
    lines = [
        f"{found['customers']} customers lived {found['days']} days: {summary.events} events, {summary.decisions} "
        f"decisions, {summary.contacts} actions seen or delivered, {summary.answers} answers.",
        "",
        "What it was worth            hub                                random arm (the standing 2 %)",
        f"  said yes                   {_percent(hub.accepted):34} {_percent(random.accepted)}",
        f"  value per customer         {_mean(hub.value_per_customer):34} {_mean(random.value_per_customer)}",
        *(f"  regret, {when} week        {_regret(week)}" for when, week in zip(("first", "last "), _ends(summary))),
        "",
        "How it behaved",
        f"  silent on purpose          {quiet} times: {why}",
        f"  push share                 {_percent(summary.push_share)} of choices were won by value or lever, not by "
        "what the customer likes most",
        f"  people with open problems  {summary.problem_contacts} contacts, {summary.problem_sales} of them sales",
        "",
        f"What it learned (log loss {summary.log_loss or 0:.4f}, AUC {summary.auc or 0:.3f}, each answer predicted "
        "before it was learned)",
    ]
    lines += [
        f"  {one['predictor']:26} {one['lowest']['propensity']:6.1%} say yes at {one['lowest']['bin']}, "
        f"{one['highest']['propensity']:.1%} at {one['highest']['bin']}"
        for one in found["learned"]
    ]
    lines += ["", f"Maya's lunch break: each event, and the answer at {HERO} right after it"]
    for step in found["story"]:
        state = f"   [{', '.join(step['situations'])}]" if step["situations"] else ""
        lines.append(f"  {step['at'][11:16]}  {step['event']:16} -> {step['action'] or 'silence'}{state}")
    told = [f"  {line.strip()}" for line in found["explanation"].splitlines()]
    lines += ["", "The answer in a situation, explained", *told, "", "What to try next", *_next(found)]
    return "\n".join(lines)


def _next(found: Mapping[str, Any]) -> list[str]:
    where = f"--dir {found['dir']}"
    return [
        f"  opportune decide maya --placement {HERO} --explain {where}",
        f"  opportune explain {found['explained']} --action more_data {where}",
        f"  opportune profile customer-00001 {where}",
        f"  edit {found['dir']}/actions_retain.yaml, then: opportune check {found['dir']} && opportune diff {where}",
    ]


def _ends(summary: Summary) -> tuple[Week, ...]:
    return (summary.weeks[0], summary.weeks[-1]) if summary.weeks else ()


def _regret(week: Week) -> str:
    return f"{week.regret:.3f} per choice (choosing blindly {week.uniform_regret:.3f})"


def _percent(rate: Rate) -> str:
    if rate.rate is None:
        return "none yet"
    return f"{rate.rate:.1%} ({rate.low:.1%} to {rate.high:.1%} of {rate.n})"


def _mean(mean: Mean) -> str:
    if mean.value is None:
        return "nobody yet"
    if mean.low is None:
        return f"{mean.value:.2f} ({mean.n} customer)"
    return f"{mean.value:.2f} ({mean.low:.2f} to {mean.high:.2f}, {mean.n} customers)"


COMMANDS = (demo,)
