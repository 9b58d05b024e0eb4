"""The arithmetic of the Bayesian predictor: scoring many actions, learning one answer, taking one back.

The logit of action k is the sum over active rows r of x_r theta_rk. Within a row the weights form a tree,

    root_r ~ N(0, V0),   group_rg | root_r ~ N(root_r, V1),   theta_rk | group_rg ~ N(group_rg, V2),

and evidence enters at the lowest level that the row has. What a node has learned is a Gaussian likelihood of precision
l and mean h / l; seen from its parent it is a *message* of precision l / (1 + l V). Nodes are kept as

    u = l V / (1 + l V)   in [0, 1),      a = h V / (1 + l V),

so that the message is (u / V, a / V) and the node given its parent is N(a + (1 - u) parent, V (1 - u)). This is exact
within a row; between rows the posterior factorizes (assumed density filtering, Minka 2001). A new action has u = a = 0
and so starts at its group's posterior.

`root` holds (precision, precision x mean), the prior included. Several *experts* (settings of the prior) run side by
side: `leaf` holds the actions' nodes of the first experts, `base` those of the others, which let actions differ in the
intercept alone; an expert without a variance for bins has nothing but the intercept. No mean leaves +-FAR, whatever is
taken back. All sums run in one fixed order, so that scoring one action or all gives the same bits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from opportune.predictors.bins import BIN

LEAST_MIX = 0.05
SURE = 1 - 1e-6
FAR = 20.0
ONE = np.float32(1)

jit: Any = njit(cache=True, nogil=True, error_model="numpy")


@jit
def score(numbers, texts, edges, slots, codes, leaf, base, group, root, prior, mix, starts, column_of, actions, out):  # type: ignore[no-untyped-def]
    """Fill out[0..2] with p, a and b of each asked action.

    `leaf` [experts, rows, (u, a), columns], `base` [experts, 1, (u, a), columns], `group` [experts, rows, (u, a),
    groups], `root` [experts, rows, 2], `prior` [experts, level, kind] with the inverses below, `mix` the experts'
    weights, `starts` the first column of each group and the end, `column_of` the column of each action.

    The experts' logits, each moderated by its variance (MacKay 1992: m / sqrt(1 + pi v / 8)), are averaged by weight.
    """
    columns = column_of[actions]
    n = len(columns)
    rows, kinds, x = active(numbers, texts, edges, slots, codes)
    groups = len(starts) - 1
    width = starts[groups]
    whole = 10 * n >= width
    total = 0.0
    for e in range(len(mix)):
        if mix[e] >= LEAST_MIX:
            total += mix[e]
    own = np.empty(len(rows) + 1, np.int64)
    scale = np.empty((len(rows) + 1, 2), np.float32)
    given = np.empty((len(rows) + 1, 3, groups), np.float32)
    upper = np.empty((3, groups))
    sums = np.empty((3, width if whole else n), np.float32)
    logit, var = np.zeros(sums.shape[1]), np.zeros(sums.shape[1])
    group_of = np.searchsorted(starts, columns, side="right") - 1
    for e in range(len(mix)):
        if mix[e] < LEAST_MIX:
            continue
        full = e < len(leaf)
        nodes = leaf[e] if full else base[e - len(leaf)]
        seen = len(rows) if prior[e, 0, BIN] > 0 else 1
        pairs = from_parents(rows[:seen], kinds, x, root[e], group[e], prior[e], full, own, scale, given, upper)
        if whole:
            for g in range(groups):
                for q in range(3):
                    sums[q, starts[g] : starts[g + 1]] = upper[q, g]
            for j in range(0, pairs, 2):
                add_all(nodes, own, scale, given, j, starts, sums[0], sums[1], sums[2])
        else:
            for i in range(n):
                for q in range(3):
                    sums[q, i] = upper[q, group_of[i]]
            for j in range(0, pairs, 2):
                add_some(nodes, own, scale, given, j, columns, group_of, sums[0], sums[1], sums[2])
        average(sums[0], sums[1], sums[2], mix[e] / total, logit, var)
    for i in range(n):
        c = columns[i] if whole else i
        z = min(max(logit[c], -FAR), FAR)
        out[0, i] = sigmoid(z)
        out[1, i] = z * math.sqrt(1 + math.pi / 8 * var[c])
        out[2, i] = var[c]


@jit
def average(mean, own, shared, share, logit, var):  # type: ignore[no-untyped-def]
    """Add an expert's share of the moderated logit, and of the variance that is left after moderation."""
    for k in range(len(mean)):
        m, v, s = float(mean[k]), float(own[k]), float(shared[k])
        logit[k] += share * m / math.sqrt(1 + math.pi / 8 * (v + s))
        var[k] += share * v / (1 + math.pi / 8 * s)


