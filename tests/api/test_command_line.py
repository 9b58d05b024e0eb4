"""The command line beside a running hub: it uses that hub, and every command does what it does without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from serving import Server

OPPORTUNE = Path(sys.executable).with_name("opportune")
HERO = "app.home.hero"


def run(*words: object, code: int = 0) -> Any:
    """Return what a command prints as JSON, or its errors if it should fail."""
    done = subprocess.run([str(OPPORTUNE), *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    return done.stderr if code else json.loads(done.stdout) if "--json" in words else done.stdout


def play(folder: Path) -> dict[str, Any]:
    """Go through the commands and return what is the same however they reach the hub."""
    where = ("--dir", folder, "--json")
    imported = run("import", folder / "stories" / "lunch_break.jsonl", *where)
    again = run("import", folder / "stories" / "lunch_break.jsonl", *where)
    made = run("decide", "maya", "--placement", HERO, "--commit", "--explain", *where)
    for offer in made["actions"]:
        run("respond", made["decisionId"], offer["action"], "impression", *where)
    explained = run("explain", made["decisionId"], *where)
    lost = sorted(x["action"] for x in explained["explanation"]["lost"])
    key = run("key", "new", "server", "--name", "app", "--dir", folder).strip()
    profile = run("profile", "maya", *where)
    model = run("model", *where)
    told = {
        "imported": imported,
        "again": again,
        "replayed": explained["replayed"],
        "lost": lost,
        "situations": profile["situations"],
        "turns": [(t["situation"], t["entered"]) for t in profile["turns"]],
        "values": {k: v for k, v in profile["values"].items() if not k.startswith("days_since")},
        "answers": model["answers"],
        "key": key[:4],
        "keys": [(k["kind"], k["name"]) for k in run("key", "list", *where)["keys"]],
        "rejected": run("rejected", *where),
        "retried": run("rejected", "--replay", *where),
        "rebuilt": run("rebuild", *where)["answers"],
        "diff": run("diff", *where),
        "published": run("publish", *where)["published"],
        "forgotten": run("forget", "maya", "--yes", *where),
    }
    assert "there is no customer" in run("profile", "maya", "--dir", folder, code=2)
    assert "there is no placement" in run("decide", "zoe", "--placement", "app.home", "--dir", folder, code=2)
    assert "did you mean" in run("key", "new", "sever", "--dir", folder, code=2)
    return told


def test_with_and_without_a_running_hub_commands_do_the_same(tmp_path: Path) -> None:
    with Server(tmp_path / "served" / "shop") as server:
        served = play(server.folder)
    run("init", tmp_path / "alone")
    alone = play(tmp_path / "alone")
    assert served == alone
    assert served["imported"]["taken"] == 15 or served["imported"]["taken"] > 10
    assert served["again"]["taken"] == 0
    assert served["replayed"]


def test_hub_json_is_for_its_owner_and_goes_with_the_hub(tmp_path: Path) -> None:
    server = Server(tmp_path / "shop")
    file = server.folder / ".opportune" / "hub.json"
    with server:
        assert file.stat().st_mode & 0o777 == 0o600
        assert {"address", "token"} <= set(json.loads(file.read_text()))
        second = run("serve", server.folder, "--port", "0", code=1)
        assert server.address in second
    assert not file.exists()
    server.start()
    server.kill()
    assert file.exists(), "a hub that was killed leaves it behind"
    assert run("profile", "maya", "--dir", server.folder, code=2), "and the command opens the store itself"


def test_files_go_live_by_publish_and_by_sighup_all_or_nothing(tmp_path: Path) -> None:
    with Server(tmp_path / "shop") as server:
        policies = server.folder / "policies.yaml"
        good = policies.read_text()
        policies.write_text(good.replace("at_most: 20, in: 1d", "at_most: 19, in: 1d"))
        changed = run("diff", "--dir", server.folder, "--json")["changes"]
        assert [c["kind"] for c in changed] == ["changed"]
        assert run("publish", "--dir", server.folder, "--json")["published"]
        policies.write_text(good.replace("at_most: 20", "at_most: none"))
        assert "policies.yaml:7" in run("publish", "--dir", server.folder, code=2)
        policies.write_text(good)
        pid = server.pid
        assert pid
        os.kill(pid, signal.SIGHUP)
        deadline = time.monotonic() + 20
        while "files taken live" not in server.log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert not run("diff", "--dir", server.folder, "--json")["changes"]


def test_a_backup_while_serving_comes_back(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with Server(tmp_path / "shop") as server:
        run("import", server.folder / "stories" / "lunch_break.jsonl", "--dir", server.folder)
        before = run("profile", "maya", "--dir", server.folder, "--json")["turns"]
        run("backup", copy, "--dir", server.folder)
        run("forget", "maya", "--yes", "--dir", server.folder)
        refused = run("restore", copy, "--force", "--dir", server.folder, code=1)
        assert "hub.db" in refused
    run("restore", copy, "--force", "--dir", server.folder)
    assert run("profile", "maya", "--dir", server.folder, "--json")["turns"] == before


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    run("init", tmp_path / "shop")
    assert run("serve", tmp_path / "shop", "--port", port, code=2)
