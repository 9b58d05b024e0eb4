"""The journeys of a table, summed by DuckDB: each different path once, checked."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

import numpy as np

from opportune.catalog.fields import nearest
from opportune.errors import BadCatalog, BadInput
from opportune.lab.attribution_spec import AttributionSpec
from opportune.lab.sources import Table, literal, opened, quoted
from opportune.measure.attribution.paths import Paths
from opportune.rules import Kind

KEYS = ("conversions", "value", "nulls")


class Journeys(NamedTuple):
    """Paths, and how much of what was not used: rows without a channel, and their conversions."""

    paths: Paths
    left_out: dict[str, float]


def read(spec: AttributionSpec) -> Journeys:
    """Return the journeys of a spec's file.

    A count that is absent is 0. Rows whose path names no channel are left out and told. Raises `BadCatalog` with the
    mistakes that the data show.
    """
    with opened() as connection:
        table = Table(connection, "given", spec.data, lambda *told: spec.problem("data", *told), (spec.path,))
        return _Reader(spec, connection, table).journeys()


class _Reader:
    def __init__(self, spec: AttributionSpec, connection: Any, table: Table) -> None:
        self.spec, self.connection, self.table = spec, connection, table

    def journeys(self) -> Journeys:
        self.check_names()
        text = f"coalesce(CAST({quoted(self.spec.path)} AS VARCHAR), '')"
        counts = {key: self.counted(key) for key in KEYS}
        sums = ", ".join(
            f"sum({sql}) AS {key}, min({sql}) AS least_{key}, max({sql}) AS most_{key}" for key, sql in counts.items()
        )
        self.connection.execute(f"CREATE TABLE written AS SELECT {text} AS path, {sums} FROM given GROUP BY ALL")
        self.check_counts()
        try:
            return self.split()
        except BadInput as bad:
            what, _, cure = str(bad).partition("; ")
            self.wrong("value", what, cure)

    def split(self) -> Journeys:
        """Return the paths of the table `written`, whose touches DuckDB splits and numbers."""
        apart = f"string_split(path, {literal(self.spec.separator)})"
        # paths in the order of their texts, so that sums are the same to the bit from run to run
        self.connection.execute(
            "CREATE TABLE numbered AS SELECT row_number() OVER (ORDER BY path) - 1 AS number, * FROM written; "
            f"CREATE TABLE touches AS SELECT number, unnest({apart}) AS part, generate_subscripts({apart}, 1) AS place "
            "FROM numbered; "
            "CREATE TABLE parts AS SELECT part, row_number() OVER (ORDER BY part) - 1 AS code "
            "FROM (SELECT DISTINCT part FROM touches)"
        )
        parts = [str(part).strip() for (part,) in self.fetch("SELECT part FROM parts ORDER BY code").fetchall()]
        channels = tuple(sorted(set(parts) - {""}))
        number = {name: i for i, name in enumerate(channels)}
        touches = self.fetch(
            "SELECT number, CAST(code AS INTEGER) AS code FROM touches JOIN parts USING (part) ORDER BY number, place"
        ).fetchnumpy()
        channel = np.array([number.get(part, -1) for part in parts], np.int32)[_array(touches["code"], np.int32)]
        met = channel >= 0
        rows = self.fetch(f"SELECT {', '.join(KEYS)} FROM numbered ORDER BY number").fetchnumpy()
        counts = [_array(rows[key], np.float64) for key in KEYS]
        lengths = np.bincount(_array(touches["number"], np.int64)[met], minlength=len(counts[0]))
        named = lengths > 0
        starts = np.concatenate(([0], np.cumsum(lengths[named])))
        paths = Paths(channels, channel[met], starts, *(each[named] for each in counts))
        lost = {key: float(each[~named].sum()) for key, each in zip(KEYS, counts) if key != "value"}
        return Journeys(paths, {f"{key}_without_a_channel": count for key, count in lost.items() if count})

    def check_names(self) -> None:
        spec, kinds = self.spec, self.table.kinds
        if not self.fetch("SELECT 1 FROM given LIMIT 1").fetchall():  # an empty csv has columns of no kind
            self.wrong("data", f"{spec.data} has no rows", "give journeys, with a header")
        problems = []
        for key in ("path", "conversions", "value", "nulls"):
            column = getattr(spec, key)
            if column and column not in kinds:
                problems.append(spec.problem(key, f"there is no column `{column}`", nearest(column, kinds)))
            elif column and key != "path" and kinds[column] not in (Kind.NUMBER, Kind.BOOL):
                what = f"the column `{column}` is not of numbers: it holds {self.table.types[column]}"
                problems.append(spec.problem(key, what, "give a column of counts"))
        if problems:
            raise BadCatalog(problems)

    def counted(self, key: str) -> str:
        """Return the SQL of a count of a row: without a column, each row is one conversion, and nothing else."""
        column = getattr(self.spec, key)
        if column:
            return f"coalesce(CAST({quoted(column)} AS DOUBLE), 0.0)"
        return "1::DOUBLE" if key == "conversions" else "0::DOUBLE"

    def check_counts(self) -> None:
        ends = ", ".join(f"min(least_{key}), max(most_{key})" for key in KEYS)
        found = self.fetch(f"SELECT {ends} FROM written").fetchall()[0]
        for key, least, most in zip(KEYS, found[::2], found[1::2]):
            what = f"the column `{getattr(self.spec, key)}` has"
            if least < 0:
                back = "take what came back from the conversion it belongs to"
                self.wrong(key, f"{what} {least:g}", back if key == "value" else "a count is 0 or more")
            if not np.isfinite(most):  # NaN is the largest of numbers
                self.wrong(key, f"{what} {most:g}", "give finite numbers")

    def fetch(self, query: str) -> Any:
        return self.connection.execute(query)

    def wrong(self, key: str, what: str, cure: str) -> NoReturn:
        raise BadCatalog([self.spec.problem(key, what, cure)])


def _array(found: Any, dtype: Any) -> Any:
    return np.ma.getdata(found).astype(dtype)
