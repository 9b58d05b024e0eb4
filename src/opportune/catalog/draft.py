"""A catalog in the making: what was read so far, where it stands, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from zoneinfo import ZoneInfo

from opportune.catalog.fields import IDENTIFIER, MAX_NAME, NAME, Conditions, Fields, Report
from opportune.catalog.node import Node, Spot
from opportune.catalog.types import Catalog

PREDICTORS = ("bayes", "naive_bayes")

@dataclass(slots=True)
class Draft:
    """What the readers of the sections share.

    `parts` are the fields of the `Catalog` by name; `nodes` say where each named thing of a section was written; `home`
    is the file to blame for what is missing altogether.
    `free_names` lifts the rules of spelling: names that come from the columns and values of a data set.
    """

    report: Report
    conditions: Conditions
    predictors: Sequence[str] = PREDICTORS
    free_names: bool = False
    home: str = ""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    parts: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, dict[str, Node]] = field(default_factory=dict)
    unread: bool = False
    """Whether something of the files could not be read, so that what seems not to be there may stand in it."""

    @property
    def scopes_are_known(self) -> bool:
        """Whether every scope can be told: all files were read, and each action has its issue and group."""
        return not self.unread and all(action.issue and action.group for action in self.parts["actions"])

    def named(self, section: str, one: str, node: Node, readable: bool = False) -> tuple[Fields, str]:
        """Start reading one named thing of a section: its fields, and its name checked and unique.

        `readable`: conditions read it, so that it must be an identifier of SQL (dots for nesting).
        """
        inner = node.value.get("name") if isinstance(node.value, dict) else None
        label = inner.text if inner is not None else ""
        fields = Fields(node, self.report, f"{one} `{label}`" if label else f"this {one}")
        name = fields.text("name", required=True)
        if name:
            self.spell(name, fields.spot("name"), one, readable)
            known = self.nodes.setdefault(section, {})
            if name in known:
                first = known[name].get("name").spot
                self.report.error(fields.spot("name"), f"duplicate {one} `{name}`, first at {first}", "rename one")
            else:
                known[name] = node
        return fields, name

    def spell(self, name: str, spot: Spot, one: str, readable: bool = False) -> None:
        """Check the spelling of a name."""
        if len(name) > MAX_NAME or "/" in name:
            self.report.error(spot, f"the {one} name `{name[:MAX_NAME]}` is too long or has a `/`", "choose another")
        elif not self.free_names and not (IDENTIFIER if readable else NAME).fullmatch(name):
            cure = "letters, digits and _" if readable else "letters, digits and _ . -"
            self.report.error(spot, f"`{name}` cannot name this {one}", f"use {cure}, starting with a letter")

    def spot(self, section: str, name: str, *path: str | int) -> Spot:
        """Return where a named thing, or a field of it, was written."""
        node = self.nodes.get(section, {}).get(name)
        return Spot("") if node is None else node.get(*path).spot


@dataclass(frozen=True, slots=True)
class Section:
    """One top-level key of the catalog, and the field of `Catalog` of the same name.

    `shape` is how files are merged: lists are joined, mappings united, scalars must agree. `read` gives the value of
    the field; `write` gives it back as plain data without what is the default, so that a key that is new in a later
    version does not change the hash of a catalog that does not use it.
    """

    key: str
    shape: Literal["list", "mapping", "scalar"]
    read: Callable[[Draft, Node | None], Any]
    write: Callable[[Catalog], Any]


def entries(node: Node | None) -> list[Node]:
    """Return the entries of a section that is a list; none if it is absent."""
    return node.value if node is not None and isinstance(node.value, list) else []


def slim(**data: Any) -> dict[str, Any]:
    """Return the data without what is None or empty. A trailing `_` lets a key be a word of Python.

    >>> slim(name="a", in_="7d", when=None)
    {'name': 'a', 'in': '7d'}
    """
    return {key.rstrip("_"): value for key, value in data.items() if value is not None and value not in ("", [], {})}
