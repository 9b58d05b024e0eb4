"""Where the demo lives: a folder with the telecom catalog, its store, and what is needed to go on another day."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from opportune.catalog.project import write_project
from opportune.clock import DAY
from opportune.demo.customers import Kept as KeptCustomers
from opportune.demo.figures import Figures
from opportune.demo.shop.serving import write_shop
from opportune.errors import BadInput, OpportuneError

HOLDOUT = b"model:\n  holdout_share: 0.1          # one in ten hears no marketing, so that its effect can be known\n"
"""What the demo's catalog says beside the template: a real company may want less, and patience."""

ROOMIER = (b"at_most: 20, in: 1d", b"at_most: 200, in: 1d"), (b"at_most: 7, in: 7d", b"at_most: 100, in: 7d")
"""Whoever looks around in the shop sees more pages in an hour than customers do in a week: its slots stay filled."""


class Told(msgspec.Struct, frozen=True):
    """One step of the story as it happened: an event, the answer right after it, and what the open stream said.

    `turns` are the situations that it made Maya enter (True) or leave, each with its cause.
    """

    at: int
    event: str
    decision: str
    action: str | None
    title: str | None
    why: str
    situations: list[str]
    turns: list[tuple[str, bool, str]]
    streamed: str | None = None
    streamed_ms: float | None = None


class State(msgspec.Struct):
    """What is remembered from one start to the next.

    `start` is the instant at which the company began, `warm` the days that are left of the warm-up.
    """

    seed: int
    customers: int
    start: int
    warm: int
    starts: int = 0
    company: bytes | None = None
    living: KeptCustomers | None = None
    figures: Figures = msgspec.field(default_factory=Figures)
    keys: dict[str, tuple[str, str]] = {}
    story: list[Told] = []
    replayed: list[bool] = []
    stocked: bool = False


class Place:
    """The folder of a demo."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / ".opportune" / "hub.db"
        self._file = folder / ".opportune" / "demo.json"

    @property
    def url(self) -> str:
        """The URL of the store."""
        return f"sqlite:///{self.store}"

    def settle(self, seed: int, customers: int, days: int, now: int) -> State:
        """Return what is remembered here; the first time, make the folder and begin `days` ago.

        Raises `BadInput` for a folder that is not of a demo: simulated customers have no business there.
        """
        if self._file.exists():
            try:
                return msgspec.json.decode(self._file.read_bytes(), type=State)
            except msgspec.MsgspecError as error:
                cure = f"remove {self.folder} to begin anew"
                raise OpportuneError(f"{self._file} cannot be read ({error}); {cure}") from None
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise BadInput(f"{str(self.folder)!r} is no folder of a demo; choose an empty or a new one with --dir")
        write_project(self.folder, now=now)
        hub = self.folder / "hub.yaml"
        hub.write_bytes(hub.read_bytes().replace(b"model:\n", HOLDOUT, 1))
        policies = self.folder / "policies.yaml"
        for usual, more in ROOMIER:
            policies.write_bytes(policies.read_bytes().replace(usual, more, 1))
        write_shop(self.folder)
        self._file.parent.mkdir(mode=0o700, exist_ok=True)
        state = State(seed=seed, customers=customers, start=now - days * DAY, warm=days)
        self.keep(state)
        return state

    def keep(self, state: State) -> None:
        """Write what is to be remembered, all of it or nothing."""
        fresh = self._file.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(state))
        fresh.replace(self._file)
