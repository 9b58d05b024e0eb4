"""What goes over the wire about messages: previews, the outbox, triggers and outbound runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from opportune.wire.calling import Calling, quoted


class WaitingMessage(msgspec.Struct, frozen=True, rename="camel"):
    """A message in the outbox: what it is, in which state since when, due when, tried how often, and why it waits."""

    key: str
    decision_id: str
    customer_id: str
    action: str
    treatment: str
    channel: str
    flow: str
    lane: str
    state: str
    due: datetime
    since: datetime
    attempts: int
    told: str


class FlowMessages(msgspec.Struct, frozen=True, rename="camel"):
    """What became of the messages of a flow in a channel (`flow` is "" where a channel asked), and why it is paused."""

    flow: str
    channel: str
    counts: dict[str, int]
    paused: str | None = None


class DomainMessages(msgspec.Struct, frozen=True):
    """What became of messages to addresses of a domain: `sent`, `bounced`, `returned`, `complained`.

    Domains that few messages went to are told together as `others`.
    """

    channel: str
    domain: str
    counts: dict[str, int]


class SentAgain(msgspec.Struct, frozen=True):
    """How many messages wait to be sent again, how many could not be tried, and why these not."""

    waiting: int
    left: int
    why: dict[str, int]


class AgainRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which messages are tried once more: all in a `state` (dead or in_doubt), of a channel, a flow, a reason `told`.

    What is null is any; the flow "" is what channels asked for themselves.
    """

    state: str = "dead"
    channel: str | None = None
    flow: str | None = None
    told: str | None = None


class SampleRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message of an action as a sample person would get it, `to` an address of your own, through its channel."""

    to: str
    treatment: str = ""
    language: str = ""


class SampleSent(msgspec.Struct, frozen=True):
    """A test that the carrier of a channel took, and under which key."""

    channel: str
    key: str


class OutboxState(msgspec.Struct, frozen=True, rename="camel"):
    """The outbox: its flows, channels that cannot send now and why, when the next message is due, and `domains`."""

    flows: list[FlowMessages]
    problems: dict[str, str]
    next_due: datetime | None
    domains: list[DomainMessages] = []


class LetterJob(msgspec.Struct, frozen=True, rename="camel"):
    """Letters for the printer: a folder of the machine that serves, with one PDF and one job sheet."""

    folder: str
    letters: int
    pages: int


class PauseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which flow of a channel pauses or goes on (`*`: all of the channel), and why."""

    channel: str
    flow: str = "*"
    why: str = ""


class RenderFault(msgspec.Struct, frozen=True):
    """Why a message cannot be made, and where: a field of the content, with line and column in its text."""

    what: str
    field: str
    line: int
    column: int


class Preview(msgspec.Struct, frozen=True, rename="camel"):
    """A message as a customer would get it now (`customerId` null: a sample person), or the fault that it has.

    `content` has the keys of its form; a PDF is in base64. `remarks` say what is worth knowing of it, such as its size.
    """

    action: str
    treatment: str
    channel: str
    form: str
    language: str
    customer_id: str | None
    content: Mapping[str, Any]
    remarks: list[str]
    fault: RenderFault | None = None


class TriggerInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A trigger: what sets it off, where it speaks, and what became of it (`deliver.triggers.Triggers.tallies`)."""

    name: str
    on: str
    placement: str
    counts: dict[str, int]
    problem: str = ""


class RunRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Begin an outbound run, or a dry one, with the engine `hub` or `duckdb`."""

    dry_run: bool = False
    engine: str = "hub"


class Rehearsed(msgspec.Struct, frozen=True, rename="camel"):
    """What a dry run found for one customer: the action, or None for silence, and why."""

    customer_id: str
    action: str | None
    why: str


class DryRun(msgspec.Struct, frozen=True, rename="camel"):
    """What an outbound run would say now: `done` is the part of everybody who was looked at, 1 when it is over.

    Of the `audience`, `made` would get something (`actions` counts what); the others are counted in `silent` by why,
    and in `ended` by the stage that their last action fell at. `outside` are not in the audience.
    """

    name: str
    engine: str
    done: float = 0.0
    audience: int = 0
    outside: int = 0
    made: int = 0
    silent: dict[str, int] = {}
    ended: dict[str, int] = {}
    actions: dict[str, int] = {}
    sample: list[Rehearsed] = []
    problem: str = ""


class RunInfo(msgspec.Struct, frozen=True, rename="camel"):
    """An outbound run as the catalog has it, and how far its last run is: see `batch.runs.RunState`.

    `state` is `idle` before the first run; `next` is when the schedule begins it, `waiting` how many of its messages
    wait to leave (counted up to 1,000), `later` how many customers had to wait for their time, of which `next_later` is
    the next one. While it is `busy` there is something to do now. `dry` is the last dry run since the hub started.
    """

    name: str
    placement: str
    audience: str
    schedule: str
    next: datetime | None
    state: str = "idle"
    id: str = ""
    by: str = ""
    engine: str = ""
    told: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    total: int = 0
    passed: int = 0
    outside: int = 0
    later: int = 0
    next_later: datetime | None = None
    decided: int = 0
    made: int = 0
    failed: int = 0
    waiting: int = 0
    silent: dict[str, int] = {}
    actions: dict[str, int] = {}
    messages: dict[str, int] = {}
    busy: bool = False
    dry: DryRun | None = None


