"""Forecasts over HTTP: those that wait for each other keep nobody else waiting."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from opportune.api.beside import beside
from opportune.api.serving import listen
from opportune.client import Client
from opportune.clock import to_datetime
from opportune.hub import Hub
from opportune.services import prospects
from opportune.testing import FakeClock, tiny_action, tiny_catalog
from opportune.wire.foreseeing import Forecasts

MANY = 40
"""More than the threads that a loop has for all that works beside decisions."""


def test_many_forecasts_leave_the_rest_of_the_door_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def slow(hub: Hub, *_: Any) -> Forecasts:
        begun.set()
        go_on.wait(20)
        return Forecasts(to_datetime(hub.clock.now()), "", 0.8, "", "", [])

    monkeypatch.setattr(prospects, "forecasts", slow)
    catalog = tiny_catalog(placements=[{"name": "app.home", "channel": "app"}], actions=[tiny_action("hello")])
    with (
        Hub.of(catalog, "memory:", FakeClock()) as hub,
        beside(hub, listen("127.0.0.1", 0)) as (address, secret),
        ThreadPoolExecutor(MANY) as callers,
    ):
        try:
            asked = [callers.submit(Client(address, secret).forecasts) for _ in range(MANY)]
            assert begun.wait(10)
            time.sleep(0.3)  # until all of them have arrived
            assert Client(address, secret, timeout=5).status().events == 0, "it takes a thread, too"
        finally:
            go_on.set()
        assert all(one.result().series == [] for one in asked)
