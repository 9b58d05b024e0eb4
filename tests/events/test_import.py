"""Files become events once each, whatever happens on the way."""

# ruff: noqa: PT012 (a transaction that raises at its end is what some tests are about)

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from opportune.clock import DAY, SECOND
from opportune.errors import BadEvent, BadInput
from opportune.events.codec import decode_event, encode
from opportune.events.columns import Columns
from opportune.events.dead_letters import DeadLetters
from opportune.events.importer import ImportReport, Progress, import_files
from opportune.events.intake import Intake, Rejected
from opportune.events.seen import Seen
from opportune.events.segment import from_segment
from opportune.events.sources import open_source
from opportune.events.types import Event
from opportune.store import Store, open_store
from opportune.store.vault import Vault

NOW = 1_800_000_000 * SECOND


def fresh(seen: Seen, events: list[Event]) -> list[Event]:
    """Return what is new of some events, and remember it."""
    found = seen.fresh(events)
    seen.remember(found)
    return found


class Counting:
    """A clock that stands still, with ids in order, also of one process after another."""

    def __init__(self) -> None:
        self.ids = time.time_ns()

    def now(self) -> int:
        return NOW

    def new_id(self) -> str:
        self.ids += 1
        return f"id{self.ids:020d}"


class Desk:
    """A store with everything that an import needs."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock, self.seen = store, Counting(), Seen(store)
        self.vault = Vault(store)
        self.letters = DeadLetters(store, self.vault, self.clock.new_id)

    def take(self, events: list[Event]) -> int:
        news = fresh(self.seen, events)
        self.store.log("events").append([("", encode(event)) for event in news])
        return len(news)

    def load(self, *paths: Path, columns: Columns | None = None, **more: Any) -> ImportReport:
        reject: Callable[[list[Rejected]], object] = lambda bad: self.letters.add(bad, source="import", received_at=NOW)  # noqa: E731
        told, report = more.pop("progress", lambda at: None), ImportReport()
        more = {"take": self.take, "reject": reject, "batch": 10, **more}
        intake = Intake(self.clock.new_id, "import")
        for at in import_files(paths, columns, store=self.store, intake=intake, clock=self.clock, **more):
            told(at)
            report = at.report
        return report

    def events(self) -> list[Event]:
        return [decode_event(payload) for _, _, payload in self.store.log("events").read()]


@pytest.fixture(params=["memory:", "sqlite:///{}/hub.db"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "store").mkdir()
    store = open_store(request.param.format(tmp_path / "store"))
    yield Desk(store)
    store.close()


def item(n: int, **more: Any) -> dict[str, Any]:
    return {"type": "track", "userId": f"u{n}", "event": "Tea Bought", "properties": {"n": n}, **more}


def jsonl(path: Path, *items: Any) -> Path:
    text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in items)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def numbers(desk: Desk) -> list[int]:
    return [event.properties["n"] for event in desk.events()]


@pytest.mark.parametrize("name", ["e.jsonl", "e.jsonl.gz"])
def test_jsonl_with_bad_rows_and_duplicates(desk: Desk, tmp_path: Path, name: str) -> None:
    good = [item(n, messageId=f"m{n}") for n in range(25)]
    path = jsonl(tmp_path / name, *good[:12], "", "{broken", "[1]", good[3], {"type": "track"}, *good[10:])
    steps: list[Progress] = []
    report = desk.load(path, progress=steps.append)
    assert report == ImportReport(rows=31, taken=25, duplicates=3, rejected=3)
    assert numbers(desk) == list(range(25))
    assert [letter.reason for _, letter in desk.letters.letters()] == ["unreadable", "unreadable", "no_id"]
    assert [step.report.rows for step in steps] == [10, 20, 30, 31, 31]
    assert steps[-1].done == 1.0
    assert desk.load(path) == ImportReport(resumed_from=31)


def test_the_same_row_twice_is_two_events_and_again_none(desk: Desk, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", *[item(1)] * 5)
    assert desk.load(path).taken == 5
    copy = jsonl(tmp_path / "copy of a.jsonl", *[item(1)] * 5)
    assert desk.load(copy) == ImportReport(resumed_from=5)
    assert len({event.message_id for event in desk.events()}) == 5


def test_a_file_that_grows_goes_on_and_one_that_differs_starts_anew(desk: Desk, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", *map(item, range(15)))
    assert desk.load(path).taken == 15
    jsonl(path, *map(item, range(33)))
    assert desk.load(path) == ImportReport(rows=18, taken=18, resumed_from=15)
    assert numbers(desk) == list(range(33))
    snapshot = jsonl(tmp_path / "b.jsonl", *map(item, [0, 1, 2, 99]))
    assert desk.load(snapshot) == ImportReport(rows=4, taken=4)
    assert desk.load(path) == ImportReport(resumed_from=33)
    assert desk.load(snapshot) == ImportReport(resumed_from=4)


def test_a_better_mapping_takes_what_was_refused_and_nothing_twice(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,other,what\n" + "".join(f"{n if n % 2 else ''},x{n},Tea\n" for n in range(10)))
    report = desk.load(path, columns=Columns.parse(["userId=id", "event=what"]))
    assert (report.taken, report.rejected) == (5, 5)
    report = desk.load(path, columns=Columns.parse(["userId=other", "event=what"]))
    assert (report.taken, report.duplicates, report.resumed_from) == (5, 5, 0)


@pytest.mark.parametrize("name", ["e.jsonl.gz", "e.csv.gz"])
def test_a_truncated_gz_keeps_its_good_rows_and_the_whole_one_adds_the_rest(
    desk: Desk, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    rows = [item(n, context={"noise": f"{hash(n * 7919 + 1) ** 3:x}"}) for n in range(3_000)]
    columns = Columns.parse(["userId=u", "event='Tea Bought'", "properties.n=n"]) if "csv" in name else None
    if columns:
        text = "u,n,noise\n" + "".join(f"u{n},{n},{n**5:x}\n" for n in range(3_000))
    else:
        text = "".join(json.dumps(row) + "\n" for row in rows)
    whole = gzip.compress(text.encode())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"e\..*gz:\d+:1: the file ends early"):
        desk.load(path, columns=columns)
    kept = numbers(desk)
    assert 300 < len(kept) < 3_000
    assert kept == list(range(len(kept)))
    path.write_bytes(whole)
    assert desk.load(path, columns=columns) == ImportReport(
        rows=3_000 - len(kept), taken=3_000 - len(kept), resumed_from=len(kept)
    )
    assert numbers(desk) == list(range(3_000))
    path.write_bytes(whole[:-6] + b"\x00\x00" + whole[-4:])
    with pytest.raises(BadInput, match="get the file whole"):
        list(open_source(path).rows())


def test_a_half_last_line_waits_for_its_end(desk: Desk, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", *map(item, range(3)))
    text = path.read_text()
    path.write_text(text[:-20])
    with pytest.raises(BadInput, match="middle of a row"):
        desk.load(path)
    assert numbers(desk) == [0, 1]
    path.write_text(text.rstrip("\n"))
    assert desk.load(path) == ImportReport(rows=1, taken=1, resumed_from=2)


def test_csv_as_it_comes(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        b'\xef\xbb\xbfid;amount;zip;when;note\r\n"007";12.5;01234;2024-01-02 03:04:05;"a; ""b""\r\nc"\r\n'
        b"8;;;;\r\n9;1e3\r\n\r\n10;1;2;3;4;5\r\n11;-3;+1;2024-01-01;\xff\r\n\xc3\xa9;true;0;1700000000;x\r\n"
    )
    columns = Columns.parse(
        [
            "userId=id",
            "event=='quoted'",
            "properties.amount=amount",
            "properties.zip=zip",
            "timestamp=when",
            "traits.note=note",
        ]
    )
    report = desk.load(path, columns=columns)
    assert (report.rows, report.taken, report.rejected) == (6, 4, 2)
    first, second, third, last = desk.events()
    assert (first.user_id, first.event, first.properties) == ("007", "'quoted'", {"amount": 12.5, "zip": "01234"})
    assert first.traits == {"note": 'a; "b"\r\nc'}
    assert first.at == 1_704_164_645 * SECOND
    assert (second.user_id, second.properties, second.at) == ("8", {}, NOW)
    assert (third.user_id, third.properties) == ("9", {"amount": 1000.0})
    assert (last.user_id, last.properties, last.at) == ("é", {"amount": True, "zip": 0}, 1_700_000_000 * SECOND)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no header"),
        ("a,b,a\n", "'a' is there twice"),
        ('userId,b\nx,"open\n' + "y,z\n" * 40_000, "close the quotes"),
        ('userId,b\nx,"a"b\n', "close the quotes"),
        ("id,b\n1,2\n", "--map userId=COLUMN; the columns are id, b"),
    ],
)
def test_csv_that_cannot_be_read(desk: Desk, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=says):
        desk.load(path)


def test_parquet_types(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    duckdb.sql(
        f"""COPY (SELECT n AS id, TIMESTAMP '2024-01-02 03:04:05.123456' AS ts,
        TIMESTAMPTZ '2024-01-02 03:04:05+02' AS tz, 12.50::DECIMAL(9, 2) AS price, [1, n] AS list,
        {{'city': 'Zürich', 'geo': {{'lat': 1.5}}}} AS address, CASE WHEN n % 2 = 0 THEN 'NaN'::DOUBLE ELSE n END AS d,
        DATE '2024-02-03' AS day, NULL::INTEGER AS nothing, true AS flag FROM range(1, 2501) t(n))
        TO '{path}' (FORMAT PARQUET, ROW_GROUP_SIZE 2048)"""
    )
    columns = Columns.parse(
        ["userId=id", "event=Tea", "timestamp=tz", "properties.city=address.city", "properties.address=address",
         "properties.price=price", "properties.list=list", "properties.d=d", "properties.day=day", "properties.ts=ts",
         "properties.nothing=nothing", "properties.flag=flag", "properties.zip=id::text"]
    )  # fmt: skip
    with pytest.raises(BadInput, match=r"event=Tea: the file has no such column; .*constant is event==Tea"):
        desk.load(path, columns=columns)
    columns = Columns.of(dict(columns.pairs) | {"event": "=Tea"})
    report = desk.load(path, columns=columns, batch=1_000)
    assert (report.rows, report.taken) == (2_500, 2_500)
    events = desk.events()
    assert [event.user_id for event in events] == [str(n) for n in range(1, 2_501)]
    assert events[1].at == 1_704_157_445 * SECOND
    assert events[1].properties == {
        "city": "Zürich", "address": {"city": "Zürich", "geo": {"lat": 1.5}}, "price": 12.5, "list": [1, 2],
        "d": None, "day": "2024-02-03", "ts": "2024-01-02 03:04:05.123456", "flag": True, "zip": "2",
    }  # fmt: skip
    assert desk.load(path, columns=columns) == ImportReport(resumed_from=2_500)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(BadInput, match="whole Parquet file"):
        desk.load(path, columns=columns)


def test_columns_say_what_is_wrong() -> None:
    for texts, says in (
        (["userId"], "not TARGET=COLUMN"),
        (["user=id"], "did you mean userId"),
        (["propertis.a=b"], "did you mean properties.a"),
        (["properties=b"], "no field"),
        (["userId=*"], "star"),
        (["properties.*=a"], "star"),
    ):
        with pytest.raises(BadInput, match=says):
            Columns.parse(texts)
    with pytest.raises(BadInput, match="did you mean amount"):
        Columns.parse(["userId=id", "properties.a=amuont"]).check(["id", "amount"])
    everything = Columns.parse(["userId=id", "traits.*=*"])
    assert everything.item({"id": "1", "plan": "gold", "n": "2"}) == {
        "userId": "1", "traits": {"plan": "gold", "n": 2}, "type": "identify"
    }  # fmt: skip


def test_files_are_looked_at_before_anything_is_taken(desk: Desk, tmp_path: Path) -> None:
    good = jsonl(tmp_path / "good.jsonl", item(1))
    with pytest.raises(BadInput, match=r"no such file; did you mean .*good\.jsonl"):
        desk.load(good, tmp_path / "goood.jsonl")
    with pytest.raises(BadInput, match="'xlsx' is no format"):
        desk.load(good, jsonl(tmp_path / "a.xlsx"))
    assert desk.events() == []
    assert desk.load(jsonl(tmp_path / "empty.jsonl")) == ImportReport()


def test_a_huge_line_is_refused_in_bounded_memory(desk: Desk, tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "a.jsonl", item(1), item(2, properties={"x": "y" * 10_000_000}), item(3, x="é" * 20_000), item(4)
    )
    assert desk.load(path) == ImportReport(rows=4, taken=2, rejected=2)
    letters = [letter for _, letter in desk.letters.letters()]
    assert [letter.reason for letter in letters] == ["unreadable", "too_large"]
    assert len(letters[0].raw) <= 1_000


def test_a_failing_batch_is_not_half_taken(desk: Desk, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", *map(item, range(30)))

    def take(events: list[Event]) -> int:
        taken = desk.take(events)
        if events[0].properties["n"] == 20:
            raise KeyError("power")
        return taken

    with pytest.raises(KeyError):
        desk.load(path, take=take)
    assert numbers(desk) == list(range(20))
    assert desk.load(path) == ImportReport(rows=10, taken=10, resumed_from=20)
    assert numbers(desk) == list(range(30))


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_import import Desk
from opportune.store import open_store
desk = Desk(open_store(sys.argv[1]))
desk.load(Path(sys.argv[2]), progress=lambda step: print(step.report.rows, flush=True))
"""


