"""The spec of an attribution: where journeys are, which models share out their conversions, what holdouts measured.

    data: paths.csv.gz              # csv, csv.gz, parquet, a folder or pattern of them, FILE.duckdb:TABLE; relative to
                                    # the spec; or `ledger`: journeys of the hub's own customers
    path: path                      # column: the channels that a journey met, first first
    separator: ">"                  # what stands between them; blanks around names do not count
    conversions: total_conversions  # column: how often such a journey ended in one; default: each row is one
    value: total_value              # column: what these were worth
    nulls: total_null               # column: how often such a journey ended in none
    models: [first, last, linear, position, time_decay, markov, shapley, logistic]
    order: 1                        # touches that the Markov chain remembers, or `auto`: by what the journeys call for
    half_life: 2                    # of time_decay, in touches
    position: 0.4                   # of position: what the first and the last touch get each
    level: 0.95                     # of the intervals
    seed: 0
    costs: {display: 12000}         # what a channel cost
    holdouts:                       # customers whom a channel was kept from at random, and the others
      display: {treated: 36000, conversions: 3310, held: 4000, held_conversions: 290}

With `data: ledger`, `conversions` is the event that counts as one and `value` a property of it, and these say which
touches count:

    look_back: 30d                  # how long before a conversion
    from: 2026-01-01                # journeys that ended in this time; default: all
    until: null
    offline: {Store Visited: store} # events that are touches, with the channel of each

Missing keys take the defaults shown; `path` has none with files, `conversions` none with the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from opportune.catalog.fields import Fields, Report, nearest
from opportune.catalog.node import Node, from_python
from opportune.catalog.spec_file import data_path, read_spec
from opportune.clock import DAY
from opportune.errors import BadCatalog, BadInput, Problem
from opportune.measure.attribution.models import MODELS, Options
from opportune.measure.attribution.tournament import Holdout

LEDGER = "ledger"

_FILE_KEYS, _LEDGER_KEYS = ("path", "separator", "nulls"), ("look_back", "from", "until", "offline")


class AttributionSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to attribute; the module's text says what each key means. Spans and instants are in microseconds.

    `written` is where the keys were read from, None for a spec made in code.
    """

    data: str
    path: str = ""
    separator: str = ">"
    conversions: str = ""
    value: str = ""
    nulls: str = ""
    models: tuple[str, ...] = tuple(MODELS)
    options: Options = Options()
    level: float = 0.95
    seed: int = 0
    costs: Mapping[str, float] = {}
    holdouts: Mapping[str, Holdout] = {}
    look_back: int = 30 * DAY
    since: int | None = None
    until: int | None = None
    offline: Mapping[str, str] = {}
    written: Node | None = None

    def problem(self, key: str, what: str, cure: str = "") -> Problem:
        """Return a problem of a key, where it stands; a spec made in code has no place, and the key is named."""
        if self.written is None:
            return Problem(what, cure, file=key)
        spot = self.written.get(key).spot
        return Problem(what, cure, spot.line, spot.column, spot.file)


def load_attribution(path: str | Path) -> AttributionSpec:
    """Return the spec in a YAML file.

    `data` comes back as a path that is absolute or relative to the working directory. Raises `BadCatalog` with every
    mistake at once, `BadInput` if the file cannot be read.
    """

    def read(fields: Fields, root: Node, folder: Path) -> AttributionSpec:
        return _read(fields, root, lambda fields: data_path(fields, "data", folder))

    return read_spec(path, "an attribution spec", "`data:`, the journeys", read)


def sent_attribution(given: Mapping[str, Any]) -> AttributionSpec:
    """Return the spec in plain data that came over the wire: of the ledger only, since files are not the caller's.

    Raises `BadCatalog` with every mistake at once.
    """
    problems: list[Problem] = []

    def only_ledger(fields: Fields) -> str:
        fields.report.error(fields.spot("data"), "`data` is not `ledger`", "files are read by `opportune attribution`")
        return ""

    root, report = from_python({"data": LEDGER, **given}, "", problems), Report(problems)
    spec = _read(Fields(root, report, "the attribution spec"), root, only_ledger)
    if report.failed:
        raise BadCatalog(sorted(report.problems, key=lambda p: (p.line, p.column)))
    return spec


def _read(fields: Fields, root: Node, data: Callable[[Fields], str]) -> AttributionSpec:
    ledger = fields.text("data") == LEDGER
    zone = ZoneInfo("UTC")
    spec = AttributionSpec(
        data=LEDGER if ledger else data(fields),
        path=fields.text("path", required=not ledger),
        separator=_separator(fields),
        conversions=fields.text("conversions", required=ledger),
        value=fields.text("value"),
        nulls=fields.text("nulls"),
        models=_models(fields),
        options=Options(
            order=_order(fields),
            half_life=fields.number("half_life", 2.0, 0.001, 1e6),
            ends=fields.number("position", 0.4, 0.0, 0.5),
        ),
        level=fields.number("level", 0.95, 0.5, 0.999),
        seed=fields.whole("seed", 0),
        costs={name: fields.number_of(node, name, 0.0, 0.0, 1e15) for name, _, node in fields.pairs("costs")},
        holdouts=_holdouts(fields),
        look_back=fields.span("look_back", 30 * DAY) or 30 * DAY,
        since=fields.instant("from", zone),
        until=fields.instant("until", zone),
        offline={name: node.text.strip() for name, _, node in fields.pairs("offline")},
        written=root,
    )
    for key in _FILE_KEYS if ledger else _LEDGER_KEYS:
        if key in fields.values:
            what = f"`{key}` is for {'files' if ledger else '`data: ledger`'}"
            fields.report.error(fields.node.keys[key], what, "remove it")
    if spec.since is not None and spec.until is not None and spec.until <= spec.since:
        fields.report.error(fields.spot("until"), "`until` is not after `from`", "give a later time")
    if "" in spec.offline.values():
        fields.report.error(fields.spot("offline"), "an event has no channel", "write {EVENT: CHANNEL}")
    fields.close()
    return spec


def _separator(fields: Fields) -> str:
    node = fields.find("separator")
    if node is None:
        return ">"
    if isinstance(node.value, dict | list) or not node.text:
        fields.wrong(node, "separator", 'text, such as ">"')
        return ">"
    return node.text


def _models(fields: Fields) -> tuple[str, ...]:
    names = fields.words("models", tuple(MODELS))
    if names == ("all",):
        return tuple(MODELS)
    for name in names:
        if name not in MODELS:
            fields.report.error(fields.spot("models"), f"unknown model `{name}`", nearest(name, MODELS))
    if not names:
        fields.report.error(fields.spot("models"), "`models` is empty", f"known: {', '.join(MODELS)}")
    return tuple(name for name in names if name in MODELS)


def _order(fields: Fields) -> int | None:
    node = fields.find("order")
    if node is not None and node.text == "auto":
        return None
    return fields.whole("order", 1, low=1)


def _holdouts(fields: Fields) -> dict[str, Holdout]:
    found = {}
    for channel, spot, node in fields.pairs("holdouts"):
        inner = Fields(node, fields.report, f"the holdout of `{channel}`")
        keys = ("treated", "conversions", "held", "held_conversions")
        counts = [inner.number(key, 2.0 if key in ("treated", "held") else 0.0, 0.0, required=True) for key in keys]
        inner.close()
        try:
            found[channel] = Holdout(*counts)
        except BadInput as bad:
            what, _, cure = str(bad).partition("; ")
            fields.report.error(spot, what, cure)
    return found
