"""Commands about outbound runs: outbound run, list, status, pause, resume, stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, note, progress, say
from opportune.client import Client
from opportune.errors import BadInput
from opportune.wire.sending import DryRun, RunInfo

outbound = typer.Typer(no_args_is_help=True, help="Decide for a whole audience: now, on a schedule, or only to see.")

Name = Annotated[str, typer.Argument(help="An outbound run of the catalog.")]

WAIT = 1.0
"""Seconds between two looks at how far a run is."""


@outbound.command("run")
def run(
    name: Name,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count and explain only; nothing is left behind.")] = False,
    engine: Annotated[str, typer.Option(help="hub, or duckdb: faster where most of many get nothing.")] = "hub",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Decide for everybody in an audience, and send it, or see with --dry-run what that would be.

    Example: opportune outbound run weekly --dry-run
    """
    with connect(dir, store) as hub:
        if dry_run:
            hub.run_outbound(name, dry_run=True, engine=engine)
            found = _rehearsed(hub, name, json)
            if found.problem:
                raise BadInput(f"the dry run ended early: {found.problem}")
            say(json, found, _dry(found))
            return
        _may(hub.outbound(name), yes or json)
        hub.run_outbound(name, engine=engine)
        told = _followed(hub, name, json)
    say(json, told, _told(told))


@outbound.command("list")
def list_(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """List the outbound runs of the catalog, when each begins, and how far it is.

    Example: opportune outbound list
    """
    with connect(dir, store) as hub:
        found = hub.outbound_runs()
    lines = [
        f"{r.name:20} {r.state:9} {r.placement:20} " + (f"next {r.next:%Y-%m-%d %H:%M} UTC" if r.next else "when asked")
        for r in found
    ]
    say(json, {"runs": found}, "\n".join(lines) or "There are no outbound runs; declare one under `outbound`.")


@outbound.command("status")
def status(name: Name, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show how far an outbound run is, and what it found.

    Example: opportune outbound status weekly
    """
    with connect(dir, store) as hub:
        found = hub.outbound(name)
    say(json, found, _told(found))


@outbound.command("pause")
def pause(name: Name, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Let an outbound run decide and send nothing until it is resumed.

    Example: opportune outbound pause weekly
    """
    _steer(dir, store, json, lambda hub: hub.pause_outbound(name))


@outbound.command("resume")
def resume(name: Name, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Let an outbound run go on where it was.

    Example: opportune outbound resume weekly
    """
    with connect(dir, store) as hub:
        hub.resume_outbound(name)
        told = _followed(hub, name, json)
    say(json, told, _told(told))


@outbound.command("stop")
def stop(name: Name, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """End an outbound run for good, and take back what did not leave yet.

    Example: opportune outbound stop weekly
    """
    with connect(dir, store) as hub:
        hub.stop_outbound(name)
        told = _followed(hub, name, json)
    say(json, told, _told(told))


def _steer(dir: str | None, store: str | None, json: bool, how: Callable[[Client], RunInfo]) -> None:
    with connect(dir, store) as hub:
        told = how(hub)
    say(json, told, _told(told))


def _may(info: RunInfo, yes: bool) -> None:
    """Ask before messages leave."""
    whom = f"everybody where {info.audience}" if info.audience else "everybody"
    if not yes and not typer.confirm(f"Decide for {whom} in {info.placement} and send it?"):
        raise BadInput("nothing was done; `--dry-run` shows what would be")


def _rehearsed(hub: Client, name: str, json: bool) -> DryRun:
    with progress(f"dry run of {name}", json) as tell:
        while True:
            dry = hub.outbound(name, WAIT).dry
            if dry is None:
                raise BadInput("the hub was started anew meanwhile; begin again")
            tell(dry.done, f"{dry.made:,} of {dry.audience:,} get something")
            if dry.done >= 1:
                return dry


def _followed(hub: Client, name: str, json: bool) -> RunInfo:
    """Follow a run until there is nothing to do now: it is over or paused, or waits for customers' time."""
    with progress(name, json) as tell:
        while True:
            info = hub.outbound(name, WAIT)
            tell(info.passed / max(info.total, 1), f"{info.made:,} made, {info.waiting:,} wait to leave")
            if not info.busy:
                break
    if info.next_later is not None:
        note(
            f"Customers whose time comes later are decided about then, the next at {info.next_later:%Y-%m-%d %H:%M} "
            "UTC, by the hub that runs then (`opportune serve`)."
        )
    return info


def _told(r: RunInfo) -> str:
    if r.state == "idle":
        return f"{r.name} has not run yet." + (f" It begins at {r.next:%Y-%m-%d %H:%M} UTC." if r.next else "")
    lines = [f"{r.id}: {r.state}" + (f" ({r.told})" if r.told else "")]
    lines.append(f"{r.passed:,} of {r.total:,} identities looked at; {r.outside:,} customers not in the audience")
    silent = _counted(r.decided - r.made, r.silent, True)
    lines.append(f"{r.decided:,} decided: {_counted(r.made, r.actions)}; {silent}")
    if r.failed:
        lines.append(f"{r.failed:,} could not be decided")
    if r.next_later:
        lines.append(f"Others wait for their time, the next until {r.next_later:%Y-%m-%d %H:%M} UTC")
    if r.messages:
        lines.append("Messages of all runs: " + ", ".join(f"{n:,} {what}" for what, n in r.messages.items() if n))
    return "\n".join(lines)


def _dry(d: DryRun) -> str:
    lines = [f"{d.audience:,} in the audience, {d.outside:,} not: {_counted(d.made, d.actions)}"]
    lines.append(_counted(d.audience - d.made, d.silent, True))
    if d.ended:
        told = ", ".join(f"{n:,} at {stage}" for stage, n in sorted(d.ended.items(), key=lambda x: -x[1]))
        lines.append(f"of these the last action fell for {told}")
    for one in d.sample:
        lines += ["", f"{one.customer_id}: {one.action or 'silence'}", str(one.why)]
    return "\n".join(lines)


def _counted(number: int, by: dict[str, int], silent: bool = False) -> str:
    told = ", ".join(f"{what} {n:,}" for what, n in sorted(by.items(), key=lambda pair: -pair[1]))
    return f"{number:,} {'get nothing' if silent else 'get something'}" + (f" ({told})" if told else "")
