"""How much memory a process took."""

from __future__ import annotations

import resource
from pathlib import Path


def peak_gib() -> float:
    """Return the most memory that this process held at once, in GiB.

    Linux counts it from the start of the program; `ru_maxrss` begins with what the process that started it had.
    """
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 2**20
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
