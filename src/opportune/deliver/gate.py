"""What stands before all that goes live: the files are read, their standards looked at, their templates tried."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from opportune.catalog.build import build, read_texts
from opportune.catalog.node import Node, from_python
from opportune.catalog.places import Locate, Step, in_files
from opportune.catalog.source import read_folder
from opportune.catalog.types import Catalog
from opportune.catalog.variants import arms_of, variant
from opportune.configure import examine as products
from opportune.deliver import standards
from opportune.errors import BadCatalog, Problem


def load(folder: Path | str) -> Catalog:
    """Return the catalog of a folder if it may go live.

    Raises `BadCatalog` with every mistake of the files, of what they say, and against their standards; `BadInput` if
    there is nothing to read.
    """
    return _accepted(*examine(folder))


def of_data(data: Mapping[str, Any]) -> Catalog:
    """Return the catalog of plain data in the shape of the files, if it may go live. Raises `BadCatalog`."""
    problems: list[Problem] = []
    return _accepted(*_looked_at([from_python(data, "", problems)], problems))


def examine(folder: Path | str) -> tuple[Catalog | None, list[Problem]]:
    """Return the catalog of a folder (None after a mistake), and every error and warning by file, line and column.

    What the catalog says is looked at once the files can be read. `BadInput` if there is nothing to read.
    """
    problems: list[Problem] = []
    return _looked_at(read_texts(read_folder(Path(folder), problems), problems), problems)


def _looked_at(trees: Sequence[Node], problems: list[Problem]) -> tuple[Catalog | None, list[Problem]]:
    from opportune.deliver.render import check as templates

    catalog, found = build(trees, problems)
    if catalog is None:
        return None, found
    locate = in_files(trees)
    found += standards.check(catalog, locate) + templates.check(catalog, locate)
    found += products.check(catalog, locate)
    found += in_arms(catalog, locate, {*found})
    return catalog, sorted(set(found), key=lambda p: (p.file, p.line, p.column, p.warning, p.what))


def _accepted(catalog: Catalog | None, found: Sequence[Problem]) -> Catalog:
    errors = [p for p in found if not p.warning]
    if catalog is None or errors:
        raise BadCatalog(errors)
    return catalog


def in_arms(catalog: Catalog, locate: Locate, known: Collection[Problem]) -> list[Problem]:
    """Return what is wrong with what the arms of experiments say, beside what is wrong without them."""
    from opportune.deliver.render import check as templates

    found = []
    for experiment, arm, changes in arms_of(catalog):
        if not {"actions", "blocks"} & {*changes}:
            continue
        laid = variant(catalog, {experiment: arm})
        inside = _inside(locate("experiments", experiment, "arms", arm, "changes"), locate)
        # of templates only what the arm changes is tried: each try takes a process
        said = [new for new, old in zip(laid.actions, catalog.actions) if new != old or laid.blocks != catalog.blocks]
        told = standards.check(laid, inside) + templates.check(replace(laid, actions=tuple(said)), inside)
        for problem in told:
            if problem not in known:
                found.append(replace(problem, what=f"{problem.what} (in arm `{arm}` of experiment `{experiment}`)"))
    return found


def _inside(changes: Node, locate: Locate) -> Locate:
    """Return how to find a value in the changes of an arm, and what they leave as it is in the files."""
    inner = in_files([changes])

    def find(*path: Step) -> Node:
        found = inner(*path)
        return found if path and found is not inner(*path[:-1]) else locate(*path)

    return find
