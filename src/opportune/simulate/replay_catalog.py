"""The catalog of a replay: one trait per predictor, one placement, one action per thing that the log has done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from opportune.catalog import Catalog, from_data
from opportune.catalog.situated import BUILT_INS
from opportune.catalog.types import STANDING
from opportune.rules import Kind, Layout, Row
from opportune.simulate.replay_data import Log
from opportune.simulate.replay_spec import ReplaySpec

PLACE, CHANNEL = "replay", "web"
POSITIVE, NEGATIVE = "yes", "no"
MAX_NAME = 80


@dataclass(frozen=True, slots=True)
class Logged:
    """The catalog of a log, and what its columns and actions are called there."""

    catalog: Catalog
    traits: dict[str, str]
    actions: dict[str, str]


def catalog_of(log: Log, spec: ReplaySpec) -> Logged:
    """Return the catalog of a log.

    The placement has the price 0, and silence, where the log has it, is an action like the others: an arm with a P of
    its own. Nobody is in the random arm or held out: the log is what another policy did. All else is the default.
    """
    traits = named(spec.predictors, (n.name for n in BUILT_INS))
    actions = named(log.actions)
    value = spec.value if isinstance(spec.value, float | int) else 1.0
    data: dict[str, Any] = {
        "currency": "EUR",
        "time_zone": "UTC",
        "traits": [{"name": traits[column], "type": kind.value} for column, kind in log.kinds.items()],
        "placements": [{"name": PLACE, "channel": CHANNEL, "price": 0}],
        "actions": [_action(name, value) for name in actions.values()],
        "model": {
            "predictor": spec.predictor,
            "predictors": list(traits.values()),
            "explore": spec.explore,
            "random_share": 0,
            "arms": dict.fromkeys(STANDING, 0),
            "holdout_share": 0,
        },
    }
    return Logged(from_data(data, free_names=True), traits, actions)


def rows_of(log: Log, logged: Logged, layout: Layout) -> Iterator[Row]:
    """Yield the values of each row of a log, as the profile of a customer would hold them."""
    numbers = np.full((len(log), len(layout)), np.nan)
    texts: list[Iterable[str | None]] = [repeat(None)] * len(layout)
    for column, values in log.columns.items():
        slot = layout.slot[logged.traits[column]]
        if log.kinds[column] is Kind.TEXT:
            texts[slot] = values.tolist()
            numbers[:, slot] = [np.nan if text is None else layout.codes.get(text, -1) for text in values]
        else:
            numbers[:, slot] = values
    for row, words in zip(numbers, zip(*texts)):
        yield Row(row, list(words))


def named(texts: Iterable[str], reserved: Iterable[str] = ()) -> dict[str, str]:
    """Return a name that a catalog can have for each text: the text itself wherever that can be.

    A catalog knows no upper and lower case in the names that it reads, no `/`, and keeps some names for itself.

    >>> named(["age", "channel", "a/b", "A_B"], ["channel"])
    {'age': 'age', 'channel': '_channel', 'a/b': 'a_b', 'A_B': '_A_B'}
    """
    taken = {name.lower() for name in reserved}
    names: dict[str, str] = {}
    for text in texts:
        name = text.replace("/", "_")[:MAX_NAME].strip()
        while name.lower() in taken or name.lower().startswith("contacts_"):
            name = f"_{name}"
        taken.add(name.lower())
        names[text] = name
    return names


def _action(name: str, value: float) -> dict[str, Any]:
    return {
        "name": name,
        "issue": "replay",
        "group": "replay",
        "value": value,
        "outcomes": {"positive": [POSITIVE], "negative": [NEGATIVE]},
        "treatments": [{"name": "logged", "channel": CHANNEL, "placements": [PLACE]}],
    }
