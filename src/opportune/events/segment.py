"""The wire contract of Segment's tracking API: one item of a call becomes one `Event`, or `BadEvent` says why not."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Set
from datetime import UTC, datetime, timedelta
from typing import Any, cast, get_args

import msgspec

from opportune.clock import EARLIEST, LATEST, format_instant
from opportune.errors import BadEvent
from opportune.events.types import Event, EventType

LARGEST = 32 * 1024
"""The most bytes of JSON in one item."""

TYPES: frozenset[str] = frozenset(get_args(EventType))
NO_IDS: frozenset[str] = frozenset()
SHOWN = {"page": "Page Viewed", "screen": "Screen Viewed"}
_NOBODY = frozenset({"null", "undefined", "anonymous", "-1", "none", "nil", "nan", "[object object]"})


def from_segment(
    item: Mapping[str, Any],
    *,
    received_at: int,
    new_id: Callable[[], str],
    sent_at: int | None = None,
    source: str = "default",
    context: Mapping[str, Any] | None = None,
    integrations: Mapping[str, Any] | None = None,
    blocked: Set[str] = NO_IDS,
) -> Event:
    """Return the event of one item of a tracking call.

    `sent_at`, `context` and `integrations` are those of the batch; the item's own come first. The corrected time is
    received_at - (sent_at - original), where original is the item's `originalTimestamp` or `timestamp`; without a
    `sentAt` it is the original, without an original it is `received_at`, and never is it later than `received_at`.
    A time before 1900 or after 9998 is none.
    Ids that are `meaningless`, or in `blocked` (lower case), count as absent. A missing `messageId` is made by
    `new_id`; one of 100 characters or more is replaced by its hash, so that a retry is still recognized.

    `BadEvent.reason` is one of: bad_shape, bad_type, too_large, bad_id, no_id, no_event, no_previous_id, no_group_id,
    bad_time.

    >>> from_segment({"type": "track", "userId": 7, "event": "Tea Bought"}, received_at=0, new_id=lambda: "m").user_id
    '7'
    """
    raw = _plain(item)
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise BadEvent("bad_type", f"type is {kind!r}; it must be one of {', '.join(sorted(TYPES))}")
    user, anonymous = _known(raw, "userId", blocked), _known(raw, "anonymousId", blocked)
    if user is None and anonymous is None:
        given = {name: raw[name] for name in ("userId", "anonymousId") if raw.get(name) is not None}
        raise BadEvent("no_id", f"neither userId nor anonymousId says who it is (given: {given or 'none'}); send one")
    previous, group = _known(raw, "previousId", blocked), _known(raw, "groupId", blocked)
    if kind == "alias" and previous is None:
        raise BadEvent("no_previous_id", "an alias needs previousId, the id that the customer had before")
    if kind == "group" and group is None:
        raise BadEvent("no_group_id", "a group call needs groupId")
    name = SHOWN.get(kind) or _text(raw, "event")
    if kind == "track" and name is None:
        raise BadEvent("no_event", "a track call needs `event`, the name of what happened, as text")
    own_context = _object(raw, "context")
    traits = _object(raw, "traits")
    if kind == "identify" and isinstance(own_context.get("traits"), dict):
        traits = {**own_context["traits"], **traits}
    original = _time(raw, "originalTimestamp")
    if original is None:
        original = _time(raw, "timestamp")
    sent = sent_of(raw.get("sentAt"), sent_at)
    return Event(
        type=cast(EventType, kind),
        message_id=message_id_of(raw.get("messageId")) or new_id(),
        at=corrected(original, sent, received_at),
        received_at=received_at,
        user_id=user,
        anonymous_id=anonymous,
        previous_id=previous,
        group_id=group,
        event=name,
        name=_text(raw, "name"),
        category=_text(raw, "category"),
        properties=_object(raw, "properties"),
        traits=traits,
        context={**(context or {}), **own_context},
        integrations={**(integrations or {}), **_object(raw, "integrations")},
        source=source,
        original_at=original,
        sent_at=sent,
    )


def to_segment(event: Event) -> dict[str, Any]:
    """Return an event as the tracking API writes it, without empty fields; times are ISO 8601. `from_segment` reads it.

    `timestamp` is the corrected time, `originalTimestamp` what the sender's clock said, `written` what was cast when it
    came.

    >>> to_segment(Event(type="track", message_id="m1", at=0, received_at=0, event="Tea Bought"))["event"]
    'Tea Bought'
    """
    told: dict[str, Any] = {
        "type": event.type,
        "messageId": event.message_id,
        "timestamp": format_instant(event.at),
        "receivedAt": format_instant(event.received_at),
        "originalTimestamp": None if event.original_at is None else format_instant(event.original_at),
        "sentAt": None if event.sent_at is None else format_instant(event.sent_at),
        "userId": event.user_id,
        "anonymousId": event.anonymous_id,
        "previousId": event.previous_id,
        "groupId": event.group_id,
        "event": event.event,
        "name": event.name,
        "category": event.category,
        "properties": event.properties,
        "traits": event.traits,
        "context": event.context,
        "integrations": event.integrations,
        "source": event.source,
        "written": event.written,
    }
    return {name: value for name, value in told.items() if value not in (None, {})}


def meaningless(id_text: object, blocked: Set[str] = NO_IDS) -> bool:
    """Return True for an id that many customers share: empty, `null`, `undefined`, `anonymous`, `-1`, only zeros ...

    Case and surrounding space do not matter; `blocked` holds more such ids in lower case.

    >>> [meaningless(text) for text in ("", "NULL", "0000-0000", "-1", "ana")]
    [True, True, True, True, False]
    """
    if id_text is None:
        return True
    text = str(id_text).strip().lower()
    return text in _NOBODY or text in blocked or not text.strip("0-")


def id_of(value: object) -> str | None:
    """Return an id as text: text without surrounding space, whole numbers as digits; None for anything else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return str(int(value)) if float(value).is_integer() else str(value)


