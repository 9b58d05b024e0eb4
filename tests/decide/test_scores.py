"""What the kernels make of a posterior: its width, the ramp of new actions, and worth."""

from __future__ import annotations

import numpy as np
import pytest

from opportune.decide.scores import BASE, PRIORITY, REACH, WORTH, A, B, C, P, V, gather, weigh

N = 5
MATURE = np.array([0.0, 50, 199, 200, 900])


def weighed(positives: np.ndarray, ramp: int, fallen: list[int], width: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Return (index, table) of five actions less those that fell."""
    stage = np.zeros(N, np.uint8)
    stage[fallen] = 4
    index, table, _ = gather(stage, np.arange(1.0, N + 1), np.full(N, 2.0), np.ones(N, bool))
    n = len(index)
    p, a, b = np.full(n, 0.25), np.full(n, -1.5), np.full(n, 0.8)
    table[C], table[BASE] = 3.0, 0.05
    weigh(table, index, p, a, b, True, width, positives, ramp)
    return index, table


@pytest.mark.parametrize("fallen", [[1], [0, 1], []])
def test_a_new_action_takes_part_in_a_growing_share(fallen: list[int]) -> None:
    index, table = weighed(MATURE, 200, fallen)
    shares = [0.02, 0.02 + 0.98 * 50 / 200, 0.02 + 0.98 * 199 / 200, 1, 1]
    assert table[REACH].tolist() == pytest.approx([shares[i] for i in index])


@pytest.mark.parametrize(("ramp", "fallen"), [(200, [3, 4]), (0, [])])
def test_all_take_part_where_nothing_mature_is_a_candidate(ramp: int, fallen: list[int]) -> None:
    _, table = weighed(MATURE, ramp, fallen)
    assert (table[REACH] == 1).all()


def test_a_narrower_draw_keeps_p() -> None:
    """The mean of a logit-normal is about sigmoid(a / sqrt(1 + pi b / 8)), whatever the width."""
    _, table = weighed(MATURE, 0, [], width=0.5)
    assert table[B].tolist() == pytest.approx([0.8 * 0.25] * N)
    moderated = table[A] / np.sqrt(1 + np.pi / 8 * table[B])
    assert moderated.tolist() == pytest.approx([-1.5 / np.sqrt(1 + np.pi / 8 * 0.8)] * N)
    assert table[P].tolist() == [0.25] * N


def test_worth_is_the_product_and_priority_takes_the_base_off() -> None:
    _, table = weighed(MATURE, 0, [])
    assert table[WORTH].tolist() == pytest.approx((3 * table[V] * 2).tolist())
    assert table[PRIORITY].tolist() == pytest.approx(((0.25 - 0.05) * table[WORTH]).tolist())
