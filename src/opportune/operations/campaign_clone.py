"""A campaign made from another one, as a new entry in YAML: its dates shifted, what came of it left out. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from opportune.catalog.campaign_sections import campaign_data
from opportune.catalog.campaign_types import BudgetLine, Campaign
from opportune.catalog.export import scalar
from opportune.clock import to_datetime

LEFT_OUT = ("learned", "experiments", "template")
"""What belongs to the original alone."""


def clone(campaign: Campaign, name: str, title: str, starts: date | None, zone: ZoneInfo) -> str:
    """Return the YAML of a campaign like another one that starts on a day (None: on the same days).

    All dates move by as many days, at the same time of the day, and the months of its budget by as many months. Without
    a start of its own the earliest of its tasks, or else the first month of its budget, is what moves to that day.
    """
    days = 0 if starts is None else (starts - _anchor(campaign, zone, starts)).days
    months = 0 if starts is None else _months(starts) - _months(starts - timedelta(days=days))
    data = {key: value for key, value in campaign_data(campaign).items() if key not in LEFT_OUT}
    data |= {"name": name, "title": title or campaign.title}
    if campaign.lines:
        data["budget"] = {"lines": [_moved_line(line, months) for line in campaign.lines]}
    for key, at in (("starts", campaign.starts), ("ends", campaign.ends)):
        if at is not None:
            data[key] = _moved(at, days, zone)
    for task, told in zip(campaign.tasks, data.get("tasks", ()), strict=True):
        if task.due is not None:
            told["due"] = _moved(task.due, days, zone)
    return yaml_entry({key: value for key, value in data.items() if value not in ("", None)})


def yaml_entry(data: dict[str, Any]) -> str:
    """Return a campaign's plain data as a file of the catalog: a line per key, per task and per line of the budget."""
    lines = ["campaigns:"]
    for number, (key, value) in enumerate(data.items()):
        dash = "  - " if number == 0 else "    "
        rows = value if key == "tasks" else None
        if key == "budget" and "lines" in value:
            lines += [f"{dash}budget:", "      lines:"]
            lines += [f"        - {scalar(row)}" for row in value["lines"]]
        elif rows is not None:
            lines += [f"{dash}{key}:", *(f"      - {scalar(row)}" for row in rows)]
        else:
            lines.append(f"{dash}{key}: {scalar(value)}")
    return "\n".join(lines) + "\n"


def template(name: str, owner: str) -> str:
    """Return the YAML of a campaign to fill in."""
    return TEMPLATE.format(name=name, owner=owner and scalar(owner))


def _anchor(campaign: Campaign, zone: ZoneInfo, otherwise: date) -> date:
    """Return the day of a campaign that a clone's start takes the place of."""
    dated = [campaign.starts] if campaign.starts is not None else [t.due for t in campaign.tasks if t.due is not None]
    if dated:
        return min(_local(at, zone) for at in dated if at is not None).date()
    months = sorted(line.month for line in campaign.lines if line.month)
    return date.fromisoformat(f"{months[0]}-01") if months else otherwise


def _months(day: date) -> int:
    return day.year * 12 + day.month - 1


def _moved_line(line: BudgetLine, months: int) -> dict[str, Any]:
    told: dict[str, Any] = {"line": line.line}
    if line.month:
        year, month = divmod(_months(date.fromisoformat(f"{line.month}-01")) + months, 12)
        told["month"] = f"{year:04}-{month + 1:02}"
    return told | {"planned": line.planned}


def _moved(at: int, days: int, zone: ZoneInfo) -> str:
    """Return an instant so many days later, at the same local time; a midnight as its date."""
    moment = (_local(at, zone).replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=zone)
    if (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0):
        return moment.date().isoformat()
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _local(at: int, zone: ZoneInfo) -> datetime:
    return to_datetime(at).astimezone(zone)


TEMPLATE = """\
# A piece of marketing work. Fill it in as it goes; then: opportune check, opportune publish,
# opportune campaign move {name} --by YOU
campaigns:
  - name: {name}                  # actions and experiments belong to it by `campaign: {name}`
    title: What people call it
    owner: {owner}                # who answers for it; one of `people:` where you have them
    # brief: |
    #   What is to be done, for whom, and why.
    # goal: {{metric: orders, target: 500}}
    # hypothesis: NAME            # one of `hypotheses:`
    # experiments: [NAME]         # of `experiments:`
    # starts: 2027-03-01
    # ends: 2027-04-01            # the first day on which it is over
    # budget:
    #   lines:                    # or planned: 5000
    #     - {{line: ads, month: 2027-03, planned: 5000}}
    # tasks:
    #   - {{name: Write the texts, owner: {owner}, due: 2027-02-15, hours: 6}}
    # learned: What came of it, for whoever does the next one
"""
