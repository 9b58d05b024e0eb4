"""The live demo as people run it: a real process, its own HTTP door, a terminal or a pipe, Ctrl-C, and another day."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import httpx
import msgspec
import pytest
from rich.console import Console

from opportune.catalog import load
from opportune.catalog.project import write_project
from opportune.cli import demo as command
from opportune.client import Client
from opportune.clock import DAY, HOUR, SystemClock
from opportune.demo.customers import Notice
from opportune.demo.place import Place, State, Told
from opportune.demo.run import warm_up
from opportune.demo.screen import Scene
from opportune.demo.story import recent
from opportune.errors import BadInput
from opportune.events import codec
from opportune.events.types import DecisionMade
from opportune.hub import Hub
from opportune.measure.summary import rate
from opportune.simulate.company import Company
from opportune.simulate.tally import Arm, mean

OPPORTUNE = str(Path(sys.executable).parent / "opportune")
QUICK = "--customers", "40", "--pace", "10"
WITHIN = 60.0
"""Seconds that anything may take on a machine that is busy."""


class Terminal:
    """The command in a terminal of 100 x 30, and everything that it wrote there."""

    def __init__(self, *words: str) -> None:
        self._here, there = pty.openpty()
        size = {"COLUMNS": "100", "LINES": "30", "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            [OPPORTUNE, *words], stdin=there, stdout=there, stderr=there, env={**os.environ, **size},
            start_new_session=True, preexec_fn=lambda: _own(there),
        )  # fmt: skip
        os.close(there)
        self.wrote = ""

    @property
    def text(self) -> str:
        """What was written, without colors and movements of the cursor."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.wrote).replace("\r\n", "\n")

    def until(self, words: str) -> None:
        """Read until the words were written."""
        deadline = time.monotonic() + WITHIN
        while words not in self.text:
            assert time.monotonic() < deadline, f"{words!r} was not written:\n{self.text}"
            assert self._read(), f"it ended without {words!r}:\n{self.text}"

    def interrupt(self) -> int:
        """Type Ctrl-C, read to the end, and return the exit code."""
        os.write(self._here, b"\x03")
        while self._read():
            pass
        os.close(self._here)
        return self.process.wait(WITHIN)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._here], [], [], WITHIN)
        assert ready, f"it says nothing:\n{self.text}"
        try:
            data = os.read(self._here, 65536)
        except OSError:  # the other end is closed
            return False
        self.wrote += data.decode("utf-8", "replace")
        return bool(data)


