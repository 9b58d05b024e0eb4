"""The quality of a table of contacts: the answer of `opportune quality`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opportune.catalog.fields import nearest
from opportune.errors import BadCatalog
from opportune.lab.sources import Table, opened
from opportune.quality.checks import INSTANTS, Check, checks, typed
from opportune.quality.leaks import leaks
from opportune.quality.roles import guessed, outcome_of
from opportune.quality.spec import QualitySpec

READABLE = 0.5
"""The share of a column's values that must read as dates or numbers for it to play such a part."""

RARE = 0.05
"""The share of amounts from which on those far away are no outliers but part of how amounts are spread."""


def quality(spec: QualitySpec, now: int) -> dict[str, Any]:
    """Return the faults of a table, its score and the columns that leak an outcome, as plain data.

    `score` is 100 times the mean over `dimensions` of the share of rows without a fault, by their weights; None where
    nothing could be checked. `faults` are most frequent first: `kind`, `dimension`, `column`, `count`, `share` of the
    rows, `rows` (the numbers of the first few; 1 is the first below the header), `what`. `roles` are the columns by
    role, `leaks` and `to_check` see `leaks`, `outcome` the column they are about (None without one). Values of contacts
    are never told.

    `now` is the instant in microseconds that dates are compared with where the spec has no `as_of`. Raises
    `BadCatalog` for data that cannot be read and for names of columns that the table does not have.
    """
    import duckdb

    with opened() as connection:
        connection.execute("SET preserve_insertion_order = true")
        table = Table(connection, "given", spec.data, lambda *told: spec.problem("data", *told))
        roles = _roles(spec, table)
        try:
            connection.execute(typed(roles, list(table.types)))
        except duckdb.Error as bad:
            what = f"{spec.data} cannot be read: {' '.join(str(bad).split())[:300]}"
            raise BadCatalog([spec.problem("data", what, "does each row have the columns of the header?")]) from None
        rows = connection.execute("SELECT count(*) FROM contacts").fetchone()[0]
        warnings = _drop_unreadable(connection, roles, rows)
        asked = [one for one in checks(spec.as_of or now) if roles.keys() >= {*one.roles}]
        faults, dimensions = _found(connection, asked, roles, rows, spec)
        if not {"email", "phone", "id"} & roles.keys():
            warnings.append("no column of ids, e-mail addresses or phone numbers is known by its name: see `roles`")
        outcome = spec.outcome or outcome_of(table.types)
        found = leaks(connection, table, outcome, spec) if outcome else None
        if found is not None:
            warnings += found.warnings
    weights = {name: spec.weights[name] for name in dimensions}
    total = sum(weights.values())
    return {
        "rows": rows,
        "score": 100 * sum(weights[name] * dimensions[name] for name in weights) / total if total and rows else None,
        "dimensions": {name: {"score": 100 * dimensions[name], "weight": weights[name]} for name in dimensions},
        "faults": faults,
        "roles": roles,
        "outcome": outcome or None,
        "leaks": [one._asdict() for one in found.leaks] if found else [],
        "to_check": [one._asdict() for one in found.to_check] if found else [],
        "warnings": warnings,
    }


def _roles(spec: QualitySpec, table: Table) -> dict[str, str]:
    """Return the columns by role; raises `BadCatalog` for a name in the spec that is no column."""
    named = [("roles", c) for c in spec.roles.values() if c] + [("known_before", c) for c in spec.known_before]
    named += [("outcome", spec.outcome)] if spec.outcome else []
    wrong = [
        spec.problem(key, f"there is no column `{column}`", nearest(column, table.types))
        for key, column in named
        if column not in table.types
    ]
    if wrong:
        raise BadCatalog(wrong)
    given = {*spec.roles.values()}
    found = {role: c for role, c in guessed(table.types).items() if role not in spec.roles and c not in given}
    return found | {role: column for role, column in spec.roles.items() if column}


def _drop_unreadable(connection: Any, roles: dict[str, str], rows: int) -> list[str]:
    """Take roles of columns away that hold something else than the role says; return what is told of them."""
    told = []
    for role in (*INSTANTS, "amount"):
        if role not in roles or not rows:
            continue
        sql = f"SELECT count({role}), count({role}_text) FROM contacts"
        readable, filled = connection.execute(sql).fetchone()
        if readable < READABLE * filled:
            what = "numbers" if role == "amount" else "dates"
            bad = f"{filled - readable:,} of {filled:,} are no {what}"
            told.append(f"`{roles.pop(role)}` is not taken for `{role}`: {bad}")
    return told


def _found(
    connection: Any, asked: list[Check], roles: Mapping[str, str], rows: int, spec: QualitySpec
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return the faults, and the share of rows without one by dimension."""
    asked = [one for one in asked if not (one.kind == "outlier_amount" and _common(connection, one))]
    if not asked or not rows:
        return [], {}
    by_dimension: dict[str, list[str]] = {}
    for one in asked:
        by_dimension.setdefault(one.dimension, []).append(f"coalesce({one.condition}, false)")
    wanted = [f"count(*) FILTER ({one.condition})" for one in asked]
    wanted += [f"count(*) FILTER ({' OR '.join(conditions)})" for conditions in by_dimension.values()]
    counts = connection.execute(f"SELECT {', '.join(wanted)} FROM contacts").fetchone()
    faults = []
    for one, count in zip(asked, counts, strict=False):
        if not count:
            continue
        sql = f"SELECT row FROM contacts WHERE {one.condition} ORDER BY row LIMIT {spec.samples}"
        sample = [int(row) for (row,) in connection.execute(sql).fetchall()]
        column = roles[one.roles[0]] if one.roles else None
        faults.append({
            "kind": one.kind, "dimension": one.dimension, "column": column, "count": count, "share": count / rows,
            "rows": sample, "what": one.what,
        })  # fmt: skip
    bad = dict(zip(by_dimension, counts[len(asked) :], strict=True))
    faults.sort(key=lambda fault: (-fault["count"], fault["kind"]))
    return faults, {name: 1 - bad[name] / rows for name in spec.weights if name in bad}


def _common(connection: Any, outlier: Check) -> bool:
    sql = f"SELECT count(*) FILTER ({outlier.condition}) > {RARE} * count(*) FROM contacts WHERE amount > 0"
    return bool(connection.execute(sql).fetchone()[0])
