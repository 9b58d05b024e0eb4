"""The customers of an uplift race, read by DuckDB: one row per customer, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from opportune.catalog.fields import nearest
from opportune.errors import BadCatalog, BadCondition, Problem
from opportune.lab.uplift_spec import UpliftSpec
from opportune.rules import Expression, Kind, parse

FloatArray = npt.NDArray[np.float64]

ODD = ("", "NA", "N/A", "na", "n/a", "nan", "NaN", "null", "NULL", "None", "none", "?", "-", ".")
"""What people write for a value that is missing."""

MOST_ARMS = 20
"""Values of the arm's column that an error names."""

_ENDINGS = {".csv": "csv", ".csv.gz": "csv", ".tsv": "csv", ".tsv.gz": "csv", ".parquet": "parquet", ".pq": "parquet"}
_NUMBERS = frozenset(["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
                      "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE"])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Customers:
    """Customers as arrays of one length; `predictors` as `measure.uplift.sample.Sample` takes them.

    `arms` counts those of control and treated by the arm's name, `left_out` what does not take part and why. `worth` is
    what one outcome is worth: 1 where each row's own value is in the outcome already.
    """

    treated: npt.NDArray[np.bool_]
    outcome: FloatArray
    predictors: dict[str, npt.NDArray[Any]]
    arms: dict[str, int]
    left_out: dict[str, int]
    worth: float


def read(spec: UpliftSpec) -> Customers:
    """Return the customers of a spec.

    A number is a number, a bool 0 or 1, anything else a text. An outcome of NULL is 0. Rows without an arm, or of an
    arm that is neither control nor treated, are left out. Where `unit` repeats, a customer's outcome is the largest
    (of 0 and 1) or the sum (of numbers), and a predictor its smallest value; one in both arms is left out. With a unit
    the order of rows makes no difference. Raises `BadCatalog` with the mistakes that the data show.
    """
    import duckdb

    connection = duckdb.connect(config={"autoinstall_known_extensions": False})
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET preserve_insertion_order = true")
        try:
            connection.execute(f"CREATE TABLE raw AS SELECT * FROM {_source(spec, connection)}")
        except duckdb.Error as wrong:
            what = f"{spec.data} cannot be read: {' '.join(str(wrong).split())[:300]}"
            raise BadCatalog([spec.problem("data", what, "is it a whole file, with a header?")]) from None
        return _Reader(spec, connection).customers()
    finally:
        connection.close()


