"""What the parts of `deliver` hand each other: a message to make, the message made, and what became of sending it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from opportune.catalog.types import ActionKind, Catalog

Lane = Literal["service", "triggered", "bulk"]
"""What goes first when many messages wait, in this order."""


class Flow(msgspec.Struct, frozen=True):
    """What asked for a decision: a trigger or an outbound run by name, "" where a channel did.

    What a `bulk` flow sends waits behind what customers caused themselves. `due` is when its messages may leave at the
    earliest; None: at once.
    """

    name: str = ""
    bulk: bool = False
    due: int | None = None


class Send(msgspec.Struct, frozen=True, array_like=True):
    """One message that a decision made due: who, what, through what. Holds no address and no content.

    `flow` is the trigger or the outbound run that asked, "" where a channel did. `due` is when it may leave.
    """

    decision_id: str
    subject: str
    action: str
    treatment: str
    channel: str
    placement: str
    kind: ActionKind
    lane: Lane
    due: int
    flow: str = ""

    @property
    def key(self) -> str:
        """The send key: one message per decision, action and channel, whatever is tried how often."""
        return f"{self.decision_id}:{self.action}:{self.channel}"


class Job(msgspec.Struct, frozen=True):
    """What to render: a treatment of the catalog in a language, for the person whom `context` describes.

    `context` is plain data (`deliver.person`): the names that templates may use. `edition` is the catalog of the arms
    that the person is in; None: the renderer's own.
    """

    action: str
    treatment: str
    language: str
    context: Mapping[str, Any]
    edition: Catalog | None = None


class Rendered(msgspec.Struct, frozen=True):
    """What a form made of a treatment for one person; the keys of `content` are the form's own."""

    content: dict[str, Any]


class Failure(msgspec.Struct, frozen=True):
    """Why a treatment could not be rendered: in words, with the field of the content and where in its text.

    `data` says that the text is all right and something about this person is not, such as a name in letters that a font
    lacks: others get the message.
    """

    what: str
    field: str = ""
    line: int = 1
    column: int = 1
    data: bool = False


class Message(msgspec.Struct, frozen=True):
    """One message, ready to leave: `content` is rendered, `to` is the customer's address in this channel.

    `key` is the send key: a provider that knows it already takes the message for the same one. `headers` are those
    of the form's standard, such as `List-Unsubscribe` of an e-mail.
    """

    key: str
    channel: str
    to: str
    content: Mapping[str, Any]
    kind: ActionKind = "marketing"
    language: str = ""
    headers: Mapping[str, str] = {}


class Receipt(msgspec.Struct, frozen=True):
    """A provider took the message; `reference` is its own id of it, "" where it gives none."""

    reference: str = ""
