"""Letters: what is on which page, where, in which font."""

from __future__ import annotations

import re
import zlib
from base64 import a85decode
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from opportune.deliver.forms import open_form
from opportune.deliver.forms.contract import PERSON
from opportune.deliver.forms.letter_sheet import A4, LETTER, MM, Sheet
from opportune.deliver.forms.letter_text import blocks_of, markup
from opportune.deliver.render.templates import BadTemplate, RenderFailed, Templates

DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
TEXT = "Dear {{ customer.first_name }},\n\nthis is **bold** and *slanted*:\n\n- one\n- two & <three>\n\nYours"


def letter(person: dict[str, Any] | None = None, **content: Any) -> dict[str, Any]:
    given = {"subject": "Your plan", "text": TEXT, **content}
    return open_form("letter").compile(given, "de", Templates({}, "de")).render({**PERSON, **(person or {})})


class Word(NamedTuple):
    text: str
    x: float
    y: float
    """Millimeters from the left and from the top."""


def pages_of(pdf: bytes, sheet: Sheet = A4) -> list[list[Word]]:
    """Return the texts of each page with their places: a reader of just what reportlab writes."""
    objects = {int(n): body for n, body in re.findall(rb"\n(\d+) 0 obj\n(.*?)endobj", pdf, re.DOTALL)}
    streams = {n: _stream(body) for n, body in objects.items() if b">>\nstream\n" in body}
    pages = []
    for body in objects.values():
        if b"/Type /Page\n" in body or re.search(rb"/Type /Page[ \n/]", body):
            fonts = _fonts(body, objects, streams)
            pages.append(_words(streams[int(re.search(rb"/Contents (\d+)", body)[1])], fonts, sheet))  # type: ignore[index]
    return pages


def _stream(body: bytes) -> bytes:
    data = body.split(b"stream\n", 1)[1].rsplit(b"endstream", 1)[0].strip()
    if b"ASCII85" in body:
        data = a85decode(data.removesuffix(b"~>"))
    return zlib.decompress(data) if b"FlateDecode" in body else data


def _fonts(page: bytes, objects: dict[int, bytes], streams: dict[int, bytes]) -> dict[bytes, dict[int, str]]:
    number = re.search(rb"/Font (\d+) 0 R", page)
    listed = objects[int(number[1])] if number else page
    fonts: dict[bytes, dict[int, str]] = {}
    for name, at in re.findall(rb"/(F\d+\+?\d*) (\d+) 0 R", listed):
        found = re.search(rb"/ToUnicode (\d+)", objects[int(at)])
        table = streams[int(found[1])] if found else b""
        codes = re.findall(rb"<(\w\w)> <(\w{4})>", table)
        fonts[name] = {int(code, 16): chr(int(char, 16)) for code, char in codes}
        for first, last, values in re.findall(rb"<(\w\w)> <(\w\w)> \[(.*?)\]", table, re.DOTALL):
            chars = re.findall(rb"<(\w+)>", values)
            fonts[name] |= {int(first, 16) + i: chr(int(char, 16)) for i, char in enumerate(chars)}
            assert int(last, 16) - int(first, 16) + 1 == len(chars)
    return fonts


