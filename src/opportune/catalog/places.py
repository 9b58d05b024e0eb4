"""Where what a catalog says is written: from the path of a value to the node that holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from opportune.catalog.build import merge, to_data
from opportune.catalog.fields import Report
from opportune.catalog.node import Node, Spot, from_python
from opportune.catalog.types import Catalog

Step = str | int | Mapping[str, str]
"""A key, a position, or how to find an entry of a list: by its name, or by what it says (`{"on": "all"}`)."""

Locate = Callable[..., Node]
"""Takes the steps of a path, and gives the node there or the nearest that there is on the way."""


def in_files(trees: Iterable[Node]) -> Locate:
    """Return how to find a value in the trees of the files.

    >>> from opportune.catalog.source import parse_yaml
    >>> locate = in_files([parse_yaml("actions:\\n- {name: stay, benefit: A lower price}", "shop.yaml", [])])
    >>> print(locate("actions", "stay", "benefit").spot, locate("actions", "stay", "value").spot)
    shop.yaml:2:25 shop.yaml:2:3
    """
    trees = list(trees)
    home = min((tree.spot.file for tree in trees if tree.spot.file), default="")
    root = Node(dict(merge(trees, Report([]))), Spot(home))
    named: dict[int, dict[str, Node]] = {}

    def locate(*path: Step) -> Node:
        node = root
        for step in path:
            inner = _below(node, step, named)
            if inner is None:
                break
            node = inner
        return node

    return locate


def in_data(catalog: Catalog) -> Locate:
    """Return how to find a value of a catalog without files: the file of each spot is the path of the field."""
    return in_files([from_python(to_data(catalog), "", [])])


def _below(node: Node, step: Step, named: dict[int, dict[str, Node]]) -> Node | None:
    if isinstance(node.value, dict):
        return node.value.get(step) if isinstance(step, str) else None
    if not isinstance(node.value, list):
        return None
    if isinstance(step, int):
        return node.value[step] if 0 <= step < len(node.value) else None
    if isinstance(step, str):
        if id(node) not in named:
            named[id(node)] = {item.get("name").text: item for item in reversed(node.value)}
        return named[id(node)].get(step)
    return next((item for item in node.value if _says(item, step)), None)


def _says(item: Node, wanted: Mapping[str, str]) -> bool:
    return all(item.get(key).text.strip() == text for key, text in wanted.items())
