"""Errors as RFC 9457 problem+json: what is wrong, which field, and the cure."""

from __future__ import annotations

import re

import msgspec

from opportune.api.writer import Busy
from opportune.errors import (
    BadCatalog,
    BadInput,
    BadRequest,
    BrokenStore,
    Forgotten,
    NotFound,
    OpportuneError,
    Stale,
    StoreInUse,
)
from opportune.wire import Problem

TITLES = {
    400: "Bad request",
    401: "No key",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "No longer holds",
    410: "Forgotten",
    413: "Too large",
    422: "Bad catalog",
    429: "Too many requests",
    500: "Internal error",
    503: "Not ready",
}
_STATUS: tuple[tuple[type[OpportuneError], int, str], ...] = (
    (BadCatalog, 422, "bad-catalog"),
    (BadRequest, 400, "bad-request"),
    (BadInput, 400, "bad-input"),
    (Stale, 409, "stale"),
    (NotFound, 404, "not-found"),
    (Forgotten, 410, "forgotten"),
    (Busy, 429, "busy"),
    (StoreInUse, 503, "store-in-use"),
    (BrokenStore, 503, "broken-store"),
)
_PATH = re.compile(r" - at `\$\.?(.*)`$")


class Refused(OpportuneError):
    """A request that is turned away at the door, with the status and a machine-readable code."""

    def __init__(self, status: int, code: str, message: str, field: str = "") -> None:
        self.status, self.code, self.field = status, code, field
        super().__init__(message)


def problem(error: BaseException) -> Problem:
    """Return the problem that an error is; one that nobody raised on purpose is a 500 and says nothing of itself."""
    if isinstance(error, Refused):
        return _problem(error.status, error.code, str(error), error.field)
    if isinstance(error, msgspec.ValidationError):
        return _invalid(error)
    if isinstance(error, BadCatalog):
        errors = [
            {"file": p.file, "line": p.line, "column": p.column, "what": p.what, "cure": p.cure, "warning": p.warning}
            for p in error.problems
        ]
        return _problem(422, "bad-catalog", str(error), errors=errors)
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return _problem(status, code, str(error), getattr(error, "field", ""))
    return _problem(500, "internal", "something went wrong here; the log of the server has the details")


def _invalid(error: msgspec.ValidationError) -> Problem:
    """Return the problem of a body of the wrong shape, naming the field that msgspec's message ends in."""
    text = str(error)
    found = _PATH.search(text)
    unknown = re.search(r"unknown field `(.*?)`", text) or re.search(r"missing required field `(.*?)`", text)
    place = found[1] if found else ""
    if unknown:
        place = f"{place}.{unknown[1]}" if place else unknown[1]
    return _problem(400, "bad-request", _PATH.sub("", text), place)


def _problem(
    status: int, code: str, detail: str, field: str = "", errors: list[dict[str, object]] | None = None
) -> Problem:
    return Problem(f"urn:opportune:{code}", TITLES[status], status, detail, code, field, errors or [])
