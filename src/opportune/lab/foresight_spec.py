"""The spec of `opportune clv`, and what the specs of foresight share.

What customers will bring, from their purchases, one row each:

    data: orders.csv                # csv, csv.gz, parquet, a folder or pattern of them, FILE.duckdb:TABLE; relative to
                                    # the spec; ${OPPORTUNE_DATA} is expanded
    customer: customer_id           # column; default: the first there is of customer, customer_id, user_id, ...
    at: date                        # column: a date, a time, or a number such as 19970131; default: date, ...
    value: dollars                  # column: what it was worth; default: value, revenue, ...; there need be none
    until: 1997-09-30               # the day up to which all purchases are there; default: that of the last one
    horizon: 365d                   # how far ahead
    discount: 0.1                   # what a year takes away of a value
    margin: 1.0                     # of what is bought, how much is earned

or from a row for each customer that sums them up, in any unit of time:

    purchases: x                    # columns: repeat purchases, when the last of them was and how long the customer is
    last: t_x                       # known, both since the first purchase
    age: T
    unit: 7d                        # of `last` and `age`
    value: mean                     # column: the mean of the repeat purchases

or from contracts (`discount` is then of a period):

    model: contracts
    periods: tenure                 # column: periods that it lasted, that in which it ended too
    ended: churned                  # column: yes or no, true or false, 1 or 0
    count: customers                # column: how many are like it; default: each row is one
    value: monthly                  # column: what a period is worth
    ahead: 12                       # periods
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar, cast
from zoneinfo import ZoneInfo

import msgspec

from opportune.catalog.fields import Fields
from opportune.catalog.node import Node
from opportune.catalog.spec_file import data_path, read_spec
from opportune.clock import DAY
from opportune.errors import Problem

Found = TypeVar("Found", bound="Spec")


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What every spec has: the table, and where the keys were read from, None for a spec made in code."""

    data: str = ""
    written: Node | None = None

    def problem(self, key: str, what: str, cure: str = "") -> Problem:
        """Return a problem of a key, where it stands; a spec made in code has no place, and the key is named."""
        if self.written is None:
            return Problem(what, cure, file=self.data or key)
        spot = self.written.get(key).spot
        return Problem(what, cure, spot.line, spot.column, spot.file)


class ClvSpec(Spec, frozen=True, kw_only=True):
    """Whose lifetime value to tell; the module's text says what each key means. Instants and spans in microseconds."""

    model: Literal["purchases", "contracts"] = "purchases"
    customer: str = ""
    value: str = ""
    discount: float = 0.1
    margin: float = 1.0
    at: str = ""
    until: int | None = None
    horizon: int = 365 * DAY
    purchases: str = ""
    last: str = ""
    age: str = ""
    unit: int = 7 * DAY
    periods: str = ""
    ended: str = ""
    count: str = ""
    ahead: int = 12


def load_clv(path: str | Path) -> ClvSpec:
    """Return the spec in a YAML file, or for the path of a table the one that takes its columns by their names.

    `data` comes back absolute or relative to the working directory. Raises `BadCatalog` with every mistake at once,
    `BadInput` if the file cannot be read.
    """
    if Path(path).suffix.lower() not in (".yaml", ".yml"):
        return ClvSpec(data=str(path))
    return loaded(path, "the spec", _clv)


def loaded(path: str | Path, what: str, read: Callable[[Fields, Node, Path], Found]) -> Found:
    """Return what a function reads of a YAML file; every mistake at once."""

    def closed(fields: Fields, root: Node, folder: Path) -> Found:
        spec = read(fields, root, folder)
        fields.close()
        return spec

    return read_spec(path, f"a {what.removeprefix('the ')}", "`data:`, the table", closed)


_OF_CONTRACTS = ("periods", "ended", "count", "ahead")
_OF_SUMS = ("purchases", "last", "age", "unit")
_OF_PURCHASES = ("at", "until", "horizon", *_OF_SUMS)


def _clv(fields: Fields, root: Node, folder: Path) -> ClvSpec:
    model = fields.choice("model", ("purchases", "contracts"), "purchases")
    contracts, summed = model == "contracts", "purchases" in fields.values
    spec = ClvSpec(
        data=data_path(fields, "data", folder),
        model=cast(Literal["purchases", "contracts"], model),
        customer=fields.text("customer"),
        value=fields.text("value"),
        discount=fields.number("discount", 0.1, 0.0, 10.0),
        margin=fields.number("margin", 1.0, 0.0, 1e6),
        at=fields.text("at"),
        until=fields.instant("until", ZoneInfo("UTC")),
        horizon=fields.span("horizon", 365 * DAY) or 365 * DAY,
        purchases=fields.text("purchases"),
        last=fields.text("last", required=summed),
        age=fields.text("age", required=summed),
        unit=fields.span("unit", 7 * DAY) or 7 * DAY,
        periods=fields.text("periods", required=contracts),
        ended=fields.text("ended", required=contracts),
        count=fields.text("count"),
        ahead=fields.whole("ahead", 12, low=1),
        written=root,
    )
    for key in _OF_PURCHASES if contracts else _OF_CONTRACTS:
        if key in fields.values:
            other = "purchases" if contracts else "contracts"
            fields.report.error(fields.node.keys[key], f"`{key}` is for `model: {other}`", "remove it")
    for key in ("at", "until") if summed else ("last", "age", "unit"):
        if key in fields.values and not contracts:
            what = "purchases that are not summed up" if summed else "customers whose `purchases` are summed up"
            fields.report.error(fields.node.keys[key], f"`{key}` is for {what}", "remove it")
    return spec
