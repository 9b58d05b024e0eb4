"""Files, audiences and letters are there once each, whole, wherever the power fails."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.catalog.types import Channel
from opportune.clock import DAY
from opportune.deliver.carriers import Carrier, Refused, TryLater, open_carrier
from opportune.deliver.carriers import audience as audience_module
from opportune.deliver.carriers.contract import CarrierContract, World
from opportune.deliver.carriers.csv_cells import row
from opportune.deliver.carriers.pdf import concatenate
from opportune.deliver.carriers.print import COLUMNS, Print, collect
from opportune.deliver.carriers.whole_file import file_name
from opportune.deliver.types import Message, Receipt
from opportune.errors import BadInput
from opportune.testing import START, FakeClock


def opened(folder: Path, via: str, form: str, clock: FakeClock | None = None) -> Any:
    return open_carrier(Channel("x", True, form, via, "to", None, {"folder": "out"}), {}, folder, clock or FakeClock())


def send(carrier: Carrier, *messages: Message) -> list[Receipt]:
    async def whole() -> list[Receipt]:
        return [await carrier.send(one) for one in messages]

    return asyncio.run(asyncio.wait_for(whole(), 20))


def blocked(folder: Path) -> Callable[[], None]:
    """Return what makes a folder impossible to write, for root too: a file takes its place."""

    def block() -> None:
        folder.rename(folder.with_name("was_there"))
        folder.write_text("")

    return block


# One file per message


def sms(n: int = 1, **content: Any) -> Message:
    return Message(f"01J{n}:keep:sms", "sms", f"+4930{n}", {"text": f"Grüße {n}", **content})


class TestFile(CarrierContract):
    """The contract of a folder of messages."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        def arrived() -> list[str]:
            found = [folder for folder in (tmp_path / "out", tmp_path / "was_there") if folder.is_dir()]
            return [json.loads(path.read_bytes())["key"] for folder in found for path in folder.glob("*.json")]

        return World(opened(tmp_path, "file", "sms"), sms, arrived, blocked(tmp_path / "out"))


def test_a_file_holds_the_message(tmp_path: Path) -> None:
    sent = Message("01J:a/../b:sms", "sms", "+49", {"text": "Hi", "pdf": b"\x00"}, "service", "de", {"X": "y"})
    (receipt,) = send(opened(tmp_path, "file", "sms"), sent)
    (path,) = (tmp_path / "out").iterdir()
    assert path.name == receipt.reference == "01J%3Aa%2F..%2Fb%3Asms.json"
    assert json.loads(path.read_bytes()) == {
        "key": sent.key, "channel": "sms", "to": "+49", "content": {"text": "Hi", "pdf": "AA=="}, "kind": "service",
        "language": "de", "headers": {"X": "y"},
    }  # fmt: skip


@given(st.text(min_size=1, max_size=400), st.text(min_size=1, max_size=400))
def test_the_name_of_a_file_is_the_keys_own(one: str, other: str) -> None:
    names = file_name(one), file_name(other)
    assert (names[0] == names[1]) is (one == other)
    for name in names:
        assert len(name.encode()) <= 220
        assert not set(name) & set('/\\:*?"<>|\0')


# Cells


@given(st.lists(st.text(st.sampled_from(" =+-@\t\r\n＝a,'\"") | st.characters(codec="utf-8"), max_size=9), min_size=1))
def test_no_cell_is_a_formula_and_none_is_lost(cells: list[str]) -> None:
    (read,) = csv.reader(io.StringIO(row(cells), newline=""))
    for cell, kept in zip(cells, read, strict=True):
        assert kept in (cell, f"'{cell}")
        assert not re.match(r"\s*[=+\-@＝＋－＠]|[\t\r\n]", kept)


