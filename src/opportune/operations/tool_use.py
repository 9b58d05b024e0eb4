"""Use of tools as it is told: what is wrong with it, and what names it, so that it counts once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import NamedTuple

from opportune.catalog.fields import nearest
from opportune.catalog.tool_types import Tool
from opportune.clock import DAY, format_instant
from opportune.events.types import ToolUsed

LONGEST = 200
"""Characters of a name of a person, a feature or an entry."""

MOST_USES = 10**9
AHEAD = DAY
"""How far ahead of the hub's clock a use may be: clocks differ, and so do calendars."""


class Wrong(NamedTuple):
    """What is wrong with a use, the field that is at fault, and the cure."""

    field: str
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.what}; {self.cure}"


def fault(use: ToolUsed, tools: Mapping[str, Tool], people: Collection[str], now: int) -> Wrong | None:
    """Return what is wrong with a use; None if it can be taken. No `people`: a person may be anybody.

    A tool that lists no features has any; `uses` of 0 says that nobody used it, or takes back what was told.
    """
    for field, text in (("tool", use.tool), ("person", use.person), ("feature", use.feature), ("entry", use.entry)):
        if len(text) > LONGEST or any(character < " " or "\ud800" <= character <= "\udfff" for character in text):
            shown = text[:40].encode("ascii", "backslashreplace").decode()
            return Wrong(field, f"{field} {shown!r} is no name", f"give one line of at most {LONGEST} characters")
    tool = tools.get(use.tool)
    if tool is None:
        return Wrong("tool", f"the catalog has no tool {use.tool!r}", nearest(use.tool, tools))
    if not use.person:
        return Wrong("person", "nobody is named", "say who used it")
    if people and use.person not in people:
        return Wrong("person", f"there is no {use.person!r} among the people", nearest(use.person, people))
    if use.feature and tool.features and use.feature not in tool.features:
        return Wrong("feature", f"{tool.name!r} has no feature {use.feature!r}", nearest(use.feature, tool.features))
    if not 0 <= use.uses <= MOST_USES:
        return Wrong("uses", f"uses is {use.uses}", f"give a whole number from 0 to {MOST_USES:,}")
    if not 0 <= use.at <= now + AHEAD:
        return Wrong("at", f"at is {format_instant(use.at)}", "give a time from 1970 to now")
    return None


def entry_of(use: ToolUsed, nth: int = 0) -> str:
    """Return the name of a use that nobody named: of a tool, a person, a feature and an instant, and which of several
    that are alike in all of these (`nth`, from 0 on). A count that is told again thus finds the one before.

    >>> entry_of(ToolUsed(7, "mailer", "ana")) == entry_of(ToolUsed(7, "mailer", "ana", uses=9))
    True
    """
    text = "\x1f".join((use.tool, use.person, use.feature, str(use.at), str(nth)))
    return "row:" + blake2b(text.encode(), digest_size=12).hexdigest()


def same(use: ToolUsed, known: ToolUsed) -> bool:
    """Whether two uses are one, whatever their counts say."""
    return (use.tool, use.person, use.feature, use.at) == (known.tool, known.person, known.feature, known.at)
