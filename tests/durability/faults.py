"""A disk and a clock that can be told to fail, for a server in a process of its own. `faults.c` is how.

    disk = Disk(tmp_path, folder)                # compiles faults.c; skips the test where there is no C compiler
    with FaultyServer(folder, disk) as server:
        ...
        server.kill()
        disk.lose_power(random, keep=0.5)        # the folder now is what a disk would have left of it
        server.start()
"""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving import Server

SECTOR = 512


class Control(ctypes.Structure):
    """`struct control` of faults.c."""

    _fields_ = (
        ("sync_error", ctypes.c_int32),
        ("damages", ctypes.c_int32),
        ("lies", ctypes.c_int32),
        ("unused", ctypes.c_int32),
        ("room", ctypes.c_int64),
        ("clock_shift", ctypes.c_int64),
        ("syncs", ctypes.c_int64),
        ("mapped", ctypes.c_int64),
    )


class Disk:
    """The disk under one folder, and the clock of the processes that run with `environment`.

    `control` takes effect at once: `sync_error` (an errno for every fsync), `damages` (an fsync that fails leaves
    garbage where it was to write), `lies` (fsync does nothing), `room` (bytes until it is full, -1 for no limit), and
    `clock_shift` (nanoseconds).
    """

    def __init__(self, scratch: Path, folder: Path) -> None:
        self.folder = folder
        self._kept = scratch / "kept"
        self._kept.mkdir()
        path = scratch / "control"
        path.write_bytes(bytes(mmap.PAGESIZE))
        with path.open("r+b") as file:
            self.control = Control.from_buffer(mmap.mmap(file.fileno(), mmap.PAGESIZE))
        self.control.room = -1
        self.environment = {
            "LD_PRELOAD": str(_compiled(scratch)),
            "FAULTS_ROOT": str(folder),
            "FAULTS_KEPT": str(self._kept),
            "FAULTS_CONTROL": str(path),
        }

    def lose_power(self, random_: random.Random, keep: float) -> None:
        """Make the folder what the disk holds; no process may use it.

        Everything that was synced is there. Of each sector and each name that was not, the newest state is, with the
        probability `keep`, as a disk that was about to write it may have done or not.
        """
        found = self.folder.with_name(f"{self.folder.name}.lost")
        self.folder.rename(found)
        self._restore(found, self.folder, "", random_, keep)
        shutil.rmtree(found)
        shutil.rmtree(self._kept)
        self._kept.mkdir()

    def _restore(self, found: Path, target: Path, relative: str, random_: random.Random, keep: float) -> None:
        target.mkdir(mode=0o700)
        names = self._names(relative)
        there = {path.name for path in found.iterdir()} if found.is_dir() else set[str]()
        for name in sorted(there ^ names.keys()):  # made or removed, and the folder not synced since
            if name in there and random_.random() < keep:
                path = found / name
                names[name] = "/" if path.is_dir() else f"{path.stat().st_ino:x}-"
            elif name in names and random_.random() < keep:
                del names[name]
        for name, key in sorted(names.items()):
            below = f"{relative}/{name}" if relative else name
            if key == "/":
                self._restore(found / name, target / name, below, random_, keep)
            elif not name.endswith("-shm"):  # memory that processes share, not a file that anybody syncs
                synced = next((p.read_bytes() for p in self._kept.glob(f"f-{key}*")), b"")
                newest = found / name
                same = newest.is_file() and key.startswith(f"{newest.stat().st_ino:x}-")
                (target / name).write_bytes(_torn(synced, newest.read_bytes(), random_, keep) if same else synced)
                shutil.copymode(newest if newest.is_file() else found, target / name)

    def _names(self, relative: str) -> dict[str, str]:
        path = self._kept / f"d-{relative.replace('/', '%')}"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return {name: key for key, _, name in (line.partition(" ") for line in lines)}


def _torn(synced: bytes, newest: bytes, random_: random.Random, keep: float) -> bytes:
    """Return what is left of a file: sector by sector the synced or the newest content."""
    size = len(newest) if random_.random() < keep else len(synced)
    left = bytearray(synced[:size].ljust(size, b"\0"))
    for at in range(0, size, SECTOR):
        new = newest[at : at + SECTOR]
        if new != left[at : at + SECTOR] and random_.random() < keep:
            left[at : at + len(new)] = new
    return bytes(left[:size])


class FaultyServer(Server):
    """A server whose disk and clock can be told to fail."""

    def __init__(self, folder: Path, disk: Disk, *options: str) -> None:
        super().__init__(folder, *options)
        self._disk = disk

    def start(self) -> None:
        """Start the server on its disk."""
        with _environment(self._disk.environment):
            super().start()


@contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _compiled(scratch: Path) -> Path:
    if sys.platform != "linux":
        pytest.skip("what a failing disk leaves is tested on Linux alone")
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang"))), None)
    if compiler is None:
        assert not os.environ.get("CI"), "the tests of faults need a C compiler"
        pytest.skip("no C compiler: install gcc or clang to test what a failing disk leaves")
    library = scratch / "faults.so"
    source = Path(__file__).with_name("faults.c")
    command = [compiler, "-std=gnu11", "-O2", "-Wall", "-shared", "-fPIC", "-o", library, source, "-ldl", "-pthread"]
    subprocess.run(list(map(str, command)), check=True, timeout=60)
    return library
