"""The functions that a condition may call: one table with their types, Python, DuckDB and Spark.

Only functions on which all three agree to the bit are here. Logarithms and powers, for one, differ in the last digit
between mathematical libraries, and the rounding of `round(x, 2)` between engines. A function of NULL is NULL, except
coalesce, least, greatest (which skip NULLs, and are NULL when all are) and nullif.

In the SQL texts `{0}` and `{1}` are the arguments and `{all}` all of them. Times are microseconds in a double, and a
calendar function of an instant beyond 2**53 of them (before 1684 or after 2255) is NULL.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from opportune.rules.layout import Kind, Value

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER = _UPPER.lower()
_TO_LOWER = str.maketrans(_UPPER, _LOWER)
_TO_UPPER = str.maketrans(_LOWER, _UPPER)
_DAY = 86_400_000_000
_EXACT = 2.0**53


@dataclass(frozen=True, slots=True)
class Function:
    """A function. `params` and `result` of None mean any kind, the same one wherever None stands.

    `python` gets values without NULL when `strict`, and gives None for NULL. `more`: the last parameter may repeat.
    """

    name: str
    params: tuple[Kind | None, ...]
    result: Kind | None
    python: Callable[..., Value]
    duckdb: str
    spark: str
    strict: bool = True
    more: bool = False


def _round(x: float) -> float:
    """Round half away from zero."""
    whole = math.floor(abs(x))
    return math.copysign(whole + (abs(x) - whole >= 0.5), x)


def _least(*values: Value) -> Value:
    return min((v for v in values if v is not None), default=None)


def _greatest(*values: Value) -> Value:
    return max((v for v in values if v is not None), default=None)


def _coalesce(*values: Value) -> Value:
    return next((v for v in values if v is not None), None)


def _calendar(read: Callable[[date], int]) -> Callable[[float], float | None]:
    def of(at: float) -> float | None:
        return float(read(date.fromordinal(719_163 + math.floor(at / _DAY)))) if abs(at) <= _EXACT else None

    return of


def _hour(at: float) -> float | None:
    return float(math.floor((at - math.floor(at / _DAY) * _DAY) / 3.6e9)) if abs(at) <= _EXACT else None


def _days_between(start: float, end: float) -> float | None:
    return float(math.floor((end - start) / _DAY)) if abs(start) <= _EXACT and abs(end) <= _EXACT else None


_B, _N, _S, _T = Kind.BOOL, Kind.NUMBER, Kind.TEXT, Kind.TIME
_WITHIN = "CASE WHEN abs({0}) <= 9007199254740992e0 THEN CAST(%s AS DOUBLE) END"
_DATE = "DATE '1970-01-01' + CAST(floor({0} / 86400000000e0) AS INTEGER)"
_SPARK_DATE = "date_add(DATE '1970-01-01', CAST(floor({0} / 86400000000e0) AS INT))"
_HOUR = _WITHIN % "floor(({0} - floor({0} / 86400000000e0) * 86400000000e0) / 3600000000e0)"
_DAYS = (
    "CASE WHEN abs({0}) <= 9007199254740992e0 AND abs({1}) <= 9007199254740992e0 "
    "THEN CAST(floor(({1} - {0}) / 86400000000e0) AS DOUBLE) END"
)
# Spark's floor and ceil give a BIGINT; every double from 2**52 on is whole.
_SPARK_WHOLE = "CASE WHEN abs({0}) < 4503599627370496e0 THEN CAST(%s({0}) AS DOUBLE) ELSE {0} END"
_SQRT = "CASE WHEN {0} >= 0e0 THEN sqrt({0}) END"
_LOWER_SQL = f"translate({{0}}, '{_UPPER}', '{_LOWER}')"
_UPPER_SQL = f"translate({{0}}, '{_LOWER}', '{_UPPER}')"

FUNCTIONS: dict[str, Function] = {
    f.name: f
    for f in (
        Function("abs", (_N,), _N, abs, "abs({0})", "abs({0})"),
        Function("round", (_N,), _N, _round, "round({0})", "round({0})"),
        Function("floor", (_N,), _N, lambda x: float(math.floor(x)), "floor({0})", _SPARK_WHOLE % "floor"),
        Function("ceil", (_N,), _N, lambda x: float(math.ceil(x)), "ceil({0})", _SPARK_WHOLE % "ceil"),
        Function("sqrt", (_N,), _N, lambda x: math.sqrt(x) if x >= 0 else None, _SQRT, _SQRT),
        Function("least", (None, None), None, _least, "least({all})", "least({all})", False, True),
        Function("greatest", (None, None), None, _greatest, "greatest({all})", "greatest({all})", False, True),
        Function("coalesce", (None, None), None, _coalesce, "coalesce({all})", "coalesce({all})", False, True),
        Function("nullif", (None, None), None, lambda a, b: None if a == b else a,
                 "nullif({0}, {1})", "nullif({0}, {1})", False),
        Function("||", (_S, _S), _S, lambda a, b: a + b, "({0} || {1})", "({0} || {1})"),
        Function("length", (_S,), _N, lambda s: float(len(s)),
                 "CAST(length({0}) AS DOUBLE)", "CAST(length({0}) AS DOUBLE)"),
        Function("lower", (_S,), _S, lambda s: s.translate(_TO_LOWER), _LOWER_SQL, _LOWER_SQL),
        Function("upper", (_S,), _S, lambda s: s.translate(_TO_UPPER), _UPPER_SQL, _UPPER_SQL),
        Function("trim", (_S,), _S, lambda s: s.strip(" "), "trim({0}, ' ')", "trim(BOTH ' ' FROM {0})"),
        Function("starts_with", (_S, _S), _B, str.startswith, "starts_with({0}, {1})", "startswith({0}, {1})"),
        Function("ends_with", (_S, _S), _B, str.endswith, "ends_with({0}, {1})", "endswith({0}, {1})"),
        Function("contains", (_S, _S), _B, str.__contains__, "contains({0}, {1})", "contains({0}, {1})"),
        Function("year", (_T,), _N, _calendar(lambda d: d.year),
                 _WITHIN % f"year({_DATE})", _WITHIN % f"year({_SPARK_DATE})"),
        Function("month", (_T,), _N, _calendar(lambda d: d.month),
                 _WITHIN % f"month({_DATE})", _WITHIN % f"month({_SPARK_DATE})"),
        Function("day", (_T,), _N, _calendar(lambda d: d.day),
                 _WITHIN % f"day({_DATE})", _WITHIN % f"day({_SPARK_DATE})"),
        Function("dayofweek", (_T,), _N, _calendar(lambda d: d.isoweekday() % 7),
                 _WITHIN % f"dayofweek({_DATE})", _WITHIN % f"(dayofweek({_SPARK_DATE}) - 1)"),
        Function("hour", (_T,), _N, _hour, _HOUR, _HOUR),
        Function("days_between", (_T, _T), _N, _days_between, _DAYS, _DAYS),
    )
}
