"""Thompson sampling as kernels: the draw, and the probability of each candidate to win it.

The candidates' priorities X_j = (P_j - base_j) worth_j are independent with distribution functions F_j. A new action
takes part with probability `reach`, and a marketing action only where X_j exceeds the price, so with
F'_j(x) = 1 - reach + reach F_j(max(x, price))  (no max for service actions):

    P(i wins) = integral of prod_{j != i} F'_j(x) dF'_i(x),     P(silence) = prod_j F'_j(-inf)

taken on a common grid whose points are dense where the maximum lies. Between two points each log F'_j is taken as
linear in one parameter, so that a cell's mass G1 - G0 of the maximum (G = prod_j F'_j) is shared in proportion to
log F'_i(x1) - log F'_i(x0): the shares add up to the whole by construction. Candidates whose 1 - 1e-6
quantile is below another's 1e-6 quantile are left out; what they and the sum leave out is `discarded`.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from opportune.decide.chance import cdf, quantile, uniform
from opportune.decide.scores import BASE, REACH, WORTH, A, B

COARSE, FINE = 17, 32
TAIL = 1e-6
FLOOR = 1e-12
LEAST = -690.0
LOW, HIGH, PER_UNIT = -37.0, 8.0, 256.0
LOG_PHI = np.array([math.log(0.5 * math.erfc(-(LOW + k / PER_UNIT) / math.sqrt(2))) for k in range(45 * 256 + 2)])


@njit(cache=True, nogil=True)
def draw(family, table, index, left, service, price, seed, stream):
    """Return (position of the winner or -1 for silence, its drawn priority).

    `table` is that of `Scores`; `index` the candidates' stable numbers, which the draws depend on.
    """
    winner, best = -1, price
    for j in range(len(index)):
        if not left[j]:
            continue
        x = drawn(family, table, index, j, seed, stream)
        if math.isnan(x):
            continue
        if winner < 0:
            if service[j] or x > price:
                winner, best = j, x
        elif x > best and (service[j] or x > price):
            winner, best = j, x
    return winner, best


@njit(cache=True, nogil=True)
def drawn(family, table, index, j, seed, stream):
    """Return the drawn priority of one candidate; NaN if, being new, it does not take part in this draw."""
    if table[REACH, j] < 1.0 and uniform(seed, stream + 2048, index[j]) >= table[REACH, j]:
        return np.nan
    p = quantile(family, table[A, j], table[B, j], uniform(seed, stream, index[j]))
    return (p - table[BASE, j]) * table[WORTH, j]


@njit(cache=True, nogil=True)
def _log_f(family, table, service, price, kept, x, out):
    """Fill `out` with log F'_j(x) of the kept candidates, none below LEAST; return their sum."""
    total = 0.0
    for i in range(len(kept)):
        j = kept[i]
        y = x if service[j] or x > price else price
        p = y / table[WORTH, j] + table[BASE, j]
        if family == 0 and 0.0 < p < 1.0 and table[B, j] > 0.0:
            # most of the time of a probability is spent here: log(1 - p) by its series, Phi by a table
            if p < 0.1:
                tail = p * (1 / 5 + p * (1 / 6 + p * (1 / 7 + p * (1 / 8 + p / 9))))
                miss = -p * (1.0 + p * (0.5 + p * (1 / 3 + p * (0.25 + tail))))
            else:
                miss = math.log(1.0 - p)
            found = _log_phi((math.log(p) - miss - table[A, j]) / math.sqrt(table[B, j]))
            if table[REACH, j] < 1.0:
                found = math.log(1.0 - table[REACH, j] + table[REACH, j] * math.exp(found))
        else:
            inner = cdf(family, table[A, j], table[B, j], p)
            found = math.log(max(1.0 - table[REACH, j] + table[REACH, j] * inner, 1e-300))
        out[i] = max(found, LEAST)
        total += out[i]
    return total


@njit(cache=True, nogil=True)
def _log_phi(z):
    """log of the normal distribution function, by linear interpolation: within 2e-6."""
    if z >= HIGH:
        return 0.0
    if z <= LOW:
        return LEAST
    t = (z - LOW) * PER_UNIT
    k = int(t)
    return LOG_PHI[k] + (t - k) * (LOG_PHI[k + 1] - LOG_PHI[k])


