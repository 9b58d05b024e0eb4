"""The process that renders: it has limits, no network, no secrets, and nothing that it could harm.

It is told the treatments of a catalog first, and then one job after the other on its standard input; each answer goes
to what was its standard output. Frames are msgpack behind their length in four bytes.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import msgspec

from opportune.deliver.render.templates import BadTemplate, RenderFailed, Templates
from opportune.deliver.types import Failure
from opportune.errors import BadInput, Problem

FULL = 3
"""The exit status of a process that ran out of memory, has said so, and is of no more use."""

COMPILING = 10
"""Compiling may take so many times the deadline of a render: it is done once, and imports what it needs."""

_ALONE = 0x10000000 | 0x40000000  # CLONE_NEWUSER | CLONE_NEWNET


class Texts(msgspec.Struct, array_like=True):
    """The content of a treatment in the default language, and the keys that other languages say otherwise."""

    form: str
    content: dict[str, Any]
    languages: dict[str, dict[str, Any]]


class Stock(msgspec.Struct, array_like=True):
    """What the process is told first; `deadline` is in seconds of computing, `memory` in bytes."""

    deadline: float
    memory: int
    language: str
    blocks: dict[str, dict[str, str]]
    treatments: dict[str, Texts]


class Edition(msgspec.Struct, array_like=True, tag=True):
    """Take in treatments that some customers get instead of those of the stock. There is no answer."""

    name: str
    blocks: dict[str, dict[str, str]]
    treatments: dict[str, Texts]


class Render(msgspec.Struct, array_like=True, tag=True):
    """Render a treatment, `action/treatment`, in one of its languages, of an edition ("": of the stock)."""

    key: str
    language: str
    context: Mapping[str, Any]
    edition: str = ""


class Inspect(msgspec.Struct, array_like=True, tag=True):
    """Look for mistakes in a treatment; `names` are the names that templates may read (`names.known`)."""

    key: str
    language: str
    names: dict[str, list[str] | None]


class Made(msgspec.Struct, array_like=True, tag=True):
    """The finished content."""

    content: dict[str, Any]


class Failed(msgspec.Struct, array_like=True, tag=True):
    """Why there is none. `limit` says what was at its end: deadline, memory, crash; "" where the text is at fault."""

    failure: Failure
    limit: str = ""


class Found(msgspec.Struct, array_like=True, tag=True):
    """The mistakes; the file of each is the field of the content."""

    problems: list[Problem]


Answer = Made | Failed | Found


def main() -> None:
    """Answer jobs until the pipe ends."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not end up between the answers
    stock = msgspec.msgpack.decode(_frame(source), type=Stock)
    _limit(stock.memory)
    workshop = _Workshop(stock)
    signal.signal(signal.SIGPROF, _too_long)
    read, write = msgspec.msgpack.Decoder(Render | Inspect | Edition), msgspec.msgpack.Encoder()
    with suppress(BrokenPipeError, EOFError):
        while True:
            job = read.decode(_frame(source))
            if isinstance(job, Edition):
                workshop.editions[job.name] = job
                continue
            answer = workshop.answer(job)
            try:
                data = write.encode(answer)
            except (TypeError, ValueError, OverflowError) as error:
                data = write.encode(Failed(Failure(f"gives what no message can hold: {error}")))
            sink.write(len(data).to_bytes(4, "big") + data)
            sink.flush()
            if isinstance(answer, Failed) and answer.limit == "memory":
                os._exit(FULL)


def _frame(source: BinaryIO) -> bytes:
    head = source.read(4)
    if len(head) < 4:
        raise EOFError
    return source.read(int.from_bytes(head, "big"))


class _TooLong(BaseException):
    """The deadline of a job is over. No `Exception`, which a library may take for one of its own."""


def _too_long(number: int, frame: object) -> None:
    raise _TooLong


def _limit(memory: int) -> None:
    """Take away what rendering does not need: memory beyond a bound, the network, core files."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS, (memory, memory))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).unshare(_ALONE)  # where the kernel allows it; nothing here asks for the network anyway
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end closes the pipe


class _Workshop:
    """The compiled treatments; each is compiled when it is first asked for."""

    def __init__(self, stock: Stock) -> None:
        self.stock = stock
        self.editions: dict[str, Edition] = {}
        self.compiled: dict[tuple[str, str, str], Any] = {}

    def answer(self, job: Render | Inspect) -> Answer:
        """Return what became of a job, whatever it does."""
        try:
            if isinstance(job, Inspect):
                return Found(self.inspected(job))
            known = self.compiled.get((job.edition, job.key, job.language))
            if known is None:
                known = self.compile(job.key, job.language, job.edition)
            with _deadline(self.stock.deadline):
                return Made(known.render(job.context))
        except RenderFailed as failed:
            return Failed(failed.failure)
        except BadTemplate as bad:
            p = next(p for p in bad.problems if not p.warning)
            return Failed(Failure(f"{p.what}; {p.cure}" if p.cure else p.what, p.file, p.line, p.column))
        except _TooLong:
            what = f"takes more than {self.stock.deadline:g} s of computing; make it simpler"
            return Failed(Failure(what), "deadline")
        except MemoryError:
            return Failed(Failure(f"takes more than {self.stock.memory >> 20} MiB; make it simpler"), "memory")
        except Exception as error:
            return Failed(Failure(f"{type(error).__name__}: {error}"))

    def compile(self, key: str, language: str, edition: str = "") -> Any:
        from opportune.deliver.forms import open_form

        told = self.editions[edition] if edition else self.stock
        texts = told.treatments[key]
        content = {**texts.content, **texts.languages.get(language, {})}
        templates = Templates(told.blocks, language, self.stock.language)
        with _deadline(self.stock.deadline * COMPILING):
            made = open_form(texts.form).compile(content, language, templates)
        self.compiled[edition, key, language] = made
        return made

    def inspected(self, job: Inspect) -> list[Problem]:
        from opportune.deliver.render.names import unknown

        found: list[Problem] = []
        try:
            found += self.compile(job.key, job.language).warnings
        except BadTemplate as bad:
            found += bad.problems
        except BadInput as wrong:
            found.append(Problem(str(wrong)))
        texts = self.stock.treatments[job.key]
        content = {**texts.content, **texts.languages.get(job.language, {})}
        templates = Templates(self.stock.blocks, job.language, self.stock.language)
        with _deadline(self.stock.deadline * COMPILING):
            for field, text in _texts(content):
                with suppress(BadTemplate):  # told already
                    found += unknown(templates.text(text, field), job.names)
        return found


def _texts(value: Any, field: str = "") -> list[tuple[str, str]]:
    """Return every text of a content with its field, dots for nesting."""
    if isinstance(value, str):
        return [(field, value)]
    inner: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        inner = [*value.items()]
    elif isinstance(value, list | tuple):
        inner = [*enumerate(value)]
    return [found for key, below in inner for found in _texts(below, f"{field}.{key}" if field else str(key))]


class _deadline:
    """A context manager that raises `_TooLong` after so many seconds of computing.

    What Python cannot interrupt, such as arithmetic with a million digits, the kernel ends a little later, together
    with the process.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        hard = math.ceil(used.ru_utime + used.ru_stime + self.seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (hard, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_PROF, self.seconds)

    def __exit__(self, *error: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
