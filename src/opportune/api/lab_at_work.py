"""The lab while nobody looks: experiments are looked at, what does harm is stopped, what has expired ends."""

from __future__ import annotations

import asyncio

from opportune.api.at_work import AtWork
from opportune.api.door import Door
from opportune.api.log import log, trace
from opportune.api.writer import Busy
from opportune.errors import OpportuneError
from opportune.services.laboratory import Laboratory


class LabAtWork(AtWork):
    """Watches over the experiments of a door."""

    every, failed = 1.0, "experiments were not looked at"

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        self._lab = Laboratory(door.hub, door.lab_every)

    async def look(self) -> None:
        """End what has expired, and look at the experiments that are due."""
        for done in await self._door.writer.do(self._lab.pass_time):
            log.warning("an experiment changed by itself", what=done)
        for name in await self._door.writer.do(self._lab.due):
            await self._look(name)

    async def _look(self, name: str) -> None:
        try:
            look = await asyncio.to_thread(self._lab.measure, name)
            for done in await self._door.writer.do(lambda: self._lab.note(look)):
                log.warning("an experiment changed by itself", what=done)
        except Busy:
            raise
        except OpportuneError as error:  # the others are looked at all the same
            log.warning("an experiment was not looked at", experiment=name, why=str(error))
        except Exception as error:
            log.warning("an experiment was not looked at", experiment=name, **trace(error))
