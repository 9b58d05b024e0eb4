"""`hub.json` beside the store: where the hub of a store listens and the token that opens it, for this user alone."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from opportune.errors import BrokenStore
from opportune.store.sqlite_file import is_held


class HubFile:
    """The file of one store. A second store in the same folder, served at the same time, has `NAME.json`."""

    def __init__(self, store: Path) -> None:
        self._store = store.absolute()
        self._paths = (self._store.parent / "hub.json", self._store.with_suffix(".json"))
        self._begun = self._store.with_suffix(".starting")

    def read(self) -> dict[str, Any] | None:
        """Return address and token of the hub that serves this store now; None if none does."""
        # a server that was killed leaves its file behind, and somebody else may listen there by now: the lock tells
        return self._mine() if is_held(self._store) else None

    def begin(self) -> None:
        """Say that this process is about to serve the store, unless another one holds it."""
        if not is_held(self._store):
            with suppress(OSError):
                self._begun.write_text(str(os.getpid()), "utf-8")

    def starting(self) -> bool:
        """Return whether a process holds the store that is about to serve it and does not listen yet."""
        # a server that was killed while it started leaves its mark behind
        try:
            os.kill(int(self._begun.read_text("utf-8")), 0)
        except PermissionError:
            pass
        except (OSError, ValueError, OverflowError):
            return False
        return is_held(self._store)

    def write(self, address: str, token: str) -> None:
        """Say where the hub listens, which has started then."""
        path = next((path for path in self._paths if not self._taken(path)), self._paths[-1])
        told = {"address": address, "token": token, "store": str(self._store), "pid": os.getpid()}
        try:
            path.unlink(missing_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(told, file)
            self._begun.unlink(missing_ok=True)
        except OSError as error:
            raise BrokenStore(
                f"{path} cannot be written: {error.strerror}; free some space, or give this user write permission"
            ) from error

    def remove(self) -> None:
        """Say that the hub no longer listens."""
        for path in self._paths:
            if _told(path).get("store") == str(self._store):
                path.unlink(missing_ok=True)

    def _mine(self) -> dict[str, Any] | None:
        return next((told for told in map(_told, self._paths) if told.get("store") == str(self._store)), None)

    def _taken(self, path: Path) -> bool:
        """Whether a file is that of another store that is served now."""
        other = _told(path).get("store")
        return isinstance(other, str) and other != str(self._store) and is_held(Path(other))


def _told(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
