"""The customers of a scores spec that names a table, read by DuckDB: names, outcomes and predictors, without leaks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opportune.catalog.fields import nearest
from opportune.errors import BadCatalog, Problem
from opportune.lab.sources import Table, literal, opened, quoted
from opportune.measure.pooling import FloatArray
from opportune.quality.leaks import leaks
from opportune.quality.roles import YES
from opportune.quality.spec import QualitySpec
from opportune.rules import Kind
from opportune.scores.rows import REPEATS
from opportune.scores.spec import ScoresSpec

NUMBERS = 0.95
"""The share of a column's texts that must be numbers for it to be taken as one."""

MOST = 1_000_000
"""Rows that are learned from or scored, at most: what is more does not fit in memory beside it."""


class Customers(NamedTuple):
    """Customers in order of their names: outcomes are 1, 0, or NaN where they are not known. `left_out` are columns
    with the reason why they are no predictors, `to_check` those that a person should look at, `dropped` counts rows by
    reason."""

    names: list[str]
    outcomes: FloatArray
    columns: dict[str, npt.NDArray[Any]]
    left_out: dict[str, str]
    to_check: dict[str, str]
    dropped: dict[str, int]


def customers(spec: ScoresSpec) -> tuple[Customers, Customers | None]:
    """Return the customers of a spec's table, and those of `apply`, whose outcomes are not looked at.

    Rows without a customer are left out; of several rows of one the first in the order of all columns counts. Raises
    `BadCatalog` with the mistakes that the data show.
    """
    with opened() as connection:
        connection.execute("SET preserve_insertion_order = true")  # folds of the leak finder go by the order of rows
        table = Table(connection, "given", spec.data, lambda *told: spec.problem("data", *told), (spec.customer,))
        _check(spec, table)
        connection.execute("CREATE TABLE numbered AS SELECT row_number() OVER () AS row, * FROM given")
        total = connection.execute("SELECT count(*) FROM numbered").fetchone()[0]
        if not 0 < total <= MOST:
            what = f"{spec.data} has {total:,} rows" if total else f"{spec.data} has no rows"
            raise BadCatalog([spec.problem("data", what, f"give 1 to {MOST:,}, with a header")])
        asked = QualitySpec(data=spec.data, outcome=spec.outcome, positive=spec.positive,
                            known_before=(*spec.known_before, spec.customer), written=spec.written)  # fmt: skip
        found = leaks(connection, table, spec.outcome, asked)
        left_out = {one.column: "filled in after the outcome: " + "; ".join(one.evidence) for one in found.leaks}
        kinds = _kinds(spec, table, left_out)
        to_check = {one.column: "; ".join(one.evidence) for one in found.to_check if one.column in kinds}
        known = _read(spec, table, kinds)._replace(left_out=left_out, to_check=to_check)
        if not spec.apply:
            return known, None
        other = Table(connection, "later", spec.apply, lambda *told: spec.problem("apply", *told), (spec.customer,))
        missing = [name for name in (spec.customer, *kinds) if name not in other.types]
        if missing:
            raise BadCatalog([spec.problem("apply", f"{spec.apply} has no column `{name}`", "give those of `data`")
                              for name in missing])  # fmt: skip
        return known, _read(spec, other, kinds, with_outcome=False)


def _check(spec: ScoresSpec, table: Table) -> None:
    problems: list[Problem] = []
    named = [("customer", spec.customer), ("outcome", spec.outcome)]
    named += [(key, name) for key in ("predictors", "known_before") for name in getattr(spec, key)]
    for key, name in named:
        if name not in table.types:
            problems.append(spec.problem(key, f"there is no column `{name}`", nearest(name, table.types)))
    for name in {spec.customer, spec.outcome} & {*spec.predictors}:
        what = "the outcome" if name == spec.outcome else "the customer"
        problems.append(spec.problem("predictors", f"`{name}` is {what}", "a predictor is known before"))
    if problems:
        raise BadCatalog(problems)


