"""Reports and alerts while nobody looks: what is due leaves, the figures are looked at once a day, and the tables that
they are made of forget whom the hub forgot."""

from __future__ import annotations

import asyncio

from opportune.api import report_mail
from opportune.api.at_work import AtWork
from opportune.api.door import Door
from opportune.api.log import log, trace
from opportune.api.reports import looked
from opportune.services import instruments
from opportune.services.alerting import Alerting
from opportune.services.reporting import Reporting


class ReportsAtWork(AtWork):
    """Sends the reports of a door and watches its figures."""

    every, failed = 5.0, "reports and alerts have to wait"

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        self._reporting, self._alerting, self._recovered = Reporting(door.hub), Alerting(door.hub), False

    async def stop(self) -> None:
        """End, whether it was started or not; a report that is leaving is in doubt."""
        await super().stop()
        await self._forget()

    async def look(self) -> None:
        """Let the tables forget, send what is due, and look at the figures once a day."""
        await self._forget()
        if not self._recovered:
            await self._door.writer.do(self._reporting.recover)
            self._recovered = True
        await report_mail.send(self._door, self._reporting, await self._door.writer.do(self._reporting.due))
        if await self._door.writer.do(self._alerting.due):
            for alert in await looked(self._door):
                log.warning("a figure needs somebody", about=alert.about, owner=alert.owner, what=alert.sentence)

    async def _forget(self) -> None:
        """Let the tables forget whom the hub forgot since the last time, all of them at once: it costs the same."""
        try:
            await asyncio.to_thread(instruments.forget, self._door.hub)
        except Exception as error:  # the next look may work, or the next process
            log.warning("the tables still have to forget somebody", **trace(error))
