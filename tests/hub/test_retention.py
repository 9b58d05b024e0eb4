"""Old events and facts leave the store for its archive, and nothing that reads them can tell."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opportune.catalog.project import write_project
from opportune.cli import customers
from opportune.clock import DAY, HOUR
from opportune.errors import Forgotten
from opportune.events.types import DecisionMade, WindowClosed
from opportune.hub import Hub
from opportune.learn import fold
from opportune.ledger import episode_table
from opportune.store import archive, archived_log, sqlite_shapes
from opportune.testing import FakeClock, tiny_action, tiny_catalog

SEEN = {"name": "seen", "event": "Page Viewed", "aggregate": "count"}
PAGES = {"name": "pages", "event": "Page Viewed", "aggregate": "distinct(page)"}
CANARY = "canary-7f3a"
RETAIN = {"events": "10d", "ledger": "20d"}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of 50 rows, dropped from the log a few at a time."""
    for module in (archive, archived_log, episode_table):
        monkeypatch.setattr(module, "ROWS", 50)
    for module in (archived_log, episode_table):
        monkeypatch.setattr(module, "STEP", 7)
    monkeypatch.setattr(archived_log, "REST", 0)


def catalog(retain: dict[str, str] | None, *features: dict[str, Any]) -> Any:
    actions = [tiny_action("hello"), tiny_action("goodbye", value=1.01)]
    more = {"retain": retain} if retain else {}
    return tiny_catalog(actions=actions, features=list(features), model={"random_share": 0.5}, **more)


def lived(store: str, retain: dict[str, str] | None, days: int = 40) -> tuple[Hub, FakeClock, list[str]]:
    """Return a hub with a life of some days behind it: events, decisions and answers of eight customers."""
    clock = FakeClock()
    hub = Hub.of(catalog(retain, SEEN), store, clock)
    decisions = []
    for day in range(days):
        for n in range(8):
            clock.advance(HOUR)
            who = f"c{n}"
            view = {"type": "track", "event": "Page Viewed", "userId": who, "messageId": f"{day}/{n}"}
            hub.ingest({**view, "properties": {"page": f"{CANARY}-{who}-{day % 5}"}})
            answer = hub.decide(who, "app.home")
            decisions.append(str(answer.decision_id))
            if (day + n) % 3:
                hub.respond(decisions[-1], answer.actions[0].action, "accept" if (day * n) % 5 == 1 else "impression")
        clock.advance(DAY - 8 * HOUR)
    return hub, clock, decisions


Past = tuple[Hub, FakeClock, list[str]]


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, list[str]]:
    """A folder with a life of forty days, when it ended, and its decisions."""
    folder = tmp_path_factory.mktemp("lives")
    hub, clock, decisions = lived(f"sqlite:///{folder}/hub.db", RETAIN)
    hub.close()
    return folder, clock.now(), decisions


@pytest.fixture
def past(lives: tuple[Path, int, list[str]], tmp_path: Path) -> Past:
    """A hub in `tmp_path` with a copy of that life."""
    folder, at, decisions = lives
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    clock = FakeClock(at, salt=1)
    return Hub.of(catalog(RETAIN, SEEN), f"sqlite:///{tmp_path}/hub.db", clock), clock, decisions


def told(hub: Hub) -> dict[str, Any]:
    """Return everything that can be read of a hub's past."""
    return {
        "facts": list(hub.ledger.read()),
        "events": list(hub.events.read()),
        "joined": list(hub.ledger.joined()),
        "rebuilt": fold.rebuild(hub.ledger).snapshot(),
        "live": hub.brain.snapshot(),
    }


def rows_left(hub: Hub) -> tuple[int, int, int]:
    """Return how many events, facts and episodes the store itself still has."""
    logs = [sum(1 for _ in hub.store.log(name).read()) for name in ("events", "ledger")]
    return logs[0], logs[1], hub.store.table("episodes").count()


class Broken(Exception):
    """What a step is made to raise."""


