"""What stands before all that goes live: the files are read, their standards looked at, their templates tried."""

from __future__ import annotations

from pathlib import Path

from opportune.catalog.build import build, read_texts
from opportune.catalog.places import in_files
from opportune.catalog.source import read_folder
from opportune.catalog.types import Catalog
from opportune.deliver import standards
from opportune.errors import BadCatalog, Problem


def load(folder: Path | str) -> Catalog:
    """Return the catalog of a folder if it may go live.

    Raises `BadCatalog` with every mistake of the files, of what they say, and against their standards; `BadInput` if
    there is nothing to read.
    """
    catalog, found = examine(folder)
    errors = [p for p in found if not p.warning]
    if catalog is None or errors:
        raise BadCatalog(errors)
    return catalog


def examine(folder: Path | str) -> tuple[Catalog | None, list[Problem]]:
    """Return the catalog of a folder (None after a mistake), and every error and warning by file, line and column.

    What the catalog says is looked at once the files can be read. `BadInput` if there is nothing to read.
    """
    from opportune.deliver.render import check as templates

    problems: list[Problem] = []
    trees = read_texts(read_folder(Path(folder), problems), problems)
    catalog, found = build(trees, problems)
    if catalog is None:
        return None, found
    locate = in_files(trees)
    found += standards.check(catalog, locate) + templates.check(catalog, locate)
    return catalog, sorted(set(found), key=lambda p: (p.file, p.line, p.column, p.warning, p.what))
