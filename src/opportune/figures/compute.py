"""A figure from tables: its SQL file asks, its module reads what comes back, and the answer says where it is from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opportune.clock import format_instant, to_datetime
from opportune.errors import BadRequest
from opportune.figures import adoption, budget, conversion, quality, roi, velocity
from opportune.figures.answer import Answer, Data, Query
from opportune.figures.header import NAMES, Header, header
from opportune.figures.manifest import Manifest
from opportune.figures.reading import Reading, Rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

READERS: Mapping[str, Callable[[Rows, str | None], Reading]] = {
    "roi": roi.read, "velocity": velocity.read, "adoption": adoption.read, "quality": quality.read,
    "conversion": conversion.read, "budget": budget.read,
}  # fmt: skip


def figure(
    connection: DuckDBPyConnection, manifest: Manifest, name: str, as_of: int, since: int | None = None,
    by: str | None = None,
) -> Answer:  # fmt: skip
    """Return a figure as of an instant, from views of the tables (`tables.opened`, as of the same instant).

    `since` looks at what came later alone; `by` is one of its dimensions. Raises `NotFound`, and `BadRequest` for a
    dimension that it does not have or a time that ends before it begins.
    """
    told = header(name)
    if by is not None and by not in told.dimensions:
        raise BadRequest(f"{name} has no dimension {by[:60]!r}; it has {', '.join(told.dimensions)}", "by")
    if since is not None and since > as_of:
        raise BadRequest("since is after asOf: there is nothing between the two", "since")
    found = _asked(connection, told, as_of, since, None)
    whole = READERS[name](found, None)
    if name == "budget":
        margins = _keyed(connection, header("roi"), as_of, since, "campaign")
        whole = _beside(whole, budget.used_well(found, margins))
    rows = _keyed(connection, told, as_of, since, by) if by else {}
    return Answer(
        name, told.title, told.unit, told.direction, told.grain, told.meaning,
        None if since is None else format_instant(since), format_instant(as_of), by, whole.value, whole.interval,
        whole.n, whole.reason, whole.beside, tuple(_row(key, one) for key, one in rows.items()),
        Query(told.file, told.sha256), Data(manifest.version, manifest.begin, manifest.to), warnings=whole.warnings,
        dimensions=told.dimensions,
    )  # fmt: skip


def one_of(
    connection: DuckDBPyConnection, name: str, as_of: int, by: str, key: str, beside: bool = False
) -> Reading | None:
    """Return what a figure says of one key of a dimension, None where it has no row of it.

    `beside`: as if that key were the whole, with what stands beside it.
    """
    rows = [row for row in _asked(connection, header(name), as_of, None, by) if row["key"] == key]
    rows = [row for row in rows if row.get("part") not in ("campaign", "contacts", "naive", "clock")]
    return READERS[name](rows, None if beside else by) if rows else None


def figures(
    connection: DuckDBPyConnection, manifest: Manifest, as_of: int, since: int | None = None
) -> list[Answer]:
    """Return the six figures."""
    return [figure(connection, manifest, name, as_of, since) for name in NAMES]


def _keyed(
    connection: DuckDBPyConnection, told: Header, as_of: int, since: int | None, by: str
) -> dict[str, Reading]:
    """Return what a figure says of each key of a dimension, in order."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in _asked(connection, told, as_of, since, by):
        if row["key"] is not None and row.get("part") not in ("campaign", "contacts", "naive", "clock"):
            rows.setdefault(row["key"], []).append(row)
    return {key: READERS[told.name](mine, by) for key, mine in sorted(rows.items())}


def _asked(
    connection: DuckDBPyConnection, told: Header, as_of: int, since: int | None, by: str | None
) -> list[dict[str, Any]]:
    parameters = {"since": _instant(since), "as_of": _instant(as_of), "by": by}
    result = connection.execute(told.sql, parameters)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _instant(at: int | None) -> Any:
    return None if at is None else to_datetime(at).replace(tzinfo=None)


def _row(key: str, one: Reading) -> dict[str, Any]:
    return {"key": key, "value": one.value, "interval": one.interval, "n": one.n, "reason": one.reason, **one.more}


def _beside(reading: Reading, more: Any) -> Reading:
    from msgspec.structs import replace

    return replace(reading, beside=(*reading.beside, more))