def test_nothing_that_reads_the_past_can_tell(tmp_path: Path, past: Past) -> None:
    hub, clock, decisions = past
    before, full = told(hub), rows_left(hub)
    events, facts = hub.archive()
    left = rows_left(hub)
    assert told(hub) == before
    assert hub.archive() == (0, 0), "there is nothing older left"
    assert hub.events.get(events) is not None
    assert {hub.clock.now() - e.received_at > 10 * DAY for e in [hub.event(f"event {events}")]} == {True}
    assert clock.now() - hub.event(f"event {events + 1}").received_at <= 10 * DAY
    old = [fact.at for number, fact in hub.ledger.read(0, facts) if isinstance(fact, DecisionMade)]
    young = [fact.at for number, fact in hub.ledger.read(facts) if isinstance(fact, DecisionMade)]
    assert max(old) < clock.now() - 20 * DAY <= min(young)
    assert left[0] == full[0] - events < full[0] / 2
    assert left[1] == full[1] - facts
    assert left[2] == len(young)
    for decision in (decisions[0], decisions[len(old) - 1], decisions[-1]):
        assert hub.replay(decision)
        assert "hello" in str(hub.explain(decision))
    hub.close()
    hub = Hub.of(catalog(RETAIN, SEEN), f"sqlite:///{tmp_path}/hub.db", clock)
    assert told(hub) == before
    assert hub.replay(decisions[0])
    hub.close()


def test_facts_that_tell_of_earlier_times_are_as_old_as_their_neighbours(past: Past) -> None:
    hub, clock, _ = past
    written = hub.ledger.last()
    clock.advance(30 * DAY)
    hub.decide("c1", "app.home")
    late = [fact for _, fact in hub.ledger.read(written) if isinstance(fact, WindowClosed)]
    assert late
    assert {fact.at < clock.now() - 20 * DAY for fact in late} == {True}
    hub.archive()
    assert 0 < hub.ledger.archived <= written


def test_a_new_feature_is_filled_from_archived_events(past: Past) -> None:
    hub, _, _ = past
    hub.archive()
    hub.publish(catalog(RETAIN, SEEN, PAGES))
    values = hub.profile("c3").values
    assert (values["seen"], values["pages"]) == (40, 5)
    hub.close()


def test_a_late_answer_to_an_archived_decision_counts(past: Past) -> None:
    hub, clock, decisions = past
    twin, _, same = lived("memory:", None)
    assert same == decisions
    hub.archive()
    [action] = [e.action for e in hub.ledger.episodes(decisions[6]).each]
    for one in (hub, twin):
        assert one.respond(decisions[6], action, "accept")
        assert not one.respond(decisions[6], action, "accept")
    assert dict(hub.ledger.joined())[decisions[6]].each[0].outcomes.keys() == {"accept"}
    assert [key for key, _ in hub.ledger.joined()] == decisions
    assert [rows.each for _, rows in hub.ledger.joined()] == [rows.each for _, rows in twin.ledger.joined()]
    assert fold.rebuild(hub.ledger).snapshot() == fold.rebuild(twin.ledger).snapshot()
    hub.archive()
    clock.advance(30 * DAY)
    hub.tick()
    before = told(hub)
    hub.archive()
    assert told(hub) == before
    hub.close()


