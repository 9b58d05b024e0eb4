"""The command as people and scripts use it: what is on stdout, what on stderr, and the exit code."""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opportune.cli import main
from opportune.clock import DAY, MINUTE, SystemClock, format_instant

HERO = "app.home.hero"
OPPORTUNE = str(Path(sys.executable).parent / "opportune")


@dataclass
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout, and nothing else."""
        assert self.out.count("\n") == 1
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


Run = Callable[..., Said]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process."""

    def command(*words: object) -> Said:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["opportune", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return command


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one customer, made once by the real command."""
    folder = tmp_path_factory.mktemp("cli") / "shop"
    real("init", folder)
    events = folder.parent / "maya.jsonl"
    events.write_text("\n".join(map(json.dumps, maya())))
    real("import", events, "--dir", folder)
    return folder


@pytest.fixture
def shop(pattern: Path, tmp_path: Path) -> Path:
    """A copy of that project."""
    return Path(shutil.copytree(pattern, tmp_path / "shop"))


def real(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    found = subprocess.run([OPPORTUNE, *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == code, found.stderr
    return found


def maya() -> list[dict[str, Any]]:
    """Two looks at the way out, a quarter of an hour ago."""
    now = SystemClock().now()
    looks = [format_instant(now - minutes * MINUTE) for minutes in (20, 16, 12)]
    page = {"type": "page", "userId": "maya", "name": "cancel"}
    traits = {"tenure_months": 26, "plan": "silver", "lines": 2, "has_tv": True, "complaints_open": 0}
    order = {"type": "track", "event": "Order Completed", "properties": {"revenue": 80}}
    return [
        {"type": "identify", "userId": "maya", "messageId": "1", "traits": traits},
        {**order, "userId": "maya", "messageId": "2", "timestamp": format_instant(now - 40 * DAY)},
        *({**page, "messageId": f"page {at}", "timestamp": at} for at in looks),
    ]


def test_init_writes_a_project_without_a_mistake(run: Run, tmp_path: Path) -> None:
    made = run("init", tmp_path / "new", "--json")
    assert made.code == 0
    assert all(Path(name).is_file() for name in made.json["files"])
    assert run("check", tmp_path / "new", "--json").json == {"ok": True, "problems": []}
    assert "No mistakes" in run("check", tmp_path / "new").out
    again = run("init", tmp_path / "new")
    assert again.code == 2
    assert again.out == ""
    assert "already has" in again.err


def test_check_reports_every_mistake_with_its_place(run: Run, shop: Path) -> None:
    path = shop / "actions_retain.yaml"
    lines = path.read_text().splitlines()
    row = next(i for i, line in enumerate(lines) if "eligible: tenure_months >= 6" in line)
    lines[row] = lines[row].replace("tenure_months", "tenur_months")
    other = next(i for i, line in enumerate(lines) if line.strip().startswith("value: 90"))
    lines[other] += "\n    lever: 900"
    path.write_text("\n".join(lines))
    found = run("check", shop)
    assert found.code == 2
    places = re.findall(r"^(\S+?):(\d+):(\d+): (.*)$", found.out, re.M)
    assert len(places) == 2
    assert all(Path(p[0]).name == path.name for p in places)
    assert int(places[0][1]) == row + 1
    assert lines[row][int(places[0][2]) - 1 :].startswith("tenur_months")
    assert "did you mean" in places[0][3]
    data = run("check", shop, "--json")
    assert data.code == 2
    assert [(p["line"], p["column"]) for p in data.json["problems"]] == [(int(p[1]), int(p[2])) for p in places]
    for command in (["publish"], ["diff"]):
        refused = run(*command, "--dir", shop)
        assert refused.code == 2
        assert refused.out == ""
        assert f":{row + 1}:" in refused.err


def test_check_of_nothing_is_bad_input(run: Run, tmp_path: Path) -> None:
    found = run("check", tmp_path)
    assert found.code == 2
    assert found.out == ""
    assert found.err


def test_decide_respond_explain(run: Run, shop: Path) -> None:
    peek = run("decide", "maya", "--placement", HERO, "--dir", shop, "--json").json
    assert peek["decisionId"] is None
    assert peek["actions"][0]["issue"] == "retain"
    told = run("decide", "maya", "--placement", HERO, "--dir", shop, "--explain", "--commit", "--json").json
    decision, action = told["decisionId"], told["actions"][0]["action"]
    assert {x["action"] for x in told["explanation"]["lost"]} >= {"more_data", "tv_pack"}
    assert run("respond", decision, action, "accept", "--dir", shop, "--json").json == {"news": True}
    assert run("respond", decision, action, "accept", "--dir", shop, "--json").json == {"news": False}
    assert run("respond", decision, action, "acept", "--dir", shop).code == 2
    assert run("explain", decision, "--dir", shop, "--json").json["replayed"]
    why = run("explain", decision, "--action", "more_data", "--dir", shop, "--json").json
    assert why["stage"] == "situation"
    text = run("explain", decision, "--dir", shop).out
    assert f"/{action} won in {HERO}" in text
    assert "the same to the bit" in text
    words = run("decide", "maya", "--placement", HERO, "--dir", shop)
    assert re.match(r"app\.home\.hero 1\. retain/\w+/\w+ \(hero\): priority [\d.]+ = P [\d.]+ x C 1 x V", words.out)
    assert "leaving" in run("profile", "maya", "--dir", shop).out


CARRIES = """\
currency: EUR
time_zone: UTC
placements: [{name: app.home, channel: app}]
coupons: [{name: spring, value: 10, budget: 300, valid: 30d}]
shelf: {explore: 0}
actions:
- {name: save, issue: grow, group: any, campaign: c, owner: ana, benefit: b, treatments: [
    {name: card, channel: app, placements: [app.*], coupon: spring, content: {title: Hi}, items: {n: 2}}]}
"""


def test_decide_tells_of_the_items_and_the_code_that_an_action_carries(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(CARRIES, "utf-8")
    (tmp_path / "items.csv").write_text("id,title\na,Dracula\nb,Emma\nc,Carmilla\n", "utf-8")
    assert run("items", "import", tmp_path / "items.csv", "--dir", tmp_path).code == 0
    peek = run("decide", "maya", "--placement", "app.home", "--dir", tmp_path).out.splitlines()
    assert peek[0].startswith("app.home 1. grow/any/save (card)")
    assert all(re.fullmatch(r"    item [abc]: .+", line) for line in peek[1:3])
    assert peek[3].startswith("    coupon spring: ")
    made = run("decide", "maya", "--placement", "app.home", "--dir", tmp_path, "--commit").out
    assert re.search(r"\n    coupon spring: \S+, good until \d{4}-\d\d-\d\d \d\d:\d\d UTC\nDecision ", made)


def test_one_mistake_is_one_mistake(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(CARRIES.replace("coupon: spring", "coupon: sprung"), "utf-8")
    assert run("check", tmp_path).out.splitlines()[-1] == "1 mistake, 0 warnings"


def test_a_context_must_be_declared(run: Run, shop: Path) -> None:
    assert run("decide", "maya", "--context", "device=phone", "--dir", shop, "--json").code == 0
    refused = run("decide", "maya", "--context", "weather=rain", "--dir", shop, "--json")
    assert (refused.code, refused.out) == (2, "")
    assert "device" in refused.err


def test_rebuild_learns_the_same_again(run: Run, shop: Path) -> None:
    told = run("decide", "maya", "--placement", HERO, "--dir", shop, "--commit", "--json").json
    run("respond", told["decisionId"], told["actions"][0]["action"], "accept", "--dir", shop)
    first = run("rebuild", "--dir", shop, "--reason", "to see", "--json").json
    assert first["answers"] == 1
    assert run("rebuild", "--dir", shop, "--json").json == first


def test_import_of_jsonl_counts_nothing_twice_and_shows_what_was_refused(run: Run, shop: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    good = [{"type": "track", "userId": f"u{i}", "event": "Data Used", "messageId": f"m{i}"} for i in range(30)]
    path.write_text("\n".join([*map(json.dumps, good), "{broken", json.dumps({"type": "track", "userId": "u1"})]))
    found = run("import", path, "--dir", shop, "--json").json
    assert found == {"done": 1, "rows": 32, "taken": 30, "duplicates": 0, "rejected": 2, "resumedFrom": 0}
    assert run("import", path, "--dir", shop, "--json").json["resumedFrom"] == 32
    again = tmp_path / "again.jsonl"
    again.write_text("\n".join(map(json.dumps, reversed(good))))
    assert run("import", again, "--dir", shop, "--json").json["duplicates"] == 30
    kept = run("rejected", "--dir", shop, "--json").json["rejected"]
    assert {k["reason"] for k in kept} == {"unreadable", "no_event"}
    assert "no_event" in run("rejected", "--dir", shop).out
    assert run("rejected", "--replay", "--dir", shop, "--json").json == {"taken": 0, "left": 2}
    each = run("rejected", "--each", "--dir", shop, "--json").json["events"]
    assert [one["id"] for one in each] == [one["id"] for one in kept]
    assert each[0]["cure"] in run("rejected", "--each", "--reason", each[0]["reason"], "--dir", shop).out
    gone = run("rejected", "--discard", "a test", "--yes", "--id", each[0]["id"], "--dir", shop, "--json")
    assert gone.json["count"] == 1
    assert [one["id"] for one in run("rejected", "--dir", shop, "--json").json["rejected"]] == [each[1]["id"]]


def test_import_of_csv_with_a_mapping(run: Run, shop: Path, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("customer,amount,day\nzoe,12.50,2026-01-02\nzoe,7,2026-01-03\nadam,30,2026-01-04\n")
    unmapped = run("import", path, "--dir", shop)
    assert unmapped.code == 2
    assert "--map userId=" in unmapped.err
    pairs = "userId=customer", "event='Order Completed'", "properties.revenue=amount", "timestamp=day"
    mapping = [word for pair in pairs for word in ("--map", pair)]
    found = run("import", path, *mapping, "--dir", shop)
    assert found.code == 0
    assert found.out.startswith("3 events taken")
    assert found.err == "", "no bar without a terminal"
    assert run("profile", "zoe", "--dir", shop, "--json").json["values"]["last_product"] is None
    assert run("profile", "zoe", "--dir", shop, "--json").json["values"]["days_since_order"] > 0
    typo = run("import", path, "--map", "userId=custmer", "--dir", shop)
    assert typo.code == 2
    assert "did you mean customer" in typo.err
    missing = run("import", tmp_path / "none.csv", "--dir", shop)
    assert missing.code == 2
    assert "none.csv" in missing.err


def test_forget_takes_a_customer_out(run: Run, shop: Path) -> None:
    assert run("forget", "maya", "--dir", shop, "--json").code == 2, "it does not ask, so it wants --yes"
    assert run("profile", "maya", "--dir", shop).code == 0
    assert run("forget", "maya", "--yes", "--dir", shop, "--json").json == {"forgotten": "maya"}
    gone = run("profile", "maya", "--dir", shop)
    assert gone.code == 2
    assert "'maya'" in gone.err
    assert run("forget", "maya", "--yes", "--dir", shop).code == 2


def test_diff_and_publish(run: Run, shop: Path) -> None:
    assert run("diff", "--dir", shop, "--json").json == {"changes": [], "customers": 0, "changed": 0}
    assert run("publish", "--dir", shop, "--json").json["published"] is False
    for path in shop.glob("actions_retain.yaml"):
        path.write_text(path.read_text().replace("cancel_page_views_1d >= 2", "cancel_page_views_1d >= 9"))
    changed = run("diff", "--dir", shop, "--json").json
    assert {c["path"] for c in changed["changes"]} >= {"actions.keep_price.applicable"}
    assert (changed["customers"], changed["changed"]) == (1, 1)
    assert "1 of 1 customers asked about" in run("diff", "--dir", shop).out
    assert run("decide", "maya", "--placement", HERO, "--dir", shop, "--json").json["actions"], "not live yet"
    assert run("publish", "--dir", shop, "--author", "ana", "--json").json["published"] is True
    assert not run("decide", "maya", "--placement", HERO, "--dir", shop, "--json").json["actions"]
    assert run("diff", "--dir", shop).out == "Nothing would change.\n"


def test_what_is_not_there_is_named(run: Run, shop: Path) -> None:
    for words in (["explain", "NODECISION"], ["profile", "nobody"], ["decide", "maya", "--placement", "app.hom"]):
        found = run(*words, "--dir", shop, "--json")
        assert (found.code, found.out) == (2, "")
        assert words[-1] in found.err
    assert run("nonsense").code == 2


def test_every_command_has_help_with_an_example(run: Run) -> None:
    listed = re.findall(r"^  ([a-z]+) ", run("--help").out.partition("Start:")[2], re.M)
    assert {"demo", "init", "check", "import", "decide", "respond", "rebuild", "forget", "publish"} <= {*listed}
    groups = [name for name in listed if "COMMAND [ARGS]" in run(name, "--help").out]
    told = {name: run(name, "--help").out.partition("Commands:")[2] for name in groups}
    inner = {name: re.findall(r"^  ([a-z]+) ", text, re.M) for name, text in told.items()}
    assert inner["key"] == ["new", "list", "revoke", "rotate"]
    assert {"status", "list", "send", "letters", "again", "sent", "pause", "resume"} == {*inner["outbox"]}
    names = [*({*listed} - {*groups}), *(f"{group} {one}" for group in groups for one in inner[group])]
    for name in names:
        told = run(*name.split(), "--help")
        assert told.code == 0
        if "COMMAND [ARGS]" in told.out:
            below = re.findall(r"^  ([a-z]+) ", told.out.partition("Commands:")[2], re.M)
            names += [f"{name} {one}" for one in below]
            continue
        example = told.out.split("Example:")[1]
        assert f"opportune {name}" in example or f"opportune {name.removesuffix(' new')}" in example, name
        assert "--json" in told.out, name
        assert "--dir" in told.out or name == "bench", name


def test_help_is_quick() -> None:
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        real("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(5)) < 0.3


@pytest.mark.parametrize("module", ["opportune", "opportune.cli", "opportune.errors", "opportune.clock"])
def test_imports_are_light(module: str) -> None:
    heavy = {"numpy", "numba", "duckdb", "sqlglot", "scipy", "yaml", "pandas"}
    code = f"import sys, {module}; print(*{heavy} & {{*sys.modules}})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_a_backup_restores_what_it_saw(run: Run, shop: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    before = run("profile", "maya", "--dir", shop, "--json").json
    assert run("backup", copy, "--dir", shop).code == 0
    assert run("forget", "maya", "--yes", "--dir", shop).code == 0
    assert run("profile", "maya", "--dir", shop).code == 2
    assert run("restore", copy, "--dir", shop).code == 2, "a store is there"
    assert run("restore", tmp_path / "none.db", "--dir", shop).code == 2
    (tmp_path / "junk.db").write_text("junk")
    assert run("restore", tmp_path / "junk.db", "--force", "--dir", shop).code != 0
    assert run("profile", "maya", "--dir", shop).code == 2, "junk replaced nothing"
    assert run("restore", copy, "--force", "--dir", shop).code == 0
    assert run("profile", "maya", "--dir", shop, "--json").json == before
