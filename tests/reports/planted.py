"""Figures and tables with known numbers, for the tests of reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opportune.catalog.report_types import ReportPlan, Target
from opportune.clock import DAY, format_instant
from opportune.figures.answer import Answer, Beside, Data, Query
from opportune.figures.tables import TABLES
from opportune.reports.figure_part import Split, Story
from opportune.testing import START

AS_OF = START + 56 * DAY
PLAN = ReportPlan("weekly", "Marketing this week", "week",
                  ("figures", "campaigns", "lab", "attribution", "care", "sending"))  # fmt: skip
GOAL = Target("roi", 1.0, None, "ana", "it has to pay for itself")


def answer(
    value: float | None, interval: tuple[float, float] | None = None, figure: str = "roi", back: int = 0, **more: Any
) -> Answer:
    """Return a figure over 28 days that ended so many periods of 28 days before `AS_OF`."""
    until = AS_OF - back * 28 * DAY
    told: dict[str, Any] = {
        "figure": figure, "title": "Marketing ROI", "unit": "ratio", "direction": "up", "grain": "customer",
        "meaning": "Margin that contacts added, less what they cost, over what they cost",
        "since": format_instant(until - 28 * DAY), "as_of": format_instant(until), "by": None, "n": 1000,
        "reason": None if value is not None else "nobody is held out: add `holdouts:` to the catalog", "beside": (),
        "rows": (), "query": Query(f"figures/sql/{figure}.sql", "ab" * 32), "data": Data("0123456789abcdef", 1, 4711),
        "value": value, "interval": interval,
    }  # fmt: skip
    return Answer(**{**told, **more})


def row(key: str, value: float | None, interval: tuple[float, float] | None, n: int) -> dict[str, Any]:
    return {"key": key, "value": value, "interval": interval, "n": n, "cost": float(n)}


def roi(campaign: str = "spring", sure: bool = False) -> Story:
    """Return a return on investment that rose from 1.1, a little or (if `sure`) beyond doubt."""
    width = 0.1 if sure else 0.5
    now = answer(
        1.4, (1.4 - width, 1.4 + width),
        beside=(Beside("attributed ROI", 3.2, None, "What credited conversions would say"),
                Beside("gap", 1.8, (1.3, 2.3), "Attributed less incremental")),
    )  # fmt: skip
    past = (answer(0.7, (0.2, 1.2), back=3), answer(None, back=2), answer(1.1, (1.1 - width, 1.1 + width), back=1))
    rows = (row(campaign, 1.9, (1.2, 2.6), 600), row("autumn", 0.65, (0.1, 1.2), 400))
    was = (row(campaign, 1.3, (0.6, 2.0), 600), row("autumn", 0.8, (0.2, 1.4), 400))
    splits = (Split(answer(1.4, now.interval, by="campaign", rows=rows), answer(1.1, by="campaign", rows=was, back=1)),)
    return Story(now, past, splits, (GOAL,), 28 * DAY, "EUR", "-- a query\nSELECT 'one' AS two FROM roi WHERE a < 1\n")


def unknown(figure: str = "velocity") -> Story:
    """Return a figure of which nothing is known."""
    now = answer(None, figure=figure, title="Campaign velocity", unit="days", reason="no campaign went live yet")
    return Story(now, (), (), (), 28 * DAY, "EUR", "SELECT 1")


def folder(where: Path, **rows: list[dict[str, Any]]) -> Path:
    """Write tables with these rows, each a mapping of some columns; instants are in microseconds."""
    import duckdb

    with duckdb.connect() as connection:
        for table, given in rows.items():
            columns = TABLES[table]
            told = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
            connection.execute(f"CREATE TABLE {table} ({told})")
            cells = ", ".join(
                "make_timestamp(CAST(? AS BIGINT))" if kind == "TIMESTAMP" else "?" for kind in columns.values()
            )
            for one in given:
                values = [one.get(name) for name in columns]
                connection.execute(f"INSERT INTO {table} VALUES ({cells})", values)
            (where / table).mkdir(parents=True)
            connection.execute(f"COPY {table} TO '{where / table / 'part.parquet'}' (FORMAT parquet)")
    return where


def happened(where: Path, campaign: str = "spring") -> Path:
    """Write tables in which 8 of 10 e-mails and one page reached somebody and 2 of 13 decisions were silent.

    3 of 5 buyers had a contact.
    """
    at = AS_OF - 3 * DAY
    said = [
        {"seq": i, "at": at, "decision_id": f"d{i}", "subject": f"s{i % 4}", "action": "offer", "campaign": campaign,
         "channel": "email" if i < 10 else None}
        for i in range(12)
    ]  # fmt: skip
    app = {**said[0], "seq": 90, "decision_id": "d90", "channel": "app"}
    return folder(
        where,
        decisions=[{**one, "action": "offer" if one["channel"] else None} for one in (*said, app)],
        contacts=[{**one, "delivered": True, "late": False, "cost": 0.02} for one in said[:8]]
        + [{**app, "delivered": False, "late": False, "cost": 0.0}],
        outcomes=[{**said[0], "outcome": "accept", "positive": True},
                  {**said[1], "outcome": "reject", "positive": False}],
        conversions=[
            {"at": at, "subject": f"s{i}", "event": "Order Completed", "value": 10.5, "undone": False,
             **({"action": "offer", "campaign": campaign, "channel": "email"} if i < 3 else {})}
            for i in range(5)
        ],
        stages=[{"seq": 1, "at": at - DAY, "campaign": campaign, "stage": "approved"},
                {"seq": 2, "at": at, "campaign": campaign, "stage": "live", "by": "ana"}],
        spend=[{"seq": 3, "at": at, "campaign": campaign, "entry": "a", "kind": "committed", "amount": 500.0},
               {"seq": 4, "at": at, "campaign": campaign, "entry": "a", "kind": "spent", "amount": 450.0}],
        campaigns=[{"campaign": campaign, "title": campaign, "owner": "ana", "planned": 1000.0}],
        experiments=[{"at": at, "seq": 5, "experiment": "tone", "what": "started", "by": "ben"},
                     {"at": at + 1, "seq": 6, "experiment": "tone", "what": "looked",
                      "detail": "bold: +1 % [-2 %, 4 %]"}],
        exposures=[{"seq": 7, "at": at, "subject": "s1", "experiment": "tone", "arm": "bold"}],
    )  # fmt: skip
