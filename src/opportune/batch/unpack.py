"""States of customers, read out of their bytes without making objects of them: numba kernels over msgpack.

A state is the array that `profiles.state.dump` writes. Of its traits the declared ones are taken as `profiles.fold`
takes them: a number from a finite double or an int, a bool from a bool, a text as the number of a known text
(`Texts`). What Python is to read itself (times, paths into objects, features, consents) is told as spans of bytes.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

NUMBER, TEXT, BOOL, NOTHING = range(4)
"""What is wanted of the value of a trait."""

MISSING, UNKNOWN = -2, -1
"""A text that is not there, and one that is not among the known texts."""

ID, TRAITS, FEATURES, CONSENTS = 0, 6, 7, 8
"""Places in the array of a state."""

def _width(tag: int) -> int:
    """Return how many bytes a value takes whose tag alone says it; 0 for others."""
    if 0xA0 <= tag <= 0xBF:
        return 1 + (tag & 0x1F)
    if tag <= 0x7F or tag >= 0xE0 or tag in (0xC0, 0xC2, 0xC3):
        return 1
    return {0xCC: 2, 0xD0: 2, 0xCD: 3, 0xD1: 3, 0xCA: 5, 0xCE: 5, 0xD2: 5, 0xCB: 9, 0xCF: 9, 0xD3: 9}.get(tag, 0)


WIDTH = np.array([_width(tag) for tag in range(256)])

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class Texts:
    """Known texts by number, in the order given, as a hash table that a kernel looks into."""

    def __init__(self, texts: Sequence[str]) -> None:
        written = [text.encode("utf-8", "surrogatepass") for text in texts]
        self.bytes = np.frombuffer(b"".join(written) + b"\0", np.uint8).copy()
        self.ends = np.concatenate([[0], np.cumsum([len(text) for text in written])]).astype(np.int64)
        self.slots = np.full(max(8, 1 << (4 * len(written)).bit_length()), -1, np.int64)
        for number in range(len(written)):
            _place(self.bytes, self.ends, self.slots, number)

    @property
    def table(self) -> tuple[Bytes, Ints, Ints]:
        """What `find` takes."""
        return self.bytes, self.ends, self.slots


@njit(cache=True, nogil=True)
def unpack(data, starts, names, wanted, slots, texts, codes, silent, numbers, found, spans, parts):
    """Fill in what the states `data[starts[i] : starts[i + 1]]` hold; rows and places not filled stay as they are.

    `names` are the known trait names, `wanted` says what is wanted of each and `slots` where it goes: into a column of
    `numbers`, for a text also of `found` (its number among `texts`, whose `codes` are the numbers) and of `spans` (its
    bytes), and into another column of `spans` (-1: none) the bytes of the trait as it was written, with when.
    `parts[i]` gets the spans of the id, of the features, and of all from the consents on (`silent` bytes where they say
    nothing); where one word on consent is all that they say, also that of when it was said.
    """
    bits = np.empty(1, np.uint64)
    real = bits.view(np.float64)
    for i in range(len(starts) - 1):
        at, end = starts[i], starts[i + 1]
        count, at = header(data, at)
        for place in range(count):
            if place == ID:
                parts[i, 0, 0], parts[i, 0, 1] = text_span(data, at)
            elif place == TRAITS:
                at = _traits(data, at, i, names, wanted, slots, texts, codes, numbers, found, spans, bits, real)
                continue
            elif place == FEATURES:
                parts[i, 1, 0], parts[i, 1, 1] = at, skip(data, at)
            elif place == CONSENTS:
                parts[i, 2, 0], parts[i, 2, 1] = at, end
                count, word = header(data, at)
                if count == 1 and end - skip(data, at) == silent - 1:
                    when = skip(data, header(data, skip(data, word))[1])
                    parts[i, 3, 0], parts[i, 3, 1] = when, skip(data, skip(data, when))
                break
            at = skip(data, at)


@njit(cache=True, nogil=True)
def _traits(data, at, i, names, wanted, slots, texts, codes, numbers, found, spans, bits, real):
    """Take the traits in; return where what comes after them begins."""
    count, at = header(data, at)
    known, ends, places = names
    name = -1
    for _ in range(count):
        begin, end = text_span(data, at)
        # traits mostly come in the order in which they were declared
        name += 1
        if name >= len(wanted) or not _same(known, ends[name], ends[name + 1], data, begin, end):
            name = find(known, ends, places, data, begin, end)
        at = end
        if name < 0:
            at = skip(data, at)
            continue
        value = at + 1  # behind the header of a triple: the value, when it was written, and by which event
        kind, slot, column, asked = wanted[name], slots[name, 0], slots[name, 1], slots[name, 2]
        tag = data[value]
        wide = WIDTH[tag]
        after = value + wide if wide else skip(data, value)
        if kind == NUMBER and tag == 0xCB:
            x = np.uint64(0)
            for k in range(np.uint64(value + 1), np.uint64(value + 9)):  # unsigned: no index counts from the end
                x = x << np.uint64(8) | np.uint64(data[k])
            bits[0] = x
            numbers[i, slot] = real[0] + 0.0 if math.isfinite(real[0]) else np.nan
        elif kind == NUMBER:
            numbers[i, slot] = whole(data, value)
        elif kind == BOOL:
            numbers[i, slot] = 1.0 if tag == 0xC3 else 0.0 if tag == 0xC2 else np.nan
        elif kind == NOTHING:
            pass
        elif 0xA0 <= tag <= 0xBF or 0xD9 <= tag <= 0xDB:
            begin, end = text_span(data, value)
            text = find(texts[0], texts[1], texts[2], data, begin, end)
            numbers[i, slot] = codes[text] if text >= 0 else -1.0
            found[i, column], spans[i, column, 0], spans[i, column, 1] = text, begin, end
        else:
            numbers[i, slot] = np.nan
            found[i, column] = MISSING
        written = at
        at = after + WIDTH[data[after]]
        at += WIDTH[data[at]]
        if asked >= 0:
            spans[i, asked, 0], spans[i, asked, 1] = written, at
    return at


@njit(cache=True, nogil=True)
def whole(data, at):
    """Return an int as a double, as `profiles.fields.number` does; NaN for anything else."""
    tag = data[at]
    if tag <= 0x7F:
        return float(tag)
    if tag >= 0xE0:
        return float(np.int64(tag) - 256)
    if 0xCC <= tag <= 0xCF:
        return float(unsigned(data, at + 1, 1 << (tag - 0xCC)))
    if 0xD0 <= tag <= 0xD3:
        size = 1 << (tag - 0xD0)
        shift = np.uint64(64 - 8 * size)
        return float(np.int64(unsigned(data, at + 1, size) << shift) >> np.int64(shift))
    return np.nan


@njit(cache=True, nogil=True)
def unsigned(data, at, size):
    """Return a big-endian number of some bytes."""
    x = np.uint64(0)
    for k in range(size):
        x = x << np.uint64(8) | np.uint64(data[at + k])
    return x


@njit(cache=True, nogil=True)
def header(data, at):
    """Return how many members an array or entries a map has, and where they begin."""
    tag = data[at]
    if tag <= 0x9F:
        return np.int64(tag & 0x0F), at + 1
    size = 2 if tag == 0xDC or tag == 0xDE else 4
    return np.int64(unsigned(data, at + 1, size)), at + 1 + size


@njit(cache=True, nogil=True)
def text_span(data, at):
    """Return where the bytes of a text begin and end."""
    tag = data[at]
    if tag <= 0xBF:
        return at + 1, at + 1 + np.int64(tag & 0x1F)
    size = 1 << (tag - 0xD9)
    return at + 1 + size, at + 1 + size + np.int64(unsigned(data, at + 1, size))


@njit(cache=True, nogil=True)
def skip(data, at):
    """Return where the value after the one at `at` begins."""
    left = np.int64(1)
    while left > 0:
        left -= 1
        tag = data[at]
        wide = WIDTH[tag]
        if wide:
            at += wide
        elif tag <= 0x8F:
            left += 2 * np.int64(tag & 0x0F)
            at += 1
        elif tag <= 0x9F:
            left += np.int64(tag & 0x0F)
            at += 1
        elif 0xD4 <= tag <= 0xD8:
            at += 2 + (1 << (tag - 0xD4))
        elif 0xD9 <= tag <= 0xDB:
            at = text_span(data, at)[1]
        elif 0xC4 <= tag <= 0xC9:
            size = 1 << ((tag - 0xC4) % 3)
            at += 1 + size + np.int64(unsigned(data, at + 1, size)) + (1 if tag >= 0xC7 else 0)
        else:
            count, at = header(data, at)
            left += count if tag <= 0xDD else 2 * count
    return at


@njit(cache=True, nogil=True)
def find(texts, ends, slots, data, begin, end):
    """Return the number of a text among the known ones, or `UNKNOWN`."""
    mask = np.uint64(len(slots) - 1)
    at = _hash(data, begin, end) & mask
    while slots[at] >= 0:
        known = slots[at]
        if _same(texts, ends[known], ends[known + 1], data, begin, end):
            return known
        at = (at + np.uint64(1)) & mask
    return UNKNOWN


@njit(cache=True, nogil=True)
def _same(texts, first, last, data, begin, end):
    if last - first != end - begin:
        return False
    at = np.uint64(first)
    for k in range(np.uint64(begin), np.uint64(end)):
        if texts[at] != data[k]:
            return False
        at += np.uint64(1)
    return True


@njit(cache=True, nogil=True)
def _hash(data, begin, end):
    """Return the 64 bits of FNV-1a, its high half mixed into the low one."""
    h = np.uint64(0xCBF29CE484222325)
    for k in range(np.uint64(begin), np.uint64(end)):
        h = (h ^ np.uint64(data[k])) * np.uint64(0x100000001B3)
    return h ^ h >> np.uint64(32)


@njit(cache=True, nogil=True)
def _place(texts, ends, slots, number):
    mask = np.uint64(len(slots) - 1)
    at = _hash(texts, ends[number], ends[number + 1]) & mask
    while slots[at] >= 0:
        at = (at + np.uint64(1)) & mask
    slots[at] = number
