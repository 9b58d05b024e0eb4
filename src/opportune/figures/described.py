"""What the figures are, for people: the part of `docs/figures.md` that is made of the headers of the SQL files."""

from __future__ import annotations

from opportune.figures.header import NAMES, header

BEGIN, END = "<!-- from the headers of the SQL files -->", "<!-- end -->"


def described() -> str:
    """Return the description of all figures as Markdown."""
    lines = list[str]()
    for name in NAMES:
        told = header(name)
        better = "more" if told.direction == "up" else "less"
        lines += [
            f"### {told.title}: `{name}`", "", told.meaning, "",
            f"- unit: {told.unit}; {better} is better", f"- grain: {told.grain}",
            f"- by: {', '.join(f'`{one}`' for one in told.dimensions)}", f"- reference: {told.reference}", "",
        ]  # fmt: skip
    return "\n".join(lines)
