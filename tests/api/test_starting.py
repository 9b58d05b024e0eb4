"""Commands beside a hub that is starting: they wait for it."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from opportune.api.hub_file import HubFile
from opportune.errors import StoreInUse
from opportune.store.sqlite_file import WriterLock

options = import_module("opportune.cli.options")  # the name in the package is that of a function


def test_a_command_waits_for_a_hub_that_is_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, asked = tmp_path / ".opportune" / "hub.db", list[bool]()
    store.parent.mkdir()
    file = HubFile(store)
    file.begin()
    assert not file.starting()  # nobody holds the store yet
    lock = WriterLock(store)
    assert file.starting()

    def running(found: Any) -> Any:
        asked.append(file.starting())
        return None if len(asked) < 4 else "the hub that listens"

    monkeypatch.setattr(options, "PATIENCE", 0.0)
    monkeypatch.setattr(options, "_running", running)
    assert options.connect(tmp_path, None, quiet=True) == "the hub that listens"
    assert capsys.readouterr().err == "The hub of this project is starting; waiting until it listens.\n"
    file.write("http://127.0.0.1:1", "token")
    assert not file.starting()
    lock.release()


def test_a_store_that_something_else_writes_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / ".opportune" / "hub.db"
    store.parent.mkdir()
    lock = WriterLock(store)
    store.with_suffix(".starting").write_text(str(2**22 + 1), "utf-8")  # no process has this number
    HubFile(store).begin()  # a second server: not what holds the store
    assert store.with_suffix(".starting").read_text("utf-8") != str(os.getpid())
    monkeypatch.setattr(options, "PATIENCE", 0.0)
    with pytest.raises(StoreInUse, match="stop that process"):
        options.connect(tmp_path, None, quiet=True)
    lock.release()
