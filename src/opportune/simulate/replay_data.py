"""A logged campaign as arrays: the columns that a spec names, checked, in the order of replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from opportune.catalog.fields import nearest
from opportune.errors import BadCatalog, BadCondition, Problem
from opportune.rules import Kind, parse
from opportune.simulate.replay_spec import ReplaySpec
from opportune.simulate.replay_table import Table, quoted

Floats = npt.NDArray[np.float64]

MOST_ACTIONS = 10_000


@dataclass(frozen=True, slots=True)
class Log:
    """The rows of a log in the order of replay.

    `columns` holds each predictor: float64 with NaN (`Kind.NUMBER`, and `BOOL` as 0 and 1) or texts with None.
    `action` are positions in `actions`, sorted texts; `silence` is the position of the one that means nothing was done.
    `value` is what a positive outcome of the row is worth, `probability` that of the logged action in the log; None
    where unknown. `customer` numbers the customers. `left_out` counts the rows whose outcome is NULL.
    """

    kinds: Mapping[str, Kind]
    columns: Mapping[str, npt.NDArray[Any]]
    actions: tuple[str, ...]
    silence: int | None
    action: npt.NDArray[np.int32]
    outcome: npt.NDArray[np.bool_]
    value: Floats
    probability: Floats | None
    customer: npt.NDArray[np.int64] | None
    left_out: int

    def __len__(self) -> int:
        return len(self.outcome)


def read(spec: ReplaySpec) -> Log:
    """Return the log of a spec.

    Every value is read as text without blanks around it; empty text is NULL. A column is one of numbers (99 % of its
    values read as finite numbers; the others, and words such as NA, are NULL), of bools (all are true or false), else
    of texts: so csv and parquet files of equal content give equal logs. Rows with an outcome of NULL are left out.
    `order` sorts by number, time or text, NULL last, equal ones as in the file. Raises `BadCatalog` with the mistakes
    that the data show, in the spec or in themselves.
    """
    table = Table(spec)
    try:
        return _Reader(spec, table).log()
    finally:
        table.close()


class _Reader:
    def __init__(self, spec: ReplaySpec, table: Table) -> None:
        self.spec, self.table = spec, table
        self.problems: list[Problem] = []

    def log(self) -> Log:
        spec = self.spec
        self.check_names()
        outcome = self.outcome()
        order = self.order()
        known = ~np.isnan(outcome)
        rows = order[known[order]]
        if not len(rows):
            self.wrong("outcome", "the outcome is NULL in every row", "choose a column that is filled in")
        self.stop()
        names, silence, action = self.action()
        positive = outcome[rows] == 1.0
        log = Log(
            kinds={name: self.table.kinds[name] for name in spec.predictors},
            columns={name: self.table.column(name)[rows] for name in spec.predictors},
            actions=names,
            silence=silence,
            action=action[rows],
            outcome=positive,
            value=self.amount("value", spec.value, rows, positive),
            probability=None if spec.probability is None else self.amount("probability", spec.probability, rows),
            customer=self.customer(rows),
            left_out=len(outcome) - len(rows),
        )
        self.stop()
        return log

    def check_names(self) -> None:
        """Every column that the spec names must be there, and none may be known only after the action."""
        spec, columns = self.spec, self.table.names
        for i, name in enumerate(spec.predictors):
            if name not in columns:
                self.unknown("predictors", name, i)
            elif name in (spec.action, spec.outcome):
                role = "action" if name == spec.action else "outcome"
                self.wrong("predictors", f"`{name}` is the {role}", "a predictor is known before the action", item=i)
        for key in ("action", "order", "customer", "value", "probability"):
            name = getattr(spec, key)
            if isinstance(name, str) and name not in columns:
                self.unknown(key, name)
        self.stop()

    def outcome(self) -> Floats:
        """Return 1, 0 or NaN (NULL) per row."""
        spec, table = self.spec, self.table
        if spec.outcome in table.names:
            values = table.column(spec.outcome)
            if table.kinds[spec.outcome] is not Kind.TEXT and set(np.unique(values[~np.isnan(values)])) <= {0.0, 1.0}:
                found: Floats = values
                return found
            odd = next(v for v in values if v is not None and v == v and v not in (0.0, 1.0))
            shown = odd if isinstance(odd, str) else f"{odd:g}"
            shape = f"= '{shown}'" if isinstance(odd, str) else "> 0"
            cure = f"write a condition, such as outcome: {quoted(spec.outcome)} {shape}"
            self.wrong("outcome", f"the column `{spec.outcome}` holds {shown}, not just 0 and 1", cure)
            self.stop()
        try:
            condition = parse(spec.outcome, table.kinds)
        except BadCondition as bad:
            for p in bad.problems:
                cure = p.cure or nearest(spec.outcome, table.names)
                self.problems.append(spec.problem("outcome", p.what, cure, at=(p.line, p.column)))
            self.stop()
            raise
        for i, name in enumerate(spec.predictors):
            if name in condition.names:
                self.wrong("predictors", f"`{name}` is part of the outcome", "a predictor is known before it", item=i)
        self.stop()
        return table.truth(condition)

    def order(self) -> npt.NDArray[np.int64]:
        """Return the rows of the file in the order of replay."""
        if self.spec.order is None:
            return np.arange(self.table.rows)
        key = self.table.sortable(self.spec.order)
        if key.dtype == object:
            return np.array(sorted(range(len(key)), key=lambda i: (key[i] is None, key[i] or "")), np.int64)
        return np.argsort(key, kind="stable")

    def action(self) -> tuple[tuple[str, ...], int | None, npt.NDArray[np.int32]]:
        """Return the names of the actions, the position of silence, and what was done per row."""
        spec = self.spec
        if spec.action is None:
            return ("action",), None, np.zeros(self.table.rows, np.int32)
        texts = self.table.texts(spec.action)
        missing = np.flatnonzero([t is None for t in texts])
        if len(missing):
            what = f"`{spec.action}` is empty in {len(missing)} rows, first in row {missing[0] + 1}"
            self.wrong("action", what, "write a word where nothing was done, and name it in `silence`")
            self.stop()
        names, action = np.unique(texts.astype(str), return_inverse=True)
        if len(names) > MOST_ACTIONS:
            cure = f"at most {MOST_ACTIONS:,} can be told apart; choose the column that says what was done"
            self.wrong("action", f"`{spec.action}` has {len(names):,} different values", cure)
        actions = tuple(names.tolist())
        if spec.silence is not None and spec.silence not in actions:
            self.wrong("silence", f"`{spec.action}` has no value `{spec.silence}`", nearest(spec.silence, actions))
        self.stop()
        return actions, None if spec.silence is None else actions.index(spec.silence), action.astype(np.int32)

    def amount(self, key: str, given: float | str, rows: npt.NDArray[np.int64], where: Any = True) -> Floats:
        """Return a number per row of replay; it must be known in the rows `where` it is needed."""
        if not isinstance(given, str):
            return np.full(len(rows), float(given))
        if self.table.kinds[given] is Kind.TEXT:
            self.wrong(key, f"the column `{given}` holds texts", "choose a column of numbers, or write a number")
            return np.zeros(len(rows))
        found: Floats = self.table.column(given)[rows]
        bad = np.isnan(found) if key == "value" else ~((found > 0) & (found <= 1))
        bad = np.flatnonzero(bad & where)
        if len(bad):
            first, must = int(bad[0]), "known where the outcome is positive" if key == "value" else "above 0, at most 1"
            shown = "NULL" if np.isnan(found[first]) else f"{found[first]:g}"
            what = f"`{given}` is {shown} in row {rows[first] + 1} (and {len(bad) - 1} others)"
            self.wrong(key, what, f"it must be {must}")
        return np.where(np.isnan(found), 0.0, found)

    def customer(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | None:
        """Return a number per row that tells its customer from others; one who is not named is alone."""
        if self.spec.customer is None:
            return None
        known: dict[Any, int] = {}
        texts = self.table.texts(self.spec.customer)[rows]
        return np.array([known.setdefault(i if t is None else t, len(known)) for i, t in enumerate(texts)], np.int64)

    def unknown(self, key: str, name: str, item: int | None = None) -> None:
        self.wrong(key, f"the data have no column `{name}`", nearest(name, self.table.names), item=item)

    def wrong(self, key: str, what: str, cure: str, item: int | None = None) -> None:
        self.problems.append(self.spec.problem(key, what, cure, item=item))

    def stop(self) -> None:
        if self.problems:
            raise BadCatalog(sorted(self.problems, key=lambda p: (p.line, p.column)))
