"""Triggers and outbound runs: at work behind a door, seen and steered by the people who run a hub."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.log import log, trace
from opportune.api.problems import Refused
from opportune.api.writer import Busy
from opportune.batch.runs import UNDER_WAY
from opportune.catalog.types import Run
from opportune.clock import MINUTE, to_datetime
from opportune.deliver.breaker import plain
from opportune.deliver.outbox import ANY
from opportune.errors import BadRequest
from opportune.services.outbound import BACKLOG, ENGINES, Runs
from opportune.services.rehearsal import rehearse, shown, stands_for
from opportune.wire.sending import DryRun, RunInfo, RunRequest, TriggerInfo

CHUNK = 6
"""Customers who are decided about in one job of the writer, which others wait for: some milliseconds."""

PAGE = 12
"""Customers who are looked at in one job of a dry run."""

REST = 1.0
"""Seconds between two looks when there is nothing to do at once."""

LONGEST_WAIT = 20.0
"""Seconds that an answer about a run may be waited for."""


class RunsAtWork:
    """The outbound runs of a door, and what triggers made due. `start` it in the event loop."""

    def __init__(self, door: Door) -> None:
        self.runs = Runs(door.hub)
        self.dry: dict[str, DryRun] = {}
        """What dry runs found last, their customers by pseudonyms (`rehearsal.shown` names them)."""
        self._door, self._heavy = door, False
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._rehearsing: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Begin to go on with what is under way; nothing if it does already."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    def wake(self) -> None:
        """Look at once at what there is to do."""
        self._wake.set()

    async def stop(self) -> None:
        """End; what is under way goes on when a hub works on the store again."""
        tasks = [task for task in (self._task, *self._rehearsing.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def forgotten(self) -> None:
        """Let go of what dry runs found for customers who were forgotten."""
        for name, dry in self.dry.items():
            kept = [one for one in dry.sample if stands_for(self._door.hub, one.customer_id)]
            self.dry[name] = replace(dry, sample=kept)

    def rehearse(self, run: Run, engine: str) -> None:
        """Begin a dry run. Raises `BadRequest` where one of this run goes on."""
        going = self._rehearsing.get(run.name)
        if going is not None and not going.done():
            raise BadRequest(f"a dry run of {run.name!r} goes on; wait for it")
        self.dry[run.name] = DryRun(run.name, engine)
        self._rehearsing[run.name] = asyncio.ensure_future(self._rehearse(run, engine))

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            more = False
            try:
                more = await self._door.writer.do(self._step, alone=self._heavy)
                more = await self._door.writer.do(self._door.hub.tick) or more
            except Busy:
                pass  # others come first
            except Exception as error:  # whatever it was, the next look may work
                log.warning("outbound runs wait", **trace(error))
            if more:
                await asyncio.sleep(0)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(REST):
                    await self._wake.wait()

    def _step(self) -> bool:
        more = self.runs.step(CHUNK) if self._door.hub.published else False
        self._heavy = self.runs.heavy()
        return more

    async def _rehearse(self, run: Run, engine: str) -> None:
        steps, name = rehearse(self._door.hub, run, engine, PAGE), run.name

        def step() -> DryRun | None:
            if (told := next(steps, None)) is not None:
                self.dry[name] = told
            return told

        try:
            while True:
                try:
                    told = await self._door.writer.do(step, alone=engine == "duckdb")
                except Busy:
                    await asyncio.sleep(REST)  # others come first
                    continue
                if told is None:
                    return
        except Exception as error:
            self.dry[name] = replace(self.dry[name], done=1.0, problem=f"{type(error).__name__}: {str(error)[:200]}")
            log.warning("a dry run ended early", run=name, **trace(error))


async def every(door: Door, call: Call) -> list[RunInfo]:
    """Return the outbound runs of the catalog, and how far each is."""
    at_work = door.outbound_runs()
    return await door.writer.do(
        lambda: [_info(door, at_work, run) for run in door.hub.plan.catalog.outbound]
    )


async def one(door: Door, call: Call) -> RunInfo:
    """Return how far an outbound run is; with `wait`, once it is over or there is nothing to do now."""
    seconds, at_work, name = _seconds(call), door.outbound_runs(), call.parameters["name"]
    info = await door.writer.do(lambda: _info(door, at_work, at_work.runs.run(name)))
    if seconds:
        at_work.start()
        door.sending()
        until = time.monotonic() + seconds
        while info.busy and time.monotonic() < until:
            await asyncio.sleep(0.1)
            info = await door.writer.do(lambda: _info(door, at_work, at_work.runs.run(name)))
    return info


async def run(door: Door, call: Call) -> RunInfo:
    """Begin an outbound run, or a dry one; it goes on in the background."""
    asked: RunRequest = call.body
    at_work, name, by = door.outbound_runs(), call.parameters["name"], _who(call)
    if asked.engine not in ENGINES:
        told = f"there is no engine {asked.engine!r}; choose {' or '.join(ENGINES)}"
        raise Refused(400, "bad-request", told, "engine")
    if asked.dry_run:
        at_work.rehearse(await door.writer.do(lambda: at_work.runs.run(name)), asked.engine)
    else:
        await door.writer.do(lambda: at_work.runs.begin(name, by, asked.engine), alone=True)
        at_work.wake()
    return await door.writer.do(lambda: _info(door, at_work, at_work.runs.run(name)))


async def pause(door: Door, call: Call) -> RunInfo:
    """Let an outbound run decide and send nothing until it is resumed."""
    return await _steered(door, call, lambda runs, name: runs.pause(name, _who(call)))


async def resume(door: Door, call: Call) -> RunInfo:
    """Let an outbound run go on where it was."""
    return await _steered(door, call, lambda runs, name: runs.resume(name))


async def stop(door: Door, call: Call) -> RunInfo:
    """End an outbound run for good, and take back what did not leave yet."""
    return await _steered(door, call, lambda runs, name: runs.stop(name))


async def triggers(door: Door, call: Call) -> list[TriggerInfo]:
    """Return the triggers of the catalog, and what became of each."""

    def work() -> list[TriggerInfo]:
        tallies = door.hub.triggers.tallies()
        return [
            TriggerInfo(t.name, t.event or f"situation {t.situation}", t.placement, dict(tallies[t.name].counts),
                        tallies[t.name].problem)
            for t in door.hub.plan.catalog.triggers
        ]  # fmt: skip

    return await door.writer.do(work)


async def _steered(door: Door, call: Call, how: Callable[[Runs, str], object]) -> RunInfo:
    at_work, name = door.outbound_runs(), call.parameters["name"]

    def work() -> RunInfo:
        how(at_work.runs, name)
        return _info(door, at_work, at_work.runs.run(name))

    told = await door.writer.do(work)
    at_work.wake()
    return told


def _info(door: Door, at_work: RunsAtWork, run: Run) -> RunInfo:
    runs, box, now = at_work.runs, door.hub.outbox, door.hub.clock.now()
    channel, slot = door.hub.plan.place(run.placement).channel.name, runs.next_slot(run)
    dry = shown(door.hub, at_work.dry[run.name]) if run.name in at_work.dry else None
    info = RunInfo(
        run.name, run.placement, run.audience.text if run.audience else "", run.schedule,
        None if slot is None else to_datetime(slot), dry=dry, busy=dry is not None and dry.done < 1,
    )  # fmt: skip
    state = runs.latest(run.name)
    if state is None:
        return info
    soon, later = now + MINUTE, runs.next_due(state)
    held = any(key in box.pauses() for key in ((run.name, channel), (ANY, channel)))
    problem = (door.dispatch.problems if door.dispatch else {}).get(channel, "")
    held, told = held or bool(problem), f"{channel} cannot send: {problem}" if problem else state.told
    leaving = not held and any(box.due(queue, soon, 1) for queue in box.queues() if queue.flow == run.name)
    leaving = leaving or any(row.send.flow == run.name for row in box.each("sending"))
    left = not state.passed_all or (later is not None and later <= soon)
    # a channel that cannot send lets messages wait, and the run goes on to decide until enough of them do
    deciding = left and state.state == "running" and runs.ahead(run) > 0
    messages = plain(box.counts().get((run.name, channel), {}))
    return replace(
        info, state=state.state, id=state.id, by=state.by, engine=state.engine, told=told,
        started=to_datetime(state.started), ended=to_datetime(state.ended) if state.ended else None,
        total=state.total, passed=state.passed, outside=state.outside, later=state.later,
        next_later=None if later is None or state.state not in UNDER_WAY else to_datetime(later),
        decided=state.decided, made=state.made, failed=state.failed, waiting=box.waiting(run.name, BACKLOG),
        silent=dict(state.silent), actions=dict(state.actions), messages=messages,
        busy=info.busy or leaving or deciding or state.state == "stopping",
    )  # fmt: skip


def _who(call: Call) -> str:
    return call.key.name if call.key else ""


def _seconds(call: Call) -> float:
    seconds = call.query.get("wait", "0")
    if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?", seconds):
        raise Refused(400, "bad-request", f"wait is {seconds[:20]!r}; give seconds, such as 10", "wait")
    return min(float(seconds), LONGEST_WAIT)


_PROBLEMS = (400, 401, 403, 404, 413, 422, 429)
_WAIT = Parameter("wait", float, f"Seconds to wait until there is nothing to do now, {LONGEST_WAIT:.0f} at most")

ENDPOINTS = (
    Endpoint("GET", "/v1/triggers", "admin", triggers, "The triggers, and what became of each", None,
             list[TriggerInfo], problems=_PROBLEMS),
    Endpoint("GET", "/v1/outbound", "admin", every, "The outbound runs, and how far each is", None, list[RunInfo],
             problems=_PROBLEMS),
    Endpoint("GET", "/v1/outbound/{name}", "admin", one, "How far an outbound run is", None, RunInfo, query=(_WAIT,),
             problems=_PROBLEMS),
    Endpoint("POST", "/v1/outbound/{name}/run", "admin", run, "Begin an outbound run, or a dry one", RunRequest,
             RunInfo, problems=_PROBLEMS),
    Endpoint("POST", "/v1/outbound/{name}/pause", "admin", pause, "Let an outbound run wait", None, RunInfo,
             problems=_PROBLEMS),
    Endpoint("POST", "/v1/outbound/{name}/resume", "admin", resume, "Let an outbound run go on", None, RunInfo,
             problems=_PROBLEMS),
    Endpoint("POST", "/v1/outbound/{name}/stop", "admin", stop, "End an outbound run for good", None, RunInfo,
             problems=_PROBLEMS),
)  # fmt: skip
