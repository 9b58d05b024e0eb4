"""A table of an experiment, summed by DuckDB: one row per customer, then sums by arm.

What a metric is about is added up per customer first, so rows of a customer may lie anywhere: in one file, in a file
for each day, or in a table of outcomes beside that of exposures. A customer without a value counts as 0: whoever was in
the experiment is part of it, whatever they did. How many customers had no value is told (`missing`), since where an
absent value means "not known", such rows are better left out of the table. A covariate that is absent counts as the
mean of the known ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from opportune.lab.columns import Columns
from opportune.lab.customers import Customers
from opportune.lab.sources import opened
from opportune.lab.spec import AnalysisSpec, Measured
from opportune.measure.quantile import Ranks, levels
from opportune.measure.sums import SECOND, THIRD, VARIABLES, Sums

MISSING_PART = "(missing)"
"""The part of the customers for whom a segment has no value."""

MOST_PARTS = 50
"""Values that the column of a segment may have."""

LARGEST = 1e60
"""Values beyond it cannot be raised to the third power and summed."""


@dataclass(slots=True)
class Tally:
    """An experiment in sums: customers by arm, who was left out and why, and each metric by arm.

    `parts` has the sums by metric, column of a segment, its value and arm; `missing` the customers without a value.
    `strangers`: there is a table of outcomes, and none of them is of a customer.
    """

    arms: dict[str, int]
    left_out: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, dict[str, Sums | Ranks]] = field(default_factory=dict)
    parts: dict[str, dict[str, dict[str, dict[str, Sums]]]] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    strangers: bool = False


def tally(spec: AnalysisSpec) -> Tally:
    """Return the sums of a spec's data.

    Rows without a customer or without an arm, and customers in several arms, are left out and counted. Raises
    `BadCatalog` with the mistakes that the data show.
    """
    with opened() as connection:
        return _Summing(Customers(Columns(spec, connection))).tally()


class _Summing:
    """Sums the table `customers`."""

    def __init__(self, customers: Customers) -> None:
        self.customers, self.columns = customers, customers.columns
        self.spec, self.connection = self.columns.spec, self.columns.connection
        self.known: dict[tuple[str, int], Any] = {}

    def tally(self) -> Tally:
        found = Tally(dict(self.customers.counted), dict(self.customers.left_out), strangers=self.customers.strangers)
        self.look(found)
        self.sum(found)
        self.rank(found)
        return found

    def look(self, found: Tally) -> None:
        """Look at the values of all customers together: are they fit to be summed, and what is large?"""
        asked, told = ["count(*)"], [("", 0)]
        for i, v, _ in self.columns.each():
            asked += [f"count({v}{i})", f"min({v}{i})", f"max({v}{i})", f"avg({v}{i})"]
            told += [(what, i) for what in (f"known {v}", f"least {v}", f"most {v}", f"mean {v}")]
        for i in self.columns.covariates():
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
                self.columns.wrong(("metrics", i, place), f"`{metric.column}` has values that are not 0 or 1", cure)
            if not -LARGEST < least <= most < LARGEST:
                shown = metric.covariate if v == "c" else getattr(metric, place)
                what = f"`{shown}` has values that are not finite, or beyond {LARGEST:g}"
                self.columns.wrong(("metrics", i, place), what, "mend the data, or leave those rows out")
            if v == "x" and metric.kind == "count" and least < 0:
                cure = "a count is 0 or more; a mean may be below"
                self.columns.wrong(("metrics", i, place), f"`{metric.column}` has values below 0", cure)

    def sum(self, found: Tally) -> None:
        """Sum all metrics by arm, and by arm and each segment, in one pass."""
        summed = [i for i, metric in enumerate(self.spec.metrics) if metric.kind != "quantile"]
        for metric in self.spec.metrics:
            found.parts[metric.name] = {column: {} for column in self.spec.segments}
        if not summed:
            return
        had = {i: set(self.columns.variables(i)) for i in summed}
        terms = {i: [t for t in (*VARIABLES, *SECOND, *THIRD) if had[i].issuperset(t)] for i in summed}
        columns = ", ".join(f"{self.near(i, v)} AS {v}{i}" for i in summed for v in self.columns.variables(i))
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
            name, n, numbers = self.customers.arms[arm], rest[width], iter(rest[width + 1 :])
            for i in summed:
                sums = Sums.from_powers(int(n), dict(zip(terms[i], numbers)), self.shift(i))
                metric_name = self.spec.metrics[i].name
                part = next((k for k in range(width) if not which >> (width - 1 - k) & 1), None)
                if part is None:
                    found.metrics.setdefault(metric_name, {})[name] = sums
                else:
                    column, value = self.spec.segments[part], rest[part]
                    values = found.parts[metric_name][column]
                    values.setdefault(_part(value), {})[name] = sums
                    if len(values) > MOST_PARTS:
                        what = f"`{column}` has more than {MOST_PARTS} values"
                        self.columns.wrong(("segments", part), what, "segments are few; choose a coarser column")

    def rank(self, found: Tally) -> None:
        for i, metric in enumerate(self.spec.metrics):
            if metric.kind != "quantile":
                continue
            found.metrics[metric.name] = by_arm = {}
            for code, name in enumerate(self.customers.arms):
                asked = levels(found.arms[name], metric.quantile)
                values: list[float] = []
                if asked:
                    values = self.connection.execute(
                        f"SELECT quantile_cont(coalesce(x{i}, 0.0), {asked!r}) FROM customers WHERE arm = {code}"
                    ).fetchall()[0][0]
                by_arm[name] = Ranks(found.arms[name], metric.quantile, tuple(values))

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
        """Return about what x, d and c are on average; hits and counts are summed as they are."""
        exact = self.spec.metrics[i].kind in ("proportion", "count")
        return {
            v: 0.0 if exact and v == "x" else float(self.known[f"mean {v}", i] or 0.0)
            for v in self.columns.variables(i)
        }


def _part(value: object) -> str:
    """Return a value of a segment as it is told; a text that reads like the word for none is told in quotes."""
    return MISSING_PART if value is None else f'"{value}"' if value == MISSING_PART else str(value)
