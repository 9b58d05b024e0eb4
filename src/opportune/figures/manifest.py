"""`manifest.json`: the parts of the exported tables that count, how far they go, and the version of their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from opportune.errors import BrokenStore
from opportune.store.sqlite_file import sync

NAME = "manifest.json"

FORGOTTEN = "tables_forgotten"
"""The table of a store that keeps, by pseudonym, who was forgotten and may still be in the tables beside it."""


class Manifest(msgspec.Struct, frozen=True, rename={"begin": "from"}):
    """What an export left. The tables hold the facts `from` to `to` of the ledger and the events up to `events`.

    `version` is a hash of the content: the names of parts hold that of theirs. `at` is when the last fact was known.
    The rest is what the next export goes on from: the catalog that was live, the digest of the last fact and of what
    was asked of events, and when the quality of data was scored.
    """

    version: str
    begin: int
    to: int
    at: int
    parts: Mapping[str, tuple[str, ...]]
    events: int = 0
    catalog: int = 0
    last: str = ""
    asked: str = ""
    scored: int = 0

    @classmethod
    def of(
        cls, parts: Mapping[str, tuple[str, ...]], begin: int = 0, to: int = 0, at: int = 0, **more: Any
    ) -> Manifest:
        """Return a manifest with the version of these parts."""
        told = "\n".join(f"{table}/{part}" for table in sorted(parts) for part in parts[table])
        return cls(hashlib.sha256(told.encode()).hexdigest()[:16], begin, to, at, dict(parts), **more)


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a folder; None where there is none. Raises `BrokenStore` for one that is damaged."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BrokenStore(f"{folder / NAME} is damaged ({error}); remove the folder and export anew") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder, whole or not at all; its parts must be on disk."""
    part = folder / f"{NAME}.part"
    with part.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / NAME)
    sync(folder)
