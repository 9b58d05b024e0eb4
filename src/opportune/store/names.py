"""What may be the name of a log or table, and what may be a key: the same in every back end."""

from __future__ import annotations

import re

from opportune.errors import BadInput

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")


def check_name(name: str) -> str:
    """Return the name of a log or table; raise `BadInput` unless it is lower-case letters, digits and `_`.

    >>> check_name("dead_letters")
    'dead_letters'
    """
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} cannot name a log or table; write a lower-case letter, then lower-case letters, digits or _, "
            "60 characters at most"
        )
    return name


def check_text(key: str) -> str:
    """Return a key; raise `BadInput` where it is not text that UTF-8 can hold (a lone surrogate).

    >>> check_text("ünïcode")
    'ünïcode'
    """
    if not key.isascii():
        try:
            key.encode()
        except UnicodeEncodeError as error:
            raise BadInput(f"the key {key!r} is not Unicode text ({error.reason}); replace that character") from None
    return key


def check_key(key: str) -> str:
    """Return the key of a table; raise `BadInput` where it is empty or not Unicode text."""
    if not key:
        raise BadInput("a table cannot hold an empty key; give the row a name")
    return check_text(key)
