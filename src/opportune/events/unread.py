"""Items of the tracking API that are still JSON: ordinary ones are read in one step, all others as `segment` does.

An item is ordinary if each field has the type that Segment's own clients give it. `from_json` returns for any item what
`from_segment` returns for its values, or raises the same; it only takes a third of the time where it can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from functools import lru_cache
from typing import Any

import msgspec

from opportune.events.segment import (
    LARGEST,
    NO_IDS,
    SHOWN,
    corrected,
    from_segment,
    instant_of,
    meaningless,
    message_id_of,
    sent_of,
)
from opportune.events.types import Event, EventType, Properties


def from_json(
    item: msgspec.Raw,
    *,
    received_at: int,
    new_id: Callable[[], str],
    sent_at: int | None = None,
    source: str = "default",
    context: Mapping[str, Any] | None = None,
    integrations: Mapping[str, Any] | None = None,
    blocked: Set[str] = NO_IDS,
) -> Event:
    """Return the event of one item of a tracking call; arguments and errors are those of `from_segment`.

    Whole numbers inside of properties, traits and context may be beyond 64 bits (`segment.bounded`). Raises
    `msgspec.DecodeError` or `UnicodeDecodeError` where the item is not JSON.

    >>> text = msgspec.Raw(b'{"type": "track", "userId": "ana", "event": "Tea Bought", "properties": {"cups": 2}}')
    >>> from_json(text, received_at=0, new_id=lambda: "m").properties
    {'cups': 2}
    """
    try:
        if len(item) > LARGEST:
            raise ValueError("it may be small without its spaces")
        return _event(_ordinary(item), received_at, new_id, sent_at, source, context, integrations, blocked)
    except (msgspec.ValidationError, ValueError, OverflowError):
        # not an ordinary one: what is wrong with it, if anything, is known there
        return from_segment(
            _any(item), received_at=received_at, new_id=new_id, sent_at=sent_at, source=source, context=context,
            integrations=integrations, blocked=blocked,
        )  # fmt: skip


class _Ordinary(msgspec.Struct, rename="camel"):
    type: EventType
    message_id: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    group_id: str | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    properties: Properties | None = None
    traits: Properties | None = None
    context: Properties | None = None
    integrations: Properties | None = None
    original_timestamp: str | None = None
    timestamp: str | None = None
    sent_at: str | None = None


_ordinary = msgspec.json.Decoder(_Ordinary).decode
_any = msgspec.json.Decoder().decode
_sent_of = lru_cache(maxsize=64)(sent_of)  # most items of a batch were sent at once


def _event(
    read: _Ordinary, received_at: int, new_id: Callable[[], str], sent_at: int | None, source: str,
    context: Mapping[str, Any] | None, integrations: Mapping[str, Any] | None, blocked: Set[str],
) -> Event:  # fmt: skip
    """Return the event; raise ValueError or OverflowError where `from_segment` may have something to say."""
    kind, event, name, category = read.type, read.event, read.name, read.category
    if kind == "alias" or kind == "group":
        raise ValueError(kind)
    user, anonymous, previous, group = read.user_id, read.anonymous_id, read.previous_id, read.group_id
    # a call of a function costs more than the whole of what most fields need
    if user is not None and meaningless(user := user.strip(), blocked):
        user = None
    if anonymous is not None and meaningless(anonymous := anonymous.strip(), blocked):
        anonymous = None
    if previous is not None and meaningless(previous := previous.strip(), blocked):
        previous = None
    if group is not None and meaningless(group := group.strip(), blocked):
        group = None
    if kind == "track":
        event = event.strip() if event else None
    else:
        event = SHOWN.get(kind) or ((event.strip() or None) if event else None)
    if (user is None and anonymous is None) or (kind == "track" and not event):
        raise ValueError("no id, or no event")
    traits, own_context = read.traits or {}, read.context or {}
    if kind == "identify" and isinstance(own_context.get("traits"), dict):
        traits = {**own_context["traits"], **traits}
    time = read.original_timestamp or read.timestamp
    original = instant_of(time) if time else None
    sent = sent_at if read.sent_at is None else _sent_of(read.sent_at, sent_at)
    return Event(
        type=kind,
        message_id=(message_id_of(read.message_id) if read.message_id else None) or new_id(),
        at=received_at if original is None else corrected(original, sent, received_at),
        received_at=received_at,
        user_id=user,
        anonymous_id=anonymous,
        previous_id=previous,
        group_id=group,
        event=event,
        name=(name.strip() or None) if name else None,
        category=(category.strip() or None) if category else None,
        properties=read.properties or {},
        traits=traits,
        context={**context, **own_context} if context else own_context,
        integrations={**integrations, **(read.integrations or {})} if integrations else read.integrations or {},
        source=source,
        original_at=original,
        sent_at=sent,
    )
