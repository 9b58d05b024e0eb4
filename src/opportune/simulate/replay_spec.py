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

from pathlib import Path
from typing import Any

import msgspec

from opportune.catalog.draft import PREDICTORS
from opportune.catalog.fields import Fields
from opportune.catalog.node import Node
from opportune.catalog.policy_sections import EXPLORERS
from opportune.catalog.spec_file import data_path, read_spec
from opportune.errors import Problem


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
    return read_spec(path, "a replay spec", "`data:`, the log", _read)


def _read(fields: Fields, root: Node, folder: Path) -> ReplaySpec:
    spec = ReplaySpec(
        data=data_path(fields, "data", folder),
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


def _number_or_column(fields: Fields, key: str, default: Any, most: float = 1e15) -> Any:
    node = fields.find(key)
    if node is None or isinstance(node.value, bool) or not isinstance(node.value, int | float):
        return fields.text(key) or default
    if not 0 < node.value <= most:
        fields.wrong(node, key, f"above 0{f' and at most {most:g}' if most < 1e15 else ''}, or a column")
    return float(node.value)
