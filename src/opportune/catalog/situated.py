"""The built-in names that belong to a request and not to the customer: channel, placement, hour, weekday, now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from opportune.clock import SECOND
from opportune.rules import Kind, Layout, Name, Row, Value

BUILT_INS = (
    Name("channel", Kind.TEXT),
    Name("placement", Kind.TEXT),
    Name("hour", Kind.NUMBER),
    Name("weekday", Kind.NUMBER),
    Name("now", Kind.TIME),
)


def situated(
    layout: Layout, row: Row, context: Mapping[str, Value], channel: str, placement: str, at: int, time_zone: str
) -> Row:
    """Return a copy of a customer's row with what belongs to the request; the rest of `context` must be declared."""
    row = row.copy()
    for name, value in context.items():
        layout.put(row, name, value)
    slot, codes, numbers, texts = layout.slot, layout.codes, row.numbers, row.texts
    for name, text in (("channel", channel), ("placement", placement)):
        numbers[slot[name]], texts[slot[name]] = codes.get(text, -1), text
    numbers[slot["hour"]], numbers[slot["weekday"]] = local_hour(at // (60 * SECOND), time_zone)
    numbers[slot["now"]] = at
    return row


@lru_cache(maxsize=4096)
def local_hour(minute: int, zone: str) -> tuple[int, int]:
    """Return the hour (0 to 23) and the weekday (1 is Monday) of a minute since 1970 in a time zone."""
    moment = datetime.fromtimestamp(minute * 60, UTC).astimezone(ZoneInfo(zone))
    return moment.hour, moment.isoweekday()
