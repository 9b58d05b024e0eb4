"""A report as one HTML page without a single request to anywhere, and as the body of an e-mail. Pure.

What the catalog and customers say is text in these pages and never markup: everything is escaped but our own drawings.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from opportune.clock import format_instant
from opportune.reports.drawing import DARK, LIGHT, Drawing
from opportune.reports.report import Report, plain
from opportune.reports.svg import svg

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

CLOSING = "The page with the plots, and where each number comes from, is attached."


def html(report: Report) -> bytes:
    """Return a report as a page: for phones and desks, light and dark, screen readers and paper."""
    made = _template("page.html").render(
        report=report, as_of=format_instant(report.as_of), light=LIGHT, dark=DARK, svg=_drawn
    )
    return made.encode()


def mail_html(report: Report) -> str:
    """Return a report as the HTML part of an e-mail: its sentences and tables, every style where it is used."""
    return _template("mail.html").render(report=report, as_of=format_instant(report.as_of), closing=CLOSING)


def text(report: Report) -> str:
    """Return a report as plain text, as the command line and the text part of an e-mail have it."""
    lines = [report.title, f"{report.period}, as of {format_instant(report.as_of)}, data {report.version}"]
    for section in report.sections:
        lines += ["", section.title, "-" * len(section.title)]
        lines += [plain(sentence) for sentence in section.sentences]
        lines += [f"> {section.following}"] * bool(section.following)
        for table in section.tables:
            rows = [[column.title for column in table.columns], *([plain(cell) for cell in row] for row in table.rows)]
            widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
            lines += ["", f"{table.caption}:"]
            for row in rows:
                cells = (
                    f"{cell:>{width}}" if column.numeric else f"{cell:{width}}"
                    for cell, width, column in zip(row, widths, table.columns, strict=True)
                )
                lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)


def _drawn(drawing: Drawing, title: str) -> Markup:
    from markupsafe import Markup

    return Markup(svg(drawing, title))  # it escapes what it is given


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(files("opportune.reports").joinpath(name).read_text("utf-8"))
