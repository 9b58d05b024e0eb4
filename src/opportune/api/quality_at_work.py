"""The quality of the data while nobody looks: each day is scored once it is over."""

from __future__ import annotations

import asyncio

from opportune.api.door import Door
from opportune.api.log import log, trace
from opportune.api.writer import Busy
from opportune.services.inspection import Inspection

LOOKS = 30.0
"""Seconds between two looks at whether a day is over."""

AFTER_ERROR = 600.0
"""Seconds after which a day that could not be scored is tried again."""


class QualityAtWork:
    """Scores the days of a door in the background. `start` it in the event loop."""

    def __init__(self, door: Door) -> None:
        self._door, self._inspection = door, Inspection(door.hub)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """End; a score under way is dropped when it is done."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = LOOKS
        while True:
            await asyncio.sleep(pause)
            pause = LOOKS
            try:
                day = self._inspection.due()
                if day is not None:
                    await self._score(day)
            except Busy:
                pass  # others come first
            except Exception as error:  # whatever it was, the next try may work
                log.warning("the data of a day were not scored", **trace(error))
                pause = AFTER_ERROR

    async def _score(self, day: int) -> None:
        found = await asyncio.to_thread(self._inspection.measured, day)
        await self._door.writer.do(lambda: self._inspection.keep(found))
        log.info("the data of a day were scored", score=found.score, faults=sum(row.faults for row in found.rows))
