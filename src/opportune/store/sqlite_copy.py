"""Copies of a SQLite store: one file, and the files of its old rows in the folder beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from opportune.errors import BadInput, BrokenStore
from opportune.store.sqlite_file import archive_of, make_private


def write_copy(path: Path, target: Path) -> None:
    """Write what is committed in the store at `path` to `target`, without its free space, whole or not at all.

    Files of old rows go to the folder beside `target` first.
    """
    if target.exists() and target.samefile(path):
        raise BadInput(f"{target} is the store itself; name another file for the copy")
    part = target.with_name(target.name + ".part")
    try:
        make_private(part)
        os.truncate(part, 0)
        with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as source:
            source.execute("VACUUM INTO ?", (str(part),))
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        copy_files(part, archive_of(path), archive_of(target))
        part.replace(target)
    except (sqlite3.Error, OSError, BrokenStore) as error:
        with suppress(OSError):
            part.unlink()
        raise BrokenStore(f"{path} could not be copied to {target}: {error}; check space and permissions") from error


def copy_files(copy: Path, source: Path, target: Path) -> None:
    """Copy the files that a copy of a store names from one folder to another.

    Files never change, so that one of the same size and time is left as it is. Raises `BrokenStore` where one is
    missing, `OSError` where the disk refuses.
    """
    with closing(sqlite3.connect(copy, isolation_level=None)) as store:
        tables = store.execute("SELECT name FROM sqlite_master WHERE name = 'table_archived'").fetchall()
        named = [name for (name,) in store.execute("SELECT key FROM table_archived")] if tables else []
    if named:
        target.mkdir(mode=0o700, exist_ok=True)
    for name in named:
        there, wanted = target / name, source / name
        if not wanted.is_file():
            raise BrokenStore(f"{wanted} is missing: a copy is whole only with the folder beside it")
        if there.is_file() and _look(there) == _look(wanted):
            continue
        part = there.with_suffix(".part")
        make_private(part)
        shutil.copyfile(wanted, part)
        shutil.copystat(wanted, part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(there)


def _look(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
