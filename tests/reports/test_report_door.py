"""Reports, targets and alerts of a hub over HTTP and by command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opportune.api.local import Local
from opportune.cli import main as command
from opportune.client import Client
from opportune.clock import DAY, HOUR, to_datetime
from opportune.errors import BadRequest, NotFound, OpportuneError
from opportune.events.types import Spent
from opportune.hub import Hub
from opportune.services.alerting import Alerting
from opportune.services.instruments import current
from opportune.services.instruments import figure as asked
from opportune.testing import FakeClock, tiny_catalog

CAMPAIGN = {"name": "spring", "owner": "ana", "budget": {"planned": 100}, "starts": "2025-12-01", "ends": "2026-02-01"}
TARGET = {"figure": "budget", "between": [0.5, 1.2], "owner": "ana", "reason": "the plan is right",
          "review": "2026-01-20"}  # fmt: skip
DAILY = {"name": "today", "every": "day", "at": "06:00", "to": ["ana@acme.example"], "parts": ["budget", "sending"]}


def main(words: list[str]) -> int:
    """Run a command and return its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["opportune", *words])
        with pytest.raises(SystemExit) as ended:
            command()
    return int(ended.value.code or 0)


def hub_of(**more: Any) -> tuple[Hub, FakeClock]:
    clock = FakeClock()
    catalog = {"time_zone": "UTC", "campaigns": [CAMPAIGN], "targets": [TARGET], "reports": [DAILY], **more}
    return Hub.of(tiny_catalog(**catalog), "memory:", clock), clock


def spend(hub: Hub, clock: FakeClock, entry: str, amount: float) -> None:
    with hub.group():
        hub.learner.append([Spent(clock.at, "spring", entry, "spent", amount)])


@pytest.fixture
def client() -> Iterator[Client]:
    hub, clock = hub_of()
    spend(hub, clock, "a", 30.0)
    clock.advance(2 * DAY)
    with Client("", "", Local(hub)) as found:
        yield found


def test_a_report_in_every_form(client: Client) -> None:
    [one] = client.reports()
    assert (one.name, one.every, one.at, one.to) == ("today", "day", "06:00", ["ana@acme.example"])
    assert f"{one.due:%Y-%m-%d %H:%M}" == "2026-01-03 06:00"
    page, again = client.report("today"), client.report("today")
    assert page == again
    assert b"<!doctype html>" in page
    assert client.report("today", "pdf")[:5] == b"%PDF-"
    told = json.loads(client.report("today", "json"))
    assert told["asOf"] == "2026-01-03T00:00:00Z"
    assert [section["id"] for section in told["sections"]] == ["matter", "budget", "sending"]
    assert told["sources"][0]["file"] == "budget.sql"
    earlier = json.loads(client.report("today", "json", as_of="2026-01-02"))
    assert earlier["asOf"] == "2026-01-02T00:00:00Z"
    assert "Use of the budget is" in client.report("today", "text").decode()
    with pytest.raises(NotFound, match="there is no report 'tomorow'"):
        client.report("tomorow")
    with pytest.raises(BadRequest, match="format is 'docx'"):
        client.report("today", "docx")  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="give a day"):
        client.report("today", as_of="soon")


def test_there_are_reports_by_role_where_the_catalog_names_none() -> None:
    hub, _ = hub_of(reports=[], people=[{"name": "ana", "role": "analyst", "email": "ana@acme.example"}])
    with Client("", "", Local(hub)) as client:
        found = {one.name: (one.every, one.role, one.to) for one in client.reports()}
        assert found == {
            "marketing": ("week, monday", "marketing manager", []),
            "analyst": ("day", "analyst", ["ana@acme.example"]),
            "technologist": ("day", "marketing technologist", []),
        }
        for name in found:
            assert json.loads(client.report(name, "json"))["sections"]
        with pytest.raises(OpportuneError, match="nobody reads 'marketing'"):
            client.send_report("marketing")


def test_sending_without_a_carrier_says_what_is_missing(client: Client) -> None:
    [told] = client.send_report("today")
    assert (told.state, told.to) == ("waiting", "ana@acme.example")
    assert "no channel sends any" in told.why
    assert client.report_sendings() == [told]
    with pytest.raises(BadRequest, match="is no e-mail address"):
        client.send_report("today", ["ana"])


def test_a_report_by_hand_goes_to_a_reader_once_unless_again(tmp_path: Path) -> None:
    files = {"name": "email", "via": "file", "form": "email", "options": {"folder": str(tmp_path)}}
    hub, clock = hub_of(channels=[files])
    clock.advance(DAY + 7 * HOUR)
    with Client("", "", Local(hub)) as client:
        assert [one.state for one in client.send_report("today")] == ["sent"]
        [first] = tmp_path.iterdir()
        first.unlink()
        assert [one.tries for one in client.send_report("today")] == [1]
        assert list(tmp_path.iterdir()) == []
        assert [one.tries for one in client.send_report("today", again=True)] == [2]
        [path] = tmp_path.iterdir()
        letter = json.loads(path.read_text("utf-8"))
        names = [one["name"] for one in letter["content"]["attachments"]]
        assert names == ["today-2026-01-02.html", "today-2026-01-02.pdf"]


