"""Figures, side by side with peers in the same run. Nothing here is imported by the hub."""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from opportune.errors import BadInput

GROUPS = {
    "learn": "opportune.bench.learn",
    "engine": "opportune.bench.engine",
    "http": "opportune.bench.http",
    "console": "opportune.bench.console",
    "batch": "opportune.bench.batch",
    "send": "opportune.bench.send",
    "recommend": "opportune.bench.recommend",
    "lab": "opportune.bench.lab",
    "measure": "opportune.bench.measure",
}
"""Where each group of figures is; its module has a function `figures() -> list`."""


def run(groups: Sequence[str] = ()) -> dict[str, Any]:
    """Return {machine, figures} of some groups, or of all. Raises `BadInput` for a group that there is not."""
    for group in groups:
        if group not in GROUPS:
            near = get_close_matches(group, GROUPS, 1)
            raise BadInput(f"no group {group!r}; " + (f"did you mean {near[0]}?" if near else ", ".join(GROUPS)))
    figures = [f for group in groups or GROUPS for f in importlib.import_module(GROUPS[group]).figures()]
    machine = {
        "python": platform.python_version(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }
    return {"machine": machine, "figures": figures}
