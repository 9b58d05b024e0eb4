"""The ledger and the events of a hub, written as tables: what is new since the last export, or all of it.

Facts are read in their order and become rows of parts that never change. Contacts and outcomes get their customer,
campaign and cost from the decision they belong to; conversions are goal events with the credit that stands for them.
Rows of customers who were forgotten since are taken out of the parts they are in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Protocol

from opportune.catalog.types import Catalog
from opportune.events.types import DecisionMade, Event, LedgerFact
from opportune.figures.conversions import GOAL, STAGE, UNDO, conversions
from opportune.figures.manifest import Manifest, read_manifest
from opportune.figures.rows import Hearing, Row, Told
from opportune.figures.tables import LEDGER, SMALL, TABLES
from opportune.figures.writer import Writer, stamped
from opportune.ledger.record import Record


class Source(Protocol):
    """What an export reads; nothing of it is held for longer than an item."""

    def facts(self, after: int, until: int) -> Iterator[tuple[int, LedgerFact]]:
        """Yield the facts after one number and up to another, in order."""

    def events(self, after: int, until: int) -> Iterator[tuple[int, str, Event]]:
        """Yield (number, pseudonym, event) after one number and up to another; without those of the forgotten."""

    def record_of(self, made: DecisionMade) -> Record | None:
        """Return the record of a decision; None of a customer who was forgotten."""

    def catalog_of(self, published: int) -> Catalog:
        """Return the catalog that was published as that fact."""

    def digest(self, fact: int) -> str:
        """Return a digest of one fact; "" if there is none."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How far an export goes, and what it takes over as it is: the live catalog, the rows of small tables.

    `scored` is when the quality of data was last scored.
    """

    fact: int
    event: int
    catalog: Catalog
    small: Mapping[str, Iterable[Row]]
    scored: int = 0


def export(folder: Path, source: Source, wanted: Wanted, since: int | None = None) -> Manifest:
    """Bring a folder of tables up to date and return its manifest.

    `since`: a folder that is begun anew has the facts after that number alone. A folder that another hub wrote, or that
    is ahead of this one because a backup was restored, is begun anew.
    """
    before = read_manifest(folder)
    same = before is not None and before.to <= wanted.fact and before.events <= wanted.event and (
        before.last == source.digest(before.to)
    )  # fmt: skip
    with Writer(folder, anew=not same or since is not None) as writer:
        done = writer.before or Manifest.of({}, (since or 0) + 1, since or 0)
        told = Told(source.catalog_of, source.record_of, done.catalog, done.at)
        for table, row in chain.from_iterable(told.rows(*one) for one in source.facts(done.to, wanted.fact)):
            writer.add(table, row)
        hearing = Hearing(wanted.catalog)
        heard = done.events if done.asked == hearing.asked else 0
        if not heard:
            writer.parts.pop("moments", None)
        for number, subject, event in source.events(heard, wanted.event):
            for row in hearing.rows(number, subject, event):
                writer.add("moments", row)
        _tell_of_catalogs(writer, told)
        for table, rows in wanted.small.items():
            for row in rows:
                writer.add(table, row)
        writer.flush()
        _forget(writer)
        _add_parts(writer, done.to + 1, wanted.fact, heard + 1, wanted.event)
        for table in (table for table in SMALL if writer.gathered[table] or writer.parts.get(table)):
            writer.whole(table, stamped(table, table, ["ALL"]))
        _derive(writer)
        return writer.finish(
            done.begin, wanted.fact, told.known, events=wanted.event, catalog=told.live,
            last=source.digest(wanted.fact), asked=hearing.asked, scored=wanted.scored,
        )  # fmt: skip


def forget(folder: Path, subjects: Iterable[str]) -> None:
    """Take the rows of customers out of the parts of a folder, if there are any; it goes no further than it did."""
    before = read_manifest(folder)
    if before is None:
        return
    with Writer(folder) as writer:
        for subject in subjects:
            writer.add("forgotten", (subject,))
        writer.flush()
        _forget(writer)
        writer.without("identities", f"node IN ({_GONE}) OR subject IN ({_GONE})")
        if writer.parts != before.parts:
            writer.finish(
                before.begin, before.to, before.at, events=before.events, catalog=before.catalog, last=before.last,
                asked=before.asked, scored=before.scored,
            )  # fmt: skip


def _tell_of_catalogs(writer: Writer, told: Told) -> None:
    """Add what actions cost and which answers are good, by the catalogs of the decisions that have news."""
    writer.flush()
    if not (writer.gathered["impressions"] or writer.gathered["answers"]):
        return
    rows = writer.connection.execute(
        f"SELECT DISTINCT catalog FROM (SELECT catalog FROM decisions UNION ALL SELECT catalog FROM "
        f"{writer.read('decisions')} WHERE decision_id IN (SELECT decision_id FROM impressions UNION "
        "SELECT decision_id FROM answers)) ORDER BY 1"
    ).fetchall()
    for [number] in rows:
        catalog = told.catalogs.get(number) or told.catalog_of(number)
        for action in catalog.actions:
            if action.cost:
                writer.add("costs", (number, action.name, action.cost))
            for outcome in action.outcomes.positive:
                writer.add("positives", (number, action.name, outcome))


def _forget(writer: Writer) -> None:
    """Take the rows of the forgotten out of what was gathered and of the parts that there are."""
    [[many]] = writer.connection.execute("SELECT count(*) FROM forgotten").fetchall()
    if not many:
        return
    for table, columns in TABLES.items():
        if "subject" in columns and table not in SMALL:
            writer.connection.execute(f"DELETE FROM {table} WHERE subject IN ({_GONE})")
            writer.without(table, f"subject IN ({_GONE})")


_GONE = "SELECT subject FROM forgotten"


def _add_parts(writer: Writer, first: int, last: int, first_event: int, last_event: int) -> None:
    orders = {"decisions": ["seq", "placement", "rank"], "holdouts": ['"at"', "subject", "holdout"]}
    made = {"holdouts": _members(writer)}
    for table in LEDGER:
        if table not in _ANSWERED and writer.gathered[table]:
            writer.part(table, stamped(table, made.get(table, table), orders.get(table, ["seq"])), first, last)
    if writer.gathered["moments"]:
        writer.part("moments", stamped("moments", "moments", ["number", "role"]), first_event, last_event)
    for table in (table for table, gathered in _ANSWERED.items() if writer.gathered[gathered]):
        writer.part(table, _answered(writer, table), first, last)


_ANSWERED = {"contacts": "impressions", "outcomes": "answers"}
"""Tables that are made of gathered facts and their decisions."""


def _members(writer: Writer) -> str:
    """Return the query for customers of whom it is told for the first time whether they are in a holdout's period."""
    return (
        "(SELECT n.* FROM (SELECT min(h.at) AS \"at\", h.subject, h.holdout, arg_min(h.held, h.at) AS held, h.period, "
        "arg_min(h.scope, h.at) AS scope, min(h.known) AS known FROM holdouts h GROUP BY ALL) n "
        f"ANTI JOIN {writer.read('holdouts')} o USING (subject, holdout, period))"
    )


