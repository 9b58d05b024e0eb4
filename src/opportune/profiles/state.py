"""What we know of one identity: the state that events are folded into, and the bytes that it is kept as.

Each identity (a user id, or an anonymous id between two identifications) is a node with a state of its own. States
merge (`merge`), so a person is the merge of some nodes, and taking a node out again leaves no trace.
"""

from __future__ import annotations

from typing import Any

import msgspec

from opportune.profiles.consent import Status

MOST_TRAITS = 500
"""Undeclared traits are no longer taken by a node that has this many; declared ones always are."""

LARGEST_VALUE = 4096
"""Bytes that one trait may take; a larger one is left out and the earlier value stays."""

MOST_CONSENTS = 100
"""Keys of consent per node; when full a refusal replaces the oldest grant and a grant is left out."""

MOST_ADDRESSES = 20
"""Addresses that bounced, per node; the oldest leave first."""


class Said(msgspec.Struct, frozen=True, array_like=True):
    """One word about consent, with the sequence number that decides between two of the same instant.

    `until` ends a grant or a pause; `proof` says where a grant that was given elsewhere can be seen.
    """

    status: Status
    at: int
    seq: int
    source: str = ""
    wording: str = ""
    language: str = ""
    method: str = ""
    until: int | None = None
    proof: str = ""


class Often(msgspec.Struct, frozen=True, array_like=True, order=True):
    """How often a customer wants to hear from us in a channel: `at_most` within `span` (None: they set no limit)."""

    at: int
    seq: int
    at_most: int | None
    span: int


class Prefers(msgspec.Struct, frozen=True, array_like=True, order=True):
    """The channel that a customer prefers ("": none any more), and whether it is the only one."""

    at: int
    seq: int
    channel: str
    only: bool


class Corrected(msgspec.Struct, frozen=True, array_like=True):
    """What a customer said is wrong of a trait: the value `was`, and by which event (see `facts`)."""

    was: Any
    at: int
    seq: int


class Choices(msgspec.Struct, array_like=True):
    """What a customer chose beside consent itself, and what their consents rest on.

    - `pauses`: key of consent -> the last pause (refused) or resumption (granted).
    - `proofs`, `refusals`: key -> the last confirmed grant, the last refusal: a later word hides them in `consents`.
    - `requests`: key -> the last grant that was only asked for; it never hides another word.
    - `frequency`: channel -> what was chosen, of a merged person by each of the nodes.
    - `bounced`: channel and digest of an address (`addresses.bounce_key`) -> (at, seq) of its last hard bounce.
    - `corrected`: trait -> the last word of the customer about it, until something else than what it corrected is said.
    """

    pauses: dict[tuple[str, ...], Said] = {}
    proofs: dict[tuple[str, ...], Said] = {}
    refusals: dict[tuple[str, ...], Said] = {}
    requests: dict[tuple[str, ...], Said] = {}
    frequency: dict[str, list[Often]] = {}
    prefers: Prefers | None = None
    bounced: dict[str, tuple[int, int]] = {}
    corrected: dict[str, Corrected] = {}


class State(msgspec.Struct, array_like=True):
    """The fold of one node's events; changed in place by `fold`.

    - `id`: the user id or anonymous id; `user`: which of both.
    - `seq`: the last event that it reflects; `received`: the latest `received_at`; `first`, `last`: the earliest and
      latest `at` (None before any event).
    - `traits`: name -> (value, at, seq) of the last write.
    - `features`: fingerprint -> what the aggregate holds (see `features`).
    - `consents`: (purpose, channel) or (purpose, channel, topic) -> the last word; `preferences`: channel -> the last
      category preference; `choices`: the rest of what the customer chose, None as long as there is nothing.
    """

    id: str = ""
    user: bool = False
    seq: int = 0
    received: int = 0
    first: int | None = None
    last: int | None = None
    traits: dict[str, tuple[Any, int, int]] = {}
    features: dict[str, Any] = {}
    consents: dict[tuple[str, ...], Said] = {}
    preferences: dict[str, Said] = {}
    choices: Choices | None = None


def dump(state: State) -> bytes:
    """Return a state as bytes; equal states whose parts were written in the same order give equal bytes."""
    return _encode(state)


def load(data: bytes) -> State:
    """Return the state of `dump`."""
    return _decode(data)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(State).decode
