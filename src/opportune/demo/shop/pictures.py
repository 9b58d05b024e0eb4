"""Pictures of the goods, drawn: a shape by kind on a quiet ground; books have their title on the cover."""

from __future__ import annotations

import textwrap
import zlib
from importlib.resources import files

from opportune.api.pages.markup import Html, Inner, tag
from opportune.demo.shop.goods import Product
from opportune.demo.shop.site import Answer, Ask, Shop

GROUNDS = (
    ("#dfe9f2", "#0b4f7d"), ("#f4e6d3", "#8a4b08"), ("#dcefe7", "#0b5f4a"), ("#efe1ea", "#7a3563"),
    ("#e6e6f3", "#3d3f87"), ("#f1ead0", "#6b5a10"),
)  # fmt: skip
"""Grounds and inks; each pair differs in lightness, so it can be told apart without its color."""

_LINES = files(__package__).joinpath("drawings/shapes.txt").read_text("utf-8").splitlines()

SHAPES = dict(line.split(" ", 1) for line in _LINES)
"""What stands for a kind of product: a path within 240 by 240."""



def picture(shop: Shop, ask: Ask) -> Answer:
    """Return the picture of a product."""
    drawn = draw(shop.product(ask.one().removesuffix(".svg")))
    return Answer(drawn.encode(), media="image/svg+xml", cache="public, max-age=3600")


def draw(one: Product) -> Html:
    """Return the picture of a product, the same each time."""
    ground, ink = GROUNDS[zlib.crc32(one.id.encode()) % len(GROUNDS)]
    inner = _cover(one, ground, ink) if one.picture == "book" else _shape(one, ground, ink)
    return tag("svg", tag("rect", width="240", height="240", fill=ground), inner, xmlns="http://www.w3.org/2000/svg",
               viewBox="0 0 240 240", role="img")  # fmt: skip


def _shape(one: Product, ground: str, ink: str) -> Inner:
    shape = tag("path", d=SHAPES.get(one.picture, SHAPES["card"]), fill=ink, fill_rule="evenodd")
    if one.picture == "phone":
        return [shape, tag("rect", x="82", y="52", width="76", height="128", rx="3", fill=ground, opacity=".92"),
                tag("circle", cx="120", cy="190", r="4", fill=ground)]  # fmt: skip
    if one.picture == "plan":
        return [shape, tag("rect", x="92", y="106", width="56", height="64", rx="8", fill=ground),
                tag("path", d="M92 128h56M92 148h56M120 106v64", stroke=ink, stroke_width="4")]  # fmt: skip
    if one.picture == "card":
        return [shape, tag("path", d="M64 96h48M64 112h30", stroke=ground, stroke_width="5")]
    return shape


def _cover(one: Product, ground: str, ink: str) -> Inner:
    lines = textwrap.wrap(one.title, 12)[:4] or [""]
    size = 19 if max(map(len, lines)) < 11 else 16
    font = {"font_family": "Georgia, 'Noto Serif', serif", "text_anchor": "middle", "fill": ground}
    title = [
        tag("text", line, x="122", y=str(84 + 25 * n), font_size=str(size), **font) for n, line in enumerate(lines)
    ]
    return [
        tag("rect", x="58", y="28", width="128", height="184", rx="3", fill=ink),
        tag("rect", x="58", y="28", width="9", height="184", fill=ground, opacity=".28"),
        tag("path", d="M88 52h68M88 190h68", stroke=ground, stroke_width="1.5"), title,
        tag("text", one.by.rpartition(" ")[2], x="122", y="178", font_size="11", letter_spacing="1", **font),
    ]  # fmt: skip
