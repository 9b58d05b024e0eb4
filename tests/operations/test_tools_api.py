"""Tools over HTTP, from the command line and among events: who may tell what, and what is told of faults."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from opportune.cli import main
from opportune.client import Client
from opportune.errors import BadRequest, NotFound
from opportune.wire.equipping import ToolUse
from serving import Server

CATALOG = """\
currency: EUR
time_zone: Europe/Berlin
placements: [{name: app.home, channel: app}]
actions:
  - name: hello
    issue: grow
    group: any
    campaign: always
    owner: ana
    value: 1
    benefit: Something for you
    outcomes: {positive: [accept], negative: [reject], window: 7d}
    treatments: [{name: card, channel: app, placements: [app.*], content: {title: Hi}}]
metrics: [{name: yes_said, outcome: accept}]
tools:
  - {name: mailer, category: email, owner: ana, cost: {per_seat: 20}, seats: 4,
     features: [send, segments], does: [send_email]}
  - {name: poster, category: email, cost: {year: 1200}, contract: {until: 2020-01-01, notice: 30d}}
  - {name: wiki, category: docs, trial: {question: Is it read?, decide_by: 2026-01-01, metric: yes_said}}
  - {name: sms, category: messages, does: [send_email], cost: {month: 10}}
  - {name: bulk, category: bulk}
"""
TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tools") / "shop"
    folder.mkdir()
    (folder / "hub.yaml").write_text(CATALOG, "utf-8")
    with Server(folder) as server:
        yield server


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return server.key("server")


def post(server: Server, key: str, path: str, body: Any) -> httpx.Response:
    return httpx.post(server.address + path, json=body, auth=(key, ""), timeout=20, trust_env=False)


def run(server: Server, *words: str, code: int = 0) -> Any:
    """Return what a command, in this process and beside the server, prints as JSON, or all that it says."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["opportune", *words, "--dir", str(server.folder)])
        try:
            main()
            ended: Any = 0
        except SystemExit as exit_:
            ended = exit_.code or 0
    assert ended == code, err.getvalue()
    return json.loads(out.getvalue()) if "--json" in words else out.getvalue() + err.getvalue()


def test_use_is_told_and_read(server: Server, key: str) -> None:
    with Client(server.address, key) as client:
        told = client.use_tools([
            ToolUse("mailer", "ana", "send", str(TODAY)), ToolUse("mailer", "bob", "send", str(TODAY)),
            ToolUse("mailer", "bob", "send", str(TODAY), nth=1), ToolUse("sms", "bob", at=str(TODAY)),
        ])  # fmt: skip
        assert (told.taken, told.changed, told.known, told.refused) == (4, 0, 0, [])
        assert client.use_tools([ToolUse("mailer", "ana", "send", str(TODAY))]).known == 1
        mailer = client.tool("mailer")
        assert mailer.adoption is not None
        a = mailer.adoption
        assert (a.people, a.share, a.idle_seats, a.idle_cost, a.features_used) == (2, 0.5, 2, 40.0, 1)
        assert (mailer.monthly, mailer.currency, mailer.owner) == (80.0, "EUR", "ana")
        assert a.trend.per_week is None
        assert "of the 4 whole weeks that a trend takes" in a.trend.reason
        wiki = client.tool("wiki")
        assert (wiki.adoption, wiki.reason, wiki.monthly) == (None, "nothing was told of the use of wiki", None)
        assert [tool.name for tool in client.tools()] == ["bulk", "mailer", "poster", "sms", "wiki"]
        assert [(cell.person, cell.uses) for cell in client.tool_use("mailer")] == [("ana", 1), ("bob", 2)]
        [overlap] = client.tool_overlaps()
        assert (overlap.tools, overlap.does, overlap.both, overlap.either) == (["mailer", "sms"], ["send_email"], 1, 2)
        assert overlap.saves == 10
        assert [date.tool for date in client.tool_dates()] == ["wiki"]
        [trial] = client.tool_trials()
        assert (trial.tool, trial.overdue, trial.strength) == ("wiki", True, "none")
        with pytest.raises(NotFound, match="did you mean `mailer`"):
            client.tool("mailr")


