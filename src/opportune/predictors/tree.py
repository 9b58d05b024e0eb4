"""Whole rows of the weight tree taken apart and put together again: for new bins, new actions, new prior variances.

`kernels` keeps the posterior of a row as messages; what was learned, apart from any prior, is `Evidence`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from opportune.predictors.base import FloatArray

SURE = 1 - 1e-6

Nodes = npt.NDArray[Any]


@dataclass(slots=True)
class Evidence:
    """What some rows learned: (precision, precision x mean) [2, rows, ...] per action, and what groups and the root
    know beyond their actions (from actions that are gone, or where rows have no node below)."""

    leaf: FloatArray
    group: FloatArray
    root: FloatArray


def dismantle(leaf: Nodes, group: Nodes, root: Nodes, prior: FloatArray, group_of: npt.NDArray[np.int64]) -> Evidence:
    """Return the evidence in rows: leaf [rows, (u, a), actions], group [rows, (u, a), groups], root [rows, 2].

    `prior` [level, rows] are the prior variances, 0 where a row has no node at that level.
    """
    v0, v1, v2 = _levels(prior, len(leaf))
    actions, groups = _natural(leaf, v2), _natural(group, v1)
    up = messages(leaf, prior[2])
    groups[:, : len(leaf)] -= _by_group(up, group_of, group.shape[2])
    top = root.T.copy()
    top[0] -= 1 / v0[0, :, 0]
    top -= messages(group, prior[1]).sum(2)
    return Evidence(actions, _known(groups), _known(top))


def assemble(
    evidence: Evidence,
    leaf: Nodes,
    group: Nodes,
    root: Nodes,
    prior: FloatArray,
    group_of: npt.NDArray[np.int64],
    start: FloatArray,
) -> None:
    """Write the posterior of the evidence under a prior into the nodes; `start` are the prior means of the rows."""
    _, v1, v2 = _levels(prior, len(leaf))
    _write(leaf, evidence.leaf, v2)
    groups = evidence.group.copy()
    up = messages(leaf, prior[2])
    groups[:, : len(leaf)] += _by_group(up, group_of, group.shape[2])
    _write(group, groups, v1)
    top = evidence.root + messages(group, prior[1]).sum(2)
    root[:, 0] = top[0] + 1 / prior[0]
    root[:, 1] = top[1] + start / prior[0]


def messages(nodes: Nodes, prior: FloatArray) -> FloatArray:
    """Return what nodes [rows, (u, a), n] tell their parents: (precision, precision x mean) [2, rows, n]."""
    v = prior[None, : len(nodes), None]
    both = nodes.transpose(1, 0, 2).astype(np.float64)
    return np.where(v > 0, both / np.where(v > 0, v, 1), 0)


def _by_group(up: FloatArray, group_of: npt.NDArray[np.int64], groups: int) -> FloatArray:
    """Sum [2, rows, actions] over the actions of each group; `group_of` ascends."""
    total = np.zeros((*up.shape[:2], groups))
    present, first = np.unique(group_of, return_index=True)
    if len(present):
        total[:, :, present] = np.add.reduceat(up, first, axis=2)
    return total


def _levels(prior: FloatArray, leaves: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Variances [1, rows, 1] per level; only the first rows may have leaves."""
    return prior[0][None, :, None], prior[1][None, :, None], prior[2][None, :leaves, None]


def _natural(nodes: Nodes, v: FloatArray) -> FloatArray:
    u, a = nodes[:, 0].astype(np.float64), nodes[:, 1].astype(np.float64)
    scale = np.where(v[0] > 0, 1 / (np.where(v[0] > 0, v[0], 1) * (1 - u)), 0)
    return np.stack([u * scale, a * scale])


def _write(nodes: Nodes, natural: FloatArray, v: FloatArray) -> None:
    scale = v[0] / (1 + natural[0] * v[0])
    nodes[:, 0] = np.minimum(natural[0] * scale, SURE)
    nodes[:, 1] = natural[1] * scale


def _known(natural: FloatArray) -> FloatArray:
    """Rounding leaves a trace where there is no evidence."""
    return np.where(natural[0] > 1e-9, natural, 0.0)
