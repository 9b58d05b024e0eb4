"""What every store must do, as tests: subclass one of these in your own test files and say where your store is.

    class TestMyStore(DurableStoreContract):
        def url(self, folder: Path) -> str:
            return f"mine://{folder}/hub"

`StoreContract` holds for every back end; `DurableStoreContract` adds what must survive the end of a process. Your
scheme must be in `opportune.store.OPENERS` of every process that imports your module. Needs pytest.
"""

from __future__ import annotations

import hashlib
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from opportune.errors import BadInput, BrokenStore, NotFound, StoreInUse
from opportune.store import Store, open_store

# ruff: noqa: PT012 (a transaction that raises at its end is what these tests are about)

ODD_TEXTS = ["a", "A", "é", "e\u0301", "日本語", "\U0001f600", "\ud7ff", "\ue000", "\uffff", "\U0010ffff", "a\0b"]


class StoreContract:
    """A store forgets nothing that was acknowledged and keeps nothing that was taken back."""

    def url(self, folder: Path) -> str:
        """Return the URL of a new store; `folder` is empty and is the store's own."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """A new store."""
        store = open_store(self.url(tmp_path))
        yield store
        store.close()

    def test_log_numbers_from_one_without_gaps(self, store: Store) -> None:
        log = store.log("events")
        assert (log.last(), list(log.read()), log.get(1), log.append([])) == (0, [], None, 0)
        assert log.append([("a", b"1"), ("b", b"2")]) == 2
        with pytest.raises(ZeroDivisionError), store.transaction():
            log.append([("a", b"lost")])
            raise ZeroDivisionError
        assert log.append([("a", b"3")]) == 3
        assert list(log.read()) == [(1, "a", b"1"), (2, "b", b"2"), (3, "a", b"3")]
        assert list(log.read(after=1)) == [(2, "b", b"2"), (3, "a", b"3")]
        assert list(log.read(key="a")) == [(1, "a", b"1"), (3, "a", b"3")]
        assert list(log.read(after=1, key="a")) == [(3, "a", b"3")]
        assert (list(log.read(key="none")), list(log.read(after=3)), log.append([])) == ([], [], 3)
        assert (log.get(2), log.get(0), log.get(4), log.get(-1)) == (("b", b"2"), None, None, None)

    def test_log_erase_keeps_number_and_key(self, store: Store) -> None:
        log = store.log("events")
        log.append([("a", b"secret"), ("b", b"kept")])
        log.erase(1)
        log.erase(1)
        log.erase(77)
        assert (log.get(1), log.last()) == (("a", b""), 2)
        assert list(log.read()) == [(1, "a", b""), (2, "b", b"kept")]
        with pytest.raises(ZeroDivisionError), store.transaction():
            log.erase(2)
            raise ZeroDivisionError
        assert log.get(2) == ("b", b"kept")

    def test_log_trims_its_oldest_rows_and_goes_on_numbering(self, store: Store) -> None:
        log = store.log("events")
        log.trim(5)
        log.append([("a", b"1"), ("b", b"2"), ("a", b"3"), ("b", b"4")])
        with pytest.raises(ZeroDivisionError), store.transaction():
            log.trim(3)
            assert list(log.read()) == [(4, "b", b"4")]
            log.append([("a", b"lost"), ("c", b"lost")])
            raise ZeroDivisionError
        assert [(n, key) for n, key, _ in log.read()] == [(1, "a"), (2, "b"), (3, "a"), (4, "b")]
        assert list(log.read(key="a")) == [(1, "a", b"1"), (3, "a", b"3")]
        log.trim(2)
        log.trim(1)
        assert list(log.read()) == [(3, "a", b"3"), (4, "b", b"4")] == list(log.read(after=1))
        assert (list(log.read(key="a")), list(log.read(key="b"))) == ([(3, "a", b"3")], [(4, "b", b"4")])
        assert (log.get(1), log.get(2), log.get(3), log.last()) == (None, None, ("a", b"3"), 4)
        log.erase(1)
        log.erase(3)
        assert (log.get(1), log.get(3)) == (None, ("a", b""))
        log.trim(99)
        assert (list(log.read()), log.last()) == ([(4, "b", b"4")], 4)
        assert log.append([("c", b"5"), ("a", b"6")]) == 6
        assert [(n, key) for n, key, _ in log.read(after=3)] == [(4, "b"), (5, "c"), (6, "a")]
        assert (list(log.read(key="a")), log.get(5)) == ([(6, "a", b"6")], ("c", b"5"))

    def test_log_reads_many_and_huge_rows(self, store: Store) -> None:
        log = store.log("events")
        log.append([(f"k{n % 7}", b"%d" % n) for n in range(5_000)])
        assert [int(payload) for _, _, payload in log.read()] == list(range(5_000))
        assert [int(payload) for _, _, payload in log.read(after=99, key="k3")] == list(range(101, 5_000, 7))
        huge = bytes(range(256)) * 40_000
        log.append([("huge", huge), ("empty", b""), ("huge", huge)])
        assert [len(payload) for _, _, payload in log.read(after=5_000)] == [len(huge), 0, len(huge)]
        assert log.get(5_001) == ("huge", huge)

    def test_a_reader_goes_on_while_others_append(self, store: Store) -> None:
        log = store.log("events")
        log.append([("a", b"%d" % n) for n in range(2_000)])
        seen = []
        for sequence, _, _ in log.read():
            if sequence == 1_000:
                log.append([("a", b"later")])
            seen.append(sequence)
        assert seen == list(range(1, 2_002))

    def test_table_puts_gets_deletes(self, store: Store) -> None:
        table = store.table("profiles")
        assert (table.get("a"), table.count(), list(table.scan())) == (None, 0, [])
        table.put([("a", b"1"), ("b", b""), ("a", b"2")])
        assert (table.get("a"), table.get("b"), table.count()) == (b"2", b"", 2)
        table.delete(["a", "absent", "a"])
        assert (table.get("a"), table.count()) == (None, 1)
        table.put([])
        table.delete([])
        table.put([("a", b"3")])
        assert list(table.scan()) == [("a", b"3"), ("b", b"")]

    def test_table_knows_which_of_many_keys_are_there(self, store: Store) -> None:
        table = store.table("profiles")
        assert table.known([]) == table.known(["a", "b"]) == set()
        table.put([(f"{n}é", b"") for n in range(0, 1_000, 3)])
        asked = [f"{n}é" for n in (*range(1_000), *range(10))]
        assert table.known(asked) == {f"{n}é" for n in range(0, 1_000, 3)}
        with pytest.raises(KeyError), store.transaction():
            table.put([("new", b"1")])
            table.delete(["0é"])
            assert table.known(["0é", "3é", "new"]) == {"3é", "new"}
            raise KeyError
        assert table.known(["0é", "new", "0"]) == {"0é"}

    def test_table_scans_in_order_of_code_points(self, store: Store) -> None:
        table = store.table("profiles")
        keys = ODD_TEXTS + [left + right for left in ODD_TEXTS for right in ODD_TEXTS]
        random.Random(1).shuffle(keys)
        table.put([(key, key.encode()) for key in keys])
        ordered = sorted(set(keys))
        assert [key for key, _ in table.scan()] == ordered
        for prefix in ODD_TEXTS:
            assert [key for key, _ in table.scan(prefix)] == [key for key in ordered if key.startswith(prefix)]
            assert [key for key, _ in table.scan(after=prefix)] == [key for key in ordered if key > prefix]
            both = [key for key in ordered if key.startswith("a") and key > prefix]
            assert [key for key, _ in table.scan("a", after=prefix)] == both
            assert table.get(prefix) == prefix.encode()

    def test_table_scans_many_while_it_changes(self, store: Store) -> None:
        table = store.table("profiles")
        table.put([(f"{n:05d}", b"x" * 100) for n in range(3_000)])
        seen = []
        for key, _ in table.scan():
            if key.endswith("0"):
                table.delete([key, f"{int(key) + 5:05d}"])
            seen.append(key)
        assert seen == sorted(set(seen))
        assert {f"{n:05d}" for n in range(3_000) if n % 10 not in (0, 5)} <= set(seen)
        assert table.count() == 3_000 - 600

    def test_blobs_are_named_by_their_content(self, store: Store) -> None:
        blobs = store.blobs
        name = blobs.put(b"catalog")
        assert name == hashlib.sha256(b"catalog").hexdigest()
        assert blobs.put(b"catalog") == name
        empty = blobs.put(b"")
        assert (blobs.get(name), blobs.get(empty)) == (b"catalog", b"")
        assert sorted(blobs.names()) == sorted([name, empty])
        blobs.delete(name)
        blobs.delete(name)
        with pytest.raises(NotFound):
            blobs.get(name)
        assert list(blobs.names()) == [empty]

    def test_names_and_keys_are_checked(self, store: Store) -> None:
        for name in ("", "Upper", "9lives", "a-b", "a b", "x" * 61, 'a"; DROP TABLE b; --', "é"):
            with pytest.raises(BadInput):
                store.log(name)
            with pytest.raises(BadInput):
                store.table(name)
        for key in ("\ud800", "a\udfff"):
            with pytest.raises(BadInput):
                store.log("events").append([("fine", b""), (key, b"")])
            with pytest.raises(BadInput):
                store.table("profiles").put([("fine", b""), (key, b"")])
        with pytest.raises(BadInput):
            store.table("profiles").put([("", b"")])
        assert (store.log("events").last(), store.table("profiles").count()) == (0, 0)

    def test_logs_and_tables_are_apart(self, store: Store) -> None:
        store.log("one").append([("a", b"1")])
        store.table("one").put([("a", b"2"), ("b", b"3")])
        store.table("two").put([("c", b"4")])
        assert (store.log("one").last(), store.table("one").count(), store.log("two").last()) == (1, 2, 0)
        assert store.table("one").get("a") == store.table("one").get("a") == b"2"

    def test_a_transaction_is_all_or_nothing(self, store: Store) -> None:
        log, table = store.log("events"), store.table("profiles")
        table.put([("kept", b"1"), ("changed", b"before")])
        blob = store.blobs.put(b"kept")
        with pytest.raises(KeyError), store.transaction():
            log.append([("a", b"1")])
            table.put([("changed", b"after"), ("new", b"1")])
            table.delete(["kept"])
            store.blobs.put(b"new")
            store.blobs.delete(blob)
            store.table("made_inside").put([("a", b"1")])
            assert (log.last(), table.get("changed"), table.get("kept")) == (1, b"after", None)
            assert [key for key, _ in table.scan()] == ["changed", "new"]
            raise KeyError
        assert (log.last(), list(table.scan())) == (0, [("changed", b"before"), ("kept", b"1")])
        assert list(store.blobs.names()) == [blob]
        assert store.table("made_inside").count() == 0
        store.table("made_inside").put([("a", b"1")])

    def test_a_nested_block_joins_and_takes_back_only_its_own(self, store: Store) -> None:
        log, table = store.log("events"), store.table("profiles")
        with store.transaction():
            table.put([("a", b"outer")])
            with store.transaction():
                log.append([("a", b"inner")])
            with pytest.raises(KeyError), store.transaction():
                table.put([("a", b"inner"), ("b", b"inner")])
                made = store.table("made_inside")
                made.put([("a", b"1")])
                with store.transaction():
                    table.delete(["a"])
                raise KeyError
            assert (table.get("a"), table.get("b"), log.last(), made.count()) == (b"outer", None, 1, 0)
            made.put([("b", b"2")])
        assert list(table.scan()) == [("a", b"outer")]
        assert (log.last(), list(made.scan())) == (1, [("b", b"2")])
        with pytest.raises(KeyError), store.transaction():
            with store.transaction():
                log.append([("a", b"joined, so lost")])
            raise KeyError
        assert log.last() == 1

    def test_threads_see_whole_transactions_and_lose_nothing(self, store: Store) -> None:
        log, table = store.log("events"), store.table("pairs")
        table.put([("left", b"0"), ("right", b"0")])
        torn: list[object] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                pair = dict(table.scan())
                if pair["left"] != pair["right"]:
                    torn.append(pair)

        def write(me: int) -> None:
            for n in range(40):
                with store.transaction():
                    table.put([("left", b"%d-%d" % (me, n))])
                    log.append([(f"writer{me}", b"%d" % n)])
                    table.put([("right", b"%d-%d" % (me, n))])

        reader = threading.Thread(target=read)
        writers = [threading.Thread(target=write, args=(me,)) for me in range(4)]
        for thread in (reader, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        reader.join()
        assert not torn
        assert [sequence for sequence, _, _ in log.read()] == list(range(1, 161))
        for me in range(4):
            assert [int(payload) for _, _, payload in log.read(key=f"writer{me}")] == list(range(40))

    def test_settle_is_for_the_outside_of_transactions(self, store: Store) -> None:
        store.table("profiles").put([("a", b"1")])
        store.table("profiles").delete(["a"])
        store.settle()
        store.settle(compact=True)
        with pytest.raises(BadInput), store.transaction():
            store.settle()
        assert store.table("profiles").count() == 0

    def test_a_closed_store_says_so(self, store: Store) -> None:
        log, table = store.log("events"), store.table("profiles")
        store.close()
        store.close()
        row = [("a", b"")]
        for call in (log.last, lambda: table.get("a"), lambda: table.put(row), lambda: log.append(row)):
            with pytest.raises(BrokenStore):
                call()


class DurableStoreContract(StoreContract):
    """A store that outlives its process."""

    def test_everything_is_there_after_closing(self, tmp_path: Path) -> None:
        store = open_store(self.url(tmp_path))
        store.log("events").append([("é", b"1"), ("b", b"gone")])
        store.log("events").erase(2)
        store.log("trimmed").append([("a", b"1"), ("b", b"2")])
        store.log("trimmed").trim(2)
        store.table("profiles").put([(key, key.encode()) for key in ODD_TEXTS])
        name = store.blobs.put(b"catalog")
        store.close()
        again = open_store(self.url(tmp_path))
        assert list(again.log("events").read()) == [(1, "é", b"1"), (2, "b", b"")]
        assert list(again.table("profiles").scan()) == [(key, key.encode()) for key in sorted(ODD_TEXTS)]
        assert again.blobs.get(name) == b"catalog"
        assert again.log("events").append([("c", b"3")]) == 3
        assert (list(again.log("trimmed").read()), again.log("trimmed").append([("c", b"3")])) == ([(2, "b", b"2")], 3)
        again.close()

    def test_a_second_writer_is_refused_by_name(self, tmp_path: Path) -> None:
        with _Writer(self.url(tmp_path)) as writer:
            writer.acknowledged(1)
            with pytest.raises(StoreInUse, match=str(writer.process.pid)):
                open_store(self.url(tmp_path))
        open_store(self.url(tmp_path)).close()

    @pytest.mark.parametrize("seed", range(4))
    def test_a_killed_writer_leaves_exactly_what_it_acknowledged(self, tmp_path: Path, seed: int) -> None:
        """After kill -9 the store holds every acknowledged transaction, whole, and at most one more, whole."""
        acknowledged = 0
        for _ in range(2):
            with _Writer(self.url(tmp_path)) as writer:
                writer.acknowledged(acknowledged + 3)
                time.sleep(random.Random(seed).random() * 0.15)
                acknowledged = max(acknowledged, writer.kill())
            store = open_store(self.url(tmp_path))
            rows = list(store.log("events").read())
            last = len(rows) // 3
            assert len(rows) % 3 == 0
            assert acknowledged <= last <= acknowledged + 1
            assert [sequence for sequence, _, _ in rows] == list(range(1, len(rows) + 1))
            assert [key for _, key, _ in rows] == [str(n) for n in range(1, last + 1) for _ in range(3)]
            assert store.table("last").get("n") == b"%d" % last
            assert [int(value) for _, value in store.table("each").scan()] == list(range(1, last + 1))
            acknowledged = last
            store.close()

    def test_backup_is_a_consistent_copy_made_while_in_use(self, tmp_path: Path) -> None:
        store = open_store(self.url(tmp_path))
        log, table = store.log("events"), store.table("last")
        done = threading.Event()

        def write() -> None:
            n = 0
            while not done.is_set():
                n += 1
                with store.transaction():
                    log.append([("a", b"%d" % n)])
                    table.put([("n", b"%d" % n)])

        writer = threading.Thread(target=write)
        writer.start()
        try:
            while log.last() < 10:
                time.sleep(0.001)
            copies = tmp_path / "copies"
            copies.mkdir()
            for _ in range(5):
                store.backup(str(copies / "hub.copy"))
        finally:
            done.set()
            writer.join()
        store.close()
        assert [path.name for path in copies.iterdir()] == ["hub.copy"]
        self.check_copy(copies / "hub.copy")

    def check_copy(self, copy: Path) -> None:
        """Assert that the copy opens and that its log `events` agrees with its table `last`."""
        store = open_store(f"sqlite:///{copy}")
        rows = list(store.log("events").read())
        assert len(rows) >= 10
        assert [int(payload) for _, _, payload in rows] == list(range(1, len(rows) + 1))
        assert store.table("last").get("n") == b"%d" % len(rows)
        store.close()

    def test_erased_payloads_are_in_no_file(self, tmp_path: Path) -> None:
        """What is erased from a log is overwritten everywhere, and with `compact` what is deleted from tables."""
        chance = random.Random(5)
        store = open_store(self.url(tmp_path))
        log, table = store.log("events"), store.table("profiles")
        for n in range(1, 401):
            filler = chance.randbytes(chance.choice([8, 300, 9_000])).hex().encode()
            with store.transaction():
                log.append([(f"{chance.random()}", b"logged-%06d-" % n + filler)])
                table.put([(f"{chance.random()}/{n}", b"tabled-%06d-" % n + filler)])
        keep = set(chance.sample(range(1, 401), 100))
        for n in set(range(1, 401)) - keep:
            log.erase(n)
        store.settle()
        assert self._found(tmp_path, b"logged-") == keep
        assert self._found(tmp_path, b"tabled-") == set(range(1, 401))
        table.delete([key for key, _ in table.scan() if int(key.partition("/")[2]) not in keep])
        store.settle(compact=True)
        assert self._found(tmp_path, b"logged-") == self._found(tmp_path, b"tabled-") == keep
        assert {sequence for sequence, _, payload in log.read() if payload} == keep
        store.close()

    def _found(self, folder: Path, tag: bytes) -> set[int]:
        content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        return {int(number) for number in re.findall(tag + rb"(\d{6})", content)}


_PROGRAM = """
import sys
from opportune.store import open_store
store = open_store(sys.argv[1])
log, last, each = store.log("events"), store.table("last"), store.table("each")
n = int(last.get("n") or 0)
while True:
    n += 1
    with store.transaction():
        log.append([(str(n), b"x" * (n % 5000))])
        each.put([(f"{n:09d}", b"%d" % n)])
        log.append([(str(n), b"y"), (str(n), b"z")])
        last.put([("n", b"%d" % n)])
    print(n, flush=True)
"""


class _Writer:
    """A process that writes numbered transactions and prints the number of each one that was acknowledged."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", _PROGRAM, url], stdout=subprocess.PIPE)

    def acknowledged(self, number: int) -> None:
        """Wait until the process has acknowledged this transaction."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if int(line) >= number:
                return
        raise AssertionError("the writing process ended by itself")

    def kill(self) -> int:
        """Kill the process, not gently, and return the last number that it acknowledged."""
        self.process.send_signal(signal.SIGKILL)
        assert self.process.stdout is not None
        lines = self.process.stdout.read().splitlines()
        return int(lines[-1]) if lines else 0

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
