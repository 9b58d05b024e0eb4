"""What a treatment says: its texts in a language as the catalog has them, and the blocks that they use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opportune.catalog.types import Catalog, Treatment
from opportune.deliver.render.languages import nearest


@dataclass(frozen=True, slots=True)
class Source:
    """A text as the catalog has it, and the path to it; `key` is its key in the content, dots for nesting."""

    path: tuple[str | int, ...]
    text: str
    key: str = ""


def languages_of(catalog: Catalog, treatment: Treatment) -> tuple[str, ...]:
    """Return the languages that a treatment has texts in: the catalog's own first."""
    return tuple(dict.fromkeys((catalog.language, *sorted(treatment.languages))))


def sources(treatment: Treatment, language: str) -> list[Source]:
    """Return the texts of a treatment in a language; the path starts at the treatment."""
    own = treatment.languages.get(language, {})
    base = {key: value for key, value in treatment.content.items() if key not in own}
    return [*_texts(base, ("content",)), *_texts(own, ("languages", language))]


def _texts(value: Any, path: tuple[str | int, ...], key: str = "") -> Iterator[Source]:
    if isinstance(value, str):
        yield Source(path, value, key)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, (*path, name), f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*path, index), f"{key}.{index}" if key else str(index))


def block(catalog: Catalog, language: str, name: str) -> Source | None:
    """Return the variant of a shared block that is read in a language; None if there is no such block."""
    variants = catalog.blocks.get(name)
    if not variants:
        return None
    variant = nearest(language, variants, catalog.language)
    return Source(("blocks", name, variant), variants[variant])