def _kinds(spec: ScoresSpec, table: Table, left_out: dict[str, str]) -> dict[str, Kind]:
    """Return the predictors, each a number or a text; adds to `left_out` what is neither, or names its row."""
    names = [n for n in spec.predictors or table.types if n not in (spec.customer, spec.outcome) and n not in left_out]
    texts = [name for name in names if table.kinds[name] is Kind.TEXT]
    counts = _counts(table, texts)
    found: dict[str, Kind] = {}
    for name in names:
        if table.kinds[name] is Kind.TIME:
            left_out[name] = "a time: make a number of it, such as the days since then"
        elif table.kinds[name] is not Kind.TEXT:
            found[name] = Kind.NUMBER
        else:
            filled, numbers, different = counts[name]
            if filled and numbers >= NUMBERS * filled:
                found[name] = Kind.NUMBER
            elif different > max(REPEATS * filled, 1):
                left_out[name] = "a text that hardly repeats"
            else:
                found[name] = Kind.TEXT
    return found


def _counts(table: Table, texts: list[str]) -> dict[str, tuple[int, int, int]]:
    """Return how many rows of each column have a text, and a number, and how many different texts there are."""
    if not texts:
        return {}
    asked = (f"count({t}), count(TRY_CAST({t} AS DOUBLE)), count(DISTINCT {t})" for t in map(table.text, texts))
    row = table.connection.execute(f"SELECT {', '.join(asked)} FROM numbered").fetchone()
    return {name: tuple(row[3 * i : 3 * i + 3]) for i, name in enumerate(texts)}


def _read(spec: ScoresSpec, table: Table, kinds: dict[str, Kind], with_outcome: bool = True) -> Customers:
    label = "NULL::DOUBLE"
    if with_outcome:
        text = f"lower({table.text(spec.outcome)})"
        wanted = literal(spec.positive.strip().lower()) if spec.positive else ", ".join(map(literal, YES))
        label = f"CASE WHEN {text} IS NOT NULL THEN CAST({text} IN ({wanted}) AS DOUBLE) END"
    numbers = {name: _number(table, name) if kind is Kind.NUMBER else table.text(name) for name, kind in kinds.items()}
    columns = "".join(f", {sql} AS {quoted(f'.{i}')}" for i, sql in enumerate(numbers.values()))
    order = ", ".join(quoted(name) for name in table.types)
    name = table.text(spec.customer)
    rows = table.connection.execute(
        f"SELECT {name} AS name, {label} AS label{columns} FROM {table.name} WHERE {name} IS NOT NULL "
        f"QUALIFY row_number() OVER (PARTITION BY {name} ORDER BY {order}) = 1 ORDER BY name"
    ).fetchnumpy()
    total, nobody = table.connection.execute(f"SELECT count(*), count(*) - count({name}) FROM {table.name}").fetchone()
    names = [str(one) for one in np.ma.getdata(rows["name"])]
    dropped = {"without_a_customer": nobody, "of_a_customer_who_has_another": total - nobody - len(names)}
    return Customers(
        names=names,
        outcomes=_floats(rows["label"]),
        columns={name: _column(rows[f".{i}"], kind) for i, (name, kind) in enumerate(kinds.items())},
        left_out={}, to_check={}, dropped={why: count for why, count in dropped.items() if count},
    )  # fmt: skip


def _number(table: Table, name: str) -> str:
    if table.kinds.get(name) in (Kind.NUMBER, Kind.BOOL):
        sql = table.number(name)
    else:
        sql = f"TRY_CAST({table.text(name)} AS DOUBLE)"
    return f"CASE WHEN isfinite({sql}) THEN {sql} END"


def _column(found: Any, kind: Kind) -> npt.NDArray[Any]:
    if kind is Kind.NUMBER:
        return _floats(found)
    array = np.array(np.ma.getdata(found), object)
    array[np.ma.getmaskarray(found)] = None
    return array


def _floats(found: Any) -> FloatArray:
    """Return numbers of a column, NaN for those that are missing."""
    return np.ma.filled(np.ma.asarray(found).astype(np.float64), np.nan)