def _own(terminal: int) -> None:
    """Make a terminal the one whose Ctrl-C reaches this process."""
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def test_four_starts_of_one_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a terminal until Ctrl-C; as one JSON object; in lines; unwatched: each goes on where the last one stopped."""
    folder = tmp_path / "company"
    in_a_terminal(folder)
    stored = msgspec.json.decode((folder / ".opportune" / "demo.json").read_bytes(), type=State)
    goes_on(folder, stored)
    in_lines(folder)
    unwatched(folder, monkeypatch, capfd)


def in_a_terminal(folder: Path) -> None:
    terminal = Terminal("demo", "--dir", str(folder), *QUICK)
    terminal.until("who gets what")
    hub_file = folder / ".opportune" / "hub.json"
    told = json.loads(hub_file.read_text())
    with Client(told["address"], told["token"]) as client:
        before = client.status()
        assert before.streams == 1, "Maya's"
        deadline = time.monotonic() + WITHIN
        while client.status().events <= before.events:
            assert time.monotonic() < deadline, "nothing happens"
    link = re.findall(r"http://[\d.:]+/welcome/[\w-]+", terminal.text)[0]
    with httpx.Client(follow_redirects=True, timeout=WITHIN, trust_env=False) as clicked:
        page = clicked.get(link)
    assert (page.status_code, page.url.path) == (200, "/now"), "one click lets in"
    code = terminal.interrupt()
    assert code == 0, terminal.text
    with pytest.raises(httpx.ConnectError):
        httpx.get(link, trust_env=False)
    assert "Traceback" not in terminal.text
    assert terminal.wrote.rindex("\x1b[?1049l") < terminal.wrote.rindex("What it was worth"), "the screen is given back"
    assert "0 of them sales" in terminal.text[terminal.text.rindex("What it was worth") :]
    assert not hub_file.exists()
    the_story(terminal.text[terminal.text.index("lunch break") : terminal.text.index("The live view")])


def the_story(text: str) -> None:
    before, after = text.split("enters the situation leaving, because of page cancel (event ")
    assert before.count("page cancel") == 2
    issues = re.findall(r"→ (\w+)/", before)
    assert issues[-1] == "retain", "a wish to leave is heard at once"
    assert "retain" not in issues[:-1]
    assert "leaves the situation leaving, because of Order Completed (event " in after
    assert re.findall(r"→ (\w+)/?", after)[-1] not in ("retain", "silence"), "who has just bought is not to be kept"
    assert text.count("the open stream says it by itself") == 2


def goes_on(folder: Path, stored: State) -> None:
    found = run("demo", "--dir", folder, "--json", "--seconds", 4, "--pace", 10)
    assert found.stdout.count("\n") == 1
    told = json.loads(found.stdout)
    assert (told["starts"], stored.starts) == (2, 1)
    assert told["events"] > stored.figures.events
    assert told["decisions"] >= stored.figures.decisions
    assert told["refused"] == told["problem_sales"] == 0
    assert told["stored"]["rejected"] == 4, "visits to no store, on four days"
    assert told["story"] == json.loads(msgspec.json.encode(stored.story))
    assert told["replayed"] == [True] * 7
    with Hub.open(folder) as hub:
        kept = [codec.decode_event(hub.vault.open(key, data)) for _, key, data in hub.events.read()]
        story = 15
        lived = [one for one in kept if not one.message_id.startswith("shop-") and not one.source.startswith("hub/")]
        assert len(lived) == told["events"] + story
        assert len(kept) == told["stored"]["events"]
        assert len({event.message_id for event in kept}) == len(kept)
        joined = [event.user_id for event in kept if "region" in event.traits]
        assert len(set(joined)) == len(joined) == told["customers"]
        assert hub.brain.answers == told["stored"]["answers"]


def in_lines(folder: Path) -> None:
    words = OPPORTUNE, "demo", "--dir", str(folder), "--seconds", str(WITHIN), "--pace", "10"
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:

        def until(pattern: str) -> list[str]:
            assert process.stdout
            lines = [process.stdout.readline()]
            while not re.search(pattern, lines[-1]):
                lines.append(process.stdout.readline())
                assert lines[-1], f"it ended without {pattern}"
            return lines

        said = until("}'$")
        command = "".join(f"{line.rstrip()}   \n" for line in said[-2:])  # with the spaces that a terminal may copy
        pasted = subprocess.run(command, shell=True, capture_output=True, check=True, timeout=WITHIN)
        said += until(r"^\d\d:\d\d:\d\d . customer-\d+ ")
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=WITHIN)
    assert (process.returncode, errors) == (0, ""), "no bar without a terminal"
    answer, text = json.loads(pasted.stdout), "".join(said) + rest
    assert answer["customerId"] == "maya"
    assert answer["decisionId"]
    assert "\x1b" not in text
    assert "as the ledger has it, each answer decided again: the same to the bit" in text
    assert re.search(r"page cancel +→ retain/", text)
    explain = next(line for line in text.splitlines() if line.startswith(" opportune explain"))
    assert "more_data fell at situation" in run(*explain.split()[1:]).stdout


def unwatched(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "UNATTENDED", 1.0)
    command.demo(folder, port=None, seconds=None, pace=10, customers=40, seed=1)
    said = capfd.readouterr().out
    assert said.startswith("There is no terminal to watch it in: it lives for 1 seconds and tells of them.\n")
    *_, last = said.splitlines()
    cure = f"Watch it in one, or for longer: opportune demo --dir {folder} --seconds 600"
    assert last == f"It ended after 1 seconds, as there is no terminal. {cure}"


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """Return a command that has ended well and said nothing on stderr."""
    found = subprocess.run([OPPORTUNE, *map(str, words)], capture_output=True, text=True, timeout=WITHIN, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    return found


def test_a_request_to_end_in_the_first_days_is_heard(tmp_path: Path) -> None:
    words = OPPORTUNE, "demo", "--dir", str(tmp_path / "new"), "--customers", "300", "--json"
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + WITHIN
        while not (tmp_path / "new" / ".opportune" / "hub.db").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=WITHIN)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["starts"] == 0


def test_the_first_days_go_on_where_they_were_interrupted(tmp_path: Path) -> None:
    place, now = Place(tmp_path / "company"), SystemClock().now()
    state, stop = place.settle(seed=3, customers=30, days=2, now=now), Event()
    for _ in warm_up(place, state, stop):
        stop.set()
    assert state.warm == 1
    again = place.settle(seed=4, customers=50, days=9, now=now + DAY)
    assert msgspec.json.encode(again) == msgspec.json.encode(state), "what was begun goes on"
    done = list(warm_up(place, again, Event()))
    assert len(done) == 1
    assert again.warm == 0
    assert list(warm_up(place, again, Event())) == []
    with Hub.open(place.folder, place.url) as hub:
        assert hub.events.last() == again.figures.events > 100
        assert hub.clock.now() > hub.ledger.decision(_first_decision(hub))[0].at >= again.start


def _first_decision(hub: Hub) -> str:
    return next(fact.decision_id for _, fact in hub.ledger.read() if isinstance(fact, DecisionMade))


def test_a_company_goes_on_from_its_snapshot(tmp_path: Path) -> None:
    write_project(tmp_path / "shop")
    actions = load(tmp_path / "shop").actions

    def company() -> Company:
        return Company(7, actions, customers=20)

    whole, part = company(), company()
    half, end = whole.start + 2 * DAY, whole.start + 5 * DAY
    told = list(whole.advance(end))
    began = list(part.advance(half))
    went_on = company()
    went_on.restore(part.snapshot())
    assert [*began, *went_on.advance(end)] == told
    stepped = company()
    steps = []
    while stepped.due() <= end:
        steps += stepped.happen()
    assert [m["timestamp"] for m in steps] == [m["timestamp"] for m in told]


def test_another_day_has_another_lunch_break() -> None:
    told = [Told(at, "page home", "01", None, None, "", [], []) for at in (5 * DAY, 5 * DAY + 9)]
    assert recent(told, 6 * DAY) == told
    assert recent(told, 6 * DAY + 2 * HOUR) == recent([], 0) == []


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    write_project(tmp_path / "shop")
    with pytest.raises(BadInput, match="no folder of a demo"):
        Place(tmp_path / "shop").settle(1, 20, 1, SystemClock().now())
    assert not (tmp_path / "shop" / ".opportune").exists()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (160, 50)])
def test_the_live_view_fits_its_terminal(width: int, height: int) -> None:
    long = Notice("says", 0, "customer-00001", "email", "complaint_update", "P 12.5% x 110; " * 9, "Title [b]" * 9)
    turn = Notice("enters", 0, "customer-00002", "", "open_complaint", "Complaint Opened (event 12345)" * 3)
    arm = Arm(9_999, rate(1_234, 98_765), mean([1_000.0, 1.0]))
    scene = Scene(
        address="http://127.0.0.1:65535", key="ops_" + "x" * 32, currency="EUR", customers=12_345, events=1_234_567,
        decisions=1_234_567, per_second=(123.4, 12.3), streams=10, answered_ms=12.3,
        arms={"hub": arm, "random": arm, "holdout": arm}, problem_contacts=12_345, problem_sales=0,
        feed=[long] * 50, turns=[turn] * 50,
    )  # fmt: skip
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(scene, end="")
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().split("\n")
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    assert lines[-2].endswith(" -d '{")
    assert lines[-1].rstrip() == '  "userId": "maya", "placement": "app.home.hero"}\''
    assert sum("complaint_update" in line for line in lines) >= 6
    assert sum("open_complaint" in line for line in lines) >= 2
