"""A table: its heads say what they mean on hover; on a phone each of its rows is a small list."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from markupsafe import Markup

from opportune.console.parts.shown import joined

Head = str | tuple[str, str]
"""The name of a column, or its name and what it means."""


def table(
    name: str, heads: Sequence[Head], rows: Iterable[Sequence[object]], right: Container[int] = (), dense: bool = False
) -> Markup:
    """Return a table. `name` is what a screen reader says of it; `right` are the columns of numbers, counted from 0.

    `dense`: where rows are many, the first cell names each; on a phone the others stand behind each other below it.

    >>> table("Sums", ["what", ("sum", "in EUR")], [("<b>", 3)], right={1})[-44:]
    Markup('<div>3</div></td></tr></tbody></table></div>')
    """
    kinds = [Markup(' class="right nowrap"') if i in right else "" for i in range(len(heads))]
    names = [head if isinstance(head, str) else head[0] for head in heads]
    drawn = joined(_head(head, kind) for head, kind in zip(heads, kinds, strict=True))
    body = joined(
        Markup("<tr>{}</tr>").format(
            joined(
                Markup('<td{} data-head="{}"><div>{}</div></td>').format(kind, name, cell)
                for name, cell, kind in zip(names, row, kinds, strict=True)
            )
        )
        for row in rows
    )
    return Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table class="plain stacks{}" '
        'aria-label="{}"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(" dense" if dense else "", name, drawn, body)


def _head(head: Head, kind: str) -> Markup:
    name, meaning = (head, "") if isinstance(head, str) else head
    told = Markup(' title="{}"').format(meaning) if meaning else Markup("")
    return Markup('<th scope="col"{}{}>{}</th>').format(kind, told, name)