# Audiences


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ad(n: int = 1, **content: Any) -> Message:
    hashed = {"list": "Spring sale", "email_sha256": digest(f"maya{n}@example.com"), "country": "DE", **content}
    return Message(f"01J{n}:keep:ads", "ads", f"maya{n}@example.com", hashed)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class TestAudience(CarrierContract):
    """The contract of audience files: a row is known by what it holds."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        key = {digest(f"maya{n}@example.com"): f"01J{n}:keep:ads" for n in range(100)}

        def arrived() -> list[str]:
            found = [folder for folder in (tmp_path / "out", tmp_path / "was_there") if folder.is_dir()]
            return [key[line["email_sha256"]] for folder in found for path in folder.iterdir() for line in rows(path)]

        bad = [(ad(list=""), False), (ad(email_sha256="maya@example.com"), False), (ad(email_sha256=None), False),
               (ad(phone_sha256="ABC"), False)]  # fmt: skip
        return World(opened(tmp_path, "file", "audience"), ad, arrived, blocked(tmp_path / "out"), bad)


def test_one_file_per_list_and_day_and_nothing_readable_in_it(tmp_path: Path) -> None:
    clock = FakeClock()
    carrier = opened(tmp_path, "file", "audience", clock)
    phone = ad(2, phone_sha256=digest("+4930"), postal_code="=1+1", extra="never")
    assert [r.reference for r in send(carrier, ad(1), phone, ad(3, list="a/b"))] == [
        "Spring%20sale-2026-01-01.csv", "Spring%20sale-2026-01-01.csv", "a%2Fb-2026-01-01.csv",
    ]  # fmt: skip
    clock.advance(DAY)
    send(carrier, ad(4))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "Spring%20sale-2026-01-01.csv", "Spring%20sale-2026-01-02.csv", "a%2Fb-2026-01-01.csv",
    ]  # fmt: skip
    first = rows(tmp_path / "out" / "Spring%20sale-2026-01-01.csv")
    assert list(first[0]) == list(audience_module.COLUMNS)
    assert [(line["email_sha256"], line["country"], line["postal_code"]) for line in first] == [
        (digest("maya1@example.com"), "DE", ""), (digest("maya2@example.com"), "DE", "'=1+1"),
    ]  # fmt: skip
    everything = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    for canary in (b"example.com", b"never", b"01J"):
        assert canary not in everything


def test_the_columns_are_those_of_the_form() -> None:
    from opportune.deliver.forms.audience import Audience
    from opportune.deliver.render.templates import Templates

    traits = {"email": "Maya.B@gmail.com", "phone": "+4930901820", "postal_code": "10115"}
    customer = {"first_name": "Maya", "last_name": "Bee", "country": "DE"}
    made = Audience().compile({"list": "spring"}, "en", Templates({}, "en"))
    content = made.render({"customer": customer, "traits": traits, "action": {}})
    assert set(content) == {"list", *audience_module.COLUMNS}


def test_a_row_that_was_torn_off_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send(opened(tmp_path, "file", "audience"), ad(1), ad(2))
    (path,) = (tmp_path / "out").iterdir()
    whole = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        send(opened(tmp_path, "file", "audience"), ad(1), ad(2), ad(1))
        assert path.read_bytes() == whole


def test_rows_share_a_commit_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    really = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(handle), really(handle)))
    carrier = opened(tmp_path, "file", "audience")

    async def whole() -> None:
        await asyncio.gather(*(carrier.send(ad(n)) for n in range(500)))

    asyncio.run(whole())
    assert len(rows(next((tmp_path / "out").iterdir()))) == 500
    assert len(synced) < 20


def test_when_the_disk_fails_all_that_shared_the_commit_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = opened(tmp_path, "file", "audience")
    send(carrier, ad(0))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    async def whole() -> list[Any]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(audience_module.os, "fsync", full)
            failed = await asyncio.gather(*(carrier.send(ad(n)) for n in range(20)), return_exceptions=True)
        await asyncio.gather(*(carrier.send(ad(n)) for n in range(20)))
        return failed

    failed = asyncio.run(whole())
    assert all(isinstance(one, TryLater) and "No space left" in one.what for one in failed[1:])
    assert len(rows(next((tmp_path / "out").iterdir()))) == 20


# Letters


def letter_pdf(n: int, pages: int = 1) -> bytes:
    """Return a PDF with a font of its own, a picture, a link, and texts that look like references."""
    from PIL import Image
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, pageCompression=n % 2, invariant=True)
    canvas.setTitle(f"Letter {n} (see 3 0 R) \\ 4 0 R")
    for page in range(pages):
        canvas.setFont("Times-Roman", 12)
        canvas.drawString(72, 700, f"Letter {n} page {page + 1} of {pages}: 5 0 R")
        canvas.drawImage(ImageReader(Image.new("RGB", (4, 4), (n % 255, 0, 0))), 72, 500, 50, 50)
        canvas.linkURL("https://acme.example/?q=(3 0 R)", (72, 690, 300, 720))
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def letter(n: int = 1, pages: int = 1, to: str | None = None) -> Message:
    address = f"Maya {n}\nStreet {n}\n10115 Berlin" if to is None else to
    content = {"pdf": letter_pdf(n, pages), "pages": pages}
    return Message(f"01J{n:03}:keep:letter", "letter", address, content, "service")


def sheet(folder: Path) -> list[dict[str, str]]:
    with (folder / "job.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


class TestPrint(CarrierContract):
    """The contract of letters: what is in the sheets of all jobs."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        carrier = opened(tmp_path, "print", "letter")
        folder = tmp_path / "out"

        def arrived() -> list[str]:
            if folder.is_dir():
                carrier.collect()
                shutil.rmtree(tmp_path / "seen", ignore_errors=True)
                shutil.copytree(folder, tmp_path / "seen", dirs_exist_ok=True)
            return [line["key"] for job in (tmp_path / "seen").glob("jobs/*") for line in sheet(job)]

        no_pdf = Message("01J:keep:letter", "letter", "Maya\nBerlin", {"text": "Hi"})
        bad = [(letter(7, to=" \n"), True), (no_pdf, False)]
        return World(carrier, letter, arrived, blocked(folder), bad)


