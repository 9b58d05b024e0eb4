"""Whether each arm of each experiment, laid over the catalog, is one that may go live."""

from __future__ import annotations

from dataclasses import replace

from opportune.catalog.checks import CHECKS
from opportune.catalog.draft import Draft
from opportune.catalog.fields import Report
from opportune.catalog.node import Node, from_python
from opportune.catalog.types import Catalog
from opportune.catalog.variants import Find, arms_of, at_hand, lay
from opportune.errors import Problem


def arms_can_be_laid(draft: Draft, catalog: Catalog) -> None:
    """Read and check the catalog of each arm as if it stood in the files; what is new is told of that arm.

    Where something is wrong beside the arms, they are read all the same, and what they say themselves is told.
    """
    known, broken = set(draft.report.problems), draft.report.failed
    for experiment, arm, changes in arms_of(catalog):
        mine = _copy(draft)
        node = _changes(draft, experiment, arm) or from_python(changes, f"experiments.{experiment}", [])
        lay(mine, catalog, node, _in(draft, catalog))
        mine.nodes = {key: {**draft.nodes.get(key, {}), **found} for key, found in mine.nodes.items()}
        if not mine.report.failed:
            for rule in CHECKS:
                rule(mine)
        for problem in mine.report.problems:
            if problem not in known and not (broken and not _stands_in(problem, node)):
                told = f"{problem.what} (in arm `{arm}` of experiment `{experiment}`)"
                draft.report.problems.append(replace(problem, what=told))


def _copy(draft: Draft) -> Draft:
    report = Report()
    conditions = draft.conditions.beside(report)
    return replace(draft, report=report, conditions=conditions, parts=dict(draft.parts), nodes=dict(draft.nodes))


def _stands_in(problem: Problem, node: Node) -> bool:
    """Return whether a problem is one of what a node says, not of what it is laid over."""
    first, last = node.spot, _last_line(node)
    begins = problem.line > first.line or (problem.line == first.line and problem.column >= first.column)
    return problem.file == first.file and begins and problem.line <= last


def _last_line(node: Node) -> int:
    inner = list(node.value.values()) if isinstance(node.value, dict) else node.value
    lines = [_last_line(one) for one in inner] if isinstance(inner, list) else []
    return max([node.spot.line + node.text.count("\n"), *lines])


def _changes(draft: Draft, experiment: str, arm: str) -> Node | None:
    """Return where the changes of an arm are written."""
    arms = draft.nodes["experiments"][experiment].get("arms").value
    items = arms if isinstance(arms, list) else []
    found = [item.get("changes") for item in items if item.get("name").text == arm]
    return found[0] if found and isinstance(found[0].value, dict) else None


def _in(draft: Draft, catalog: Catalog) -> Find:
    """Return how to find what the files say; a question of `pulse` or `asks` stands in no section that arms change."""
    written = at_hand(catalog)

    def find(section: str, name: str) -> Node | None:
        plain = written(section, name)
        return plain and draft.nodes.get(section, {}).get(name, plain)

    return find
