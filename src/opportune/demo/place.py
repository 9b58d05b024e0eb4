"""Where the demo lives: a folder with the telecom catalog, its store, and what is needed to go on another day."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from opportune.catalog.project import write_project
from opportune.clock import DAY
from opportune.demo.customers import Kept as KeptCustomers
from opportune.demo.figures import Figures
from opportune.demo.post import free_port
from opportune.demo.shop.serving import write_shop
from opportune.demo.work import write_work
from opportune.errors import BadInput, OpportuneError

HOLDOUT = b"""model:
  holdout_share: 0.1            # one in ten hears no marketing, so that its effect can be known
  arms: {random: 0.08}          # and some get any action that is allowed, so that it is known what choosing adds
  ramp: 0                       # new actions reach everybody at once: nobody here can be annoyed
"""
"""What the demo's catalog says beside the template: a real company may want less, and patience."""

ROOMIER = (b"at_most: 20, in: 1d", b"at_most: 200, in: 1d"), (b"at_most: 7, in: 7d", b"at_most: 100, in: 7d")
"""Whoever looks around in the shop sees more pages in an hour than customers do in a week: its slots stay filled."""

ACTIONS = {
    "actions_grow.yaml": (
        b"eligible: tenure_months >= 3\n    outcomes: {positive: [accept], negative: [reject, dismiss], window: 14d}",
        b"eligible: tenure_months >= 3\n    outcomes: {positive: [accept], negative: [reject, dismiss], window: 14d, "
        b"goal: {event: TV Started, within: 14d, undo: TV Stopped}}",
    ),
    "actions_nurture.yaml": (b"value: 60", b"value: 120"),
}
"""What is sold is to be seen in money, too, so that what contacts bring can be told apart from what they cost; and a
thank-you is worth more where the next order is near."""


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

    `start` is the instant at which the company began, `warm` the days that are left of the warm-up, and `past` how many
    of its days were quiet ones, in which people worked (0 in a folder of a version that had no such past). `mail` is
    the port of its mail server.
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
    past: int = 0
    mail: int = 0


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

    def settle(self, seed: int, customers: int, days: int, now: int, past: int = 0) -> State:
        """Return what is remembered here; the first time, make the folder and begin `past` quiet days and `days` ago.

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
        for file, (usual, more) in ACTIONS.items():
            actions = self.folder / file
            actions.write_bytes(actions.read_bytes().replace(usual, more, 1))
        write_shop(self.folder)
        mail = free_port() if past else 0
        if past:
            write_work(self.folder, now, mail)
        self._file.parent.mkdir(mode=0o700, exist_ok=True)
        days += past
        state = State(seed=seed, customers=customers, start=now - days * DAY, warm=days, past=past, mail=mail)
        self.keep(state)
        return state

    def keep(self, state: State) -> None:
        """Write what is to be remembered, all of it or nothing."""
        fresh = self._file.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(state))
        fresh.replace(self._file)
