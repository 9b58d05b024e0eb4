"""The console of the demo: a process of its own, whose link lets in whoever runs the demo with one click."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND = "from opportune.cli import main; main()"


@contextmanager
def console(folder: Path, store: str, port: int) -> Iterator[Callable[[], str]]:
    """Run the console of a hub that serves while the block runs.

    Yields what waits until it listens, and returns the link that lets in; "" if it could not begin.
    """
    words = ("console", "--dir", str(folder), "--store", store, "--port", str(port), "--guest", "--json")
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    told = process.stdout

    def link() -> str:
        line = told.readline()
        found = json.loads(line) if line else {}
        return str(found.get("link") or found.get("address", ""))

    try:
        yield link
    finally:
        process.stdin.close()  # which ends it
        told.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
