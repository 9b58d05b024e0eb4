"""The figures of the console: what it costs the decision path and the machine, and how soon it shows what happens.

    console_feed_rps, console_now_rps, console_50_rps    decisions a second while the feed has a reader, while a console
                                 shows Now, while 50 pages of all kinds are open; the peer is nobody watching, in rounds
                                 of the same run by turns, and `ratio` what is left
    console_..._p99_ms, console_..._cpu_us               99th percentile at full speed (spread: the median), and CPU of
                                 the hub a decision, beside the same peer
    event_to_screen_ms           from sending an event to the page of its customer, in a browser where playwright and
                                 chromium are there, else to the socket; median, spread: the quartiles and the 95th
                                 percentile
    console_rest_cores, console_busy_cores               CPU of the console with 50 pages of all kinds open: at
                                 rest, and with 20 events and 5 decisions a second; spread: that of the hub with nobody
                                 watching, and with them
    console_mib, console_threads, console_sockets        of its process with these pages; spread: before the first
    console_left_mib, console_left_threads               what 500 pages leave behind that were opened and closed

Needs wrk (Debian has it).
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from opportune.bench.http import Connection, Served, load, served
from opportune.bench.learn import Figure, figure
from opportune.bench.open_pages import OpenPages
from opportune.errors import BadInput

PAGES = (
    "/now", "/customer?id=c1", "/decisions", "/actions", "/actions?name=action_0", "/actions?view=changes", "/models",
    "/models?name=action_0", "/funnel", "/messages", "/data", "/me", "/trust", "/trust?view=consents",
    "/trust?view=people", "/trust?view=trail", "/trust?id=c1", "/operations", "/operations?view=calendar",
    "/operations?view=figures", "/operations?view=forecasts", "/operations?view=health", "/operations?view=attribution",
    "/operations?view=tools", "/operations?view=reports", "/lab", "/lab?view=tests", "/lab?view=gates",
    "/lab?view=holdouts", "/now", "/customer?id=c2", "/now", "/data", "/messages", "/decisions",
)  # fmt: skip
"""What is open, over and over: every view, and more of those that people leave open."""

OPEN, OPENED = 50, 500
EVENTS, DECISIONS = 20.0, 5.0
"""A second, while something happens."""

SETTLED = 3.0
"""Seconds until what pages ask when they are opened is answered."""

GONE = 13.0
"""Seconds until a console has let go of pages that were closed: NiceGUI waits for them to come back for ten."""


def figures(rounds: int = 3, seconds: int = 4, rest: float = 15.0, opened: int = OPENED) -> list[Figure]:
    """Return the figures of the group `console`."""
    if not shutil.which("wrk"):
        raise BadInput("the group console needs wrk on the PATH: apt-get install wrk")
    with TemporaryDirectory(prefix="opportune-bench-") as name:
        folder = Path(name)
        with served("100", folder / "100") as hub, consoled(hub, folder) as (console, pages):
            return [
                *beside_decisions(hub, pages, rounds, seconds),
                event_to_screen(hub, console, pages),
                *at_rest_and_busy(hub, console, pages, rest),
                *left_behind(console, pages, opened),
            ]


@contextmanager
def consoled(hub: Served, folder: Path) -> Iterator[tuple[Served, OpenPages]]:
    """Run a console of a hub in a process of its own; its guest has no page open yet."""
    command = [str(Path(sys.executable).with_name("opportune")), "console", "--hub", hub.address, "--key", hub.admin,
               "--dir", str(folder), "--port", "0", "--guest", "--json"]  # fmt: skip
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        pages = OpenPages(told["address"], told["link"])
        yield Served(told["address"], told["link"], process), pages
        pages.end()
    finally:
        process.terminate()
        process.wait(30)


def beside_decisions(hub: Served, pages: OpenPages, rounds: int, seconds: int) -> list[Figure]:
    """Return decisions a second, their tail, and what one costs the hub, by who watches."""

    @contextmanager
    def reader() -> Iterator[None]:
        with Connection(hub) as wire:
            wire.begin("/v1/feed")
            yield

    @contextmanager
    def shown(count: int) -> Iterator[None]:
        pages.open([*islice(cycle(PAGES), count)])
        yield
        pages.close()

    watching: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "none": nullcontext, "feed": reader, "now": lambda: shown(1), str(OPEN): lambda: shown(OPEN)
    }  # fmt: skip
    load(hub, "decide", seconds=2)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in watching}
    for _ in range(rounds):
        for name, watch in watching.items():
            with watch():
                time.sleep(SETTLED)
                found[name].append(load(hub, "decide", seconds=seconds))
        time.sleep(GONE)

    def median(name: str, what: str) -> float:
        return float(np.median([told[what] for told in found[name]]))

    told = []
    for name in [*watching][1:]:
        for what, unit, scale in (("rps", "1/s", 1.0), ("p99", "ms", 1e3), ("cpu_us", "us", 1.0)):
            value, alone = median(name, what) / scale, median("none", what) / scale
            label = f"console_{name}_p99_ms" if what == "p99" else f"console_{name}_{what}"
            spread = [median(name, "p50") / scale] if what == "p99" else [one[what] for one in found[name]]
            told.append(figure(label, value, unit, peer="nobody watching", peer_value=alone, ratio=value / alone,
                               spread=spread))  # fmt: skip
    return told


def event_to_screen(hub: Served, console: Served, pages: OpenPages, rounds: int = 40) -> Figure:
    """Return how long an event takes to the page of its customer."""
    with _screen(console, pages) as (told, shown), Connection(hub) as wire:
        took = []
        for k in range(rounds):
            name = f"Seen {k} {time.time_ns()}"
            told(name)
            began = time.perf_counter()
            wire.post("/v1/track", {"userId": "c1", "event": name, "messageId": name})
            took.append(1000 * (shown() - began))
            time.sleep(0.7)  # what comes within half a second of the last is told together
    return figure("event_to_screen_ms", float(np.median(took)), "ms",
                  spread=np.percentile(took, [25, 75, 95]).tolist())  # fmt: skip


def at_rest_and_busy(hub: Served, console: Served, pages: OpenPages, seconds: float) -> list[Figure]:
    """Return the CPU, memory, threads and sockets of a console with many pages."""
    before = _held(console)
    alone = _cores(hub, console, seconds / 2, nothing), _cores(hub, console, seconds / 2, happening)
    pages.open([*islice(cycle(PAGES), OPEN)])
    time.sleep(5)
    watched = _cores(hub, console, seconds, nothing), _cores(hub, console, seconds, happening)
    held = _held(console)
    pages.close()
    time.sleep(GONE)
    cores = [
        figure(f"console_{name}_cores", mine[1], "cores", spread=[before_it[0], mine[0]])
        for name, before_it, mine in zip(("rest", "busy"), alone, watched)
    ]
    units = {"mib": "MiB", "threads": "threads", "sockets": "sockets"}
    return [*cores, *(figure(f"console_{what}", held[what], units[what], spread=[before[what]]) for what in held)]


def left_behind(console: Served, pages: OpenPages, opened: int) -> list[Figure]:
    """Return what pages leave behind that were opened and closed; every kind was opened before."""
    before, each = _held(console), cycle(PAGES)
    for _ in range(0, opened, OPEN):
        pages.open([*islice(each, OPEN)])
        pages.close()
    time.sleep(GONE)
    after = _held(console)
    return [
        figure("console_left_mib", after["mib"] - before["mib"], "MiB", spread=[before["mib"], after["mib"]]),
        figure("console_left_threads", after["threads"] - before["threads"], "threads",
               spread=[before["threads"], after["threads"]]),
    ]  # fmt: skip


def nothing(hub: Served, seconds: float) -> None:
    """Let time pass."""
    time.sleep(seconds)


def happening(hub: Served, seconds: float) -> None:
    """Send events and ask for decisions, evenly."""
    every = round(EVENTS / DECISIONS)
    with Connection(hub) as wire:
        began = time.perf_counter()
        for k in range(round(seconds * EVENTS)):
            wire.post("/v1/track", {"userId": f"c{k % 40}", "event": "Page Seen", "messageId": f"{began}-{k}"})
            if k % every == 0:
                wire.post("/v1/decide", {"userId": f"c{k % 40}", "placement": "app.home"})
            time.sleep(max(0.0, began + (k + 1) / EVENTS - time.perf_counter()))


def _cores(
    hub: Served, console: Served, seconds: float, meanwhile: Callable[[Served, float], None]
) -> tuple[float, float]:
    """Return the cores that the hub and the console take meanwhile."""
    began, spent = time.perf_counter(), (hub.cpu(), console.cpu())
    meanwhile(hub, seconds)
    took = time.perf_counter() - began
    return (hub.cpu() - spent[0]) / took, (console.cpu() - spent[1]) / took


def _held(console: Served) -> dict[str, float]:
    """Return what a process holds."""
    of = Path(f"/proc/{console.process.pid}")
    sockets = 0
    for one in (of / "fd").iterdir():
        try:
            sockets += os.readlink(one).startswith("socket:")
        except OSError:  # closed meanwhile
            continue
    return {"mib": console.memory(), "threads": len([*(of / "task").iterdir()]), "sockets": sockets}


@contextmanager
def _screen(console: Served, pages: OpenPages) -> Iterator[tuple[Callable[[str], None], Callable[[], float]]]:
    """Open the page of a customer; yield what begins to wait for a text on it, and what returns when it was there."""
    chromium = shutil.which("chromium")
    try:
        playwright = importlib.import_module("playwright.sync_api").sync_playwright if chromium else None
    except ImportError:
        playwright = None
    if playwright is None:
        pages.open([PAGES[1]])
        time.sleep(3)
        yield pages.expect, pages.seen
        pages.close()
        time.sleep(GONE)
        return
    with playwright() as machine:
        browser = machine.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(console.key)  # the link of its guest
        page.wait_for_url(f"{console.address}/now")
        page.goto(console.address + PAGES[1])
        page.wait_for_timeout(3000)
        asked = [""]

        def seen() -> float:
            page.wait_for_function("text => document.body.textContent.includes(text)", arg=asked[0], timeout=10_000)
            return time.perf_counter()

        yield lambda text: asked.__setitem__(0, text), seen
        browser.close()
    time.sleep(GONE)
