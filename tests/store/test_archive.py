"""Old rows in files: log and archive together are always what was written, whatever happens in between."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.errors import BrokenStore
from opportune.store import Store, archive, archived_log, open_store
from opportune.store.archive import Archive
from opportune.store.archived_log import ArchivedLog

Written = list[tuple[int, str, bytes]]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of 40 rows, dropped from the log 9 at a time."""
    monkeypatch.setattr(archive, "ROWS", 40)
    monkeypatch.setattr(archived_log, "ROWS", 40)
    monkeypatch.setattr(archived_log, "STEP", 9)
    monkeypatch.setattr(archived_log, "REST", 0)


def opened(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder}/hub.db")


def fill(log: ArchivedLog, count: int) -> Written:
    """Append numbered rows of a few keys and return them."""
    first = log.last() + 1
    rows = [(n, f"k{n % 3}", b"payload %d " % n + bytes(n % 50)) for n in range(first, first + count)]
    log.append([row[1:] for row in rows])
    return rows


def holds(log: ArchivedLog, rows: Written) -> None:
    """Assert that a log reads as these rows, in every way that it can be read."""
    assert list(log.read()) == rows
    assert log.last() == len(rows)
    for after in {0, 1, len(rows) // 2, len(rows) - 1, len(rows)}:
        assert list(log.read(after)) == rows[after:]
        assert list(log.read(after, "k1")) == [row for row in rows[after:] if row[1] == "k1"]
    for number, key, payload in rows[:: max(1, len(rows) // 10)]:
        assert log.get(number) == (key, payload)
    assert log.get(0) is log.get(len(rows) + 1) is log.get(-1) is None


def moved(log: ArchivedLog, until: int) -> None:
    for _ in log.archive(until):
        pass


@settings(max_examples=settings().max_examples // 4)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 200), st.booleans()), max_size=4))
def test_log_and_archive_read_as_one(steps: list[tuple[int, int, bool]]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        store, rows = opened(Path(folder)), Written()
        log = ArchivedLog(store, "events")
        for count, until, again in steps:
            rows += fill(log, count)
            moved(log, until)
            oldest = next(store.log("events").read(), (1,))[0]
            assert oldest >= min(until + 1, log.last())
            if again:
                store.close()
                store = opened(Path(folder))
                log = ArchivedLog(store, "events")
            holds(log, rows)
        store.close()


def test_files_are_full_before_another_begins(tmp_path: Path) -> None:
    store = opened(tmp_path)
    log = ArchivedLog(store, "events")
    rows = fill(log, 100)
    for until in (10, 25, 90):
        moved(log, until)
    moved(log, 0)
    folder = tmp_path / "hub.db.archive"
    assert sorted(path.name for path in folder.iterdir()) == [
        "events-000000000001-000000000025.parquet",
        "events-000000000026-000000000065.parquet",
        "events-000000000066-000000000090.parquet",
    ]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert next(store.log("events").read())[0] == 91
    holds(log, rows)
    moved(log, 100)
    assert next(store.log("events").read())[0] == 100, "the last row stays, so that numbering goes on"
    assert list(log.read()) == rows
    assert fill(log, 1)[0][0] == 101
    store.close()


def test_the_files_are_parquet_that_any_reader_reads(tmp_path: Path) -> None:
    import duckdb

    store = opened(tmp_path)
    log = ArchivedLog(store, "events")
    rows = fill(log, 100)
    moved(log, 100)
    found = duckdb.sql(f"SELECT * FROM read_parquet('{tmp_path}/hub.db.archive/*.parquet') ORDER BY sequence")
    assert found.columns == ["sequence", "key", "payload"]
    assert found.fetchall() == rows
    [(codec,)] = duckdb.sql(
        f"SELECT DISTINCT compression FROM parquet_metadata('{tmp_path}/hub.db.archive/*.parquet')"
    ).fetchall()
    assert codec == "ZSTD"
    store.close()


def test_odd_folders_keys_and_payloads(tmp_path: Path) -> None:
    folder = tmp_path / "a 'quoted' [x] * ? folder"
    folder.mkdir()
    store = opened(folder)
    log = ArchivedLog(store, "events")
    odd = [("", b""), ("é\U0001f600'\"", bytes(range(256))), ("a", b"\0" * 3000)]
    log.append(odd)
    moved(log, 2)
    assert [row[1:] for row in log.read()] == odd
    assert list(log.read(key="é\U0001f600'\"")) == [(2, *odd[1])]
    log.append([("a", b"more")])
    moved(log, 3)
    assert [row[1:] for row in log.read()] == [*odd, ("a", b"more")]
    store.close()


def test_a_reader_goes_on_while_rows_are_moved(tmp_path: Path) -> None:
    store = opened(tmp_path)
    log = ArchivedLog(store, "events")
    rows = fill(log, 400)
    readers = [log.read(), log.read(100), log.read(key="k1")]
    seen: list[Written] = [[] for _ in readers]
    for until in range(20, 401, 20):
        for reader, mine in zip(readers, seen, strict=True):
            mine += islice(reader, 7)
        moved(log, until)
        moved(log, 0)
    for reader, mine in zip(readers, seen, strict=True):
        mine += reader
    assert seen == [rows, rows[100:], [row for row in rows if row[1] == "k1"]]
    store.close()


def test_threads_read_whole_logs_while_rows_are_moved(tmp_path: Path) -> None:
    store = opened(tmp_path)
    log = ArchivedLog(store, "events")
    rows, wrong, done = fill(log, 600), [], threading.Event()

    def read() -> None:
        while not done.is_set():
            if list(log.read()) != rows or log.get(300) != rows[299][1:]:
                wrong.append(True)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for until in range(25, 601, 25):
        moved(log, until)
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong
    store.close()


def test_before_finds_where_rows_are_old_enough(tmp_path: Path) -> None:
    """Rows that cannot say when they came about (here: those of k1) go with the ones around them."""
    store = opened(tmp_path)
    log = ArchivedLog(store, "events")
    fill(log, 100)
    moved(log, 30)

    def at(key: str, payload: bytes) -> int | None:
        return None if key == "k1" else int(payload.split()[1])

    assert [log.before(instant, at) for instant in (0, 31, 60, 99, 100, 101, 500)] == [30, 30, 59, 98, 99, 99, 99]
    assert log.before(500, lambda key, payload: None) == 30
    store.close()


def test_find_and_sparse_rows(tmp_path: Path) -> None:
    store = opened(tmp_path)
    old = Archive(store, "episodes")
    assert (old.find("a"), old.get(1), old.last) == (None, None, 0)
    for base in range(0, 600, 100):
        with old.adding([(base + n, f"d{base + n:04}", b"%d" % n) for n in range(1, 100, 7)], until=base + 100):
            pass
    with old.adding([], until=700):
        pass
    again = Archive(store, "episodes")
    for found in (old, again):
        assert found.last == 700
        assert found.find("d0108") == (108, b"8")
        assert found.find("d0599") == (599, b"99")
        assert (found.find("d0109"), found.find("zz"), found.find("")) == (None, None, None)
        assert (found.get(108), found.get(109), found.get(701)) == (("d0108", b"8"), None, None)
        assert len(list(found.read())) == 90
    store.close()


def test_what_is_not_committed_was_not_put_away(tmp_path: Path) -> None:
    store = opened(tmp_path)
    old = Archive(store, "episodes")
    with old.adding([(1, "a", b"1")], until=5):
        pass
    with pytest.raises(ZeroDivisionError), old.adding([(7, "b", b"lost")], until=9):
        raise ZeroDivisionError
    assert (old.last, list(old.read()), old.find("b")) == (5, [(1, "a", b"1")], None)
    with old.adding([(8, "b", b"2")], until=9):
        pass
    assert list(old.read()) == list(Archive(store, "episodes").read()) == [(1, "a", b"1"), (8, "b", b"2")]
    store.close()


class Broken(Exception):
    """What a step is made to raise."""


def steps() -> list[tuple[Any, str]]:
    """Every call that changes something on disk while rows are moved."""
    from opportune.store import sqlite_shapes

    log, table = sqlite_shapes.SqliteLog, sqlite_shapes.SqliteTable
    return [(archive, "sync"), (Path, "replace"), (table, "put"), (table, "delete"), (log, "trim")]


def breaking(monkeypatch: pytest.MonkeyPatch, at: int) -> Callable[[], int]:
    """Let the call of that number raise, before or after it did its work; return how many there were."""
    count = 0

    def broken(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == at:
                raise Broken
            result = real(*arguments, **named)
            count += 1
            if count == at:
                raise Broken
            return result

        return call

    for owner, name in steps():
        monkeypatch.setattr(owner, name, broken(getattr(owner, name)))
    return lambda: count


def test_a_failure_at_any_step_loses_nothing_and_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = 0
    for at in range(1, 200):
        folder = tmp_path / str(at)
        folder.mkdir()
        store = opened(folder)
        log = ArchivedLog(store, "events")
        rows = fill(log, 70)
        moved(log, 10)
        with monkeypatch.context() as patch:
            count = breaking(patch, at)
            try:
                moved(log, 30)
                moved(log, 60)
            except Broken:
                failed += 1
            calls = count()
        holds(log, rows)
        holds(ArchivedLog(store, "events"), rows)
        moved(log, 0)
        moved(log, 60)
        holds(log, rows)
        assert next(store.log("events").read())[0] == 61
        store.close()
        store = opened(folder)
        log = ArchivedLog(store, "events")
        holds(log, rows)
        moved(log, 0)
        spans = sorted(path.stem.split("-")[1:] for path in (folder / "hub.db.archive").iterdir())
        assert [1, *(int(last) + 1 for _, last in spans)] == [*(int(first) for first, _ in spans), 61]
        store.close()
        if calls < at:
            break
    assert failed == at - 1 > 15


KILLED = """
import os, signal, sys
from pathlib import Path
from opportune.store import archive, archived_log, open_store, sqlite_shapes

archived_log.ROWS = archive.ROWS = 40
archived_log.STEP, archived_log.REST = 9, 0
store = open_store(sys.argv[1])
log = archived_log.ArchivedLog(store, "events")
left = int(sys.argv[2])

def step():
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

def deadly(real):
    def call(*arguments, **named):
        step()
        result = real(*arguments, **named)
        step()
        return result
    return call

table = sqlite_shapes.SqliteTable
for owner, name in [(archive, "sync"), (Path, "replace"), (table, "put"), (table, "delete"),
                    (sqlite_shapes.SqliteLog, "trim")]:
    setattr(owner, name, deadly(getattr(owner, name)))
for until in (30, 60):
    for _ in log.archive(until):
        pass
"""


def killed(url: str, at: int) -> bool:
    """Move rows in a process that kills itself at a step; return whether it came to that."""
    done = subprocess.run([sys.executable, "-c", KILLED, url, str(at)], timeout=60, capture_output=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


SHORT = [2, 5, 7, 9, 12]


@pytest.mark.parametrize("at", [*SHORT, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 40))])
def test_a_killed_process_loses_nothing_and_counts_nothing_twice(tmp_path: Path, at: int) -> None:
    store = opened(tmp_path)
    rows = fill(ArchivedLog(store, "events"), 70)
    moved(ArchivedLog(store, "events"), 10)
    store.close()
    assert killed(f"sqlite:///{tmp_path}/hub.db", at) or at not in SHORT
    store = opened(tmp_path)
    log = ArchivedLog(store, "events")
    holds(log, rows)
    moved(log, 0)
    holds(log, rows)
    moved(log, 60)
    holds(log, rows + fill(log, 5))
    assert next(store.log("events").read())[0] == 61
    store.close()


def test_a_missing_file_is_named_with_the_cure(tmp_path: Path) -> None:
    store = opened(tmp_path)
    log = ArchivedLog(store, "events")
    fill(log, 50)
    moved(log, 40)
    [file] = (tmp_path / "hub.db.archive").iterdir()
    os.truncate(file, 100)
    with pytest.raises(BrokenStore, match=r"events-000000000001-000000000040\.parquet.*opportune backup"):
        list(log.read())
    file.unlink()
    with pytest.raises(BrokenStore, match="missing"):
        log.get(3)
    assert [row[0] for row in log.read(after=40)] == list(range(41, 51))
    store.close()


def test_a_full_disk_says_so_and_leaves_the_rows_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(tmp_path)
    log = ArchivedLog(store, "events")
    rows = fill(log, 50)

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(archive, "sync", full)
        with pytest.raises(BrokenStore, match=r"could not be written.*No space"):
            moved(log, 50)
    assert not list((tmp_path / "hub.db.archive").iterdir()) if (tmp_path / "hub.db.archive").exists() else True
    holds(log, rows)
    moved(log, 50)
    holds(log, rows)
    store.close()


def test_a_copy_has_the_files_that_it_names_and_no_others(tmp_path: Path) -> None:
    store = opened(tmp_path)
    log = ArchivedLog(store, "events")
    rows = fill(log, 100)
    moved(log, 50)
    copy = tmp_path / "copies" / "monday.db"
    copy.parent.mkdir()
    (tmp_path / "hub.db.archive" / "events-000000000091-000000000099.parquet").write_bytes(b"left by a crash")
    store.backup(str(copy))
    first = {path.name: path.stat().st_ino for path in (copy.parent / "monday.db.archive").iterdir()}
    assert sorted(first) == ["events-000000000001-000000000040.parquet", "events-000000000041-000000000050.parquet"]
    moved(log, 90)
    holds(ArchivedLog(open_store(f"sqlite:///{copy}"), "events"), rows)
    store.backup(str(copy.with_name("tuesday.db")))
    holds(ArchivedLog(open_store(f"sqlite:///{copy.with_name('tuesday.db')}"), "events"), rows)
    # over an older copy: what is there already is not copied again
    wednesday = copy.with_name("wednesday.db")
    store.backup(str(wednesday))
    before = {path.name: path.stat().st_ino for path in (copy.parent / "wednesday.db.archive").iterdir()}
    moved(log, 100)
    store.backup(str(wednesday))
    after = {path.name: path.stat().st_ino for path in (copy.parent / "wednesday.db.archive").iterdir()}
    assert after.items() >= {item for item in before.items() if item[0].endswith("000000000040.parquet")}
    (tmp_path / "hub.db.archive" / "events-000000000001-000000000040.parquet").unlink()
    with pytest.raises(BrokenStore, match=r"000000000040\.parquet is missing"):
        store.backup(str(copy.with_name("thursday.db")))
    assert not copy.with_name("thursday.db").exists()
    store.close()


def test_memory_keeps_its_rows() -> None:
    log = ArchivedLog(open_store("memory:"), "events")
    rows = fill(log, 50)
    assert list(log.archive(40)) == []
    moved(log, 0)
    holds(log, rows)
