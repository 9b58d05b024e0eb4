"""Codes: hard to guess, easy to read, and no wrong character or swap of two goes unnoticed."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.offers import codes
from opportune.offers.codes import ALPHABET, fits, mistyped, new_codes, read, shown


@pytest.mark.parametrize("prefix", ["", "SPR", "SPRNG24X"])
def test_every_wrong_character_and_every_swap_is_noticed(prefix: str) -> None:
    for code in new_codes(prefix, random.Random(prefix).randbytes(30)):
        assert fits(code)
        for place in range(len(code)):
            for other in ALPHABET:
                wrong = code[:place] + other + code[place + 1 :]
                assert fits(wrong) == (wrong == code)
        for one, two in combinations(range(len(code)), 2):
            swapped = list(code)
            swapped[one], swapped[two] = swapped[two], swapped[one]
            assert fits("".join(swapped)) == (code[one] == code[two])


@given(st.binary(min_size=10, max_size=10), st.sampled_from(["", "SPR", "A"]))
def test_a_code_carries_all_of_its_entropy_and_is_read_as_people_write_it(entropy: bytes, prefix: str) -> None:
    [code] = new_codes(prefix, entropy)
    bits = 0
    for character in code[len(prefix) : -1]:
        bits = bits << 5 | ALPHABET.index(character)
    assert bits.to_bytes(10, "big") == entropy
    assert not mistyped(code, prefix)
    for written in (shown(code), shown(code).lower(), code.replace("0", "o").replace("1", "l"), f" {code} "):
        assert read(written) == code


def test_what_is_no_code_is_none() -> None:
    for text in ("", "ß" * 17, "a b\x00", "x" * 65, "é", "１２"):
        assert read(text) in ("", "12", "SS" * 17)
    assert read("\x00") == ""
    assert len(ALPHABET) == len({*ALPHABET}) == 32
    assert codes.ENTROPY * 8 == 80
