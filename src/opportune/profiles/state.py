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
"""(purpose, channel) pairs per node; when full a refusal replaces the oldest grant and a grant is left out."""


class Said(msgspec.Struct, frozen=True, array_like=True):
    """One word about consent, with the sequence number that decides between two of the same instant."""

    status: Status
    at: int
    seq: int
    source: str = ""
    wording: str = ""


class State(msgspec.Struct, array_like=True):
    """The fold of one node's events; changed in place by `fold`.

    - `id`: the user id or anonymous id; `user`: which of both.
    - `seq`: the last event that it reflects; `received`: the latest `received_at`; `first`, `last`: the earliest and
      latest `at` (None before any event).
    - `traits`: name -> (value, at, seq) of the last write.
    - `features`: fingerprint -> what the aggregate holds (see `features`).
    - `consents`: (purpose, channel) -> the last word; `preferences`: channel -> the last category preference.
    """

    id: str = ""
    user: bool = False
    seq: int = 0
    received: int = 0
    first: int | None = None
    last: int | None = None
    traits: dict[str, tuple[Any, int, int]] = {}
    features: dict[str, Any] = {}
    consents: dict[tuple[str, str], Said] = {}
    preferences: dict[str, Said] = {}


def dump(state: State) -> bytes:
    """Return a state as bytes; equal states whose parts were written in the same order give equal bytes."""
    return _encode(state)


def load(data: bytes) -> State:
    """Return the state of `dump`."""
    return _decode(data)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(State).decode