def test_a_job_is_one_pdf_and_its_sheet(tmp_path: Path) -> None:
    carrier = opened(tmp_path, "print", "letter")
    assert isinstance(carrier, Print)
    assert carrier.collect() is None
    lines = "=cmd\n\n  Street   1 \n2\n3\n4\n5\n6\n7"
    send(carrier, letter(2, pages=3), letter(1), letter(3, to=lines))
    job = carrier.collect()
    assert job is not None
    assert (job.folder, job.letters, job.pages) == (tmp_path / "out" / "jobs" / "2026-01-01-1", 3, 5)
    assert sorted(path.name for path in job.folder.iterdir()) == ["job.csv", "letters.pdf"]
    told = sheet(job.folder)
    assert list(told[0]) == list(COLUMNS)
    assert [(t["number"], t["key"], t["reference"], t["first_page"], t["pages"], t["kind"]) for t in told] == [
        ("1", "01J001:keep:letter", "01J001", "1", "1", "service"),
        ("2", "01J002:keep:letter", "01J002", "2", "3", "service"),
        ("3", "01J003:keep:letter", "01J003", "5", "1", "service"),
    ]
    assert [told[0][f"address_{n}"] for n in range(1, 7)] == ["Maya 1", "Street 1", "10115 Berlin", "", "", ""]
    assert [told[2][f"address_{n}"] for n in range(1, 7)] == ["'=cmd", "Street 1", "2", "3", "4", "5, 6, 7"]
    assert list((tmp_path / "out" / "waiting").iterdir()) == []
    send(carrier, letter(2), letter(4))
    second = carrier.collect()
    assert second is not None
    assert (second.folder.name, second.letters) == ("2026-01-01-2", 1)
    assert [t["key"] for t in sheet(second.folder)] == ["01J004:keep:letter"]


def test_the_sheet_says_what_the_window_shows(tmp_path: Path) -> None:
    carrier = opened(tmp_path, "print", "letter")
    assert isinstance(carrier, Print)
    home = "{'street': 'Street 1', 'city': 'Berlin'}"
    content = {"pdf": letter_pdf(1), "pages": 1, "address": ["Maya", "Street 1", " 10115  Berlin"]}
    send(carrier, Message("01J001:keep:letter", "letter", home, content))
    job = carrier.collect()
    assert job is not None
    assert [sheet(job.folder)[0][f"address_{n}"] for n in range(1, 5)] == ["Maya", "Street 1", "10115 Berlin", ""]


