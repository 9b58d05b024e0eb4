"""Figures of a hub: over HTTP, by command, from its own tables, as of a day that is past."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from living import live, living, rows

from opportune.api.beside import beside
from opportune.api.local import Local
from opportune.api.serving import listen
from opportune.cli import main
from opportune.client import Client
from opportune.clock import DAY, HOUR, format_instant
from opportune.errors import BadRequest, NotFound
from opportune.events.types import Spent
from opportune.figures.header import NAMES
from opportune.figures.manifest import read_manifest
from opportune.figures.tables import opened
from opportune.services import instruments
from opportune.services.inspection import Inspection
from opportune.services.instruments import figure, figures, tables
from opportune.testing import FakeClock


def test_the_door_answers_as_the_hub_does(tmp_path: Path) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 60)
    with Client("", "", Local(hub)) as client:
        six = client.figures()
        assert [one["figure"] for one in six] == list(NAMES)
        told = client.figure("conversion", since="30d", by="source")
        assert told["by"] == "source"
        assert told["rows"][0]["key"] == "web"
        assert told["data"] == {"version": _version(tmp_path), "from": 1, "to": hub.ledger.last()}
        assert told["query"]["file"] == "conversion.sql"
        assert told["status"] == "no target"
        assert set(told) >= {"asOf", "since", "beside", "interval", "reason", "target", "unit", "direction", "grain"}
        with pytest.raises(NotFound, match="there is no figure"):
            client.figure("tea")
        with pytest.raises(BadRequest, match="it has source"):
            client.figure("conversion", by="tea")
        with pytest.raises(BadRequest, match="give a day"):
            client.figures(since="soon")
        with pytest.raises(BadRequest, match="whole path"):
            client.tables("out")
        assert client.tables(str(tmp_path / "out")).rows["decisions"] == len(rows(tmp_path / "out")["decisions"])


def test_what_was_just_done_is_in_the_figures(tmp_path: Path) -> None:
    hub, clock = living(tmp_path, campaigns=[{"name": "spring", "owner": "ana", "budget": {"planned": 100},
                                              "starts": "2025-12-01", "ends": "2026-02-01"}])  # fmt: skip
    before = figure(hub, "budget")
    with hub.group():
        hub.learner.append([Spent(clock.at, "spring", "a", "spent", 10.0)])
    after = figure(hub, "budget")
    assert before.value == 0
    assert after.value == pytest.approx(10 / (100 * 31 / 62), rel=0.01)  # dates are of the time zone of the hub
    assert after.data.version != before.data.version
    hub.close()


def test_a_past_day_is_told_as_it_was(tmp_path: Path) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 150)
    at = clock.at
    then = {one.figure: one for one in figures(hub)}
    clock.advance(1)
    live(hub, clock, 100, 2, customers=30)
    now = {one.figure: one for one in figures(hub, as_of=at)}
    for name in ("roi", "velocity", "quality", "budget"):
        same = ("value", "interval", "n", "reason", "beside")
        assert [getattr(now[name], key) for key in same] == [getattr(then[name], key) for key in same]
    assert figures(hub)[0] != now["roi"]
    hub.close()


def test_tables_that_are_old_are_made_anew_and_others_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instruments, "FEW", 3)
    hub, clock = living(tmp_path)
    live(hub, clock, 30)
    first = figure(hub, "roi").data
    live(hub, clock, 3, 2)
    clock.at = _manifest_at(tmp_path) + HOUR // 30
    assert figure(hub, "roi").data == first
    clock.at += DAY
    assert figure(hub, "roi").data.to == hub.ledger.last()
    hub.close()


def test_equal_tables_give_equal_figures_to_the_byte(tmp_path: Path) -> None:
    import msgspec

    from opportune.figures import compute

    hub, clock = living(tmp_path)
    live(hub, clock, 80)
    told = []
    for name in ("one", "two"):
        tables(hub, tmp_path / name)
        with opened(tmp_path / name, clock.at) as (connection, manifest):
            told.append(msgspec.json.encode(compute.figures(connection, manifest, clock.at)))
    assert told[0] == told[1]
    hub.close()


def test_the_command_reads_tables_from_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 40)
    tables(hub, tmp_path / "out")
    hub.close()
    out, at = str(tmp_path / "out"), format_instant(clock.at)
    _run(monkeypatch, "figures", "roi", "--tables", out, "--as-of", at, "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["figure"], told["asOf"]) == ("roi", at)
    _run(monkeypatch, "figures", "--tables", out)
    said = capsys.readouterr().out
    assert "Marketing ROI: -" in said
    assert "each needs 20" in said
    _run(monkeypatch, "figures", "velocity", "--by", "stage", "--store", f"sqlite:///{tmp_path / 'hub.db'}")
    assert "Campaign velocity" in capsys.readouterr().out
    _run(monkeypatch, "figures", "--by", "stage", code=2)
    assert "name it" in capsys.readouterr().err


def test_the_command_tells_targets_of_parts_money_and_percents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home").mkdir()
    home = ["--dir", str(tmp_path / "home")]

    def ran(*words: str) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["opportune", *words])
            with pytest.raises(SystemExit) as ended:
                main()
        out = capsys.readouterr()
        assert not ended.value.code, out.err
        return out.out

    ran("init", str(tmp_path / "home"))
    (tmp_path / "home" / "work.yaml").write_text(
        "campaigns: [{name: spring, budget: {planned: 5000}, starts: 2025-01-01, ends: 2025-06-01}]\n"
        "targets: [{figure: budget, by: {campaign: spring}, between: [0.8, 1.1], owner: ana, reason: booked}]\n"
    )
    ran("publish", *home)
    ran("campaign", "spend", "spring", "4620", "--entry", "a", "--by", "ana", *home)
    told = ran("figures", "budget", "--by", "campaign", *home)
    assert "92.4 %" in told
    assert "spent 4,620" in told
    assert "e+03" not in told
    assert "target between 80 and 110 %: in range (ana: booked)" in told
    [row] = json.loads(ran("figures", "budget", "--by", "campaign", "--json", *home))["rows"]
    assert (row["target"]["owner"], row["status"]) == ("ana", "in range")


def test_a_store_in_memory_has_figures_too() -> None:
    from opportune.hub import Hub
    from opportune.testing import tiny_catalog

    hub = Hub.of(tiny_catalog(), clock=FakeClock())
    assert [one.value for one in figures(hub)] == [None] * 6
    hub.close()


def _run(monkeypatch: pytest.MonkeyPatch, *words: str, code: int = 0) -> None:
    monkeypatch.setattr("sys.argv", ["opportune", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code


def _version(folder: Path) -> str:
    manifest = read_manifest(folder / "hub.db.tables")
    assert manifest is not None
    return manifest.version


def _manifest_at(folder: Path) -> int:
    manifest = read_manifest(folder / "hub.db.tables")
    assert manifest is not None
    return manifest.at


def test_a_score_that_is_made_while_nothing_happens_is_in_the_figure(tmp_path: Path) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 40)
    clock.advance(DAY)
    assert figure(hub, "quality").value is None
    inspection = Inspection(hub)
    inspection.score(inspection.due())
    assert figure(hub, "quality").value is not None
    hub.close()


def test_a_hub_that_is_served_lets_its_tables_forget(tmp_path: Path) -> None:
    hub, clock = living(tmp_path)
    live(hub, clock, 80)
    folder = instruments.tables_of(hub)
    tables(hub, folder)
    nodes = set(hub.nodes("c3"))
    assert any(node in repr(rows(folder)) for node in nodes)
    version = _version(tmp_path)
    with beside(hub, listen("127.0.0.1", 0)) as (address, secret), Client(address, secret) as client:
        client.forget("c3")
        ends = time.monotonic() + 30
        while time.monotonic() < ends and _version(tmp_path) == version:
            time.sleep(0.2)
        assert not any(node in repr(rows(folder)) for node in nodes)
    hub.close()
