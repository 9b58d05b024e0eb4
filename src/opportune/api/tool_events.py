"""`Tool Used` among the events that come in: from server and admin keys it is use of a tool, and no customer's event.

A write key is public, so what comes with one is a customer's event whatever its name, as all events are while the
catalog has no tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from opportune.events.intake import Intake
from opportune.events.types import Event, ToolUsed
from opportune.hub import Hub
from opportune.operations.tool_use import Wrong
from opportune.services.toolbox import Toolbox
from opportune.wire import Ingested

TOOL_USED = "Tool Used"


def taken(
    hub: Hub,
    items: list[Any],
    source: str,
    sent_at: int | None,
    context: Mapping[str, Any] | None,
    integrations: Mapping[str, Any] | None,
) -> Ingested:
    """Take events in, as `Hub.ingest` does, but for `Tool Used`, whose properties are tool, person, feature and uses.

    Without a `person` it is whom the event is about. What has a fault is set aside as `bad_tool_use`, without the id of
    a customer, so that it never becomes an event of one: mend it and send it again.
    """
    rest, uses = list[Any](), dict[str, Event]()
    if not (hub.published and hub.plan.catalog.tools):
        return hub.ingest(items, source, sent_at, context, integrations)
    intake, now, again = Intake(hub.clock.new_id, source), hub.clock.now(), 0
    for item in items:
        about = _about_tools(item)
        read, _ = intake.take([about], received_at=now, sent_at=sent_at) if about else ([], [])
        for event in read:
            again += event.message_id in uses
            uses[event.message_id] = event
        if not read:  # what cannot be read is set aside with the rest
            rest.append(item)
    if not uses:
        return hub.ingest(items, source, sent_at, context, integrations)
    with hub.group():
        told = hub.ingest(rest, source, sent_at, context, integrations) if rest else Ingested(0, 0, 0)
        # an event that comes again is corrected by another clock, or has the time at which it came: its id names it
        done = Toolbox(hub).use([_use(event) for event in uses.values()], range(len(uses)))
        events = [*uses.values()]
        for place, wrong in done.refused.items():
            _set_aside(hub, events[place], wrong, source)
    return Ingested(
        told.taken + done.taken + done.changed,
        told.duplicates + done.known + again,
        told.rejected + len(done.refused),
    )


def _about_tools(item: object) -> Mapping[str, Any] | None:
    """Return an item that tells of a tool, about the person whom its properties name if about nobody; else None."""
    if isinstance(item, msgspec.Raw):
        if b'"Tool Used"' not in bytes(item):
            return None
        try:
            item = msgspec.json.decode(item)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
    if not isinstance(item, Mapping) or item.get("type") != "track" or item.get("event") != TOOL_USED:
        return None
    said = item.get("properties")
    person = _text(said.get("person")) if isinstance(said, Mapping) else ""
    return {**item, "userId": person} if person and not (item.get("userId") or item.get("anonymousId")) else item


def _use(event: Event) -> ToolUsed:
    said = event.properties
    uses = said.get("uses", 1)
    entry = "event:" + blake2b(f"{event.source}\x1f{event.message_id}".encode(), digest_size=12).hexdigest()
    return ToolUsed(
        event.at, _text(said.get("tool")), _person(event), _text(said.get("feature")),
        uses if isinstance(uses, int) and not isinstance(uses, bool) else -1, entry,
    )  # fmt: skip


def _person(event: Event) -> str:
    return _text(event.properties.get("person")) or event.user_id or ""


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _set_aside(hub: Hub, event: Event, wrong: Wrong, source: str) -> None:
    item = {"type": "track", "event": TOOL_USED, "messageId": event.message_id,
            "properties": {**event.properties, "person": _person(event)}}  # fmt: skip
    hub.set_aside("bad_tool_use", f"{wrong}; send it again once that is mended", [item], source)