def test_who_collects_at_the_same_time_prints_nothing_twice(tmp_path: Path) -> None:
    send(opened(tmp_path, "print", "letter"), *(letter(n) for n in range(20)))
    out = tmp_path / "out"
    program = "import sys, pathlib; from opportune.deliver.carriers.print import collect; sys.stdin.read(1); " \
              "collect(pathlib.Path(sys.argv[1]), '2026-01-01')"  # fmt: skip
    command = [sys.executable, "-c", program, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as other, ThreadPoolExecutor(4) as threads:
        assert other.stdin
        other.stdin.write(b".")
        other.stdin.flush()
        made = list(threads.map(lambda _: collect(out, "2026-01-01"), range(4)))
    assert other.returncode == 0
    assert len([job for job in made if job]) <= 1
    (job,) = (out / "jobs").iterdir()
    assert sorted(line["number"] for line in sheet(job)) == sorted(str(n) for n in range(1, 21))
    assert len(texts((job / "letters.pdf").read_bytes())) == 20


class PowerCut(BaseException):
    """The power fails."""


@contextmanager
def power_until(step: int) -> Iterator[list[int]]:
    """Let so many changes of the file system happen; at the next one the power fails. Yields how many happened."""
    happened = [0]

    def guarded(really: Callable[..., Any]) -> Callable[..., Any]:
        def one(*given: Any, **more: Any) -> Any:
            if happened[0] >= step:
                raise PowerCut
            happened[0] += 1
            return really(*given, **more)

        return one

    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "replace", "rename", "unlink", "mkdir"):
            patch.setattr(os, name, guarded(getattr(os, name)))
        patch.setattr(io, "open", guarded(io.open))
        yield happened


def test_wherever_the_power_fails_each_letter_is_in_one_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # it takes the time of this test and changes nothing in it
    letters = [letter(n) for n in range(1, 4)]

    def work(folder: Path) -> None:
        carrier = opened(folder, "print", "letter")
        send(carrier, *letters[:2])
        carrier.collect()
        send(carrier, *letters)
        carrier.collect()

    with power_until(10**9) as happened:
        work(tmp_path / "whole")
    assert happened[0] > 60
    for step in range(happened[0]):
        folder = tmp_path / str(step)
        with power_until(step), pytest.raises(PowerCut):
            work(folder)
        work(folder)
        jobs = sorted((folder / "out" / "jobs").iterdir())
        assert Counter(t["key"] for job in jobs for t in sheet(job)) == {one.key: 1 for one in letters}, step
        for job in jobs:
            assert texts((job / "letters.pdf").read_bytes()) == [t["reference"] for t in sheet(job)]
        assert list((folder / "out" / "waiting").glob("[!.]*")) == []


# The joined PDF


def objects(data: bytes) -> dict[int, bytes]:
    """Read a PDF by its table of objects, as a viewer does."""
    start = int(data.rpartition(b"startxref\n")[2].split()[0])
    head = re.match(rb"xref\n0 (\d+)\n", data[start:])
    assert head
    found = {}
    for number in range(1, int(head[1])):
        entry = data[start + head.end() + 20 * number :][:20]
        place = int(entry[:10])
        body = data[place:].partition(b"endobj")[0]
        assert body.startswith(b"%d 0 obj" % number), f"the table is wrong about object {number}"
        found[number] = body
    return found


