"""What happens from day to day, as rows of the exported tables: of the whole hub, or of one campaign.

The rows of a series are (`moment`, `value`); `$campaign`, `$event` and `$within` (microseconds) are parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Series(msgspec.Struct, frozen=True):
    """A series: `{mine}` in its `rows` stands for what makes them those of one campaign, or for `true`.

    `money` says that values are in the hub's currency.
    """

    title: str
    meaning: str
    rows: str
    money: bool = False


SERIES: Mapping[str, Series] = {
    "events": Series(
        "Events that count", "Sales, goals of actions and stages of the funnel, as they happened.",
        "SELECT min(\"at\") AS moment, 1.0 AS value FROM moments WHERE role <> 'contact' GROUP BY number",
    ),
    "decisions": Series(
        "Decisions", "What channels asked and the hub answered; silence is an answer, too.",
        'SELECT min("at") AS moment, 1.0 AS value FROM decisions WHERE {mine} GROUP BY decision_id',
    ),
    "reach": Series(
        "New customers reached", "Customers on the day on which an action reached them for the first time.",
        'SELECT min("at") AS moment, 1.0 AS value FROM contacts WHERE {mine} GROUP BY subject',
    ),
    "contacts": Series(
        "Contacts", "Actions that reached a customer.",
        'SELECT "at" AS moment, 1.0 AS value FROM contacts WHERE {mine}',
    ),
    "answers": Series(
        "Good answers", "Answers that are a success of their action.",
        'SELECT "at" AS moment, 1.0 AS value FROM outcomes WHERE positive AND {mine}',
    ),
    "conversions": Series(
        "Conversions",
        "Sales and goals that were not taken back; of a campaign those that its actions are credited with.",
        'SELECT "at" AS moment, 1.0 AS value FROM conversions WHERE NOT coalesce(undone, false) AND {mine}',
    ),
    "spend": Series(
        "Spend", "Money entered as spent, and what contacts cost. A later word on an entry replaces it.",
        'SELECT "at" AS moment, amount AS value FROM (SELECT * FROM spend WHERE {mine} '
        "QUALIFY row_number() OVER (PARTITION BY campaign, entry ORDER BY seq DESC) = 1) WHERE kind = 'spent' "
        'UNION ALL SELECT "at", cost FROM contacts WHERE cost <> 0 AND {mine}',
        money=True,
    ),
}  # fmt: skip

OF_ALL = ("events", "decisions", "contacts", "conversions", "spend")
OF_CAMPAIGNS = ("decisions", "reach", "contacts", "answers", "conversions", "spend")
"""The series that are told of the whole hub, and of one campaign."""

AFTER = """EXISTS (
        SELECT 1 FROM contacts c
        WHERE c.campaign = $campaign AND c.subject = m.subject AND c."at" <= m."at"
            AND ($within IS NULL OR m."at" <= c."at" + to_microseconds($within))
    )"""
"""Whether an event `m` came within a span after a contact of a campaign with that customer."""


def rows_of(name: str, campaign: bool) -> str:
    """Return the query for the rows of a series, of `$campaign` or of all."""
    return SERIES[name].rows.replace("{mine}", "campaign = $campaign" if campaign else "true")


def reached(each_once: bool) -> str:
    """Return the query for the events `$event` that came within `$within` after a contact of `$campaign`.

    `each_once`: of each customer the first one counts, as of a metric that asks whether there was one.
    """
    once = 'SELECT number, any_value(subject) AS subject, min("at") AS "at" FROM moments WHERE event = $event'
    return (
        f'SELECT min(m."at") AS moment, 1.0 AS value\n    FROM ({once} GROUP BY number) m\n    WHERE {AFTER}\n    '
        f"GROUP BY m.{'subject' if each_once else 'number'}"
    )


def by_period(rows: str, every: str) -> str:
    """Return the query for the sums of rows by `hour`, `day` or `week` in UTC, in order."""
    return (
        f"SELECT date_trunc('{every}', moment) AS period, sum(value) AS value\nFROM (\n    {rows}\n)\n"
        "GROUP BY ALL ORDER BY ALL"
    )
