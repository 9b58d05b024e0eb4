"""The filters of our own: money, numbers, dates and words as the reader's language writes them.

Missing values give an empty text. A value that cannot be what the filter needs is an error: a message with a wrong
number in it is worse than no message. Imports liquid, so import it lazily.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from liquid import RenderContext
from liquid.exceptions import FilterArgumentError
from liquid.undefined import Undefined

from opportune.deliver.render.languages import locale_of
from opportune.deliver.render.salutation import FORMAL, INFORMAL, greeting

if TYPE_CHECKING:
    from babel import Locale

STYLES = ("short", "medium", "long", "full")
LARGEST = Decimal(10) ** 15
MOST_DIGITS = 6


def money(value: Any, currency: Any = None, *, digits: Any = None, context: RenderContext) -> str:
    """Return an amount of money; the currency is the hub's unless it is named.

    `{{ action.value | money }}`, `{{ 5 | money: "USD" }}`, `{{ 10 | money: digits: 0 }}`
    """
    amount = _number("money", value)
    if amount is None:
        return ""
    code = _given(currency) or context.globals.get("currency") or "EUR"
    if not (isinstance(code, str) and len(code) == 3 and code.isalpha()):
        raise _refused("money", code, "a currency, three letters of ISO 4217")
    return _money(amount, code.upper(), _digits("money", digits), _locale(context))


def number(value: Any, digits: Any = None, *, context: RenderContext) -> str:
    """Return a number with the reader's separators, with so many decimals, or as many as it has up to three."""
    amount = _number("number", value)
    return "" if amount is None else _decimal(amount, _digits("number", digits), "", _locale(context))


def percent(value: Any, digits: Any = 0, *, context: RenderContext) -> str:
    """Return a share as percent: 0.2 is 20 %."""
    amount = _number("percent", value)
    return "" if amount is None else _decimal(amount, _digits("percent", digits), "%", _locale(context))


def date_(value: Any, style: Any = "medium", *, context: RenderContext) -> str:
    """Return the date of an instant, in the customer's time zone: short, medium, long or full."""
    moment = _moment("date", value, context)
    return "" if moment is None else _date(moment, _style("date", style), _locale(context))


def time(value: Any, style: Any = "short", *, context: RenderContext) -> str:
    """Return the time of day of an instant, in the customer's time zone."""
    from babel.dates import format_time

    moment = _moment("time", value, context)
    if moment is None:
        return ""
    return format_time(_instant("time", moment), _style("time", style), None, _locale(context))


def datetime_(value: Any, style: Any = "medium", *, context: RenderContext) -> str:
    """Return date and time of an instant, in the customer's time zone; nobody needs the seconds."""
    from babel.dates import format_time, get_datetime_format

    moment = _moment("datetime", value, context)
    if moment is None:
        return ""
    at, how, locale = _instant("datetime", moment), _style("datetime", style), _locale(context)
    pattern = str(get_datetime_format(how, locale=locale)).replace("'", "")
    parts = format_time(at, "short", None, locale), _date(at, how, locale)
    return pattern.replace("{0}", parts[0]).replace("{1}", parts[1])


def salutation(value: Any, manner: Any = "", *, context: RenderContext) -> str:
    """Return the greeting of a customer: `{{ customer | salutation }},`; `manner` may be formal or informal."""
    wanted = str(_given(manner) or "")
    if wanted and wanted not in FORMAL | INFORMAL:
        raise _refused("salutation", wanted, "formal or informal")
    if not isinstance(value, Mapping | Undefined) and value is not None:
        raise _refused("salutation", value, "the customer: `{{ customer | salutation }}`")
    known = value if isinstance(value, Mapping) and type(value) is not Undefined else {}
    return greeting(known, _language(context), wanted)


def plural(value: Any, one: Any = None, other: Any = None, *, context: RenderContext, **forms: Any) -> str:
    """Return the word that goes with a number: `{{ n | plural: "day", "days" }}`.

    Languages with more forms name them: `plural: one: "dzień", few: "dni", many: "dni", other: "dnia"` (CLDR).
    """
    amount = _number("plural", value)
    if amount is None:
        return ""
    given = {"one": _given(one), "other": _given(other), **{name: _given(form) for name, form in forms.items()}}
    rule = _locale(context).plural_form(abs(amount))
    chosen = given.get(rule)
    if chosen is None:
        chosen = given["other"] if given["other"] is not None else given["one"]
    return "" if chosen is None else str(chosen)


def list_(value: Any, style: Any = "and", *, context: RenderContext) -> str:
    """Return several things as a sentence says them: "a, b and c"; with "or" the other way."""
    from babel.lists import format_list

    items = value if isinstance(value, list | tuple | range) else [value]
    words = [str(item) for item in items if item is not None and type(item) is not Undefined and str(item)]
    if style not in ("and", "or"):
        raise _refused("list", style, "`and` or `or`")
    joined = format_list(words, "standard" if style == "and" else "or", locale=_locale(context)) if words else ""
    return joined.replace(", and ", " and ") if len(words) == 2 else joined


