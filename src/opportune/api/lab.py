"""The lab at the door: start, watch, stop and decide experiments; what hypotheses stand on and what to test next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from opportune.api import lab_told as told
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint
from opportune.errors import NotFound
from opportune.lab.look import Look
from opportune.ledger.trials import Trial
from opportune.services.laboratory import Laboratory, Started, Underway
from opportune.wire.trying import (
    Decided,
    ExperimentInfo,
    HypothesisInfo,
    LabChange,
    LabLook,
    LabStatus,
    LabVerdict,
    NextTest,
    OutlookInfo,
    StartedInfo,
)


async def status(door: Door, call: Call) -> LabStatus:
    """Return how every experiment stands, and what learns freely."""
    return await door.writer.do(lambda: told.status(Laboratory(door.hub), door.hub.clock.now()))


async def show(door: Door, call: Call) -> ExperimentInfo:
    """Return how an experiment stands."""
    return await door.writer.do(lambda: _shown(door, call.parameters["name"]))


async def looks(door: Door, call: Call) -> list[LabLook]:
    """Return every look at the latest run of an experiment."""
    name = call.parameters["name"]

    def work() -> list[LabLook]:
        book = Laboratory(door.hub).book
        run = book.run(name)
        if run is None:
            raise NotFound(f"experiment {name!r} was never started")
        return [told.look(one) for one in book.looks(run)]

    return await door.writer.do(work)


async def look(door: Door, call: Call) -> ExperimentInfo:
    """Look at an experiment now, and keep what is seen; what does harm is stopped."""
    asked: LabChange = call.body
    name = call.parameters["name"]
    found = await _measured(door, name)
    await door.writer.do(lambda: Laboratory(door.hub).note(found, asked.by))
    return await door.writer.do(lambda: _shown(door, name))


async def start(door: Door, call: Call) -> StartedInfo:
    """Start an experiment, or let a paused one go on; the answer says what was tried before that is like it."""
    asked: LabChange = call.body
    name = call.parameters["name"]

    lab = Laboratory(door.hub)

    def work() -> tuple[Started, Underway]:
        made = lab.start(name, asked.by, asked.reason, asked.share)
        [stands] = lab.underway(name)
        return made, stands

    made, stands = await door.writer.do(work)
    takes = await asyncio.to_thread(lab.outlook, name)
    return told.started(made, takes, stands, door.hub.clock.now())


async def outlook(door: Door, call: Call) -> OutlookInfo:
    """Return what a test takes, by what its metric was before."""
    return told.outlook(await asyncio.to_thread(Laboratory(door.hub).outlook, call.parameters["name"]))


async def pause(door: Door, call: Call) -> ExperimentInfo:
    """Let nobody be in an experiment until it is started again."""
    return await _changed(door, call, lambda lab, name, asked: lab.pause(name, asked.by, asked.reason))


async def stop(door: Door, call: Call) -> ExperimentInfo:
    """End an experiment, an arm of it, or what was rolled out: customers get what control gets."""
    return await _changed(door, call, lambda lab, name, asked: lab.stop(name, asked.by, asked.reason, asked.arm))


async def share(door: Door, call: Call) -> ExperimentInfo:
    """Let more customers into an experiment, or no more than before."""
    return await _changed(
        door, call, lambda lab, name, asked: lab.share(name, asked.share or 0.0, asked.by, asked.reason)
    )


async def decide(door: Door, call: Call) -> Decided:
    """Decide an experiment: roll an arm out if the gate lets it pass, or keep control."""
    asked: LabVerdict = call.body
    name = call.parameters["name"]
    found = await _measured(door, name)

    def work() -> Decided:
        lab = Laboratory(door.hub)
        if asked.arm:
            return told.decided(name, asked.arm, lab.decide(found, name, asked.arm, asked.by, asked.reason))
        lab.note(found, asked.by)  # what is seen at the end is the evidence
        lab.keep_control(name, asked.by, asked.reason)
        return Decided(name, "", False)

    return await door.writer.do(work)


async def hypotheses(door: Door, call: Call) -> list[HypothesisInfo]:
    """Return the register: every hypothesis with its evidence, parents before children."""
    return await door.writer.do(lambda: [told.hypothesis(entry) for entry in Laboratory(door.hub).hypotheses()])


async def following(door: Door, call: Call) -> NextTest:
    """Return what to test next in place of a hypothesis, with the experiment as YAML to begin from."""
    return await asyncio.to_thread(told.following, Laboratory(door.hub), call.parameters["name"])


async def _measured(door: Door, name: str) -> Look:
    return await asyncio.to_thread(Laboratory(door.hub).measure, name)


async def _changed(door: Door, call: Call, work: Callable[[Laboratory, str, LabChange], Trial]) -> ExperimentInfo:
    asked: LabChange = call.body
    name = call.parameters["name"]

    def change() -> ExperimentInfo:
        work(Laboratory(door.hub), name, asked)
        return _shown(door, name)

    return await door.writer.do(change)


def _shown(door: Door, name: str) -> ExperimentInfo:
    [found] = Laboratory(door.hub).underway(name)
    return told.experiment(found, door.hub.clock.now())


_PROBLEMS = (400, 401, 403, 404, 413, 429)
_READ = (400, 401, 403, 404, 429)
_ONE = "/v1/lab/experiments/{name}"

ENDPOINTS = (
    Endpoint("GET", "/v1/lab", "server", status, "How experiments stand, and what learns freely", None, LabStatus,
             problems=_READ),
    Endpoint("GET", _ONE, "server", show, "How an experiment stands", None, ExperimentInfo, problems=_READ),
    Endpoint("GET", f"{_ONE}/looks", "server", looks, "Every look at an experiment", None, list[LabLook],
             problems=_READ),
    Endpoint("GET", f"{_ONE}/outlook", "server", outlook, "What a test takes", None, OutlookInfo, problems=_READ),
    Endpoint("POST", f"{_ONE}/look", "admin", look, "Look at an experiment now", LabChange, ExperimentInfo,
             problems=_PROBLEMS),
    Endpoint("POST", f"{_ONE}/start", "admin", start, "Start an experiment", LabChange, StartedInfo,
             problems=_PROBLEMS),
    Endpoint("POST", f"{_ONE}/pause", "admin", pause, "Pause an experiment", LabChange, ExperimentInfo,
             problems=_PROBLEMS),
    Endpoint("POST", f"{_ONE}/stop", "admin", stop, "Stop an experiment or an arm", LabChange, ExperimentInfo,
             problems=_PROBLEMS),
    Endpoint("POST", f"{_ONE}/share", "admin", share, "Change the share of an experiment", LabChange, ExperimentInfo,
             problems=_PROBLEMS),
    Endpoint("POST", f"{_ONE}/decide", "admin", decide, "Roll an arm out through the gate, or keep control",
             LabVerdict, Decided, problems=_PROBLEMS),
    Endpoint("GET", "/v1/lab/hypotheses", "server", hypotheses, "Every hypothesis with its evidence", None,
             list[HypothesisInfo], problems=_READ),
    Endpoint("GET", "/v1/lab/hypotheses/{name}/next", "server", following, "What to test next in its place", None,
             NextTest, problems=_READ),
)  # fmt: skip
