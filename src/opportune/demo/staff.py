"""The people of the demo's company at work, day by day through its past: campaigns, money, tools, tests, and the law.

What they do is a script in time (`demo.script`). What comes of it is not: a test is looked at as it is, and the gate
may refuse.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from opportune.clock import DAY, HOUR, format_instant
from opportune.demo.leads import happened, unasked
from opportune.demo.script import ACTS
from opportune.demo.words import SEEN_WORDING
from opportune.errors import OpportuneError
from opportune.events.types import ToolUsed
from opportune.hub import Hub
from opportune.operations.tool_use import entry_of
from opportune.services.inspection import Inspection
from opportune.services.laboratory import Laboratory
from opportune.services.office import Office
from opportune.services.toolbox import Toolbox

LOOKS = 5
"""Days between two looks at the tests that run."""

SCORED = 5
"""The last days of the past whose data are scored."""

CONSENTS = 0.7
"""The share of customers who said that they want the newsletter."""

USES: Mapping[str, tuple[tuple[str, str, float], ...]] = {
    "ana": (("segmenter", "segments", 0.5), ("mailer", "segments", 0.3), ("board", "tasks", 0.6)),
    "ben": (("board", "tasks", 0.6),),
    "cem": (("mailer", "send", 0.7), ("mailer", "journeys", 0.4), ("segmenter", "segments", 0.4), ("writer", "", 0.5)),
    "dia": (("segmenter", "export", 0.5), ("mailer", "segments", 0.2), ("board", "tasks", 0.3)),
    "eva": (("board", "tasks", 0.9), ("mailer", "send", 0.2)),
    "fay": (("board", "tasks", 0.2),),
}
"""Who uses which feature of which tool on a working day, and how likely. Nobody looks at the heat maps any more."""


@dataclass(frozen=True)
class Staff:
    """The staff of a hub. `customers` are the ids of those whom they may get letters from."""

    hub: Hub
    seed: int
    customers: Sequence[str]

    def live(self, ago: int, day: int) -> int:
        """Do what there is to do on a day (`day` from the company's first on, `ago` days before now); return how many
        events that told the hub. What cannot be done, as a test that has too few customers, is left.
        """
        now = self.hub.clock.now()
        told = self._tell(happened(self.seed, day, now - DAY), "crm")
        told += self._tell(unasked(self.seed, day, now - DAY, self.customers), "tills")
        told += self._tell(self._slips(ago, now), "tills")
        if ago == 54:
            told += self._tell(self._choices(now), "preference-center")
        elif ago in (31, 17, 4):
            told += self._tell(self._withdrawals(ago, now), "preference-center")
        with suppress(OpportuneError):
            Toolbox(self.hub).use([*self._uses(ago, now)])
        if ago % LOOKS == 0 and ago:
            self._look()
        for act in ACTS.get(ago, ()):
            with suppress(OpportuneError):
                act(self)
        if 0 < ago <= SCORED:
            Inspection(self.hub).score()
        return told

    @cached_property
    def office(self) -> Office:
        return Office(self.hub)

    @cached_property
    def lab(self) -> Laboratory:
        return Laboratory(self.hub)

    def _tell(self, events: Sequence[Mapping[str, Any]], source: str) -> int:
        return self.hub.ingest(events, source=source).taken if events else 0

    def _look(self) -> None:
        for trial in self.hub.trials.all():
            if trial.live:
                with suppress(OpportuneError):
                    self.lab.note(self.lab.measure(trial.experiment), "dia")

    def _uses(self, ago: int, now: int) -> Iterator[ToolUsed]:
        chance = random.Random(f"tools {self.seed} {ago}")
        for person, uses in USES.items():
            for tool, feature, often in uses:
                if chance.random() < often and not (tool == "writer" and ago > 28):
                    use = ToolUsed(now - 8 * HOUR, tool, person, feature, 1 + int(chance.random() * 6))
                    yield ToolUsed(use.at, tool, person, feature, use.uses, entry_of(use))
        if ago == 50:
            use = ToolUsed(now - 8 * HOUR, "heatmaps", "dia", "maps", 2)
            yield ToolUsed(use.at, use.tool, use.person, use.feature, use.uses, entry_of(use))

    def _slips(self, ago: int, now: int) -> list[dict[str, Any]]:
        """Return what the tills of the stores send on some days: money as text, and visits to no store."""
        if ago not in (9, 6, 3, 1):
            return []
        who = random.Random(f"tills {self.seed} {ago}").sample(self.customers, min(3, len(self.customers)))
        wrong: list[tuple[str, dict[str, Any]]] = [
            *(("Order Completed", {"revenue": "39,90 EUR", "order_id": f"till-{ago}-{i}"}) for i in range(2)),
            ("Store Visited", {"minutes": 4}),
            ("Loyalty Card Shown", {}),
        ]
        return [
            _track(person, event, properties, now, f"till-{ago}-{i}")
            for i, (person, (event, properties)) in enumerate(zip(who * 2, wrong))
        ]

    def _choices(self, now: int) -> list[dict[str, Any]]:
        chance = random.Random(f"choices {self.seed}")
        said = {"purpose": "marketing", "channel": "newsletter", "status": "granted"}
        return [
            _track(one, "Consent Updated", {**said, **SEEN_WORDING}, now, f"choice-{one}")
            for one in self.customers
            if chance.random() < CONSENTS
        ]

    def _withdrawals(self, ago: int, now: int) -> list[dict[str, Any]]:
        chance = random.Random(f"withdrawn {self.seed} {ago}")
        said = {"purpose": "marketing", "channel": "newsletter", "status": "withdrawn", **SEEN_WORDING}
        who = chance.sample(self.customers, max(1, len(self.customers) // 80))
        return [_track(one, "Consent Updated", said, now, f"withdrawn-{ago}-{one}") for one in who]


def _track(customer: str, event: str, properties: Mapping[str, Any], at: int, number: str) -> dict[str, Any]:
    return {"type": "track", "userId": customer, "event": event, "timestamp": format_instant(at),
            "messageId": number, "properties": dict(properties)}  # fmt: skip
