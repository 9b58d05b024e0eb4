"""Files that are there as a whole or not at all, whenever the power fails."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

LONGEST_NAME = 200
"""Bytes; file systems take 255, and a part stays for endings."""


def file_name(key: str) -> str:
    """Return the name of the file of a send key, without an ending: the same for the same key, another for another.

    >>> file_name("01J:keep/bundle:email")
    '01J%3Akeep%2Fbundle%3Aemail'
    """
    name = quote(key, safe="")
    return name if len(name) <= LONGEST_NAME else f"{name[:100]}-{hashlib.sha256(key.encode()).hexdigest()}"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees all of it or what was there before, and so that it survives a loss of power.

    The folder is made if it is missing. What an attempt that was killed leaves behind is hidden, and the next attempt
    at the same file takes its place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
