"""What an endpoint is: a method, a path, who may call it, what comes in and what goes out.

The same table of endpoints answers requests (`api.app`) and makes the OpenAPI document (`api.openapi`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from opportune.api.keys import Key

if TYPE_CHECKING:
    from opportune.api.door import Door

Who = Literal["anyone", "write", "browser", "server", "admin", "local"]
"""Whose key opens an endpoint: `write` any key, `browser` server keys and write keys with `decide:anonymous`,
`local` the token in `hub.json` alone."""

LARGEST_BODY = 1 << 20
"""The most bytes of a body, for endpoints that do not say otherwise."""


@dataclass(slots=True)
class Call:
    """One request that was let in. `body` is of the endpoint's type; `raw` are its bytes where it names none."""

    method: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    key: Key | None
    origin: str | None = None
    scheme: str = "http"
    body: Any = None
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is more than a body of status 200: `body` is encoded as JSON unless it is bytes."""

    body: Any = b""
    status: int = 200
    media: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Send = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that goes on: `run` is given the ASGI `send` and `receive` and sends everything, headers included."""

    run: Callable[[Callable[[], Awaitable[Any]], Send, Mapping[str, str]], Awaitable[None]]


Handler = Callable[["Door", Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query: its name, its type, what it is for."""

    name: str
    type: type
    help: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that the door does.

    `takes` is the type of the body (None: no body; `bytes`: the handler reads `raw` itself), `gives` that of the
    answer. `problems` are the statuses it may answer beside 200 and those that every endpoint may. `segment` endpoints
    are of the tracking API: the key may be in the body, and errors have the form that its clients read. A
    `page` is for people: its errors are pages, and the OpenAPI document is silent about it.
    """

    method: str
    path: str
    who: Who
    handler: Handler
    summary: str
    takes: Any = None
    gives: Any = None
    query: tuple[Parameter, ...] = ()
    problems: tuple[int, ...] = ()
    largest: int = LARGEST_BODY
    segment: bool = False
    page: bool = False
    media: str = "application/json"
