"""The compact forms of a record: what is read back, and that bytes once written keep their meaning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.ledger.compact import pack_stages, unpack_stages

LOST = 9
CODES = st.lists(st.tuples(st.integers(0, 13), st.integers(1, 70)), max_size=60)


@given(CODES)
def test_stages_are_read_back(runs: list[tuple[int, int]]) -> None:
    stages = np.repeat([code for code, _ in runs], [count for _, count in runs]).astype(np.uint8)
    assert unpack_stages(pack_stages(stages, LOST), len(stages), LOST).tolist() == stages.tolist()


@given(st.lists(st.integers(0, 13), max_size=300))
def test_stages_without_runs_are_read_back(codes: list[int]) -> None:
    packed = pack_stages(np.array(codes, np.uint8), LOST)
    assert unpack_stages(packed, len(codes), LOST).tolist() == codes
    listed = sum(code != LOST and not 1 <= code <= 7 for code in codes)
    assert len(packed) <= 3 + 3 * listed + (3 * len(codes) + 7) // 8


GOLDEN = {
    "runs": (54, [5] * 8, "02002b00002c000c009f8704a8"),
    "unary": (120, [4, 4, 4, 6, 5, 4, 4, 4], "0000020405060001020307a01c3a8089402000c99800006e4430367214040680"),
    "bits": (90, [4, 4, 3, 3, 7, 4, 3, 5], (
        "0b000400001300001500001d00003400003600003c00004700004900004e0000510000"
        "0158a1a3f3d90dd58a3146143930fc9aad539f4f508666e115f2a8e823c6c6c246fc74"
    )),
}  # fmt: skip


@pytest.mark.parametrize("form", GOLDEN)
def test_each_form_is_read_and_written_as_ever(form: str) -> None:
    count, last, golden = GOLDEN[form]
    stages = unpack_stages(bytes.fromhex(golden), count, LOST)
    assert stages[-8:].tolist() == last
    assert pack_stages(stages, LOST).hex() == golden
