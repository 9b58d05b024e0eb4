"""The lab in the background: an experiment that cannot be looked at leaves the others theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from opportune.api.door import Door
from opportune.api.lab_at_work import LabAtWork
from opportune.hub import Hub
from opportune.lab.look import Look
from opportune.measure.sample_ratio import SampleRatio
from opportune.services.laboratory import Laboratory
from opportune.testing import FakeClock, tiny_catalog


class Writer:
    """Does at once what it is given."""

    async def do(self, work: Callable[[], Any]) -> Any:
        return work()


@pytest.mark.parametrize("fault", [OverflowError, ValueError, KeyError])
def test_a_fault_in_one_experiment_stops_no_other(monkeypatch: pytest.MonkeyPatch, fault: type[Exception]) -> None:
    noted, hub = list[str](), Hub.of(tiny_catalog(), "memory:", FakeClock())

    def measure(lab: Laboratory, name: str) -> Look:
        if name == "first":
            raise fault("too large")
        return Look(name, 0, 0, {}, 0, SampleRatio(1.0, False), ())

    def note(lab: Laboratory, look: Look) -> list[str]:
        noted.append(look.experiment)
        return []

    monkeypatch.setattr(Laboratory, "due", lambda lab: ["first", "second"])
    monkeypatch.setattr(Laboratory, "measure", measure)
    monkeypatch.setattr(Laboratory, "note", note)

    async def work() -> None:
        at_work = LabAtWork(cast(Door, SimpleNamespace(hub=hub, lab_every=1, writer=Writer())))
        at_work.start()
        await asyncio.sleep(0.2)
        await at_work.stop()

    asyncio.run(work())
    assert noted == ["second"]
