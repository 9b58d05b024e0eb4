"""Files of events: rows one by one, each with its number, so that a reader can stop and go on.

A format is a class with one registry line; it yields what the file holds, `columns` says what that means.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Generator, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

import msgspec

from opportune.errors import BadInput

Row = dict[str, Any] | str
"""What one row holds by column; text where the row could not be read."""

LONGEST_LINE = 1 << 20
_WHOLE = "get it whole and import it again: the rows before are not counted twice"


class Source(Protocol):
    """A file that can be read from the start any number of times, with the same rows and numbers each time."""

    def names(self) -> list[str] | None:
        """Return the names of the columns; None where each row has its own."""

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield (number, row) from number 1 up; raise `BadInput` where the file ends early or cannot be read."""

    def done(self) -> float:
        """Return how much of the file was read, 0 to 1."""


def open_source(path: Path, format: str | None = None) -> Source:
    """Return the source for a file by its name (`.jsonl`, `.ndjson`, `.csv`, `.tsv`, `.parquet`; `.gz` where text)."""
    if not path.is_file():
        near = get_close_matches(path.name, os.listdir(path.parent), n=1) if path.parent.is_dir() else []
        raise BadInput(f"{path}: there is no such file" + (f"; did you mean {path.parent / near[0]}?" if near else ""))
    ending = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    name = format or _ENDINGS.get(ending, ending)
    if name not in FORMATS:
        raise BadInput(f"{path}: {name!r} is no format of events; its name must end in one of {', '.join(FORMATS)}")
    return FORMATS[name](path)


class Jsonl:
    """One JSON object per line; empty lines are skipped, longer than 1 MiB is unreadable. The number is the line's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _Bytes(path)

    def names(self) -> None:
        """Return None: each line has names of its own."""

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield (line number, object); text where a line holds no JSON object; a half last line raises `BadInput`."""
        for number, line in enumerate(self._file.lines(), 1):
            text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if text.strip():
                row = self._row(text)
                if isinstance(row, str) and not text.endswith(b"\n") and len(line) < LONGEST_LINE:
                    raise BadInput(f"{self._path}:{number}:1: the file ends in the middle of a row; {_WHOLE}")
                yield number, row

    def done(self) -> float:
        """Return how much of the file was read, 0 to 1."""
        return self._file.done()

    def _row(self, line: bytes) -> Row:
        try:
            row = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            row = None
        return row if isinstance(row, dict) else line.decode(errors="replace").rstrip("\r\n")


class Csv:
    """Text with a header line, separated by comma, semicolon, tab or bar; the number is the record's below the header.

    Fields that a record lacks are absent. A record with more fields than the header, or with bytes that are not
    UTF-8, is unreadable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _Bytes(path)

    def names(self) -> list[str]:
        """Return the header; raise `BadInput` where there is none or a name comes twice."""
        records = self._records()
        header = [name.strip() for name in next(records, [])]
        records.close()
        if not any(header):
            raise BadInput(f"{self._path}:1:1: the file has no header line; write the names of the columns there")
        twice = sorted({name for name in header if name and header.count(name) > 1})
        if twice:
            raise BadInput(f"{self._path}:1:1: the column {twice[0]!r} is there twice; rename one")
        return header

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield (record number, fields by column)."""
        names = self.names()
        records = self._records()
        next(records, None)
        for number, record in enumerate(records, 1):
            if len(record) > len(names) or any("\ufffd" in field for field in record):
                yield number, ",".join(record)
            else:
                yield number, dict(zip(names, record, strict=False))

    def done(self) -> float:
        """Return how much of the file was read, 0 to 1."""
        return self._file.done()

    def _records(self) -> Generator[list[str], None, None]:
        lines = (line.decode(errors="replace") for line in self._file.lines())
        first = next(lines, "").removeprefix("\ufeff")
        separator = max(",;\t|", key=first.count)

        def text() -> Iterator[str]:
            yield first
            yield from lines

        reader = csv.reader(text(), delimiter=separator, strict=True)
        try:
            for record in reader:
                if record:
                    yield record
        except csv.Error as error:
            raise BadInput(
                f"{self._path}:{reader.line_num}:1: {error}; close the quotes around there and import the file again"
            ) from None


class Parquet:
    """A Parquet file, read by DuckDB; times become ISO text, decimals numbers, lists and structs stay nested."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._total = 0
        self._read = 0

    def names(self) -> list[str]:
        """Return the names of the columns."""
        return [str(row[0]) for row in self._query("DESCRIBE SELECT * FROM read_parquet(?)")]

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield (row number, values by column)."""
        self._total = next(iter(self._query("SELECT count(*) FROM read_parquet(?)")))[0]
        for number, (text,) in enumerate(self._query("SELECT to_json(row) FROM read_parquet(?) AS row"), 1):
            self._read = number
            yield number, _json(text)

    def done(self) -> float:
        """Return how much of the file was read, 0 to 1."""
        return self._read / self._total if self._total else 1.0

    def _query(self, query: str) -> Iterator[Any]:
        import duckdb

        connection = duckdb.connect()
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET preserve_insertion_order = true")
            result = connection.execute(query, [str(self._path)])
            while page := result.fetchmany(1_000):
                yield from page
        except duckdb.Error as error:
            raise BadInput(f"{self._path}: {str(error).splitlines()[0]}; is it a whole Parquet file?") from None
        finally:
            connection.close()


FORMATS: dict[str, type[Jsonl] | type[Csv] | type[Parquet]] = {"jsonl": Jsonl, "csv": Csv, "parquet": Parquet}
_ENDINGS = {"ndjson": "jsonl", "json": "jsonl", "tsv": "csv", "pq": "parquet"}


def _json(text: str) -> dict[str, Any]:
    try:
        row: dict[str, Any] = msgspec.json.decode(text)
    except msgspec.DecodeError:
        row = json.loads(text)  # NaN and Infinity, which DuckDB writes and JSON does not have
    return row


class _Bytes:
    """The lines of a file, unpacked where it ends in `.gz`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = max(path.stat().st_size, 1)
        self._raw: io.BufferedReader | None = None

    def lines(self) -> Iterator[bytes]:
        number = 0
        self._raw = self._path.open("rb")
        try:
            with self._raw:
                file = gzip.GzipFile(fileobj=self._raw) if self._path.name.endswith(".gz") else self._raw
                while line := file.readline(LONGEST_LINE):
                    number += 1
                    yield line
                    while line and not line.endswith(b"\n") and len(line) == LONGEST_LINE:
                        line = file.readline(LONGEST_LINE)
        except EOFError:
            raise BadInput(f"{self._path}:{number + 1}:1: the file ends early; {_WHOLE}") from None
        except (OSError, zlib.error) as error:
            raise BadInput(f"{self._path}:{number + 1}:1: {error}; get the file whole and import again") from None

    def done(self) -> float:
        if self._raw is None or self._raw.closed:
            return 0.0 if self._raw is None else 1.0
        return min(self._raw.tell() / self._size, 1.0)
