"""What every command takes, and how every command speaks."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opportune import settings

if TYPE_CHECKING:
    from opportune.hub import Hub

Dir = Annotated[str | None, typer.Option("--dir", help="The project folder (default: . or OPPORTUNE_DIR).")]
StoreUrl = Annotated[str | None, typer.Option("--store", help="The store (default: sqlite:///DIR/.opportune/hub.db).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Folder = Annotated[Path | None, typer.Argument(help="The project folder (default: --dir).")]


PATIENCE = 5.0
"""Seconds that a command waits for a store that another process writes."""


def chosen(folder: str | Path | None, store: str | None = None) -> settings.Settings:
    """Return the settings in force for a command."""
    return settings.read({"dir": None if folder is None else str(folder), "store": store}, os.environ)


def open_hub(folder: str | Path | None, store: str | None) -> Hub:
    """Open the hub of the project folder; waits a little for a store in use, and tells of files that are not live."""
    from opportune.catalog import load
    from opportune.errors import BadCatalog, StoreInUse
    from opportune.hub import Hub

    found = chosen(folder, store)
    try:
        files = load(found.dir).hash
    except BadCatalog:
        if not (found.dir / ".opportune").exists():
            raise
        files = "not as they are"
    if found.store == f"sqlite:///{found.dir}/.opportune/hub.db":
        (found.dir / ".opportune").mkdir(mode=0o700, exist_ok=True)
    until = time.monotonic() + PATIENCE
    while True:
        try:
            hub = Hub.open(found.dir, found.store)
            break
        except StoreInUse:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
    if files != hub.plan.catalog.hash:
        note("The files differ from what is live: see `opportune diff`, take them live with `opportune publish`.")
    return hub


def say(as_json: bool, data: Any, text: str) -> None:
    """Print a result: one JSON object, or a text for people."""
    print(json.dumps(_finite(data), ensure_ascii=False, default=str) if as_json else text)


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
