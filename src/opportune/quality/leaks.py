"""Columns that are filled in after the outcome: a predictor that learns from them knows nothing when it counts."""

from __future__ import annotations

import re
from math import log, sqrt
from typing import Any, NamedTuple

from opportune.errors import BadCatalog
from opportune.lab.sources import Table, literal, quoted
from opportune.quality.roles import YES, plain
from opportune.quality.spec import QualitySpec

ALONE = 0.85
"""The area under the ROC curve of one column alone that is too good to be known before."""

AFTER = r"(^|.* )(last|latest|final|closed?|lost|outcome|result|disposition|reason|resolution)( .*|$)"
"""Names of columns that hold the latest state, which each later event writes over."""

JUDGED = r"(^|.* )(tags?|quality|score|index|profile|grade|rating|rank|temperature|(lead|deal) (status|stage))( .*|$)"
"""Names of columns that somebody, or a model, fills in about a contact, often when the end is near."""

PARTLY = 0.05
"""The share of rows without a value from which on a judgement is one that comes later, if it comes."""

LEAST = 0.03
"""How far from 0.5 the area of such a column must be at least, besides being so beyond chance."""

MISSING = 0.08
"""How far the area of whether a value is there must be from 0.5 to be told."""

ONLY = 30
"""Rows of one outcome and none of the other, which a value comes with, that are no chance."""

CHANCE = 20.0
"""The least negative logarithm of the probability that rows of a value are of one outcome by chance."""

FEWEST = 50
"""Rows of each outcome below which nothing is said."""

FOLDS, BINS, LEVELS = 5, 20, 0.5


class Leak(NamedTuple):
    """A column, how well it alone tells the outcome (area under the ROC curve), and what speaks against it."""

    column: str
    auc: float
    evidence: list[str]


class Found(NamedTuple):
    leaks: list[Leak]
    to_check: list[Leak]
    warnings: list[str]


def leaks(connection: Any, table: Table, outcome: str, spec: QualitySpec) -> Found:
    """Return columns that are filled in after the outcome, and those to check; the strongest first.

    A column leaks that tells the outcome too well alone (`ALONE`), one with values that come with one outcome only
    (`ONLY`), and one that tells the outcome beyond chance and by its name holds the latest state, or a judgement that
    is there for some rows only. To check are judgements there for all, and columns whose values are missing more under
    one outcome: that may be so from the start, or be filled in later. Areas are of groups (values, or twenty equal
    parts of numbers), whose rates come from the other folds of five; of texts that hardly repeat only whether they are
    there counts. Takes the table `numbered`, whose `row` numbers the rows of `table`. Raises `BadCatalog` where no
    value of the outcome stands for yes.
    """
    yes = _positive(table, outcome, spec)
    if yes is None:
        raise BadCatalog([spec.problem("outcome", f"`{outcome}` has no value that stands for yes", "add `positive:`")])
    connection.execute(f"CREATE TABLE labeled AS SELECT *, {yes} AS hit FROM numbered WHERE {yes} IS NOT NULL")
    total, hits = connection.execute("SELECT count(*), coalesce(sum(hit), 0) FROM labeled").fetchone()
    if min(hits, total - hits) < FEWEST:
        few = f"leaks are not looked for: {int(hits):,} of {total:,} rows have `{outcome}`, of {FEWEST} needed each way"
        return Found([], [], [few])
    beyond = max(LEAST, 3 * sqrt((1 / hits + 1 / (total - hits)) / 12))
    found = Found([], [], [])
    for column in table.types:
        if column in (outcome, *spec.known_before):
            continue
        key = _groups(connection, table, column, total)
        if key is None:
            continue
        auc = _area(connection, key)
        strong, weak = _evidence(connection, column, key, auc, beyond)
        if strong:
            found.leaks.append(Leak(column, auc, strong + weak))
        elif weak:
            found.to_check.append(Leak(column, auc, weak))
    for kind in (found.leaks, found.to_check):
        kind.sort(key=lambda leak: (-leak.auc, leak.column))
    return found


def _positive(table: Table, outcome: str, spec: QualitySpec) -> str | None:
    """Return SQL that is 1 for a row whose outcome is a yes, 0 for another, NULL where it is missing."""
    text = table.text(outcome)
    wanted = f"lower({text}) IN ({', '.join(map(literal, YES))})"
    if spec.positive:
        wanted = f"lower({text}) = {literal(spec.positive.strip().lower())}"
    sql = f"SELECT coalesce(bool_or({wanted}), false) FROM {table.name}"
    return f"CAST({wanted} AS INT)" if table.connection.execute(sql).fetchone()[0] else None


