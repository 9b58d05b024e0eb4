"""Who may do what: the one table that every page and every act is looked up in.

A role is what a person is here for. What is not in the table is allowed to nobody but administrators.
"""

from __future__ import annotations

from collections.abc import Mapping

from opportune.errors import BadInput, OpportuneError

ADMINISTRATOR = "administrator"
ROLES = (
    ADMINISTRATOR,
    "marketing manager",
    "marketing technologist",
    "analyst",
    "process specialist",
    "project manager",
    "database manager",
    "developer",
    "compliance officer",
    "read-only",
)

_EVERYBODY = frozenset(ROLES)
_WITH_CUSTOMERS = _EVERYBODY - {"project manager", "read-only"}
_WITH_DATA = frozenset({"database manager", "compliance officer"})

ALLOWED: Mapping[str, frozenset[str]] = {
    "see now": _EVERYBODY,
    "see me": _EVERYBODY,
    "keep own account": _EVERYBODY,
    "see customers": _WITH_CUSTOMERS,
    "see decisions": _WITH_CUSTOMERS,
    "suppose": _WITH_CUSTOMERS,
    "play the story": frozenset({"marketing manager"}),
    "undo joins": _WITH_DATA,
    "see messages": _WITH_CUSTOMERS,
    "steer messages": frozenset({"marketing manager", "marketing technologist"}),
    "send again": frozenset({"marketing technologist", "developer"}),
    "send tests": frozenset({"marketing manager", "marketing technologist", "developer"}),
    "see actions": _EVERYBODY,
    "see models": _EVERYBODY,
    "see funnel": _EVERYBODY,
    "try levers": _EVERYBODY - {"read-only"},
    "move levers": frozenset({"marketing manager", "marketing technologist"}),
    "write files": frozenset({"marketing technologist", "developer"}),
    "see trust": _WITH_DATA,
    "answer requests": _WITH_DATA,
    "forget customers": frozenset({"compliance officer"}),
    "see data": _EVERYBODY,
    "replay events": frozenset({"database manager", "developer", "marketing technologist"}),
    "discard events": frozenset({"database manager"}),
    "score data": frozenset({"database manager", "developer", "marketing technologist", "analyst"}),
    "see operations": _EVERYBODY,
    "work on campaigns": _EVERYBODY - {"read-only"},
    "move campaigns": frozenset(
        {"marketing manager", "marketing technologist", "project manager", "process specialist"}
    ),
    "approve campaigns": frozenset({"marketing manager", "marketing technologist", "compliance officer"}),
    "enter money": frozenset({"marketing manager", "project manager"}),
    "send reports": frozenset({"marketing manager", "project manager", "analyst"}),
    "see lab": _EVERYBODY,
    "run tests": frozenset({"marketing manager", "marketing technologist", "analyst"}),
    "decide tests": frozenset({"marketing manager", "analyst"}),
    "manage users": frozenset(),
    "manage keys": frozenset(),
}
"""What -> the roles that may, besides administrators. Pages are `see NAME`, acts are what a person does there."""

HOMES: Mapping[str, str] = {
    "process specialist": "/operations",
    "project manager": "/operations",
    "analyst": "/lab",
    "marketing technologist": "/messages",
    "database manager": "/data",
    "compliance officer": "/trust",
    "developer": "/customer",
}
"""The page that a role begins on, where it is not `/now`."""


class NotAllowed(OpportuneError):
    """A person may not do what they asked for."""


def may(role: str, what: str) -> bool:
    """Return whether a role may do something.

    >>> may("read-only", "see now"), may("read-only", "undo joins"), may("administrator", "anything")
    (True, False, True)
    """
    return role == ADMINISTRATOR or role in ALLOWED.get(what, ())


def require(role: str, what: str) -> None:
    """Raise `NotAllowed` if a role may not do something."""
    if not may(role, what):
        who = ", ".join(sorted({ADMINISTRATOR, *ALLOWED.get(what, ())}))
        raise NotAllowed(f"as {role} you may not {what}; it is for: {who}. An administrator can change your role")


def home(role: str) -> str:
    """Return the page that a role begins on."""
    return HOMES.get(role, "/now")


def known(role: str) -> str:
    """Return a role; raise `BadInput` if there is none of that name."""
    if role not in ROLES:
        raise BadInput(f"there is no role {role!r}; the roles are {', '.join(ROLES)}")
    return role
