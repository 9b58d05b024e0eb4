"""Logs with a planted truth, and how to write them down."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

Columns = Mapping[str, Sequence[Any]]

ARMS = ("a", "b", "c")
TRUTH = np.array([[0.30, 0.10, 0.20], [0.10, 0.30, 0.20]])
"""P of each arm for plan 0 and plan 1."""


def planted(rows: int, seed: int = 1) -> tuple[dict[str, list[Any]], np.ndarray]:
    """Return a log whose policy chose by plan with known probabilities, and P of each arm in each row."""
    random = np.random.default_rng(seed)
    plan = random.integers(0, 2, rows)
    logging = np.array([[0.5, 0.2, 0.3], [0.4, 0.4, 0.2]])[plan]
    arm = (random.random(rows)[:, None] > logging.cumsum(axis=1)).sum(axis=1)
    truth = TRUTH[plan]
    here = np.arange(rows), arm
    return {
        "plan": [("gold", "silver")[p] for p in plan],
        "age": random.integers(18, 90, rows).tolist(),
        "arm": [ARMS[a] for a in arm],
        "chance": logging[here].tolist(),
        "y": (random.random(rows) < truth[here]).astype(int).tolist(),
    }, truth


def write_csv(path: Path, columns: Columns) -> Path:
    """Write a csv file; gzipped where the name says so."""
    with (gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="")) as file:
        out = csv.writer(file)
        out.writerow(columns)
        out.writerows(zip(*columns.values()))
    return path


def write_parquet(path: Path, source: Path) -> Path:
    """Write the rows of a csv file as Parquet, with the types that DuckDB finds in it."""
    duckdb.connect().execute(f"COPY (FROM read_csv('{source}')) TO '{path}' (FORMAT parquet)")
    return path


def write_spec(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
