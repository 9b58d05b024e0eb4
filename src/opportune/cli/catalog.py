"""Commands about the project folder: init, check, publish, diff, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opportune.cli.options import Dir, Folder, Json, StoreUrl, chosen, open_hub, say
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
    from opportune.catalog import check as problems_of

    found = problems_of(chosen(folder or dir).dir)
    errors = [p for p in found if not p.warning]
    rows = [
        {"file": p.file, "line": p.line, "column": p.column, "what": p.what, "cure": p.cure, "warning": p.warning}
        for p in found
    ]
    lines = [str(p) for p in found]
    lines.append(f"{len(errors)} mistakes, {len(found) - len(errors)} warnings" if found else "No mistakes.")
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
    from opportune.catalog import load

    catalog = load(chosen(dir, store).dir)
    with open_hub(dir, store) as hub:
        changed = hub.publish(catalog, author)
        live = hub.plan.catalog.hash
    say(json, {"published": changed, "catalog": live}, f"Live: {live[:12]}" + ("" if changed else " (nothing changed)"))


def diff(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show what publishing would change, and for how many known customers.

    Example: opportune diff --dir shop
    """
    from opportune.catalog import load
    from opportune.catalog.diff import diff as changes_of
    from opportune.radius import blast_radius

    with open_hub(dir, store) as hub:
        new = load(chosen(dir, store).dir)
        changes = changes_of(hub.plan.catalog, new)
        shift = blast_radius(hub, new) if changes else {"customers": 0, "changed": 0}
    rows = [{"kind": c.kind, "path": c.path, "before": c.before, "after": c.after} for c in changes]
    text = "\n".join(map(str, changes)) or "Nothing would change."
    if changes:
        text += f"\n{shift['changed']} of {shift['customers']} known customers would get another answer somewhere."
    say(json, {"changes": rows, **shift}, text)


COMMANDS = (init, check, publish, diff)
