"""Rendering in a process of its own: a hostile or broken template costs its own job, and never the hub."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, NamedTuple, Self

import msgspec

from opportune.catalog.types import Catalog, Treatment
from opportune.deliver.forms import form_of
from opportune.deliver.render import names
from opportune.deliver.render.languages import nearest
from opportune.deliver.render.process import FULL, Answer, Edition, Failed, Found, Inspect, Made, Render, Stock, Texts
from opportune.deliver.types import Failure, Job, Rendered
from opportune.errors import OpportuneError, Problem

CRASHES = 3
"""Times in a row that a treatment may run into a limit; after that it is not tried again with this catalog."""

EDITIONS = 64
"""Variants of the catalog whose texts a process holds."""

SLICE = 64
"""Jobs that are sent at once; what a treatment cost the ones before is seen after each slice."""

PATIENCE = 5.0
"""Seconds that the kernel may take to end a process that has closed its pipe."""

_CHUNK = 1 << 16


def language_of(treatment: Treatment, wanted: str, default: str) -> str:
    """Return the language in which a treatment is told to somebody who reads `wanted`."""
    return nearest(wanted, (default, *treatment.languages), default)


class Renderer:
    """Renders the treatments of a catalog. Safe to use from several threads: one batch runs at a time.

    The process starts with the first batch, anew after a crash, and ends with `close` or with this process. It has
    `memory` bytes; a job has `deadline` seconds of computing, and ten times that while its treatment is compiled, which
    is done once.
    """

    def __init__(self, catalog: Catalog, deadline: float = 1.0, memory: int = 512 << 20) -> None:
        self._deadline, self._memory = deadline, memory
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._take(catalog)

    def adopt(self, catalog: Catalog) -> None:
        """Render the treatments of another catalog from now on."""
        with self._lock:
            if catalog.hash != self._catalog.hash:
                self._end()
                self._take(catalog)

    def render(self, jobs: Sequence[Job]) -> list[Rendered | Failure]:
        """Return what became of each job, in their order. Blocks until all are done.

        A treatment that the catalog does not have, a mistake in a text, or a limit that is reached is a `Failure` of
        that job alone.
        """
        told: list[Rendered | Failure] = []
        with self._lock:
            for begin in range(0, len(jobs), SLICE):
                if len(self._editions) > EDITIONS:  # the process holds them too, so it begins anew
                    self._editions.clear()
                    self._end()
                asked = [self._asked(job) for job in jobs[begin : begin + SLICE]]
                given = iter(self._ask([one for one in asked if isinstance(one, Render)]))
                told += [_told(next(given) if isinstance(one, Render) else Failed(one)) for one in asked]
        return told

    def inspect(self, action: str, treatment: str, language: str) -> list[Problem]:
        """Return the mistakes and warnings in a treatment's texts in one of its languages.

        The file of each is the field of the content, or `block NAME`; line and column count within that text.
        """
        with self._lock:
            [answer] = self._ask([Inspect(f"{action}/{treatment}", language, names.known(self._catalog))])
        if isinstance(answer, Found):
            return answer.problems
        assert isinstance(answer, Failed)
        return [Problem(answer.failure.what, "", answer.failure.line, answer.failure.column, answer.failure.field)]

    def close(self) -> None:
        """End the process; the next batch would start it anew."""
        with self._lock:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _take(self, catalog: Catalog) -> None:
        self._catalog, self._treatments = catalog, _treatments(catalog)
        texts = {key: _texts(catalog, t) for key, t in self._treatments.items()}
        stock = Stock(self._deadline, self._memory, catalog.language, _blocks(catalog), texts)
        self._stock = msgspec.msgpack.encode(stock)
        self._editions: dict[str, _Edition] = {}
        self._crashed: dict[tuple[str, str, str], int] = {}

    def _asked(self, job: Job) -> Render | Failure:
        key = f"{job.action}/{job.treatment}"
        edition = self._edition(job.edition) if job.edition is not None else None
        own = edition is not None and key in edition.treatments
        treatment = edition.treatments[key] if edition is not None and own else self._treatments.get(key)
        if treatment is None:
            return Failure(f"the catalog has no treatment {key!r}")
        language = language_of(treatment, job.language, self._catalog.language)
        name = edition.name if edition is not None and own else ""
        if self._crashed.get((name, key, language), 0) >= CRASHES:
            return Failure(f"{key} ran into a limit {CRASHES} times in a row and is not tried again; mend its texts")
        return Render(key, language, job.context, name)

    def _edition(self, catalog: Catalog) -> _Edition:
        """Return what a variant of the catalog says otherwise. """
        found = self._editions.get(catalog.hash)
        if found is None:
            same = catalog.blocks == self._catalog.blocks
            differing = {k: t for k, t in _treatments(catalog).items() if not same or t != self._treatments.get(k)}
            told = Edition(catalog.hash, _blocks(catalog), {k: _texts(catalog, t) for k, t in differing.items()})
            found = _Edition(catalog.hash, differing, _framed(msgspec.msgpack.encode(told)))
            self._editions[catalog.hash] = found
        return found

    def _ask(self, asked: Sequence[Render | Inspect]) -> list[Answer]:
        """Return the answers to jobs; a job that the process does not survive is a failure, and the rest go on."""
        answers: list[Answer] = []
        while len(answers) < len(asked):
            fresh, before = self._process is None, len(answers)
            self._process = self._process or _Process(self._stock)
            frames = [self._frame(one, self._process) for one in asked[before:]]
            try:
                self._process.exchange(frames, answers)
            except EOFError:
                status = self._process.ended()
                self._process = None
                # one that ended while it had nothing to do does not speak against the job that came next
                if status != FULL and (fresh or len(answers) > before):
                    answers.append(Failed(Failure(self._cause(status)), "crash"))
            for one, answer in zip(asked[before:], answers[before:]):
                spot = one.edition if isinstance(one, Render) else "", one.key, one.language
                limited = isinstance(answer, Failed) and answer.limit
                self._crashed[spot] = self._crashed.get(spot, 0) + 1 if limited else 0
        return answers

    def _frame(self, one: Render | Inspect, process: _Process) -> bytes:
        """Return a job as it is sent, behind its edition where the process does not know that yet."""
        frame = _framed(msgspec.msgpack.encode(one))
        if isinstance(one, Render) and one.edition and one.edition not in process.told:
            process.told.add(one.edition)
            return self._editions[one.edition].frame + frame
        return frame

    def _cause(self, status: int) -> str:
        if -status in (signal.SIGXCPU, signal.SIGPROF):
            return f"takes more than {self._deadline:g} s of computing; make it simpler"
        return f"the process that rendered it ended with status {status}: too much memory, or a fault of a library"

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            self._process = None


class _Edition(NamedTuple):
    """The treatments that a variant of the catalog has otherwise, and how a process is told of them."""

    name: str
    treatments: Mapping[str, Treatment]
    frame: bytes


def _treatments(catalog: Catalog) -> dict[str, Treatment]:
    return {f"{a.name}/{t.name}": t for a in catalog.actions for t in a.treatments}


def _texts(catalog: Catalog, t: Treatment) -> Texts:
    channel = next(c for c in catalog.channels if c.name == t.channel)
    return Texts(form_of(channel, t.content), dict(t.content), {name: dict(said) for name, said in t.languages.items()})


def _blocks(catalog: Catalog) -> dict[str, dict[str, str]]:
    return {name: dict(said) for name, said in catalog.blocks.items()}


class _Process:
    """The other end of the pipes to `process.main`."""

    def __init__(self, stock: bytes) -> None:
        # of this process it gets the way to import, and nothing else: no secrets, no files, no sockets
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"}
        environment["OPENBLAS_NUM_THREADS"] = "1"  # a process with threads cannot leave the network
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        command = [sys.executable, "-P", "-c", "from opportune.deliver.render.process import main; main()"]
        self._popen = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment, bufsize=0
        )
        assert self._popen.stdin
        assert self._popen.stdout
        self._to, self._from = self._popen.stdin.fileno(), self._popen.stdout.fileno()
        self._decoder = msgspec.msgpack.Decoder(Answer)
        os.set_blocking(self._to, False)
        self._unsent, self._unread = bytearray(_framed(stock)), bytearray()
        self.told: set[str] = set()
        """The editions that it knows."""

    def exchange(self, frames: Sequence[bytes], answers: list[Answer]) -> None:
        """Send jobs and add their answers as they come; both at once, so that no full pipe stops the other.

        Raises `EOFError` if the process has ended.
        """
        self._unsent += b"".join(frames)
        wanted = len(answers) + len(frames)
        with selectors.DefaultSelector() as ready:
            ready.register(self._from, selectors.EVENT_READ)
            ready.register(self._to, selectors.EVENT_WRITE)
            while len(answers) < wanted:
                for key, _ in ready.select():
                    if key.fd == self._from:
                        self._read(answers)
                    elif not self._write():
                        ready.unregister(self._to)

    def _write(self) -> bool:
        """Send what the pipe takes; return whether anything is left."""
        try:
            del self._unsent[: os.write(self._to, self._unsent[:_CHUNK])]
        except BlockingIOError:
            return True
        except OSError:  # the end is seen where it is read, after what was answered before it
            self._unsent.clear()
        return bool(self._unsent)

    def _read(self, answers: list[Answer]) -> None:
        data = os.read(self._from, _CHUNK)
        if not data:
            raise EOFError
        self._unread += data
        at = 0
        while len(self._unread) >= at + 4:
            end = at + 4 + int.from_bytes(self._unread[at : at + 4], "big")
            if len(self._unread) < end:
                break
            answers.append(self._decoder.decode(self._unread[at + 4 : end]))
            at = end
        del self._unread[:at]

    def ended(self) -> int:
        """Return the status of a process that has closed its pipe. Raises `OpportuneError` if it cannot work at all."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(PATIENCE)
        self._errors.seek(0)
        told = self._errors.read(10_000).decode("utf-8", "replace").strip()
        status = self.kill()
        if status == 1:
            raise OpportuneError(f"the process that renders cannot work: {told.splitlines()[-1] if told else status}")
        return status

    def kill(self) -> int:
        """End the process, if it has not ended by itself, and let go of its pipes; return its status."""
        self._popen.kill()
        for pipe in (self._popen.stdin, self._popen.stdout, self._errors):
            assert pipe
            with suppress(OSError):  # what was not sent cannot be any more
                pipe.close()
        return self._popen.wait()


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _told(answer: Answer) -> Rendered | Failure:
    if isinstance(answer, Made):
        return Rendered(answer.content)
    assert isinstance(answer, Failed)
    return answer.failure
