"""What the checks of the operation count, as SQL over the tables that the ledger is exported as.

Of an entry of money or hours told several times the last one counts; a contact counts once, however often it was seen.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from opportune.operations.health_sales import HandedOver
from opportune.operations.health_work import Effort

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_Key = tuple[str, str]
"""A campaign and a month."""

_CONTACTS = """
WITH contacted AS (
    SELECT min("at") AS "at", any_value(campaign) AS campaign, any_value(cost) AS cost
    FROM contacts GROUP BY decision_id, action
)
SELECT coalesce(campaign, ''), strftime(date_trunc('month', "at"), '%Y-%m') AS month, count(*), coalesce(sum(cost), 0)
FROM contacted GROUP BY ALL ORDER BY ALL
"""

_HOURS = """
WITH worked AS (
    SELECT "at", campaign, hours FROM work WHERE what = 'hours'
    QUALIFY row_number() OVER (PARTITION BY campaign, coalesce(nullif(entry, ''), seq::VARCHAR) ORDER BY seq DESC) = 1
)
SELECT campaign, strftime("at", '%Y-%m') AS month, sum(hours) FROM worked GROUP BY ALL ORDER BY ALL
"""

_MONEY = """
WITH told AS (
    SELECT campaign, amount FROM spend QUALIFY row_number() OVER (PARTITION BY campaign, entry ORDER BY seq DESC) = 1
)
SELECT campaign, sum(amount) FROM told GROUP BY ALL ORDER BY ALL
"""

_HANDED_OVER = """
WITH handed AS (
    SELECT subject, min("at") AS "at" FROM leads
    WHERE stage = 'handed_over' AND "at" <= make_timestamp($now) GROUP BY subject
)
SELECT h.subject, epoch_us(h."at"), epoch_us(min(l."at"))
FROM handed h LEFT JOIN leads l
    ON l.subject = h.subject AND l.stage IN ('accepted', 'customer')
    AND l."at" >= h."at" AND l."at" <= make_timestamp($now)
GROUP BY ALL ORDER BY ALL
"""


class Counts(NamedTuple):
    """What campaigns took: money by campaign ("": of none), and hours and contacts by campaign and by month of UTC.

    Money is what was committed and spent, and what contacts cost. Months are in order, and those that are over.
    """

    spent: dict[str, float]
    campaigns: list[Effort]
    months: list[Effort]


def counts(tables: DuckDBPyConnection, now: int) -> Counts:
    """Return what campaigns took until an instant."""
    spent, hours, contacts = defaultdict[str, float](float), defaultdict[_Key, float](float), Counter[_Key]()
    for campaign, amount in tables.execute(_MONEY).fetchall():
        spent[campaign] += amount
    for campaign, month, many, cost in tables.execute(_CONTACTS).fetchall():
        contacts[campaign, month] += many
        spent[campaign] += cost
    for campaign, month, some in tables.execute(_HOURS).fetchall():
        hours[campaign, month] += some
    running = str(tables.execute("SELECT strftime(make_timestamp(?), '%Y-%m')", [now]).fetchall()[0][0])
    campaigns = sorted({campaign for campaign, _ in (*hours, *contacts) if campaign})
    months = sorted({month for _, month in (*hours, *contacts) if month < running})
    return Counts(
        {campaign: amount for campaign, amount in sorted(spent.items()) if amount > 0},
        [_effort(name, 0, hours, contacts) for name in campaigns],
        [_effort(name, 1, hours, contacts) for name in months],
    )


def _effort(name: str, place: int, hours: Mapping[_Key, float], contacts: Mapping[_Key, int]) -> Effort:
    """Return the sums of a campaign (`place` 0) or of a month (1)."""
    worked = sum(some for key, some in hours.items() if key[place] == name)
    return Effort(name, worked, sum(many for key, many in contacts.items() if key[place] == name))


def leads(tables: DuckDBPyConnection) -> int:
    """Return how many people are leads."""
    return int(tables.execute("SELECT count(DISTINCT subject) FROM leads WHERE stage = 'lead'").fetchall()[0][0])


def handed_over(tables: DuckDBPyConnection, now: int) -> list[HandedOver]:
    """Return who was handed over to sales, each by the first time, and when sales first did something about them."""
    return [HandedOver(at, acted) for _, at, acted in tables.execute(_HANDED_OVER, {"now": now}).fetchall()]
