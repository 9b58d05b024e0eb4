"""`print`: letters wait in a folder until they are collected into a job: one PDF and a sheet that says what is in it.

    waiting/KEY.pdf, KEY.json        letters that came in, each under its send key
    jobs/2026-01-31-1/letters.pdf    a job, in the order of the decisions
    jobs/2026-01-31-1/job.csv        one row for each letter

A letter is in the sheet of one job, however often it is sent and wherever the power fails: it waits until the job that
has it is there as a whole, and what is in a job already is not taken into another. Keep the sheets of some days.
"""

from __future__ import annotations

import asyncio
import csv
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from opportune.clock import Clock, format_instant
from opportune.deliver.carriers.base import Refused, TryLater
from opportune.deliver.carriers.csv_cells import row
from opportune.deliver.carriers.options import Options
from opportune.deliver.carriers.pdf import concatenate
from opportune.deliver.carriers.whole_file import file_name, sync_folder, write_whole
from opportune.deliver.types import Message, Receipt

LINES = 6
"""Lines of an address on the sheet; what is more is joined in the last one."""

COLUMNS = ("number", "key", "reference", "first_page", "pages", "kind", "language",
           *(f"address_{n}" for n in range(1, LINES + 1)))  # fmt: skip


@dataclass(frozen=True, slots=True)
class PrintJob:
    """A job for the printer: its folder, and how many letters and pages it has."""

    folder: Path
    letters: int
    pages: int


class _Letter(msgspec.Struct, frozen=True):
    """What the sheet says of a letter; `reference` is the decision, as it can be asked for in the hub."""

    key: str
    reference: str
    kind: str
    language: str
    address: list[str]


def open_print(options: Options, clock: Clock) -> Print:
    return Print(options.path("folder"), clock)


class Print:
    """A folder of letters. The reference of a receipt is the name of the letter's file."""

    repeatable = True

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock

    async def send(self, message: Message) -> Receipt:
        pdf = message.content.get("pdf")
        # what the window shows; the address of the message may be an object, or what the letter was not sent to
        shown = message.content.get("address") or message.to.splitlines()
        lines = [clean for line in shown if (clean := " ".join(line.split()))]
        if not isinstance(pdf, bytes) or not pdf.startswith(b"%PDF"):
            raise Refused("the letter has no PDF; the channel needs `form: letter`")
        if not lines:
            raise Refused("there is no postal address", hard=True)
        letter = _Letter(message.key, message.key.partition(":")[0], message.kind, message.language, lines)
        path = self._folder / "waiting" / f"{file_name(message.key)}.pdf"
        try:
            await asyncio.to_thread(write_whole, path, pdf)
            # The letter counts from here on: `collect` goes by these files.
            await asyncio.to_thread(write_whole, path.with_suffix(".json"), msgspec.json.encode(letter))
        except OSError as why:
            raise TryLater(f"{path} cannot be written: {why.strerror or why}") from None
        return Receipt(path.name)

    async def close(self) -> None:
        pass

    def collect(self) -> PrintJob | None:
        """Make a job of the letters that wait; None if there is none."""
        return collect(self._folder, format_instant(self._clock.now())[:10])


def collect(folder: Path, day: str) -> PrintJob | None:
    """Make a job of the letters that wait in a folder and return it; None if there is none. Blocks.

    One at a time collects, whatever process it is in, and the next one after it; letters that come in meanwhile wait
    for the next job.
    """
    if not (folder / "waiting").is_dir():
        return None
    with _alone(folder):
        return _collect(folder, day)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".collecting").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # closing gives it back, and so does the end of the process
        yield


def _collect(folder: Path, day: str) -> PrintJob | None:
    jobs, making = folder / "jobs", folder / ".job.new"
    shutil.rmtree(making, ignore_errors=True)
    known = set(_collected(jobs))
    waiting = sorted((folder / "waiting").glob("*.json"))
    letters = [(path, msgspec.json.decode(path.read_bytes(), type=_Letter)) for path in waiting]
    new = [(path, letter) for path, letter in letters if letter.key not in known]
    job = None
    if new:
        making.mkdir(parents=True)
        with (making / "letters.pdf").open("wb") as out:
            pages = concatenate((path.with_suffix(".pdf").read_bytes() for path, _ in new), out)
            out.flush()
            os.fsync(out.fileno())
        write_whole(making / "job.csv", "".join(_sheet([letter for _, letter in new], pages)).encode("utf-8-sig"))
        jobs.mkdir(exist_ok=True)
        number = next(n for n in range(1, 1 << 30) if not (jobs / f"{day}-{n}").exists())
        made = making.rename(jobs / f"{day}-{number}")
        sync_folder(jobs)
        job = PrintJob(made, len(new), sum(pages))
    for path, _ in letters:
        for file in (path, path.with_suffix(".pdf")):
            with suppress(FileNotFoundError):
                file.unlink()
    return job


def _sheet(letters: Sequence[_Letter], pages: Sequence[int]) -> Iterator[str]:
    yield row(COLUMNS)
    first = 1
    for number, (letter, count) in enumerate(zip(letters, pages), 1):
        lines = [*letter.address[: LINES - 1], ", ".join(letter.address[LINES - 1 :])]
        about = (number, letter.key, letter.reference, first, count, letter.kind, letter.language)
        yield row([*about, *lines, *[""] * (LINES - len(lines))])
        first += count


def _collected(jobs: Path) -> Iterator[str]:
    """Yield the send keys of the letters that are in a job."""
    for sheet in jobs.glob("*/job.csv"):
        with sheet.open(encoding="utf-8-sig", newline="") as file:
            yield from (line["key"] for line in csv.DictReader(file))
