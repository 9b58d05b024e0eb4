"""Codes that people read, say and type: Crockford's base 32, 80 random bits, and a check digit.

The alphabet has no I, L, O and U; what looks like a digit is read as one, case and dashes do not matter.

The check digit makes the sum of a**i * c[i] zero in the field of 32 elements, i counted from the last character on, a
a root of x^5 + x^2 + 1. The powers of a up to the 30th differ, so in codes of up to 31 characters every wrong character
and every swap of two characters is noticed: they change the sum by a**i * (c - c') and by (a**i + a**j) * (c + c').
"""

from __future__ import annotations

from collections.abc import Iterator

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ENTROPY = 10
"""Random bytes in a code: 80 bits, 16 characters."""

LONGEST = 64
"""Characters of what may be a code, dashes and spaces apart."""

_READ = str.maketrans("OIL", "011", "- \t\u2010\u2011\u2012\u2013\u2014")


def new_codes(prefix: str, entropy: bytes) -> Iterator[str]:
    """Yield a code for every 10 bytes of entropy, as `read` returns it: the prefix, 16 characters, the check digit.

    >>> next(new_codes("SPR", bytes(10)))
    'SPR0000000000000000Q'
    """
    begun = 0
    for place, character in enumerate(reversed(prefix), 17):
        begun ^= _TIMES[place][_VALUE[character]]
    for start in range(0, len(entropy), ENTROPY):
        bits = int.from_bytes(entropy[start : start + ENTROPY], "big")
        check, text = begun, []
        for place in range(16, 0, -1):
            value = bits >> 5 * (place - 1) & 31
            check ^= _TIMES[place][value]
            text.append(ALPHABET[value])
        yield f"{prefix}{''.join(text)}{ALPHABET[check]}"


def read(text: str) -> str:
    """Return a code as it is kept: capital letters and digits, O as 0, I and L as 1; "" where it can be none.

    >>> read("spr-0oil-2345")
    'SPR00112345'
    """
    plain = text.upper().translate(_READ)
    return plain if plain.isascii() and plain.isalnum() and len(plain) <= LONGEST else ""


def mistyped(code: str, prefix: str = "") -> bool:
    """Return whether a code, as `read` returned it, has the length of one that we make and a wrong check digit."""
    return len(code) == len(prefix) + 17 and code.startswith(prefix) and not fits(code)


def fits(code: str) -> bool:
    """Return whether the check digit of a code is right.

    >>> fits("SPR0000000000000000Q"), fits("SPR000000000000000Q0")
    (True, False)
    """
    total = 0
    if not 2 <= len(code) <= len(_TIMES):
        return False
    for place, character in enumerate(reversed(code)):
        value = _VALUE.get(character)
        if value is None:
            return False
        total ^= _TIMES[place][value]
    return total == 0


def shown(code: str) -> str:
    """Return a code as people read it, in groups of four from the end; the last has five.

    >>> shown("SPR0000000000000000Q")
    'SPR-0000-0000-0000-0000Q'
    """
    if len(code) < 17 or not fits(code):
        return code
    head, tail = code[:-17], code[-17:]
    return "-".join(filter(None, [head, tail[:4], tail[4:8], tail[8:12], tail[12:]]))


def _powers() -> list[list[int]]:
    """Return the products of each power of a, up to the 30th, with each element."""

    def doubled(value: int) -> int:
        return (value << 1) ^ (0b100101 if value & 16 else 0)

    rows = [list(range(32))]
    for _ in range(30):
        rows.append([doubled(value) for value in rows[-1]])
    return rows


_TIMES = _powers()
_VALUE = {character: value for value, character in enumerate(ALPHABET)}
