"""The commands `tools ...`: what people work with, who uses it, what is paid for and not used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, note, progress, say

if TYPE_CHECKING:
    from opportune.events.sources import Row
    from opportune.wire.equipping import AdoptionInfo, OverlapInfo, ToolInfo, ToolUse, TrialInfo

tools = typer.Typer(no_args_is_help=True, help="The tools that people work with.\n\nExample: opportune tools list")

Name = Annotated[str, typer.Argument(help="A tool of the catalog.")]

COLUMNS = ("tool", "person", "feature", "at", "uses", "entry")
NEEDED = ("tool", "person", "at")
AT_ONCE = 2_000
"""Uses of one request."""

SHOWN_FAULTS = 20
"""Faults that are told one by one on the screen; --json has all of them."""


@tools.command("list")
def list_(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """List the tools, who uses them, and what is soon to be decided.

    Example: opportune tools list
    """
    with connect(dir, store) as hub:
        found, dates = hub.tools(), hub.tool_dates()
    lines = [_line(tool) for tool in found]
    lines += ["", *(date.sentence for date in dates)] if dates else []
    say(json, {"tools": found, "dates": dates}, "\n".join(lines) or "The catalog has no tools: add `tools:` to it.")


@tools.command("show")
def show(name: Name, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show who uses a tool, which features, and what idle seats cost.

    Example: opportune tools show mailer
    """
    with connect(dir, store) as hub:
        found = hub.tool(name)
    lines = [_line(found)]
    if found.adoption:
        lines += _adopted(found, found.adoption)
    say(json, found, "\n".join(lines))