@jit
def add_all(nodes, own, scale, given, j, starts, mean, var, shared):  # type: ignore[no-untyped-def]
    """Add the mean, own and shared variance of the rows j and j + 1 to the sums of every column.

    Two rows at a time and unsigned indices: so the compiler makes vector code of it.
    """
    u0, a0, u1, a1 = nodes[own[j], 0], nodes[own[j], 1], nodes[own[j + 1], 0], nodes[own[j + 1], 1]
    x0, v0, x1, v1 = scale[j, 0], scale[j, 1], scale[j + 1, 0], scale[j + 1, 1]
    for g in range(len(starts) - 1):
        m0, o0, s0 = given[j, 0, g], given[j, 1, g], given[j, 2, g]
        m1, o1, s1 = given[j + 1, 0, g], given[j + 1, 1, g], given[j + 1, 2, g]
        for k in range(np.uint64(starts[g]), np.uint64(starts[g + 1])):
            b0, b1 = ONE - u0[k], ONE - u1[k]
            mean[k] += x0 * a0[k] + b0 * m0 + (x1 * a1[k] + b1 * m1)
            var[k] += b0 * (v0 + b0 * o0) + b1 * (v1 + b1 * o1)
            shared[k] += b0 * b0 * s0 + b1 * b1 * s1


@jit
def add_some(nodes, own, scale, given, j, columns, group_of, mean, var, shared):  # type: ignore[no-untyped-def]
    """The same sums, to the bit, for some columns."""
    u0, a0, u1, a1 = nodes[own[j], 0], nodes[own[j], 1], nodes[own[j + 1], 0], nodes[own[j + 1], 1]
    x0, v0, x1, v1 = scale[j, 0], scale[j, 1], scale[j + 1, 0], scale[j + 1, 1]
    for i in range(len(columns)):
        k, g = columns[i], group_of[i]
        b0, b1 = ONE - u0[k], ONE - u1[k]
        mean[i] += x0 * a0[k] + b0 * given[j, 0, g] + (x1 * a1[k] + b1 * given[j + 1, 0, g])
        var[i] += b0 * (v0 + b0 * given[j, 1, g]) + b1 * (v1 + b1 * given[j + 1, 1, g])
        shared[i] += b0 * b0 * given[j, 2, g] + b1 * b1 * given[j + 1, 2, g]


@jit
def from_parents(rows, kinds, x, root, group, prior, full, own, scale, given, upper):  # type: ignore[no-untyped-def]
    """List in `own` the rows with a node per action; return how many, made even by a row that adds nothing.

    `scale` are x and x^2 V of each, `given` mean, own and shared variance that it hands its actions, times x or x^2.
    The other rows are summed into `upper`, per group.
    """
    upper[:] = 0
    n = 0
    for j in range(len(rows)):
        r = rows[j]
        v = 1 / root[r, 0]
        m = root[r, 1] * v
        x1, x2 = x[j], x[j] * x[j]
        v1, v2 = x2 * prior[1, kinds[j]], x2 * prior[2, kinds[j]]
        mine = v2 > 0 and (full or j == 0)
        if mine:
            own[n], scale[n, 0], scale[n, 1] = r, x1, v2
        for g in range(upper.shape[1]):
            b = 1 - group[r, 0, g]
            mean, var, shared = x1 * (group[r, 1, g] + b * m), v1 * b, x2 * b * b * v
            if mine:
                given[n, 0, g], given[n, 1, g], given[n, 2, g] = mean, var, shared
            else:
                upper[0, g] += mean
                upper[1, g] += var
                upper[2, g] += shared
        n += mine
    if n % 2 == 1:
        own[n], scale[n], given[n] = own[n - 1], 0, 0
        n += 1
    return n


