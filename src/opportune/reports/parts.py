"""The sections that are no figures: campaigns, the lab, attribution, care and sending. Pure: rows in, a section out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

from opportune.figures.words import counted, number, shown, with_interval
from opportune.measure.summary import rate
from opportune.reports.plots import Point, forest
from opportune.reports.queries import Found
from opportune.reports.report import Column, Number, Plot, Section, Table, Text

Rows = Sequence[Mapping[str, Any]]

_CREDITED = "Credited conversions"

MOST_ROWS = 15


def campaigns(found: Found, currency: str) -> Section:
    """Return where campaigns stand: stage, money, hours, contacts and yeses."""
    rows, cite = found.rows, _cites(found)
    if not rows:
        cure = "Add `campaigns:` to the catalog, and name them in `campaign:` of their actions."
        return Section("campaigns", "Campaigns", (("There is no campaign.",),), following=cure)
    money = partial(shown, unit="money", currency=currency)
    planned, spent = _total(rows, "planned"), _total(rows, "spent")
    reached = sum(1 for row in rows if row["contacts"])
    sentences: list[Text] = [
        (cite(f"{reached:,}"), " of ", cite(counted(len(rows), "campaign")), " reached somebody in this period.")
    ]
    if planned:
        part = shown((spent + _total(rows, "committed")) / planned, "share")
        sentences.append((
            cite(money(spent)), " is spent and ", cite(money(_total(rows, "committed"))), " committed, together ",
            cite(part), " of the ", cite(money(planned)), " planned.",
        ))  # fmt: skip
    columns = _columns("Campaign", "Stage", "since", *_numeric("Spent", "Planned", "Hours", "Contacts", "Yeses"))
    made = []
    for row in rows[:MOST_ROWS]:
        cells = [money(row["spent"]), money(row["planned"]), _shown(row["hours"])]
        made.append((
            (row["title"] or row["campaign"],), (row["stage"] or "",), (_day(row["at"]),),
            *((cite(cell) if row[key] is not None else "",) for cell, key in zip(cells, ("spent", "planned", "hours"))),
            (cite(f"{row['contacts']:,}"),), (cite(f"{row['yeses']:,}"),),
        ))  # fmt: skip
    return Section("campaigns", "Campaigns", tuple(sentences), (_table("Campaigns", columns, made, len(rows)),))


def lab(found: Found, currency: str) -> Section:
    """Return what was done to experiments in the period, and what the last look at each showed."""
    del currency
    cite = _cites(found)
    if not found.rows:
        told_ = "No experiment was looked at or changed in this period."
        return Section("lab", "Experiments", ((told_,),), following="See what to test next: `opportune lab next`.")
    sentences: list[Text] = []
    for row in found.rows:
        by = f" by {row['by']}" if row["by"] else ""
        told: list[str | Number] = [f"{row['experiment']}: {row['what']}{by} on {_day(row['at'])}; ",
                                    cite(counted(row["customers"], "customer")), " met it so far."]  # fmt: skip
        if row["detail"]:
            told.append(f" The look of {_day(row['looked'])}: {row['detail']}.")
        sentences.append(tuple(told))
    return Section("lab", "Experiments", tuple(sentences))


def attribution(found: Found, currency: str) -> Section:
    """Return what conversions are credited to, by channel, and what that does not say."""
    rows, cite = found.rows, _cites(found)
    whole = sum(row["conversions"] for row in rows)
    if not whole:
        cure = "Give actions an `outcomes: {goal: ...}`, and send the events that it names."
        return Section("attribution", _CREDITED, (("There was no conversion in this period.",),), following=cure)
    credited = sum(row["conversions"] for row in rows if row["channel"])
    share = rate(credited, whole)
    sentences: list[Text] = [
        ("Of ", cite(f"{whole:,}"), " conversions, ", cite(f"{credited:,}"), " are credited to a contact before them",
         ", ", cite(with_interval(share.rate, (share.low, share.high), "share")), "."),
        ("A credit says that a contact came before, not that it was the cause: what contacts add is what the return "
         "on investment counts, against customers who are held out.",),
    ]  # fmt: skip
    columns = _columns("Channel", *_numeric("Conversions", "Share", "Value"))
    made = [
        ((row["channel"] or "no credit",), (cite(f"{row['conversions']:,}"),),
         (cite(shown(row["conversions"] / whole, "share")),), (cite(shown(row["value"], "money", currency)),))
        for row in rows[:MOST_ROWS]
    ]  # fmt: skip
    table = _table("Conversions by the channel that has the credit", columns, made, len(rows))
    return Section("attribution", _CREDITED, tuple(sentences), (table,))


def care(found: Found, currency: str) -> Section:
    """Return whether it was too much: silence, contacts per person, refusals."""
    del currency
    [row], cite = found.rows, _cites(found)
    if not row["decisions"]:
        cure = "Ask for a decision: `opportune decide CUSTOMER --commit`."
        return Section("care", "Care", (("Nothing was decided in this period.",),), following=cure)
    silent = rate(int(row["silent"]), int(row["decisions"]))
    sentences: list[Text] = [("In ", cite(with_interval(silent.rate, (silent.low, silent.high), "share")), " of ",
                              cite(f"{row['decisions']:,}"), " decisions the hub kept silent.")]  # fmt: skip
    if row["people"]:
        sentences.append((
            cite(counted(row["people"], "person", "people")), " heard from us: half of them ",
            cite(_times(row["usual"])), " at most, nobody more than ", cite(_times(row["most"])), ".",
        ))  # fmt: skip
        refused = rate(min(int(row["refusals"]), int(row["contacts"])), int(row["contacts"]))
        sentences.append((
            "Refused: ", cite(counted(refused.positive, "contact")), ", ",
            cite(with_interval(refused.rate, (refused.low, refused.high), "share")), " of all.",
        ))  # fmt: skip
    return Section("care", "Care", tuple(sentences))


def sending(found: Found, currency: str) -> Section:
    """Return what was said by channel, and how much of it reached its customer."""
    rows, cite = found.rows, _cites(found)
    if not rows:
        cure = "Look at what waits and what could not leave: `opportune outbox status`."
        return Section("sending", "Sending", (("Nothing was said in this period.",),), following=cure)
    chosen, reached = (sum(int(row[key]) for row in rows) for key in ("chosen", "reached"))
    whole, cost = rate(reached, chosen), sum(row["cost"] for row in rows)
    sentences: list[Text] = [
        (cite(f"{reached:,}"), " of ", cite(counted(chosen, "action")), " that were decided reached the customer, ",
         cite(with_interval(whole.rate, (whole.low, whole.high), "share")), "."),
        ("These contacts cost ", cite(shown(cost, "money", currency)), "."),
    ]  # fmt: skip
    columns = _columns("Channel", *_numeric("Decided", "Reached", "Share", "between", "People", "Cost"))
    made, points = [], []
    for row in rows[:MOST_ROWS]:
        part = rate(int(row["reached"]), int(row["chosen"]))
        points.append(Point(row["place"], part.rate, (part.low, part.high)))
        made.append((
            (row["place"],), (cite(f"{row['chosen']:,}"),), (cite(f"{row['reached']:,}"),),
            (cite(shown(part.rate, "share")),), (cite(f"{number(100 * part.low)} to {number(100 * part.high)} %"),),
            (cite(f"{row['people']:,}"),), (cite(shown(row["cost"], "money", currency)),),
        ))  # fmt: skip
    table, plots = _table("What was decided, by channel", columns, made, len(rows)), tuple[Plot, ...]()
    if len(points) > 1:
        says = partial(shown, unit="share")
        told = "Share of what was decided that reached the customer, by channel, with intervals"
        spoken = "; ".join(f"{point.label} {says(point.value)}" for point in points)
        plots = (Plot(f"{told}.", f"{told}: {spoken}", forest(points, says)),)
    return Section("sending", "Sending", tuple(sentences), (table,), plots)


PARTS: Mapping[str, tuple[str, Callable[[Found, str], Section]]] = {
    "campaigns": ("Campaigns", campaigns),
    "lab": ("Experiments", lab),
    "attribution": (_CREDITED, attribution),
    "care": ("Care", care),
    "sending": ("Sending", sending),
}
"""The parts by name: the title of the query, and what makes a section of what it finds."""


def _cites(found: Found) -> Callable[[str], Number]:
    return lambda text: Number(text, found.source.id)


def _columns(*titles: str | Column) -> tuple[Column, ...]:
    return tuple(title if isinstance(title, Column) else Column(title) for title in titles)


def _numeric(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title, True) for title in titles)


def _table(caption: str, columns: tuple[Column, ...], rows: Sequence[tuple[Text, ...]], whole: int) -> Table:
    left = whole - len(rows)
    return Table(f"{caption} (and {left} more)" if left > 0 else caption, columns, tuple(rows))


def _total(rows: Rows, key: str) -> float:
    return float(sum(row[key] or 0 for row in rows))


def _shown(value: float | None) -> str:
    return "" if value is None else number(float(value))


def _times(value: Any) -> str:
    return "once" if value == 1 else "twice" if value == 2 else f"{int(value):,} times"


def _day(at: date | None) -> str:
    return f"{at.day}\u00a0{at:%b}\u00a0{at:%Y}" if at else ""
