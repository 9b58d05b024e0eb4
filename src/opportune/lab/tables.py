"""A table of an experiment, summed by DuckDB: one row per customer, then sums by arm.

What a metric is about is added up per customer first, so rows of a customer may lie anywhere: in one file, in a file
for each day, or in a table of outcomes beside that of exposures. A customer without a value counts as 0: whoever was in
the experiment is part of it, whatever they did. How many customers had no value is told (`missing`), since where an
absent value means "not known", such rows are better left out of the table. A covariate that is absent counts as the
mean of the known ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from opportune.catalog.fields import nearest
from opportune.errors import BadCatalog, BadCondition, Problem
from opportune.lab.sources import Table, literal, opened, quoted
from opportune.lab.spec import AnalysisSpec, Measured, Place
from opportune.measure.quantile import Ranks, levels
from opportune.measure.sums import SECOND, THIRD, VARIABLES, Sums
from opportune.rules import Kind, parse

MOST_ARMS, MOST_PARTS = 50, 50
"""Values that the columns of the arm and of a segment may have."""

LARGEST = 1e60
"""Values beyond it cannot be raised to the third power and summed."""

FOREVER = 1 << 60


@dataclass(slots=True)
class Tally:
    """An experiment in sums: customers by arm, who was left out and why, and each metric by arm.

    `parts` has the sums by metric, column of a segment, its value and arm; `missing` the customers without a value.
    """

    arms: dict[str, int]
    left_out: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, dict[str, Sums | Ranks]] = field(default_factory=dict)
    parts: dict[str, dict[str, dict[str, dict[str, Sums]]]] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)


def tally(spec: AnalysisSpec) -> Tally:
    """Return the sums of a spec's data.

    Rows without a customer or without an arm, and customers in several arms, are left out and counted. Raises
    `BadCatalog` with the mistakes that the data show.
    """
    with opened() as connection:
        reader = _Reader(spec, connection)
        counted, left_out = reader.customers()
        found = Tally(counted, left_out)
        reader.look(found)
        reader.sum(found)
        reader.rank(found)
        return found


class _Reader:
    def __init__(self, spec: AnalysisSpec, connection: Any) -> None:
        self.spec, self.connection = spec, connection
        kept = tuple(filter(None, (spec.unit, spec.arm, *spec.segments)))
        self.table = Table(connection, "given", spec.data, lambda *told: spec.problem(("data",), *told), kept)
        self.done, asked = self.table, spec.outcomes
        if asked is not None:
            self.done = Table(
                connection, "done", asked.data, lambda *told: spec.problem(("outcomes", "data"), *told), (asked.unit,)
            )
        self.check_names()
        self.read: set[str] = set()
        self.values = [self.valued(i, metric) for i, metric in enumerate(spec.metrics)]
        self.arms: list[str] = []

    # what the spec names

    def check_names(self) -> None:
        spec, problems = self.spec, list[Problem]()
        named: list[tuple[Place, str, Table]] = [((key,), getattr(spec, key), self.table) for key in ("unit", "arm", "at")]
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
                problems.append(self.text_problem(place, column, table, "give a column of numbers"))
        if problems:
            raise BadCatalog(problems)

    def valued(self, i: int, metric: Measured) -> dict[str, str]:
        """Return the SQL of x and d of a row, NULL where it does not count."""
        condition = self.sql(("metrics", i, "where"), metric.where, Kind.BOOL) if metric.where else ""
        if metric.kind == "ratio":
            found = {
                "x": self.sql(("metrics", i, "numerator"), metric.numerator, Kind.NUMBER),
                "d": self.sql(("metrics", i, "denominator"), metric.denominator, Kind.NUMBER),
            }
        elif not metric.column:
            found = {"x": "1::DOUBLE"}
        else:
            want = Kind.BOOL if metric.kind == "proportion" else Kind.NUMBER
            found = {"x": self.sql(("metrics", i, "column"), metric.column, want)}
            if metric.kind == "proportion":  # NaN is the largest of numbers, and is told as a mistake
                found["x"] = (
                    f"CASE WHEN ({found['x']}) IN (0, 1) THEN ({found['x']}) "
                    f"WHEN ({found['x']}) IS NOT NULL THEN 'NaN'::DOUBLE END"
                )
        return {v: f"CASE WHEN {condition} THEN {sql} END" for v, sql in found.items()} if condition else found

    def sql(self, place: Place, text: str, want: Kind) -> str:
        """Return the SQL of a column, or of an expression of columns, as a number; of a condition for `where`."""
        if text in self.done.kinds and place[-1] != "where":
            if self.done.kinds[text] not in (Kind.NUMBER, Kind.BOOL):
                cure = f"write a condition, such as {place[-1]}: {quoted(text)} = 'yes'"
                raise BadCatalog([self.text_problem(place, text, self.done, cure)])
            self.read.add(text)
            return f"CAST({quoted(text)} AS DOUBLE)"
        try:
            expression = parse(text, self.done.kinds, want)
        except BadCondition as bad:
            cure = nearest(text, self.done.kinds)
            raise BadCatalog(
                [self.spec.problem(place, p.what, p.cure or cure, (p.line, p.column)) for p in bad.problems]
            ) from None
        self.read.update(expression.names)
        return expression.sql("duckdb") if place[-1] == "where" else f"CAST({expression.sql('duckdb')} AS DOUBLE)"

    def text_problem(self, place: Place, column: str, table: Table, cure: str) -> Problem:
        asked = f"SELECT min(v) FROM (SELECT {table.text(column)} AS v FROM {table.name}) WHERE TRY_CAST(v AS DOUBLE) IS NULL"
        odd = self.connection.execute(asked).fetchall()[0][0]
        such = "" if odd is None else f", such as {str(odd)[:40]!r}"
        return self.spec.problem(place, f"the column `{column}` is not of numbers: it holds {table.types[column]}{such}", cure)

    # one row per customer

    def customers(self) -> tuple[dict[str, int], dict[str, int]]:
        """Make the table `customers`: arm (its place in `arms`), s0.., and x, d, c of each metric; return the customers
        by arm, and who was left out."""
        spec, outcomes = self.spec, self.spec.outcomes
        as_text = outcomes is not None and self.table.types[spec.unit] != self.done.types[outcomes.unit]
        unit = self.table.key(spec.unit, as_text) if spec.unit else "1"
        left_out = self.find_arms(unit)
        codes = " ".join(f"WHEN {literal(name)} THEN {i}" for i, name in enumerate(self.arms))
        code = f"CAST(CASE {self.table.text(spec.arm)} {codes} END AS UTINYINT)"
        known = [f"{self.table.text(column)} AS s{i}" for i, column in enumerate(spec.segments)]
        known += [f"{self.table.number(m.covariate)} AS c{i}" for i, m in enumerate(spec.metrics) if m.covariate]
        where = f"{code} IS NOT NULL AND ({unit}) IS NOT NULL"
        if outcomes is None:
            crossed = self.from_rows(unit, code, known, where)
        else:
            crossed = self.from_outcomes(unit, code, known, where, as_text)
        left_out["in_several_arms"] = crossed
        rows = self.connection.execute("SELECT arm, count(*) FROM customers GROUP BY arm").fetchall()
        counted = {int(arm): int(n) for arm, n in rows}
        return (
            {name: counted.get(i, 0) for i, name in enumerate(self.arms)},
            {why: n for why, n in left_out.items() if n},
        )

    def find_arms(self, unit: str) -> dict[str, int]:
        spec = self.spec
        rows = self.connection.execute(
            f"SELECT {self.table.text(spec.arm)}, ({unit}) IS NULL, count(*) FROM given GROUP BY ALL"
        ).fetchall()
        if not rows:
            self.wrong(("data",), f"{spec.data} has no rows", "give customers, with a header")
        names = sorted({str(arm) for arm, nobody, _ in rows if arm is not None})
        if spec.control not in names:
            self.wrong(("control",), f"`{spec.arm}` has no value `{spec.control}`", nearest(spec.control, names))
        for arm in spec.split:
            if arm not in names:
                self.wrong(("split", arm), f"`{spec.arm}` has no value `{arm}`", nearest(arm, names))
        if not 1 < len(names) <= MOST_ARMS:
            cure = "is it the column of the arm?" if len(names) > 1 else "there is nothing to compare it with"
            self.wrong(("arm",), f"`{spec.arm}` has {len(names)} values", cure)
        self.arms = [spec.control, *(name for name in names if name != spec.control)]
        return {
            "without_unit": sum(n for _, nobody, n in rows if nobody),
            "without_arm": sum(n for arm, nobody, n in rows if arm is None and not nobody),
        }

    def from_rows(self, unit: str, code: str, known: list[str], where: str) -> int:
        own = [f"{unit} AS {_own('unit')}", f"{code} AS {_own('arm')}", *known]
        names = [*(f"{_own(name)} AS {name}" for name in ("unit", "arm")), *self.names(known)]
        values = ", ".join([*names, *(f"{sql} AS {v}{i}" for i, v, sql in self.each())])
        rows = f"SELECT {values} FROM ({self.typed(self.table, own)} WHERE {where})"
        if not self.spec.unit:
            self.create("customers", f"SELECT * EXCLUDE (unit), FALSE AS crossed FROM ({rows})")
        else:
            whole = ", ".join([
                *(f"min({name}) AS {name}" for name in self.names(known)),
                *(f"{self.whole(i, v)}({v}{i}) AS {v}{i}" for i, v, _ in self.each()),
            ])  # fmt: skip
            self.create(
                "customers",
                f"SELECT min(arm) AS arm, min(arm) <> max(arm) AS crossed, {whole} FROM ({rows}) GROUP BY unit",
            )
        return self.leave_out_crossed()

    def from_outcomes(self, unit: str, code: str, known: list[str], where: str, as_text: bool) -> int:
        """Sum, for each customer, what they did since their first exposure."""
        spec, outcomes = self.spec, self.spec.outcomes
        assert outcomes is not None
        columns = ", ".join([f"{code} AS arm", f"{self.table.instant(spec.at)} AS since", *known])
        firsts = "".join(f", arg_min({name}, since) AS {name}" for name in self.names(known))
        self.create(
            "exposed",
            f"SELECT unit, min(since) AS since, min(arm) AS arm, min(arm) <> max(arm) AS crossed{firsts} "
            f"FROM (SELECT {unit} AS unit, {columns} FROM given WHERE {where}) WHERE since IS NOT NULL GROUP BY unit",
        )
        crossed = int(self.connection.execute("SELECT count(*) FROM exposed WHERE crossed").fetchall()[0][0])
        begin = max((m.before or 0) for m in spec.metrics)
        end = max(FOREVER if m.within is None else m.within for m in spec.metrics)
        own = [f"{self.done.key(outcomes.unit, as_text)} AS {_own('unit')}",
               f"{self.done.instant(outcomes.at)} AS {_own('moment')}"]  # fmt: skip
        names = [f"{_own(name)} AS {name}" for name in ("unit", "moment")]
        values = ", ".join([*names, *(f"{sql} AS {v}{i}" for i, v, sql in self.each())])
        rows = f"SELECT {values} FROM ({self.typed(self.done, own)})"
        near = f"moment >= since - {begin}" + ("" if end == FOREVER else f" AND moment < since + {end}")
        summed = ", ".join(self.windowed(i, v, begin, end) for i, v, _ in self.each())
        earlier = "".join(
            f", sum(x{i}) FILTER (moment < since AND moment >= since - {m.before}) AS c{i}"
            for i, m in enumerate(spec.metrics)
            if m.before is not None
        )
        self.create(
            "did",
            f"SELECT unit, {summed}{earlier} FROM ({rows}) JOIN (SELECT unit, since FROM exposed WHERE "
            f"NOT crossed) USING (unit) WHERE {near} GROUP BY unit",
        )
        own = "".join(f", {name}" for name in self.names(known))
        did = "".join(f", {v}{i}" for i, v, _ in self.each())
        before = "".join(f", coalesce(c{i}, 0.0) AS c{i}" for i, m in enumerate(spec.metrics) if m.before is not None)
        self.create("customers", f"SELECT arm{own}{did}{before} FROM exposed LEFT JOIN did USING (unit) WHERE NOT crossed")
        self.connection.execute("DROP TABLE did; DROP TABLE exposed")
        return crossed

    def windowed(self, i: int, v: str, begin: int, end: int) -> str:
        metric = self.spec.metrics[i]
        conditions = []
        if metric.after or begin:
            conditions.append(f"moment >= since + {metric.after}")
        if metric.within is not None and metric.within != end:
            conditions.append(f"moment < since + {metric.within}")
        only = f" FILTER ({' AND '.join(conditions)})" if conditions else ""
        return f"{self.whole(i, v)}({v}{i}){only} AS {v}{i}"

    def leave_out_crossed(self) -> int:
        crossed = int(self.connection.execute("SELECT count(*) FROM customers WHERE crossed").fetchall()[0][0])
        if crossed:
            self.connection.execute("DELETE FROM customers WHERE crossed")
        return crossed

    # sums by arm

    def look(self, found: Tally) -> None:
        """Look at the values of all customers together: are they fit to be summed, and what is large?"""
        asked, told = ["count(*)"], [("", 0)]
        for i, v, _ in self.each():
            asked += [f"count({v}{i})", f"min({v}{i})", f"max({v}{i})", f"avg({v}{i})"]
            told += [(what, i) for what in (f"known {v}", f"least {v}", f"most {v}", f"mean {v}")]
        for i in self.covariates():
            asked += [f"avg(c{i})", f"max(abs(c{i}))"]
            told += [("mean c", i), ("most c", i)]
        for i, metric in enumerate(self.spec.metrics):
            if metric.winsorize is not None:
                asked.append(f"quantile_cont(coalesce(x{i}, 0.0), {metric.winsorize!r})")
                told.append(("cap", i))
        row = self.connection.execute(f"SELECT {', '.join(asked)} FROM customers").fetchall()[0]
        self.known = dict(zip(told, row, strict=True))
        for i, metric in enumerate(self.spec.metrics):
            self.check(i, metric)
            if self.spec.outcomes is None and not metric.where:
                absent = int(row[0]) - int(self.known["known x", i])
                found.missing |= {metric.name: absent} if absent else {}

    def check(self, i: int, metric: Measured) -> None:
        key = "numerator" if metric.kind == "ratio" else "column"
        for v, place in (("x", key), ("d", "denominator"), ("c", "covariate")):
            least, most = self.known.get((f"least {v}", i)) or 0.0, self.known.get((f"most {v}", i)) or 0.0
            if metric.kind == "proportion" and v == "x" and most != most:
                cure = "write a condition, such as column: \"x > 0\""
                self.wrong(("metrics", i, place), f"`{metric.column}` has values that are not 0 or 1", cure)
            if not -LARGEST < least <= most < LARGEST:
                shown = metric.covariate if v == "c" else getattr(metric, place)
                what = f"`{shown}` has values that are not finite, or beyond {LARGEST:g}"
                self.wrong(("metrics", i, place), what, "mend the data, or leave those rows out")
            if v == "x" and metric.kind == "count" and least < 0:
                cure = "a count is 0 or more; a mean may be below"
                self.wrong(("metrics", i, place), f"`{metric.column}` has values below 0", cure)

    def sum(self, found: Tally) -> None:
        """Sum all metrics by arm, and by arm and each segment, in one pass."""
        summed = [i for i, metric in enumerate(self.spec.metrics) if metric.kind != "quantile"]
        for metric in self.spec.metrics:
            found.parts[metric.name] = {column: {} for column in self.spec.segments}
        if not summed:
            return
        terms = {i: [t for t in (*VARIABLES, *SECOND, *THIRD) if set(t) <= set(self.variables(i))] for i in summed}
        columns = ", ".join(f"{self.near(i, v)} AS {v}{i}" for i in summed for v in self.variables(i))
        parts = "".join(f", s{k}" for k in range(len(self.spec.segments)))
        products = [f"sum({' * '.join(f'{v}{i}' for v in term)})" for i in summed for term in terms[i]]
        sets = ", ".join(["(arm)", *(f"(arm, s{k})" for k in range(len(self.spec.segments)))])
        which = f"GROUPING_ID({parts[2:]})" if parts else "0"
        rows = self.connection.execute(
            f"SELECT {which}, arm{parts}, count(*), {', '.join(products)} FROM "
            f"(SELECT arm{parts}, {columns} FROM customers) GROUP BY GROUPING SETS ({sets})"
        ).fetchall()
        width = len(self.spec.segments)
        for which, arm, *rest in rows:
            name, n, numbers = self.arms[arm], rest[width], iter(rest[width + 1 :])
            for i in summed:
                sums = Sums.from_powers(int(n), dict(zip(terms[i], numbers)), self.shift(i))
                metric = self.spec.metrics[i].name
                part = next((k for k in range(width) if not which >> (width - 1 - k) & 1), None)
                if part is None:
                    found.metrics.setdefault(metric, {})[name] = sums
                else:
                    column, value = self.spec.segments[part], rest[part]
                    values = found.parts[metric][column]
                    values.setdefault("(missing)" if value is None else str(value), {})[name] = sums
                    if len(values) > MOST_PARTS:
                        what = f"`{column}` has more than {MOST_PARTS} values"
                        self.wrong(("segments", part), what, "segments are few; choose a coarser column")

    def rank(self, found: Tally) -> None:
        for i, metric in enumerate(self.spec.metrics):
            if metric.kind != "quantile":
                continue
            found.metrics[metric.name] = by_arm = {}
            for code, name in enumerate(self.arms):
                asked = levels(found.arms[name], metric.quantile)
                values: list[float] = []
                if asked:
                    values = self.connection.execute(
                        f"SELECT quantile_cont(coalesce(x{i}, 0.0), {asked!r}) FROM customers WHERE arm = {code}"
                    ).fetchall()[0][0]
                by_arm[name] = Ranks(found.arms[name], metric.quantile, tuple(values))

    # parts of SQL

    def typed(self, table: Table, own: list[str]) -> str:
        """Return the query of a table's columns as conditions read them, beside our `own`."""
        columns = [f"{table.typed(column)} AS {quoted(column)}" for column in sorted(self.read)]
        return f"SELECT {', '.join([*own, *columns])} FROM {table.name}"

    def each(self) -> Iterator[tuple[int, str, str]]:
        """Yield (place of the metric, x or d, its SQL in a row)."""
        for i, values in enumerate(self.values):
            for v, sql in values.items():
                yield i, v, sql

    def names(self, known: list[str]) -> list[str]:
        return [sql.rpartition(" AS ")[2] for sql in known]

    def whole(self, i: int, v: str) -> str:
        """Return what makes a customer's value of those of the rows."""
        return "max" if self.spec.metrics[i].kind == "proportion" else "sum"

    def covariates(self) -> list[int]:
        return [i for i, m in enumerate(self.spec.metrics) if m.covariate or m.before is not None]

    def variables(self, i: int) -> str:
        return "x" + "d" * ("d" in self.values[i]) + "c" * (i in self.covariates())

    def near(self, i: int, v: str) -> str:
        """Return the SQL of a value less its shift."""
        shift = self.shift(i)[v]
        if v == "c":
            return f"coalesce(c{i} - {shift!r}, 0.0)"
        value = f"coalesce({v}{i}, 0.0)"
        cap = self.known.get(("cap", i)) if v == "x" else None
        value = value if cap is None else f"least({value}, {cap!r})"
        return f"{value} - {shift!r}" if shift else value

    def shift(self, i: int) -> dict[str, float]:
        """Return about what x, d and c are on average; hits are counted as they are."""
        exact = self.spec.metrics[i].kind == "proportion"
        return {v: 0.0 if exact and v == "x" else float(self.known[f"mean {v}", i] or 0.0) for v in self.variables(i)}

    def create(self, name: str, query: str) -> None:
        import duckdb

        try:
            self.connection.execute(f"CREATE TEMP TABLE {name} AS {query}")
        except (duckdb.DataError, duckdb.OperationalError, duckdb.InvalidInputException) as bad:
            told = " ".join(str(bad).split())[:300]
            place = "data" if self.spec.outcomes is None else "outcomes"
            self.wrong((place,), f"the data cannot be read: {told}", "mend the rows, or give columns of numbers and times")

    def wrong(self, place: Place, what: str, cure: str) -> NoReturn:
        raise BadCatalog([self.spec.problem(place, what, cure)])


def _own(name: str) -> str:
    """Return a name that no column of a table has."""
    return quoted(f"opportune {name}")
