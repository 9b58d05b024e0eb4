"""The same features by DuckDB, in bulk: from stored events, for batches and to fill a new or changed feature.

Events become a table of one row each with a typed column per field that some feature reads; the rest is SQL, equal to
the bit to what `fold` and `values` give (see `features` for the definitions). Local dates come from `buckets`, not from
the database's own time zones, so that both know the same clock changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from opportune.clock import DAY
from opportune.events.types import Event
from opportune.profiles import fields
from opportune.profiles.buckets import FOREVER, Days, Steps
from opportune.profiles.features import LARGEST_SUM, MOST_DISTINCT
from opportune.profiles.fields import LARGEST_SUMMAND, event_name, field
from opportune.profiles.spec import Accumulator, ProfileSpec
from opportune.rules import Kind, Value

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHUNK = 50_000
"""Events held in Python at a time."""

Rows = Iterable[tuple[str, int, Event]]


def compute(events: Rows, spec: ProfileSpec, now: int) -> dict[str, dict[str, Value]]:
    """Return the value of each feature at `now`, by subject and feature, of (subject, seq, event) rows.

    Events received after `now` are not seen. Give the root in place of the node to get the values of persons.
    """
    con, subjects, _ = _load(events, spec, spec.accumulators)
    found: dict[str, dict[str, Value]] = {s: {a.name: a.aggregate.empty for a in spec.accumulators} for s in subjects}
    for a in spec.accumulators:
        value = _VALUE[a.feature.aggregate].format(now=now)
        number = a.feature.kind is Kind.NUMBER
        sql = f"SELECT subject, {value} FROM ({_seen(a, spec, now)}) GROUP BY subject"
        for subject, result in con.execute(sql, [a.feature.event]).fetchall():
            found[subject][a.name] = float(result) if number and result is not None else result
    con.close()
    return found


def backfill(events: Rows, spec: ProfileSpec, fingerprints: Set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (subject, what some features hold by fingerprint) of all (subject, seq, event) rows."""
    wanted = {a.fingerprint: a for a in spec.accumulators if a.fingerprint in fingerprints}
    con, _, received = _load(events, spec, tuple(wanted.values()))
    found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for fingerprint, a in wanted.items():
        seen, aggregate = _seen(a, spec, received), a.feature.aggregate
        if aggregate in _ROW:
            for subject, *row in con.execute(_ROW[aggregate].format(seen=seen), [a.feature.event]).fetchall():
                found[subject][fingerprint] = row
        else:
            for subject, key, cell in con.execute(_CELLS[aggregate].format(seen=seen), [a.feature.event]).fetchall():
                found[subject].setdefault(fingerprint, {})[key] = cell
    con.close()
    yield from found.items()


_MILLIONTHS = "sum(CAST(round_even(value * 1e6, 0) AS BIGINT))"
_SUM = f"CAST(least(greatest({_MILLIONTHS}, -{LARGEST_SUM}), {LARGEST_SUM}) AS BIGINT)"

_VALUE = {
    "count": "count(*)",
    "distinct": f"least(count(DISTINCT value), {MOST_DISTINCT})",
    "sum": f"{_SUM} / 1e6",
    "avg": f"{_SUM} / 1e6 / count(*)",
    "min": "min(value)",
    "max": "max(value)",
    "last": 'last(value ORDER BY "at", seq)',
    "days_since": f'({{now}} - max("at")) // {DAY}',
}
"""The value of a subject."""

_CELLS = {
    "count": "SELECT subject, bucket, count(*) FROM ({seen}) GROUP BY ALL",
    "distinct": "SELECT subject, value, max(bucket) FROM ({seen}) GROUP BY subject, value QUALIFY "
    f"row_number() OVER (PARTITION BY subject ORDER BY max(bucket) DESC, value) <= {MOST_DISTINCT}",
    "sum": f"SELECT subject, bucket, {_SUM} FROM ({{seen}}) GROUP BY ALL",
    "avg": f"SELECT subject, bucket, [{_SUM}, count(*)] FROM ({{seen}}) GROUP BY ALL",
    "min": "SELECT subject, bucket, min(value) FROM ({seen}) GROUP BY ALL",
    "max": "SELECT subject, bucket, max(value) FROM ({seen}) GROUP BY ALL",
}
"""What is held as a dict: (subject, key, cell) rows."""

