"""Customers who live in real time through the HTTP door, in a thread of their own; and what the door counts then."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from math import log

from opportune.demo.customers import Customers
from opportune.errors import OpportuneError

PACE = 16.0
"""Happenings per second on average, at a pace of 1."""

SAVED = 5.0
"""Seconds between two savings of where the customers are; what a crash loses is told again with the same messageIds."""

WINDOW = 10.0
"""Seconds over which events and decisions per second are counted."""


class Living(threading.Thread):
    """Lets customers live until it is stopped; `save` is called between two steps."""

    def __init__(self, customers: Customers, pace: float, save: Callable[[], None]) -> None:
        super().__init__(name="customers", daemon=True)
        self.error: BaseException | None = None
        self.busy = 0
        self._customers, self._pace, self._save = customers, PACE * pace, save
        self._ending = threading.Event()

    def run(self) -> None:
        """Go from one happening to the next, after waits that are random as in life."""
        saved, number = time.monotonic(), 0
        try:
            while not self._ending.wait(self._wait(number)):
                number += 1
                try:
                    self._customers.step()
                except OpportuneError:
                    self.busy += 1  # a server that has too much to do, or no longer runs
                    self._ending.wait(1.0)
                if time.monotonic() - saved > SAVED:
                    self._save()
                    saved = time.monotonic()
        except BaseException as error:
            self.error = error

    def stop(self) -> None:
        """End after the step that is under way."""
        self._ending.set()
        self.join()

    def _wait(self, number: int) -> float:
        return min(-log(self._customers.company.truth.uniform("wait", number)), 5.0) / self._pace


class Counters:
    """What the door counts, as anybody may read it at `/metrics`: rates over the last seconds, and open streams."""

    def __init__(self, address: str) -> None:
        import httpx

        self._url = f"{address}/metrics"
        self._client = httpx.Client(timeout=5.0, trust_env=False)
        self._samples: deque[tuple[float, float, float]] = deque()
        self.streams = 0

    def read(self) -> None:
        """Look at the counters now; once a second will do."""
        import httpx

        now = time.monotonic()
        if self._samples and now - self._samples[-1][0] < 0.9:
            return
        try:
            lines = self._client.get(self._url).text.splitlines()
        except httpx.HTTPError:
            return
        self.streams = int(_sum(lines, "opportune_streams_open"))
        events = _sum(lines, "opportune_ingest_events_total", without='"rejected"')
        decisions = _sum(lines, "opportune_decisions_total", without='"peek"')
        self._samples.append((now, events, decisions))
        while len(self._samples) > 2 and self._samples[1][0] < now - WINDOW:
            self._samples.popleft()

    def rates(self) -> tuple[float, float]:
        """Return events and decisions per second; 0 until there were two looks."""
        if len(self._samples) < 2:
            return 0.0, 0.0
        (began, *before), (ended, *after) = self._samples[0], self._samples[-1]
        first, second = ((b - a) / (ended - began) for a, b in zip(before, after))
        return first, second

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


def _sum(lines: list[str], name: str, without: str = "") -> float:
    """Return the sum of a counter over its labels; `without` leaves those with a label value out."""
    found = (line.rpartition(" ") for line in lines if line.startswith(name))
    return sum(float(value) for labels, _, value in found if not (without and without in labels))
