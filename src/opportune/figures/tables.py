"""The tables that the ledger is exported as: their columns, and how a folder of them is read.

A folder holds one folder for each table with its parts, Parquet files that never change, and `manifest.json`, which
names the parts that count (`figures.manifest`). A folder made elsewhere needs no manifest: all of its files count, and
a column that is missing is NULL. Customers are pseudonyms; those who were forgotten are in no part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from opportune.clock import to_datetime
from opportune.errors import BadInput, BrokenStore
from opportune.figures.conversions import conversions
from opportune.figures.manifest import Manifest, read_manifest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Columns = Mapping[str, str]

MEMORY = "1GB"
"""What DuckDB may take to compute a figure; more goes to files in the folder for temporary ones."""

_TEXT, _TIME, _WHOLE, _NUMBER, _FLAG = "VARCHAR", "TIMESTAMP", "BIGINT", "DOUBLE", "BOOLEAN"


def _table(**columns: str) -> Columns:
    return columns


LEDGER: Mapping[str, Columns] = {
    "decisions": _table(
        seq=_WHOLE, at=_TIME, decision_id=_TEXT, subject=_TEXT, placement=_TEXT, channel=_TEXT, action=_TEXT,
        campaign=_TEXT, rank=_WHOLE, propensity=_NUMBER, priority=_NUMBER, value=_NUMBER, silence=_TEXT,
        arm_random=_FLAG, held=_FLAG, catalog=_WHOLE, known=_TIME,
    ),
    "contacts": _table(
        seq=_WHOLE, at=_TIME, decision_id=_TEXT, subject=_TEXT, action=_TEXT, campaign=_TEXT, channel=_TEXT,
        delivered=_FLAG, late=_FLAG, cost=_NUMBER, known=_TIME,
    ),
    "outcomes": _table(
        seq=_WHOLE, at=_TIME, decision_id=_TEXT, subject=_TEXT, action=_TEXT, campaign=_TEXT, outcome=_TEXT,
        value=_NUMBER, positive=_FLAG, known=_TIME,
    ),
    "credits": _table(
        seq=_WHOLE, at=_TIME, goal=_TEXT, decision_id=_TEXT, action=_TEXT, given=_FLAG, known=_TIME,
    ),
    "stages": _table(
        seq=_WHOLE, at=_TIME, campaign=_TEXT, stage=_TEXT, by=_TEXT, why=_TEXT, moved=_FLAG, known=_TIME,
    ),
    "work": _table(
        seq=_WHOLE, at=_TIME, campaign=_TEXT, what=_TEXT, name=_TEXT, by=_TEXT, undone=_FLAG, hours=_NUMBER,
        entry=_TEXT, why=_TEXT, known=_TIME,
    ),
    "spend": _table(
        seq=_WHOLE, at=_TIME, campaign=_TEXT, entry=_TEXT, kind=_TEXT, amount=_NUMBER, line=_TEXT, by=_TEXT,
        known=_TIME,
    ),
    "tool_use": _table(
        seq=_WHOLE, at=_TIME, tool=_TEXT, person=_TEXT, feature=_TEXT, uses=_WHOLE, entry=_TEXT, known=_TIME,
    ),
    "exposures": _table(seq=_WHOLE, at=_TIME, subject=_TEXT, experiment=_TEXT, arm=_TEXT, known=_TIME),
    "experiments": _table(
        at=_TIME, experiment=_TEXT, hypothesis=_TEXT, what=_TEXT, by=_TEXT, detail=_TEXT, seq=_WHOLE, known=_TIME,
    ),
    "holdouts": _table(at=_TIME, subject=_TEXT, holdout=_TEXT, held=_FLAG, period=_WHOLE, scope=_TEXT, known=_TIME),
}  # fmt: skip
"""Tables to which each export adds a part: the facts of the ledger, in their order. `known` is when the hub knew."""

EVENTS: Mapping[str, Columns] = {
    "moments": _table(
        number=_WHOLE, at=_TIME, subject=_TEXT, event=_TEXT, role=_TEXT, value=_NUMBER, margin=_NUMBER, source=_TEXT,
        referral=_FLAG, channel=_TEXT, known=_TIME,
    ),
}  # fmt: skip
"""The same of the events that goals, the funnel and contacts by other senders are told by."""

DERIVED: Mapping[str, Columns] = {
    "conversions": _table(
        at=_TIME, subject=_TEXT, event=_TEXT, value=_NUMBER, goal=_TEXT, action=_TEXT, campaign=_TEXT, undone=_FLAG,
        margin=_NUMBER, channel=_TEXT, credited=_TIME, undone_at=_TIME, known=_TIME,
    ),
    "leads": _table(at=_TIME, subject=_TEXT, stage=_TEXT, source=_TEXT, referral=_FLAG, known=_TIME),
}  # fmt: skip
"""Tables made of the others."""

SMALL: Mapping[str, Columns] = {
    "identities": _table(node=_TEXT, subject=_TEXT),
    "funnel": _table(place=_WHOLE, stage=_TEXT, event=_TEXT, window_days=_NUMBER, margin=_TEXT),
    "arms": _table(experiment=_TEXT, arm=_TEXT, control=_FLAG, campaign=_TEXT, weight=_NUMBER),
    "quality": _table(
        day="DATE", source=_TEXT, event=_TEXT, field=_TEXT, kind=_TEXT, checked=_NUMBER, faults=_NUMBER,
        weight=_NUMBER,
    ),
    "campaigns": _table(
        campaign=_TEXT, title=_TEXT, owner=_TEXT, hypothesis=_TEXT, channel=_TEXT, starts=_TIME, ends=_TIME,
        planned=_NUMBER,
    ),
    "budget_lines": _table(campaign=_TEXT, line=_TEXT, month=_TEXT, planned=_NUMBER),
    "tools": _table(
        tool=_TEXT, category=_TEXT, owner=_TEXT, cost_month=_NUMBER, seats=_WHOLE, starts=_TIME, ends=_TIME,
    ),
    "tool_features": _table(tool=_TEXT, feature=_TEXT),
    "targets": _table(
        figure=_TEXT, dimension=_TEXT, key=_TEXT, at_least=_NUMBER, at_most=_NUMBER, owner=_TEXT, review=_TIME,
        reason=_TEXT,
    ),
}  # fmt: skip
"""Small tables, as the hub and its catalog have them now."""

TABLES: Mapping[str, Columns] = {**LEDGER, **EVENTS, **DERIVED, **SMALL}


@contextmanager
def opened(folder: Path, as_of: int | None = None) -> Iterator[tuple[DuckDBPyConnection, Manifest]]:
    """Open a folder of tables: a connection with a view for each of them, as the hub knew them at an instant.

    `subject` is the person: the identities of one are one. One thread asks, so that sums come out the same to the bit.
    Raises `BadInput` for a folder that has no table, and `BrokenStore` for one whose files are gone or damaged.
    """
    import duckdb

    manifest = read_manifest(folder) or _found(folder)
    connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": MEMORY})
    try:
        for name in ("identities", *(name for name in TABLES if name != "identities")):
            connection.execute(_view(connection, folder, name, manifest, as_of))
        if as_of is not None and as_of < manifest.at and "moments" in manifest.parts:
            connection.execute(_as_credited(as_of))
        yield connection, manifest
    except duckdb.IOException as error:
        raise BrokenStore(f"{folder}: {str(error).splitlines()[0]}; export the tables anew") from error
    finally:
        connection.close()


def counted(folder: Path) -> dict[str, int]:
    """Return the rows of each table of a folder."""
    with opened(folder) as (connection, _):
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in TABLES}


def _found(folder: Path) -> Manifest:
    """Return the manifest of a folder that has none: everything in it counts."""
    files = {name: sorted(path.name for path in (folder / name).glob("*.parquet")) for name in TABLES}
    parts = {name: tuple(found) for name, found in files.items() if found}
    if not parts:
        raise BadInput(f"{str(folder)!r} has no tables: name a folder that `opportune tables` wrote")
    return Manifest.of(parts)


def _view(connection: DuckDBPyConnection, folder: Path, name: str, manifest: Manifest, as_of: int | None) -> str:
    columns, files = TABLES[name], [str(folder / name / part) for part in manifest.parts.get(name, ())]
    if not files:
        empty = ", ".join(f'CAST(NULL AS {kind}) AS "{column}"' for column, kind in columns.items())
        return f"CREATE VIEW {name} AS SELECT {empty} WHERE false"
    source = f"read_parquet([{', '.join(map(text, files))}], union_by_name = true)"
    there = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    linked = name != "identities" and "subject" in columns and bool(manifest.parts.get("identities"))
    cells = [_cell(column, kind, there, linked) for column, kind in columns.items()]
    joined = " LEFT JOIN identities i ON i.node = t.subject" if linked else ""
    when = next((f't."{column}"' for column in ("known", "at") if column in columns and column in there), None)
    if when and "known" in there and "at" in there:
        when = 'coalesce(t."known", t."at")'
    until = f" WHERE {when} <= {instant(as_of)}" if when and as_of is not None else ""
    return f"CREATE VIEW {name} AS SELECT {', '.join(cells)} FROM {source} t{joined}{until}"


def _as_credited(as_of: int) -> str:
    """Return the view of conversions with the credits that stood at an instant: they move when more is heard."""
    undone = (
        "SELECT CAST(substr(goal, 7) AS BIGINT) AS number, undone_at FROM conversions_now "
        f"WHERE undone_at <= {instant(as_of)}"
    )
    query = conversions("moments", "credits", "decisions", undone)
    return f"ALTER VIEW conversions RENAME TO conversions_now; CREATE VIEW conversions AS {query}"


def _cell(column: str, kind: str, there: Sequence[str] | set[str], linked: bool) -> str:
    if column not in there:
        return f'CAST(NULL AS {kind}) AS "{column}"'
    value = f't."{column}"'
    if column == "subject" and linked:
        value = f"coalesce(i.subject, {value})"
    return f'CAST({value} AS {kind}) AS "{column}"'


def text(value: str) -> str:
    """Return a text as SQL has it."""
    return "'" + value.replace("'", "''") + "'"


def instant(at: int) -> str:
    """Return an instant as SQL has it."""
    return f"TIMESTAMP '{to_datetime(at).replace(tzinfo=None).isoformat(sep=' ')}'"