def test_a_figure_that_leaves_its_range_is_told_once() -> None:
    hub, clock = hub_of()
    alerting = Alerting(hub)

    def looked() -> list[str]:
        with current(hub) as folder:
            return [f"{one.kind} {one.state}" for one in alerting.note(alerting.judge(folder))]

    assert not alerting.due(), "the first day has no day before"
    spend(hub, clock, "a", 40.0)
    clock.advance(DAY)
    assert alerting.due()
    assert looked() == []
    assert not alerting.due()
    spend(hub, clock, "b", 90.0)
    clock.advance(DAY)
    assert looked() == ["range above"]
    clock.advance(DAY)
    assert looked() == []
    [alert] = alerting.alerts()
    assert alert.owner == "ana"
    assert "surely above its range (between 50 and 120 %)" in alert.sentence
    assert asked(hub, "budget").status == "out of range"
    clock.advance(20 * DAY)
    assert looked() == ["review review"]


def test_looking_by_hand_looks_as_of_now() -> None:
    spring = {**TARGET, "by": {"campaign": "spring"}, "between": [0.1, 1.2]}
    hub, clock = hub_of(time_zone="Europe/Berlin", targets=[spring])
    clock.advance(2 * HOUR)
    spend(hub, clock, "a", 60.0)
    clock.advance(HOUR)
    assert asked(hub, "budget", by="campaign").rows[0]["status"] == "in range"
    with Client("", "", Local(hub)) as client:
        assert client.figure_alerts(look=True) == [], "at midnight nothing was spent yet"
        spend(hub, clock, "b", 90.0)
        [alert] = client.figure_alerts(look=True)
    assert alert.at == to_datetime(clock.at)
    assert "Use of the budget (campaign spring) is" in alert.sentence


def test_the_history_of_targets_is_that_of_the_catalogs() -> None:
    hub, clock = hub_of()
    clock.advance(HOUR)
    more = {"time_zone": "UTC", "campaigns": [CAMPAIGN]}
    hub.publish(tiny_catalog(**more, targets=[{**TARGET, "between": [0.4, 1.0], "reason": "less money"}]), "ben")
    hub.publish(tiny_catalog(**more))
    with Client("", "", Local(hub)) as client:
        told = [(one.about, one.range, one.reason, one.by) for one in client.targets()]
    assert told == [
        ("budget", "between 0.5 and 1.2", "the plan is right", ""),
        ("budget", "between 0.4 and 1", "less money", "ben"),
        ("budget", "", "", ""),
    ]


def test_the_command_writes_files_and_reads_tables_from_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    assert main(["init", str(home)]) == 0
    assert main(["tables", str(tmp_path / "tables"), "--dir", str(home)]) == 0
    capsys.readouterr()
    out = ["--out", str(tmp_path / "out"), "--as-of", "2026-03-02"]
    assert main(["report", "analyst", *out, "--dir", str(home), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [Path(file).name for file in told["files"]] == ["analyst.html", "analyst.pdf"]
    here = [(tmp_path / "out" / f"analyst.{form}").read_bytes() for form in ("html", "pdf")]
    assert main(["report", "analyst", *out, "--tables", str(tmp_path / "tables"), "--dir", str(home)]) == 0
    there = [(tmp_path / "out" / f"analyst.{form}").read_bytes() for form in ("html", "pdf")]
    assert here == there, "the tables of a hub are the hub's"
    assert main(["report", "--dir", str(home), "--json"]) == 0
    capsys.readouterr()
    assert main(["report", "list", "--dir", str(home)]) == 0
    assert "nobody: no analyst in `people:` has an `email`" in capsys.readouterr().out
    assert main(["report", "nobody", "--dir", str(home)]) == 2
    assert main(["report", "--format", "docx", "--dir", str(home)]) == 2


def test_publishing_a_target_without_a_new_reason_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path)]) == 0
    target = "targets: [{figure: roi, at_least: %s, owner: ana, reason: it pays}]\n"
    (tmp_path / "targets.yaml").write_text(target % 1)
    assert main(["publish", "--dir", str(tmp_path)]) == 0
    assert "Warning" not in capsys.readouterr().err
    (tmp_path / "targets.yaml").write_text(target % 2)
    assert main(["publish", "--dir", str(tmp_path)]) == 0
    assert "the target of roi went from at least 1 to at least 2" in capsys.readouterr().err
