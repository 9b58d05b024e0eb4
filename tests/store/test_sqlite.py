"""What is special about a SQLite file: its settings, its failures, and that it agrees with memory on anything."""

# ruff: noqa: PT012 (a transaction that raises at its end is what these tests are about)

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from opportune.errors import BadInput, BrokenStore, StoreInUse
from opportune.store import open_store
from opportune.store.sqlite import SqliteStore


def opened(folder: Path) -> SqliteStore:
    return SqliteStore(folder / "hub.db")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlit:///x.db", "did you mean `sqlite:`"),
        ("mem:", "did you mean `memory:`"),
        ("postgres://x/y", "known: `memory:`, `sqlite:`"),
        ("hub.db", "names no store"),
        ("sqlite:", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite://host/x.db", "names no file"),
        ("memory:somewhere", "memory has none"),
    ],
)
def test_a_url_that_names_no_store(url: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        open_store(url)


def test_relative_and_absolute_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("sqlite:///made/on the way/ü%20.db").close()
    assert (tmp_path / "made" / "on the way" / "ü%20.db").stat().st_mode & 0o777 == 0o600
    open_store(f"sqlite:///{tmp_path}/absolute.db").close()
    assert (tmp_path / "absolute.db").exists()


def test_the_file_is_private_durable_and_ours(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.table("profiles").put([("a", b"1")])
    for name in ("hub.db", "hub.db-wal", "hub.db.lock"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0, name
    settings = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "user_version": 1}
    for name, value in (settings | {"application_id": 0x4F50504F}).items():
        assert store._writer.execute(f"PRAGMA {name}").fetchone()[0] == value, name
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hub.db", "hub.db.lock"]


def test_two_openings_in_one_process_refuse(tmp_path: Path) -> None:
    first = opened(tmp_path)
    with pytest.raises(StoreInUse, match=rf"process {os.getpid()} since 20"):
        opened(tmp_path)
    first.close()
    opened(tmp_path).close()


def test_a_newer_layout_is_refused_and_untouched(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with sqlite3.connect(tmp_path / "hub.db") as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    before = (tmp_path / "hub.db").read_bytes()
    with pytest.raises(BrokenStore, match=r"newer Opportune \(layout 2, this one reads up to 1\); install"):
        opened(tmp_path)
    assert (tmp_path / "hub.db").read_bytes() == before


def test_a_file_of_another_program_is_refused_and_untouched(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "hub.db") as connection:
        connection.execute("CREATE TABLE other (a)")
    connection.close()
    before = (tmp_path / "hub.db").read_bytes()
    with pytest.raises(BrokenStore, match="another program"):
        opened(tmp_path)
    assert (tmp_path / "hub.db").read_bytes() == before


def test_garbage_is_refused_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "hub.db").write_bytes(b"customer,amount\n" * 100)
    with pytest.raises(BrokenStore, match=r"hub\.db: it is not a SQLite file.*restore"):
        opened(tmp_path)
    (tmp_path / "hub.db").unlink()
    opened(tmp_path).close()


def test_damage_inside_is_named(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.log("events").append([("a", b"x" * 3000)] * 200)
    store.close()
    with (tmp_path / "hub.db").open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(BrokenStore, match="damaged; restore"):
        list(opened(tmp_path).log("events").read())


def test_a_full_disk_writes_nothing_and_the_store_goes_on(tmp_path: Path) -> None:
    store = opened(tmp_path)
    log, table = store.log("events"), store.table("profiles")
    log.append([("a", b"before")])
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(BrokenStore, match="disk is full; free some space"), store.transaction():
        table.put([("a", b"1")])
        log.append([("a", b"x" * 1_000_000)])
    assert (log.last(), table.count()) == (1, 0)
    with pytest.raises(BrokenStore, match="none of it was written"), store.transaction():
        with pytest.raises(BrokenStore, match="disk is full"):
            log.append([("a", b"x" * 1_000_000)])
        with pytest.raises(BrokenStore, match="earlier in this transaction"):
            table.put([("a", b"would commit alone")])
        with pytest.raises(BrokenStore, match="earlier in this transaction"), store.transaction():
            pass
    assert (log.last(), table.count()) == (1, 0)
    log.append([("a", b"small")])
    store._writer.execute("PRAGMA max_page_count = 1000000")
    log.append([("a", b"x" * 1_000_000)])
    assert [len(payload) for _, _, payload in log.read()] == [6, 5, 1_000_000]
    store.close()


def test_a_commit_that_fails_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(tmp_path)
    log = store.log("events")
    log.append([("a", b"1")])

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(writer, name)

        def execute(self, statement: str, *rest: Any) -> Any:
            if statement == "COMMIT":
                raise sqlite3.OperationalError("disk I/O error")
            return writer.execute(statement, *rest)

    writer = store._writer
    with monkeypatch.context() as patch:
        patch.setattr(store, "_writer", Failing())
        with pytest.raises(BrokenStore), store.transaction():
            assert log.append([("a", b"lost"), ("a", b"lost")]) == 3
    with store.transaction():
        assert (log.last(), log.append([("a", b"2")]), log.last()) == (1, 2, 2)
    assert list(log.read()) == [(1, "a", b"1"), (2, "a", b"2")]
    store.close()


def test_a_block_that_only_reads_costs_no_savepoint(tmp_path: Path) -> None:
    store = opened(tmp_path)
    table = store.table("profiles")
    said: list[str] = []
    store._writer.set_trace_callback(said.append)
    with store.transaction():
        with store.transaction():
            assert table.get("a") is None
        with store.transaction(), store.transaction():
            table.put([("a", b"1")])
        with pytest.raises(KeyError), store.transaction():
            table.put([("a", b"2")])
            raise KeyError
    words = [word for statement in said if (word := statement.split()[0]) in ("SAVEPOINT", "RELEASE")]
    assert words == ["SAVEPOINT", "SAVEPOINT", "RELEASE", "RELEASE", "SAVEPOINT", "RELEASE"]
    assert table.get("a") == b"1"
    store.close()


LIMITED = """
import resource, signal, sys
from pathlib import Path
from opportune.errors import BrokenStore
from opportune.store.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
log = store.log("events")
log.append([("a", b"before")])
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    log.append([("a", b"x" * 3_000_000)])
except BrokenStore as error:
    print(error)
print(log.last())
"""


def test_a_disk_that_refuses_a_write(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path / "hub.db")], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    said, last = run.stdout.strip().splitlines()
    assert "check the disk" in said or "disk is full" in said
    assert last == "1"
    store = opened(tmp_path)
    assert list(store.log("events").read()) == [(1, "a", b"before")]
    store.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_file_that_may_only_be_read(tmp_path: Path) -> None:
    opened(tmp_path).close()
    (tmp_path / "hub.db.lock").unlink()
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom opportune.store.sqlite import SqliteStore\n"
        "from opportune.errors import BrokenStore\nos.seteuid(65534)\n"
        "try:\n    SqliteStore(Path(sys.argv[1]))\nexcept BrokenStore as error:\n    print(error)"
    )
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    (tmp_path / "hub.db").chmod(0o644)
    run = subprocess.run([sys.executable, "-c", program, str(tmp_path / "hub.db")], capture_output=True, text=True)
    assert "write permission" in run.stdout, run.stderr


def test_backup_refuses_itself_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.log("events").append([("a", b"1")])
    with pytest.raises(BadInput, match="the store itself"):
        store.backup(str(tmp_path / "hub.db"))
    with pytest.raises(BrokenStore, match="write permission"):
        store.backup(str(tmp_path / "hub.db-wal" / "copy.db"))
    (tmp_path / "a folder").mkdir()
    with pytest.raises(BrokenStore, match="could not be copied"):
        store.backup(str(tmp_path / "a folder"))
    with store.transaction():
        store.log("events").append([("a", b"not yet")])
        store.backup(str(tmp_path / "copy.db"))
    assert not list(tmp_path.glob("*.part"))
    copy = SqliteStore(tmp_path / "copy.db")
    assert list(copy.log("events").read()) == [(1, "a", b"1")]
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    copy.close()
    store.close()


def test_settle_names_a_foreign_reader(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.table("profiles").put([("a", b"1")])
    foreign = sqlite3.connect(tmp_path / "hub.db", isolation_level=None)
    foreign.execute("BEGIN")
    foreign.execute("SELECT * FROM table_profiles").fetchall()
    store.table("profiles").delete(["a"])
    store._writer.execute("PRAGMA busy_timeout = 50")
    with pytest.raises(BrokenStore, match="another program"):
        store.settle()
    foreign.close()
    store.settle()
    assert (tmp_path / "hub.db-wal").stat().st_size == 0
    store.close()


KEYS = st.sampled_from(["a", "ab", "b", "é", "日", "\U0001f600", "a\x00"])
VALUES = st.binary(max_size=20) | st.sampled_from([b"x" * 5_000])


class Twins(RuleBasedStateMachine):
    """The same random calls on a memory store and on a SQLite store, with nested transactions that may fail."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.open: list[list[Any]] = []

    @initialize()
    def start(self) -> None:
        self.stores = [open_store("memory:"), open_store(f"sqlite:///{self.folder.name}/hub.db")]

    def both(self, call: Any) -> None:
        left, right = (call(store) for store in self.stores)
        assert left == right

    @rule(rows=st.lists(st.tuples(KEYS, VALUES), max_size=4))
    def append(self, rows: list[tuple[str, bytes]]) -> None:
        self.both(lambda store: store.log("l").append(rows))

    @rule(sequence=st.integers(-1, 8))
    def erase(self, sequence: int) -> None:
        self.both(lambda store: store.log("l").erase(sequence))

    @rule(items=st.lists(st.tuples(KEYS, VALUES), max_size=4))
    def put(self, items: list[tuple[str, bytes]]) -> None:
        self.both(lambda store: store.table("t").put(items))

    @rule(keys=st.lists(KEYS, max_size=3))
    def delete(self, keys: list[str]) -> None:
        self.both(lambda store: store.table("t").delete(keys))

    @rule(data=VALUES)
    def put_blob(self, data: bytes) -> None:
        self.both(lambda store: store.blobs.put(data))

    @rule(data=VALUES)
    def delete_blob(self, data: bytes) -> None:
        import hashlib

        self.both(lambda store: store.blobs.delete(hashlib.sha256(data).hexdigest()))

    @precondition(lambda self: len(self.open) < 3)
    @rule()
    def begin(self) -> None:
        blocks = [store.transaction() for store in self.stores]
        for block in blocks:
            block.__enter__()
        self.open.append(blocks)

    @precondition(lambda self: self.open)
    @rule(fails=st.booleans())
    def end(self, fails: bool) -> None:
        for block in self.open.pop():
            if fails:
                with pytest.raises(KeyError):
                    block.__exit__(KeyError, KeyError(), None)
                    raise KeyError
            else:
                block.__exit__(None, None, None)

    @precondition(lambda self: not self.open)
    @rule(compact=st.booleans())
    def settle(self, compact: bool) -> None:
        self.both(lambda store: store.settle(compact))

    @precondition(lambda self: not self.open)
    @rule()
    def reopen(self) -> None:
        self.stores[1].close()
        self.stores[1] = open_store(f"sqlite:///{self.folder.name}/hub.db")

    @invariant()
    def agree(self) -> None:
        self.both(lambda store: (store.log("l").last(), list(store.log("l").read()), list(store.log("l").read(1, "a"))))
        self.both(lambda store: (store.table("t").count(), list(store.table("t").scan())))
        self.both(lambda store: (list(store.table("t").scan("a")), list(store.table("t").scan(after="ab"))))
        self.both(lambda store: list(store.blobs.names()))

    def teardown(self) -> None:
        while self.open:
            self.end(fails=True)
        for store in self.stores:
            store.close()
        self.folder.cleanup()


TestTwins = Twins.TestCase