def test_faults_are_told_by_their_place(server: Server, key: str) -> None:
    rows = [{"tool": "mailer", "person": "cho", "at": "yesterday"}, {"tool": "mailer", "person": "cho", "feature": "x"},
            {"tool": "mailer", "person": "cho", "at": f"{TODAY}T00:00:00+02:00"}, {"tool": "nail", "person": "cho"},
            {"tool": "mailer", "person": "cho", "at": ""}]  # fmt: skip
    answer = post(server, key, "/v1/tools/use", rows).json()
    assert answer["taken"] == 1
    told = [(one["index"], one["field"]) for one in answer["refused"]]
    assert told == [(0, "at"), (1, "feature"), (3, "tool"), (4, "at")]
    assert all(one["what"] and one["cure"] for one in answer["refused"])
    one = post(server, key, "/v1/tools/use", rows[3])
    assert (one.status_code, one.json()["field"]) == (400, "tool")
    assert "the catalog has no tool 'nail'" in one.json()["detail"]
    with Client(server.address, key) as client, pytest.raises(BadRequest, match="at most 5,000"):
        client.use_tools([ToolUse("mailer", "cho")] * 5_001)
    for body in ({"tool": "mailer"}, {"tool": "mailer", "person": "a", "user": "b"}, {"tool": 1, "person": "a"}, 5):
        assert post(server, key, "/v1/tools/use", body).status_code == 400
    for path in ("/v1/tools/mailer/use?weeks=-1", "/v1/tools/mailer/use?weeks=9999", "/v1/tool-dates?days=x"):
        assert httpx.get(server.address + path, auth=(key, ""), trust_env=False).status_code == 400


def test_a_public_key_neither_tells_nor_reads(server: Server) -> None:
    write = server.key("write")
    assert post(server, write, "/v1/tools/use", {"tool": "mailer", "person": "eve"}).status_code == 403
    assert httpx.get(f"{server.address}/v1/tools", auth=(write, ""), trust_env=False).status_code == 403


def test_tool_used_among_events(server: Server, key: str) -> None:
    def event(user: str, message: str, **properties: Any) -> dict[str, Any]:
        said = {"tool": "wiki", **properties}
        return {"type": "track", "event": "Tool Used", "userId": user, "messageId": message, "properties": said}

    other = {"type": "track", "event": "Tea Bought", "userId": "maya", "messageId": "t1"}
    batch = [event("fay", "m1", uses=3), other, event("gil", "m2", tool="wikki"), event("fay", "m1", uses=3),
             event("sso", "m3", person="hal", feature="search"), event("ivy", "m4", uses="many"),
             {k: v for k, v in event("", "m6", person="kay").items() if k != "userId"}, event("", "m7")]  # fmt: skip
    for _ in range(2):
        assert post(server, key, "/v1/batch", {"batch": batch}).json() == {"success": True}
    assert post(server, key, "/v1/track", event("jon", "m5")).status_code == 200
    with Client(server.address, server.admin) as client:
        assert [(cell.person, cell.feature, cell.uses) for cell in client.tool_use("wiki")] == [
            ("fay", "", 3), ("hal", "search", 1), ("jon", "", 1),
            ("kay", "", 1),
        ]  # fmt: skip
        for staff in ("fay", "gil", "sso", "jon", "kay"):
            with pytest.raises(NotFound):
                client.profile(staff)
        assert client.profile("maya").customer_id == "maya"
        wrong = [one for one in client.rejected().reasons if one.reason == "bad_tool_use"]
        assert any("did you mean `wiki`" in one.message for one in wrong)
        client.retry()
        with pytest.raises(NotFound):
            client.profile("gil")
    write = server.key("write")
    assert post(server, write, "/v1/batch", {"batch": [event("eve", "w1")]}).json() == {"success": True}
    with Client(server.address, server.admin) as client:
        assert client.profile("eve").customer_id == "eve", "of a public key it is an event as any other"
        assert "eve" not in {cell.person for cell in client.tool_use("wiki")}


