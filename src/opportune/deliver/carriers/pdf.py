"""Several PDF files as one, page after page: for files as ReportLab writes them, with one plain table of objects.

Every object gets a new number and every reference follows; nothing is decoded or drawn again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import BinaryIO

from opportune.errors import BadInput

_TABLE = re.compile(rb"xref\s+0 (\d+)\s+")
_ROOT = re.compile(rb"/Root (\d+) 0 R")
_PAGES = re.compile(rb"/Pages (\d+) 0 R")
_COUNT = re.compile(rb"/Count (\d+)")
_STREAM = re.compile(rb">>\s*stream\r?\n")
_REFERENCE = re.compile(rb"(\((?:[^()\\]|\\.)*\))|(?<![\w.])(\d+) 0 R\b", re.DOTALL)
"""A text in parentheses, which may look like a reference, or a reference."""

_FIRST = 3
"""The number of the first copied object: 1 is the catalog of the whole, 2 the root of all pages."""


def concatenate(files: Iterable[bytes], out: BinaryIO) -> list[int]:
    """Write the files one after another as one PDF and return how many pages each has; only one is held at a time.

    Raises `BadInput` for what is no such PDF.
    """
    places: list[int] = []
    trees: list[int] = []
    pages: list[int] = []
    out.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    for data in files:
        objects, tree = _objects(data)
        shift = _FIRST - 1 + len(places)
        pages.append(int(_found(_COUNT, objects[tree - 1])))
        trees.append(tree + shift)
        for number, body in enumerate(objects, 1):
            places.append(out.tell())
            moved = _moved(body, shift)
            if number == tree:
                moved = moved.replace(b"<<", b"<< /Parent 2 0 R", 1)
            out.write(b"%d 0 obj\n" % (number + shift) + moved + b"\nendobj\n")
    kids = b" ".join(b"%d 0 R" % tree for tree in trees)
    first = [out.tell()]
    out.write(b"1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n")
    first.append(out.tell())
    out.write(b"2 0 obj\n<< /Type /Pages /Count %d /Kids [ %b ] >>\nendobj\n" % (sum(pages), kids))
    start, size = out.tell(), len(places) + _FIRST
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % size)
    for place in (*first, *places):
        out.write(b"%010d 00000 n \n" % place)
    out.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start))
    return pages


def _objects(data: bytes) -> tuple[list[bytes], int]:
    """Return the objects of a file, from number 1, without their numbers; and the number of the root of its pages."""
    tail = data.rfind(b"startxref")
    start = re.match(rb"startxref\s+(\d+)", data[tail:]) if tail >= 0 else None
    table = _TABLE.match(data, int(start[1])) if start else None
    if table is None:
        raise BadInput("this is no PDF with a plain table of objects; only those of the form `letter` can be joined")
    count = int(table[1])
    entries = [data[table.end() + 20 * n : table.end() + 20 * n + 20] for n in range(1, count)]
    if any(not re.match(rb"\d{10} 00000 n", entry) for entry in entries):
        raise BadInput("this PDF has removed or compressed objects; only those of the form `letter` can be joined")
    places = [int(entry[:10]) for entry in entries]
    ends = dict(zip(sorted(places), [*sorted(places)[1:], int(start[1]) if start else 0]))
    objects = []
    for number, place in enumerate(places, 1):
        begin = re.compile(rb"%d 0 obj\s" % number).match(data, place)
        end = data.rfind(b"endobj", place, ends[place])
        if begin is None or end < 0:
            raise BadInput(f"object {number} of this PDF is not where its table says; it is damaged")
        objects.append(data[begin.end() : end].rstrip())
    root = int(_found(_ROOT, data[table.end() + 20 * (count - 1) : tail]))
    return objects, int(_found(_PAGES, objects[root - 1]))


def _moved(body: bytes, shift: int) -> bytes:
    """Return an object with its references moved; streams hold no references."""
    stream = _STREAM.search(body)
    end = stream.start() if stream else len(body)
    return _REFERENCE.sub(lambda m: m[1] or b"%d 0 R" % (int(m[2]) + shift), body[:end]) + body[end:]


def _found(pattern: re.Pattern[bytes], text: bytes) -> bytes:
    found = pattern.search(text)
    if found is None:
        raise BadInput(f"this PDF has no {pattern.pattern.split()[0].decode()}; it is damaged")
    return found[1]