class _Reader:
    def __init__(self, spec: UpliftSpec, connection: Any) -> None:
        self.spec, self.connection = spec, connection
        described = connection.execute("DESCRIBE raw").fetchall()
        self.kinds = {str(name): _kind(str(kind)) for name, kind, *_ in described}

    def customers(self) -> Customers:
        self.check_names()
        treated, others = self.arms()
        outcome = self.outcome()
        self.check_outcome(outcome)
        spec, arm = self.spec, _text(self.spec.arm)
        worth = _number(spec.value) if isinstance(spec.value, str) else "1.0"
        columns = ", ".join([
            f"{arm} = {_literal(treated)} AS treated",
            f"coalesce({outcome} * {worth}, 0.0) AS outcome",
            *(f"{self.typed(name)} AS p{i}" for i, name in enumerate(spec.predictors)),
        ])  # fmt: skip
        where = f"WHERE {arm} IN ({_literal(spec.control)}, {_literal(treated)})"
        left_out = {"other_arms": others}
        if spec.unit is None:
            query = f"SELECT {columns} FROM raw {where}"
        else:
            unit = _text(spec.unit)
            self.connection.execute(f"CREATE VIEW rows AS SELECT {unit} AS unit, {columns} FROM raw {where}")
            query, nobody, crossed = self.units()
            left_out |= {"without_unit": nobody, "in_both_arms": crossed}
        found = self.connection.execute(query).fetchnumpy()
        contacted = _filled(found["treated"], np.bool_, False)
        names = {False: spec.control, True: treated}
        return Customers(
            treated=contacted,
            outcome=_filled(found["outcome"], np.float64, 0.0),
            predictors={name: self.filled(name, found[f"p{i}"]) for i, name in enumerate(spec.predictors)},
            arms={names[w]: int((contacted == w).sum()) for w in (False, True)},
            left_out={why: count for why, count in left_out.items() if count},
            worth=1.0 if isinstance(spec.value, str) else spec.value,
        )

    def filled(self, name: str, found: Any) -> npt.NDArray[Any]:
        return _filled(found, object, None) if self.kinds[name] is Kind.TEXT else _filled(found, np.float64, np.nan)

    def units(self) -> tuple[str, int, int]:
        """Return the query of one row per unit, the rows without a unit, and the units in both arms."""
        asked = "SELECT count(*) FILTER (WHERE unit IS NULL), bool_and(outcome IN (0, 1)) FROM rows"
        nobody, binary = self.connection.execute(asked).fetchall()[0]
        firsts = [f"min(p{i}) AS p{i}" for i in range(len(self.spec.predictors))]
        whole = ", ".join(["max(outcome) AS outcome" if binary else "fsum(outcome) AS outcome", *firsts])
        grouped = "FROM rows WHERE unit IS NOT NULL GROUP BY unit"
        both = f"SELECT count(*) FROM (SELECT unit {grouped} HAVING bool_or(treated) <> bool_and(treated))"
        crossed = int(self.connection.execute(both).fetchall()[0][0])
        alone = "HAVING bool_or(treated) = bool_and(treated) ORDER BY unit"
        return f"SELECT bool_or(treated) AS treated, {whole} {grouped} {alone}", int(nobody), crossed

    def check_names(self) -> None:
        spec, problems = self.spec, list[Problem]()
        for key in ("unit", "arm", "value"):
            name = getattr(spec, key)
            if isinstance(name, str) and name not in self.kinds:
                problems.append(spec.problem(key, f"there is no column `{name}`", nearest(name, self.kinds)))
        if isinstance(spec.value, str) and self.kinds.get(spec.value) is Kind.TEXT:
            problems.append(spec.problem("value", f"the column `{spec.value}` holds texts", "choose one of numbers"))
        roles = {spec.arm: "arm", spec.outcome: "outcome", spec.unit: "unit", spec.value: "value"}
        for i, name in enumerate(spec.predictors):
            if name not in self.kinds:
                what, cure = f"there is no column `{name}`", nearest(name, self.kinds)
                problems.append(spec.problem("predictors", what, cure, item=i))
            elif name in roles:
                what, cure = f"`{name}` is the {roles[name]}", "a predictor is known before the contact"
                problems.append(spec.problem("predictors", what, cure, item=i))
        if problems:
            raise BadCatalog(problems)

    def arms(self) -> tuple[str, int]:
        """Return the value of the treated, and how many rows are of neither arm."""
        spec, arm = self.spec, _text(self.spec.arm)
        counted = dict(self.connection.execute(f"SELECT {arm}, count(*) FROM raw GROUP BY 1 ORDER BY 1").fetchall())
        if not counted:
            self.wrong("data", f"{spec.data} has no rows", "give customers, with a header")
        names = [name for name in counted if name is not None]
        if spec.control not in names:
            cure = nearest(spec.control, names[:MOST_ARMS])
            self.wrong("control", f"`{spec.arm}` has no value `{spec.control}`", cure)
        others = [name for name in names if name != spec.control]
        if spec.treated is not None and spec.treated not in others:
            cure = nearest(spec.treated, others[:MOST_ARMS])
            self.wrong("treated", f"`{spec.arm}` has no value `{spec.treated}` beside control", cure)
        if spec.treated is None and len(others) != 1:
            found = ", ".join(map(str, others[:MOST_ARMS])) or "none"
            what = f"`{spec.arm}` has {len(others)} values beside control: {found}"
            self.wrong("arm", what, "say which one is raced against control with `treated:`")
        treated = spec.treated if spec.treated is not None else others[0]
        return treated, sum(counted.values()) - counted[spec.control] - counted[treated]

    def outcome(self) -> str:
        """Return the SQL of the outcome."""
        spec = self.spec
        if spec.outcome in self.kinds:
            if self.kinds[spec.outcome] is Kind.TEXT:
                cure = f"write a condition, such as outcome: {_quoted(spec.outcome)} = 'yes'"
                self.wrong("outcome", f"the column `{spec.outcome}` holds texts", cure)
            return _number(spec.outcome)
        try:
            condition = parse(spec.outcome, self.kinds)
        except BadCondition as bad:
            cure = nearest(spec.outcome, self.kinds)
            raise BadCatalog(
                [spec.problem("outcome", p.what, p.cure or cure, at=(p.line, p.column)) for p in bad.problems]
            ) from None
        for i, name in enumerate(spec.predictors):
            if name in condition.names:
                what, cure = f"`{name}` is part of the outcome", "a predictor is known before the contact"
                raise BadCatalog([spec.problem("predictors", what, cure, item=i)])
        return self.truth(condition)

    def truth(self, condition: Expression) -> str:
        """Return the SQL of a condition as 1, 0 or NULL, over columns of the kinds that it was parsed with."""
        columns = ", ".join(f"{self.typed(n)} AS {_quoted(n)}" for n in condition.names) or "1"
        return f"(SELECT CAST({condition.sql('duckdb')} AS DOUBLE) FROM (SELECT {columns}))"

    def check_outcome(self, outcome: str) -> None:
        bad = self.connection.execute(f"SELECT count(*) FROM raw WHERE NOT isfinite({outcome})").fetchall()[0][0]
        if bad:
            self.wrong("outcome", f"{bad} outcomes are not finite", "mend the data, or leave those rows out")

    def typed(self, name: str) -> str:
        """Return the SQL of a column as its kind; a number that is not finite is NULL."""
        if self.kinds[name] is Kind.TEXT:
            return _text(name)
        return f"CASE WHEN isfinite({_number(name)}) THEN {_number(name)} END"

    def wrong(self, key: str, what: str, cure: str) -> NoReturn:
        raise BadCatalog([self.spec.problem(key, what, cure)])


