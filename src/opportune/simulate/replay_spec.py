"""The spec of a replay: which log, what was done in it, what came of it.

    data: hillstrom.csv.gz          # csv, csv.gz, parquet; relative to the spec; ${OPPORTUNE_DATA} is expanded
    predictors: [recency, history]  # columns known before the action
    action: segment                 # the column that says what was done; null: one action
    silence: No E-Mail              # its value that means nothing was done, if any
    outcome: visit                  # 0/1 column, or a condition such as "spend > 0"
    value: 1.0                      # of one positive outcome: a number, or a column
    probability: 0.5                # of what was done, in the log: a number, or a column; null: unknown
    order: null                     # column to sort by; default file order
    customer: null                  # column that identifies the customer; default: each row is one
    explore: thompson
    seed: 7
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import msgspec

from opportune.catalog.draft import PREDICTORS
from opportune.catalog.fields import Fields, Report
from opportune.catalog.node import Node
from opportune.catalog.policy_sections import EXPLORERS
from opportune.catalog.source import parse_yaml
from opportune.errors import BadCatalog, BadInput, Problem

DATA = "OPPORTUNE_DATA"

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class ReplaySpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to replay; the module's text says what each key means.

    `data` is the path of the file. `predictor` names the model of P. `written` is where the keys were read from, None
    for a spec made in code.

    >>> ReplaySpec(data="log.csv", predictors=("age",), outcome="clicked").explore
    'thompson'
    """

    data: str
    predictors: tuple[str, ...]
    outcome: str
    action: str | None = None
    silence: str | None = None
    value: float | str = 1.0
    probability: float | str | None = None
    order: str | None = None
    customer: str | None = None
    explore: str = "thompson"
    seed: int = 7
    predictor: str = "bayes"
    written: Node | None = None

    def problem(
        self, key: str, what: str, cure: str, *, item: int | None = None, at: tuple[int, int] = (1, 1)
    ) -> Problem:
        """Return a problem of a key (of one item of its list; at a line and column of its text), where it stands.

        A spec made in code has no place: the problem then names the key.
        """
        if self.written is None:
            return Problem(what, cure, *at, file=key)
        node = self.written.get(key) if item is None else self.written.get(key, item)
        spot = node.inside(*at)
        return Problem(what, cure, spot.line, spot.column, spot.file)


def load_spec(path: str | Path) -> ReplaySpec:
    """Return the spec in a YAML file.

    `data` comes back as a path that is absolute or relative to the working directory. Raises `BadCatalog` with every
    mistake at once, `BadInput` if the file cannot be read.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
    except OSError as wrong:
        raise BadInput(f"{path}: cannot be read: {wrong.strerror}; give the path of a replay spec in YAML") from None
    except UnicodeDecodeError as wrong:
        raise BadInput(f"{path}: not UTF-8 at byte {wrong.start + 1}; save the spec as UTF-8") from None
    problems: list[Problem] = []
    root = parse_yaml(text, str(path), problems)
    if root is None:
        raise BadCatalog(problems or [Problem("an empty spec", "start with `data:`, the log", file=str(path))])
    report = Report(problems)
    spec = _read(Fields(root, report, "the replay spec"), root, path.parent)
    if report.failed:
        raise BadCatalog(sorted(report.problems, key=lambda p: (p.line, p.column)))
    return spec


def _read(fields: Fields, root: Node, folder: Path) -> ReplaySpec:
    spec = ReplaySpec(
        data=_data(fields, folder),
        predictors=fields.words("predictors") if fields.find("predictors", required=True) else (),
        action=fields.text("action") or None,
        silence=fields.text("silence") or None,
        outcome=fields.text("outcome", required=True),
        value=_number_or_column(fields, "value", 1.0),
        probability=_number_or_column(fields, "probability", None, most=1.0),
        order=fields.text("order") or None,
        customer=fields.text("customer") or None,
        explore=fields.choice("explore", EXPLORERS, "thompson"),
        seed=fields.whole("seed", 7),
        predictor=fields.choice("predictor", PREDICTORS, "bayes"),
        written=root,
    )
    fields.close()
    return spec


def _data(fields: Fields, folder: Path) -> str:
    text = fields.text("data", required=True)
    for name in dict.fromkeys(_VARIABLE.findall(text)):
        folder_of_data = os.environ.get(name, "") if name == DATA else ""
        if name != DATA:
            cure = f"only ${{{DATA}}} is expanded"
            fields.report.error(fields.spot("data"), f"`${{{name}}}` is not known here", cure)
        elif not folder_of_data:
            cure = f"export {DATA}=FOLDER, the folder of the data, or write the path itself"
            fields.report.error(fields.spot("data"), f"{DATA} is not set", cure)
        # the variable is relative to where the command runs, the rest to the spec
        text = text.replace(f"${{{name}}}", os.path.abspath(folder_of_data))
    return str(folder / text)


def _number_or_column(fields: Fields, key: str, default: Any, most: float = 1e15) -> Any:
    node = fields.find(key)
    if node is None or isinstance(node.value, bool) or not isinstance(node.value, int | float):
        return fields.text(key) or default
    if not 0 < node.value <= most:
        fields.wrong(node, key, f"above 0{f' and at most {most:g}' if most < 1e15 else ''}, or a column")
    return float(node.value)
