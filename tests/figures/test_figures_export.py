"""The ledger as tables: what is new is added, what was written stays, and a crash leaves what was there."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from living import CATALOG, live, living, rows

from opportune.api.local import Local
from opportune.cli import main
from opportune.client import Client
from opportune.clock import DAY, SECOND
from opportune.errors import BadInput, BadRequest
from opportune.figures import writer
from opportune.figures.manifest import Manifest, read_manifest
from opportune.figures.tables import LEDGER, TABLES
from opportune.hub import Hub
from opportune.services import instruments
from opportune.services.instruments import forget, tables, tables_of
from opportune.store import open_store
from opportune.testing import tiny_catalog

NEVER_KNOWN_LATER = [table for table in TABLES if table not in ("identities", "funnel")]


def parts(folder: Path) -> dict[str, str]:
    """Return the digests of all files of tables."""
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*.parquet")}


@pytest.mark.parametrize("seed", [1, 2, pytest.param(3, marks=pytest.mark.long)])
def test_what_is_added_bit_by_bit_is_what_is_written_at_once(tmp_path: Path, seed: int) -> None:
    hub, clock = living(tmp_path)
    bits = tmp_path / "bits"
    for turn, steps in enumerate((0, 40, 3, 90, 60)):
        live(hub, clock, steps, seed * 10 + turn)
        if turn == 3:
            hub.archive()
            assert hub.ledger.archived > 30
        tables(hub, bits)
    tables(hub, tmp_path / "whole")
    at_once = rows(tmp_path / "whole")
    assert rows(bits) == at_once
    assert {table for table, found in at_once.items() if not found} <= {
        "work", "exposures", "experiments", "quality", "arms", "campaigns", "budget_lines", "tools", "tool_features",
        "targets",
    }  # fmt: skip
    hub.close()


def test_parts_never_change_and_equal_content_has_equal_versions(tmp_path: Path) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 60)
    first, before = tables(hub, tmp_path / "t"), parts(tmp_path / "t")
    assert tables(hub, tmp_path / "t") == first
    assert parts(tmp_path / "t") == before
    assert tables(hub, tmp_path / "again").version == first.version
    live(hub, clock, 30, 2)
    second = tables(hub, tmp_path / "t")
    after = parts(tmp_path / "t")
    assert second.version != first.version
    ledger = {name for name in before if name.split("/")[0] in LEDGER}
    assert {name: after[name] for name in ledger} == {name: before[name] for name in ledger}
    assert {*after} == {f"{table}/{part}" for table, names in second.parts.items() for part in names}
    hub.close()


def test_an_export_that_ends_anywhere_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 50)
    folder = tmp_path / "t"
    tables(hub, folder)
    before = rows(folder)
    live(hub, clock, 50, 2)

    def killed(folder: Path, manifest: Manifest) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_manifest", killed)
        with pytest.raises(KeyboardInterrupt):
            tables(hub, folder)
    assert len(parts(folder)) > len([name for names in _manifest(folder).parts.values() for name in names])
    assert rows(folder) == before  # parts that nobody names do not count
    (folder / ".work-left").mkdir()
    tables(hub, folder)
    tables(hub, tmp_path / "whole")
    assert rows(folder) == rows(tmp_path / "whole")
    named = {f"{table}/{part}" for table, names in _manifest(folder).parts.items() for part in names}
    assert {*parts(folder)} == named
    assert not list(folder.glob(".work-*"))
    hub.close()


DRIVES = """
import sys
from pathlib import Path
from opportune.figures import export, writer
from opportune.hub import Hub
from opportune.services.instruments import tables
from opportune.store import open_store
from opportune.testing import FakeClock

def slow(done, told):
    def wrapped(*words, **more):
        print(told, flush=True)
        return done(*words, **more)
    return wrapped

