"""The sections on what figures should be, and who is told of them: `targets` and `reports`."""

from __future__ import annotations

import re
from typing import Any, Literal, cast

from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields, nearest
from opportune.catalog.node import Node
from opportune.catalog.report_types import DIMENSIONS, FIGURES, PARTS, WEEKDAYS, Format, ReportPlan, Target
from opportune.catalog.types import Catalog
from opportune.clock import DAY, format_span, to_datetime

FORMATS: tuple[Format, ...] = ("html", "pdf")
OVER = 28 * DAY
AT = 7 * 60

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_MAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


def read_targets(draft: Draft, node: Node | None) -> tuple[Target, ...]:
    found: dict[str, tuple[Target, Node]] = {}
    for item in entries(node):
        target = _target(draft, item)
        if target.key in found:
            what = f"a second target of {target.key}, first at {found[target.key][1].spot}"
            draft.report.error(item.spot, what, "keep one of them")
        else:
            found[target.key] = target, item
    return tuple(found[key][0] for key in sorted(found))


def _target(draft: Draft, item: Node) -> Target:
    inner = item.value.get("figure") if isinstance(item.value, dict) else None
    fields = Fields(item, draft.report, f"target of `{inner.text}`" if inner is not None else "this target")
    figure = fields.choice("figure", FIGURES, FIGURES[0], required=True)
    low, high = _range(fields, item)
    owner = fields.text("owner", required=True)
    known_person(draft, fields, "owner", owner)
    target = Target(
        figure, low, high, owner, fields.text("reason", required=True), _about(fields, figure),
        fields.instant("review", draft.zone),
    )  # fmt: skip
    fields.close()
    return target


def _range(fields: Fields, item: Node) -> tuple[float | None, float | None]:
    """Return the two ends of a range, of which one may be missing."""
    low = fields.number("at_least", 0.0) if fields.find("at_least") else None
    high = fields.number("at_most", 0.0) if fields.find("at_most") else None
    between = fields.items("between")
    given = [key for key in ("at_least", "at_most", "between") if fields.find(key)]
    if len(given) != 1:
        what = f"{fields.what} has {'no range' if not given else ' and '.join(f'`{key}`' for key in given)}"
        fields.report.error(item.spot, what, "write one of `at_least: 1`, `at_most: 1` or `between: [0.5, 2]`")
    if between:
        ends = [fields.number_of(end, "between", 0.0, -1e15, 1e15) for end in between]
        if len(ends) != 2 or ends[0] >= ends[1]:
            fields.wrong(fields.values["between"], "between", "two numbers, the smaller one first: [0.5, 2]")
            return 0.0, 1.0
        return ends[0], ends[1]
    return (low, high) if given else (0.0, None)


def _about(fields: Fields, figure: str) -> tuple[str, str] | None:
    """Return the dimension and the value of it that a target is about."""
    pairs = [(key, node) for key, _, node in fields.pairs("by")]
    if not pairs:
        return None
    if len(pairs) > 1 or isinstance(pairs[0][1].value, dict | list) or not pairs[0][1].text:
        fields.wrong(fields.values["by"], "by", "one dimension with one value, such as {campaign: spring}")
    dimension = pairs[0][0]
    if dimension not in DIMENSIONS[figure]:
        cure = nearest(dimension, DIMENSIONS[figure])
        fields.report.error(fields.spot("by"), f"{figure} cannot be told by `{dimension}`", cure)
    return dimension, pairs[0][1].text


def known_person(draft: Draft, fields: Fields, key: str, name: str) -> None:
    """Report a name that is none of `people`, where the catalog has that key."""
    people = [person.name for person in draft.parts.get("people", ())]
    if people and name and name not in people and not _MAIL.fullmatch(name):
        draft.report.error(fields.spot(key), f"unknown person `{name}` in {fields.what}", nearest(name, people))


def write_targets(catalog: Catalog) -> Any:
    return [
        slim(
            figure=t.figure, by=None if t.by is None else dict([t.by]), owner=t.owner, reason=t.reason,
            review=None if t.review is None else to_datetime(t.review).isoformat(),
        ) | _written_range(t)
        for t in catalog.targets
    ]  # fmt: skip


