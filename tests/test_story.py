"""Maya's lunch break, event by event: each answer follows what has just happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opportune.catalog.project import write_project
from opportune.clock import parse_instant
from opportune.events.types import SituationChanged
from opportune.hub import Hub
from opportune.testing import FakeClock

HERO = "app.home.hero"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story") / "shop"
    write_project(folder)
    return folder


Told = list[tuple[dict[str, Any], str | None]]


def play(project: Path, store: str, salt: int) -> tuple[Told, list[SituationChanged]]:
    """Return (event, issue of the winner right after it) of the whole story, and the situations in the ledger."""
    lines = (project / "stories" / "lunch_break.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    clock = FakeClock(parse_instant(events[0]["timestamp"]), salt)
    told = []
    with Hub.open(project, store, clock) as hub:
        for event in events:
            clock.at = parse_instant(event["timestamp"])
            assert hub.ingest(event).taken == 1
            answer = hub.decide("maya", HERO)
            assert answer.decision_id
            assert hub.replay(answer.decision_id)
            told.append((event, answer.actions[0].issue if answer.actions else None))
        changed = [f for _, f in hub.ledger.read() if isinstance(f, SituationChanged)]
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
    assert [f.at for f in changed] == [parse_instant(told[i][0]["timestamp"]) for i in (second, len(told) - 1)]


@pytest.mark.parametrize("salt", range(30))
def test_the_answer_follows_the_lunch_break(project: Path, salt: int) -> None:
    check(project, "memory:", salt)


def test_the_lunch_break_from_a_file(project: Path, tmp_path: Path) -> None:
    check(project, f"sqlite:///{tmp_path / 'hub.db'}", 0)
