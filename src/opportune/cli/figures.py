"""The commands `tables` and `figures`: the ledger as tables, and the figures of marketing operations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, say

Since = Annotated[str, typer.Option(help="What came later alone: a day, an instant, or a span back from now (90d).")]
AsOf = Annotated[str, typer.Option("--as-of", help="A day (its beginning) or an instant: as known then (now).")]


def figures(
    name: Annotated[str, typer.Argument(help="roi, velocity, adoption, quality, conversion or budget.")] = "",
    since: Since = "",
    as_of: AsOf = "",
    by: Annotated[str, typer.Option(help="A dimension of the figure.")] = "",
    tables: Annotated[Path | None, typer.Option(help="Tables in a folder, in place of the hub's.")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show the six figures of marketing operations, or one of them by a dimension, with their uncertainty.

    Example: opportune figures roi --since 90d --by campaign
    """
    if by and not name:
        from opportune.errors import BadInput

        raise BadInput("--by is for one figure: name it, as in `opportune figures roi --by campaign`")
    if tables is not None:
        found = of_tables(tables, name, since, as_of, by)
    else:
        with connect(dir, store, quiet=json) as client:
            found = [client.figure(name, since, as_of, by)] if name else client.figures(since, as_of)
    say(json, found[0] if name else {"figures": found}, "\n\n".join(readable(one, bool(name)) for one in found))


def of_files(sql: Path, folder: Path) -> dict[str, int]:
    """Return the rows of the tables that a file of SQL made; `${OPPORTUNE_DATA}` in it is the folder of the data."""
    from opportune.cli.options import chosen
    from opportune.errors import BadInput
    from opportune.figures.elsewhere import from_sql

    try:
        asked = sql.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{sql} cannot be read: {error}") from None
    return from_sql(asked.replace("${OPPORTUNE_DATA}", str(chosen(None).data)), folder, str(sql))


def of_tables(folder: Path, name: str, since: str, as_of: str, by: str) -> list[dict[str, Any]]:
    """Return figures from a folder of tables, as the door gives them."""
    from zoneinfo import ZoneInfo

    import msgspec

    from opportune.clock import SystemClock
    from opportune.figures.compute import figure, figures
    from opportune.figures.tables import opened
    from opportune.services.instruments import moment

    now, zone = SystemClock().now(), ZoneInfo("UTC")
    at = moment(as_of, now, zone, "asOf") if as_of else now
    begin = moment(since, now, zone, "since") if since else None
    with opened(folder, at) as (connection, manifest):
        if name:
            answers = [figure(connection, manifest, name, at, begin, by or None)]
        else:
            answers = figures(connection, manifest, at, begin)
    told: list[dict[str, Any]] = msgspec.to_builtins(answers)
    return told


def readable(found: dict[str, Any], whole: bool) -> str:
    """Return a figure for people; its meaning and what stands beside it where it is `whole`."""
    from opportune.figures.units import beside_unit, row_unit
    from opportune.figures.words import shown

    unit, currency = found["unit"], found.get("currency", "")
    lines = [f"{found['title']}: {number(found['value'], found['interval'], unit)}"]
    if found["reason"]:
        lines.append(f"  {found['reason']}")
    if found["target"]:
        lines.append(f"  {_target(found, unit)}")
    if whole:
        lines += [f"  {found['meaning']}", ""]
    for one in found["beside"]:
        if whole or one["value"] is not None:
            told = number(one["value"], one["interval"], beside_unit(found["figure"], one["name"], unit), currency)
            lines.append(f"  {one['name'][:28]:28} {told:>32}" + (f"  {one['meaning']}" if whole else ""))
    if found["rows"]:
        lines += ["", f"  {found['by'][:28]:28} {'':>32} {'n':>10}"]
    for row in found["rows"]:
        lines.append(f"  {row['key'][:28]:28} {number(row['value'], row['interval'], unit):>32} {row['n']:>10,}")
        more = [(key, value) for key, value in row.items() if key not in _SHOWN and value]
        lines += [f"    {row['reason']}"] if row["reason"] else []
        each = [f"{what.replace('_', ' ')} {shown(value, row_unit(what), currency)}" for what, value in more]
        lines += ["    " + ", ".join(each)] if each else []
        lines += [f"    {_target(row, unit)}"] if row.get("target") else []
    return "\n".join(lines)


_SHOWN = ("key", "value", "interval", "n", "reason", "weight", "target", "status")


def number(value: float | None, interval: list[float | None] | None, unit: str, currency: str = "") -> str:
    """Return a value with its interval, in words as reports have them.

    >>> number(1.234, [0.5, None], "days"), number(-0.835, [-0.9, -0.7], "share"), number(4620.0, None, "money", "EUR")
    ('1.23 days (12 h or more)', '-83.5 % (-90 to -70 %)', '4,620 EUR')
    """
    from opportune.figures.words import with_interval

    return "-" if value is None else with_interval(value, interval, unit, currency)


def _target(one: dict[str, Any], unit: str) -> str:
    """Return the range that a figure or a row of it is to lie in, and whether it does."""
    from opportune.catalog.report_types import Target
    from opportune.figures.words import range_in

    aim = one["target"]
    target = Target("", aim["atLeast"], aim["atMost"], aim["owner"], aim["reason"])
    return f"target {range_in(target, unit)}: {one['status']} ({aim['owner']}: {aim['reason']})"


def tables(
    folder: Annotated[Path, typer.Argument(help="The folder for the tables; what is new is added.")],
    since: Annotated[str | None, typer.Option(help="Begin anew with the facts from a day or instant on.")] = None,
    sql: Annotated[Path | None, typer.Option(help="Make the tables by SQL of other files, not of a hub.")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Export the ledger as Parquet tables: customers are pseudonyms, those who were forgotten are in none.

    Example: opportune tables export
    """
    if sql is not None:
        made = of_files(sql, folder)
        say(json, {"folder": str(folder), "rows": made}, "\n".join(f"{name:16} {n:12,}" for name, n in made.items()))
        return
    with connect(dir, store, quiet=json) as client:
        found = client.tables(str(folder.resolve()), since)
    rows = "\n".join(f"{name:16} {many:12,}" for name, many in found.rows.items() if many)
    say(json, found, f"{rows}\nversion {found.version}: facts {found.begin:,} to {found.to:,} in {found.folder}")
