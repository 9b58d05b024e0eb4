"""Maya's lunch break, event by event: each answer follows what has just happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opportune.catalog.project import write_project
from opportune.clock import MINUTE, parse_instant
from opportune.events.types import SituationChanged
from opportune.hub import Hub
from opportune.testing import FakeClock

HERO = "app.home.hero"
NOON = parse_instant("2026-03-10T11:30:00Z")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story") / "shop"
    write_project(folder, now=NOON)
    return folder


Told = list[tuple[dict[str, Any], str | None]]


def play(project: Path, store: str, salt: int) -> tuple[Told, list[SituationChanged]]:
    """Return (event, issue of the winner right after it) of the whole story, and the situations in the ledger."""
    lines = (project / "stories" / "lunch_break.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    clock = FakeClock(NOON, salt)
    told = []
    with Hub.open(project, store, clock) as hub:
        for event in events:
            clock.advance(3 * MINUTE)
            assert hub.ingest(event).taken == 1
            answer = hub.decide("maya", HERO)
            assert answer.decision_id
            assert hub.replay(answer.decision_id)
            told.append((event, answer.actions[0].issue if answer.actions else None))
        changed = [
            SituationChanged(f.at, f.subject, f.situation, f.entered, hub.event(f.cause).message_id)
            for _, f in hub.ledger.read()
            if isinstance(f, SituationChanged)
        ]
    return told, changed


def check(project: Path, store: str, salt: int) -> None:
    told, changed = play(project, store, salt)
    cancels = [i for i, (event, _) in enumerate(told) if event.get("name") == "cancel"]
    first, second = cancels
    assert told[-1][0]["event"] == "Order Completed"
    assert "retain" not in [issue for _, issue in told[:second]], "one look at the way out is no wish to leave"
    assert told[second][1] == "retain"
    assert told[-1][1] not in ("retain", None), "who has just ordered does not want to be kept"
    assert first < second < len(told) - 1
    moves = [(f.situation, f.entered, f.cause) for f in changed if f.situation == "leaving"]
    messages = [told[second][0]["messageId"], told[-1][0]["messageId"]]
    assert moves == [("leaving", True, messages[0]), ("leaving", False, messages[1])]
    assert [f.at - NOON for f in changed] == [(i + 1) * 3 * MINUTE for i in (second, len(told) - 1)]


@pytest.mark.parametrize("salt", range(30))
def test_the_answer_follows_the_lunch_break(project: Path, salt: int) -> None:
    check(project, "memory:", salt)


def test_the_lunch_break_from_a_file(project: Path, tmp_path: Path) -> None:
    check(project, f"sqlite:///{tmp_path / 'hub.db'}", 0)