@njit(cache=True, nogil=True)
def probabilities(family, table, left, service, price):
    """Return (probability of each candidate, of silence, discarded mass); candidates and silence sum to 1."""
    n = table.shape[1]
    each = np.zeros(n)
    kept, silence, discarded, low, high = _candidates(family, table, left, service, price)
    points = _grid(family, table, kept, service, price, low, high)
    m = len(kept)
    now, before = np.empty(m), np.empty(m)
    total_before = 0.0
    for g in range(len(points)):
        total = _log_f(family, table, service, price, kept, points[g], now)
        if g > 0 and total > total_before:
            mass = (math.exp(total) - math.exp(total_before)) / (total - total_before)
            for i in range(m):
                each[kept[i]] += (now[i] - before[i]) * mass
        total_before = total
        now, before = before, now
    found, wanted = each.sum(), 1.0 - silence
    if found > 0.0:
        discarded += abs(wanted - found)
        each *= wanted / found
    return each, silence, discarded


@njit(cache=True, nogil=True)
def _candidates(family, table, left, service, price):
    """Return (positions that can win, P(silence), mass left out, lowest and highest point of the maximum)."""
    n = table.shape[1]
    bottom, top = np.empty(n), np.empty(n)
    one, out = np.empty(1, np.int64), np.empty(1)
    sure, reached, high = -np.inf, np.inf, -np.inf
    silence, any_service = 1.0, False
    for j in range(n):
        if left[j]:
            worth = table[WORTH, j]
            bottom[j] = (quantile(family, table[A, j], table[B, j], TAIL) - table[BASE, j]) * worth
            top[j] = (quantile(family, table[A, j], table[B, j], 1 - TAIL) - table[BASE, j]) * worth
            high = max(high, top[j])
            if service[j]:
                any_service = True
                reached = min(reached, bottom[j])
                silence *= 1.0 - table[REACH, j]
            else:
                one[0] = j
                silence *= math.exp(_log_f(family, table, service, price, one, price, out))
            if table[REACH, j] >= 1.0 and (service[j] or bottom[j] > price):
                sure = max(sure, bottom[j])
    low = max(sure, price)
    if any_service:
        low = sure if sure > -np.inf else min(reached, price)
    kept, m, discarded = np.empty(n, np.int64), 0, 0.0
    for j in range(n):
        if left[j]:
            if top[j] >= low:
                kept[m] = j
                m += 1
            else:
                discarded += TAIL
    return kept[:m], silence, discarded, low, max(high, low)


@njit(cache=True, nogil=True)
def _grid(family, table, kept, service, price, low, high):
    """Return ascending points: a coarse grid, more where the maximum's distribution rises, and the price."""
    margin = 1e-9 * max(abs(low), abs(high)) + 1e-300
    low, high = low - margin, high + margin
    points = np.empty(COARSE + 1)
    for g in range(COARSE):
        t = g / (COARSE - 1.0)
        points[g] = low + (high - low) * t * t
    points[COARSE] = min(max(price, low), high)
    # twice, because the widest candidate may hide what decides between the others within one coarse cell
    points = _refined(family, table, service, price, kept, np.sort(points), COARSE)
    return _refined(family, table, service, price, kept, points, FINE)


@njit(cache=True, nogil=True)
def _refined(family, table, service, price, kept, points, more):
    """Return the points and `more` others, where the maximum's distribution passes equal steps."""
    n = len(points)
    rise, out = np.empty(n), np.empty(len(kept))
    for g in range(n):
        rise[g] = math.exp(_log_f(family, table, service, price, kept, points[g], out))
    found = np.empty(n + more)
    found[:n] = points
    g = 0
    for k in range(more):
        level = rise[0] + (rise[n - 1] - rise[0]) * (k + 1) / (more + 1.0)
        while g < n - 2 and rise[g + 1] < level:
            g += 1
        step = rise[g + 1] - rise[g]
        share = min(max((level - rise[g]) / step, 0.0), 1.0) if step > 0 else 0.5
        found[n + k] = points[g] + (points[g + 1] - points[g]) * share
    return np.sort(found)
