"""One row per customer: the arm, what is known of them, and what each metric adds up to."""

from __future__ import annotations

from opportune.catalog.fields import nearest
from opportune.lab.columns import Columns, own
from opportune.lab.sources import literal

MOST_ARMS = 50
"""Values that the column of the arm may have."""

FOREVER = 1 << 60

Known = dict[str, str]
"""The SQL of what is known of a customer, by our name for it: s0, c0."""


class Customers:
    """Makes the table `customers`: arm (its place in `arms`), a column s0 for each segment, and x, d, c of each metric.

    `arms` begins with control; `counted` has their customers, `left_out` who takes no part and why. `strangers`: no
    outcome is of any of them.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns, spec = columns, columns.spec
        table, done = columns.table, columns.done
        self._as_text = spec.outcomes is not None and not done.alike(spec.outcomes.unit, table, spec.unit)
        self._unit = table.key(spec.unit, self._as_text) if spec.unit else "1"
        self.left_out: dict[str, int] = {}
        self.strangers = False
        self.arms = self._find_arms()
        codes = " ".join(f"WHEN {literal(name)} THEN {i}" for i, name in enumerate(self.arms))
        self._arm = f"CAST(CASE {table.text(spec.arm)} {codes} END AS UTINYINT)"
        self._where = f"({self._arm}) IS NOT NULL AND ({self._unit}) IS NOT NULL"
        known = {f"s{i}": table.text(column) for i, column in enumerate(spec.segments)}
        known |= {f"c{i}": table.number(m.covariate) for i, m in enumerate(spec.metrics) if m.covariate}
        crossed = self._from_rows(known) if spec.outcomes is None else self._from_outcomes(known)
        self.left_out |= {"in_several_arms": crossed} if crossed else {}
        rows = columns.connection.execute("SELECT arm, count(*) FROM customers GROUP BY arm").fetchall()
        found = {int(arm): int(n) for arm, n in rows}
        self.counted = {name: found.get(i, 0) for i, name in enumerate(self.arms)}

    def _find_arms(self) -> list[str]:
        columns, spec = self.columns, self.columns.spec
        since = columns.table.instant(spec.at) if spec.outcomes is not None else "0"
        rows = columns.connection.execute(
            f"SELECT {columns.table.text(spec.arm)}, CASE WHEN ({self._unit}) IS NULL THEN 'without_unit' "
            f"WHEN ({since}) IS NULL THEN 'without_time' END, count(*) FROM given GROUP BY ALL"
        ).fetchall()
        names = sorted({str(arm) for arm, _, _ in rows if arm is not None})
        if spec.control not in names:
            columns.wrong(("control",), f"`{spec.arm}` has no value `{spec.control}`", nearest(spec.control, names))
        for arm in spec.split:
            if arm not in names:
                columns.wrong(("split", arm), f"`{spec.arm}` has no value `{arm}`", nearest(arm, names))
        if not 1 < len(names) <= MOST_ARMS:
            cure = "is it the column of the arm?" if len(names) > 1 else "there is nothing to compare it with"
            columns.wrong(("arm",), f"`{spec.arm}` has {len(names)} values", cure)
        for arm, why, n in rows:
            if why is not None or arm is None:
                why = why or "without_arm"
                self.left_out[why] = self.left_out.get(why, 0) + int(n)
        return [spec.control, *(name for name in names if name != spec.control)]

    def _from_rows(self, known: Known) -> int:
        """Add up the rows of each customer; return how many were in several arms."""
        columns = self.columns
        kept = {"unit": self._unit, "arm": self._arm, **known}
        ours = [f"{sql} AS {own(name)}" for name, sql in kept.items()]
        values = [f"{own(name)} AS {name}" for name in kept] + [f"{sql} AS {v}{i}" for i, v, sql in columns.each()]
        rows = f"SELECT {', '.join(values)} FROM ({columns.typed(columns.table, ours)} WHERE {self._where})"
        if not columns.spec.unit:
            columns.create("customers", f"SELECT * EXCLUDE (unit) FROM ({rows})")
            return 0
        summed = [f"min({name}) AS {name}" for name in known]
        summed += [f"{columns.whole(i)}({v}{i}) AS {v}{i}" for i, v, _ in columns.each()]
        columns.create(
            "customers",
            f"SELECT {', '.join(['min(arm) AS arm, min(arm) <> max(arm) AS crossed', *summed])} FROM ({rows}) "
            "GROUP BY unit",
        )
        crossed = int(columns.connection.execute("SELECT count(*) FROM customers WHERE crossed").fetchall()[0][0])
        if crossed:
            columns.connection.execute("DELETE FROM customers WHERE crossed")
        return crossed

    def _from_outcomes(self, known: Known) -> int:
        """Add up what each customer did since their first exposure; return how many were in several arms."""
        columns, spec = self.columns, self.columns.spec
        kept = {"unit": self._unit, "arm": self._arm, "since": columns.table.instant(spec.at), **known}
        rows = ", ".join(f"{sql} AS {own(name)}" for name, sql in kept.items())
        # what was known at the first exposure, and not the first that was ever known
        firsts = "".join(f", arg_min_null({own(name)}, {own('since')}) AS {name}" for name in known)
        columns.create(
            "exposed",
            f"SELECT {own('unit')} AS unit, min({own('since')}) AS since, min({own('arm')}) AS arm, "
            f"min({own('arm')}) <> max({own('arm')}) AS crossed{firsts} "
            f"FROM (SELECT {rows} FROM given WHERE {self._where}) WHERE {own('since')} IS NOT NULL GROUP BY ALL",
        )
        self._sum_outcomes()
        told = "".join(f", {name}" for name in known) + "".join(f", {v}{i}" for i, v, _ in columns.each())
        told += "".join(f", coalesce(c{i}, 0.0) AS c{i}" for i, m in enumerate(spec.metrics) if m.before is not None)
        columns.create("customers", f"SELECT arm{told} FROM exposed LEFT JOIN did USING (unit) WHERE NOT crossed")
        crossed = int(columns.connection.execute("SELECT count(*) FROM exposed WHERE crossed").fetchall()[0][0])
        self.strangers = not columns.connection.execute("SELECT 1 FROM did LIMIT 1").fetchall()
        columns.connection.execute("DROP TABLE did; DROP TABLE exposed")
        return crossed

    def _sum_outcomes(self) -> None:
        """Make the table `did`: x, d, and the c of a span before, of each customer who did anything."""
        columns, spec = self.columns, self.columns.spec
        assert spec.outcomes is not None
        begin = max((m.before or 0) for m in spec.metrics)
        end = max(FOREVER if m.within is None else m.within for m in spec.metrics)
        unit, moment = columns.done.key(spec.outcomes.unit, self._as_text), columns.done.instant(spec.outcomes.at)
        ours = [f"{unit} AS {own('unit')}", f"{moment} AS {own('moment')}"]
        values = [f"{own(name)} AS {name}" for name in ("unit", "moment")]
        values += [f"{sql} AS {v}{i}" for i, v, sql in columns.each()]
        summed = [self._windowed(i, v, begin, end) for i, v, _ in columns.each()]
        summed += [
            f"sum(x{i}) FILTER (moment < since AND moment >= since - {m.before}) AS c{i}"
            for i, m in enumerate(spec.metrics)
            if m.before is not None
        ]
        near = f"moment >= since - {begin}" + ("" if end == FOREVER else f" AND moment < since + {end}")
        columns.create(
            "did",
            f"SELECT unit, {', '.join(summed)} FROM (SELECT {', '.join(values)} FROM "
            f"({columns.typed(columns.done, ours)})) JOIN (SELECT unit, since FROM exposed WHERE NOT crossed) "
            f"USING (unit) WHERE {near} GROUP BY unit",
        )

    def _windowed(self, i: int, v: str, begin: int, end: int) -> str:
        """Return the sum of a value over the metric's own window, within that of all metrics together."""
        metric = self.columns.spec.metrics[i]
        conditions = []
        if metric.after or begin:
            conditions.append(f"moment >= since + {metric.after}")
        if metric.within is not None and metric.within != end:
            conditions.append(f"moment < since + {metric.within}")
        only = f" FILTER ({' AND '.join(conditions)})" if conditions else ""
        return f"{self.columns.whole(i)}({v}{i}){only} AS {v}{i}"
