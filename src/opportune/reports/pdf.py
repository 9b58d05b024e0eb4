"""A report as a PDF: the same sentences and tables, and the drawings as vectors. The same report is the same bytes."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from opportune.clock import format_instant
from opportune.deliver.forms.letter_fonts import SHIPPED, Family, family
from opportune.reports.drawing import LIGHT, Area, Dot, Drawing, Line
from opportune.reports.report import Plot, Report, Section, Source, Table, Text, plain

MARGIN = 56.0
PADDING = 6.0
"""Of a frame of reportlab, inside of its margins."""

QUERIES = (
    "Each query is named by its file and the SHA-256 of its text; the text itself is at the end of the HTML of this "
    "report, which is of the same numbers."
)


def pdf(report: Report) -> bytes:
    """Return a report as a PDF of A4 pages, without the text of its queries.

    A character that its font (Bitstream Vera) lacks is shown as `?`.
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    out, styles = BytesIO(), _Styles(family(SHIPPED))
    document = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN,
        title=f"{report.title}: {report.period}", author="Opportune", lang="en", invariant=1,
        initialFontName=styles.font.regular,
    )  # fmt: skip
    width = A4[0] - 2 * (MARGIN + PADDING)
    story: list[Any] = [
        styles.paragraph(report.title, "title"),
        styles.paragraph(report.period, "text"),
        styles.paragraph(f"As of {format_instant(report.as_of)} · data {report.version} · catalog "
                         f"{report.catalog[:12] or 'none'}", "quiet"),
    ]  # fmt: skip
    for section in report.sections:
        story += _section(section, styles, width)
    story += [styles.heading("Where the numbers come from", "sources"), styles.paragraph(QUERIES, "quiet")]
    for source in report.sources:
        story += _source(source, styles)
    footer = partial(_footer, styles=styles, told=styles.known(f"{report.title}, {report.period}"))
    document.build(story, onFirstPage=footer, onLaterPages=footer)
    return out.getvalue()


class _Styles:
    """How texts are set."""

    def __init__(self, font: Family) -> None:
        from reportlab.lib.colors import HexColor
        from reportlab.lib.styles import ParagraphStyle

        self.font = font
        base = ParagraphStyle("text", fontName=font.regular, fontSize=9.5, leading=14, spaceAfter=4,
                              textColor=HexColor(LIGHT["ink"]), splitLongWords=1)  # fmt: skip
        quiet = HexColor(LIGHT["quiet"])
        self._styles = {
            "text": base,
            "title": ParagraphStyle("title", base, fontName=font.bold, fontSize=18, leading=23, spaceAfter=4),
            "heading": ParagraphStyle("heading", base, fontName=font.bold, fontSize=13, leading=17, spaceBefore=16,
                                      spaceAfter=5, keepWithNext=1),
            "source": ParagraphStyle("source", base, fontName=font.bold, fontSize=9.5, spaceBefore=10, spaceAfter=2,
                                     keepWithNext=1),
            "quiet": ParagraphStyle("quiet", base, fontSize=8, leading=11, textColor=quiet),
            "caption": ParagraphStyle("caption", base, fontSize=8, leading=11, textColor=quiet, spaceBefore=8,
                                      keepWithNext=1),
            "cell": ParagraphStyle("cell", base, fontSize=8, leading=11, spaceAfter=0),
            "number": ParagraphStyle("number", base, fontSize=8, leading=11, spaceAfter=0, alignment=2),
            "head": ParagraphStyle("head", base, fontSize=8, leading=11, spaceAfter=0, textColor=quiet),
            "headn": ParagraphStyle("headn", base, fontSize=8, leading=11, spaceAfter=0, textColor=quiet, alignment=2),
            "next": ParagraphStyle("next", base, leftIndent=10, borderPadding=0, textColor=HexColor(LIGHT["first"])),
            "small": ParagraphStyle("small", base, fontSize=6.5, leading=8.5, textColor=quiet, spaceAfter=1),
        }  # fmt: skip

    def known(self, text: str) -> str:
        """Return a text without what the font cannot show."""
        return "".join(c if c in self.font.characters else " " if c.isspace() else "?" for c in text)

    def marked(self, text: Text) -> str:
        """Return a text with its numbers as links."""
        return "".join(
            escape(self.known(piece)) if isinstance(piece, str) else _link(escape(self.known(piece.text)), piece.source)
            for piece in text
        )

    def paragraph(self, text: str | Text, style: str) -> Any:
        from reportlab.platypus import Paragraph

        return Paragraph(self.marked((text,) if isinstance(text, str) else text), self._styles[style])

    def heading(self, title: str, anchor: str, style: str = "heading") -> Any:
        from reportlab.platypus import Paragraph

        return Paragraph(f'<a name="{escape(anchor)}"/>{escape(self.known(title))}', self._styles[style])


