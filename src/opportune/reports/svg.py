"""Drawings as SVG, whose colors the style of the page around them says, so that they follow light and dark. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from opportune.reports.drawing import Area, Dot, Drawing, Line, Shape, Words


def svg(drawing: Drawing, title: str) -> str:
    """Return a drawing as an SVG element that is as wide as its place; `title` says what it shows.

    >>> svg(Drawing(10, 5, (Dot(5, 2.5, 1, "first"),)), "A <dot>")[-91:]
    '<title>A &lt;dot&gt;</title><circle cx="5" cy="2.5" r="1" style="fill:var(--first)"/></svg>'
    """
    shapes = "".join(_shape(shape) for shape in drawing.shapes)
    box = f"0 0 {_n(drawing.width)} {_n(drawing.height)}"
    return (
        f'<svg viewBox="{box}" role="img" aria-label={quoteattr(title)} xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title>{shapes}</svg>"
    )


def _shape(shape: Shape) -> str:
    if isinstance(shape, Line):
        dashes = ";stroke-dasharray:4 3" if shape.dashed else ""
        style = f"fill:none;stroke:var(--{shape.color});stroke-width:{_n(shape.width)}{dashes}"
        return f'<polyline points="{_points(shape.points)}" style="{style};stroke-linejoin:round"/>'
    if isinstance(shape, Area):
        style = f"fill:var(--{shape.color});fill-opacity:{_n(shape.opacity)}"
        return f'<polygon points="{_points(shape.points)}" style="{style}"/>'
    if isinstance(shape, Dot):
        at = f'cx="{_n(shape.x)}" cy="{_n(shape.y)}" r="{_n(shape.radius)}"'
        return f'<circle {at} style="fill:var(--{shape.color})"/>'
    return _words(shape)


def _words(shape: Words) -> str:
    weight = ";font-weight:600" if shape.bold else ""
    style = f"fill:var(--{shape.color});font-size:{_n(shape.size)}px;text-anchor:{shape.anchor}{weight}"
    return f'<text x="{_n(shape.x)}" y="{_n(shape.y)}" style="{style}">{escape(shape.text)}</text>'


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _n(value: float) -> str:
    """Return a coordinate with as few characters as it takes, the same on every machine.

    >>> _n(1.0), _n(2.345678), _n(-0.001)
    ('1', '2.35', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
