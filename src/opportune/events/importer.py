"""Files into the hub, resumable: what was taken and how far we came are one transaction.

A file is known by its rows, not by its name: an import goes on where an earlier one of a file with the same first rows
stopped, be it killed, cut short or a file that has grown since. Each row without a `messageId` gets one made of the
file and the row's number, so that a second import with a better mapping takes what was refused, and nothing twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from opportune.clock import Clock
from opportune.errors import BadInput
from opportune.events.columns import Columns, Item, as_named, check_named
from opportune.events.intake import Intake, Rejected
from opportune.events.sources import Row, Source, open_source
from opportune.events.types import Event

if TYPE_CHECKING:
    from opportune.store.base import Store, Table

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of the rows: rows = taken + duplicates + rejected; `resumed_from` rows before were done earlier."""

    rows: int = 0
    taken: int = 0
    duplicates: int = 0
    rejected: int = 0
    resumed_from: int = 0


class Progress(NamedTuple):
    """How far an import is: the file, the part of it that was read (0 to 1), and the report so far."""

    path: Path
    done: float
    report: ImportReport


def import_files(
    paths: Sequence[Path],
    columns: Columns | None,
    *,
    store: Store,
    intake: Intake,
    clock: Clock,
    take: Callable[[list[Event]], int],
    reject: Callable[[list[Rejected]], object],
    format: str | None = None,
    batch: int = BATCH,
) -> Iterator[Progress]:
    """Import files, and yield how far that is after each batch of rows.

    `take` stores events and returns how many of them were new; `reject` keeps refused rows aside. Both run inside the
    transaction that also holds the position. Without `columns`, rows are items of the tracking API, in tables by the
    names of their columns. All files are looked at before the first is read: a missing file or column raises
    `BadInput` with nothing taken. A file that ends early raises `BadInput` after its good rows were taken.
    """
    sources = [(path, open_source(path, format)) for path in paths]
    for _, source in sources:
        names = source.names()
        if names is not None:
            columns.check(names) if columns else check_named(names)
    report = ImportReport()
    for path, source in sources:
        mapped = columns.item if columns else dict if source.names() is None else as_named
        place = _Place.find(source, store.table("imports"), columns, intake.source)
        report = replace(report, resumed_from=report.resumed_from + place.rows)
        for page in _pages(place.remaining(source), batch):
            with store.transaction():
                items = [_item(row, mapped, place.message_id(number)) for number, row in page]
                events, rejected = intake.take(items, received_at=clock.now())
                taken = take(events)
                if rejected:
                    reject(rejected)
                place.save(page[-1][0])
            report = ImportReport(
                rows=report.rows + len(page),
                taken=report.taken + taken,
                duplicates=report.duplicates + len(events) - taken,
                rejected=report.rejected + len(rejected),
                resumed_from=report.resumed_from,
            )
            yield Progress(path, source.done(), report)
    if paths:
        yield Progress(paths[-1], 1.0, report)


def _pages(rows: Iterator[tuple[int, Row]], size: int) -> Iterator[list[tuple[int, Row]]]:
    """Yield the rows in lists; where reading fails, first what was read before."""
    page: list[tuple[int, Row]] = []
    try:
        for row in rows:
            page.append(row)
            if len(page) == size:
                yield page
                page = []
    except BadInput:
        if page:
            yield page
        raise
    if page:
        yield page


def _item(row: Row, mapped: Callable[[Item], Item], message_id: str) -> Item | str:
    if isinstance(row, str):
        return row
    item = mapped(row)
    item.setdefault("messageId", message_id)
    return item


class _Mark(msgspec.Struct, frozen=True):
    """What the table `imports` keeps for a file and a mapping: the last row done, how many, and a hash of all."""

    number: int
    rows: int
    digest: bytes


class _Place:
    """Where we are in a file that earlier imports may have begun.

    Marks are kept under `FIRST.N/MAPPING`: a hash of the first row, a count of the different files that began with it,
    and a hash of the mapping.
    """

    def __init__(self, table: Table, name: str, mapping: str, rows: int, number: int) -> None:
        self._table = table
        self._name = name
        self._key = f"{name}/{mapping}"
        self.rows = rows
        self._number = number
        self._digest = hashlib.blake2b(digest_size=16)
        self._digests: dict[int, tuple[int, bytes]] = {}

    @staticmethod
    def find(source: Source, table: Table, columns: Columns | None, origin: str) -> _Place:
        """Return the place after the rows that were done with this mapping."""
        mapping = _hash(repr((columns.pairs if columns else None, origin)).encode())
        first = next(iter(islice(source.rows(), 1)), None)
        head = _hash(_bytes(first[1])) if first else "empty"
        marks = {key: _mark.decode(value) for key, value in table.scan(f"{head}.")}
        name = _same(source, marks) or f"{head}.{len({key.partition('/')[0] for key in marks})}"
        mark = marks.get(f"{name}/{mapping}")
        return _Place(table, name, mapping, mark.rows if mark else 0, mark.number if mark else 0)

    def remaining(self, source: Source) -> Iterator[tuple[int, Row]]:
        """Yield the rows that are not done, hashing all."""
        for count, (number, row) in enumerate(source.rows(), 1):
            self._digest.update(_bytes(row))
            if number > self._number:
                self._digests[number] = (count, self._digest.digest())
                yield number, row

    def message_id(self, number: int) -> str:
        """Return the id of a row that has none: the same whenever and however this file is imported."""
        return f"row-{self._name}-{number}"

    def save(self, number: int) -> None:
        """Note, in the caller's transaction, that the rows up to this one are done."""
        rows, digest = self._digests[number]
        self._digests = {later: at for later, at in self._digests.items() if later > number}
        self._table.put([(self._key, msgspec.msgpack.encode(_Mark(number, rows, digest)))])


_mark = msgspec.msgpack.Decoder(_Mark)


def _same(source: Source, marks: dict[str, _Mark]) -> str | None:
    """Return the name of the file of the farthest mark whose rows are also the first rows of this one."""
    named = {(mark.rows, mark.digest): key.partition("/")[0] for key, mark in marks.items()}
    lengths = {rows for rows, _ in named}
    digest = hashlib.blake2b(digest_size=16)
    found = None
    # Where the file cannot be read to the farthest mark, a nearer one will do; the import itself meets the fault again.
    with suppress(BadInput):
        for count, (_, row) in enumerate(islice(source.rows(), max(lengths, default=0)), 1):
            digest.update(_bytes(row))
            if count in lengths:
                found = named.get((count, digest.digest()), found)
    return found


def _bytes(row: Row) -> bytes:
    try:
        return msgspec.json.encode(row) + b"\n"
    except (TypeError, ValueError):
        return ascii(row).encode() + b"\n"


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()
