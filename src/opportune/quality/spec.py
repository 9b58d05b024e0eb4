"""The spec of a quality check: where the contacts are, and which columns play which part.

    data: contacts.csv      # csv, csv.gz, parquet, a folder or pattern of them, FILE.duckdb:TABLE; relative to the spec
    roles: {email: mail_1, created: entered_on, amount: null}   # default: by the names of the columns; null: no column
    outcome: converted      # column of an outcome: which others are filled in after it; default: by its name
    positive: "yes"         # the value of the outcome that counts as one; default: yes, true or 1
    known_before: [score]   # columns that are never filled in after the outcome
    weights: {consent: 5}   # of the dimensions in the score
    as_of: 2026-01-01       # later dates are in the future; default: now
    samples: 5              # rows told of each fault

Missing keys take the defaults shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

import msgspec

from opportune.catalog.fields import Fields, nearest
from opportune.catalog.node import Node
from opportune.catalog.spec_file import data_path, read_spec
from opportune.errors import Problem
from opportune.quality.roles import ROLES

WEIGHTS = {"consent": 5.0, "validity": 3.0, "completeness": 3.0, "uniqueness": 2.0, "consistency": 2.0}
"""What a fault costs a decision, by dimension: one of consent blocks a send or makes it unlawful."""


class QualitySpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to check; the module's text says what each key means. `as_of` is in microseconds.

    `written` is where the keys were read from, None for a spec made in code.
    """

    data: str
    roles: Mapping[str, str] = {}
    outcome: str = ""
    positive: str = ""
    known_before: tuple[str, ...] = ()
    weights: Mapping[str, float] = MappingProxyType(WEIGHTS)
    as_of: int | None = None
    samples: int = 5
    written: Node | None = None

    def problem(self, key: str, what: str, cure: str = "") -> Problem:
        """Return a problem of a key, where it stands; a spec made in code has no place, and the key is named."""
        if self.written is None:
            return Problem(what, cure, file=key)
        spot = self.written.get(key).spot
        return Problem(what, cure, spot.line, spot.column, spot.file)


def load_quality(path: str | Path) -> QualitySpec:
    """Return the spec in a YAML file; any other path is a table, checked with the defaults.

    Raises `BadCatalog` with every mistake at once, `BadInput` if the spec cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() not in (".yaml", ".yml"):
        return QualitySpec(data=str(path))
    return read_spec(path, "a quality spec", "`data:`, the table", _read)


def _read(fields: Fields, root: Node, folder: Path) -> QualitySpec:
    weights = dict(WEIGHTS)
    for name, spot, node in fields.pairs("weights"):
        if name not in WEIGHTS:
            fields.report.error(spot, f"unknown dimension `{name}`", nearest(name, WEIGHTS))
        weights[name] = fields.number_of(node, f"weight of `{name}`", 1.0, 0.0, 1e6)
    if not sum(weights.values()):
        fields.report.error(fields.spot("weights"), "every weight is 0", "give one dimension some")
    roles = {}
    for name, spot, node in fields.pairs("roles"):
        if name not in ROLES:
            fields.report.error(spot, f"unknown role `{name}`", nearest(name, ROLES))
        roles[name] = "" if node.value is None else node.text
    spec = QualitySpec(
        data=data_path(fields, "data", folder),
        roles=roles,
        outcome=fields.text("outcome"),
        positive=fields.text("positive"),
        known_before=fields.words("known_before"),
        weights=weights,
        as_of=fields.instant("as_of", ZoneInfo("UTC")),
        samples=fields.whole("samples", 5),
        written=root,
    )
    fields.close()
    return spec