def test_resumed_after_kill_nothing_is_lost_or_twice(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl.gz", *(item(n) if n % 10 else {"bad": n} for n in range(4_000)))
    url = f"sqlite:///{tmp_path}/hub.db"
    for round in range(3):
        run = subprocess.Popen(
            [sys.executable, "-c", KILLED, url, str(path), str(Path(__file__).parent)], stdout=subprocess.PIPE
        )
        assert run.stdout is not None
        for line in run.stdout:
            if int(line) >= 200:
                break
        time.sleep(0.01 * round)
        run.send_signal(signal.SIGKILL)
        run.wait()
        run.stdout.close()
    store = open_store(url)
    desk = Desk(store)
    assert len(desk.events()) >= 500
    report = desk.load(path)
    assert report.rows + report.resumed_from == 4_000
    assert report.duplicates == 0
    assert numbers(desk) == [n for n in range(4_000) if n % 10]
    assert [letter.raw["bad"] for _, letter in desk.letters.letters()] == list(range(0, 4_000, 10))
    store.close()


def event(message_id: str, source: str = "s", received_at: int = NOW) -> Event:
    return from_segment(item(1, messageId=message_id), received_at=received_at, new_id=str, source=source)


def test_seen_counts_the_first_of_each_source_for_thirty_days(desk: Desk) -> None:
    first, again, other = event("a"), event("a", received_at=NOW + 1), event("a", source="t")
    assert fresh(desk.seen, [first, again, other]) == [first, other]
    assert fresh(desk.seen, [again, event("b")]) == [event("b")]
    assert fresh(desk.seen, [event("b", source="1:sa"), event("sab", source="1:")]) != []
    with pytest.raises(KeyError), desk.store.transaction():
        fresh(desk.seen, [event("lost")])
        raise KeyError
    assert fresh(desk.seen, [event("lost")]) == [event("lost")]
    assert desk.seen.prune(NOW + 30 * DAY) == 0
    fresh(desk.seen, [event("later", received_at=NOW + 2 * DAY)])
    assert desk.seen.prune(NOW + 31 * DAY) == 6
    assert fresh(desk.seen, [event("a"), event("later")]) == [event("a")]


def test_dead_letters_are_sealed_replayed_and_forgotten(desk: Desk) -> None:
    letters, vault = desk.letters, desk.vault
    unread = msgspec.Raw(b'{"type": "track", "userId": "ana@x.com"}')
    letters.add([Rejected("no_event", "", unread)], source="s", received_at=NOW)
    letters.add([Rejected("bad_type", "", {"userId": "ben", "type": 1})], source="s", received_at=NOW)
    letters.add([Rejected("unreadable", "", '{"userId": "ana@x.com", ')], source="s", received_at=NOW)
    letters.add([Rejected("unreadable", "", "nobody")], source="s", received_at=NOW)
    letters.add([Rejected("bad_shape", "", {"userId": "ben", "x": "\ud800"})], source="s", received_at=NOW)
    stored = b"".join(value for _, value in desk.store.table("dead_letters").scan())
    assert stored.count(b"ana@x.com") == 1
    seen: list[str] = []

    def again(letter: Any) -> None:
        seen.append(letter.reason)
        if letter.reason == "bad_type":
            desk.store.log("events").append([("", b"")])
            return
        if letter.reason == "no_event":
            desk.store.log("events").append([("", b"taken back")])
            raise BadEvent("still_bad", "still bad")
        raise BadEvent(letter.reason, "")

    assert letters.replay(again) == (1, 4)
    assert desk.store.log("events").last() == 1
    assert sorted(letter.reason for _, letter in letters.letters()) == [
        "bad_shape",
        "still_bad",
        "unreadable",
        "unreadable",
    ]
    assert vault.find("ana@x.com") is None
    assert letters.forget(["ana@x.com", "null"]) == 2
    assert letters.forget(["ana@x.com", "someone"]) == 0
    assert letters.count() == 2
    vault.destroy(str(vault.find("letter:ben")))
    assert [letter.raw for _, letter in letters.letters()] == ["nobody"]


def test_dead_letters_are_bounded(desk: Desk) -> None:
    letters = DeadLetters(desk.store, Vault(desk.store), desk.clock.new_id, kept=5)
    for n in range(12):
        letters.add([Rejected("r", "", {"userId": "u", "n": n})] * 2, source="s", received_at=NOW)
    assert [letter.raw["n"] for _, letter in letters.letters()] == [9, 10, 10, 11, 11]
    assert desk.store.table("dead_letters_of").count() == 5
