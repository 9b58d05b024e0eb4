"""The customers of an uplift race, read by DuckDB: one row per customer, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from opportune.catalog.fields import nearest
from opportune.errors import BadCatalog, BadCondition, Problem
from opportune.lab.sources import Table, literal, opened, quoted
from opportune.lab.uplift_spec import UpliftSpec
from opportune.rules import Expression, Kind, parse

FloatArray = npt.NDArray[np.float64]

MOST_ARMS = 20
"""Values of the arm's column that an error names."""


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
    with opened() as connection:
        connection.execute("SET preserve_insertion_order = true")  # folds are drawn by the order of customers
        texts = () if spec.unit is None else (spec.unit,)
        table = Table(connection, "customers", spec.data, lambda what, cure: spec.problem("data", what, cure), texts)
        return _Reader(spec, table).customers()


class _Reader:
    def __init__(self, spec: UpliftSpec, table: Table) -> None:
        self.spec, self.table = spec, table

    def customers(self) -> Customers:
        self.check_names()
        spec, table = self.spec, self.table
        treated, others = self.arms()
        outcome, needed = self.outcome()
        inner = [f"{table.text(spec.arm)} AS {_own('arm')}", *needed]
        inner += [f"{self.predictor(name)} AS {_own(f'p{i}')}" for i, name in enumerate(spec.predictors)]
        if spec.unit is not None:
            inner.append(f"{table.text(spec.unit)} AS {_own('unit')}")
        if isinstance(spec.value, str):
            inner.append(f"{table.number(spec.value)} AS {_own('value')}")
            outcome = f"{outcome} * {_own('value')}"
        table.connection.execute(
            f"CREATE TABLE raced AS SELECT * EXCLUDE ({_own('arm')}), {_own('arm')} = {literal(treated)} AS treated, "
            f"coalesce({outcome}, 0.0) AS outcome FROM (SELECT {', '.join(inner)} FROM customers) "
            f"WHERE {_own('arm')} IN ({literal(spec.control)}, {literal(treated)})"
        )
        left_out = {"of_no_arm_raced": others}
        query = "SELECT * FROM raced"
        if spec.unit is not None:
            query, more = self.units()
            left_out |= more
        found = table.connection.execute(query).fetchnumpy()
        contacted, values = _filled(found["treated"], np.bool_, False), _filled(found["outcome"], np.float64, 0.0)
        if not np.isfinite(values).all():
            self.wrong("outcome", "an outcome is infinite", "mend the data, or leave that customer out")
        names = {False: spec.control, True: treated}
        return Customers(
            treated=contacted,
            outcome=values,
            predictors={name: self.column(name, found[f".p{i}"]) for i, name in enumerate(spec.predictors)},
            arms={names[w]: int((contacted == w).sum()) for w in (False, True)},
            left_out={why: count for why, count in left_out.items() if count},
            worth=1.0 if isinstance(spec.value, str) else spec.value,
        )

    def units(self) -> tuple[str, dict[str, int]]:
        """Return the query of one row per unit, and the rows without a unit and the units in both arms."""
        unit, execute = _own("unit"), self.table.connection.execute
        asked = f"SELECT count(*) FILTER (WHERE {unit} IS NULL), bool_and(outcome IN (0, 1)) FROM raced"
        nobody, binary = execute(asked).fetchall()[0]
        columns = ["bool_or(treated) AS treated", f"{'max' if binary else 'fsum'}(outcome) AS outcome"]
        columns += [f"min({name}) AS {name}" for name in (_own(f"p{i}") for i in range(len(self.spec.predictors)))]
        grouped = f"FROM raced WHERE {unit} IS NOT NULL GROUP BY {unit} HAVING bool_or(treated)"
        crossed = execute(f"SELECT count(*) FROM (SELECT {unit} {grouped} <> bool_and(treated))").fetchall()[0][0]
        query = f"SELECT {', '.join(columns)} {grouped} = bool_and(treated) ORDER BY {unit}"
        return query, {"rows_without_unit": int(nobody), "in_both_arms": int(crossed)}

    def check_names(self) -> None:
        spec, kinds, problems = self.spec, self.table.kinds, list[Problem]()
        for key in ("unit", "arm", "value"):
            name = getattr(spec, key)
            if isinstance(name, str) and name not in kinds:
                problems.append(spec.problem(key, f"there is no column `{name}`", nearest(name, kinds)))
        if isinstance(spec.value, str) and kinds.get(spec.value, Kind.NUMBER) is not Kind.NUMBER:
            what, cure = f"the column `{spec.value}` does not hold numbers", "choose one that does, or write a number"
            problems.append(spec.problem("value", what, cure))
        roles = {spec.arm: "arm", spec.outcome: "outcome", spec.unit: "unit", spec.value: "value"}
        for i, name in enumerate(spec.predictors):
            if name not in kinds:
                what, cure = f"there is no column `{name}`", nearest(name, kinds)
                problems.append(spec.problem("predictors", what, cure, item=i))
            elif name in roles:
                what, cure = f"`{name}` is the {roles[name]}", "a predictor is known before the contact"
                problems.append(spec.problem("predictors", what, cure, item=i))
            elif kinds[name] is Kind.TIME:
                what, cure = f"`{name}` holds times", "make a number of it, such as the days since then"
                problems.append(spec.problem("predictors", what, cure, item=i))
        if problems:
            raise BadCatalog(problems)

    def arms(self) -> tuple[str, int]:
        """Return the value of the treated, and how many rows are of neither arm."""
        spec = self.spec
        asked = f"SELECT {self.table.text(spec.arm)} AS arm, count(*) FROM customers GROUP BY ALL ORDER BY ALL"
        counted = dict(self.table.connection.execute(asked).fetchall())
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
            found = ", ".join(others[:MOST_ARMS]) or "none"
            what = f"`{spec.arm}` has {len(others)} values beside control: {found}"
            self.wrong("arm", what, "say which one is raced against control with `treated:`")
        treated = spec.treated if spec.treated is not None else others[0]
        return treated, sum(counted.values()) - counted[spec.control] - counted[treated]

    def outcome(self) -> tuple[str, list[str]]:
        """Return the SQL of the outcome, and the columns that it reads."""
        spec, kinds = self.spec, self.table.kinds
        if spec.outcome in kinds:
            if kinds[spec.outcome] not in (Kind.NUMBER, Kind.BOOL):
                cure = f"write a condition, such as outcome: {quoted(spec.outcome)} = 'yes'"
                self.wrong("outcome", f"the column `{spec.outcome}` does not hold numbers", cure)
            return _own("outcome"), [f"{self.table.number(spec.outcome)} AS {_own('outcome')}"]
        condition = self.condition()
        for i, name in enumerate(spec.predictors):
            if name in condition.names:
                what, cure = f"`{name}` is part of the outcome", "a predictor is known before the contact"
                raise BadCatalog([spec.problem("predictors", what, cure, item=i)])
        needed = [f"{self.table.typed(name)} AS {quoted(name)}" for name in condition.names]
        return f"CAST({condition.sql('duckdb')} AS DOUBLE)", needed

    def condition(self) -> Expression:
        spec, kinds = self.spec, self.table.kinds
        try:
            return parse(spec.outcome, kinds)
        except BadCondition as bad:
            cure = nearest(spec.outcome, kinds)
            problems = [spec.problem("outcome", p.what, p.cure or cure, at=(p.line, p.column)) for p in bad.problems]
            raise BadCatalog(problems) from None

    def predictor(self, name: str) -> str:
        """Return the SQL of a predictor; a number that is not finite is NULL."""
        if self.table.kinds[name] is Kind.TEXT:
            return self.table.text(name)
        number = self.table.number(name)
        return f"CASE WHEN isfinite({number}) THEN {number} END"

    def column(self, name: str, found: Any) -> npt.NDArray[Any]:
        text = self.table.kinds[name] is Kind.TEXT
        return _filled(found, object, None) if text else _filled(found, np.float64, np.nan)

    def wrong(self, key: str, what: str, cure: str) -> NoReturn:
        raise BadCatalog([self.spec.problem(key, what, cure)])


def _own(name: str) -> str:
    """Return a column's name that no column of the data has: those of conditions cannot begin with a dot."""
    return quoted(f".{name}")


def _filled(found: Any, dtype: Any, missing: Any) -> npt.NDArray[Any]:
    array = np.array(np.ma.getdata(found), dtype)
    array[np.ma.getmaskarray(found)] = missing  # `ma.filled` takes None for "the default", which is "?"
    return array
