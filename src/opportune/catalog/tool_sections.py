"""The section `tools`: what people work with, what it costs, and what was licensed of it."""

from __future__ import annotations

from typing import Any, cast, get_args

from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields, nearest
from opportune.catalog.node import Node
from opportune.catalog.process_sections import person
from opportune.catalog.tool_types import Tool, ToolTrial, Verdict
from opportune.catalog.types import Catalog
from opportune.clock import format_instant, format_span

COSTS = ("month", "year", "per_seat")
VERDICTS: tuple[Verdict, ...] = tuple(verdict for verdict in get_args(Verdict) if verdict)


def read_tools(draft: Draft, node: Node | None) -> tuple[Tool, ...]:
    """Return the tools, by name."""
    return tuple(sorted((_tool(draft, item) for item in entries(node)), key=lambda tool: tool.name))


def _tool(draft: Draft, item: Node) -> Tool:
    fields, name = draft.named("tools", "tool", item)
    month, year, per_seat = _cost(draft, fields)
    starts, ends, notice = _contract(draft, fields)
    seats = fields.whole("seats", 1, 1) if fields.find("seats") is not None else None
    if per_seat is not None and seats is None:
        what = f"{fields.what} has a cost `per_seat` and no `seats`"
        draft.report.error(fields.spot("cost"), what, "add `seats:`, how many were bought")
    tool = Tool(
        name, fields.text("category", required=True), person(draft, fields, "owner"), month, year, per_seat, starts,
        ends, notice, seats, _names(fields, "features"), tuple(sorted(_names(fields, "does"))), _trial(draft, fields),
    )  # fmt: skip
    fields.close()
    return tool


def _cost(draft: Draft, tool: Fields) -> tuple[float | None, float | None, float | None]:
    node = tool.find("cost")
    if node is None:
        return None, None, None
    fields = Fields(node, draft.report, f"`cost` of {tool.what}")
    month, year, per_seat = (
        None if fields.find(key) is None else fields.number(key, 0.0, 0.0, 1e12) for key in COSTS
    )
    if not {*COSTS} & fields.values.keys() and isinstance(node.value, dict):
        draft.report.error(node.spot, f"{fields.what} is empty", "add `month:`, `year:` or `per_seat:`")
    fields.close()
    return month, year, per_seat


def _contract(draft: Draft, tool: Fields) -> tuple[int | None, int | None, int | None]:
    node = tool.find("contract")
    if node is None:
        return None, None, None
    fields = Fields(node, draft.report, f"`contract` of {tool.what}")
    starts, ends = fields.instant("from", draft.zone), fields.instant("until", draft.zone)
    notice = fields.span("notice")
    if starts is not None and ends is not None and ends <= starts:
        draft.report.error(fields.spot("until"), f"{fields.what} ends before it starts", "mend `from` or `until`")
    if notice is not None and fields.values.get("until") is None:
        what = f"{fields.what} has a `notice` and no end"
        draft.report.error(fields.spot("notice"), what, "add `until:`, the day on which it ends or goes on")
    fields.close()
    return starts, ends, notice


def _names(fields: Fields, key: str) -> tuple[str, ...]:
    names = fields.words(key)
    for node in fields.items(key):
        if any(character < " " for character in node.text):
            fields.wrong(node, key, "a list of words without line breaks and tabs")
    return names


def _trial(draft: Draft, tool: Fields) -> ToolTrial | None:
    node = tool.find("trial")
    if node is None:
        return None
    fields = Fields(node, draft.report, f"`trial` of {tool.what}")
    question = fields.text("question", required=True)
    fields.find("decide_by", required=True)
    decide_by = fields.instant("decide_by", draft.zone)
    experiment, metric = fields.text("experiment"), fields.text("metric")
    if bool(experiment) == bool(metric) and isinstance(node.value, dict):
        cure = "name the `experiment` that answers the question, or else the `metric` that should move; one of both"
        draft.report.error(node.spot, f"{fields.what} is answered by nothing, or by two things", cure)
    for key, name in (("experiment", experiment), ("metric", metric)):
        known = [one.name for one in draft.parts[f"{key}s"]]
        if name and name not in known:
            draft.report.error(fields.spot(key), f"unknown {key} `{name}` in {fields.what}", nearest(name, known))
    decided = cast(Verdict, fields.choice("decided", VERDICTS))
    because = fields.text("because", required=bool(decided))
    fields.close()
    return ToolTrial(question, decide_by or 0, experiment, metric, decided, because)


def write_tools(catalog: Catalog) -> Any:
    return [
        slim(
            name=t.name, category=t.category, owner=t.owner,
            cost=slim(month=t.month, year=t.year, per_seat=t.per_seat),
            contract=slim(from_=_instant(t.starts), until=_instant(t.ends), notice=t.notice and format_span(t.notice)),
            seats=t.seats, features=list(t.features), does=list(t.does), trial=t.trial and _written(t.trial),
        )
        for t in catalog.tools
    ]  # fmt: skip


def _written(trial: ToolTrial) -> dict[str, Any]:
    return slim(
        question=trial.question, decide_by=format_instant(trial.decide_by), experiment=trial.experiment,
        metric=trial.metric, decided=trial.decided, because=trial.because,
    )  # fmt: skip


def _instant(at: int | None) -> str | None:
    return None if at is None else format_instant(at)