def pages_of(data: bytes) -> list[bytes]:
    """Return the decoded contents of the pages, in the order of the tree of pages."""
    import base64
    import zlib

    found = objects(data)
    root = re.search(rb"/Root (\d+) 0 R", data.rpartition(b"trailer")[2])
    assert root
    tree = re.search(rb"/Pages (\d+) 0 R", found[int(root[1])])
    assert tree

    def walk(number: int, parent: int | None) -> Iterator[bytes]:
        body = found[number]
        above = re.search(rb"/Parent (\d+) 0 R", body)
        assert (int(above[1]) if above else None) == parent
        kids = re.search(rb"/Kids \[([^]]*)\]", body)
        if kids:
            below = [page for kid in re.findall(rb"(\d+) 0 R", kids[1]) for page in walk(int(kid), number)]
            count = re.search(rb"/Count (\d+)", body)
            assert count
            assert len(below) == int(count[1])
            yield from below
            return
        assert b"/Type /Page" in body
        for reference in re.findall(rb"(\d+) 0 R", re.sub(rb"\((?:\\.|[^\\)])*\)", b"", body.partition(b"stream")[0])):
            assert int(reference) in found
        contents = re.search(rb"/Contents (\d+) 0 R", body)
        assert contents
        about, _, stream = found[int(contents[1])].partition(b"stream\n")
        raw = base64.a85decode(stream.rpartition(b"~>")[0]) if b"ASCII85" in about else stream.rpartition(b"end")[0]
        yield zlib.decompress(raw) if b"Flate" in about else raw

    return list(walk(int(tree[1]), None))


def texts(data: bytes) -> list[str]:
    """Return the decision of the letter on each page, as `letter` made it."""
    shown = [re.search(rb"Letter (\d+) page", page) for page in pages_of(data)]
    return [f"01J{int(found[1]):03}" for found in shown if found]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 4)), min_size=1, max_size=6))
def test_joined_letters_have_all_pages_in_order(wanted: list[tuple[int, int]]) -> None:
    files, out = [letter_pdf(n, pages) for n, pages in wanted], io.BytesIO()
    assert concatenate(files, out) == [pages for _, pages in wanted]
    joined = pages_of(out.getvalue())
    assert joined == [page for file in files for page in pages_of(file)]
    again = io.BytesIO()
    assert concatenate([out.getvalue(), files[0]], again) == [len(joined), wanted[0][1]]
    assert out.getvalue().count(b"https://acme.example/?q=\\(3 0 R\\)") == sum(pages for _, pages in wanted)


@pytest.mark.parametrize(
    "data",
    [b"", b"%PDF-1.4 nothing", b"startxref\n0\n", letter_pdf(1)[:-40], letter_pdf(1).replace(b"3 0 obj", b"9 0 obj"),
     letter_pdf(1).replace(b" 00000 n ", b" 00000 f ")],
)  # fmt: skip
def test_what_is_no_such_pdf_is_told(data: bytes) -> None:
    with pytest.raises(BadInput, match="PDF"):
        concatenate([data], io.BytesIO())


def test_the_letters_of_the_form_can_be_joined() -> None:
    from opportune.deliver.forms.letter import Letter
    from opportune.deliver.render.templates import Templates

    content = {"subject": "Your line", "text": "Dear {{ customer.name }},\n\n" + "- **one** more line\n" * 60}
    made = Letter().compile(content, "en", Templates({}, "en"))
    files = []
    for name in ("Maya Stone", "Jörg Müller"):
        customer = {"name": name, "locale": "en_GB", "language": "en", "time_zone": "UTC"}
        context = {"customer": customer, "traits": {"address": "Street 1\n10115 Berlin"}, "now": "2026-01-01T12:00:00",
                   "sender": {"name": "Acme", "address": "Street 1"}, "links": {}, "currency": "EUR"}  # fmt: skip
        files.append(made.render(context))
    out = io.BytesIO()
    assert concatenate([file["pdf"] for file in files], out) == [file["pages"] for file in files]
    assert len(objects(out.getvalue())) == 2 + sum(len(objects(file["pdf"])) for file in files)


def test_collecting_an_empty_folder_is_nothing(tmp_path: Path) -> None:
    assert collect(tmp_path / "nowhere", "2026-01-01") is None
    with pytest.raises(Refused):
        send(opened(tmp_path, "print", "letter", FakeClock(START)), letter(1, to=""))
