"""One store, one process: the second refuses and says where the first one is; commands go there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from traffic import capped_shop

from serving import Server


def opportune(*words: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("opportune")), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_second_server_refuses_and_names_the_first(tmp_path: Path) -> None:
    with Server(capped_shop(tmp_path / "shop")) as server:
        told = opportune("serve", server.folder, "--port", 0)
        assert told.returncode in (1, 2)
        assert server.address in told.stderr
        assert str(server.pid) in told.stderr
        assert "Traceback" not in told.stderr
        assert server.call("GET", "/v1/status")["events"] == 0
        told_of = json.loads((server.folder / ".opportune" / "hub.json").read_text("utf-8"))
        assert told_of["pid"] == server.pid, "the second took the first one's name"


def test_every_command_asks_the_server_that_runs(tmp_path: Path) -> None:
    """Not one of them opens the store, which would be refused; what they do is there at once."""
    events = tmp_path / "events.jsonl"
    events.write_text('{"type": "track", "event": "Seen", "userId": "maya", "messageId": "1"}\n', "utf-8")
    with Server(capped_shop(tmp_path / "shop")) as server:
        commands = (
            ("import", events),
            ("decide", "maya", "--placement", "app.home", "--commit"),
            ("decide", "maya", "--placement", "app.home", "--explain"),
            ("profile", "maya"),
            ("rejected",),
            ("key", "new", "write"),
            ("key", "list"),
            ("publish",),
            ("diff",),
            ("rebuild",),
            ("backup", tmp_path / "copy.db"),
            ("forget", "maya", "--yes"),
        )
        for words in commands:
            told = opportune(*words, "--dir", server.folder, "--json")
            assert told.returncode == 0, f"{words}: {told.stderr}"
            json.loads(told.stdout)
        status = server.call("GET", "/v1/status")
        assert (status["events"], (tmp_path / "copy.db").exists()) == (1, True)
        assert len(server.call("GET", "/v1/keys")) == 1
        # the one that writes a store itself
        told = opportune("restore", tmp_path / "copy.db", "--force", "--dir", server.folder)
        assert told.returncode == 1
        assert str(server.pid) in told.stderr


class Stranger(BaseHTTPRequestHandler):
    """Somebody else's server, at the address where a hub was once."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("taken", [False, True], ids=["nobody answers", "somebody else answers"])
def test_what_a_killed_server_leaves_behind_is_no_obstacle(taken: bool, tmp_path: Path) -> None:
    with Server(capped_shop(tmp_path / "shop")) as server:
        server.call("POST", "/v1/decide", {"userId": "maya", "placement": "app.home"})
        server.kill()
        left = server.folder / ".opportune" / "hub.json"
        assert left.exists()
        stranger = HTTPServer(("127.0.0.1", 0), Stranger)
        told = json.loads(left.read_text("utf-8"))
        if taken:
            left.write_text(json.dumps({**told, "address": f"http://127.0.0.1:{stranger.server_port}"}), "utf-8")
            threading.Thread(target=stranger.serve_forever, daemon=True).start()
        answer = opportune("profile", "maya", "--dir", server.folder, "--json")
        if taken:
            stranger.shutdown()
        stranger.server_close()
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout)["customerId"] == "maya"
        server.start()
        assert json.loads(left.read_text("utf-8"))["pid"] == server.pid


def test_hub_json_is_for_its_owner_alone(tmp_path: Path) -> None:
    with Server(capped_shop(tmp_path / "shop")) as server:
        file = server.folder / ".opportune" / "hub.json"
        assert os.stat(file).st_mode & 0o777 == 0o600
    assert not file.exists()
