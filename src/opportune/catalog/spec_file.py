"""Specs in YAML files: read whole, with every mistake at once, and the paths of data that they name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from opportune.catalog.fields import Fields, Report
from opportune.catalog.node import Node
from opportune.catalog.source import parse_yaml
from opportune.errors import BadCatalog, BadInput, Problem

DATA = "OPPORTUNE_DATA"

Found = TypeVar("Found")

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def read_spec(path: str | Path, one: str, begins: str, read: Callable[[Fields, Node, Path], Found]) -> Found:
    """Return what a function makes of the fields, the tree and the folder of a YAML file.

    `one` is what it is ("a replay spec"), `begins` what an empty one should start with. Raises `BadCatalog` with every
    mistake at once, `BadInput` if the file cannot be read.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
    except OSError as wrong:
        raise BadInput(f"{path}: cannot be read: {wrong.strerror}; give the path of {one} in YAML") from None
    except UnicodeDecodeError as wrong:
        raise BadInput(f"{path}: not UTF-8 at byte {wrong.start + 1}; save the spec as UTF-8") from None
    problems: list[Problem] = []
    root = parse_yaml(text, str(path), problems)
    if root is None:
        raise BadCatalog(problems or [Problem("an empty spec", f"start with {begins}", file=str(path))])
    report = Report(problems)
    found = read(Fields(root, report, f"the {one.partition(' ')[2]}"), root, path.parent)
    if report.failed:
        raise BadCatalog(sorted(report.problems, key=lambda p: (p.line, p.column)))
    return found


def data_path(fields: Fields, key: str, folder: Path) -> str:
    """Return a path of data with `${OPPORTUNE_DATA}` expanded; one that is relative is so to the folder."""
    text = fields.text(key, required=True)
    for name in dict.fromkeys(_VARIABLE.findall(text)):
        folder_of_data = os.environ.get(name, "") if name == DATA else ""
        if name != DATA:
            cure = f"only ${{{DATA}}} is expanded"
            fields.report.error(fields.spot(key), f"`${{{name}}}` is not known here", cure)
        elif not folder_of_data:
            cure = f"export {DATA}=FOLDER, the folder of the data, or write the path itself"
            fields.report.error(fields.spot(key), f"{DATA} is not set", cure)
        # the variable is relative to where the command runs, the rest to the spec
        text = text.replace(f"${{{name}}}", os.path.abspath(folder_of_data))
    return str(folder / text)
