"""When to stop sending: too many addresses that do not exist, or too many people who call it spam.

The bounds are those at which the large mailbox providers begin to refuse a sender: complaints are to stay below 0.1 %
and never to reach 0.3 % (Gmail and Yahoo, 2024); a hard bounce rate of 5 % means a bad list. What counts is recent:
once `RECENT` messages are counted, all recent counts are halved, so that a good past does not excuse a bad present.
"""

from __future__ import annotations

from collections.abc import Mapping

BREAKER = "breaker"
"""Who has paused a flow that this module speaks against."""

ENOUGH, FEWEST = 100, 3
"""Messages, and complaints or bounces, before a share means anything."""

RECENT = 10_000
"""Messages after which older ones count half."""

COMPLAINTS = 0.003
BOUNCES = 0.05

_COUNTED = ("sent", "bounced", "returned", "complained")


def harm(counts: Mapping[str, int]) -> str:
    """Return why a flow should stop, by its recent counts; "" where it may go on.

    `sent` were taken by the provider, and some of them `returned` later or were `complained` of; `bounced` were refused
    at once because the address does not exist.

    >>> harm({"recent_sent": 1000, "recent_complained": 3})
    '3 of 1,000 messages (0.30 %) were called spam; 0.3 % is the most'
    >>> harm({"recent_sent": 1000, "recent_complained": 2})
    ''
    """
    sent, bounced, returned, complained = (counts.get(f"recent_{name}", 0) for name in _COUNTED)
    tried, gone = sent + bounced, bounced + returned
    if tried >= ENOUGH and complained >= max(FEWEST, COMPLAINTS * tried):
        return f"{_share(complained, tried)} were called spam; 0.3 % is the most"
    if tried >= ENOUGH and gone >= max(FEWEST, BOUNCES * tried):
        return f"{_share(gone, tried)} came back for good; 5 % is the most"
    return ""


def recent(name: str, more: int) -> dict[str, int]:
    """Return what else to count beside a count."""
    return {f"recent_{name}": more} if name in _COUNTED else {}


def faded(counts: Mapping[str, int]) -> dict[str, int]:
    """Return what to add to the counts once many messages are counted: half of each recent one, less."""
    enough = counts.get("recent_sent", 0) + counts.get("recent_bounced", 0) >= RECENT
    return {f"recent_{name}": -(counts.get(f"recent_{name}", 0) // 2) for name in _COUNTED} if enough else {}


def plain(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts that say something to people."""
    return {name: number for name, number in counts.items() if number and not name.startswith("recent_")}


def forgiven(counts: Mapping[str, int]) -> dict[str, int]:
    """Return what to add to the counts so that nothing counted so far is harm."""
    return {f"recent_{name}": -counts.get(f"recent_{name}", 0) for name in _COUNTED}


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} messages ({100 * part / whole:.2f} %)"
