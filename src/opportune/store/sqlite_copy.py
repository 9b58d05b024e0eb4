"""Copies of a SQLite store: one file, and the files of its old rows in the folder beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from opportune.errors import BadInput, BrokenStore
from opportune.store.sqlite_file import APPLICATION, WriterLock, archive_of, broken, connect, make_private, sync


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
        sync(part)
        copy_files(part, archive_of(path), archive_of(target))
        part.replace(target)
        sync(target.absolute().parent)
    except (sqlite3.Error, OSError, BrokenStore) as error:
        with suppress(OSError):
            part.unlink()
        raise BrokenStore(f"{path} could not be copied to {target}: {error}; check space and permissions") from error


def restore_copy(copy: Path, path: Path) -> None:
    """Make a copy the store at `path`, with its files of old rows.

    Raises `BadInput` for a file that is no whole copy, `StoreInUse`, and `BrokenStore` where the disk refuses; nothing
    has been replaced then.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock, fresh = WriterLock(path), path.with_name(f"{path.name}.restoring")
    try:
        make_private(fresh)
        shutil.copyfile(copy, fresh)
        shutil.rmtree(archive_of(fresh), ignore_errors=True)
        _check_whole(fresh, copy)
        copy_files(fresh, archive_of(copy), archive_of(fresh))
        sync(fresh)
        for left in (f"{path}-wal", f"{path}-shm"):
            Path(left).unlink(missing_ok=True)
        shutil.rmtree(archive_of(path), ignore_errors=True)
        if archive_of(fresh).is_dir():
            archive_of(fresh).replace(archive_of(path))
        fresh.replace(path)
        sync(path.absolute().parent)
    except OSError as error:
        raise BrokenStore(f"{copy} could not be restored to {path}: {error}; check space and permissions") from error
    finally:
        for left in (f"{fresh}", f"{fresh}-wal", f"{fresh}-shm"):
            Path(left).unlink(missing_ok=True)
        shutil.rmtree(archive_of(fresh), ignore_errors=True)
        lock.release()


def _check_whole(fresh: Path, copy: Path) -> None:
    """Raise `BadInput` where a file is no whole copy of a store, `BrokenStore` where it is one of a newer release."""
    with fresh.open("rb") as file:
        if file.read(72)[68:] != APPLICATION.to_bytes(4, "big"):  # where a SQLite file says whose it is
            raise BadInput(f"{copy} is no copy of a store; name a file that `opportune backup` wrote")
    try:
        with closing(connect(fresh)) as store:
            (found,) = store.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise broken(error, copy) from error
    if found != "ok":
        raise BadInput(f"{copy} is damaged: {found}; use another copy")


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
        sync(part)
        part.replace(there)
    if named:
        sync(target)


def _look(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
