"""The one way in which a client calls the door of its hub; its methods, a class for each subject, stand on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

T = TypeVar("T")


class Calling(ABC):
    """What can call the door of a hub."""

    @abstractmethod
    def _call(
        self, method: str, path: str, gives: type[T], body: Any = None, query: Mapping[str, str] | None = None
    ) -> T:
        """Return the answer, of the type `gives` (bytes: as it came); raises what the answer stands for."""


def given(**query: str) -> dict[str, str]:
    """Return the parameters of a query that say something.

    >>> given(since="90d", by="")
    {'since': '90d'}
    """
    return {name: value for name, value in query.items() if value}


def quoted(text: str) -> str:
    """Return a text as one step of a path.

    >>> quoted("a/b c")
    'a%2Fb%20c'
    """
    return quote(text, safe="")
