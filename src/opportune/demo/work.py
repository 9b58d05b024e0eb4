"""The operation of the demo's company, as its catalog has it: people, campaigns, tools, tests, the tracking plan."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from opportune.clock import DAY, to_datetime

CATALOG = "work.yaml"

_DAY = re.compile(r"day\((-?\d+)\)")


def write_work(folder: Path, now: int, mail: int) -> None:
    """Write the operation into the folder of a demo, its dates counted from an instant; `mail` is the port of its mail
    server.
    """
    text = (files("opportune.demo") / "files" / CATALOG).read_text("utf-8")
    text = _DAY.sub(lambda found: _date(now, int(found[1])), text).replace("mail()", str(mail))
    (folder / CATALOG).write_text(text, "utf-8")


def _date(now: int, days: int) -> str:
    return to_datetime(now + days * DAY).date().isoformat()
