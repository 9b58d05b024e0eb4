"""A hub that has lived a little: decisions, contacts, answers, orders and their undoing, leads, joins, campaigns."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from opportune.clock import DAY, HOUR, format_instant
from opportune.events.types import CampaignStage, Spent, ToolUsed
from opportune.figures.tables import TABLES, opened
from opportune.hub import Hub
from opportune.testing import FakeClock, tiny_action, tiny_catalog

GOAL = {"event": "Order Completed", "within": "7d", "undo": "Order Cancelled"}
OUTCOMES = {"positive": ["accept"], "negative": ["reject"], "window": "7d", "goal": GOAL}

CATALOG: dict[str, Any] = {
    "actions": [
        tiny_action("tea", cost=0.5, campaign="spring", outcomes=OUTCOMES),
        tiny_action("service", kind="service", campaign="care"),
    ],
    "holdouts": [{"name": "nobody", "on": ["all"], "share": 0.3}],
    "funnel": {"stages": ["Demo Booked"], "margin": 0.4, "window": "30d"},
    "retain": {"events": "2d", "ledger": "2d"},
    "model": {"random_share": 0.1},
}


def living(folder: Path, seed: int = 1, **more: Any) -> tuple[Hub, FakeClock]:
    """Return a hub with a store in a folder, and its clock."""
    clock = FakeClock()
    folder.mkdir(parents=True, exist_ok=True)
    return Hub.of(tiny_catalog(**{**CATALOG, **more}), f"sqlite:///{folder / 'hub.db'}", clock), clock


def live(hub: Hub, clock: FakeClock, steps: int, seed: int = 1, customers: int = 12) -> None:
    """Let things happen to some customers, in one transaction: a commit to disk each would take far longer."""
    with hub.store.transaction():
        _live(hub, clock, steps, seed, customers)


def _live(hub: Hub, clock: FakeClock, steps: int, seed: int, customers: int) -> None:
    draw = random.Random(seed)
    for step in range(steps):
        clock.advance(draw.randrange(HOUR))
        who, number = f"c{draw.randrange(customers)}", f"{seed}-{step}"

        def tell(event: str, back: int = 0, **properties: Any) -> None:
            hub.ingest({"type": "track", "userId": who, "event": event, "properties": properties,  # noqa: B023
                        "timestamp": format_instant(clock.at - back),
                        "messageId": f"{number}{event}"})  # noqa: B023  # fmt: skip

        match draw.randrange(9):
            case 0 | 1 | 2 | 3:
                answer = hub.decide(who, placement="app.home")
                for one in answer.actions:
                    clock.advance(1000)
                    if draw.random() < 0.8:
                        hub.respond(str(answer.decision_id), one.action, "impression")
                    if draw.random() < 0.3:
                        hub.respond(str(answer.decision_id), one.action, "accept", 3.0)
            case 4 | 5:
                tell("Order Completed", draw.choice([0, 0, 5 * HOUR]), revenue=draw.randrange(100))
            case 6:
                tell("Order Cancelled")
            case 7:
                tell("Lead Created", referrer=draw.choice(["", "ana"]), source="web")
                hub.ingest({"type": "page", "anonymousId": f"a{step}", "name": "home", "messageId": f"{number}p"})
                hub.ingest({"type": "track", "anonymousId": f"a{step}", "event": "Order Completed",
                            "properties": {"total": 5}, "messageId": f"{number}a"})  # fmt: skip
                if draw.random() < 0.5:
                    clock.advance(DAY // 24)
                    hub.ingest({"type": "identify", "anonymousId": f"a{step}", "userId": who,
                                "messageId": f"{number}i"})  # fmt: skip
            case _:
                with hub.group():
                    hub.learner.append(
                        [
                            Spent(clock.at, "spring", f"e{step}", "spent", 10.0, "ads", "ana"),
                            CampaignStage(clock.at, "spring", "build", "ana", "ready"),
                            ToolUsed(clock.at, "mailer", "ana", "send", 2, f"u{step}"),
                        ]
                    )
        tell("Email Sent") if draw.random() < 0.05 else None
        hub.tick()


def rows(folder: Path, as_of: int | None = None, tables: Any = tuple(TABLES)) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of each table, sorted."""
    with opened(folder, as_of) as (connection, _):
        return {t: sorted(connection.execute(f"SELECT * FROM {t}").fetchall(), key=repr) for t in tables}
