"""The tables of a made-up ledger: 10,000,000 facts and events of a year, written by DuckDB at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from opportune.figures.tables import TABLES, text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BEGIN = "TIMESTAMP '2026-01-01'"
END = "TIMESTAMP '2027-01-01'"

PARTS = {
    "decisions": 0.42, "contacts": 0.25, "outcomes": 0.1, "credits": 0.03, "moments": 0.12, "exposures": 0.03,
    "spend": 0.001, "stages": 0.0002, "tool_use": 0.0488,
}  # fmt: skip
"""The part of the events that each table has."""

CUSTOMERS = 1_000_000


def made_up_ledger(folder: Path, events: int, seed: int = 1) -> int:
    """Write the tables and return how many facts and events they hold."""
    import duckdb

    rows = {table: max(round(events * part), 2000) for table, part in PARTS.items()}
    with duckdb.connect(str(folder / "made.duckdb"), config={"threads": 2, "memory_limit": "1GB"}) as connection:
        connection.execute(f"SELECT setseed({1 / (1 + seed)})")
        for table, query in _queries(rows, min(CUSTOMERS, max(events // 10, 100))).items():
            _write(connection, folder, table, query)
    (folder / "made.duckdb").unlink()
    return sum(rows.values())


def _write(connection: DuckDBPyConnection, folder: Path, table: str, query: str) -> None:
    (folder / table).mkdir()
    there = {row[0] for row in connection.execute(f"DESCRIBE {query}").fetchall()}
    cells = (
        f'CAST("{name}" AS {kind}) AS "{name}"' if name in there else f'CAST(NULL AS {kind}) AS "{name}"'
        for name, kind in TABLES[table].items()
    )
    file = text(str(folder / table / "all.parquet"))
    connection.execute(f"COPY (SELECT {', '.join(cells)} FROM ({query})) TO {file} (FORMAT parquet, COMPRESSION zstd)")


def _queries(rows: dict[str, int], customers: int) -> dict[str, str]:
    """Return a query for each table. Customers are alike; one in ten is held out."""
    campaign = "'c' || CAST(floor(random() * 40) AS INTEGER)"
    made = "'01' || lpad(CAST(i AS VARCHAR), 24, '0')"
    who = f"'S' || lpad(CAST(CAST(floor(random() * {customers}) AS INTEGER) AS VARCHAR), 25, '0')"
    action = f"{made} AS decision_id, {who} AS subject, 'offer' AS action, {campaign} AS campaign"

    def spread(table: str) -> str:
        step = f"i * (({END} - {BEGIN}) / {rows[table]})"
        return f'(SELECT i, {BEGIN} + {step} AS "at", {BEGIN} + {step} AS known FROM range({rows[table]}) t(i)) r'

    return {
        "decisions": f"""
            SELECT i AS seq, r.at, {action}, 'app.home' AS placement, 'app' AS channel, 1 AS rank, known
            FROM {spread("decisions")}""",
        "contacts": f"""
            SELECT i AS seq, r.at, {action}, if(i % 2 = 0, 'app', 'email') AS channel, .02 AS cost, known
            FROM {spread("contacts")}""",
        "outcomes": f"""
            SELECT i AS seq, r.at, {action}, 'accept' AS outcome, true AS positive, known FROM {spread("outcomes")}""",
        "credits": f"""
            SELECT i AS seq, r.at, 'event ' || i AS goal, {made} AS decision_id, 'offer' AS action, true AS given, known
            FROM {spread("credits")}""",
        "moments": f"""
            SELECT i AS number, r.at, {who} AS subject, 'Order Completed' AS event,
                if(i % 50 = 0, 'contact', 'goal') AS role, 30 * random() AS value, 10 * random() AS margin, known
            FROM {spread("moments")}""",
        "conversions": f"""
            SELECT r.at, {who} AS subject, 'Order Completed' AS event, 30 * random() AS value, 10 * random() AS margin,
                'event ' || i AS goal, if(i % 4 = 0, 'offer', NULL) AS action,
                if(i % 4 = 0, {campaign}, NULL) AS campaign, false AS undone, known
            FROM {spread("moments")} WHERE i % 3 = 0""",
        "leads": f"""
            SELECT r.at + if(i % 3 = 0, INTERVAL 20 DAY, INTERVAL 0 DAY) * random() AS "at",
                'S' || lpad(CAST((i // 3) % {customers} AS VARCHAR), 25, '0') AS subject,
                list_value('customer', 'lead', 'handed_over')[i % 3 + 1] AS stage, 'web' AS source,
                i % 7 = 0 AS referral, known
            FROM {spread("moments")}""",
        "exposures": f"""
            SELECT i AS seq, r.at, {who} AS subject, 'words' || i % 5 AS experiment, if(i % 2 = 0, 'a', 'b') AS arm,
                known
            FROM {spread("exposures")}""",
        "holdouts": f"""
            SELECT {BEGIN} + INTERVAL 1 DAY * (i % 90) AS "at", 'S' || lpad(CAST(i AS VARCHAR), 25, '0') AS subject,
                'nobody' AS holdout, i % 10 = 0 AS held, 0 AS period, 'all' AS scope
            FROM range({customers}) t(i)""",
        "spend": f"""
            SELECT i AS seq, r.at, {campaign} AS campaign, 'e' || i AS entry, 'spent' AS kind, 10 * random() AS amount,
                'ads' AS line, known
            FROM {spread("spend")}""",
        "stages": f"""
            SELECT i AS seq, r.at, 'c' || i % 400 AS campaign,
                list_value('idea', 'build', 'live', 'evaluated')[(i // 400) % 4 + 1] AS stage, known
            FROM {spread("stages")}""",
        "tool_use": f"""
            SELECT i AS seq, r.at, 'tool' || i % 20 AS tool, 'p' || CAST(floor(random() * 50) AS INTEGER) AS person,
                'f' || i % 3 AS feature, 1 AS uses, 'u' || i AS entry, known
            FROM {spread("tool_use")}""",
        "campaigns": f"""
            SELECT 'c' || i AS campaign, 'o' || i % 5 AS owner, 5000 AS planned, {BEGIN} AS starts, {END} AS ends
            FROM range(400) t(i)""",
        "tools": "SELECT 'tool' || i AS tool, 'email' AS category, 40 AS seats FROM range(20) t(i)",
        "tool_features": "SELECT 'tool' || i % 20 AS tool, 'f' || i // 20 AS feature FROM range(60) t(i)",
        "arms": """
            SELECT 'words' || i // 2 AS experiment, if(i % 2 = 0, 'a', 'b') AS arm, i % 2 = 0 AS control,
                'c' || i // 2 AS campaign
            FROM range(10) t(i)""",
        "funnel": """
            SELECT i AS place, list_value('lead', 'handed_over', 'accepted', 'customer')[i + 1] AS stage,
                30 AS window_days
            FROM range(4) t(i)""",
        "quality": f"""
            SELECT CAST({BEGIN} + INTERVAL 1 DAY * i AS DATE) AS day, 'web' AS source, 'Order Completed' AS event,
                'f' || j AS field, 'validity' AS kind, 1000 AS checked, 30 AS faults, 1 AS weight
            FROM range(365) t(i), range(30) u(j)""",
    }  # fmt: skip
