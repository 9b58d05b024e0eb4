"""The file of a SQLite store: how it is opened, locked, and what its errors mean."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from opportune.errors import BrokenStore, StoreInUse

APPLICATION = int.from_bytes(b"OPPO", "big")
SCHEMA = 1
"""The version of the layout of tables that this release writes; it is the file's `user_version`."""

_CURES = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and do it again",
    sqlite3.SQLITE_READONLY: "it may only be read; give this user write permission on the file and its folder",
    sqlite3.SQLITE_PERM: "it may not be opened; give this user permission on the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that its folder exists and that this user may write there",
    sqlite3.SQLITE_BUSY: "another program holds it; close that program and do it again",
    sqlite3.SQLITE_LOCKED: "another program holds it; close that program and do it again",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore a copy made by `opportune backup`",
    sqlite3.SQLITE_NOTADB: "it is not a SQLite file; name another file, or restore a copy made by `opportune backup`",
    sqlite3.SQLITE_IOERR: "the disk refuses to read or write; check the disk and its space, then do it again",
    sqlite3.SQLITE_TOOBIG: "one value is larger than SQLite takes (1 GB); store less at once",
}


def broken(error: sqlite3.Error, path: Path) -> BrokenStore:
    """Return what a SQLite error means for this file, with the cure."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return BrokenStore(f"{path}: {_CURES.get(code, 'the store failed')} ({error})")


def make_private(path: Path) -> None:
    """Make the file if it is absent, readable by its owner alone (SQLite gives its -wal file the same mode)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise BrokenStore(
            f"{path}: {error.strerror}; give this user write permission on the file and its folder, or name another"
        ) from error


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def write_anew(path: Path) -> None:
    """Write the log of changes of a store once more, as it is, and sync it; raise `BrokenStore` where that fails.

    A process that was killed between writing and syncing leaves changes that everybody reads and the disk may not have;
    so does an fsync that failed: the kernel takes its pages for written, and no later fsync writes them. Built upon,
    such changes would be acknowledged as known already, and be lost with the power.
    """
    try:
        with suppress(FileNotFoundError):
            log = os.open(f"{path}-wal", os.O_RDWR | os.O_CLOEXEC)
            try:
                at = 0
                while part := os.pread(log, 1 << 20, at):
                    at += os.pwrite(log, part, at)
                os.fsync(log)
            finally:
                os.close(log)
        for folder in (path.absolute().parent, path.absolute().parent.parent):
            with suppress(PermissionError):  # a folder that we may enter and not read was not made by us
                sync(folder)
    except OSError as error:
        raise BrokenStore(f"{path}: {error.strerror}; check the disk and its space, then do it again") from error


def archive_of(path: Path) -> Path:
    """Return the folder beside a store's file that holds its old rows.

    >>> archive_of(Path("shop/hub.db")).name
    'hub.db.archive'
    """
    return path.with_name(path.name + ".archive")


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection with the settings of a store; raise `BrokenStore` where this is no store of ours."""
    try:
        connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            _check_version(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
            connection.execute("PRAGMA cache_size = -65536")
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise broken(error, path) from error
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
    elif application != APPLICATION:
        raise BrokenStore(f"{path} is a SQLite file of another program; name another file for the store")
    elif version > SCHEMA:
        raise BrokenStore(
            f"{path} was written by a newer Opportune (layout {version}, this one reads up to {SCHEMA}); "
            "install that release, or restore a copy made before"
        )


def is_held(path: Path) -> bool:
    """Return whether a process holds the `WriterLock` of a store."""
    try:
        file = os.open(_lock_of(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


class WriterLock:
    """The right to write a store: an flock on a file beside it, which names its holder.

    The kernel takes the lock back when its process ends in any way, so a file that a dead process left is no obstacle.
    """

    def __init__(self, path: Path) -> None:
        self._path = _lock_of(path)
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BrokenStore(f"{self._path}: {error.strerror}; let this user write in its folder") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 200, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise StoreInUse(
                f"{path} is being written by process {holder}; stop that process first, or send it your requests"
            ) from None
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()} since {started}\n".encode(), 0)

    def release(self) -> None:
        """Let another process write."""
        os.ftruncate(self._file, 0)
        fcntl.flock(self._file, fcntl.LOCK_UN)
        os.close(self._file)


def is_copy(path: Path) -> bool:
    """Whether a file is a store of ours that nobody has open, such as an older copy."""
    try:
        with path.open("rb") as file:
            head = file.read(72)
    except OSError:
        return False
    ours = head[:15] == b"SQLite format 3" and int.from_bytes(head[68:72], "big") == APPLICATION
    return ours and not is_held(path)