def _link(text: str, source: str) -> str:
    return f'<a href="#source-{escape(source)}" color="{LIGHT["first"]}">{text}</a>' if source else text


def _section(section: Section, styles: _Styles, width: float) -> list[Any]:
    from reportlab.platypus import KeepTogether

    front: list[Any] = [styles.heading(section.title, section.id)]
    front += [styles.paragraph(sentence, "text") for sentence in section.sentences]
    if section.following:
        front.append(styles.paragraph(f"Next: {section.following}", "next"))
    made = front
    if section.plots:  # a plot without its heading says nothing
        made = [KeepTogether([*front, *_plot(section.plots[0], styles)])]
        made += [KeepTogether(_plot(plot, styles)) for plot in section.plots[1:]]
    for table in section.tables:
        made += [styles.paragraph(table.caption, "caption"), _table(table, styles, width)]
    return made


def _plot(plot: Plot, styles: _Styles) -> list[Any]:
    return [drawn(plot.drawing, styles.font, styles.known), styles.paragraph(plot.caption, "quiet")]


def _table(table: Table, styles: _Styles, width: float) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table as Grid

    rows = [[styles.paragraph(c.title, "headn" if c.numeric else "head") for c in table.columns]]
    for row in table.rows:
        rows.append([
            styles.paragraph(cell, "number" if column.numeric else "cell")
            for cell, column in zip(row, table.columns, strict=True)
        ])  # fmt: skip
    grid = Grid(rows, colWidths=_widths(table, width), repeatRows=1)
    grid.setStyle([
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor(LIGHT["grid"])), ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 8),
        ("TOPPADDING", (0, 0), (-1, -1), 3), ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
    ])  # fmt: skip
    return grid


def _widths(table: Table, width: float) -> list[float]:
    """Return widths of columns by what stands in them, within reason."""
    longest = [
        min(max([len(column.title), *(len(plain(row[i])) for row in table.rows)]), 34) + 3
        for i, column in enumerate(table.columns)
    ]
    return [width * one / sum(longest) for one in longest]


def _source(source: Source, styles: _Styles) -> list[Any]:
    told = [
        f"{source.file}, SHA-256 {source.sha256}", "; ".join(f"{name}: {value}" for name, value in source.parameters),
        f"data version {source.version}, facts {source.span[0]} to {source.span[1]}",
        *([f"experiment {source.experiment}"] if source.experiment else []),
    ]  # fmt: skip
    return [
        styles.heading(source.title, f"source-{source.id}", "source"),
        *(styles.paragraph(line, "small") for line in told),
    ]  # fmt: skip


def drawn(drawing: Drawing, font: Family, known: Any = str) -> Any:
    """Return a drawing as reportlab's, on white."""
    from reportlab.graphics import shapes
    from reportlab.lib.colors import HexColor

    made, height = shapes.Drawing(drawing.width, drawing.height), drawing.height
    for shape in drawing.shapes:
        color = HexColor(LIGHT[shape.color])
        if isinstance(shape, Line):
            flat = [part for x, y in shape.points for part in (x, height - y)]
            made.add(shapes.PolyLine(flat, strokeColor=color, strokeWidth=shape.width,
                                     strokeDashArray=[4, 3] if shape.dashed else None))  # fmt: skip
        elif isinstance(shape, Area):
            flat = [part for x, y in shape.points for part in (x, height - y)]
            made.add(shapes.Polygon(flat, fillColor=color, fillOpacity=shape.opacity, strokeColor=None))
        elif isinstance(shape, Dot):
            made.add(shapes.Circle(shape.x, height - shape.y, shape.radius, fillColor=color, strokeColor=color))
        else:
            face = font.bold if shape.bold else font.regular
            # Vera runs wider than the fonts of a page
            made.add(shapes.String(shape.x, height - shape.y, known(shape.text), fontName=face,
                                   fontSize=shape.size * 0.86, fillColor=color, textAnchor=shape.anchor))  # fmt: skip
    return made


def _footer(canvas: Any, document: Any, styles: _Styles, told: str) -> None:
    from reportlab.lib.colors import HexColor

    canvas.saveState()
    canvas.setFont(styles.font.regular, 7)
    canvas.setFillColor(HexColor(LIGHT["quiet"]))
    canvas.drawString(MARGIN + PADDING, MARGIN / 2, told)
    canvas.drawRightString(document.pagesize[0] - MARGIN - PADDING, MARGIN / 2, str(document.page))
    canvas.restoreState()
