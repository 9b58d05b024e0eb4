"""Audiences for ad services: one CSV file per list and day (UTC), with hashed columns, each row once.

A list is a set of people, so a row is known by its content: a message that is sent again, on another day too, adds
nobody to what a service makes of the files. Nothing of the customer but the hashes, country and postal code is written.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opportune.clock import Clock, format_instant
from opportune.deliver.carriers.base import Refused, TryLater
from opportune.deliver.carriers.csv_cells import row
from opportune.deliver.carriers.whole_file import file_name, sync_folder
from opportune.deliver.types import Message, Receipt

COLUMNS = (
    "email_sha256", "google_email_sha256", "phone_sha256", "first_name_sha256", "last_name_sha256", "country",
    "postal_code",
)  # fmt: skip
HEADER = row(COLUMNS).encode()

MOST_FILES = 100
"""Files whose rows are kept in mind."""

_HASH = re.compile(r"[0-9a-f]{64}")


class AudienceFiles:
    """A folder of audience files; rows that come in at the same time share one commit to disk."""

    repeatable = True

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._one = asyncio.Lock()
        self._waiting: list[_Row] = []
        self._known: dict[Path, set[bytes]] = {}

    async def send(self, message: Message) -> Receipt:
        line = _line(message.content)
        day = format_instant(self._clock.now())[:10]
        path = self._folder / f"{file_name(str(message.content['list']))}-{day}.csv"
        mine = _Row(path, line, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        async with self._one:
            # Whoever comes first writes what all have brought until then.
            rows, self._waiting = self._waiting, []
            if rows:
                await self._commit(rows)
        await mine.done
        return Receipt(path.name)

    async def close(self) -> None:
        self._known.clear()

    async def _commit(self, rows: Sequence[_Row]) -> None:
        failed: TryLater | None = TryLater("writing was interrupted")
        try:
            await asyncio.to_thread(self._write, rows)
            failed = None
        except OSError as why:
            self._known.clear()  # a row may have been written in part: what is there is read anew
            failed = TryLater(f"{self._folder} cannot be written: {why.strerror or why}")
        finally:
            for one in rows:
                if not one.done.done():
                    one.done.set_exception(failed) if failed else one.done.set_result(None)

    def _write(self, rows: Sequence[_Row]) -> None:
        for path in dict.fromkeys(one.path for one in rows):
            known = self._known.get(path)
            if known is None:
                if len(self._known) >= MOST_FILES:
                    self._known.clear()
                known = self._known[path] = _opened(path)
            new = dict.fromkeys(one.line for one in rows if one.path == path and _digest(one.line) not in known)
            with path.open("ab") as file:
                file.write(b"".join(new))
                file.flush()
                os.fsync(file.fileno())
            known.update(map(_digest, new))


@dataclass(frozen=True, slots=True)
class _Row:
    path: Path
    line: bytes
    done: asyncio.Future[None]


def _line(content: Mapping[str, Any]) -> bytes:
    given = {column: str(content[column]) for column in COLUMNS if content.get(column)}
    hashes = {column: value for column, value in given.items() if column.endswith("_sha256")}
    for column, value in hashes.items():
        if not _HASH.fullmatch(value):
            raise Refused(f"`{column}` is no SHA-256 in hex; nothing leaves that could be read")
    if not hashes:
        raise Refused("nothing of the customer could be matched: no e-mail, phone or name")
    if not content.get("list"):
        raise Refused("the audience has no name; say it as `list` in the content")
    return row(given.get(column, "") for column in COLUMNS).encode()


def _opened(path: Path) -> set[bytes]:
    """Return the rows of a file, made if it is missing; a row that a crash tore off is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        file.seek(0)
        whole = [line for line in file if line.endswith(b"\n")]
        file.truncate(sum(map(len, whole)))
        if not whole:
            file.write(HEADER)
            file.flush()
            os.fsync(file.fileno())
    sync_folder(path.parent)
    return set(map(_digest, whole[1:]))


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()