_ROW = {
    "last": 'SELECT subject, "at", seq, value, bucket FROM ({seen}) '
    'QUALIFY row_number() OVER (PARTITION BY subject ORDER BY "at" DESC, seq DESC) = 1',
    "days_since": 'SELECT subject, max("at"), max(bucket) FROM ({seen}) GROUP BY subject',
}
"""What is held as a list: (subject, *list) rows."""

_OF: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "count": ("VARCHAR", fields.scalar),
    "distinct": ("VARCHAR", fields.scalar),
    "days_since": ("VARCHAR", fields.scalar),
    "sum": ("DOUBLE", fields.number),
    "avg": ("DOUBLE", fields.number),
    "min": ("DOUBLE", fields.number),
    "max": ("DOUBLE", fields.number),
}

_WHERE: dict[Kind | None, tuple[str, Callable[[Any], Any]]] = {
    Kind.NUMBER: ("DOUBLE", fields.number),
    Kind.TEXT: ("VARCHAR", fields.text),
    Kind.BOOL: ("BOOLEAN", fields.truth),
    Kind.TIME: ("BIGINT", fields.instant),
    None: ("BOOLEAN", fields.present),
}

_LAST = {**_WHERE, Kind.TEXT: ("VARCHAR", fields.short_text)}

_NUMPY = {"DOUBLE": float, "VARCHAR": object, "BOOLEAN": object, "BIGINT": np.int64}

Column = tuple[str, str, Callable[[Any], Any]]
"""A path, the DuckDB type that it is read as, and the function that makes that of a JSON value."""


def _of(a: Accumulator) -> Column | None:
    of, aggregate = a.feature.of, a.feature.aggregate
    if of is None:
        return None
    return (of, *(_LAST[a.feature.kind] if aggregate == "last" else _OF[aggregate]))


def _columns(accumulators: Iterable[Accumulator]) -> Iterator[Column]:
    for a in accumulators:
        of = _of(a)
        if of is not None:
            yield of
        if a.feature.where is not None:
            for name, kind in a.feature.where.names.items():
                yield (name, *_WHERE[kind])


def _quoted(column: Column) -> str:
    """Return the name of a column as DuckDB knows it: apart from every name that a condition may use."""
    path, kind, typed = column
    return f'"#{typed.__name__} {kind} {path.encode().hex()}"'


def _seen(a: Accumulator, spec: ProfileSpec, now: int) -> str:
    """Return the SQL of the rows that count at `now`: subject, seq, at, bucket, value. Its parameter is the event."""
    clock, where, of = spec.clocks[a.clock], a.feature.where, _of(a)
    bucket = "0"
    if isinstance(clock, Steps):
        bucket = f'("#at" - (("#at" % {clock.span}) + {clock.span}) % {clock.span}) // {clock.span}'
    elif isinstance(clock, Days):
        bucket = f'"#date" // {clock.days}'
    names = where.names if where is not None else {}
    reads = "".join(f", {_read(name, kind)} AS {_identifier(name)}" for name, kind in names.items())
    checks = ['"#value" IS NOT NULL', f'"#bucket" > {clock.of(now) - a.count}']
    if a.feature.aggregate in ("sum", "avg"):
        checks.append(f'abs("#value") <= {LARGEST_SUMMAND!r}')
    if where is not None:
        checks.append(f"({where.sql('duckdb')})")
    return (
        'SELECT "#subject" AS subject, "#seq" AS seq, "#at" AS "at", "#bucket" AS bucket, "#value" AS value FROM ('
        f'SELECT "#subject", "#seq", "#at", {bucket} AS "#bucket", {_quoted(of) if of else "1"} AS "#value"{reads} '
        f'FROM events WHERE "#event" = ? AND "#received" <= {now}) WHERE {" AND ".join(checks)}'
    )


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _read(name: str, kind: Kind | None) -> str:
    column = _quoted((name, *_WHERE[kind]))
    return f"CAST({column} AS DOUBLE)" if kind is Kind.TIME else column


