"""An event as the tracking API writes it, for people and programs that read it back."""

from __future__ import annotations

from typing import Any

from opportune.clock import format_instant
from opportune.events.types import Event


def shown(event: Event) -> dict[str, Any]:
    """Return the fields of an event that say something, by their names in the tracking API; times are ISO 8601.

    `timestamp` is the corrected time, `originalTimestamp` what the sender's clock said.

    >>> shown(Event(type="track", message_id="m1", at=0, received_at=0, user_id="ana", event="Tea Bought"))["event"]
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
    }
    return {name: value for name, value in told.items() if value not in (None, {})}