def test_a_file_with_every_fault(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "use.csv"
    rows = [
        ("poster,ana,,{d},2", ""),
        ('poster,"Zoë, Q.",,{d},', ""),
        ("poster,ana,,{d},2", ""),
        ("postr,ana,,{d},1", "did you mean `poster`"),
        ("poster,,,{d},1", "nobody is named"),
        ("poster,ana,,,1", "at is empty"),
        ("poster,ana,,31.12.2025,1", "write ISO 8601"),
        ("poster,ana,,{d},many", "uses is 'many'"),
        ("poster,ana,,{d},1.5", "uses is '1.5'"),
        ("poster,ana,,{d},-1", "from 0 to"),
        ("poster,ana,,2999-01-01,1", "from 1970 to now"),
        ("poster,ana,,{d},1,x,y", "more fields than there are columns"),
        ("poster,\udcff,,{d},1", "bytes that are no text"),
        ("poster,日本,,{d}T12:00:00Z,1", ""),
        ("poster,bob", "at is empty"),
    ]
    text = "tool,person,feature,at,uses\n" + "".join(row.format(d=TODAY) + "\n" for row, _ in rows)
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    told = run(server, "tools", "use", "--file", str(file), "--json", code=2)
    assert (told["taken"], told["changed"], told["known"]) == (4, 0, 0)
    faults = {one["row"]: one["what"] + "; " + one["cure"] for one in told["refused"]}
    assert {*faults} == {number for number, (_, says) in enumerate(rows, 1) if says}
    for number, (_, says) in enumerate(rows, 1):
        assert says in faults.get(number, "")
    shown = run(server, "tools", "use", "--file", str(file), code=2)
    assert f"{file}: row 4: the catalog has no tool 'postr'; did you mean `poster`?" in shown
    assert "0 uses taken, 0 with another count, 4 already known, 11 rows refused." in shown
    file.write_text(f"tool,person,feature,at,uses\nposter,ana,,{TODAY},7\n")
    assert run(server, "tools", "use", "--file", str(file), "--json")["changed"] == 1
    used = {cell["person"]: cell["uses"] for cell in server.call("GET", "/v1/tools/poster/use")}
    assert used == {"ana": 9, "Zoë, Q.": 1, "日本": 1}, "two alike rows are two uses, of which one was told anew"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "tool,person,when\n", "unknown column 'when'"),
        ("b.csv", "tool,person\n", "there is no column at"),
        ("c.csv", "", "no header line"),
        ("d.txt", "x", "is no format of events"),
        ("e.csv", 'tool,person,at\nmailer,"ana,2026-01-01\n', "close the quotes"),
        ("f.jsonl", '{"tool": "mailer", "person": "ana", "at": "2026-01-01"', "ends in the middle of a row"),
    ],
)
def test_a_file_that_cannot_be_read(server: Server, tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    assert says in run(server, "tools", "use", "--file", str(tmp_path / name), code=2)


def test_a_long_file_goes_on_where_it_was_cut(server: Server, tmp_path: Path) -> None:
    """Rows alike, a file cut short, read again whole: each row is one use."""
    file = tmp_path / "bulk.csv"
    days = [TODAY - timedelta(days=n) for n in range(10)]
    rows = [f"bulk,p{n % 40},f{n % 7},{days[n % 10]},1" for n in range(6_000)]
    for many in (2_500, 6_000, 6_000):
        file.write_text("\n".join(["tool,person,feature,at,uses", *rows[:many]]) + "\n")
        told = run(server, "tools", "use", "--file", str(file), "--json")
        assert not told["refused"]
    assert told["known"] == 6_000
    assert sum(cell["uses"] for cell in server.call("GET", "/v1/tools/bulk/use")) == 6_000


def test_the_other_commands(server: Server) -> None:
    listed = run(server, "tools", "list")
    assert "poster (email): 100.00 EUR a month (its contract does not run)" in listed
    assert "was to be decided before 2026-01-01: Is it read?" in listed
    assert {tool["name"] for tool in run(server, "tools", "list", "--json")["tools"]} >= {"mailer", "wiki"}
    assert "idle seats: " in run(server, "tools", "show", "mailer")
    assert run(server, "tools", "overlap", "--json")["overlaps"][0]["tools"] == ["mailer", "sms"]
    assert "of 3 people use both" in run(server, "tools", "overlap")
    assert "wiki: Is it read?" in run(server, "tools", "trials")
    assert "did you mean `wiki`" in run(server, "tools", "show", "wikki", code=2)


def test_the_health_of_the_operation(server: Server, key: str) -> None:
    with Client(server.address, key) as client:
        found = client.health_check()
    assert {one.check for one in found.checks} == {
        "uneven-results", "roi-unmeasured", "idle-tools", "sales-apart", "work-does-not-scale",
    }  # fmt: skip
    tools = next(one for one in found.checks if one.check == "idle-tools")
    assert "EUR a month" in tools.sentence
    assert all(one.missing and one.cure for one in found.checks if one.status == "unknown")
    shown = run(server, "health")
    assert "UNKNOWN From marketing to sales" in shown
    assert "missing: no lead was told of" in shown
    assert [one["check"] for one in run(server, "health", "--json")["checks"]] == [one.check for one in found.checks]
