"""How long raw Parquet takes: 10,000,000 exposures of 8,000,000 customers and 50,000,000 outcomes of 10,000,000, each
counted from the customer's first exposure on for 7 days, in five metrics.

The data are made by DuckDB and are no part of the time. The analysis runs in a process of its own, whose largest memory
is told beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from opportune.bench.learn import Figure, figure
from opportune.bench.memory import peak_gib
from opportune.lab.spec import load_analysis

EXPOSURES = 10_000_000
LIFT = 0.1

_LEVEL = "round(exp(((hash(c, 'level') % 1000) / 1000.0 - 0.5) * 4), 2)"
"""What a customer `c` spends: known before, and again in each order."""

SPEC = """
data: exposures.parquet
unit: customer
arm: arm
at: shown
control: old
split: {old: 1, new: 1}
inference: fixed
outcomes: {data: outcomes.parquet, unit: customer, at: at}
within: 7d
metrics:
  - {name: ordered, kind: proportion, where: "event = 'order'"}
  - {name: clicks, kind: count, where: "event = 'click'"}
  - {name: revenue, kind: mean, column: revenue, covariate: history}
  - {name: per_event, kind: ratio, numerator: revenue, denominator: one}
  - {name: large, kind: quantile, quantile: 0.99, column: revenue}
"""


def figures(exposures: int = EXPOSURES) -> list[Figure]:
    """Return `lab_10m_s` and `lab_10m_gib`; they are of that name for 10,000,000 exposures only.

    The spread of the first reaches from half of the CPU time, what it takes on two cores that nobody shares, to the
    time on the clock.
    """
    with TemporaryDirectory(prefix="opportune-bench-") as folder:
        written(Path(folder), exposures)
        found = in_own_process(Path(folder) / "analysis.yaml")
    size = "10m" if exposures == EXPOSURES else f"{exposures}"
    return [
        figure(f"lab_{size}_s", found["seconds"], "s", spread=[found["cpu"] / 2, found["seconds"]]),
        figure(f"lab_{size}_gib", found["gib"], "GiB"),
    ]


def written(folder: Path, exposures: int) -> None:
    """Write exposures, five times as many outcomes and the spec; an arm `new` lifts orders by `LIFT`."""
    import duckdb

    customers = exposures * 8 // 10
    (folder / "analysis.yaml").write_text(SPEC)
    connection = duckdb.connect()
    try:
        connection.execute(f"SET temp_directory = '{folder}'; SET memory_limit = '3GB'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(
            f"""COPY (
                SELECT c AS customer, CASE WHEN hash(c, 'arm') % 2 = 0 THEN 'old' ELSE 'new' END AS arm,
                    TIMESTAMP '2026-01-01' + to_microseconds(CAST(hash(i, 'shown') % 1209600000000 AS BIGINT)) AS shown,
                    {_LEVEL} AS history
                FROM (SELECT i, CAST(CASE WHEN i < {customers} THEN i * 2654435761 % {customers}
                                          ELSE hash(i) % {customers} END AS BIGINT) AS c
                      FROM range({exposures}) AS rows(i))
            ) TO '{folder / "exposures.parquet"}' (FORMAT parquet)"""
        )
        connection.execute(
            f"""COPY (
                SELECT c AS customer,
                    TIMESTAMP '2026-01-01' + to_microseconds(CAST(hash(i, 'at') % 2419200000000 AS BIGINT)) AS at,
                    1 AS one,
                    CASE WHEN u < 0.04 * CASE WHEN hash(c, 'arm') % 2 = 0 THEN 1 ELSE 1 + {LIFT} END THEN 'order'
                         WHEN u < 0.3 THEN 'click' ELSE 'view' END AS event,
                    CASE WHEN event = 'order' THEN round({_LEVEL} * exp((hash(i, 'sum') % 1000) / 500.0), 2)
                         ELSE 0.0 END AS revenue
                FROM (SELECT i, CAST(hash(i, 'who') % {exposures} AS BIGINT) AS c,
                             (hash(i, 'what') % 1000000) / 1e6 AS u
                      FROM range({5 * exposures}) AS rows(i))
            ) TO '{folder / "outcomes.parquet"}' (FORMAT parquet)"""
        )
    finally:
        connection.close()


def in_own_process(spec: Path) -> dict[str, Any]:
    """Return {seconds, gib, answer} of an analysis in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-m", "opportune.bench.lab_tables", str(spec)], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def main(spec: str) -> None:
    from opportune.lab.analysis import analyze

    begin, cpu = time.perf_counter(), os.times()
    told = analyze(load_analysis(spec))
    seconds, after = time.perf_counter() - begin, os.times()
    used = after.user + after.system - cpu.user - cpu.system
    gib = peak_gib()
    print(json.dumps({"seconds": seconds, "cpu": used, "gib": gib, "answer": told}))


if __name__ == "__main__":
    main(sys.argv[1])
