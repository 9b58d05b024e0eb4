"""Facts survive being bytes, today's and those of every release before."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest

from opportune.errors import BrokenStore
from opportune.events.codec import decode_event, decode_fact, encode
from opportune.events.types import Event, LedgerFact, Rebuilt

GOLDEN = Path(__file__).parent / "golden"
SAMPLES: dict[Any, Any] = {
    int: 7,
    str: "日本",
    bool: True,
    bytes: b"\x00\xff",
    float: 1.5,
    dict: {"a": "b"},
    list: [],
    tuple: (),
}


def sample(kind: Any) -> Any:
    """A fact of this kind with every field set."""
    hints = get_type_hints(kind)
    return kind(**{name: _sample(hints[name]) for name in kind.__struct_fields__})


def _sample(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Literal else SAMPLES[_plain(hint)]


def _plain(hint: Any) -> Any:
    return get_origin(hint) if get_origin(hint) in SAMPLES else next((a for a in get_args(hint) if a in SAMPLES), hint)


EVENT = Event(
    type="track", message_id="m1", at=-5, received_at=10, user_id="ana",
    anonymous_id="a", previous_id="p", group_id="g",
    event="Tea Bought", name="n", category="c",
    properties={"revenue": 1.5, "lines": [{"sku": "é", "n": 2**63 - 1}], "no": None},
    traits={"gold": True}, context={"ip": "1"}, integrations={"All": False}, source="shop", original_at=-6, sent_at=9,
)  # fmt: skip


@pytest.mark.parametrize("kind", get_args(LedgerFact), ids=lambda kind: kind.__name__)
def test_every_kind_of_fact_comes_back(kind: Any) -> None:
    assert decode_fact(encode(sample(kind))) == sample(kind)
    with pytest.raises(BrokenStore, match="does not know such a fact"):
        decode_event(encode(sample(kind)))


def test_events_come_back_and_are_small() -> None:
    assert decode_event(encode(EVENT)) == EVENT
    bare = Event(type="track", message_id="m", at=1, received_at=1, user_id="ana", event="x")
    assert decode_event(encode(bare)) == bare
    assert len(encode(bare)) < 90
    with pytest.raises(BrokenStore, match="does not know such a fact"):
        decode_fact(encode(EVENT))


def test_version_1_is_read_for_ever() -> None:
    assert decode_event((GOLDEN / "event-1.bin").read_bytes()) == EVENT
    files = sorted(GOLDEN.glob("fact-1-*.bin"))
    assert len(files) >= 15
    tags = {kind.__struct_config__.tag: kind for kind in get_args(LedgerFact)}
    for path in files:
        fact = decode_fact(path.read_bytes())
        assert type(fact) is tags[path.stem.removeprefix("fact-1-")]
        written = msgspec.msgpack.decode(path.read_bytes()[1:])
        names = fact.__struct_fields__
        values = written.items() if isinstance(written, dict) else zip(names, written[1:], strict=False)
        for name, value in values:
            assert name == "fact" or getattr(fact, name) == value


def test_unknown_fields_are_ignored_and_missing_ones_take_their_default() -> None:
    wider = {"fact": "event", "type": "track", "message_id": "m", "at": 1, "received_at": 2, "later": [1, {"x": 2}]}
    assert decode_event(b"\x01" + msgspec.msgpack.encode(wider)).received_at == 2
    fields = msgspec.msgpack.decode(encode(sample(Rebuilt))[1:])
    assert decode_fact(b"\x01" + msgspec.msgpack.encode([*fields, "later", 9])) == sample(Rebuilt)
    assert decode_fact(b"\x01" + msgspec.msgpack.encode(fields[:-1])).reason == ""


def test_what_cannot_be_read_says_why() -> None:
    for data, says in (
        (b"", "empty or damaged"),
        (b"\x00abc", "empty or damaged"),
        (b"\x02abc", "form 2, this release reads up to 1; install a newer"),
        (b"\x01", "damaged"),
        (encode(sample(Rebuilt))[:-1], "damaged"),
        (b"\x01" + msgspec.msgpack.encode(["telepathy", 1]), "telepathy"),
        (b"\x01" + msgspec.msgpack.encode(["released", 1]), "length"),
    ):
        with pytest.raises(BrokenStore, match=says):
            decode_fact(data)