def _words(stream: bytes, fonts: dict[bytes, dict[int, str]], sheet: Sheet) -> list[Word]:
    words: list[Word] = []
    origin, place, font = [(0.0, 0.0)], (0.0, 0.0), b""
    for token in re.finditer(
        rb"(?P<q>\bq\b)|(?P<Q>\bQ\b)|"
        rb"1 0 0 1 (?P<x>[\d.-]+) (?P<y>[\d.-]+) (?P<how>cm|Tm)|/(?P<font>F\d+\+?\d*) [\d.]+ Tf|"
        rb"\((?P<text>(?:\\.|[^\\()])*)\) Tj", stream, re.DOTALL
    ):  # fmt: skip
        if token["q"]:
            origin.append(origin[-1])
        elif token["Q"]:
            origin.pop()
        elif token["how"] == b"cm":
            origin[-1] = (origin[-1][0] + float(token["x"]), origin[-1][1] + float(token["y"]))
        elif token["how"]:
            place = (float(token["x"]), float(token["y"]))
        elif token["font"]:
            font = token["font"]
        else:
            raw = re.sub(
                rb"\\([0-7]{3})|\\(.)",
                lambda m: bytes([int(m[1], 8)]) if m[1] else {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(m[2], m[2]),
                token["text"],
            )
            text = "".join(fonts[font].get(code, chr(code)) for code in raw)
            words.append(Word(text, (origin[-1][0] + place[0]) / MM, sheet.height - (origin[-1][1] + place[1]) / MM))
    return words


def test_the_same_letter_is_the_same_file() -> None:
    first, second = letter(), letter()
    assert first["pages"] == 1
    assert first["pdf"] == second["pdf"]
    assert first["pdf"] != letter(subject="Another")["pdf"]
    assert first["pdf"].startswith(b"%PDF-")
    assert re.search(rb"/MediaBox \[ 0 0 595\.2\d+ 841\.8\d+", first["pdf"])


@pytest.mark.parametrize(("paper", "sheet"), [("a4", A4), ("letter", LETTER)])
def test_the_window_shows_the_address_and_nothing_else(paper: str, sheet: Sheet) -> None:
    text = TEXT + "\n\nMore words." * 40
    (first, *_) = pages_of(letter(paper=paper, text=text, reference="No. 17")["pdf"], sheet)
    box = sheet.address
    inside = [
        w.text for w in first if box.left - 5 <= w.x < box.left + box.width and box.top <= w.y <= box.top + box.height
    ]
    assert inside == ["Maya Stone", "Long Street 12", "10115 Berlin"]
    above = [w for w in first if w.text.startswith("Acme · Street 1")]
    assert len(above) == 1
    assert sheet.sender_line.top < above[0].y <= sheet.address.top
    (subject,) = [w for w in first if w.text == "Your plan"]
    assert sheet.text_top < subject.y < sheet.text_top + 6
    assert all(w.y < sheet.height - sheet.bottom for w in first)
    assert all(w.x >= sheet.left - 0.01 for w in first)
    assert {"No. 17", "1 March 2026"} <= {w.text for w in first}


def test_form_b_stands_where_din_5008_says() -> None:
    # the window is 85 x 45 mm at 20 and 45 mm; folds at 105 and 210 mm, the middle at 148.5 mm
    assert A4.sender_line.top >= 45
    assert A4.address.left >= 20
    assert A4.address.top + A4.address.height <= 90
    assert A4.address.left + A4.address.width <= 105
    lines = re.findall(rb"n ([\d.]+) ([\d.]+) m ([\d.]+) ([\d.]+) l", _all_streams(letter()["pdf"]))
    marks = {round(297 - float(y) / MM, 1) for x, y, _, _ in lines if float(x) / MM < 10}
    assert marks == {105.0, 148.5, 210.0}


def _all_streams(pdf: bytes) -> bytes:
    bodies = re.findall(rb"\n\d+ 0 obj\n(.*?)endobj", pdf, re.DOTALL)
    return b"\n".join(_stream(body) for body in bodies if b">>\nstream\n" in body)


def test_pages_are_numbered_from_the_second_on() -> None:
    made = letter(text="Dear all,\n\n" + "Words and words. " * 40 + ("\n\n" + "More words here. " * 40) * 12)
    pages = pages_of(made["pdf"])
    assert len(pages) == made["pages"] >= 3
    numbers = [[w.text for w in page if re.fullmatch(r"\d+ / \d+", w.text)] for page in pages]
    assert numbers == [[], *[[f"{n} / {len(pages)}"] for n in range(2, len(pages) + 1)]]
    assert not any("Street 1" in w.text for page in pages[1:] for w in page)


def test_fonts_are_embedded_and_what_they_lack_is_named() -> None:
    made = letter()["pdf"]
    assert made.count(b"/FontFile2") >= 3  # regular, bold, italic
    assert b"Helvetica" not in made  # nothing that the printer would have to have
    with pytest.raises(RenderFailed) as failed:
        letter(person={"customer": {**PERSON["customer"], "first_name": "漢字"}})
    assert failed.value.failure.field == "text"
    assert "漢 (U+6F22)" in failed.value.failure.what


@pytest.mark.skipif(not DEJAVU.exists(), reason="no DejaVu on this machine")
def test_a_font_of_ones_own() -> None:
    made = letter(font=str(DEJAVU), subject="Żółć и ещё")
    assert any(w.text == "Żółć и ещё" for w in pages_of(made["pdf"])[0])
    bold = {"regular": str(DEJAVU), "bold": str(DEJAVU.with_name("DejaVuSans-Bold.ttf"))}
    assert letter(font=bold)["pdf"].count(b"/FontFile2") >= 2
    with pytest.raises(RenderFailed, match="has no"):  # a bold Ż would be a box
        letter(font={"regular": str(DEJAVU), "bold": "VeraBd.ttf"}, subject="Żółć и ещё")
    with pytest.raises(RenderFailed, match="right to left"):
        letter(font=str(DEJAVU), subject="שלום")


def test_what_cannot_be_a_letter() -> None:
    for content, what in (
        ({"paper": "a5"}, "unknown paper `a5`"),
        ({"font": "/nowhere.ttf"}, "not a TrueType font"),
        ({"font": {"bold": "x"}}, "other faces"),
        ({"text": ""}, "no `text`"),
        ({"attachment": "x"}, "unknown field"),
    ):
        with pytest.raises(BadTemplate, match=what):
            letter(**content)


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("{{ customer.name }}", "no address"),
        ("a\nb\nc\nd\ne\nf\ng", "7 lines; the window shows 6"),
        ("Maya\n" + "x" * 500, "lines; the window shows 6"),
    ],
)
def test_an_address_that_the_window_cannot_show(address: str, what: str) -> None:
    with pytest.raises(RenderFailed, match=what) as failed:
        letter(address=address)
    assert failed.value.failure.field == "address"