writer.sync = slow(writer.sync, "part")
writer.write_manifest = slow(writer.write_manifest, "manifest")
hub = Hub(__import__("opportune.store", fromlist=["open_store"]).open_store(sys.argv[1]), FakeClock())
print("begun", flush=True)
tables(hub, Path(sys.argv[2]))
print("done", flush=True)
"""
"""Exports, and tells of each step before it takes it."""


@pytest.mark.parametrize("dies", ["part", pytest.param("manifest", marks=pytest.mark.long)])
def test_a_process_that_is_killed_leaves_tables_that_go_on(tmp_path: Path, dies: str) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 40)
    folder = tmp_path / "t"
    tables(hub, folder)
    before = rows(folder)
    live(hub, clock, 40, 2)
    hub.close()
    words = [sys.executable, "-c", DRIVES, f"sqlite:///{tmp_path / 'hub.db'}", str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = list[str]()
        for line in process.stdout:
            told.append(line.strip())
            if told[-1] == dies:
                process.kill()
    assert process.returncode == -9
    assert "begun" in told
    if "done" not in told:
        assert rows(folder) == before
    again = Hub(open_store(f"sqlite:///{tmp_path / 'hub.db'}"), clock)
    tables(again, folder)
    tables(again, tmp_path / "whole")
    assert rows(folder) == rows(tmp_path / "whole")
    again.close()


def test_who_is_forgotten_is_in_no_table(tmp_path: Path) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 150)
    folder = tmp_path / "t"
    tables(hub, folder)
    nodes = set(hub.nodes("c3"))
    assert any(row[2] in nodes or row[3] in nodes for row in rows(folder)["decisions"])
    hub.forget("c3")
    live(hub, clock, 10, 2)
    tables(hub, folder)
    told = repr(rows(folder))
    assert nodes
    assert not any(node in told for node in nodes)
    for path in folder.rglob("*.parquet"):
        assert not any(node.encode() in path.read_bytes() for node in nodes)
    tables(hub, tmp_path / "whole")
    assert rows(folder) == rows(tmp_path / "whole")
    hub.close()


def test_as_of_an_instant_the_tables_are_what_they_were_then(tmp_path: Path) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 120)
    tables(hub, tmp_path / "then")
    at = clock.at
    clock.advance(1)
    live(hub, clock, 120, 2)
    tables(hub, tmp_path / "now")
    then, now = (rows(tmp_path / name, at, NEVER_KNOWN_LATER) for name in ("then", "now"))
    # a join that came later makes one person of two, as of any date: the person is the same
    joined = dict(rows(tmp_path / "now")["identities"])
    for table, found in then.items():
        names = [*TABLES[table]]
        at_subject = names.index("subject") if "subject" in names else None
        mended = [
            tuple(joined.get(cell, cell) if i == at_subject else cell for i, cell in enumerate(row)) for row in found
        ]
        assert sorted(now[table], key=repr) == sorted(mended, key=repr), table
    hub.close()


def test_contacts_have_their_customer_and_cost_once(tmp_path: Path) -> None:
    hub, clock = living(tmp_path, holdouts=[], actions=CATALOG["actions"][:1])
    answer = hub.decide("maya", placement="app.home")
    clock.advance(SECOND)
    hub.respond(str(answer.decision_id), "tea", "impression")
    tables(hub, tmp_path / "t")
    # it turns out to have been seen earlier, which is news to the ledger and no second contact
    assert hub.respond(str(answer.decision_id), "tea", "impression", at=clock.at - 1)
    clock.advance(DAY)
    hub.respond(str(answer.decision_id), "tea", "accept", 2.5)
    tables(hub, tmp_path / "t")
    assert hub.respond(str(answer.decision_id), "tea", "accept", 2.5, at=clock.at - 1)
    hub.ingest({"type": "track", "userId": "maya", "event": "Order Completed", "properties": {"revenue": 50}})
    tables(hub, tmp_path / "t")
    found = rows(tmp_path / "t")
    [contact], [outcome], [conversion] = found["contacts"], found["outcomes"], found["conversions"]
    subject = hub.nodes("maya")[0]
    assert contact[1:10] == (
        datetime(2026, 1, 1, 0, 0, 1), answer.decision_id, subject, "tea", "spring", "app", False, False, 0.5,
    )  # fmt: skip
    assert outcome[1:9] == (
        datetime(2026, 1, 2, 0, 0, 1), answer.decision_id, subject, "tea", "spring", "accept", 2.5, True,
    )  # fmt: skip
    assert conversion[1:10] == (subject, "Order Completed", 50.0, "event 1", "tea", "spring", False, 20.0, "app")
    hub.close()


def test_orders_are_taken_back_whether_somebody_was_held_out_or_not(tmp_path: Path) -> None:
    hub, clock = living(tmp_path)
    for number in range(30):
        hub.decide(f"c{number}", placement="app.home")
        for event in ("Order Completed", "Order Completed", "Order Cancelled"):
            clock.advance(1000)
            hub.ingest({"type": "track", "userId": f"c{number}", "event": event, "properties": {"value": 10}})
    tables(hub, tmp_path / "t")
    found = rows(tmp_path / "t")
    held = {row[1] for row in found["holdouts"] if row[3]}
    assert 3 < len(held) < 20
    for subject in {row[1] for row in found["conversions"]}:
        mine = sorted(row[:8] for row in found["conversions"] if row[1] == subject)
        assert [row[7] for row in mine] == [False, True]  # the latest one still standing
    hub.close()


def test_another_hub_or_an_older_one_begins_anew(tmp_path: Path) -> None:
    hub, clock = living(tmp_path / "one")
    live(hub, clock, 40)
    folder = tmp_path / "t"
    tables(hub, folder)
    other, clock = living(tmp_path / "two")
    live(other, clock, 60, 7)
    tables(other, folder)
    tables(other, tmp_path / "whole")
    assert rows(folder) == rows(tmp_path / "whole")
    hub.close()
    other.close()


def test_since_an_instant_a_folder_has_what_came_later(tmp_path: Path) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 60)
    at = clock.at
    clock.advance(DAY)
    live(hub, clock, 60, 2)
    tables(hub, tmp_path / "all")
    tables(hub, tmp_path / "late", at)
    late, whole = rows(tmp_path / "late"), rows(tmp_path / "all")
    assert late["decisions"] == [row for row in whole["decisions"] if row[0] >= late["decisions"][0][0]]
    assert 0 < len(late["decisions"]) < len(whole["decisions"])
    hub.close()


def test_nothing_that_people_send_breaks_it(tmp_path: Path) -> None:
    hub, _ = living(tmp_path)
    for number, odd in enumerate(["\ud800", "a\0b", "x" * 70_000, "'; DROP TABLE leads; --", "שלום 🫖", "", None, [1]]):
        who = f"c{number}"
        hub.ingest({"type": "track", "userId": who, "event": "Lead Created", "properties": {"source": odd}})
        hub.ingest({"type": "track", "userId": who, "event": "Email Sent", "properties": {"channel": odd}})
    for number, worth in enumerate([1e308, -1e308, 10**400, "12", True, None, -5]):
        worths = {"total": worth}
        hub.ingest({"type": "track", "userId": f"c{number}", "event": "Order Completed", "properties": worths})
    tables(hub, tmp_path / "t")
    found = rows(tmp_path / "t")
    assert len(found["leads"]) == 7 + 6  # the door takes neither half of a character nor a number without end
    assert sum(row[8] or 0 for row in found["conversions"]) == -2
    assert len(instruments.figures(hub)) == 6
    hub.close()


def test_another_funnel_reads_the_events_anew(tmp_path: Path) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 80)
    tables(hub, tmp_path / "t")
    stages = {row[2] for row in rows(tmp_path / "t")["leads"]}
    assert stages == {"lead", "customer"}
    hub.publish(tiny_catalog(funnel={"lead": "Order Cancelled"}))
    tables(hub, tmp_path / "t")
    tables(hub, tmp_path / "whole")
    found = rows(tmp_path / "t")
    assert found == rows(tmp_path / "whole")
    assert {row[2] for row in found["leads"]} == {"lead", "customer"}
    assert len([row for row in found["leads"] if row[2] == "lead"]) > 3
    hub.close()


def test_a_hub_without_anything_has_empty_tables(tmp_path: Path) -> None:
    hub, _ = living(tmp_path)
    tables(hub, tmp_path / "t")
    found = rows(tmp_path / "t")
    assert [table for table, there in found.items() if there] == ["stages", "funnel"]
    with Hub.of(tiny_catalog()) as memory, pytest.raises(BadRequest, match="name a folder"):
        instruments.tables_of(memory)
    with pytest.raises(BadInput, match="opportune tables"):
        rows(tmp_path / "nothing")
    hub.close()


def test_the_command_writes_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 20)
    hub.close()
    file = f"sqlite:///{tmp_path / 'hub.db'}"
    monkeypatch.setattr("sys.argv", ["opportune", "tables", str(tmp_path / "out"), "--store", file, "--json"])
    with pytest.raises(SystemExit, match="0"):
        main()
    told = json.loads(capsys.readouterr().out)
    assert told["version"] == _manifest(tmp_path / "out").version
    assert told["rows"]["decisions"] == len(rows(tmp_path / "out")["decisions"])


def _manifest(folder: Path) -> Manifest:
    found = read_manifest(folder)
    assert found is not None
    return found


def test_the_tables_of_a_hub_forget_at_once(tmp_path: Path) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 150)
    folder = tables_of(hub)
    tables(hub, folder)
    before = rows(folder)
    live(hub, clock, 10, 2)
    nodes = set(hub.nodes("c3"))
    with Client("", "", Local(hub)) as client:
        client.forget("c3")
    for path in folder.rglob("*.parquet"):
        assert not any(node in repr(duckdb.sql(f"SELECT * FROM '{path}'").fetchall()) for node in nodes)
    for table, kept in rows(folder).items():  # and nobody else is
        if table not in ("conversions", "leads"):
            assert kept == [row for row in before[table] if not nodes & set(map(str, row))], table
    assert [len(rows(folder)[t]) for t in ("conversions", "leads")] == [
        len([row for row in before[t] if row[1] not in nodes]) for t in ("conversions", "leads")
    ]
    again = Hub(open_store(f"sqlite:///{tmp_path / 'hub.db'}"), clock)
    tables(again, folder)
    tables(again, tmp_path / "whole")
    assert rows(folder) == rows(tmp_path / "whole")
    again.close()


def test_who_was_forgotten_as_the_process_ended_is_forgotten_by_the_next(tmp_path: Path) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 100)
    folder = tables_of(hub)
    version = tables(hub, folder).version
    nodes = set(hub.nodes("c3"))
    hub.forget("c3")  # and nothing else before the end
    hub.close()
    again = Hub(open_store(f"sqlite:///{tmp_path / 'hub.db'}"), clock)
    assert any(node in repr(rows(folder)) for node in nodes)
    forget(again)
    assert not any(node in repr(rows(folder)) for node in nodes)
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.version != version
    forget(again)  # nobody is left to be forgotten
    assert read_manifest(folder) == manifest
    again.close()
