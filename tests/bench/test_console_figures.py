"""`opportune bench console`: its pages are all there are, and what it measures is measured."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from opportune.bench import GROUPS
from opportune.bench.console import PAGES, _held, consoled
from opportune.bench.http import Connection, served
from opportune.console.table import PAGES as TABLE
from opportune.errors import OpportuneError


def test_every_page_is_among_those_that_are_opened() -> None:
    assert GROUPS["console"] == "opportune.bench.console"
    assert {page.path for page in TABLE} <= {urlsplit(path).path for path in PAGES}


def test_pages_are_held_open_as_browsers_hold_them(tmp_path: Path) -> None:
    with served("telecom", tmp_path / "shop") as hub, consoled(hub, tmp_path) as (console, pages):
        before = _held(console)
        pages.open(["/now", "/data"])
        pages.expect("Somebody looked 1")
        with Connection(hub) as wire:
            sent = time.perf_counter()
            wire.post("/v1/track", {"userId": "c1", "event": "Somebody looked 1"})
            assert 0 < pages.seen() - sent < 10
        assert pages.messages > 0
        assert pages.bytes > 0
        held = _held(console)
        assert held["sockets"] >= before["sockets"] + 2, "each page holds a socket"
        assert held["threads"] > before["threads"], "the hub is listened to while somebody looks"
        pages.expect("nobody ever said this")
        with pytest.raises(OpportuneError, match="no page showed"):
            pages.seen(0.1)
        pages.close()
        with pytest.raises(OpportuneError, match="/nothing"):
            pages.open(["/nothing"])
