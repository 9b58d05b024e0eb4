"""Standards: what actions and treatments must meet before they go live, and where in the files they do not."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from opportune.catalog.places import Locate, in_data
from opportune.catalog.types import Catalog, Forbids, NeedsApproval, NeedsBasis, Protects, Requires, Rule, Terms
from opportune.deliver.standards.approval import content_hash, needs_approval
from opportune.deliver.standards.basis import needs_basis
from opportune.deliver.standards.looking import Looking
from opportune.deliver.standards.protection import protects
from opportune.deliver.standards.texts import forbids, requires, terms
from opportune.errors import Problem

__all__ = ["ABOUT_TEXT", "check", "content_hash"]

LOOKS: dict[type[Rule], Callable[..., None]] = {
    Requires: requires,
    Forbids: forbids,
    Terms: terms,
    Protects: protects,
    NeedsBasis: needs_basis,
    NeedsApproval: needs_approval,
}
"""What looks for the breaches of each rule. A new rule is a line here and one in `catalog.standard_sections`."""

ABOUT_TEXT: tuple[type[Any], ...] = (Requires, Forbids, Terms)
"""The rules that are about texts alone."""


def check(
    catalog: Catalog, locate: Locate | None = None, rules: Collection[type[Rule]] = tuple(LOOKS)
) -> list[Problem]:
    """Return what does not meet the catalog's standards of these rules, sorted by file, line and column. Pure.

    `locate` finds the node of a value in its file (`places.in_files`); without it, the path of the field stands for the
    file.
    """
    looking = Looking(catalog, locate or in_data(catalog))
    for standard in catalog.standards:
        if type(standard.rule) in rules:
            LOOKS[type(standard.rule)](looking, standard, standard.rule)
    return sorted(set(looking.problems), key=lambda p: (p.file, p.line, p.column, p.warning, p.what))