def initial(value: Any) -> str:
    """Return the first letter with a dot: `M.` of Maya."""
    words = str(value).split() if value is not None and type(value) is not Undefined else []
    return f"{words[0][0].upper()}." if words else ""


def _with_context(work: Callable[..., Any]) -> Callable[..., Any]:
    work.with_context = True  # type: ignore[attr-defined]
    return work


FILTERS: dict[str, Callable[..., Any]] = {
    "initial": initial,
    **{
        name: _with_context(work)
        for name, work in (("money", money), ("number", number), ("percent", percent), ("date", date_), ("time", time),
                           ("datetime", datetime_), ("salutation", salutation), ("plural", plural), ("list", list_))
    },
}  # fmt: skip


def _given(value: Any) -> Any:
    return None if type(value) is Undefined else value


def _customer(context: RenderContext, key: str) -> str:
    customer = context.globals.get("customer")
    value = customer.get(key) if type(customer) is dict else None
    return value if type(value) is str else ""


def _language(context: RenderContext) -> str:
    return str(getattr(context.env, "language", "en"))


def _locale(context: RenderContext) -> Locale:
    return locale_of(_language(context), _customer(context, "locale"))


def _refused(name: str, value: Any, must: str) -> FilterArgumentError:
    return FilterArgumentError(f"`{name}` got {str(value)[:60]!r}; give it {must}", token=None)


def _number(name: str, value: Any) -> Decimal | None:
    """Return a number, or a text that is one; None for what is missing."""
    if type(value) is int and -(10**15) <= value <= 10**15:
        return Decimal(value)
    if value is None or type(value) is Undefined or value == "":
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise _refused(name, value, "a number")
    if isinstance(value, str) and len(value) > 40:
        raise _refused(name, value, "a number")
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise _refused(name, value, "a number") from None
    if not amount.is_finite() or abs(amount) > LARGEST:
        raise _refused(name, value, f"a number up to {LARGEST:.0e}")
    return amount


def _digits(name: str, value: Any) -> int | None:
    value = _given(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_DIGITS:
        raise _refused(name, value, f"0 to {MOST_DIGITS} digits")
    return value


def _style(name: str, value: Any) -> Any:
    if value not in STYLES:
        raise _refused(name, value, f"one of {', '.join(STYLES)}")
    return str(value)


def _moment(name: str, value: Any, context: RenderContext) -> date | None:
    """Return a date, or an instant in the customer's zone; None for what is missing.

    Takes ISO 8601 (a date alone stays that date everywhere) and numbers since 1970: seconds, milliseconds or
    microseconds, told apart by size. A time without an offset is the customer's own.
    """
    if value is None or type(value) is Undefined or value == "":
        return None
    zone = _zone(_customer(context, "time_zone"))
    if value == "now":
        value = context.globals.get("now") or ""
    try:
        if isinstance(value, str):
            return _read(value.strip(), zone)
        if isinstance(value, int | float) and not isinstance(value, bool):
            size = abs(value)
            seconds = value / (1 if size < 1e11 else 1e3 if size < 1e14 else 1e6)
            return datetime.fromtimestamp(seconds, UTC).astimezone(zone)
    except (ValueError, OverflowError, OSError):
        pass
    raise _refused(name, value, "a date or time of ISO 8601, such as 2026-01-31T12:00:00Z")


@lru_cache(maxsize=1024)
def _read(text: str, zone: ZoneInfo) -> date:
    if len(text) == 10:
        return date.fromisoformat(text)
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=zone) if found.tzinfo is None else found.astimezone(zone)


def _instant(name: str, moment: date) -> datetime:
    if not isinstance(moment, datetime):
        raise _refused(name, moment, "a time; this is a date alone")
    return moment


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@lru_cache(maxsize=1024)
def _date(moment: date, style: Any, locale: Locale) -> str:
    from babel.dates import format_date

    return format_date(moment, style, locale)


@lru_cache(maxsize=10_000)
def _money(amount: Decimal, currency: str, digits: int | None, locale: Locale) -> str:
    from babel.numbers import format_currency, get_currency_precision

    places = get_currency_precision(currency) if digits is None else digits
    pattern = _with_digits(locale.currency_formats["standard"].pattern, places)
    return format_currency(amount, currency, pattern, locale=locale, currency_digits=False)


@lru_cache(maxsize=10_000)
def _decimal(amount: Decimal, digits: int | None, sign: str, locale: Locale) -> str:
    from babel.numbers import format_decimal, format_percent

    pattern = (locale.percent_formats if sign else locale.decimal_formats)[None].pattern
    if digits is not None:
        pattern = _with_digits(pattern, digits)
    return (format_percent if sign else format_decimal)(amount, pattern, locale=locale)


def _with_digits(pattern: str, digits: int) -> str:
    """Return a number pattern of CLDR with so many decimals."""
    return re.sub(r"0(?:\.[0#]+)?", f"0.{'0' * digits}" if digits else "0", pattern)
