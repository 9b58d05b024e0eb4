"""The live demo as people run it: a real process, its own HTTP door, a terminal or a pipe, Ctrl-C, and another day."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from rich.console import Console

from opportune.catalog.project import write_project
from opportune.cli.options import chosen
from opportune.clock import DAY, SystemClock
from opportune.demo.customers import Notice
from opportune.demo.place import Place, State
from opportune.demo.run import warm_up
from opportune.demo.screen import Scene
from opportune.hub import Hub
from opportune.simulate.company import Company
from opportune.simulate.tally import Arm, mean
from opportune.measure.summary import rate

OPPORTUNE = str(Path(sys.executable).parent / "opportune")
QUICK = "--customers", "40", "--pace", "20"
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "company"


@pytest.fixture(scope="module")
def first(folder: Path) -> Terminal:
    """The first start, in a terminal, ended by Ctrl-C while the live view is shown."""
    terminal = Terminal("demo", "--dir", str(folder), *QUICK)
    terminal.until("who gets what")
    hub_file = json.loads((folder / ".opportune" / "hub.json").read_text())
    headers = {"Authorization": f"Bearer {hub_file['token']}"}
    before = httpx.get(f"{hub_file['address']}/v1/status", headers=headers, trust_env=False).json()
    terminal.until("events/s   1")  # wait for the rates
    deadline = time.monotonic() + WITHIN
    while httpx.get(f"{hub_file['address']}/v1/status", headers=headers, trust_env=False).json()["events"] <= before["events"]:
        assert time.monotonic() < deadline, "nothing happens"
    assert before["streams"] == 1
    return terminal