@jit
def learn(numbers, texts, edges, slots, codes, leaf, base, group, root, prior, drift, mix, start, seen, recent, where, weight):  # type: ignore[no-untyped-def] # noqa: E501
    """Learn one answer, or take it back when the weight is negative.

    `where` is (column, group, outcome); `drift` the forgetting of each expert; `start` the experts' weights at the
    start and, last, the share of them that flows back at each step. `seen` [rows, (answers, positives)] and `recent`
    [rows] count answers.
    """
    column, g, y = where[0], where[1], float(where[2])
    rows, kinds, x = active(numbers, texts, edges, slots, codes)
    for j in range(len(rows)):
        seen[rows[j], 0] = max(seen[rows[j], 0] + weight, 0.0)
        seen[rows[j], 1] = max(seen[rows[j], 1] + weight * y, 0.0)
        recent[rows[j]] = max(recent[rows[j]] + weight, 0.0)
    experts = len(mix)
    share = start[experts]
    likely = np.empty(experts)
    for e in range(experts):
        full = e < len(leaf)
        nodes = leaf[e] if full else base[e - len(leaf)]
        some = rows if prior[e, 0, BIN] > 0 else rows[:1]
        if weight > 0:
            p = forward(some, kinds, x, nodes, group[e], root[e], prior[e], drift[e], full, column, g, y, weight)
        else:
            p = backward(some, kinds, x, nodes, group[e], root[e], prior[e], drift[e], full, column, g, y, -weight)
        likely[e] = max(p if y > 0 else 1 - p, 1e-12)
    total = 0.0
    for e in range(experts):
        if weight > 0:
            mix[e] *= likely[e] ** weight
        else:
            mix[e] = max((mix[e] - share * start[e]) / (1 - share), 1e-300) * likely[e] ** weight
        total += mix[e]
    for e in range(experts):
        mix[e] /= total
        if weight > 0:
            mix[e] = (1 - share) * mix[e] + share * start[e]


@jit
def forward(rows, kinds, x, leaf, group, root, prior, drift, full, column, g, y, weight):  # type: ignore[no-untyped-def]
    """One implicit Newton step of one expert; return P before it.

    Solves m* = M + w V (y - sigmoid(m*)) for the whole logit N(M, V), which is the posterior mode along the step;
    then each row: mean += x s w (y - p*), s -= x^2 s^2 h / (1 + h V), with h = w p* (1 - p*).
    """
    n = len(rows)
    mean, var = np.empty(n), np.empty(n)
    m, v = marginals(rows, kinds, x, leaf, group, root, prior, full, column, g, mean, var)
    low = m if y > 0 else m - v * weight
    high = m + v * weight if y > 0 else m
    at = m
    for _ in range(20):
        p = sigmoid(at)
        step = (at - m - weight * v * (y - p)) / (1 + weight * v * p * (1 - p))
        at = min(max(at - step, low), high)
        if abs(step) < 1e-12:
            break
    p = sigmoid(at)
    h = weight * p * (1 - p)
    c = h / (1 + h * v)
    d = weight * (y - p)
    for j in range(np.uint64(n)):
        k = 1 / (1 - x[j] * x[j] * var[j] * c)
        var[j], mean[j] = x[j] * x[j] * c * k, (x[j] * d + mean[j] * x[j] * x[j] * c) * k
    absorb(rows, kinds, leaf, group, root, prior, full, column, g, var, mean, drift)
    return sigmoid(m / math.sqrt(1 + math.pi / 8 * v))


@jit
def backward(rows, kinds, x, leaf, group, root, prior, drift, full, column, g, y, weight):  # type: ignore[no-untyped-def]
    """Take one step back; return P as it was before the step.

    Right after the step the mean of the logit is m*, which gives p*, h and d; c = h / (1 + h V(c)) is found by
    bisection (c grows on the left, the right falls), where each variance before is the root of s' = s - x^2 s^2 c.
    Then what the row had received is taken out again. Exact for weights up to 1 while no prior variance of a row
    exceeds 4; later, or beyond, it is an approximation. No node gets less than no evidence.
    """
    n = len(rows)
    mean, var = np.zeros(n), np.zeros(n)
    if drift > 0:
        absorb(rows, kinds, leaf, group, root, prior, full, column, g, var, mean, -drift)
    at, _ = marginals(rows, kinds, x, leaf, group, root, prior, full, column, g, mean, var)
    p = sigmoid(at)
    h = weight * p * (1 - p)
    d = weight * (y - p)
    low, high = 0.0, h
    for _ in range(52):
        c = 0.5 * (low + high)
        v = 0.0
        for j in range(n):
            v += x[j] * x[j] * before(var[j], x[j] * x[j] * c)
        if c * (1 + h * v) < h:
            low = c
        else:
            high = c
    c = 0.5 * (low + high)
    for j in range(n):
        s = before(var[j], x[j] * x[j] * c)
        k = 1 / (1 - min(x[j] * x[j] * s * c, 0.5))
        var[j], mean[j] = -x[j] * x[j] * c * k, -(x[j] * d + (mean[j] - x[j] * s * d) * x[j] * x[j] * c) * k
    absorb(rows, kinds, leaf, group, root, prior, full, column, g, var, mean, 0.0)
    m, v = marginals(rows, kinds, x, leaf, group, root, prior, full, column, g, mean, var)
    return sigmoid(m / math.sqrt(1 + math.pi / 8 * v))


