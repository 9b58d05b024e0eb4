"""`file`: one JSON file per message in a folder, named by its send key; audiences become lists (`audience`).

Another program takes the files and removes them. A message that is written again before that is the same file.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from opportune.clock import Clock
from opportune.deliver.carriers.audience import AudienceFiles
from opportune.deliver.carriers.base import Carrier, TryLater
from opportune.deliver.carriers.options import Options
from opportune.deliver.carriers.whole_file import file_name, write_whole
from opportune.deliver.types import Message, Receipt


def open_file(options: Options, clock: Clock) -> Carrier:
    folder = options.path("folder")
    return AudienceFiles(folder, clock) if options.channel.form == "audience" else Files(folder)


class Files:
    """A folder of messages. The reference of a receipt is the name of the file."""

    repeatable = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: Message) -> Receipt:
        path = self._folder / f"{file_name(message.key)}.json"
        try:
            await asyncio.to_thread(write_whole, path, as_json(message))
        except OSError as why:
            raise TryLater(f"{path} cannot be written: {why.strerror or why}") from None
        return Receipt(path.name)

    async def close(self) -> None:
        pass


def as_json(message: Message) -> bytes:
    """Return a message as JSON, indented; bytes such as a PDF are base64.

    >>> as_json(Message("k", "sms", "+49301234", {"text": "Hi"}))[:28]
    b'{\\n  "key": "k",\\n  "channel":'
    """
    return msgspec.json.format(msgspec.json.encode(message), indent=2)
