"""The overlay at work: values on top of the files, as versions in the store that can be undone.

Each version says who changed what and why. What is live is the files as they were published last, with the entries of
the last version on top; files that are published later keep them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from opportune.catalog import overlay
from opportune.catalog.build import from_bytes, from_data, to_bytes, to_data
from opportune.catalog.diff import diff
from opportune.catalog.overlay import Conflict, Entry
from opportune.catalog.types import Catalog
from opportune.deliver import gate
from opportune.errors import BadRequest, NotFound, Stale
from opportune.hub import Hub
from opportune.wire.steering import VersionKind

MOST_CHANGES = 500
"""Changes that a version tells of."""

LONGEST = 500
"""Characters of an author or a reason."""

LAST, FILES = "last", "files"


class Version(msgspec.Struct, frozen=True, array_like=True):
    """One version: what changed, as (path, words), and all entries that lie on top of the files from then on.

    `published` is the fact of the ledger by which it went live.
    """

    number: int
    at: int
    kind: VersionKind
    author: str
    reason: str
    published: int
    changes: tuple[tuple[str, str], ...]
    entries: tuple[Entry, ...]


class Draft(NamedTuple):
    """Entries to take live on top of files, as a version after the version `on`."""

    kind: VersionKind
    author: str
    reason: str
    on: int
    files: Catalog
    entries: tuple[Entry, ...]


def lay(draft: Draft) -> Catalog:
    """Return what would be live with a draft. Takes a second where there are templates, and no hub. `BadCatalog`."""
    return _on(draft.files, draft.entries)


def tried(draft: Draft) -> Catalog:
    """Return the same, quickly: standards and templates are not looked at, so it is for a preview. `BadCatalog`."""
    return from_data(overlay.apply(to_data(draft.files), draft.entries))


class Overlay:
    """The overlay of one hub. Call what writes where nobody else works on the hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._table = hub, hub.store.table("overlay")

    def versions(self) -> list[Version]:
        """Return every version, the latest first."""
        return [msgspec.msgpack.decode(row, type=Version) for _, row in self._table.scan("v")][::-1]

    def last(self) -> Version | None:
        """Return the last version; None before the first."""
        key = self._table.get(LAST)
        return self.version(int(key)) if key else None

    def version(self, number: int) -> Version:
        """Return a version. Raises `NotFound`."""
        row = self._table.get(f"v{number:010d}")
        if row is None:
            raise NotFound(f"there is no version {number}; `GET /v1/overlay` lists them")
        return msgspec.msgpack.decode(row, type=Version)

    def entries(self) -> tuple[Entry, ...]:
        """Return what lies on top of the files now; nothing if another catalog was taken live past the overlay."""
        last = self.last()
        return last.entries if last is not None and last.published == self._hub.published else ()

    def files(self) -> Catalog:
        """Return the catalog of the files as they were published last, without the overlay."""
        row = self._table.get(FILES) if self.entries() else None
        return from_bytes(row) if row else self._hub.plan.catalog

    def files_hash(self) -> str:
        """Return the hash of that catalog, without reading it."""
        row = self._table.get(FILES) if self.entries() else None
        return sha256(row).hexdigest() if row else self._hub.plan.catalog.hash

    def conflicts(self) -> list[Conflict]:
        """Return the entries whose value the files have changed since they were made."""
        entries, now = self.entries(), self.files_hash()
        return overlay.conflicts(self.files(), entries) if any(e.base != now for e in entries) else []

    def laid(self, files: Catalog) -> Catalog:
        """Return files with the entries on top, as publishing them would take them live. Raises `BadCatalog`."""
        entries = self.entries()
        return _on(files, entries) if entries else files

    def supposing(self, changes: Mapping[str, Any]) -> Draft:
        """Return values (path -> value) as they would be set. Raises `BadInput`."""
        last, files = self.last(), self.files()
        entries = self._with(files, changes, "", "")
        return Draft("set", "", "", last.number if last else 0, files, entries)

    def setting(self, changes: Mapping[str, Any], author: str, reason: str, on: int | None = None) -> Draft:
        """Return values (path -> value) to set. Raises `BadInput`, and `Stale` if `on` is not the last version."""
        _said(author, "author")
        _said(reason, "reason")
        last, files = self.last(), self.files()
        number = last.number if last else 0
        if on is not None and on != number:
            raise Stale(f"version {number} is live by now, not {on}; look at it, and try again")
        return Draft("set", author, reason, number, files, self._with(files, changes, author, reason))

    def undoing(self, number: int, author: str, reason: str = "") -> Draft:
        """Return the values as before one version. `Stale` if one was changed again since, or came with the files."""
        _said(author, "author")
        version = self.version(number)
        if (again := self._changed_since(version)) is not None:
            raise Stale(again)
        before, now = self._before(version), _by(self.entries())
        for path in _changed(before, _by(version.entries)):
            if path in before:
                now[path] = before[path]
            else:
                now.pop(path, None)
        last = self.last()
        why = reason[:LONGEST] or f"undo of version {number}"
        return Draft("undo", author, why, last.number if last else 0, self.files(), tuple(now.values()))

    def undoable(self, version: Version) -> bool:
        """Return whether a version can be undone."""
        return self._changed_since(version) is None

    def confirming(self, author: str) -> Draft:
        """Return the entries without those in conflict. Raises `BadRequest` if there are none."""
        _said(author, "author")
        last = self.last()
        if last is None or not self.conflicts():
            raise BadRequest("no value of the overlay is in conflict with the files; there is nothing to confirm")
        files = self.files()
        kept = tuple(overlay.confirm(files, self.entries()))
        return Draft("confirm", author, "the files changed what was set", last.number, files, kept)

    def apply(self, draft: Draft, live: Catalog) -> Version:
        """Take a draft live as a new version; `live` is what `lay` made of it. `Stale` if another came between."""
        last = self.last()
        if draft.on != (last.number if last else 0):
            raise Stale("somebody changed the overlay in this moment; look at it, and try again")
        if live.hash == self._hub.plan.catalog.hash and draft.kind != "confirm":
            raise BadRequest("nothing would change: these values are live already", "changes")
        with self._hub.group():
            self._table.put([(FILES, to_bytes(draft.files))])
            return self._take(live, draft.entries, draft.kind, draft.author, draft.reason)

    def publish(self, files: Catalog, author: str) -> bool:
        """Take files live with the overlay on top; return False if that is live already."""
        hub, entries = self._hub, self.entries()
        live = _on(files, entries) if entries else files
        with hub.group():
            if entries:
                self._table.put([(FILES, to_bytes(files))])
            if live.hash == hub.plan.catalog.hash:
                return False
            self._take(live, entries, "files", author, "the files were published")
            return True

    def export(self, folder: Path, author: str) -> list[str]:
        """Write the overlay into the files of a folder; return the files that changed.

        Raises `BadRequest` if the files are not those that are live, as what else changed in them would go live too.
        """
        from opportune.catalog.export import export

        _said(author, "author")
        entries = self.entries()
        if not entries:
            raise BadRequest("nothing lies on top of the files; there is nothing to export")
        if gate.load(folder).hash != self.files().hash:
            raise BadRequest("the files have changes that are not live; publish them, and export then")
        changed = export(folder, entries)
        with self._hub.group():
            self._note((), "export", author, "written into the files", ())
        return changed

    def _with(self, files: Catalog, changes: Mapping[str, Any], author: str, reason: str) -> tuple[Entry, ...]:
        if not changes:
            raise BadRequest("name the values to change", "changes")
        now = {e.path: e for e in self.entries()}
        for path, value in changes.items():
            made = overlay.entry(files, path, value, author, self._hub.clock.now(), reason)
            if value == made.was:
                now.pop(path, None)
            else:
                now[path] = made
        return tuple(now.values())

    def _take(self, live: Catalog, entries: tuple[Entry, ...], kind: VersionKind, author: str, reason: str) -> Version:
        found = [(change.path, str(change)) for change in diff(self._hub.plan.catalog, live)]
        self._hub.publish(live, author)
        return self._note(entries, kind, author, reason, found[:MOST_CHANGES])

    def _note(
        self, entries: tuple[Entry, ...], kind: VersionKind, author: str, reason: str,
        changes: Sequence[tuple[str, str]],
    ) -> Version:  # fmt: skip
        hub, last = self._hub, self.last()
        number = last.number + 1 if last else 1
        made = Version(number, hub.clock.now(), kind, author, reason, hub.published, tuple(changes), entries)
        self._table.put([(f"v{number:010d}", msgspec.msgpack.encode(made)), (LAST, str(number).encode())])
        return made

    def _before(self, version: Version) -> dict[str, Entry]:
        return _by(self.version(version.number - 1).entries) if version.number > 1 else {}

    def _changed_since(self, version: Version) -> str | None:
        """Return why a version cannot be undone; None if it can be."""
        before, then, now = self._before(version), _by(version.entries), _by(self.entries())
        if version.kind in ("files", "export", "confirm"):
            return f"version {version.number} came with the files; change those, and publish them"
        for path in _changed(before, then):
            if now.get(path) != then.get(path):
                return f"{path} was changed again after version {version.number}; undo that first, or set it anew"
        return None


def _on(files: Catalog, entries: Iterable[Entry]) -> Catalog:
    return gate.of_data(overlay.apply(to_data(files), entries))


def _by(entries: Iterable[Entry]) -> dict[str, Entry]:
    return {e.path: e for e in entries}


def _changed(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> list[str]:
    return [path for path in {**before, **after} if before.get(path) != after.get(path)]


def _said(text: str, field: str) -> None:
    if not text.strip() or len(text) > LONGEST:
        raise BadRequest(f"say the {field}, in up to {LONGEST} characters: others read it later", field)