@jit
def before(after, k):  # type: ignore[no-untyped-def]
    """The smaller s with after = s - k s^2; 1 / (2 k), the largest possible, if there is none."""
    return 2 * after / (1 + math.sqrt(max(1 - 4 * k * after, 0.0)))


@jit
def marginals(rows, kinds, x, leaf, group, root, prior, full, column, g, mean, var):  # type: ignore[no-untyped-def]
    """Fill the mean and variance of each row's weight for one action; return those of the logit."""
    m, v = 0.0, 0.0
    for j in range(np.uint64(len(rows))):
        r = rows[j]
        s = 1 / root[r, 0]
        w = root[r, 1] * s
        v1, v2 = prior[1, kinds[j]], prior[2, kinds[j]]
        if v1 > 0:
            b = 1 - group[r, 0, g]
            w = group[r, 1, g] + b * w
            s = v1 * b + b * b * s
        if v2 > 0 and (full or j == 0):
            b = 1 - leaf[r, 0, column]
            w = leaf[r, 1, column] + b * w
            s = v2 * b + b * b * s
        mean[j], var[j] = w, s
        m += x[j] * w
        v += x[j] * x[j] * s
    return m, v


@jit
def absorb(rows, kinds, leaf, group, root, prior, full, column, g, precision, shift, drift):  # type: ignore[no-untyped-def]
    """Give evidence to the lowest node of each row, which then drifts, and pass its new message up."""
    for j in range(np.uint64(len(rows))):
        r, kind = rows[j], kinds[j]
        more, moved, q = precision[j], shift[j], drift
        v = prior[2, kind]
        if v > 0 and (full or j == 0):
            u, a = leaf[r, 0, column], leaf[r, 1, column]
            leaf[r, 0, column], leaf[r, 1, column] = receive(float(u), float(a), v, more, moved, q)
            more, moved = (leaf[r, 0, column] - u) * prior[5, kind], (leaf[r, 1, column] - a) * prior[5, kind]
            q = 0.0
        v = prior[1, kind]
        if v > 0:
            u1, a1 = group[r, 0, g], group[r, 1, g]
            u2, a2 = receive(u1, a1, v, more, moved, q)
            group[r, 0, g], group[r, 1, g] = u2, a2
            more, moved = (u2 - u1) * prior[4, kind], (a2 - a1) * prior[4, kind]
        known = max(root[r, 0] + more, prior[3, kind])
        root[r, 0] = known
        root[r, 1] = min(max(root[r, 1] + moved, -FAR * known), FAR * known)


@jit
def receive(u, a, v, precision, shift, drift):  # type: ignore[no-untyped-def]
    """Return (u, a) of a node after more evidence and a drift by a variance of drift x V.

    A drift of q turns l into l / (1 + q l V) and h likewise; a negative one takes that back.
    """
    b = 1 - u
    u, a = u + precision * v * b, a + shift * v * b
    if u <= 0:
        return 0.0, 0.0
    k = 1 / (1 + precision * v * b)
    u, a = u * k, a * k
    if drift != 0:
        k = 1 / (1 + drift * u)
        u, a = u * k, a * k
    return min(u, SURE), min(max(a, -FAR), FAR)


@jit
def active(numbers, texts, edges, slots, codes):  # type: ignore[no-untyped-def]
    """Return the active rows, their kinds and their x: the intercept, then bins, then lines.

    Rows and kinds are unsigned, so that no index may count from the end: a twelfth of the time of a learning step.
    """
    n, t = len(numbers), len(texts)
    missing = edges.shape[1] + 1
    rows = np.empty(1 + n + t + n, np.uint64)
    kinds = np.empty(1 + n + t + n, np.uint64)
    x = np.ones(1 + n + t + n)
    rows[0], kinds[0] = 0, 0
    lines = 1 + n + t
    for j in range(n):
        b = missing
        if math.isfinite(numbers[j]):
            b = 0
            for k in range(missing - 1):
                b += edges[j, k] < numbers[j]
        rows[1 + j], kinds[1 + j] = slots[j, b], 1
        if codes[j, b] != 0:
            rows[lines], kinds[lines], x[lines] = slots[j, missing + 1], 2, codes[j, b]
            lines += 1
    for j in range(t):
        rows[1 + n + j], kinds[1 + n + j] = texts[j], 1
    return rows[:lines], kinds[:lines], x[:lines]


@jit
def sigmoid(z):  # type: ignore[no-untyped-def]
    if z >= 0:
        return 1 / (1 + math.exp(-z))
    q = math.exp(z)
    return q / (1 + q)
