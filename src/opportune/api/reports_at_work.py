"""Reports and alerts while nobody looks: what is due leaves, the figures are looked at once a day, and the tables that
they are made of forget whom the hub forgot."""

from __future__ import annotations

import asyncio

from opportune.api import report_mail
from opportune.api.door import Door
from opportune.api.log import log, trace
from opportune.api.reports import looked
from opportune.api.writer import Busy
from opportune.services import instruments
from opportune.services.alerting import Alerting
from opportune.services.reporting import Reporting

LOOKS = 5.0
"""Seconds between two looks at what is due."""


class ReportsAtWork:
    """Sends the reports of a door and watches its figures in the background. `start` it in the event loop."""

    def __init__(self, door: Door) -> None:
        self._door, self._reporting, self._alerting = door, Reporting(door.hub), Alerting(door.hub)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """End, whether it was started or not; a report that is leaving is in doubt."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._forget()

    async def _run(self) -> None:
        recovered = False
        while True:
            await self._forget()
            try:
                if not recovered:
                    await self._door.writer.do(self._reporting.recover)
                    recovered = True
                await report_mail.send(self._door, self._reporting, await self._door.writer.do(self._reporting.due))
                if await self._door.writer.do(self._alerting.due):
                    for alert in await looked(self._door):
                        log.warning("a figure needs somebody", about=alert.about, owner=alert.owner,
                                    what=alert.sentence)  # fmt: skip
            except Busy:
                pass  # others come first
            except Exception as error:  # whatever it was, the next look may work
                log.warning("reports and alerts have to wait", **trace(error))
            await asyncio.sleep(LOOKS)

    async def _forget(self) -> None:
        """Let the tables forget whom the hub forgot since the last time, all of them at once: it costs the same."""
        try:
            await asyncio.to_thread(instruments.forget, self._door.hub)
        except Exception as error:  # the next look may work, or the next process
            log.warning("the tables still have to forget somebody", **trace(error))
