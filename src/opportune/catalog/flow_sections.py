"""The sections on what the hub says by itself: `triggers` after an event, `outbound` to a whole audience."""

from __future__ import annotations

import re
from typing import Any

from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields
from opportune.catalog.node import Node
from opportune.catalog.schedules import fault
from opportune.catalog.types import Catalog, Run, Trigger
from opportune.clock import DAY, format_span
from opportune.rules.contradiction import contradiction

SLOWEST = 0.02
"""Messages per second that a throttle must at least allow: one in 50 seconds."""

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")


def read_triggers(draft: Draft, node: Node | None) -> tuple[Trigger, ...]:
    triggers = [_trigger(draft, item) for item in entries(node)]
    return tuple(sorted(triggers, key=lambda t: t.name))


def _trigger(draft: Draft, item: Node) -> Trigger:
    fields, name = draft.named("triggers", "trigger", item)
    event, situation = _cause(draft, fields)
    where = fields.find("where")
    condition = None if where is None else draft.conditions.read(where, anything=True)
    if where is not None and situation:
        draft.report.error(where.spot, f"`where` of {fields.what} has no event", "a situation has its own `when`")
    if where is not None and condition is not None and (reason := contradiction([condition])):
        draft.report.error(where.spot, f"this condition can never be true: {reason}", "change or remove it")
    wait, unless = fields.span("wait", 0) or 0, fields.words("unless")
    if event and event in unless:
        what = f"{fields.what} begins and ends with `{event}`"
        draft.report.error(fields.spot("unless"), what, "name another event in `unless`, or in `on`")
    if unless and not wait:
        what = f"{fields.what} decides at once, so nothing can come before it"
        draft.report.error(fields.spot("unless"), what, "add `wait:`, or remove `unless`")
    trigger = Trigger(
        name, _placement(draft, fields), event, situation, condition, wait, unless,
        fields.span("until", wait + DAY) or wait + DAY, fields.span("again"), fields.whole("limit", 1, low=1),
    )  # fmt: skip
    fields.close()
    return trigger


def _cause(draft: Draft, fields: Fields) -> tuple[str, str]:
    """Return the event, or the situation, that sets a trigger off."""
    node = fields.find("on", required=True)
    if node is None or not isinstance(node.value, dict):
        return fields.text("on"), ""
    inner = Fields(node, draft.report, f"`on` of {fields.what}")
    situation = inner.choice("situation", [s.name for s in draft.parts["situations"]], required=True)
    inner.close()
    return "", situation


def _placement(draft: Draft, fields: Fields) -> str:
    """Return a declared placement; warn where nobody would carry what is decided for it."""
    placements = {p.name: p.channel for p in draft.parts["placements"]}
    name = fields.choice("placement", list(placements), required=True)
    channel = next((c for c in draft.parts["channels"] if c.name == placements.get(name)), None)
    if channel is not None and not channel.via:
        what = f"{fields.what} decides for channel `{channel.name}`, which the hub does not send through"
        cure = f"say how: {{name: {channel.name}, via: smtp}} (or another carrier) under `channels`"
        draft.report.warn(fields.spot("placement"), what, cure)
    return name


def write_triggers(catalog: Catalog) -> Any:
    return [
        slim(
            name=t.name,
            on=t.event or {"situation": t.situation},
            where=t.where and t.where.canonical,
            wait=format_span(t.wait) if t.wait else None,
            unless=list(t.unless),
            placement=t.placement,
            until=None if t.until == t.wait + DAY else format_span(t.until),
            again=t.again and format_span(t.again),
            limit=None if t.limit == 1 else t.limit,
        )
        for t in catalog.triggers
    ]


def read_outbound(draft: Draft, node: Node | None) -> tuple[Run, ...]:
    runs = [_run(draft, item) for item in entries(node)]
    return tuple(sorted(runs, key=lambda r: r.name))


def _run(draft: Draft, item: Node) -> Run:
    fields, name = draft.named("outbound", "outbound run", item)
    if (trigger := draft.nodes.get("triggers", {}).get(name)) is not None:
        what = f"{fields.what} has the name of a trigger, at {trigger.get('name').spot}: both are flows"
        draft.report.error(fields.spot("name"), what, "rename one of them")
    audience = fields.condition("audience", draft.conditions)
    if audience is not None and (reason := contradiction([audience])):
        what = f"this condition can never be true: {reason}"
        draft.report.error(fields.spot("audience"), what, "change or remove it")
    throttle = fields.number("throttle", 0.0, SLOWEST) or None
    run = Run(
        name, _placement(draft, fields), audience, _schedule(fields), throttle, _window(fields),
        fields.flag("best_time"), fields.whole("limit", 0, low=1) or None,
    )  # fmt: skip
    fields.close()
    return run


def _schedule(fields: Fields) -> str:
    """Return a schedule of cron's five fields that comes some day; "" for none."""
    text = fields.text("schedule")
    if not text:
        return ""
    if why := fault(text):
        cure = 'write minute, hour, day, month and weekday, such as "0 9 * * 1" for Mondays at 9'
        fields.report.error(fields.spot("schedule"), f"`{text}` is no schedule: {why}", cure)
        return ""
    return text


def _window(fields: Fields) -> tuple[int, int] | None:
    """Return two times of the day in minutes since midnight, of which the first may be the later one."""
    node = fields.find("window")
    if node is None:
        return None
    found = _WINDOW.fullmatch(node.text.strip())
    if not found:
        fields.wrong(node, "window", 'two times of day, such as "09:00-18:00"')
        return None
    start = int(found[1]) * 60 + int(found[2])
    end = int(found[3] or found[5]) * 60 + int(found[4] or found[6])
    if start == end:
        fields.report.error(node.spot, f"`window` of {fields.what} is no time at all", "name two different times")
        return None
    return start, end


def write_outbound(catalog: Catalog) -> Any:
    return [
        slim(
            name=r.name,
            placement=r.placement,
            audience=r.audience and r.audience.canonical,
            schedule=r.schedule,
            throttle=r.throttle,
            window=r.window and "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in r.window),
            best_time=r.best_time or None,
            limit=r.limit,
        )
        for r in catalog.outbound
    ]
