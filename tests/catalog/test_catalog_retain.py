"""The key `retain`: how long events and facts stay in the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opportune.catalog import check, from_bytes, from_data, load, to_bytes, to_data
from opportune.catalog.diff import diff
from opportune.catalog.overlay import apply, entry
from opportune.catalog.project import write_project
from opportune.catalog.types import Retain
from opportune.clock import DAY, HOUR
from opportune.testing import tiny_catalog


def test_spans_are_read_and_absent_ones_mean_for_good() -> None:
    assert tiny_catalog().retain == tiny_catalog(retain={}).retain == Retain(None, None)
    assert tiny_catalog(retain={"events": "400d"}).retain == Retain(400 * DAY, None)
    assert tiny_catalog(retain={"events": "36h", "ledger": "2w"}).retain == Retain(36 * HOUR, 14 * DAY)


def test_bytes_and_data_round_trip_and_old_bytes_load() -> None:
    plain, kept = tiny_catalog(), tiny_catalog(retain={"ledger": "800d", "events": "56w"})
    assert to_data(kept)["retain"] == {"events": "392d", "ledger": "800d"}
    assert from_bytes(to_bytes(kept)) == from_data(to_data(kept)) == kept
    assert b"retain" not in json.dumps({**to_data(plain), "actions": []}).encode(), "it must not change old hashes"
    assert from_bytes(to_bytes(plain)).retain == Retain()
    assert plain.hash == tiny_catalog(retain={}).hash != kept.hash


def test_a_change_is_shown_and_can_be_overlaid() -> None:
    plain, kept = tiny_catalog(), tiny_catalog(retain={"events": "400d", "ledger": "800d"})
    more = from_data(apply(to_data(kept), [entry(kept, "retain.events", "500d", "ana", 0, "an audit")]))
    assert more.retain == Retain(500 * DAY, 800 * DAY)
    assert [str(change) for change in diff(kept, more)] == ["retain.events: 400d -> 500d"]
    assert [str(change) for change in diff(plain, kept)] == [
        "retain.events: the default -> 400d",
        "retain.ledger: the default -> 800d",
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "what", "cure"),
    [
        ("retain: {events: forever}", 1, 18, "`events` of `retain` is `forever`; must be a span such as", ""),
        ("retain:\n  ledger: 0d", 2, 11, "`ledger` of `retain` is `0d`", ""),
        ("retain: {event: 5d}", 1, 10, "unknown key `event`", "did you mean `events`?"),
        ("retain: 5d", 1, 9, "`retain` must be a mapping", "`key: value`"),
    ],
)
def test_mistakes_have_a_place_and_a_cure(
    tmp_path: Path, text: str, line: int, column: int, what: str, cure: str
) -> None:
    (tmp_path / "hub.yaml").write_text(text)
    [problem] = [p for p in check(tmp_path) if not p.warning]
    assert (Path(problem.file).name, problem.line, problem.column) == ("hub.yaml", line, column)
    assert what in problem.what.replace(", must", "; must")
    assert cure in problem.cure


def test_decisions_are_kept_while_answers_may_come(tmp_path: Path) -> None:
    write_project(tmp_path)
    assert load(tmp_path).retain == Retain(400 * DAY, 800 * DAY)
    assert not check(tmp_path)
    hub = tmp_path / "hub.yaml"
    hub.write_text(hub.read_text().replace("ledger: 800d", "ledger: 7d"))
    [problem] = check(tmp_path)
    assert problem.warning
    assert "shorter than the 30d that action" in problem.what
    assert hub.read_text().splitlines()[problem.line - 1][problem.column - 1 :].startswith("7d")
    assert "30d or longer" in problem.cure
