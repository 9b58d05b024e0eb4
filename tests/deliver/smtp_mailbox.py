"""A real SMTP server in a thread: what arrives, and how it misbehaves."""

from __future__ import annotations

import email
import socket
import threading
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller


class Mailbox:
    """What arrives is in `mails`, in order. `says` is asked before each message is taken: None takes it, a reply line
    refuses it, `HANG_UP` takes it and cuts the line before the reply, `NOTHING` cuts the line without taking it.
    """

    HANG_UP, NOTHING = "hang up", "nothing"

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.says: Callable[[EmailMessage], str | None] = lambda mail: None
        self._lock = threading.Lock()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._controller: Controller | None = None
        self.start()

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        if self._controller:
            self._controller.stop()  # type: ignore[no-untyped-call]
        self._controller = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = cast(EmailMessage, email.message_from_bytes(envelope.content, policy=default))
        told = self.says(mail)
        if told in (self.HANG_UP, self.NOTHING):
            if told == self.HANG_UP:
                self._take(mail)
            server.transport.abort()
            return "421 gone"
        if told is None:
            self._take(mail)
        return told or "250 taken"

    def _take(self, mail: EmailMessage) -> None:
        with self._lock:
            self.mails.append(mail)

    def wait_for(self, number: int, seconds: float = 15.0) -> list[EmailMessage]:
        """Return the mails once there are that many."""
        until = time.monotonic() + seconds
        while len(self.mails) < number and time.monotonic() < until:
            time.sleep(0.02)
        assert len(self.mails) >= number, f"{len(self.mails)} mails came, not {number}"
        return self.mails
