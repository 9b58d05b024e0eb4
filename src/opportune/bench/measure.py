"""The figures of what is measured.

    attribution_1m_paths_s       a csv of 1,000,000 journeys over 20 channels, read, and shared out by the exact Markov
                                 chain with its intervals; the journeys are made up and are no part of the time
    clv_fit_s                    BG/NBD with its standard errors fitted to 2,357 made-up customers of 39 weeks
    budget_gap                   the largest part missed of the best results of five budgets over S-curves, by a far
                                 finer grid; beside it what SLSQP from an even split misses
    kpi_10m_events_s             all six figures over the tables of a ledger of 10,000,000 facts and events of a year,
                                 1,000,000 customers, by two threads; the tables are made up and are no part of the time
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from opportune.bench.learn import Figure, figure
from opportune.bench.made_up_ledger import made_up_ledger
from opportune.clock import parse_instant
from opportune.errors import OpportuneError
from opportune.figures.compute import figures as kpis
from opportune.figures.tables import opened
from opportune.lab.attribution import attribution, load_attribution
from opportune.measure.budget import Line, allocated
from opportune.measure.clv import purchases
from opportune.measure.pooling import FloatArray
from opportune.measure.response_curves import Curve

JOURNEYS, CHANNELS = 1_000_000, 20

EVENTS = 10_000_000

TRAPS = (
    ((Curve("hill", 1000, 60, 5), Curve("hill", 900, 55, 6), Curve("hill", 800, 50, 4)), 100.0),
    ((Curve("logistic", 500, 40, 8), Curve("logistic", 650, 60, 10), Curve("power", 12, 1, 0.5)), 90.0),
    ((Curve("hill", 400, 30, 8), Curve("hill", 420, 35, 8), Curve("hill", 900, 80, 8)), 110.0),
    ((Curve("hill", 100, 20, 3), Curve("logistic", 300, 45, 12), Curve("hill", 280, 50, 6)), 75.0),
    ((Curve("logistic", 800, 70, 14), Curve("hill", 300, 30, 1), Curve("hill", 700, 60, 9)), 120.0),
)
"""Lines of which an even split feeds none enough, and what there is for them."""

SPEC = "data: paths.csv\npath: path\nconversions: conversions\nvalue: value\nnulls: nulls\nmodels: [markov]\n"


def figures() -> list[Figure]:
    """Return the figures of the group `measure`."""
    return [attribution_1m_paths_s(), clv_fit_s(), budget_gap(), kpi_10m_events_s()]


def attribution_1m_paths_s() -> Figure:
    """Return the seconds from a file of a million journeys to their credits."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "spec.yaml").write_text(SPEC, "utf-8")
        made_up_paths(Path(folder) / "paths.csv", JOURNEYS)
        began = time.perf_counter()
        attribution(load_attribution(Path(folder) / "spec.yaml"))
        return figure("attribution_1m_paths_s", time.perf_counter() - began, "s")


def clv_fit_s() -> Figure:
    """Return the seconds to fit as many customers as the published tenth of CDNOW's has; the truth is as published."""
    x, last, age = made_up_customers(2357)
    purchases(x[:100], last[:100], age[:100])  # scipy is loaded before
    began = time.perf_counter()
    purchases(x, last, age)
    return figure("clv_fit_s", time.perf_counter() - began, "s")


def budget_gap() -> Figure:
    """Return the largest gap to the best allocation, and that of the usual optimizer."""
    ours, usual = zip(*(gaps(curves, total) for curves, total in TRAPS))
    return figure("budget_gap", max(ours), "share", peer="slsqp", peer_value=max(usual))


def gaps(curves: tuple[Curve, ...], total: float) -> tuple[float, float]:
    """Return what of the best result `allocated` misses, and SLSQP from an even split. The best is that of a grid of
    10,000 steps, or what either found where that is more."""
    from scipy.optimize import minimize

    grid = np.linspace(0, total, 10_001)
    best = np.zeros(len(grid))
    for curve in curves:
        gain = curve.result(grid)
        best = np.array([(best[: k + 1] + gain[k::-1]).max() for k in range(len(grid))])
    ours = allocated([Line(str(number), curve.result) for number, curve in enumerate(curves)], total).result

    def loss(share: FloatArray) -> float:
        return -sum(float(curve.result(np.array([max(s, 0.0) * total]))[0]) for curve, s in zip(curves, share))

    even = np.full(len(curves), 1 / len(curves))
    full = {"type": "eq", "fun": lambda share: share.sum() - 1}
    usual = -float(minimize(loss, even, method="SLSQP", bounds=[(0, 1)] * len(curves), constraints=[full]).fun)
    most = max(float(best[-1]), ours, usual)
    return (most - ours) / most, (most - usual) / most


def made_up_customers(customers: int, seed: int = 1) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return repeat purchases, the time of the last of them and the time known of customers, in weeks."""
    draw = np.random.default_rng(seed)
    age = draw.integers(27 * 7, 39 * 7, customers) / 7
    rate, leaves = draw.gamma(0.243, 1 / 4.414, customers), draw.beta(0.793, 2.426, customers)
    x, last, now = (np.zeros(customers) for _ in range(3))
    here = np.ones(customers, bool)
    while here.any():
        now += draw.exponential(1 / np.maximum(rate, 1e-9))
        here &= now <= age
        x[here] += 1
        last[here] = now[here]
        here &= draw.random(customers) >= leaves
    return x, last, age


def kpi_10m_events_s() -> Figure:
    """Return the seconds that all six figures take over a ledger of ten million events."""
    with TemporaryDirectory() as folder:
        made_up_ledger(Path(folder), EVENTS)
        began = time.perf_counter()
        at = parse_instant("2027-01-01T00:00:00Z")
        with opened(Path(folder), at) as (connection, manifest):
            found = kpis(connection, manifest, at)
        took = time.perf_counter() - began
        without = [one.figure for one in found if one.value is None]
        if without:
            raise OpportuneError(f"no number for {', '.join(without)}: the made-up ledger does not fit the figures")
        return figure("kpi_10m_events_s", took, "s")


def made_up_paths(file: Path, journeys: int, seed: int = 1) -> None:
    """Write journeys of 5 touches on average over channels of falling size; a tenth of them convert."""
    draw = np.random.default_rng(seed)
    share = 1 / np.arange(1, CHANNELS + 1)
    lengths = np.minimum(draw.geometric(0.2, journeys), 30)
    steps = draw.choice(CHANNELS, lengths.sum(), p=share / share.sum())
    converted = draw.random(journeys) < 0.1
    names = [f"channel {number}" for number in range(CHANNELS)]
    at = 0
    with file.open("w", encoding="utf-8") as lines:
        lines.write("path,conversions,value,nulls\n")
        for length, won in zip(lengths.tolist(), converted.tolist()):
            path = " > ".join([names[step] for step in steps[at : at + length]])
            at += length
            lines.write(f"{path},{int(won)},{35.5 * won},{int(not won)}\n")