def test_an_address_in_one_line_is_parted_at_its_commas() -> None:
    pdf = letter(person={"traits": {"address": "Long Street 12, 10115 Berlin"}})["pdf"]
    assert {"Long Street 12", "10115 Berlin"} <= {w.text for w in pages_of(pdf)[0]}


def test_the_date_is_in_the_language_of_who_reads_it() -> None:
    def date(language: str) -> str:
        person = {"customer": {**PERSON["customer"], "language": language, "locale": language}}
        return next(w.text for w in pages_of(letter(person)["pdf"])[0] if "2026" in w.text)

    assert (date("en"), date("de"), date("fr")) == ("March 1, 2026", "1. März 2026", "1 mars 2026")
    assert date("ar") == date("ja") == "1. März 2026"  # what the font cannot set stays in the letter's language
    assert "1. März 2026" in {w.text for w in pages_of(letter(date="{{ now | date: 'long' }}")["pdf"])[0]}


def test_the_address_is_told_as_it_is_shown() -> None:
    assert letter()["address"] == ["Maya Stone", "Long Street 12", "10115 Berlin"]
    home = {"street": "Long Street 12", "postalCode": 10115, "city": "Berlin", "country": "DE", "state": None}
    for content in ({}, {"address": "{{ customer.name }}\n{{ traits.address }}"}):
        made = letter({"traits": {"address": home}}, **content)
        assert made["address"] == ["Maya Stone", "Long Street 12", "10115 Berlin", "Deutschland"]
        assert {*made["address"]} <= {w.text for w in pages_of(made["pdf"])[0]}
    parts = "{{ customer.name }}\n{{ traits.address.street }}\n{{ traits.address.city }}"
    assert letter({"traits": {"address": home}}, address=parts)["address"][1:] == ["Long Street 12", "Berlin"]
    with pytest.raises(RenderFailed, match="no address"):
        letter({"traits": {"address": {"planet": "Mars"}}})


@pytest.mark.parametrize("name", ["Maximiliana-" * 10, "Maximiliana " * 10, "x" * 120, "-" * 120, "W" * 60 + " a-b"])
def test_long_names_wrap(name: str) -> None:
    person = {"customer": {**PERSON["customer"], "name": name, "first_name": name}}
    made = letter(person, reference="For {{ customer.name }}")
    lines = made["address"]
    assert 3 < len(lines) <= 6
    assert "".join(lines[:-2]).replace(" ", "") == name.replace(" ", "")
    shown = [w for w in pages_of(made["pdf"])[0] if w.text in lines]
    assert [w.text for w in shown if w.x < 30 and w.y < 95] == lines
    if "Maximiliana" in name:
        assert all(line.rstrip("-").endswith("Maximiliana") for line in lines[:-2])


@pytest.mark.parametrize(
    ("content", "name", "data"),
    [
        ({}, "漢字", True),
        ({}, "שלום", True),
        ({"text": "漢字 {{ customer.name }}"}, "漢字", False),
        ({"text": "{{ customer.name | default: '漢' }}"}, "", False),
        ({"subject": "שלום"}, "Maya", False),
        ({"address": "{{ customer.name }}"}, "Maya", False),
        ({"address": "{{ customer.name }}\n{{ traits.street }}"}, "Maya", True),
        ({"address": "a\nb\nc\nd\ne\nf\ng"}, "Maya", False),
        ({}, "x" * 500, True),
    ],
)
def test_what_is_at_fault_is_told(content: dict[str, Any], name: str, data: bool) -> None:
    with pytest.raises(RenderFailed) as failed:
        letter({"customer": {**PERSON["customer"], "name": name, "first_name": name}}, **content)
    assert failed.value.failure.data is data


def test_light_markdown() -> None:
    blocks = blocks_of("Dear Maya,\nline two\n\nList:\n- one\n  goes on\n* two\n1. first\n2) second\nafter\n\nEnd")
    assert [(b.kind, b.markup, b.mark) for b in blocks] == [
        ("paragraph", "Dear Maya,<br/>line two", ""), ("paragraph", "List:", ""), ("item", "one goes on", "•"),
        ("item", "two", "•"), ("item", "first", "1."), ("item", "second", "2."),
        ("paragraph", "after", ""), ("paragraph", "End", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["**a *b** c*", "*a **b* c**", "***x***", "**", "* a *", "<b>&", "a**b**c", "**a** **b** *c*", "*a*b*"]
)
def test_markup_is_always_well_formed(text: str) -> None:
    made = markup(text)
    assert letter(text=f"Dear Maya,\n\n{text}")["pages"] == 1
    stack: list[str] = []
    for end, tag in re.findall(r"<(/?)(\w+)>", made):
        assert not end or stack.pop() == tag
        if not end:
            stack.append(tag)
    assert not stack
