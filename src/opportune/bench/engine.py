"""The figures of one decision: all steps, with its record sealed and written, in memory; CPU time of one thread.

    decide_100_us, decide_1000_us, decide_10000_us, decide_1000_us_p99, selection_us, record_bytes, score_1000_vs_vw
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from msgspec.structs import replace

from opportune.bench.learn import Figure, figure, score_1000_vs_vw
from opportune.catalog import Catalog, from_data
from opportune.clock import DAY
from opportune.decide import record as records
from opportune.decide.explore import explorer
from opportune.decide.pipeline import decide
from opportune.decide.types import Request, Snapshot
from opportune.events.types import DecisionMade
from opportune.hub import Hub
from opportune.ledger.record import encode
from opportune.testing import FakeClock

PREDICTORS = 100


def figures(rounds: int = 600) -> list[Figure]:
    """Return the time of a decision at 100, 1,000 and 10,000 actions, its tail, and that of selection probabilities."""
    found: list[Figure] = []
    for actions in (100, 1_000, 10_000):
        hub = hub_of(actions)
        decided, selected, size = measure(hub, rounds)
        found.append(of(f"decide_{actions}_us", decided, "us"))
        if actions == 1_000:
            found.append(of("decide_1000_us_p99", decided, "us", at=99))
            found.append(of("selection_us", selected, "us"))
            found.append(of("record_bytes", size, "bytes", at=100))
        hub.close()
    return found + score_1000_vs_vw()


def of(name: str, samples: Any, unit: str, at: float = 50) -> Figure:
    """Return the figure of some samples: a percentile, with the quartiles as its spread."""
    return figure(name, float(np.percentile(samples, at)), unit, spread=np.percentile(samples, [25, 75]).tolist())


def catalog(actions: int, seed: int = 0) -> Catalog:
    """Return a catalog with 5 conditions per action, 100 predictors, caps, pauses and consent."""
    rng = np.random.default_rng(seed)
    numbers = [f"n{i}" for i in range(80)]
    texts = [f"t{i}" for i in range(PREDICTORS - 85)]

    def condition(name: str) -> str:
        if name[0] == "t":
            return f"{name} IN ('a', 'b', '{rng.choice(list('cdefgh'))}')"
        return f"{name} {rng.choice(['<', '>='])} {rng.integers(1, 20)}"

    def action(i: int) -> dict[str, Any]:
        one, two, three, four, five = map(condition, rng.choice(numbers + texts, 5, replace=False))
        return {
            "name": f"action_{i}", "issue": f"issue_{i % 5}", "group": f"group_{i % 25}", "kind": "marketing",
            "campaign": "bench", "owner": "bench", "benefit": "a benefit", "value": float(rng.integers(1, 100)),
            "eligible": f"{one} AND {two}", "applicable": f"{three} OR {four}", "suitable": five,
            "outcomes": {"positive": ["accept"], "negative": ["reject"], "window": "7d"},
            "treatments": [{"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": "x"}}],
        }  # fmt: skip

    return from_data(
        {
            "currency": "EUR",
            "time_zone": "UTC",
            "traits": [{"name": n, "type": "number"} for n in numbers] + [{"name": t, "type": "text"} for t in texts],
            "placements": [{"name": "app.home", "channel": "app", "price": 0.01}],
            "actions": [action(i) for i in range(actions)],
            "contact": [
                {"name": "app_week", "on": "channel/app", "at_most": 1_000_000, "in": "7d"},
                {"name": "each", "on": "action", "at_most": 3, "in": "7d"},
                {"name": "group", "on": "group", "at_most": 10, "in": "30d"},
                {"name": "tired", "on": "action", "after": "reject", "times": 2, "in": "30d", "pause": "30d"},
            ],
        }
    )


def hub_of(actions: int, customers: int = 200, store: str = "memory:") -> Hub:
    """Return a hub with that catalog, some customers, and a model that has seen some answers."""
    clock = FakeClock()
    hub = Hub.of(catalog(actions), store, clock)
    rng = np.random.default_rng(1)
    for k in range(customers):
        traits: dict[str, Any] = {f"n{i}": float(rng.integers(0, 20)) for i in range(80)}
        traits |= {f"t{i}": str(rng.choice(list("abcdefgh"))) for i in range(15)}
        hub.ingest({"type": "identify", "userId": f"c{k}", "traits": traits, "messageId": f"m{k}"})
    for k in range(2_000):
        clock.advance(DAY // 100)
        answer = hub.decide(f"c{k % customers}", "app.home")
        for offer in answer.actions:
            hub.respond(str(answer.decision_id), offer.action, "accept" if rng.random() < 0.1 else "reject")
    return hub


def measure(hub: Hub, rounds: int) -> tuple[list[float], list[float], list[int]]:
    """Return the microseconds of decisions without and of selection probabilities, and the bytes of each record."""
    decided, selected, size = [], [], []
    way = explorer("thompson")
    for k in range(rounds + 20):
        view = hub.people.view(f"c{k % 200}")
        assert view is not None
        snapshot, request = hub.snapshot(view, ("app.home",), seed=k)
        start = time.thread_time_ns()
        size.append(_once(hub, view.subject, request, snapshot, f"bench{k}"))
        decided.append((time.thread_time_ns() - start) / 1000)
        scores = decide(replace(request, probabilities=False), snapshot).answers[0].scores
        assert scores is not None
        start = time.thread_time_ns()
        way.chances(scores, np.ones(len(scores.index), bool), 0)
        selected.append((time.thread_time_ns() - start) / 1000)
    return decided[20:], selected[20:], size[20:]


def _once(hub: Hub, subject: str, request: Request, snapshot: Snapshot, decision_id: str) -> int:
    """One decision with its record, sealed and written; without the selection probabilities."""
    decision = decide(replace(request, probabilities=False), snapshot)
    kept = records.to_record(decision, snapshot)
    sealed = hub.vault.seal(subject, encode(kept))
    made = DecisionMade(request.at, decision_id, subject, hub.published, 0, sealed)
    hub.ledger.commit(made, kept, records.episodes(decision, subject, hub.published))
    return len(sealed)