def _answered(writer: Writer, table: str) -> str:
    """Return the query for new contacts or outcomes: the first fact of each, with what its decision says."""
    contacts = table == "contacts"
    gathered, key = _ANSWERED[table], "" if contacts else ", outcome"
    own = (
        "n.delivered, n.late, coalesce(c.cost, 0.0) AS cost" if contacts
        else "n.outcome, n.value, p.outcome IS NOT NULL AS positive"
    )  # fmt: skip
    beside = (
        "LEFT JOIN costs c ON c.catalog = d.catalog AND c.action = n.action" if contacts
        else "LEFT JOIN positives p ON p.catalog = d.catalog AND p.action = n.action AND p.outcome = n.outcome"
    )  # fmt: skip
    channel = ", d.channel" if contacts else ""
    return (
        f"WITH n AS (SELECT * FROM {gathered} ANTI JOIN {writer.read(table)} USING (decision_id, action{key}) "
        f"QUALIFY row_number() OVER (PARTITION BY decision_id, action{key} ORDER BY seq) = 1) "
        'SELECT n.seq, make_timestamp(n.at) AS "at", n.decision_id, d.subject, n.action, '
        f"d.campaign{channel}, {own}, "
        f"make_timestamp(n.known) AS known FROM n JOIN {writer.read('decisions')} d "
        f"ON d.decision_id = n.decision_id AND d.action = n.action {beside} "
        "QUALIFY row_number() OVER (PARTITION BY n.seq ORDER BY d.rank, d.placement) = 1 ORDER BY n.seq"
    )


def _derive(writer: Writer) -> None:
    """Make the tables that are made of others, where one of these has changed."""
    before: Mapping[str, tuple[str, ...]] = writer.before.parts if writer.before else {}
    if writer.before and all(before.get(t, ()) == writer.parts.get(t, ()) for t in ("moments", "credits", "identities",
                                                                                    "decisions")):  # fmt: skip
        return
    moments = writer.read("moments")
    for row in _undone(writer):
        writer.add("undone", row)
    writer.flush()
    undone = "SELECT number, make_timestamp(undone_at) AS undone_at FROM undone"
    writer.whole("conversions", conversions(moments, writer.read("credits"), writer.read("decisions"), undone))
    writer.whole(
        "leads",
        f"SELECT m.at, subject, substr(role, {len(STAGE) + 1}) AS stage, source, referral, known FROM {moments} m "
        f"WHERE starts_with(role, '{STAGE}') ORDER BY number, role",
    )


def _undone(writer: Writer) -> Iterator[Row]:
    """Yield (number, when) of the goal events that a later event took back: the latest still standing, as credits are.

    Whoever was held out is looked at as everybody else.
    """
    person = f"SELECT m.* REPLACE (coalesce(i.subject, m.subject) AS subject) FROM {writer.read('moments')} m " + (
        f"LEFT JOIN {writer.read('identities')} i ON i.node = m.subject"
    )
    rows = writer.connection.execute(
        f"WITH m AS ({person}), u AS (SELECT DISTINCT subject, substr(role, {len(UNDO) + 1}) AS event FROM m "
        f"WHERE starts_with(role, '{UNDO}')) "
        f"SELECT u.subject, u.event, m.role, m.number, epoch_us(m.known) FROM m JOIN u ON m.subject = u.subject "
        f"AND (m.role = '{UNDO}' || u.event OR (m.role = '{GOAL}' AND m.event = u.event)) "
        "ORDER BY u.subject, u.event, m.at, m.number"
    ).fetchall()
    for _, group in groupby(rows, key=itemgetter(0, 1)):
        stack: list[int] = []
        for _, _, role, number, known in group:
            if role == GOAL:
                stack.append(number)
            elif stack:
                yield stack.pop(), known
