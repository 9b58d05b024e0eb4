"""The figures of what is measured.

    attribution_1m_paths_s       a csv of 1,000,000 journeys over 20 channels, read, and shared out by the exact Markov
                                 chain with its intervals; the journeys are made up and are no part of the time
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from opportune.bench.learn import Figure, figure
from opportune.lab.attribution import attribution, load_attribution

JOURNEYS, CHANNELS = 1_000_000, 20

SPEC = "data: paths.csv\npath: path\nconversions: conversions\nvalue: value\nnulls: nulls\nmodels: [markov]\n"


def figures() -> list[Figure]:
    """Return the figures of the group `measure`."""
    return [attribution_1m_paths_s()]


def attribution_1m_paths_s() -> Figure:
    """Return the seconds from a file of a million journeys to their credits."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "spec.yaml").write_text(SPEC, "utf-8")
        made_up_paths(Path(folder) / "paths.csv", JOURNEYS)
        began = time.perf_counter()
        attribution(load_attribution(Path(folder) / "spec.yaml"))
        return figure("attribution_1m_paths_s", time.perf_counter() - began, "s")


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