def _source(spec: UpliftSpec, connection: Any) -> str:
    """Return the SQL that reads the table; raise `BadCatalog` if there is none, or none that we read."""
    file, _, table = spec.data.rpartition(":")
    if file.lower().endswith((".duckdb", ".db")) and Path(file).is_file():
        connection.execute(f"ATTACH {_literal(file)} AS given (READ_ONLY)")
        return f"given.{_quoted(table)}"
    path = Path(spec.data)
    if not path.is_file():
        raise BadCatalog([spec.problem("data", f"there is no file {spec.data}", "a path is relative to the spec")])
    kind = next((kind for ending, kind in _ENDINGS.items() if path.name.lower().endswith(ending)), "")
    if not kind:
        cure = "give a csv, csv.gz or parquet file, or FILE.duckdb:TABLE"
        raise BadCatalog([spec.problem("data", f"{path.name} is of no kind that can be read", cure)])
    # DuckDB takes *, ? and [ in a path for a pattern
    literal = _literal("".join(f"[{c}]" if c in "*?[" else c for c in str(path)))
    if kind == "parquet":
        return f"read_parquet({literal})"
    missing = ", ".join(map(_literal, ODD))
    return f"read_csv({literal}, header = true, sample_size = -1, nullstr = [{missing}], maximum_line_size = 16777216)"


def _kind(sql: str) -> Kind:
    return Kind.NUMBER if sql in _NUMBERS or sql.startswith("DECIMAL") or sql == "BOOLEAN" else Kind.TEXT


def _number(name: str) -> str:
    return f"CAST(raw.{_quoted(name)} AS DOUBLE)"


def _text(name: str) -> str:
    return f"nullif(trim(CAST(raw.{_quoted(name)} AS VARCHAR)), '')"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _filled(found: Any, dtype: Any, missing: Any) -> npt.NDArray[Any]:
    array = np.array(np.ma.getdata(found), dtype)
    array[np.ma.getmaskarray(found)] = missing  # `ma.filled` takes None for "the default", which is "?"
    return array
