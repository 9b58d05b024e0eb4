"""Commands about the project folder: init, check, publish, diff, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opportune.cli.options import Dir, Folder, Json, StoreUrl, chosen, connect, note, say
from opportune.errors import BadInput


def init(
    folder: Annotated[Path | None, typer.Argument(help="The folder to make (default: --dir).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files of the same name.")] = False,
    dir: Dir = None,
    json: Json = False,
) -> None:
    """Write a small, commented project that works.

    Example: opportune init shop
    """
    from opportune.catalog.project import write_project

    if folder is None and dir is None:
        raise BadInput("name the folder to make: opportune init shop")
    where = chosen(folder or dir).dir
    written = [str(path) for path in write_project(where, force)]
    text = f"Wrote {len(written)} files to {where}.\nNext: opportune check {where}"
    say(json, {"dir": str(where), "files": written}, text)


def check(folder: Folder = None, dir: Dir = None, json: Json = False) -> None:
    """Report every mistake in the catalog at once, with its place and its cure.

    Example: opportune check shop
    """
    from opportune.deliver.gate import examine

    _, found = examine(chosen(folder or dir).dir)
    errors = [p for p in found if not p.warning]
    rows = [
        {"file": p.file, "line": p.line, "column": p.column, "what": p.what, "cure": p.cure, "warning": p.warning}
        for p in found
    ]
    lines = [str(p) for p in found]
    warned = len(found) - len(errors)
    counted = f"{len(errors)} mistake{'s' * (len(errors) != 1)}, {warned} warning{'s' * (warned != 1)}"
    lines.append(counted if found else "No mistakes.")
    say(json, {"ok": not errors, "problems": rows}, "\n".join(lines))
    if errors:
        raise typer.Exit(2)


def publish(
    dir: Dir = None,
    store: StoreUrl = None,
    author: Annotated[str, typer.Option(help="Who publishes, for the record.")] = "",
    json: Json = False,
) -> None:
    """Take changed files live: all of them, or none if one has a mistake.

    Example: opportune publish --dir shop --author ana
    """
    with connect(dir, store, quiet=True) as hub:
        live = hub.publish(author)
    for warning in live.warnings:
        note(f"Warning: {warning}")
    say(json, live, f"Live: {live.catalog[:12]}" + ("" if live.published else " (nothing changed)"))


def diff(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show what publishing would change, and for how many known customers.

    Example: opportune diff --dir shop
    """
    with connect(dir, store, quiet=True) as hub:
        found = hub.diff()
    text = "\n".join(change.text for change in found.changes) or "Nothing would change."
    if found.changes:
        text += f"\n{found.changed} of {found.customers} customers asked about would get another answer somewhere."
    say(json, found, text)


def export(
    dir: Dir = None,
    store: StoreUrl = None,
    author: Annotated[str, typer.Option(help="Who writes it, for the record.")] = "",
    json: Json = False,
) -> None:
    """Write the overlay, what was changed in the console, into the files.

    Example: opportune export --dir shop --author ana
    """
    with connect(dir, store, quiet=True) as hub:
        files = hub.export_overlay(author or "the command line")
    say(json, {"files": files}, "\n".join(f"Changed {file}" for file in files))