def _load(
    events: Rows, spec: ProfileSpec, accumulators: Sequence[Accumulator]
) -> tuple[DuckDBPyConnection, set[str], int]:
    """Return a database with the table of events that some accumulators watch, all subjects, the last received_at."""
    import duckdb

    con = duckdb.connect(":memory:")
    columns = {_quoted(column): (field(column[0]), *column[1:]) for column in _columns(accumulators)}
    typed = "".join(f", {name} {kind}" for name, (_, kind, _) in columns.items())
    con.execute(
        'CREATE TABLE events ("#subject" VARCHAR, "#seq" BIGINT, "#at" BIGINT, "#received" BIGINT, '
        f'"#event" VARCHAR{typed})'
    )
    watched = {a.feature.event for a in accumulators}
    subjects: set[str] = set()
    received = -FOREVER
    rest = iter(events)
    while chunk := list(islice(rest, CHUNK)):
        subjects.update(subject for subject, _, _ in chunk)
        received = max(received, max(event.received_at for _, _, event in chunk))
        rows = [(*row, name) for row in chunk if (name := event_name(row[2])) in watched]
        if rows:
            data = {
                "subject": _array((r[0] for r in rows), "VARCHAR"),
                "seq": _array((r[1] for r in rows), "BIGINT"),
                "at": _array((r[2].at for r in rows), "BIGINT"),
                "received": _array((r[2].received_at for r in rows), "BIGINT"),
                "event": _array((r[3] for r in rows), "VARCHAR"),
            }
            for i, (read, kind, convert) in enumerate(columns.values()):
                data[f"c{i}"] = _array((convert(read(r[2])) for r in rows), kind)
            con.register("chunk", data)
            con.execute(f"INSERT INTO events SELECT {', '.join(_selected(columns))} FROM chunk")
            con.unregister("chunk")
    _date(con, spec)
    return con, subjects, received


def _array(values: Iterable[Any], kind: str) -> Any:
    """Return a numpy array in which NULL is None, NaN or the least int64."""
    if kind == "BIGINT":
        return np.array([_NONE if value is None else value for value in values], dtype=np.int64)
    return np.array(list(values), dtype=_NUMPY[kind])


_NONE = -(2**63)


def _selected(columns: dict[str, tuple[Any, str, Any]]) -> Iterator[str]:
    yield from ("subject", "seq", '"at"', "received", "event")
    for i, (_, kind, _) in enumerate(columns.values()):
        yield f"nullif(c{i}, {_NONE})" if kind == "BIGINT" else f"c{i}"


def _date(con: DuckDBPyConnection, spec: ProfileSpec) -> None:
    """Give each event its local date as an ordinal."""
    [(earliest, latest)] = con.execute('SELECT min("#at"), max("#at") FROM events').fetchall()
    if earliest is None:
        con.execute('ALTER TABLE events ADD COLUMN "#date" BIGINT')
        return
    days = Days(1, spec.time_zone)
    ordinals = range(days.of(earliest), days.of(latest) + 1)
    dates = {days.start(ordinal): ordinal for ordinal in ordinals}
    table = {"start": _array(dates, "BIGINT"), "date": _array(dates.values(), "BIGINT")}
    con.register("dates", table)
    con.execute(
        'CREATE OR REPLACE TABLE events AS SELECT events.*, dates.date AS "#date" '
        'FROM events ASOF JOIN dates ON events."#at" >= dates.start'
    )
    con.unregister("dates")