class Sending(Calling):
    """Messages: how they look, what waits, what became of them, and the runs that make them."""

    def preview(self, action: str, customer: str | None = None, treatment: str = "", language: str = "") -> Preview:
        """Return a message as a customer, or else a sample person, would get it now; nothing is recorded."""
        asked = {"customer": customer or "", "treatment": treatment, "language": language}
        query = {name: value for name, value in asked.items() if value}
        return self._call("GET", f"/v1/actions/{quoted(action)}/preview", Preview, query=query)

    def outbox(self) -> OutboxState:
        """Return what waits to leave, what became of the rest, and what keeps channels from sending."""
        return self._call("GET", "/v1/outbox", OutboxState)

    def messages(self, state: str = "dead", after: str = "", limit: int = 100) -> list[WaitingMessage]:
        """Return messages in a state: waiting, sending, in_doubt, dead or suppressed."""
        query = {"state": state, "after": after, "limit": str(limit)}
        return self._call("GET", "/v1/outbox/messages", list[WaitingMessage], query=query)

    def send_due(self, seconds: float = 60.0) -> OutboxState:
        """Send what is due; returns when nothing due is left, or after so many seconds."""
        return self._call("POST", "/v1/outbox/send", OutboxState, query={"seconds": str(seconds)})

    def print_letters(self) -> list[LetterJob]:
        """Make print jobs of the letters that wait: one file and one job sheet per channel."""
        return self._call("POST", "/v1/outbox/letters", list[LetterJob])

    def send_again(self, key: str) -> None:
        """Try a message once more that is dead or in doubt."""
        self._call("POST", f"/v1/outbox/messages/{quoted(key)}/again", dict)

    def send_all_again(
        self, state: str = "dead", channel: str | None = None, flow: str | None = None, told: str | None = None
    ) -> SentAgain:
        """Try all messages once more that are dead or in doubt, of one channel, flow and reason if these are named."""
        return self._call("POST", "/v1/outbox/again", SentAgain, AgainRequest(state, channel, flow, told))

    def send_test(self, action: str, to: str, treatment: str = "", language: str = "") -> SampleSent:
        """Send a message as a sample person would get it to an address of your own; nothing is recorded."""
        asked = SampleRequest(to, treatment, language)
        return self._call("POST", f"/v1/actions/{quoted(action)}/test", SampleSent, asked)

    def sent_after_all(self, key: str) -> None:
        """Say that a message in doubt did arrive."""
        self._call("POST", f"/v1/outbox/messages/{quoted(key)}/sent", dict)

    def pause(self, channel: str, flow: str = "*", why: str = "") -> OutboxState:
        """Let a flow, or a whole channel, send nothing until it is resumed."""
        return self._call("POST", "/v1/outbox/pause", OutboxState, {"channel": channel, "flow": flow, "why": why})

    def resume(self, channel: str, flow: str = "*") -> OutboxState:
        """Let a flow, or a whole channel, go on."""
        return self._call("POST", "/v1/outbox/resume", OutboxState, {"channel": channel, "flow": flow})

    def triggers(self) -> list[TriggerInfo]:
        """Return the triggers, and what became of each."""
        return self._call("GET", "/v1/triggers", list[TriggerInfo])

    def outbound_runs(self) -> list[RunInfo]:
        """Return the outbound runs, and how far each is."""
        return self._call("GET", "/v1/outbound", list[RunInfo])

    def outbound(self, name: str, wait: float = 0.0) -> RunInfo:
        """Return how far an outbound run is, once there is nothing to do now or after `wait` seconds (20 at most)."""
        return self._call("GET", f"/v1/outbound/{quoted(name)}", RunInfo, query={"wait": f"{wait:g}"})

    def run_outbound(self, name: str, dry_run: bool = False, engine: str = "hub") -> RunInfo:
        """Begin an outbound run, or a dry one, which leaves no trace: its result is the `dry` of `outbound`."""
        asked = {"dryRun": dry_run, "engine": engine}
        return self._call("POST", f"/v1/outbound/{quoted(name)}/run", RunInfo, asked)

    def pause_outbound(self, name: str) -> RunInfo:
        """Let an outbound run decide and send nothing until it is resumed."""
        return self._call("POST", f"/v1/outbound/{quoted(name)}/pause", RunInfo)

    def resume_outbound(self, name: str) -> RunInfo:
        """Let an outbound run go on where it was."""
        return self._call("POST", f"/v1/outbound/{quoted(name)}/resume", RunInfo)

    def stop_outbound(self, name: str) -> RunInfo:
        """End an outbound run for good; messages of it that did not leave yet are taken back."""
        return self._call("POST", f"/v1/outbound/{quoted(name)}/stop", RunInfo)