def _groups(connection: Any, table: Table, column: str, total: int) -> str | None:
    """Return SQL of the group that a row's value is in, "" for none; None for ids, constants and what has no groups."""
    name = quoted(column)
    counts = f"SELECT approx_count_distinct({name}), count({name}) FROM labeled"
    distinct, filled = connection.execute(counts).fetchone()
    if not filled or (distinct < 2 and filled == total):
        return None
    number = table.types[column] in ("DOUBLE", "FLOAT", "HUGEINT") or "INT" in table.types[column]
    if number and distinct > BINS:
        cuts = ", ".join(str(i / BINS) for i in range(1, BINS))
        found = connection.execute(f"SELECT quantile_cont(CAST({name} AS DOUBLE), [{cuts}]) FROM labeled").fetchone()[0]
        edges = ", ".join(repr(float(edge)) for edge in dict.fromkeys(found))
        bin_ = f"list_count(list_filter([{edges}], lambda x: x < {name}))"
        return f"CASE WHEN {name} IS NULL THEN '' ELSE CAST({bin_} AS VARCHAR) END"
    if distinct > LEVELS * filled:
        return f"CASE WHEN {name} IS NULL THEN '' ELSE 'filled' END" if filled < total else None
    return f"coalesce(CAST({name} AS VARCHAR), '')"


def _area(connection: Any, key: str) -> float:
    """Return the area under the ROC curve of groups, rated by the other folds; ties count half."""
    sql = f"""
WITH cells AS (SELECT {key} AS k, hash(row) % {FOLDS} AS fold, sum(hit) AS hits, count(*) AS n
    FROM labeled GROUP BY ALL),
whole AS (SELECT k, sum(hits) AS hits, sum(n) AS n FROM cells GROUP BY k),
base AS (SELECT sum(hits) / sum(n) AS rate FROM cells),
rated AS (SELECT (whole.hits - cells.hits + base.rate) / (whole.n - cells.n + 1) AS rate, cells.hits,
    cells.n - cells.hits AS misses FROM cells JOIN whole USING (k), base),
steps AS (SELECT rate, sum(hits) AS hits, sum(misses) AS misses FROM rated GROUP BY rate),
ranked AS (SELECT hits, misses, sum(misses) OVER (ORDER BY rate) - misses / 2 AS below FROM steps)
SELECT sum(hits * below) / (sum(hits) * sum(misses)) FROM ranked"""
    return float(connection.execute(sql).fetchone()[0])


def _evidence(connection: Any, column: str, key: str, auc: float, beyond: float) -> tuple[list[str], list[str]]:
    """Return what shows that a column leaks, and what makes one look twice."""
    strong: list[str] = []
    weak: list[str] = []
    name = plain(column)
    if auc >= ALONE:
        strong.append(f"alone it tells the outcome with an area of {auc:.3f}")
    sql = f"SELECT {key} AS k, sum(hit) AS hits, count(*) AS n FROM labeled GROUP BY k ORDER BY n DESC, k"
    groups = [(str(k), float(hits), float(n)) for k, hits, n in connection.execute(sql).fetchall()]
    total, hit = sum(n for *_, n in groups), sum(hits for _, hits, _ in groups)
    gone, gone_hits = next(((n, hits) for k, hits, n in groups if not k), (0.0, 0.0))
    if auc - 0.5 > beyond and re.fullmatch(AFTER, name):
        strong.append(f"by its name it holds the latest state, and alone it has an area of {auc:.3f}")
    elif auc - 0.5 > beyond and re.fullmatch(JUDGED, name):
        later = gone >= PARTLY * total
        said = f"filled in for {1 - gone / total:.0%}" if later else "filled in for all"
        told = f"by its name it is a judgement, {said}, and alone it has an area of {auc:.3f}"
        (strong if later else weak).append(told)
    for said, wanted in (("only with", 1.0), ("never with", 0.0)):
        share = hit / total if wanted else 1 - hit / total
        rows = sum(n for k, h, n in groups if k and n >= ONLY and -n * log(share) >= CHANCE and h == wanted * n)
        if rows:
            strong.append(f"{rows:,.0f} rows have values that come {said} the outcome")
    present, absent = gone_hits / hit, (gone - gone_hits) / (total - hit)
    if abs(present - absent) / 2 >= MISSING:
        weak.append(f"missing for {present:.0%} of those with the outcome, {absent:.0%} of those without")
    return strong, weak
