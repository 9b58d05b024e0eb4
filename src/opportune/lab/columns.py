"""The columns of an experiment's tables: what the spec names is checked, and becomes SQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from opportune.catalog.fields import nearest
from opportune.errors import BadCatalog, BadCondition, Problem
from opportune.lab.sources import Table, quoted
from opportune.lab.spec import AnalysisSpec, Measured, Place
from opportune.rules import Kind, parse


class Columns:
    """The tables of a spec: `table` has the customers, `done` what they did, which may be the same one.

    Metrics go by their place in the spec: metric 0 has the values x0, d0 (of a ratio) and c0 (the covariate).
    """

    def __init__(self, spec: AnalysisSpec, connection: Any) -> None:
        """Raises `BadCatalog` for tables that cannot be read, and for mistakes in the names of columns."""
        self.spec, self.connection = spec, connection
        kept = tuple(filter(None, (spec.unit, spec.arm)))
        self.table = Table(connection, "given", spec.data, lambda *told: spec.problem(("data",), *told), kept)
        self.done, asked = self.table, spec.outcomes
        if asked is not None:
            self.done = Table(
                connection, "done", asked.data, lambda *told: spec.problem(("outcomes", "data"), *told), (asked.unit,)
            )
        if not connection.execute("SELECT 1 FROM given LIMIT 1").fetchall():
            self.wrong(("data",), f"{spec.data} has no rows", "give customers, with a header")
        self._check_names()
        self._read: set[str] = set()
        self._values = [self._valued(i, metric) for i, metric in enumerate(spec.metrics)]

    def typed(self, table: Table, ours: list[str]) -> str:
        """Return the query of a table's columns as conditions read them, beside `ours`."""
        columns = [f"{table.typed(column)} AS {quoted(column)}" for column in sorted(self._read)]
        return f"SELECT {', '.join([*ours, *columns])} FROM {table.name}"

    def each(self) -> Iterator[tuple[int, str, str]]:
        """Yield (place of the metric, x or d, its SQL in a row)."""
        for i, values in enumerate(self._values):
            for v, sql in values.items():
                yield i, v, sql

    def whole(self, i: int) -> str:
        """Return what makes a customer's value of those of the rows."""
        return "max" if self.spec.metrics[i].kind == "proportion" else "sum"

    def covariates(self) -> list[int]:
        """Return the metrics that have a covariate."""
        return [i for i, m in enumerate(self.spec.metrics) if m.covariate or m.before is not None]

    def variables(self, i: int) -> str:
        """Return which of x, d and c a metric has."""
        return "x" + "d" * ("d" in self._values[i]) + "c" * (i in self.covariates())

    def create(self, name: str, query: str) -> None:
        """Make a table of ours; raise `BadCatalog` where the rows cannot be read."""
        import duckdb

        try:
            self.connection.execute(f"CREATE TEMP TABLE {name} AS {query}")
        except (duckdb.DataError, duckdb.OperationalError, duckdb.InvalidInputException) as bad:
            told = " ".join(str(bad).split())[:300]
            place = "data" if self.spec.outcomes is None else "outcomes"
            cure = "mend the rows, or give columns of numbers and times"
            self.wrong((place,), f"the data cannot be read: {told}", cure)

    def wrong(self, place: Place, what: str, cure: str) -> NoReturn:
        """Raise `BadCatalog` with a mistake at a place of the spec."""
        raise BadCatalog([self.spec.problem(place, what, cure)])

    # --- parts

    def _check_names(self) -> None:
        spec, problems = self.spec, list[Problem]()
        named: list[tuple[Place, str, Table]]
        named = [((key,), getattr(spec, key), self.table) for key in ("unit", "arm", "at")]
        named += [(("segments", i), column, self.table) for i, column in enumerate(spec.segments)]
        named += [(("metrics", i, "covariate"), m.covariate, self.table) for i, m in enumerate(spec.metrics)]
        if spec.outcomes is not None:
            named += [(("outcomes", key), getattr(spec.outcomes, key), self.done) for key in ("unit", "at")]
        for place, column, table in named:
            if column and column not in table.kinds:
                problems.append(spec.problem(place, f"there is no column `{column}`", nearest(column, table.kinds)))
            elif column and place[-1] == "at" and table.kinds[column] not in (Kind.TIME, Kind.NUMBER):
                cure = "give a column of times, or of whole microseconds"
                problems.append(spec.problem(place, f"the column `{column}` holds {table.types[column]}", cure))
            elif column and place[-1] == "covariate" and table.kinds[column] not in (Kind.NUMBER, Kind.BOOL):
                problems.append(self._text_problem(place, column, table, "give a column of numbers"))
        if problems:
            raise BadCatalog(problems)

    def _valued(self, i: int, metric: Measured) -> dict[str, str]:
        """Return the SQL of x and d of a row, NULL where it does not count."""
        condition = self._sql(("metrics", i, "where"), metric.where, Kind.BOOL) if metric.where else ""
        if metric.kind == "ratio":
            found = {
                "x": self._sql(("metrics", i, "numerator"), metric.numerator, Kind.NUMBER),
                "d": self._sql(("metrics", i, "denominator"), metric.denominator, Kind.NUMBER),
            }
        elif not metric.column:
            found = {"x": "1::DOUBLE"}
        else:
            want = Kind.BOOL if metric.kind == "proportion" else Kind.NUMBER
            found = {"x": self._sql(("metrics", i, "column"), metric.column, want)}
            if metric.kind == "proportion":  # NaN is the largest of numbers, and is told as a mistake
                found["x"] = (
                    f"CASE WHEN ({found['x']}) IN (0, 1) THEN ({found['x']}) "
                    f"WHEN ({found['x']}) IS NOT NULL THEN 'NaN'::DOUBLE END"
                )
        return {v: f"CASE WHEN {condition} THEN {sql} END" for v, sql in found.items()} if condition else found

    def _sql(self, place: Place, text: str, want: Kind) -> str:
        """Return the SQL of a column, or of an expression of columns, as a number; of a condition for `where`."""
        if text in self.done.kinds and place[-1] != "where":
            if self.done.kinds[text] not in (Kind.NUMBER, Kind.BOOL):
                cure = f"write a condition, such as {place[-1]}: {quoted(text)} = 'yes'"
                raise BadCatalog([self._text_problem(place, text, self.done, cure)])
            self._read.add(text)
            return f"CAST({quoted(text)} AS DOUBLE)"
        try:
            expression = parse(text, self.done.kinds, want)
        except BadCondition as bad:
            cure = nearest(text, self.done.kinds)
            raise BadCatalog(
                [self.spec.problem(place, p.what, p.cure or cure, (p.line, p.column)) for p in bad.problems]
            ) from None
        self._read.update(expression.names)
        return expression.sql("duckdb") if place[-1] == "where" else f"CAST({expression.sql('duckdb')} AS DOUBLE)"

    def _text_problem(self, place: Place, column: str, table: Table, cure: str) -> Problem:
        texts = f"SELECT {table.text(column)} AS v FROM {table.name}"
        asked = f"SELECT min(v) FROM ({texts}) WHERE TRY_CAST(v AS DOUBLE) IS NULL"
        odd = self.connection.execute(asked).fetchall()[0][0]
        such = "" if odd is None else f", such as {str(odd)[:40]!r}"
        what = f"the column `{column}` is not of numbers: it holds {table.types[column]}{such}"
        return self.spec.problem(place, what, cure)


def own(name: str) -> str:
    """Return a name that no column of a table has."""
    return quoted(f"opportune {name}")