@pytest.mark.parametrize("killed", [False, True])
def test_an_answer_that_comes_while_its_decision_moves_is_kept(
    tmp_path: Path, past: Past, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    """It comes when the file is written and the row not yet dropped; or never dropped, because the process ended."""
    hub, clock, decisions = past
    [action] = [e.action for e in hub.ledger.episodes(decisions[6]).each]
    drop, answered = episode_table.EpisodeTable._drop, False

    def late(table: episode_table.EpisodeTable, rows: Any) -> None:
        nonlocal answered
        rows = list(rows)
        if not answered and any(key == decisions[6] for _, key, _ in rows):
            answered = hub.respond(decisions[6], action, "accept")
            if killed:
                raise Broken
        drop(table, rows)

    with monkeypatch.context() as patch:
        patch.setattr(episode_table.EpisodeTable, "_drop", late)
        try:
            hub.archive()
        except Broken:
            assert killed
    assert answered
    before = told(hub)
    for _ in range(2):
        hub.archive()
        assert "accept" in hub.ledger.episodes(decisions[6]).each[0].outcomes
        assert told(hub) == before
    hub.close()
    hub = Hub.of(catalog(RETAIN, SEEN), f"sqlite:///{tmp_path}/hub.db", clock)
    assert told(hub) == before
    hub.close()


def test_forgetting_covers_the_archive(tmp_path: Path, past: Past) -> None:
    hub, _, decisions = past
    hub.archive()
    of_ana = [d for d in decisions if hub.ledger.decision(d)[1].customer == "c3"]
    number = next(n for n, _, _ in hub.events.read() if hub.event(f"event {n}").user_id == "c3")
    kept = hub.event("event 1")
    hub.forget("c3")
    with pytest.raises(Forgotten):
        hub.event(f"event {number}")
    with pytest.raises(Forgotten):
        hub.explain(of_ana[0])
    assert hub.event("event 1") == kept
    hub.rebuild()
    hub.publish(catalog(RETAIN, SEEN, PAGES))
    assert hub.profile("c4").values["pages"] == 5
    hub.archive()
    hub.store.settle(compact=True)
    hub.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".parquet" for path in files)
    assert not any(CANARY.encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize("retain", [None, {"events": "400d"}])
def test_nothing_moves_that_is_to_stay(tmp_path: Path, retain: dict[str, str] | None) -> None:
    hub, _, _ = lived(f"sqlite:///{tmp_path}/hub.db", retain, days=3)
    full = rows_left(hub)
    assert hub.archive() == (0, 0)
    assert rows_left(hub) == full
    assert not (tmp_path / "hub.db.archive").exists()
    hub.close()


def test_memory_keeps_what_it_has() -> None:
    hub, _, _ = lived("memory:", RETAIN)
    before, full = told(hub), rows_left(hub)
    assert hub.archive() == (0, 0)
    assert (told(hub), rows_left(hub)) == (before, full)


def test_others_go_on_meanwhile(past: Past) -> None:
    hub, _, _ = past
    wrong: list[BaseException] = []
    done, count = threading.Event(), 0

    def work() -> None:
        nonlocal count
        try:
            while not done.is_set() or count < 3:
                count += 1
                answer = hub.decide(f"c{count % 8}", "app.home")
                hub.respond(str(answer.decision_id), answer.actions[0].action, "impression")
                hub.ingest({"type": "track", "event": "Page Viewed", "userId": "c1"})
        except BaseException as error:
            wrong.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    hub.archive()
    done.set()
    worker.join()
    assert not wrong
    assert sum(1 for _ in hub.events.read()) == hub.events.last() == 320 + count
    assert sum(1 for _ in hub.ledger.read()) == hub.ledger.last()
    assert len(list(hub.ledger.joined())) == 320 + count
    hub.close()


def test_closing_ends_it_after_the_file_at_hand(tmp_path: Path, past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    hub, clock, _ = past
    before, begun, sync = told(hub), threading.Event(), archive.sync

    def beginning(path: Path) -> None:
        begun.set()
        sync(path)

    monkeypatch.setattr(archive, "sync", beginning)
    archiving = threading.Thread(target=hub.archive)
    archiving.start()
    assert begun.wait(10)
    hub.close()
    archiving.join()
    hub = Hub.of(catalog(RETAIN, SEEN), f"sqlite:///{tmp_path}/hub.db", clock)
    assert hub.events.archived > 0
    assert told(hub) == before
    assert hub.archive()[1] > 0, "the ledger was still to be moved"
    assert told(hub) == before
    hub.close()


class Step:
    """Calls of what changes something on disk; the one of number `at` raises."""

    def __init__(self, at: int) -> None:
        self.left = at

    def breaking(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise Broken
            return real(*arguments)

        return call


def test_a_failure_at_any_step_changes_nothing_that_is_read(
    tmp_path: Path, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, clock, _ = past
    before, failures, done = told(hub), 0, False
    log, table = sqlite_shapes.SqliteLog, sqlite_shapes.SqliteTable
    while not done:
        step = Step(failures + 1)
        with monkeypatch.context() as patch:
            for owner, name in ((archive, "sync"), (table, "put"), (table, "delete"), (log, "trim")):
                patch.setattr(owner, name, step.breaking(getattr(owner, name)))
            try:
                hub.archive()
                done = True
            except Broken:
                failures += 1
        assert list(hub.ledger.read()) == before["facts"]
        assert list(hub.events.read()) == before["events"]
        assert list(hub.ledger.joined()) == before["joined"]
    assert failures > 5
    assert told(hub) == before
    archived = hub.ledger.archived
    young = [number for number, fact in hub.ledger.read(archived) if isinstance(fact, DecisionMade)]
    assert 0 < len(young) == rows_left(hub)[2]
    assert next(hub.store.log("ledger").read())[0] == archived + 1
    hub.close()
    hub = Hub.of(catalog(RETAIN, SEEN), f"sqlite:///{tmp_path}/hub.db", clock)
    assert told(hub) == before
    hub.close()


KILLED = """
import os, signal, sys
from opportune.ledger import episode_table
from opportune.ledger.ledger import Ledger
from opportune.store import archive, archived_log, open_store, sqlite_shapes
from opportune.store.vault import Vault

for module in (archive, archived_log, episode_table):
    module.ROWS, module.STEP = 50, 7
archived_log.REST = 0
store = open_store(sys.argv[1])
ledger, left = Ledger(store, Vault(store)), int(sys.argv[3])

def deadly(real):
    def call(*arguments):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)
    return call

for owner, name in [(archive, "sync"), (sqlite_shapes.SqliteTable, "put"), (sqlite_shapes.SqliteTable, "delete"),
                    (sqlite_shapes.SqliteLog, "trim")]:
    setattr(owner, name, deadly(getattr(owner, name)))
for reached in ledger.archive(int(sys.argv[2])):
    pass
"""


@pytest.mark.parametrize("few", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_killed_process_changes_nothing_that_is_read(
    lives: tuple[Path, int, list[str]], tmp_path: Path, past: Past, few: bool
) -> None:
    hub, clock, _ = past
    before = told(hub)
    hub.close()
    kills = 0
    for at in (3, 7, 14) if few else range(1, 200):
        folder = tmp_path / str(at)
        shutil.copytree(lives[0], folder)
        url = f"sqlite:///{folder}/hub.db"
        command = [sys.executable, "-c", KILLED, url, str(clock.now() - 5 * DAY), str(at)]
        done = subprocess.run(command, timeout=60, capture_output=True, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        kills += done.returncode != 0
        hub = Hub.of(catalog(RETAIN, SEEN), url, clock)
        assert told(hub) == before, at
        hub.archive()
        assert told(hub) == before, at
        hub.close()
        if done.returncode == 0:
            break
    assert kills >= 3


def test_backup_and_restore_take_the_archive_along(tmp_path: Path) -> None:
    shop, copy = tmp_path / "shop", tmp_path / "monday.db"
    write_project(shop)
    (shop / ".opportune").mkdir(mode=0o700)
    url = f"sqlite:///{shop}/.opportune/hub.db"
    hub, clock, _ = lived(url, RETAIN)
    hub.archive()
    before = told(hub)
    hub.close()

    customers.backup(copy, dir=str(shop))
    names = sorted(os.listdir(shop / ".opportune/hub.db.archive"))
    assert sorted(os.listdir(tmp_path / "monday.db.archive")) == names
    hub = Hub.of(catalog({"events": "1d", "ledger": "1d"}, SEEN), url, clock)
    hub.archive()
    hub.close()
    assert sorted(os.listdir(shop / ".opportune/hub.db.archive")) != names
    customers.restore(copy, force=True, dir=str(shop))
    hub = Hub.of(catalog(RETAIN, SEEN), url, clock)
    assert told(hub) == before
    assert sorted(os.listdir(shop / ".opportune/hub.db.archive")) == names
    hub.close()


def test_a_start_reads_few_facts_whatever_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions, joins and situations teach nothing, and yet the model is saved now and then."""
    monkeypatch.setattr("opportune.learn.learner.CHECKPOINT", 40)
    hub = Hub.of(catalog(None, SEEN), "memory:", FakeClock())
    for n in range(100):
        hub.ingest({"type": "identify", "userId": f"u{n}", "anonymousId": f"a{n}"})
        hub.decide(f"u{n}", "app.home")
    assert hub.ledger.last() > 200
    assert hub.ledger.last() - hub.ledger.begin() <= 45
