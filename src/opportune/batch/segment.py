"""What a batch decided, as one Parquet file: a row per customer and rank, by pseudonym.

It holds no id that a company knows a customer by: who was forgotten is nobody there too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from opportune.batch.rows import SILENCES, Rows
from opportune.decide.stages.assign import ARMS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "512MB"
"""What DuckDB may take; more goes to a file beside the segment until that is written."""

AT_ONCE = 20_000
"""Rows that are handed to DuckDB at a time: it costs the same for one as for a thousand."""

COLUMNS = {
    "subject": "VARCHAR", "action": "INTEGER", "rank": "USMALLINT", "propensity": "DOUBLE", "baseline": "DOUBLE",
    "context_weight": "DOUBLE", "value": "DOUBLE", "lever": "DOUBLE", "priority": "DOUBLE", "drawn": "DOUBLE",
    "probability": "DOUBLE", "silence": "UTINYINT", "silence_probability": "DOUBLE", "price": "DOUBLE",
    "arm": "UTINYINT", "seed": "UBIGINT",
}  # fmt: skip


class Segment:
    """A file in the making; `segment` opens it."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        self._told: dict[str, Any] | None = None
        self._waiting: list[dict[str, npt.NDArray[Any]]] = []
        connection.execute(f"SET memory_limit = '{MEMORY}'")
        connection.execute(f"CREATE TABLE rows ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})")

    def add(self, rows: Rows) -> None:
        """Add some rows. All rows of a segment are of one placement, instant and flow."""
        actions = rows.plan.actions
        treatments = [a.treatments[t].name for a, t in zip(actions, rows.place.treatment.tolist())]
        self._told = {
            "at": rows.at, "flow": rows.flow, "placement": rows.place.name, "actions": [a.name for a in actions],
            "treatments": treatments, "silences": list(SILENCES.values()), "arms": list(ARMS),
        }  # fmt: skip
        here = rows.chosen >= 0
        here[:, 0] = True  # silence has a row too
        who, rank = np.nonzero(here)
        factors = rows.factors[who, rank]
        chunk = {
            "subject": np.array(rows.subjects, object)[who], "action": rows.chosen[who, rank],
            "rank": np.where(rows.chosen[who, rank] >= 0, rank + 1, 0).astype(np.uint16),
            **{name: np.ascontiguousarray(factors[:, f]) for f, name in enumerate(list(COLUMNS)[3:11])},
            "silence": rows.silence[who], "silence_probability": rows.totals[who, 0], "price": rows.price[who],
            "arm": rows.arm[who], "seed": rows.seeds[who],
        }  # fmt: skip
        self._waiting.append(chunk)
        if sum(len(waiting["rank"]) for waiting in self._waiting) >= AT_ONCE:
            self._insert()

    def _insert(self) -> None:
        if self._waiting:
            chunk = {name: np.concatenate([part[name] for part in self._waiting]) for name in COLUMNS}
            self._waiting.clear()
            self._connection.register("chunk", chunk)
            self._connection.execute("INSERT INTO rows SELECT * FROM chunk")
            self._connection.unregister("chunk")

    def write(self, path: Path) -> None:
        """Write the file."""
        self._insert()
        told = self._told or {"at": 0, "flow": "", "placement": "", "actions": [], "treatments": [], "silences": [],
                              "arms": []}  # fmt: skip
        factors = ", ".join(f"CASE WHEN NOT isnan({name}) THEN {name} END AS {name}" for name in list(COLUMNS)[3:11])
        for name in ("actions", "treatments", "silences", "arms"):
            self._connection.execute(f"SET VARIABLE {name} = ?", [told[name]])
        self._connection.execute(
            f"COPY (SELECT subject, make_timestamp({told['at']}) AS decided_at, {_text(told['flow'])} AS flow, "
            f"{_text(told['placement'])} AS placement, rank, getvariable('actions')[action + 1] AS action, "
            f"getvariable('treatments')[action + 1] AS treatment, {factors}, "
            "nullif(getvariable('silences')[silence + 1], '') AS silence, silence_probability, price, "
            "nullif(getvariable('arms')[arm + 1], '') AS arm, seed "
            f"FROM rows) TO {_text(str(path))} (FORMAT parquet, COMPRESSION zstd)"
        )


@contextmanager
def segment(path: Path) -> Iterator[Segment]:
    """Open a segment that is written when the block ends well, over an older file, readable by its owner alone."""
    import duckdb

    with TemporaryDirectory(prefix=".segment-", dir=path.parent) as folder:
        with closing(duckdb.connect(str(Path(folder) / "rows.duckdb"))) as connection:
            open_segment = Segment(connection)
            yield open_segment
            written = Path(folder) / path.name
            open_segment.write(written)
        written.chmod(0o600)
        written.replace(path)


def written(rows: Iterable[Rows], path: Path) -> int:
    """Write what a batch decided into a Parquet file, whole or not at all; return the number of customers.

    Columns: subject, decided_at, flow, placement, rank (0: silence), action, treatment, the factors of its priority,
    what was drawn and the selection probability; why there was silence and its probability, the price, the standing
    arm, and the seed.
    """
    count = 0
    with segment(path) as file:
        for some in rows:
            file.add(some)
            count += len(some)
    return count


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