@tools.command("use")
def use(
    file: Annotated[Path, typer.Option(help="csv, tsv, jsonl or parquet: tool, person, feature, at, uses, entry.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Tell who used which tool, from a file; run it again to go on or to tell of more, nothing counts twice.

    Example: opportune tools use --file use.csv
    """
    taken, known, faults = Counter[str](), 0, list[dict[str, Any]]()
    with connect(dir, store) as hub, progress("Taking in", quiet=json) as tell:
        for done, rows in _pages(file, faults):
            answer = hub.use_tools([one for _, one in rows])
            taken.update({"taken": answer.taken, "changed": answer.changed})
            known += answer.known
            faults += [_fault(rows[wrong.index][0], wrong.field, wrong.what, wrong.cure) for wrong in answer.refused]
            tell(done, f"{taken['taken'] + taken['changed'] + known:,} rows")
    faults.sort(key=lambda fault: cast(int, fault["row"]))
    for fault in [] if json else faults[:SHOWN_FAULTS]:
        note(f"{file}: row {fault['row']}: {fault['what']}; {fault['cure']}")
    if len(faults) > SHOWN_FAULTS and not json:
        note(f"and {len(faults) - SHOWN_FAULTS:,} more; --json has all of them")
    text = f"{taken['taken']:,} uses taken, {taken['changed']:,} with another count, {known:,} already known"
    text += f", {len(faults):,} rows refused." if faults else "."
    told = {"taken": taken["taken"], "changed": taken["changed"], "known": known, "refused": faults}
    say(json, told, text)
    if faults:
        raise typer.Exit(2)


@tools.command("overlap")
def overlap(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show the tools that are for the same, and how many people use both.

    Example: opportune tools overlap
    """
    with connect(dir, store) as hub:
        found = hub.tool_overlaps()
    say(json, {"overlaps": found}, "\n".join(map(_overlap, found)) or "No two tools are for the same.")


@tools.command("trials")
def trials(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show the tools on trial: what is known by now, and until when somebody decides.

    Example: opportune tools trials
    """
    with connect(dir, store) as hub:
        found = hub.tool_trials()
    say(json, {"trials": found}, "\n".join(map(_trial, found)) or "No tool is on trial.")


def _pages(file: Path, faults: list[dict[str, Any]]) -> Iterator[tuple[float, list[tuple[int, ToolUse]]]]:
    """Yield how much of a file was read, and uses with the numbers of their rows; rows that are none become faults."""
    from opportune.errors import BadInput
    from opportune.events.sources import open_source

    source = open_source(file)
    if (names := source.names()) is not None:
        _check(file, names)
    page, alike = list[tuple[int, "ToolUse"]](), Counter[tuple[str, ...]]()
    try:
        for number, row in source.rows():
            found = _use(number, row, alike)
            if isinstance(found, dict):
                faults.append(found)
                continue
            page.append((number, found))
            if len(page) == AT_ONCE:
                yield source.done(), page
                page = []
    except BadInput:
        if page:  # what was read before the fault is good
            yield source.done(), page
        raise
    if page:
        yield 1.0, page


def _check(file: Path, names: list[str]) -> None:
    from opportune.catalog.fields import nearest
    from opportune.errors import BadInput

    for name in names:
        if name not in COLUMNS:
            raise BadInput(f"{file}:1:1: unknown column {name!r}; {nearest(name, COLUMNS)}")
    if missing := [name for name in NEEDED if name not in names]:
        raise BadInput(f"{file}:1:1: there is no column {', '.join(missing)}; the columns are {', '.join(COLUMNS)}")


def _use(number: int, row: Row, alike: Counter[tuple[str, ...]]) -> ToolUse | dict[str, Any]:
    from opportune.wire.equipping import ToolUse

    if isinstance(row, str):
        return _fault(number, "", "the row has more fields than there are columns, or bytes that are no text",
                      "put texts with commas in quotes, and write the file as UTF-8")  # fmt: skip
    if unknown := [name for name in row if name not in COLUMNS]:
        return _fault(number, unknown[0], f"unknown name {unknown[0]!r}", f"the names are {', '.join(COLUMNS)}")
    texts = {name: "" if row.get(name) is None else str(row[name]).strip() for name in COLUMNS}
    if not texts["at"]:
        return _fault(number, "at", "at is empty", "write a day or time of ISO 8601, such as 2026-01-31")
    uses = _whole(texts["uses"] or "1")
    if uses is None:
        return _fault(number, "uses", f"uses is {texts['uses'][:40]!r}", "give a whole number, or leave it out for 1")
    key = (texts["tool"], texts["person"], texts["feature"], texts["at"])
    nth = alike[key]
    alike[key] += not texts["entry"]
    return ToolUse(texts["tool"], texts["person"], texts["feature"], texts["at"], uses, texts["entry"], nth)


def _whole(text: str) -> int | None:
    number = text.removesuffix(".0")
    return int(number) if number.lstrip("-").isdecimal() and number.isascii() and len(number) < 16 else None


def _fault(row: int, field: str, what: str, cure: str) -> dict[str, Any]:
    return {"row": row, "field": field, "what": what, "cure": cure}


def _line(tool: ToolInfo) -> str:
    cost = "cost not known" if tool.monthly is None else f"{tool.monthly:,.2f} {tool.currency} a month"
    ended = "" if tool.running else " (its contract does not run)"
    head = f"{tool.name} ({tool.category}{', ' + tool.owner if tool.owner else ''}): {cost}{ended}"
    if tool.adoption is None:
        return f"{head}; {tool.reason}: opportune tools use --file use.csv"
    a = tool.adoption
    seats = "" if tool.seats is None else f" of {tool.seats:,} seats ({a.share or 0.0:.0%})"
    features = "" if a.features_licensed is None else f", {a.features_used} of {a.features_licensed} features"
    return f"{head}; {a.people:,} people{seats}{features}" + (f"; {a.note}" if a.note else "")


def _adopted(tool: ToolInfo, a: AdoptionInfo) -> list[str]:
    lines = []
    if a.idle_seats is not None:
        cost = "" if a.idle_cost is None else f", {a.idle_cost:,.2f} {tool.currency} a month"
        lines.append(f"idle seats: {a.idle_seats:,}{cost}")
    if a.cost_per_person is not None:
        lines.append(f"cost per person who uses it: {a.cost_per_person:,.2f} {tool.currency} a month")
    if a.trend.per_week is None or a.trend.interval is None:
        lines.append(f"trend: not known: {a.trend.reason}")
    else:
        low, high = a.trend.interval
        lines.append(f"trend: {a.trend.per_week:+.2f} people a week ({low:+.2f} to {high:+.2f})")
    lines.append("weeks: " + ", ".join(f"{week.week} {week.people:,}" for week in a.by_week) + " (still runs)")
    for one in a.features:
        last = f", last in {one.last}" if one.last else ", by nobody"
        licensed = "" if one.licensed else " (not licensed)"
        lines.append(f"  {one.feature}{licensed}: {one.people:,} people, {one.uses:,} uses{last}")
    if a.stopped:
        lines.append("stopped: " + ", ".join(f"{one.person} (last in {one.last})" for one in a.stopped))
    return lines


def _overlap(one: OverlapInfo) -> str:
    same = [f"category {one.category}"] * bool(one.category) + [f"do {', '.join(one.does)}"] * bool(one.does)
    why = " and ".join(same)
    if one.share is None:
        return f"{one.tools[0]} and {one.tools[1]} ({why}): {one.reason}"
    saves = "" if one.saves is None else f"; the cheaper one costs {one.saves:,.2f} a month"
    return f"{one.tools[0]} and {one.tools[1]} ({why}): {one.both:,} of {one.either:,} people use both{saves}"


def _trial(one: TrialInfo) -> str:
    spent = "" if one.spent is None else f"; {one.spent:,.2f} spent so far"
    return f"{one.tool}: {one.question}\n  {one.sentence}{spent}\n  {one.evidence}"
