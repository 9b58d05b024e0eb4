"""Targets and reports in the catalog: what is read is written back, and every mistake is told where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opportune.catalog import load
from opportune.catalog.build import check, from_bytes, to_bytes
from opportune.catalog.report_sections import unexplained
from opportune.catalog.report_types import DIMENSIONS, FIGURES
from opportune.clock import DAY, parse_instant
from opportune.errors import BadCatalog
from opportune.figures.header import NAMES, header
from opportune.testing import tiny_catalog

ROI: dict[str, Any] = {"figure": "roi", "at_least": 1, "owner": "ana", "reason": "costs", "review": "2026-03-01"}
PEOPLE = [{"name": "ana", "role": "analyst", "email": "ana@example.com"}, {"name": "ben", "role": "manager"}]


def test_the_catalog_knows_every_figure() -> None:
    assert FIGURES == NAMES
    assert {name: header(name).dimensions for name in NAMES} == DIMENSIONS


def test_what_is_read_is_written_back() -> None:
    catalog = tiny_catalog(
        targets=[ROI, {**ROI, "at_least": None, "by": {"campaign": "spring"}, "between": [0.5, 2]},
                 {"figure": "velocity", "at_most": 30, "owner": "ben", "reason": "speed"}],
        reports=[{"name": "mine", "title": "Mine", "every": "day", "at": "18:30", "to": ["ana", "x@example.com"],
                  "parts": ["roi", "lab"], "formats": ["pdf"], "over": "14d"},
                 {"name": "other", "weekday": "friday", "role": "analyst"}],
        people=PEOPLE,
    )  # fmt: skip
    again = from_bytes(to_bytes(catalog))
    assert (again.targets, again.reports, again.hash) == (catalog.targets, catalog.reports, catalog.hash)
    mine, other = catalog.reports
    assert (mine.minute, mine.over, mine.to, mine.formats) == (1110, 14 * DAY, ("ana", "x@example.com"), ("pdf",))
    assert (other.every, other.weekday, other.parts, other.title) == ("week", 4, ("figures",), "other")
    roi, part, velocity = catalog.targets
    assert roi.review == parse_instant("2026-02-28T23:00:00Z"), "a day begins in the hub's time zone"
    assert (part.key, part.at_least, part.at_most) == ("roi by campaign=spring", 0.5, 2.0)
    assert (velocity.at_least, velocity.at_most) == (None, 30.0)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"targets": [{**ROI, "figure": "rio"}]}, "unknown figure `rio`"),
        ({"targets": [{**ROI, "at_most": 2}]}, "has `at_least` and `at_most`; write one of"),
        ({"targets": [{"figure": "roi", "owner": "ana", "reason": "x"}]}, "has no range"),
        ({"targets": [{**ROI, "at_least": None, "between": [2, 1]}]}, "the smaller one first"),
        ({"targets": [{**ROI, "reason": None}]}, "has no `reason`"),
        ({"targets": [{**ROI, "owner": "anna"}], "people": PEOPLE}, "unknown person `anna`"),
        ({"targets": [ROI, ROI]}, "a second target of roi"),
        ({"targets": [{**ROI, "by": {"campaign": "a", "channel": "b"}}]}, "one dimension with one value"),
        ({"targets": [{**ROI, "by": {"campagin": "a"}}]}, "roi cannot be told by `campagin`; did you mean `campaign`?"),
        ({"targets": [{**ROI, "review": "soon"}]}, "a date or time"),
        ({"reports": [{"name": "a", "every": "day", "weekday": "monday"}]}, "goes out every day"),
        ({"reports": [{"name": "a", "role": "analyst", "to": ["a@b.c"]}]}, "a `role` and a `to`"),
        ({"reports": [{"name": "a", "role": "boss"}], "people": PEOPLE}, "nobody in `people` is `boss`"),
        ({"reports": [{"name": "a", "to": ["carl"]}]}, "unknown reader `carl`"),
        ({"reports": [{"name": "a", "parts": ["figure"]}]}, "did you mean `figures`?"),
        ({"reports": [{"name": "a", "formats": ["docx"]}]}, "unknown format `docx`"),
        ({"reports": [{"name": "a", "at": "24:00"}]}, "a time of day"),
    ],
)
def test_mistakes_are_told(more: dict[str, Any], what: str) -> None:
    with pytest.raises(BadCatalog) as caught:
        tiny_catalog(**more)
    assert any(what in str(problem) for problem in caught.value.problems), [*map(str, caught.value.problems)]


def test_mistakes_are_told_at_once_and_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(
        "currency: EUR\ntime_zone: UTC\ntargets:\n  - {figure: roi, at_least: high, owner: ana, reason: x}\n"
        "reports:\n  - {name: week, weekday: mondag}\n"
    )
    told = [(problem.line, problem.column) for problem in check(tmp_path) if not problem.warning]
    assert told == [(4, 29), (6, 27)]
    with pytest.raises(BadCatalog):
        load(tmp_path)


def test_a_target_that_changes_without_a_new_reason_is_told() -> None:
    old = tiny_catalog(targets=[ROI])
    assert unexplained(old, tiny_catalog(targets=[{**ROI, "reason": "other", "at_least": 2}])) == []
    assert unexplained(old, tiny_catalog(targets=[{**ROI, "owner": "ben"}])) == []
    [told] = unexplained(old, tiny_catalog(targets=[{**ROI, "at_least": 2}]))
    assert told.startswith("the target of roi went from at least 1 to at least 2")
