"""When to stop sending: too many addresses that do not exist, or too many people who call it spam.

The bounds are those at which the large mailbox providers begin to refuse a sender: complaints are to stay below 0.1 %
and never to reach 0.3 % (Gmail and Yahoo, 2024); a hard bounce rate of 5 % means a bad list.
"""

from __future__ import annotations

from collections.abc import Mapping

ENOUGH = 100
"""Messages before a share means anything."""

COMPLAINTS = 0.003
BOUNCES = 0.05
WARNING = 0.001
"""The share of complaints from which on somebody should look."""


def harm(counts: Mapping[str, int]) -> str:
    """Return why a flow should stop, by its counts of `sent`, `bounced` and `complained`; "" where it may go on.

    What was counted when somebody last let it go on (`forgiven_*`) does not count again.

    >>> harm({"sent": 1000, "complained": 3})
    '3 of 1,000 messages (0.30 %) were called spam; 0.3 % is the most'
    >>> harm({"sent": 1000, "complained": 3, "forgiven_sent": 1000, "forgiven_complained": 3})
    ''
    """
    sent, bounced, complained = (fresh(counts, name) for name in ("sent", "bounced", "complained"))
    tried = sent + bounced
    if tried >= ENOUGH and complained >= COMPLAINTS * tried:
        return f"{_share(complained, tried)} were called spam; 0.3 % is the most"
    if tried >= ENOUGH and bounced >= BOUNCES * tried:
        return f"{_share(bounced, tried)} came back for good; 5 % is the most"
    return ""


def fresh(counts: Mapping[str, int], name: str) -> int:
    """Return a count since somebody last let the flow go on."""
    return counts.get(name, 0) - counts.get(f"forgiven_{name}", 0)


def forgiven(counts: Mapping[str, int]) -> dict[str, int]:
    """Return what to add to the counts so that nothing counted so far is harm."""
    return {f"forgiven_{name}": fresh(counts, name) for name in ("sent", "bounced", "complained")}


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} messages ({100 * part / whole:.2f} %)"
