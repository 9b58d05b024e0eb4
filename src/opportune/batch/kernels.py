"""The scores and the draws of many customers, one after the other, by the kernels that a single decision calls."""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from opportune.decide.chance import uniform
from opportune.decide.scores import BASE, BASELINE, PRIORITY, WORTH, C, L, P, V, gather_kernel, weigh
from opportune.decide.selection import FLOOR, draw, probabilities
from opportune.predictors import kernels

LOGIT_NORMAL = 0

FACTORS = 8
"""Numbers per chosen action: P, baseline, C, V, L, priority, the draw, the probability."""

RANDOM_ARM = 1
"""The place of the random arm in `decide.stages.assign.ARMS`."""

CHOSEN, NOTHING_LEFT, NOT_WORTH, HELD_OUT = range(4)
"""Why there is silence, if there is."""

SCORE, ARBITRATE, WITHHOLD = 8, 9, 10
"""The stages of `decide.types.Stage` that are reached here."""


@njit(cache=True, nogil=True)
def choose_many(
    arms, out_of, numbers, slots, texts, model, columns, baseline, baseline_texts, baseline_columns, compared,
    incremental, values, value_of, levers, lever_of, contexts, context_of, weighed, marketing, withheld, worthy, width,
    positives, ramp, prices, seeds, told, stage, chosen, factors, silence, ghost, ghosts, totals, candidates, pushed,
):  # fmt: skip
    """Do for each row what `score`, `arbitrate` and `withhold` do for one customer, from `stage` on.

    `model` and `baseline` are what `Bayes.weights` gives, `columns` those of every action; `compared` says whether the
    baseline is told, `incremental` whether it is taken off, `told` whether selection probabilities are. Row `out_of[i]`
    of `withheld` says what is taken back from customer i (-1: nothing). Filled in:
    `stage`, `chosen` [n, limit] with positions (-1: none), `factors` [n, limit, FACTORS], `silence`, `ghost` with the
    best that was not worth its price and its (P, probability, priority) in `ghosts`, `totals` (P(silence), discarded),
    `candidates`, `pushed`.
    """
    for i in range(len(stage)):
        index, table, service = gather_kernel(stage[i], values[value_of[i]], levers[lever_of[i]], marketing)
        inputs = numbers[i].take(slots).astype(np.float32)
        out = _scored(model, columns, inputs, texts[i], index)
        if compared:
            table[BASELINE] = _scored(baseline, baseline_columns, inputs, baseline_texts[i], index)[0]
            if incremental:
                table[BASE] = table[BASELINE]
        if weighed:
            for k in range(len(index)):
                table[C, k] = contexts[context_of[i], index[k]]
        weigh(table, index, out[0], out[1], out[2], True, width, positives, ramp)
        if not worthy:
            index, table, service = _worthy(stage[i], index, table, service)
        n, price = len(index), prices[i]
        candidates[i] = n
        if n == 0:
            silence[i] = NOTHING_LEFT
            continue
        left = np.ones(n, np.bool_)
        for rank in range(min(chosen.shape[1], n)):
            each, silent, discarded = np.full(n, np.nan), 0.0, 0.0
            if arms[i] == RANDOM_ARM:
                each = np.where(left, 1.0 / left.sum(), 0.0)
                winner, drawn = _any(table, each, seeds[i], rank)
            else:
                winner, drawn = draw(LOGIT_NORMAL, table, index, left, service, price, seeds[i], rank)
            if told and arms[i] != RANDOM_ARM:
                each, silent, discarded = probabilities(LOGIT_NORMAL, table, left, service, price)
            if rank == 0:
                totals[i, 0], totals[i, 1] = silent, discarded
            if winner < 0:
                if rank == 0:
                    best = _best(table, left)
                    silence[i], ghost[i] = NOT_WORTH, index[best]
                    ghosts[i, 0], ghosts[i, 1], ghosts[i, 2] = table[P, best], each[best], table[PRIORITY, best]
                break
            chosen[i, rank] = index[winner]
            for f, row in enumerate((P, BASELINE, C, V, L, PRIORITY)):
                factors[i, rank, f] = table[row, winner]
            factors[i, rank, 6] = drawn
            factors[i, rank, 7] = max(each[winner], FLOOR) if told else np.nan
            left[winner] = False
        if chosen[i, 0] >= 0:
            pushed[i] = index[table[P].argmax()] != chosen[i, 0]
        for k in range(n):
            if left[k]:
                stage[i, index[k]] = ARBITRATE
        if out_of[i] >= 0:
            _withhold(i, withheld[out_of[i]], stage, chosen, factors, silence, ghost, ghosts)


@njit(cache=True, nogil=True)
def _any(table, each, seed, stream):
    """Return (position, mean priority) of one of the candidates, as `explore.uniform_random` draws it."""
    u, ladder, winner = uniform(seed, stream, 0), 0.0, -1
    for k in range(len(each)):
        ladder += each[k]
        if each[k] > 0.0:
            winner = k
            if u < ladder:
                break
    return winner, table[PRIORITY, winner]


@njit(cache=True, nogil=True)
def _withhold(i, withheld, stage, chosen, factors, silence, ghost, ghosts):
    """Take marketing back; the first that is taken back is the ghost."""
    kept = 0
    for rank in range(chosen.shape[1]):
        action = chosen[i, rank]
        if action < 0:
            break
        if withheld[action]:
            stage[i, action] = WITHHOLD
            if ghost[i] < 0:
                ghost[i], ghosts[i, 0], ghosts[i, 1] = action, factors[i, rank, 0], factors[i, rank, 7]
            chosen[i, rank] = -1
        else:
            if kept < rank:
                chosen[i, kept], chosen[i, rank] = action, -1
                factors[i, kept] = factors[i, rank]
            kept += 1
    factors[i, kept:] = np.nan
    if kept == 0 and ghost[i] >= 0 and silence[i] == CHOSEN:
        silence[i] = HELD_OUT


@njit(cache=True, nogil=True)
def _scored(model, columns, numbers, texts, index):
    out = np.empty((3, len(index)))
    edges, slots, codes, leaf, base, group, root, prior, mix, starts = model
    kernels.score(
        numbers, texts, edges, slots, codes, leaf, base, group, root, prior, mix, starts, columns, index, out
    )
    return out


@njit(cache=True, nogil=True)
def _worthy(stage, index, table, service):
    """Drop what has no value for this customer."""
    worth = table[WORTH] > 0
    for k in range(len(index)):
        if not worth[k]:
            stage[index[k]] = SCORE
    kept = np.empty((len(table), worth.sum()))
    for row in range(len(table)):
        kept[row] = table[row][worth]
    return index[worth], kept, service[worth]


@njit(cache=True, nogil=True)
def _best(table, left):
    best = -1
    for k in range(len(left)):
        if left[k] and (best < 0 or table[PRIORITY, k] > table[PRIORITY, best]):
            best = k
    return best
