"""A campaign through a served hub: every check fails and is met, a kill in between, money, tasks, the command line."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from opportune.cli import app
from opportune.client import Client, Refused
from opportune.errors import BadInput, BadRequest, NotFound
from opportune.wire.campaigning import MoneyEntry
from serving import Server


def day(days: int) -> str:
    """Return the date so many days from now."""
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


CATALOG: dict[str, Any] = {
    "currency": "EUR",
    "time_zone": "UTC",
    "placements": [{"name": "app.home", "channel": "app", "price": 0}],
    "actions": [{
        "name": "hello", "issue": "grow", "group": "any", "kind": "marketing", "owner": "Ana Müller", "value": 1,
        "cost": 0.5, "benefit": "Something", "outcomes": {"positive": ["accept"], "negative": [], "window": "7d"},
        "treatments": [{"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": "Cheapest"}}],
    }],
    "metrics": [{"name": "orders", "event": "Order Completed", "within": "7d"},
                {"name": "calls", "event": "Call Made", "within": "7d", "good": "down"}],
    "hypotheses": [{"name": "bold", "claim": "Bold titles bring orders", "because": "They are seen", "metric": "orders",
                    "guardrails": ["calls"], "expected": 1.0, "owner": "Ana Müller"}],
    "experiments": [{"name": "bold_test", "hypothesis": "bold", "expires": "30d", "arms": [
        {"name": "control"},
        {"name": "bold", "changes": {"actions": [
            {"name": "hello", "treatments": [{"name": "card", "content": {"title": "Bold. Terms apply"}}]}]}}]}],
    "standards": [
        {"name": "terms", "requires": ["Terms apply"], "severity": "warning"},
        {"name": "modest", "forbids": ["cheapest"], "severity": "warning"},
        {"name": "lawful", "needs_basis": True, "severity": "warning"},
    ],
    "people": [{"name": "Ana Müller", "role": "owner"}, {"name": "Bo", "email": "bo@example.com"}, {"name": "Cy"}],
    "campaigns": [{"name": "spring"}, {"name": "season", "template": True, "starts": "2026-03-01", "tasks": [
        {"name": "Write", "owner": "Bo", "due": "2026-02-20"}]}],
    "model": {"ramp": 0, "random_share": 0, "arms": {}},
}  # fmt: skip


class House:
    """The server, and its one file."""

    def __init__(self, server: Server) -> None:
        self.server, self.data = server, deepcopy(CATALOG)

    @property
    def hub(self) -> Client:
        return Client(self.server.address, self.server.admin)

    def write(self) -> None:
        (self.server.folder / "hub.yaml").write_text(yaml.safe_dump(self.data, allow_unicode=True), "utf-8")

    def edit(self, **keys: Any) -> None:
        """Change the entry of the campaign, and publish."""
        self.data["campaigns"][0] |= keys
        self.write()
        with self.hub as hub:
            hub.publish("Ana Müller")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("campaigns") / "shop"
    folder.mkdir()
    (folder / "hub.yaml").write_text(yaml.safe_dump(CATALOG, allow_unicode=True), "utf-8")
    with Server(folder) as server:
        yield House(server)


def missing(house: House, by: str = "Cy") -> dict[str, str]:
    """Try to move on; return what fails, by check."""
    with house.hub as hub:
        answer = hub.move_campaign("spring", by)
        assert not answer.moved
        assert hub.campaign("spring").row.stage == answer.before
        assert all(one.where and one.cure and not one.passed for one in answer.missing)
        return {one.check: one.what for one in answer.missing}


def moved(house: House, stage: str, by: str = "Cy") -> None:
    with house.hub as hub:
        shown = hub.campaign("spring")
        assert (shown.following, [one for one in shown.checks if not one.passed]) == (stage, [])
        answer = hub.move_campaign("spring", by)
        assert (answer.moved, answer.stage, answer.missing) == (True, stage, [])


def test_the_whole_way(house: House) -> None:
    with house.hub as hub:
        [season, spring] = hub.campaigns()
        assert (season.template, season.stage, spring.living, spring.stage) == (True, "", True, "idea")
        with pytest.raises(BadRequest, match=r"'live' is 5 stages ahead of 'idea'.*'brief' comes next"):
            hub.move_campaign("spring", "Bo", "live")
        with pytest.raises(BadRequest, match="none of `people`"):
            hub.move_campaign("spring", "Mallory")
        with pytest.raises(BadRequest, match="no stage 'lives'; did you mean `live`"):
            hub.move_campaign("spring", "Bo", "lives")

        quick = hub.campaign("spring", checks=False)
        assert (quick.following, quick.checks, quick.row) == ("brief", [], hub.campaign("spring").row)
        assert hub.campaign("spring", day(-1)).row.stage == "idea"

    assert missing(house) == {"owner": "it has no `owner`", "goal": "it has no goal", "brief": "it has no `brief`"}
    house.edit(owner="Ana Müller", goal={"metric": "orders", "target": 500}, brief="Say hello to everybody: 日本")
    moved(house, "brief")
    assert missing(house) == {"hypothesis": "it has no `hypothesis`"}
    house.edit(hypothesis="bold")
    moved(house, "hypothesis")
    assert missing(house) == {"budget": "no budget is planned"}
    house.edit(budget={"lines": [{"line": "ads", "month": "2026-11", "planned": 100}]})
    with house.hub as hub:
        hub.enter_money([MoneyEntry("spring", "invoice 1", 150, line="ads")], "Bo")
    assert missing(house) == {"budget": "150.00 are committed and spent of 100.00 planned"}
    with house.hub as hub:
        hub.enter_money([MoneyEntry("spring", "invoice 1", 15, line="ads")], "Bo")
    moved(house, "build")

    # what it says, and its test
    assert {*missing(house)} == {"actions", "experiment"}
    action = house.data["actions"][0]
    action |= {"campaign": "spring", "off": True}
    house.edit(experiments=["bold_test"])
    found = missing(house)
    assert found["actions"] == "action `hello` is off, and no arm of an experiment switches it on"
    assert {*found} == {"actions", "legal_text", "brand_terms", "consent_basis", "experiment"}
    assert "Terms apply" in found["legal_text"]
    assert "cheapest" in found["brand_terms"].lower()
    assert found["experiment"] == "nothing is planned for experiment `bold_test`"
    action |= {"off": False, "basis": "legitimate_interest"}
    action["treatments"][0]["content"] = {"title": "Hello. Terms apply"}
    house.data["experiments"][0]["planned"] = 10
    house.edit()
    assert missing(house)["experiment"].startswith("the power of experiment `bold_test` is not known: orders was 0")
    with house.hub as hub:
        names = [f"past{k}" for k in range(40)]
        hub.ingest([{"type": "identify", "userId": name} for name in names])
        hub.ingest([{"type": "track", "userId": name, "event": "Order Completed"} for name in names[:16]])
    assert "is planned for 10 customers and takes" in missing(house)["experiment"]
    house.data["experiments"][0]["planned"] = 5000
    house.edit()
    moved(house, "approvals")

    # somebody else approves, and what is due is done
    house.edit(tasks=[{"name": "Write the texts", "owner": "Bo", "due": day(-2)}, {"name": "Party", "due": day(9)}])
    assert {*missing(house)} == {"someone_elses_approval", "tasks"}
    with house.hub as hub:
        with pytest.raises(BadRequest, match="owns 'spring'"):
            hub.approve_campaign("spring", "ana  müller")
        assert hub.approve_campaign("spring", "Cy")
        assert not hub.approve_campaign("spring", "cy")
        assert hub.do_task("spring", "Write the texts", "Bo")
        assert not hub.do_task("spring", "Write the texts", "Bo")
    assert missing(house) == {"someone_elses_approval": "Cy approved it and moves it as well"}
    house.edit(brief="Something else than what was approved")
    assert missing(house, "Bo") == {"someone_elses_approval": "it changed since Cy approved it"}
    with house.hub as hub:
        [told] = hub.campaign("spring").approvals
        assert (told.by, told.stands) == ("Cy", False)
        assert "it changed since Cy approved it" in hub.campaign("spring").row.alerts
        assert hub.approve_campaign("spring", "Cy", "read it again")
    house.server.kill()
    house.server.start()
    moved(house, "live", "Bo")

    # what came of it
    assert missing(house) == {"evaluated": "experiment `bold_test` was never started"}
    with house.hub as hub:
        hub.start_experiment("bold_test", "Ana Müller")
        for k in range(60):
            answer = hub.decide(f"c{k}", placement="app.home")
            if answer.actions:
                hub.respond(str(answer.decision_id), "hello", "impression")
                if k % 3:
                    hub.ingest({"type": "track", "userId": f"c{k}", "event": "Order Completed"})
    assert missing(house) == {"evaluated": "experiment `bold_test` is still under way"}
    with house.hub as hub:
        hub.decide_experiment("bold_test", "Bo", reason="enough")
        shown = hub.campaign("spring", costs=True)
        assert shown.costs is not None
        assert (shown.costs.contacts, shown.costs.contact_cost) == (60, 30.0)
        assert "first_decision" in shown.stamps
    moved(house, "evaluated")
    assert missing(house) == {"learned": "it has no `learned`"}
    house.edit(learned="Bold is no bolder")
    moved(house, "learned")
    with house.hub as hub:
        with pytest.raises(BadRequest, match="last stage"):
            hub.move_campaign("spring", "Bo")
        with pytest.raises(BadRequest, match="say why it goes back"):
            hub.move_campaign("spring", "Bo", "build")
        assert hub.move_campaign("spring", "Bo", "build", "once more").moved
        moves = [line.text for line in hub.campaign_history("spring") if line.what == "stage"]
        assert moves == ["moved to " + stage for stage in (
            "idea", "brief", "hypothesis", "build", "approvals", "live", "evaluated", "learned", "build: once more")]


def test_money_is_never_lost_and_counts_once(house: House) -> None:
    def send(part: int) -> None:
        with house.hub as hub:
            for _ in range(2):
                mine = [MoneyEntry("spring", f"e{part}.{k}", 1, "committed", "print") for k in range(20)]
                hub.enter_money([*mine, MoneyEntry("spring", f"same{part % 2}", 7, line="print")], "Bo")

    with house.hub as hub:
        before = hub.campaign("spring").row
    threads = [threading.Thread(target=send, args=(part,)) for part in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    house.server.kill()
    house.server.start()
    with house.hub as hub:
        shown = hub.campaign("spring")
        [line] = [line for line in shown.lines if line.line == "print"]
        assert (line.planned, line.committed, line.spent) == (None, 120, 14)
        assert (shown.row.committed - before.committed, shown.row.spent - before.spent) == (120, 14)
        with pytest.raises(BadRequest, match=r"entry 2: .*no entry for 'sprung'; did you mean .spring"):
            hub.enter_money([MoneyEntry("spring", "x", 1), MoneyEntry("sprung", "y", 1)], "Bo")
        assert "x" not in {one.entry for one in hub.campaign("spring").entries}
        news = hub.enter_money([MoneyEntry("spring", "same0", 7, line="print")], "Cy")
        assert (news.news, news.known) == (0, 1)


def test_what_makes_no_sense_is_told(house: House) -> None:
    with house.hub as hub:
        with pytest.raises(NotFound, match="no campaign 'sprang'"):
            hub.campaign("sprang")
        with pytest.raises(BadRequest, match="template"):
            hub.move_campaign("season", "Bo")
        with pytest.raises(BadRequest, match="did you mean `Write the texts`"):
            hub.do_task("spring", "Write the text", "Bo")
        with pytest.raises(BadRequest, match="lies ahead"):
            hub.enter_money([MoneyEntry("spring", "n", 1, at=day(3))], "Bo")
        with pytest.raises(BadRequest, match="is no week"):
            hub.campaign_calendar("2026-W60")
        with pytest.raises(BadRequest, match="weeks is 1000"):
            hub.campaign_clashes(weeks=1000)
        with pytest.raises(BadRequest, match="ISO 8601"):
            hub.campaigns("yesterday")
        assert [row.name for row in hub.campaigns("9999-12-31")] == [row.name for row in hub.campaigns()]
        with pytest.raises(BadRequest) as far:
            hub.move_campaign("spring", "Bo", "x" * 100_000)
        assert len(str(far.value)) < 300
        with pytest.raises(BadRequest, match="hours is 1e"):
            hub.enter_hours("spring", 1e300, "Bo")
    key = house.server.key("server", name="reader")
    with Client(house.server.address, key) as reader:
        assert reader.campaign("spring").row.name == "spring"
        with pytest.raises(Refused):
            reader.approve_campaign("spring", "Bo")


@pytest.mark.parametrize("body", [
    {}, [], 7, {"by": 7}, {"by": "Bo", "entries": 1}, {"by": "Bo", "entries": [{}]},
    {"by": "Bo", "entries": [{"campaign": "spring", "entry": "\ud800", "amount": 1}]},
    {"by": "Bo", "entries": [{"campaign": "spring", "entry": "x" * 600, "amount": 1}]},
    {"by": "Bo", "entries": [{"campaign": "spring", "entry": "", "amount": 1}]},
    {"by": "Bo", "entries": [{"campaign": "spring", "entry": "e", "amount": 1e16}]},
    {"by": "Bo", "entries": [{"campaign": "spring", "entry": "e", "amount": "1"}]},
    {"by": "Bo", "entries": [{"campaign": "spring", "entry": "e", "amount": 1, "kind": "stolen"}]},
    {"by": "Bo", "entries": [{"campaign": "spring", "entry": "e", "amount": 1, "note": "x" * 5000}]},
    {"by": "Bo", "entries": [{"campaign": "spring", "entry": "e", "amount": 1, "at": "2026-13-01"}]},
    {"by": "Bo", "entries": [{"campaign": "spring", "entry": "e", "amount": 1, "at": "9999-12-31"}]},
    {"by": "Bo", "entries": [{"campaign": "spring", "entry": "e", "amount": 1, "at": "0001-01-01"}]},
])  # fmt: skip
def test_no_body_brings_it_down(house: House, body: Any) -> None:
    answer = httpx.post(f"{house.server.address}/v1/campaign-money", content=json.dumps(body),
                        headers={"Authorization": f"Bearer {house.server.admin}"})  # fmt: skip
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["detail"]


def test_the_command_line_says_the_same(house: House, tmp_path: Path) -> None:
    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["campaign", *words, "--dir", str(house.server.folder)])
        assert done.exit_code == code, done.output + repr(done.exception)
        return done.output

    assert "spring (Ana Müller)" in run("list")
    assert json.loads(run("list", "--json"))["campaigns"][1]["name"] == "spring"
    assert "missing for approvals" in run("show", "spring")
    file = tmp_path / "costs.csv"
    rows = ["campaign;amount;line;note", *["spring;12.5;tv;Erste Rate"] * 2, ";3;tv;"]
    file.write_text("\n".join(rows), "utf-8")
    assert run("spend", "spring", "--file", str(file), "--by", "Bo") == "3 entered; 0 were known as they are.\n"
    assert run("spend", "spring", "--file", str(file), "--by", "Bo") == "0 entered; 3 were known as they are.\n"
    with house.hub as hub:
        assert [line.spent for line in hub.campaign("spring").lines if line.line == "tv"] == [28.0]
    file.write_text("campaign,amount\nspring,12\nspring,much\n,1\n", "utf-8")
    done = CliRunner().invoke(app, ["campaign", "spend", "--file", str(file), "--by", "Bo", "--dir",
                                    str(house.server.folder)])  # fmt: skip
    assert isinstance(done.exception, BadInput) or done.exit_code == 2
    told = str(done.exception) + done.output
    assert "costs.csv:3: amount is 'much'" in told
    assert "costs.csv:4: no campaign" in told
    good = [f"spring,{k},1,tv" for k in range(502)]
    for last in ("sprung,x,1,tv", "spring,x,1e16,tv"):  # only the hub knows these, and it gets them in parts
        file.write_text("\n".join(["campaign,entry,amount,line", *good, last]), "utf-8")
        done = CliRunner().invoke(app, ["campaign", "spend", "--file", str(file), "--by", "Bo", "--dir",
                                        str(house.server.folder)])  # fmt: skip
        told = str(done.exception) + done.output
        assert "costs.csv:504: " in told
        assert "entry 3" not in told
        assert "the 500 before line 502 are entered" in told
    assert run("spend", "spring", "-500", "--entry", "credit", "--by", "Bo") == "1 entered; 0 were known as they are.\n"
    for words in (("spend", "spring", "nan", "--entry", "n"), ("hours", "spring", "inf")):
        done = CliRunner().invoke(app, ["campaign", *words, "--by", "Bo", "--dir", str(house.server.folder)])
        assert "give a finite number" in str(done.exception) + done.output
    assert "missing" not in run("show", "spring", "--at", "2026-01-01"), "its checks were not asked for"
    assert run("hours", "spring", "2.5", "--by", "Bo", "--entry", "monday") == "2.5 hours by Bo.\n"
    assert "known as they are" in run("hours", "spring", "2.5", "--by", "Bo", "--entry", "monday")
    assert "Write the texts: open" in run("task", "spring", "Write the texts", "--by", "Bo", "--undo")
    content = next(line.split()[1] for line in run("show", "spring").splitlines() if line.startswith("  content: "))
    assert run("approve", "spring", "--by", "Bo", "--content", content) == "Bo approved spring as it is.\n"
    old = CliRunner().invoke(app, ["campaign", "approve", "spring", "--by", "Cy", "--content", "0" * 16, "--dir",
                                   str(house.server.folder)])  # fmt: skip
    assert "changed since it was read" in str(old.exception) + old.output
    run("move", "spring", "--by", "Cy", "--to", "idea", "--reason", "again")
    assert "spring: idea -> brief" in run("move", "spring", "--by", "Cy")
    assert "moved to idea: again (Cy)" in run("history", "spring")
    assert "Party" in run("calendar", "--weeks", "3")
    assert run("clashes", "--customers", "50") == "No campaigns clash in these weeks.\n"
    assert "campaign_summer.yaml" in run("clone", "season", "summer", "--starts", "2027-06-01")
    assert "campaign_winter.yaml" in run("new", "winter", "--owner", "Bo")
    with house.hub as hub:
        hub.publish()
        rows = {row.name: row for row in hub.campaigns()}
        assert (rows["summer"].stage, rows["winter"].owner, rows["summer"].starts) == (
            "idea", "Bo", datetime(2027, 6, 1, tzinfo=UTC))  # fmt: skip
        assert [str(task.due)[:10] for task in hub.campaign("summer").tasks] == ["2027-05-23"]
