"""Passwords, kept as argon2id only."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from opportune.errors import BadInput

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LEAST, MOST = 12, 200
"""Characters of a password."""

NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=1$bm9ib2R5bm9ib2R5bm9i$3x2eYJ0yQ0z5q5v7cQm5oYc1cY3b0b1rQm1o2Yh8c3A"
)
"""What is kept of no password: it is compared with where there is no user, and takes as long as one of theirs."""


def kept(password: str, name: str) -> str:
    """Return what is kept of a password; raise `BadInput` for one that is easily guessed.

    >>> kept("short", "ana")
    Traceback (most recent call last):
    opportune.errors.BadInput: a password has 12 characters or more: four words in a row are easy to keep in mind
    """
    if len(password) < LEAST:
        raise BadInput(f"a password has {LEAST} characters or more: four words in a row are easy to keep in mind")
    if len(password) > MOST:
        raise BadInput(f"a password has {MOST} characters at most")
    if len(set(password)) < 5 or password.strip().lower() in (name.lower(), name.lower() * 2):
        raise BadInput("this password is easily guessed: take four words in a row that have nothing to do with you")
    return _hasher().hash(password)


def fits(hashed: str | None, password: str) -> bool:
    """Return whether a password is the one that was kept. Takes as long where there is none."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return _hasher().verify(hashed or NOBODY, password[:MOST]) and hashed is not None
    except (Argon2Error, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)  # argon2id
