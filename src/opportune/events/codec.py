"""Facts as bytes and back: one byte for the version of the form, then MessagePack.

Every version that was ever written stays readable. A field that this release does not know is ignored, a field that is
missing takes its default; so a new field with a default, added at the end, needs no new version.

>>> from opportune.events.types import Released
>>> decode_fact(encode(Released(at=1, decision_id="d", action="tea", reason="lapsed"))).reason
'lapsed'
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from opportune.errors import BrokenStore
from opportune.events.types import Event, LedgerFact

VERSION = 1

_F = TypeVar("_F")

_encoder = msgspec.msgpack.Encoder()
_event_readers: dict[int, Callable[[bytes], Event]] = {1: msgspec.msgpack.Decoder(Event).decode}
_fact_readers: dict[int, Callable[[bytes], LedgerFact]] = {1: msgspec.msgpack.Decoder(LedgerFact).decode}
_VERSION_BYTE = bytes([VERSION])


def encode(fact: Event | LedgerFact) -> bytes:
    """Return the bytes of an event or a fact of the ledger.

    Properties may hold what JSON holds: text, bool, int (64 bits), float, None, lists, and dicts by text.
    """
    return _VERSION_BYTE + _encoder.encode(fact)


def decode_event(data: bytes) -> Event:
    """Return the event in these bytes; raise `BrokenStore` where they hold none."""
    return _decode(_event_readers, data)


def decode_fact(data: bytes) -> LedgerFact:
    """Return the fact of the ledger in these bytes; raise `BrokenStore` where they hold none that is known."""
    return _decode(_fact_readers, data)


def _decode(readers: dict[int, Callable[[bytes], _F]], data: bytes) -> _F:
    reader = readers.get(data[0]) if data else None
    if reader is None:
        if data and data[0] > VERSION:
            raise BrokenStore(
                f"a fact was written in form {data[0]}, this release reads up to {VERSION}; install a newer Opportune"
            )
        raise BrokenStore("a fact is empty or damaged; restore a copy made by `opportune backup`")
    try:
        return reader(memoryview(data)[1:])  # type: ignore[arg-type]
    except msgspec.ValidationError as error:
        raise BrokenStore(
            f"this release does not know such a fact ({error}); install the Opportune that wrote it"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenStore(f"a fact is damaged ({error}); restore a copy made by `opportune backup`") from error
