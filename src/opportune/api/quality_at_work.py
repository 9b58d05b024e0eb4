"""The quality of the data while nobody looks: each day is scored once it is over."""

from __future__ import annotations

import asyncio

from opportune.api.at_work import AtWork
from opportune.api.door import Door
from opportune.api.log import log
from opportune.services.inspection import Inspection


class QualityAtWork(AtWork):
    """Scores the days of a door."""

    every, after_error, failed = 30.0, 600.0, "the data of a day were not scored"

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        self._inspection = Inspection(door.hub)

    async def look(self) -> None:
        """Score the oldest day that is over and was not scored."""
        day = self._inspection.due()
        if day is None:
            return
        found = await asyncio.to_thread(self._inspection.measured, day)
        await self._door.writer.do(lambda: self._inspection.keep(found))
        log.info("the data of a day were scored", score=found.score, faults=sum(row.faults for row in found.rows))

    async def _run(self) -> None:
        await asyncio.sleep(self.every)  # who asks first comes first
        await super()._run()
