"""The names that templates may read, and where a text reads one that does not exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opportune.catalog.fields import nearest
from opportune.catalog.types import Catalog
from opportune.deliver.person import context
from opportune.errors import Problem

if TYPE_CHECKING:
    from opportune.deliver.render.templates import Template

LOOSE = ("traits",)
"""Names below which more may exist than is declared: a warning, no mistake."""


def known(catalog: Catalog) -> dict[str, list[str] | None]:
    """Return the names of a context and the names below each; None where nothing is known of those."""
    shown = context("", {}, {}, catalog, 0, "UTC")
    names = {name: sorted(below) if isinstance(below, Mapping) else None for name, below in shown.items()}
    return {**names, "traits": sorted(trait.name for trait in catalog.traits)}


def unknown(template: Template, names: Mapping[str, Sequence[str] | None]) -> list[Problem]:
    """Return the names, filters and blocks of a text and its blocks that do not exist, each where it is used.

    The file of a problem is the field of the text, or `block NAME`.
    """
    from liquid.exceptions import LiquidError

    from opportune.deliver.render.faults import place
    from opportune.deliver.render.liquid_environment import Parsed

    assert isinstance(template, Parsed)
    try:
        found = template.parsed.analyze()
    except LiquidError as error:
        return [template.problem(error)]
    texts = {template.parsed.name: (template.field, template.text)}
    texts |= {name: (f"block {name}", text) for name, text in template.environment.blocks.items()}

    def at(span: Any) -> tuple[int, int, str]:
        field, text = texts.get(span.template_name, (template.field, template.text))
        return (*place(text, span.index), field)

    problems: list[Problem] = []
    for name, spans in found.filters.items():
        if name not in template.environment.filters:
            cure = nearest(name, template.environment.filters)
            problems += [Problem(f"unknown filter `{name}`", cure, *at(span)) for span in spans]
    for variables in found.globals.values():
        for variable in variables:
            for what, cure, loose in _faults(variable.segments, names):
                problems.append(Problem(what, cure, *at(variable.span), warning=loose))
    return problems


def _faults(path: Sequence[Any], names: Mapping[str, Sequence[str] | None]) -> Iterator[tuple[str, str, bool]]:
    """Yield what is wrong with the first two steps of a path, with its cure, and whether that may be all right."""
    root = path[0]
    if not isinstance(root, str) or root == "forloop":
        return
    if root not in names:
        yield f"unknown name `{root}`", nearest(root, names), False
        return
    below = names[root]
    if below is None or len(path) < 2 or not isinstance(path[1], str) or path[1] in below or path[1] in _SHAPE:
        return
    if root in LOOSE:
        yield f"no {root[:-1]} `{path[1]}` is declared", nearest(path[1], below), True
    else:
        yield f"`{root}` has no `{path[1]}`", nearest(path[1], below), False


_SHAPE = ("size", "first", "last")
