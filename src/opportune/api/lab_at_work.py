"""The lab while nobody looks: experiments are looked at, what does harm is stopped, what has expired ends."""

from __future__ import annotations

import asyncio

from opportune.api.door import Door
from opportune.api.log import log, trace
from opportune.api.writer import Busy
from opportune.errors import OpportuneError
from opportune.services.laboratory import Laboratory

LOOKS = 1.0
"""Seconds between two looks at what is due."""


class LabAtWork:
    """Watches over the experiments of a door in the background. `start` it in the event loop."""

    def __init__(self, door: Door) -> None:
        self._door, self._lab = door, Laboratory(door.hub, door.lab_every)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """End; a look under way is dropped when it is done."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                for done in await self._door.writer.do(self._lab.pass_time):
                    log.warning("an experiment changed by itself", what=done)
                for name in await self._door.writer.do(self._lab.due):
                    await self._look(name)
            except Busy:
                pass  # others come first
            except Exception as error:  # whatever it was, the next look may work
                log.warning("experiments were not looked at", **trace(error))
            await asyncio.sleep(LOOKS)

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
