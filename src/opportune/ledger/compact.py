"""Compact forms of the two large parts of a decision record: the values read and the stage of each action."""
# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

_RUNS, _BITS, _UNARY = range(3)
_NULL, _BYTE, _INT, _SINGLE, _CENTS, _DOUBLE = range(6)


def pack_numbers(numbers: npt.NDArray[np.float64], exact: npt.NDArray[np.bool_]) -> bytes:
    """Return float64 numbers (NaN is NULL) in 0 to 8 bytes each, plus half a byte.

    Where `exact` is set nothing is lost; elsewhere a number is rounded to float32, which is all that predictors see.

    >>> some = np.array([1.0, np.nan, 19.99, 1e300])
    >>> unpack_numbers(pack_numbers(some, np.ones(4, bool)), 4).tolist()
    [1.0, nan, 19.99, 1e+300]
    """
    buffer = np.empty((len(numbers) + 1) // 2 + 8 * len(numbers), np.uint8)
    return buffer[: _pack(numbers, exact, buffer)].tobytes()


def unpack_numbers(data: bytes, count: int) -> npt.NDArray[np.float64]:
    """Return the numbers that `pack_numbers` packed."""
    numbers = np.empty(count)
    _unpack(np.frombuffer(data, np.uint8), numbers)
    return numbers


def pack_stages(stages: npt.NDArray[np.uint8], common: int) -> bytes:
    """Return one small code per action: as run lengths, in 3 bits each, or in unary by frequency, whatever is shortest.

    Codes 1 to 7 are kept as they are and `common` as 0; other codes are listed one by one in front, 3 bytes each.

    >>> unpack_stages(pack_stages(np.array([9, 3, 3, 3, 12, 0], np.uint8), 9), 6, 9).tolist()
    [9, 3, 3, 3, 12, 0]
    """
    buffer = np.empty(2 + 4 * len(stages) + 1, np.uint8)
    return buffer[: _pack_stages(stages, common, buffer)].tobytes()


def unpack_stages(data: bytes, count: int, common: int) -> npt.NDArray[np.uint8]:
    """Return the codes that `pack_stages` packed."""
    odd = int.from_bytes(data[:2], "little")
    form, body = data[2 + 3 * odd], np.frombuffer(data[3 + 3 * odd :], np.uint8)
    if form == _RUNS:
        stages = np.repeat(body >> 5, (body & 31).astype(np.int64) + 1)
    elif form == _BITS:
        bits = np.unpackbits(body)[: 3 * count].reshape(count, 3)
        stages = (bits[:, 0] << 2) | (bits[:, 1] << 1) | bits[:, 2]
    else:
        ends = np.flatnonzero(np.unpackbits(body[8:]) == 0)[:count]
        stages = body[:8][np.diff(ends, prepend=-1) - 1]
    stages = np.where(stages == 0, common, stages).astype(np.uint8)
    for k in range(odd):
        entry = data[2 + 3 * k : 5 + 3 * k]
        stages[int.from_bytes(entry[:2], "little")] = entry[2]
    return stages


@njit(cache=True, nogil=True)
def _pack_stages(stages, common, buffer):
    # where candidates fall is as good as random to the processor, so there are selects in these loops, not branches
    n = len(stages)
    odd, runs, run, last = 0, 0, 0, 255
    tally = np.zeros(8, np.int64)
    for i in range(n):
        code = stages[i]
        known = (code >= 1) & (code <= 7)
        if (not known) & (code != common):
            at = 2 + 3 * odd
            buffer[at], buffer[at + 1], buffer[at + 2] = np.uint8(i & 255), np.uint8(i >> 8), np.uint8(code)
            odd += 1
        code = code if known else np.uint8(0)
        tally[code] += 1
        fresh = (code != last) | (run == 32)
        runs += fresh
        run = 1 if fresh else run + 1
        last = code
    buffer[0], buffer[1] = np.uint8(odd & 255), np.uint8(odd >> 8)
    size = 2 + 3 * odd
    order = np.argsort(-tally, kind="mergesort")
    place = np.empty(8, np.int64)
    unary = 64
    for rank in range(8):
        place[order[rank]] = rank
        unary += tally[order[rank]] * (rank + 1)
    form = _RUNS if 8 * runs <= min(3 * n, unary) else _UNARY if unary < 3 * n else _BITS
    buffer[size] = np.uint8(form)
    size += 1
    if form == _RUNS:
        run, last = 0, 255
        for i in range(n):
            code = stages[i] if stages[i] <= 7 else np.uint8(0)
            if code != last or run == 32:
                size += 1
                run, last = 0, code
            run += 1
            buffer[size - 1] = np.uint8(code << 5 | run - 1)
        return size
    if form == _UNARY:
        for rank in range(8):
            buffer[size + rank] = np.uint8(order[rank])
        size += 8
    held, bits = 0, 0
    for i in range(n):
        code = stages[i] if stages[i] <= 7 else np.uint8(0)
        wide = place[code] + 1 if form == _UNARY else 3
        held = held << wide | ((1 << wide) - 2 if form == _UNARY else code)
        bits += wide
        while bits >= 32:
            for shift in (8, 16, 24, 32):
                buffer[size] = np.uint8(held >> (bits - shift) & 255)
                size += 1
            bits -= 32
            held &= (1 << bits) - 1
    while bits >= 8:
        buffer[size] = np.uint8(held >> (bits - 8) & 255)
        size += 1
        bits -= 8
        held &= (1 << bits) - 1
    if bits:
        buffer[size] = np.uint8(held << (8 - bits) & 255)
        size += 1
    return size


@njit(cache=True, nogil=True)
def _pack(numbers, exact, buffer):
    n = len(numbers)
    size = (n + 1) // 2
    buffer[:size] = 0
    single, double = np.empty(1, np.float32), np.empty(1, np.float64)
    single_bytes, double_bytes = single.view(np.uint8), double.view(np.uint8)
    whole = np.empty(1, np.int32)
    whole_bytes = whole.view(np.uint8)
    for i in range(n):
        x = numbers[i]
        negative_zero = x == 0.0 and np.signbit(x)
        if np.isnan(x):
            tag = _NULL
        elif x >= 0.0 and x < 256.0 and x == np.floor(x) and not negative_zero:
            tag = _BYTE
            buffer[size] = np.uint8(x)
            size += 1
        else:
            cents = np.round(x * 100.0)
            single[0] = np.float32(x)
            if not exact[i] or np.float64(single[0]) == x:
                tag = _SINGLE
                buffer[size : size + 4] = single_bytes
                size += 4
            elif abs(x) < 2147483647.0 and x == np.floor(x):
                tag = _INT
                whole[0] = np.int32(x)
                buffer[size : size + 4] = whole_bytes
                size += 4
            elif abs(cents) < 2147483647.0 and cents / 100.0 == x:
                tag = _CENTS
                whole[0] = np.int32(cents)
                buffer[size : size + 4] = whole_bytes
                size += 4
            else:
                tag = _DOUBLE
                double[0] = x
                buffer[size : size + 8] = double_bytes
                size += 8
        buffer[i >> 1] |= np.uint8(tag << (4 * (i & 1)))
    return size


@njit(cache=True, nogil=True)
def _unpack(data, numbers):
    n = len(numbers)
    at = (n + 1) // 2
    single, double = np.empty(1, np.float32), np.empty(1, np.float64)
    single_bytes, double_bytes = single.view(np.uint8), double.view(np.uint8)
    whole = np.empty(1, np.int32)
    whole_bytes = whole.view(np.uint8)
    for i in range(n):
        tag = (data[i >> 1] >> (4 * (i & 1))) & 15
        if tag == _NULL:
            numbers[i] = np.nan
        elif tag == _BYTE:
            numbers[i] = data[at]
            at += 1
        elif tag == _SINGLE:
            single_bytes[:] = data[at : at + 4]
            numbers[i] = np.float64(single[0])
            at += 4
        elif tag == _DOUBLE:
            double_bytes[:] = data[at : at + 8]
            numbers[i] = double[0]
            at += 8
        else:
            whole_bytes[:] = data[at : at + 4]
            numbers[i] = whole[0] / 100.0 if tag == _CENTS else float(whole[0])
            at += 4
