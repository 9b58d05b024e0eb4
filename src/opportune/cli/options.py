"""What every command takes, and how every command speaks."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opportune import settings
from opportune.errors import OpportuneError, StoreInUse

if TYPE_CHECKING:
    from opportune.api.hub_file import HubFile
    from opportune.client import Client
    from opportune.hub import Hub

Dir = Annotated[str | None, typer.Option("--dir", help="The project folder (default: . or OPPORTUNE_DIR).")]
StoreUrl = Annotated[str | None, typer.Option("--store", help="The store (default: sqlite:///DIR/.opportune/hub.db).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Folder = Annotated[Path | None, typer.Argument(help="The project folder (default: --dir).")]


PATIENCE = 5.0
"""Seconds that a command waits for a store that another process writes."""

STARTING = 600.0
"""Seconds that a command waits for a hub that is starting: the first time it compiles what is hot."""


def chosen(folder: str | Path | None, store: str | None = None, **more: str | None) -> settings.Settings:
    """Return the settings in force for a command."""
    return settings.read({"dir": None if folder is None else str(folder), "store": store, **more}, os.environ)


def connect(folder: str | Path | None, store: str | None, quiet: bool = False) -> Client:
    """Return a client of the hub that serves the project folder, or where none does of one in this process.

    Tells of files that are not live, unless `quiet`.
    """
    from opportune.client import Client

    found = chosen(folder, store)
    client = _running(found)
    if client is None:
        from opportune.api.local import Local

        try:
            client = Client("", "", Local(open_hub(found), found.dir, found.public_url))
        except StoreInUse:
            client = _started(found)  # it had begun, and did not listen yet
            if client is None:
                raise
    try:
        if not quiet and client.status().unpublished:
            note("The files differ from what is live: see `opportune diff`, take them live with `opportune publish`.")
    except BaseException:
        client.close()
        raise
    return client


def _started(found: settings.Settings) -> Client | None:
    """Return a client of the hub of this store once it listens; None if none is starting."""
    file, until, told = hub_file(found), time.monotonic() + STARTING, False
    while (client := _running(found)) is None and file and file.starting() and time.monotonic() < until:
        if not told:
            note("The hub of this project is starting; waiting until it listens.")
            told = True
        time.sleep(0.2)
    return client or _running(found)


def _running(found: settings.Settings) -> Client | None:
    """Return a client of the hub that says in `hub.json` that it serves this store; None if there is none."""
    from opportune.client import Client, Unreachable

    file = hub_file(found)
    told = file and file.read()
    if not told:
        return None
    client = Client(told["address"], told["token"], timeout=3600)
    try:
        client.status()
    except OpportuneError as error:
        client.close()
        if not isinstance(error, Unreachable):
            raise
        return None
    return client


def hub_file(found: settings.Settings) -> HubFile | None:
    """Return where a server of this store says how it is reached; None for a store without a folder."""
    from opportune.api.hub_file import HubFile

    file = found.store.removeprefix("sqlite:///")
    return None if file == found.store else HubFile(Path(file))


def open_hub(found: settings.Settings, serving: HubFile | None = None) -> Hub:
    """Open the hub of a project folder; waits a little for a store in use. `serving` says that it is to be served."""
    from opportune.hub import Hub

    if found.store == f"sqlite:///{found.dir}/.opportune/hub.db" and found.dir.is_dir():
        (found.dir / ".opportune").mkdir(mode=0o700, exist_ok=True)
    if serving:
        serving.begin()
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return Hub.open(found.dir, found.store)
        except StoreInUse:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def say(as_json: bool, data: Any, text: str) -> None:
    """Print a result: one JSON object (of what the wire has in camelCase), or a text for people."""
    import msgspec

    if as_json:
        plain = _finite(msgspec.to_builtins(data, enc_hook=str))
        print(json.dumps(plain, ensure_ascii=False), flush=True)
    else:
        print(_UNSEEN.sub("\ufffd", text), flush=True)


_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What texts of others, such as names of events, must not tell a terminal."""


def _finite(data: Any) -> Any:
    """Return data with every NaN and infinity as None: JSON has no word for them."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def note(text: str) -> None:
    """Tell something that is not the result."""
    print(text, file=sys.stderr)


@contextmanager
def progress(task: str, quiet: bool) -> Iterator[Callable[[float, str], None]]:
    """Show a bar on stderr while the block runs, unless `quiet`; yields a function of (part done, text beside it)."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    told = TextColumn("{task.fields[told]}")
    hidden = quiet or not sys.stderr.isatty()
    with Progress(*columns, told, console=Console(stderr=True), disable=hidden) as bar:
        number = bar.add_task(task, total=1.0, told="")

        def tell(done: float, told: str) -> None:
            bar.update(number, completed=done, told=told)

        yield tell
