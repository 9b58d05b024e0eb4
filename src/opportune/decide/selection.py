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

from opportune.decide.chance import cdf, normal_quantile, quantile, uniform
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
def probabilities(family, table, left, service, price):
    """Return (probability of each candidate, of silence, discarded mass); candidates and silence sum to 1."""
    each = np.zeros(table.shape[1])
    terms = _terms(family, table, left, service, price)
    kept, silence, discarded, low, high = _candidates(family, terms, left, service, price)
    order, rise, totals, logs = _grid(family, terms[kept], price, low, high)
    shares = np.zeros(len(kept))
    for g in range(1, len(order)):
        here, before = order[g], order[g - 1]
        if totals[here] > totals[before]:
            mass = (rise[here] - rise[before]) / (totals[here] - totals[before])
            if mass > 0.0:
                for i in range(len(kept)):
                    shares[i] += (logs[here, i] - logs[before, i]) * mass
    each[kept] = shares
    found, wanted = each.sum(), 1.0 - silence
    if found > 0.0:
        discarded += abs(wanted - found)
        each *= wanted / found
    return each, silence, discarded


@njit(cache=True, nogil=True)
def _terms(family, table, left, service, price):
    """Return a row per candidate: what log F' is made of, side by side.

    The columns are a, b, sqrt(b), base, worth, reach, the least x that counts, and the x from which on F is 1.
    """
    n = table.shape[1]
    terms = np.empty((n, 8))
    for j in range(n):
        if left[j]:
            a, b, base, worth = table[A, j], table[B, j], table[BASE, j], table[WORTH, j]
            wide = math.sqrt(b) if b > 0.0 else 0.0
            full = np.inf
            if family == 0 and b > 0.0:
                full = (1.0 / (1.0 + math.exp(-(a + (HIGH + 0.01) * wide))) - base) * worth
            terms[j, 0], terms[j, 1], terms[j, 2], terms[j, 3], terms[j, 4] = a, b, wide, base, worth
            terms[j, 5], terms[j, 6], terms[j, 7] = table[REACH, j], -np.inf if service[j] else price, full
    return terms


@njit(cache=True, nogil=True)
def _log_f(family, a, b, wide, base, worth, reach, least, full, x):
    """Return log F'(x) of a candidate, not below LEAST; the numbers are those of `_terms`, which are quicker to hand on
    than an array."""
    y = max(x, least)
    if y >= full:
        found = 0.0
    else:
        p = y / worth + base
        if not (family == 0 and 0.0 < p < 1.0 and b > 0.0):
            return max(math.log(max(1.0 - reach + reach * cdf(family, a, b, p), 1e-300)), LEAST)
        # most of the time of a probability is spent here: log(1 - p) by its series, Phi by a table
        if p < 0.1:
            tail = p * (1 / 5 + p * (1 / 6 + p * (1 / 7 + p * (1 / 8 + p / 9))))
            miss = -p * (1.0 + p * (0.5 + p * (1 / 3 + p * (0.25 + tail))))
        else:
            miss = math.log(1.0 - p)
        found = _log_phi((math.log(p) - miss - a) / wide)
    if reach < 1.0:
        found = math.log(1.0 - reach + reach * math.exp(found))
    return max(found, LEAST)


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
def _candidates(family, terms, left, service, price):
    """Return (positions that can win, P(silence), mass left out, lowest and highest point of the maximum)."""
    n = len(terms)
    bottom, top = np.empty(n), np.empty(n)
    below, above = normal_quantile(TAIL), normal_quantile(1 - TAIL)
    sure, reached, high = -np.inf, np.inf, -np.inf
    silence, any_service = 1.0, False
    for j in range(n):
        if left[j]:
            a, b, wide, base = terms[j, 0], terms[j, 1], terms[j, 2], terms[j, 3]
            worth, reach, least, full = terms[j, 4], terms[j, 5], terms[j, 6], terms[j, 7]
            if family == 0 and b > 0.0:
                bottom[j] = (1.0 / (1.0 + math.exp(-(a + wide * below))) - base) * worth
                top[j] = (1.0 / (1.0 + math.exp(-(a + wide * above))) - base) * worth
            else:
                bottom[j] = (quantile(family, a, b, TAIL) - base) * worth
                top[j] = (quantile(family, a, b, 1 - TAIL) - base) * worth
            high = max(high, top[j])
            if service[j]:
                any_service = True
                reached = min(reached, bottom[j])
                silence *= 1.0 - reach
            else:
                silence *= math.exp(_log_f(family, a, b, wide, base, worth, reach, least, full, price))
            if reach >= 1.0 and (service[j] or bottom[j] > price):
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
def _grid(family, terms, price, low, high):
    """Return (order, G, log G, each log F') at points: a coarse grid, more where G rises, and the price.

    `order` lists the points from the lowest to the highest.
    """
    margin = 1e-9 * max(abs(low), abs(high)) + 1e-300
    low, high = low - margin, high + margin
    most = COARSE + 1 + COARSE + FINE
    points, rise, totals, logs = np.empty(most), np.empty(most), np.empty(most), np.empty((most, len(terms)))
    for g in range(COARSE):
        t = g / (COARSE - 1.0)
        points[g] = low + (high - low) * t * t
    points[COARSE] = min(max(price, low), high)
    order = _evaluated(family, terms, points, rise, totals, logs, np.arange(COARSE), 0, COARSE + 1)
    # twice, because the widest candidate may hide what decides between the others within one coarse cell
    order = _refined(family, terms, points, rise, totals, logs, order, COARSE)
    return _refined(family, terms, points, rise, totals, logs, order, FINE), rise, totals, logs


@njit(cache=True, nogil=True)
def _evaluated(family, terms, points, rise, totals, logs, order, start, end):
    """Fill in what belongs to the points from `start` to `end`; return the order of all up to there.

    `order` is that of the first ones; those after them ascend.
    """
    for g in range(start, end):
        total = 0.0
        for i in range(len(terms)):
            a, b, wide, base = terms[i, 0], terms[i, 1], terms[i, 2], terms[i, 3]
            worth, reach, least, full = terms[i, 4], terms[i, 5], terms[i, 6], terms[i, 7]
            found = _log_f(family, a, b, wide, base, worth, reach, least, full, points[g])
            logs[g, i] = found
            total += found
        totals[g], rise[g] = total, math.exp(total)
    merged = np.empty(end, np.int64)
    i, j = 0, len(order)
    for k in range(end):
        if j == end or (i < len(order) and points[order[i]] <= points[j]):
            merged[k] = order[i]
            i += 1
        else:
            merged[k] = j
            j += 1
    return merged


@njit(cache=True, nogil=True)
def _refined(family, terms, points, rise, totals, logs, order, more):
    """Add `more` points where G passes equal steps; return the order of all."""
    n = len(order)
    g, first, last = 0, rise[order[0]], rise[order[n - 1]]
    for k in range(more):
        level = first + (last - first) * (k + 1) / (more + 1.0)
        while g < n - 2 and rise[order[g + 1]] < level:
            g += 1
        here, there = order[g], order[g + 1]
        step = rise[there] - rise[here]
        share = min(max((level - rise[here]) / step, 0.0), 1.0) if step > 0 else 0.5
        points[n + k] = points[here] + (points[there] - points[here]) * share
    return _evaluated(family, terms, points, rise, totals, logs, order, n, n + more)
