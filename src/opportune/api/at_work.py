"""What a door does while nobody asks: it looks at what is due, over and over."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar

from opportune.api.door import Door
from opportune.api.log import log, trace
from opportune.api.writer import Busy


class AtWork(ABC):
    """Looks at what is due, in the background of a door. `start` it in the event loop.

    A look that fails is told in the log as `failed`, and the next one may work.
    """

    every: ClassVar[float]
    """Seconds between two looks."""

    after_error: ClassVar[float | None] = None
    """Seconds after a look that failed; None: as ever."""

    failed: ClassVar[str]

    def __init__(self, door: Door) -> None:
        self._door = door
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """End, whether it was started or not; what a look began is dropped when it is done."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @abstractmethod
    async def look(self) -> None:
        """Do what is due."""

    async def _run(self) -> None:
        while True:
            pause = self.every
            try:
                await self.look()
            except Busy:
                pass  # others come first
            except Exception as error:  # whatever it was, the next look may work
                log.warning(self.failed, **trace(error))
                pause = self.after_error or pause
            await asyncio.sleep(pause)
