"""A table: its heads say what they mean on hover, and it scrolls by itself where it is wider than the page."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from markupsafe import Markup

from opportune.console.parts.shown import joined

Head = str | tuple[str, str]
"""The name of a column, or its name and what it means."""


def table(name: str, heads: Sequence[Head], rows: Iterable[Sequence[object]], right: Container[int] = ()) -> Markup:
    """Return a table. `name` is what a screen reader says of it; `right` are the columns of numbers, counted from 0.

    >>> table("Sums", ["what", ("sum", "in EUR")], [("<b>", 3)], right={1})[-76:]
    Markup('<td>&lt;b&gt;</td><td class="right nowrap">3</td></tr></tbody></table></div>')
    """
    kinds = [' class="right nowrap"' if i in right else "" for i in range(len(heads))]
    drawn = joined(_head(head, Markup(kind)) for head, kind in zip(heads, kinds, strict=True))
    body = joined(
        Markup("<tr>{}</tr>").format(
            joined(Markup("<td{}>{}</td>").format(Markup(kind), cell) for cell, kind in zip(row, kinds, strict=True))
        )
        for row in rows
    )
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{0}"><table class="plain" aria-label="{0}">'
        "<thead><tr>{1}</tr></thead><tbody>{2}</tbody></table></div>"
    ).format(name, drawn, body)


def _head(head: Head, kind: Markup) -> Markup:
    name, meaning = (head, "") if isinstance(head, str) else head
    told = Markup(' title="{}"').format(meaning) if meaning else Markup("")
    return Markup('<th scope="col"{}{}>{}</th>').format(kind, told, name)
