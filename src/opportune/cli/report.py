"""The command `report`: what people are told by day and by week, and what became of it."""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from opportune.cli.options import Dir, Json, StoreUrl, chosen, connect, note, say

if TYPE_CHECKING:
    from opportune.reports.report import Report

FORMS = ("text", "html", "pdf", "json")


class _OrMake(TyperGroup):
    """The commands of `report`; anything else than one of them is the name of a report to make."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "-h")):
            args = ["make", *args]
        return super().parse_args(ctx, args)


report = typer.Typer(cls=_OrMake, rich_markup_mode=None,
                     help="Reports: `report NAME` makes one, the first if none is named.")  # fmt: skip


@report.command("make")
def make(
    name: Annotated[str, typer.Argument(help="The report; without one, the first.")] = "",
    as_of: Annotated[str, typer.Option(help="Where it ends: a day or an instant (default: today's beginning).")] = "",
    out: Annotated[Path | None, typer.Option(help="A folder for the files, instead of the text here.")] = None,
    format: Annotated[list[str] | None, typer.Option(help="html, pdf, text or json; may be repeated.")] = None,
    tables: Annotated[Path | None, typer.Option(help="Tables of `opportune tables`, instead of the hub's.")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Make a report: its text here, or its files in a folder. The same tables and instant give the same bytes.

    Example: opportune report make marketing --out reports --as-of 2026-03-02
    """
    forms = format or (["html", "pdf"] if out else ["json" if json else "text"])
    if wrong := [form for form in forms if form not in FORMS]:
        raise typer.BadParameter(f"{wrong[0]!r} is no format; give {', '.join(FORMS)}")
    found = _of_tables(name, as_of, forms, tables, dir) if tables else _of_hub(name, as_of, forms, dir, store, json)
    name, files = found
    if out is None:
        for form, data in files.items():
            if form == "pdf":
                raise typer.BadParameter("a PDF goes into a folder: name one with --out")
            if json and form != "json":
                raise typer.BadParameter("--json prints json alone: leave --format out, or add --out")
            say(json, json_.loads(data) if json else None, data.decode().rstrip("\n"))
        return
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for form, data in files.items():
        path = out / f"{name}.{'txt' if form == 'text' else form}"
        path.write_bytes(data)
        written.append(str(path))
    say(json, {"report": name, "files": written}, "\n".join(written))


def _of_hub(
    name: str, as_of: str, forms: list[str], dir: str | None, store: str | None, quiet: bool
) -> tuple[str, dict[str, bytes]]:
    with connect(dir, store, quiet=quiet) as hub:
        name = name or hub.reports()[0].name
        return name, {form: hub.report(name, _form(form), as_of) for form in forms}


def _form(form: str) -> Literal["json", "html", "pdf", "text"]:
    return "json" if form == "json" else "html" if form == "html" else "pdf" if form == "pdf" else "text"


def _of_tables(
    name: str, as_of: str, forms: list[str], folder: Path, dir: str | None
) -> tuple[str, dict[str, bytes]]:
    """Return a report of a folder of tables, with the targets and reports of the catalog of the project, if any."""
    from opportune.api.reports import written
    from opportune.catalog import load
    from opportune.catalog.fields import nearest
    from opportune.clock import SystemClock
    from opportune.errors import BadInput
    from opportune.figures.manifest import read_manifest
    from opportune.reports.asked import Setting, made
    from opportune.reports.plans import BUILT_IN, midnight, named, plans
    from opportune.services.instruments import moment
    from opportune.services.reporting import setting_of

    home = chosen(dir).dir
    catalog = load(home) if any(home.glob("*.y*ml")) else None
    setting, known = (setting_of(catalog), plans(catalog)) if catalog else (Setting(), BUILT_IN)
    plan = named(known, name or known[0].name)
    if plan is None:
        raise BadInput(f"there is no report {name!r}; {nearest(name, [one.name for one in known])}")
    now, manifest = SystemClock().now(), read_manifest(folder)
    if as_of:
        until = moment(as_of, now, setting.zone, "--as-of")
    else:
        until = midnight(manifest.at if manifest else now, setting.zone)
        note(f"As of the beginning of the day of the last fact; `--as-of` names another instant. Tables: {folder}")
    told: Report = made(plan, folder, setting, until)
    return plan.name, {form: written(told, form) for form in forms}


@report.command("list")
def list_(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """List the reports: when each is due next, and who gets it.

    Example: opportune report list
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.reports()
    lines = [
        f"{one.name:16} every {one.every} at {one.at}, next {one.due:%Y-%m-%d %H:%M} UTC, to "
        + (", ".join(one.to) or f"nobody: no {one.role or 'reader'} in `people:` has an `email`")
        for one in found
    ]
    say(json, {"reports": found}, "\n".join(lines))


@report.command("send")
def send(
    name: Annotated[str, typer.Argument(help="The report.")],
    to: Annotated[list[str] | None, typer.Option(help="An e-mail address, instead of its readers.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also to those who got it in this period.")] = False,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Send a report of the last period now, by the first e-mail channel of the catalog.

    Example: opportune report send marketing --to ana@example.com
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.send_report(name, to, again)
    say(json, {"sendings": found}, "\n".join(_line(one) for one in found))
    if any(one.state not in ("sent", "sending") for one in found):
        raise typer.Exit(1)


@report.command("status")
def status(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show what became of reports: which left, which wait to be tried again, and why.

    Example: opportune report status
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.report_sendings()
    say(json, {"sendings": found}, "\n".join(_line(one) for one in found) or "No report was sent yet.")


@report.command("alerts")
def alerts(
    look: Annotated[bool, typer.Option("--look", help="Look at every figure now.")] = False,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show what was told of figures: which left their range or moved for sure, with the likely cause.

    Example: opportune report alerts --look
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.figure_alerts(look)
    lines = [
        f"{one.at:%Y-%m-%d %H:%M} UTC  {one.about}: {one.sentence}" + (f" ({one.owner})" if one.owner else "")
        for one in found
    ]
    say(json, {"alerts": found}, "\n".join(lines) or "Nothing was told yet.")


@report.command("targets")
def targets(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show every change of a target, with who answers for it and why it was made.

    Example: opportune report targets
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.targets()
    lines = [
        f"{one.at:%Y-%m-%d}  {one.about}: "
        + (f"{one.range} ({one.owner}: {one.reason})" if one.range else "taken away")
        + (f", published by {one.by}" if one.by else "")
        for one in found
    ]
    say(json, {"targets": found}, "\n".join(lines) or "There is no target: add `targets:` to the catalog.")


def _line(one: Any) -> str:
    again = f", again at {one.again:%Y-%m-%d %H:%M} UTC" if one.again else ""
    why = f": {one.why}" if one.why else ""
    return f"{one.at:%Y-%m-%d %H:%M}  {one.report} of {one.period} to {one.to}: {one.state}{again}{why}"
