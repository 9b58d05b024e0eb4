"""States are read out of their bytes as if they had been decoded."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from opportune.batch.reader import Reader
from opportune.batch.source import Opened
from opportune.batch.unpack import CONSENTS, FEATURES, ID, TRAITS, Texts, find, header, skip
from opportune.catalog.situated import situated
from opportune.decide.plan import Plan
from opportune.profiles.fold import values
from opportune.profiles.spec import ProfileSpec
from opportune.profiles.state import Said, State, dump
from opportune.rules import Row
from opportune.testing import START, tiny_action, tiny_catalog

LONG = "x" * 40
NAMES = ("age", "plan", "vip", "born", "address.city", "address", "wide", LONG)

CATALOG = tiny_catalog(
    traits=[
        {"name": "age", "type": "number"}, {"name": "plan", "type": "text"}, {"name": "vip", "type": "bool"},
        {"name": "born", "type": "time"}, {"name": "address.city", "type": "text"}, {"name": "wide", "type": "number"},
        {"name": LONG, "type": "text"},
    ],
    actions=[tiny_action("hello", eligible="plan IN ('gold', 'größte') OR address.city = 'Oslo'")],
)  # fmt: skip
PLAN, SPEC = Plan(CATALOG), ProfileSpec.of(CATALOG)
PLACE = PLAN.place("app.home")
READER = Reader(PLAN, SPEC, PLACE, START)

whole = st.sampled_from(
    [0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**31, 2**32 - 1, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -1,
     -32, -33, -128, -129, -32_768, -32_769, -(2**31), -(2**31) - 1, -(2**63)]
)
text = st.sampled_from(["", "gold", "größte", "2001-02-03", "é" * 40, "y" * 300, "z" * 70_000]) | st.text(max_size=8)
simple = st.none() | st.booleans() | whole | st.floats() | text | st.binary(max_size=300)
deep = st.recursive(simple, lambda v: st.lists(v, max_size=20) | st.dictionaries(text, v, max_size=20), max_leaves=30)
address = st.fixed_dictionaries({"city": simple}) | st.dictionaries(text, deep, max_size=3)
traits = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), deep | address, max_size=12)


@given(st.lists(st.tuples(traits, st.integers(0, 2**62), st.integers(0, 2**40)), min_size=1, max_size=4))
def test_a_row_is_that_of_the_decoded_state(people: list[tuple[dict[str, Any], int, int]]) -> None:
    states = [
        State("maya" * 10, True, seq, at, None, at, {name: (value, at, seq) for name, value in found.items()})
        for found, at, seq in people
    ]
    sheet = READER.read(Opened([""] * len(states), [dump(state) for state in states], {}, {}))
    assert sheet.customers == ["maya" * 10] * len(states)
    for i, state in enumerate(states):
        expected = PLAN.layout.row(values(state, SPEC, START)[0])
        expected = situated(PLAN.layout, expected, {}, "app", "app.home", START, CATALOG.time_zone)
        row = sheet.row(i)
        assert row.texts == expected.texts
        assert same(row, expected)
        assert sheet.state(i).consents == {}
        assert i not in sheet.speaking


@given(deep)
def test_a_value_is_skipped_whole(value: Any) -> None:
    data = np.frombuffer(msgspec.msgpack.encode(value) + b"\xc1", np.uint8)
    assert skip(data, 0) == len(data) - 1


@given(st.lists(text, unique=True), text)
def test_a_text_is_found_among_the_known_ones(known: list[str], asked: str) -> None:
    texts, data = Texts(known), np.frombuffer(asked.encode() + b"\0", np.uint8)
    expected = known.index(asked) if asked in known else -1
    assert find(*texts.table, data, 0, len(data) - 1) == expected


def test_the_parts_of_a_state_are_where_the_kernel_looks_for_them() -> None:
    fields = State.__struct_fields__
    assert [fields[place] for place in (ID, TRAITS, FEATURES, CONSENTS)] == ["id", "traits", "features", "consents"]
    assert header(np.frombuffer(dump(State()), np.uint8), 0)[0] == len(fields)
    assert Said.__struct_fields__[:3] == ("status", "at", "seq")


def test_one_word_is_known_without_when_it_was_said() -> None:
    def word(*said: tuple[tuple[str, ...], Said], **more: Any) -> bytes | None:
        state = State("maya", consents=dict(said), **more)
        return READER.read(Opened([""], [dump(state)], {}, {})).word(0)

    key = ("marketing", "app")
    granted = word((key, Said("granted", 5, 6, "form")))
    assert granted is not None
    assert granted == word((key, Said("granted", 1 << 50, 1 << 20, "form")))
    assert granted != word((key, Said("refused", 5, 6, "form")))
    assert granted != word((key, Said("granted", 5, 6, "form", until=9)))
    assert granted != word((("marketing", "all"), Said("granted", 5, 6, "form")))
    assert word((key, Said("granted", 5, 6)), (("all", "app"), Said("refused", 5, 6))) is None
    assert word((key, Said("granted", 5, 6)), preferences={"app": Said("refused", 7, 8)}) is None
    assert word((key, Said("granted", 5, 6)), traits={"preferred_channel": ("app", 1, 2)}) is None


def same(one: Row, other: Row) -> bool:
    return one.numbers.tobytes() == other.numbers.tobytes() or bool(
        np.array_equal(one.numbers, other.numbers, equal_nan=True)
        and (np.signbit(one.numbers) == np.signbit(other.numbers))[~np.isnan(one.numbers)].all()
    )
