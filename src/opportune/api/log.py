"""What the server says of itself: one JSON object a line on stderr, never personal data.

Paths are templates; of an error that nobody expected there is its type and where it came from, not its message.
"""

from __future__ import annotations

import io
import logging
import sys
import traceback
from contextlib import suppress
from typing import TextIO, cast

import structlog


class _Stderr(io.TextIOBase):
    """stderr, and what cannot be written is dropped: no request fails because a disk is full or a reader went away."""

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    structlog.PrintLogger(cast(TextIO, _Stderr())),
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(),
    ],
)


class Others(logging.Handler):
    """Says what libraries log in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; of an exception its type and places."""
        error = record.exc_info[1] if record.exc_info else None
        told = trace(error) if error else {"text": record.getMessage()[:200]}
        log.warning("a library says", library=record.name, **told)


def trace(error: BaseException) -> dict[str, object]:
    """Return the type of an error and the places it went through, innermost last."""
    frames = traceback.extract_tb(error.__traceback__)
    return {"error": type(error).__name__, "trace": [f"{f.filename}:{f.lineno} {f.name}" for f in frames[-12:]]}