def instant_of(value: object) -> int:
    """Return the instant of ISO 8601 text of any precision and offset (UTC without one), or of an epoch number.

    Epoch numbers, also as text of ten digits or more, are seconds below 1e11, milliseconds below 1e14, microseconds
    below 1e17, nanoseconds from there. Raises ValueError, also for what is not of the years 1900 to 9998 (in UTC).

    >>> instant_of("1970-01-01T01:00:00.000001999+01:00"), instant_of(1.5), instant_of(1_700_000_000_000)
    (1, 1500000, 1700000000000000)
    """
    at = written_instant(value)
    if not EARLIEST <= at < LATEST:
        raise ValueError(f"{value!r} is not of the years 1900 to 9998")
    return at


def written_instant(value: object) -> int:
    """Return the instant that `instant_of` reads, however far away it is. Raises ValueError."""
    if isinstance(value, str):
        text = value.strip()
        if text[4:5] == "-" or not _EPOCH_TEXT.fullmatch(text):
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return (moment - _EPOCH) // _MICROSECOND
        value = float(text) if "." in text else int(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e20:
        raise ValueError(f"{value!r} is not a time")
    size = abs(value)
    if size < 1e11:
        return round(value * 1_000_000)
    if size < 1e14:
        return round(value * 1_000)
    return round(value) if size < 1e17 else int(value) // 1_000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_packer = msgspec.msgpack.Encoder()
_EPOCH_TEXT = re.compile(r"-?\d{10,}(\.\d+)?")


def _plain(item: object) -> dict[str, Any]:
    """Return the item as JSON reads it back: a private copy of plain values, its size known to be within bounds."""
    if not isinstance(item, Mapping):
        raise BadEvent("bad_shape", f"an item is an object with `type` and an id, not {type(item).__name__}")
    try:
        try:
            text = msgspec.json.encode(item)
        except UnicodeEncodeError:
            text = msgspec.json.encode(_without_surrogates(item))
        if len(text) > LARGEST:
            raise BadEvent("too_large", f"the item has {len(text)} bytes of JSON, {LARGEST} are allowed; send less")
        plain: dict[str, Any] = msgspec.json.decode(text)
        try:
            _packer.encode(plain)
        except OverflowError:
            return dict(_bounded(plain))
        return plain
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadEvent("bad_shape", f"the item is not JSON: {error}") from None


def bounded(event: Event) -> Event:
    """Return the event with whole numbers beyond 64 bits as floats, as JavaScript has them.

    >>> big = Event(type="track", message_id="m", at=0, received_at=0, properties={"n": [2**80, 1]})
    >>> bounded(big).properties
    {'n': [1.2089258196146292e+24, 1]}
    """
    fields = ("properties", "traits", "context", "integrations")
    return msgspec.structs.replace(event, **{name: _bounded(getattr(event, name)) for name in fields})


def _bounded(value: Any) -> Any:
    """Return the value with whole numbers beyond 64 bits as floats, as JavaScript has them."""
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else float(value)
    if isinstance(value, dict):
        return {key: _bounded(inner) for key, inner in value.items()}
    return [_bounded(inner) for inner in value] if isinstance(value, list) else value


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {_without_surrogates(key): _without_surrogates(inner) for key, inner in value.items()}
    return [_without_surrogates(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _known(raw: Mapping[str, Any], field: str, blocked: Set[str]) -> str | None:
    value = raw.get(field)
    if value is None:
        return None
    text = id_of(value)
    if text is None:
        raise BadEvent("bad_id", f"{field} is {value!r}; an id is text or a number")
    return None if meaningless(text, blocked) else text


def _text(raw: Mapping[str, Any], field: str) -> str | None:
    value = raw.get(field)
    return (value.strip() or None) if isinstance(value, str) else None


def _object(raw: Mapping[str, Any], field: str) -> dict[str, Any]:
    value = raw.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadEvent("bad_shape", f"{field} is {type(value).__name__}; it must be an object")
    return value


def message_id_of(value: object) -> str | None:
    """Return the messageId that an item gives, hashed if it has 100 characters or more; None where it gives none."""
    text = id_of(value)
    if not text or len(text) < 100:
        return text or None
    return "long-" + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _time(raw: Mapping[str, Any], field: str) -> int | None:
    value = raw.get(field)
    if value is None or value == "":
        return None
    try:
        return instant_of(value)
    except (ValueError, OverflowError):
        raise BadEvent(
            "bad_time",
            f"{field} is {value!r}; write ISO 8601, such as 2026-01-31T12:00:00Z, or epoch milliseconds, of the years "
            "1900 to 9998",
        ) from None


def sent_of(value: object, of_batch: int | None) -> int | None:
    """Return when an item was sent, by its own word or its batch's; None where neither can be read."""
    # A clock that sends no readable time cannot be corrected; the event itself is still true.
    try:
        return of_batch if value is None else instant_of(value)
    except (ValueError, OverflowError):
        return of_batch


def corrected(original: int | None, sent: int | None, received: int) -> int:
    """Return when an item happened, by the clock that received it; raise `BadEvent` if that was before 1900."""
    if original is None:
        return received
    at = min(received, original if sent is None else received - (sent - original))
    if at < EARLIEST:
        raise BadEvent("bad_time", "it was sent centuries after it happened; write both times by the same clock")
    return at
