"""The book of use: each entry as it was told last, and what it comes to by tool, week, person and feature.

Both tables are the fold of the ledger's `ToolUsed` facts, and are written in the transaction of those.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from opportune.events.types import ToolUsed
from opportune.operations.tool_use import Wrong, same
from opportune.operations.weeks import week_of
from opportune.store.base import Store


class Cell(NamedTuple):
    """What a person did with a feature of a tool in a week; `uses` of 0: it was told that they did not use it."""

    week: int
    person: str
    feature: str
    uses: int


class Kept(NamedTuple):
    """What became of uses that were told: facts to append, which are new or `changed`, those known, those refused."""

    facts: list[ToolUsed]
    changed: int
    known: int
    refused: dict[int, Wrong]


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """An entry as it was told last, and the week that it fell into when it was told first."""

    use: ToolUsed
    week: int


class ToolBook:
    """The use of tools in a store. Call what writes inside of a transaction."""

    def __init__(self, store: Store, zone: ZoneInfo) -> None:
        """`zone` is the time zone of the weeks."""
        self._entries, self._weeks, self._zone = store.table("tool_entries"), store.table("tool_weeks"), zone

    def keep(self, uses: Mapping[int, ToolUsed], undated: Collection[int] = ()) -> Kept:
        """Take uses in that have no fault, each with its `entry`, by a number of the caller's.

        An entry counts once. Told again with another count, the last one holds; told again of another tool, person,
        feature or instant it is refused. Those that are `undated` (by number) were when they were told first. Append
        the `facts` in the same transaction.
        """
        known, rows = self._told([use.entry for use in uses.values()]), dict[str, _Row]()
        kept, changes, changed, again = Kept([], 0, 0, {}), dict[str, int](), 0, 0
        for number, use in uses.items():
            row = known.get(use.entry)
            before = row.use if row else None
            if before is not None and number in undated:
                use = replace(use, at=before.at)
            if before is not None and not same(use, before):
                what = f"entry {use.entry!r} was told before of {before.tool!r} and {before.person!r}, or another time"
                kept.refused[number] = Wrong("entry", what, "give each use an entry of its own")
                continue
            if before is not None and before.uses == use.uses:
                again += 1
                continue
            changed += before is not None
            week = row.week if row else week_of(use.at, self._zone)
            known[use.entry] = rows[use.entry] = _Row(use, week)
            kept.facts.append(use)
            key = "\x1f".join((use.tool, f"{week:06}", use.person, use.feature))
            changes[key] = changes.get(key, 0) + use.uses - (before.uses if before else 0)
        self._entries.put([(entry, _encode(row)) for entry, row in rows.items()])
        self._weeks.put([(key, str(self._uses(key) + more).encode()) for key, more in changes.items()])
        return kept._replace(changed=changed, known=again)

    def cells(self, tool: str, since: int = 0) -> Iterator[Cell]:
        """Yield what was told of a tool from a week on, in order of weeks, persons and features."""
        prefix = f"{tool}\x1f"
        for key, row in self._weeks.scan(prefix, after=f"{prefix}{since:06}"):
            week, person, feature = key.removeprefix(prefix).split("\x1f")
            yield Cell(int(week), person, feature, int(row))

    def first(self, tool: str) -> int | None:
        """Return the first week that was told of; None if nothing was told of the tool."""
        return next((cell.week for cell in self.cells(tool)), None)

    def _uses(self, key: str) -> int:
        return int(self._weeks.get(key) or 0)

    def _told(self, entries: Sequence[str]) -> dict[str, _Row]:
        found = {entry: self._entries.get(entry) for entry in self._entries.known(entries)}
        return {entry: _decode(row) for entry, row in found.items() if row is not None}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Row).decode
