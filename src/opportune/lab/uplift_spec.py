"""The spec of an uplift race: which customers were contacted, what came of it, and what was known of them before.

    data: hillstrom.csv.gz          # csv, csv.gz, parquet, a folder or pattern of them, FILE.duckdb:TABLE;
                                    # relative to the spec; ${OPPORTUNE_DATA} is expanded
    unit: null                      # column that identifies the customer; default: each row is one
    arm: segment                    # the column that says what was done, at random
    control: No E-Mail              # its value that means: not contacted
    treated: Womens E-Mail          # its value that means: contacted; needed where there are more than two
    outcome: visit                  # 0/1 column, a column of numbers, or a condition such as "spend > 0"
    predictors: [recency, history]  # columns known before
    value: 1.0                      # of one outcome: a number, or a column
    cost: null                      # of one contact, in the unit of value
    folds: 5
    repeats: 4                      # how often the folds are drawn anew
    seed: 7                         # missing keys take these defaults
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from opportune.catalog.fields import Fields
from opportune.catalog.node import Node
from opportune.catalog.spec_file import data_path, read_spec
from opportune.errors import Problem


class UpliftSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to race on; the module's text says what each key means.

    `data` is the path of the file. `written` is where the keys were read from, None for a spec made in code.

    >>> UpliftSpec(data="log.csv", arm="arm", control="no", outcome="bought", predictors=("age",)).folds
    5
    """

    data: str
    arm: str
    control: str
    outcome: str
    predictors: tuple[str, ...]
    unit: str | None = None
    treated: str | None = None
    value: float | str = 1.0
    cost: float | None = None
    folds: int = 5
    repeats: int = 4
    seed: int = 7
    written: Node | None = None

    def problem(
        self, key: str, what: str, cure: str = "", *, item: int | None = None, at: tuple[int, int] = (1, 1)
    ) -> Problem:
        """Return a problem of a key (of one item of its list; at a line and column of its text), where it stands.

        A spec made in code has no place: the problem then names the key.
        """
        if self.written is None:
            return Problem(what, cure, *at, file=key)
        spot = (self.written.get(key) if item is None else self.written.get(key, item)).inside(*at)
        return Problem(what, cure, spot.line, spot.column, spot.file)


def load_uplift(path: str | Path) -> UpliftSpec:
    """Return the spec in a YAML file.

    `data` comes back as a path that is absolute or relative to the working directory. Raises `BadCatalog` with every
    mistake at once, `BadInput` if the file cannot be read.
    """
    return read_spec(path, "an uplift spec", "`data:`, the customers", _read)


def _read(fields: Fields, root: Node, folder: Path) -> UpliftSpec:
    spec = UpliftSpec(
        data=data_path(fields, "data", folder),
        unit=fields.text("unit") or None,
        arm=fields.text("arm", required=True),
        control=fields.text("control", required=True),
        treated=fields.text("treated") or None,
        outcome=fields.text("outcome", required=True),
        predictors=fields.words("predictors") if fields.find("predictors", required=True) else (),
        value=_value(fields),
        cost=fields.number("cost", 0.0, low=0.0) if fields.find("cost") else None,
        folds=fields.whole("folds", 5, low=2),
        repeats=fields.whole("repeats", 4, low=1),
        seed=fields.whole("seed", 7),
        written=root,
    )
    if fields.find("predictors") and not spec.predictors:
        fields.report.error(fields.spot("predictors"), "`predictors` is empty", "name the columns known before")
    fields.close()
    return spec


def _value(fields: Fields) -> float | str:
    node = fields.find("value")
    if node is None or isinstance(node.value, bool) or not isinstance(node.value, int | float):
        return fields.text("value") or 1.0
    if not 0 < node.value <= 1e15:
        fields.wrong(node, "value", "above 0, or a column")
    return float(node.value)