def _written_range(target: Target) -> dict[str, Any]:
    if target.at_least is not None and target.at_most is not None:
        return {"between": [target.at_least, target.at_most]}
    if target.at_least is None:
        return {"at_most": target.at_most}
    return {"at_least": target.at_least}


def read_reports(draft: Draft, node: Node | None) -> tuple[ReportPlan, ...]:
    return tuple(sorted((_report(draft, item) for item in entries(node)), key=lambda r: r.name))


def _report(draft: Draft, item: Node) -> ReportPlan:
    fields, name = draft.named("reports", "report", item)
    every = cast(Literal["day", "week"], fields.choice("every", ("day", "week"), "week"))
    weekday = fields.choice("weekday", WEEKDAYS, WEEKDAYS[0])
    if every == "day" and "weekday" in fields.values:
        draft.report.error(fields.spot("weekday"), f"{fields.what} goes out every day", "remove `weekday`")
    role, to = fields.text("role"), fields.words("to")
    if role and to:
        draft.report.error(fields.spot("to"), f"{fields.what} has a `role` and a `to`", "keep one of them")
    _readers(draft, fields, role, to)
    parts = fields.words("parts", ("figures",))
    for part in fields.items("parts"):
        if part.text and part.text not in PARTS:
            draft.report.error(part.spot, f"unknown part `{part.text}` in {fields.what}", nearest(part.text, PARTS))
    formats = fields.words("formats", FORMATS)
    for one in fields.items("formats"):
        if one.text and one.text not in FORMATS:
            draft.report.error(one.spot, f"unknown format `{one.text}` in {fields.what}", nearest(one.text, FORMATS))
    plan = ReportPlan(
        name, fields.text("title", name), every, parts, role, to, cast("tuple[Format, ...]", formats),
        WEEKDAYS.index(weekday), _minute(fields), fields.span("over", OVER) or OVER,
    )  # fmt: skip
    fields.close()
    return plan


def _readers(draft: Draft, fields: Fields, role: str, to: tuple[str, ...]) -> None:
    people = draft.parts.get("people", ())
    roles = {person.role for person in people if person.role}
    if role and people and role not in roles:
        draft.report.error(fields.spot("role"), f"nobody in `people` is `{role}`", nearest(role, roles))
    for one in fields.items("to"):
        if one.text and not _MAIL.fullmatch(one.text):
            names = [person.name for person in people]
            if one.text not in names:
                cure = nearest(one.text, names) if names else "write an e-mail address, or add `people:`"
                draft.report.error(one.spot, f"unknown reader `{one.text}` of {fields.what}", cure)


def _minute(fields: Fields) -> int:
    node = fields.find("at")
    if node is None:
        return AT
    found = _TIME.fullmatch(node.text.strip())
    if not found:
        fields.wrong(node, "at", 'a time of day in quotes, such as "07:30"')
        return AT
    return int(found[1]) * 60 + int(found[2])


def write_reports(catalog: Catalog) -> Any:
    return [
        slim(
            name=r.name, title=None if r.title == r.name else r.title, every=None if r.every == "week" else r.every,
            weekday=WEEKDAYS[r.weekday] if r.weekday else None, role=r.role, to=list(r.to), parts=list(r.parts),
            at=None if r.minute == AT else f"{r.minute // 60:02}:{r.minute % 60:02}",
            formats=None if r.formats == FORMATS else list(r.formats),
            over=None if r.over == OVER else format_span(r.over),
        )
        for r in catalog.reports
    ]  # fmt: skip


def unexplained(old: Catalog, new: Catalog) -> list[str]:
    """Return what should be said of targets that changed without a new reason, each with its cure."""
    before, found = {target.key: target for target in old.targets}, []
    for target in new.targets:
        was = before.get(target.key)
        if was and (was.at_least, was.at_most) != (target.at_least, target.at_most) and was.reason == target.reason:
            found.append(f"the target of {target.key} went from {was.range} to {target.range}, and its `reason` is "
                         "still the old one: write why it changed")  # fmt: skip
    return found
