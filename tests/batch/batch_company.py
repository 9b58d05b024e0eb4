"""A company with everything that a decision can depend on, for tests of the batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from opportune.catalog import Catalog, from_data
from opportune.clock import DAY, HOUR
from opportune.decide.pipeline import decide
from opportune.decide.types import Answer, Stage, hash64
from opportune.hub import Hub
from opportune.testing import START, FakeClock, tiny_action

CHOICES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Consent Updated", {"channel": "all", "status": "withdrawn"}),
    ("Consent Updated", {"channel": "email", "topic": "news", "status": "refused"}),
    ("Consent Updated", {"channel": "email", "topic": "tips", "status": "granted", "method": "double_opt_in"}),
    ("Consent Updated", {"channel": "email", "status": "granted", "method": "double_opt_in"}),
    ("Consent Updated", {"channel": "email", "status": "granted", "until": "2026-01-03"}),
    ("Consent Updated", {"channel": "email", "purpose": "all", "status": "refused"}),
    ("Consent Updated", {"channel": "app", "topic": "news", "status": "refused"}),
    ("Contact Paused", {"channel": "email", "for": "2d"}),
    ("Contact Paused", {"topic": "tips"}),
    ("Frequency Chosen", {"channel": "app", "at_most": 1, "in": "7d"}),
    ("Channel Preferred", {"channel": "sms"}),
    ("Message Bounced", {"channel": "email", "kind": "hard"}),
)

ISSUES = ("grow", "retain", "care")


def catalog(actions: int = 24, **more: Any) -> Catalog:
    """Return a catalog of some actions; keys of `model` are added to its own, others replace."""
    rng = np.random.default_rng(actions)
    conditions = [
        "age >= 30", "plan IN ('gold', 'silver')", "NOT vip", "visits_7d < 3", "spend_30d > 20 OR last_product = 'tea'",
        "plan LIKE 'g%'", "upper(address.city) <> 'BERLIN'", "year(born) < 2000", "contacts_app_7d < 2",
        "days_since_order IS NULL OR days_since_order > 2", "hour >= 6", "lower(last_product) = 'tea' OR age < 60",
    ]  # fmt: skip

    def action(i: int) -> dict[str, Any]:
        one, two, three, four = rng.choice(conditions, 4, replace=False)
        service = i % 6 == 5
        return tiny_action(
            f"action_{i}", issue=ISSUES[i % 3], group=f"group_{i % 5}", kind="service" if service else "marketing",
            value=str(rng.integers(1, 50)) + " + 0.5 * spend_30d - age" if i % 4 == 3 else int(rng.integers(1, 50)),
            lever=int(rng.integers(-20, 50)), **({"urgent": True} if i % 12 == 11 else {}),
            **({"topic": ["news", "tips"][i % 2]} if i % 3 else {}),
            **{key: text for key, text in (
                ("eligible", f"{one} OR age > 50"), ("applicable", f"{two} OR visits_7d > 0"),
                ("suitable", f"{three} OR vip"), ("helps", f"{four} OR plan = 'gold'")) if rng.random() < 0.4},
            treatments=[{"name": "card", "channel": "app", "placements": ["app.*"], "content": {}},
                        {"name": "mail", "channel": "email", "placements": ["email.*"], "content": {}}][i % 7 == 6:],
            outcomes={"positive": ["accept"], "negative": ["reject"], "window": "7d",
                      "goal": {"event": "Order Completed", "within": "7d"}},
        )  # fmt: skip

    model = {"random_share": 0.05, "holdout_share": 0.1, "ramp": 8, **more.pop("model", {})}
    return from_data({
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "traits": [
            {"name": "age", "type": "number"}, {"name": "plan", "type": "text"}, {"name": "vip", "type": "bool"},
            {"name": "address.city", "type": "text"}, {"name": "born", "type": "time"},
            {"name": "time_zone", "type": "text"}, {"name": "score.last", "type": "number"},
        ],
        "features": [
            {"name": "visits_7d", "event": "Page Viewed", "aggregate": "count", "window": "7d", "by": "1d"},
            {"name": "spend_30d", "event": "Order Completed", "aggregate": "sum(revenue)", "window": "30d", "by": "1d"},
            {"name": "spend_avg", "event": "Order Completed", "aggregate": "avg(revenue)"},
            {"name": "last_product", "event": "Order Completed", "aggregate": "last(product)", "type": "text"},
            {"name": "products", "event": "Order Completed", "aggregate": "distinct(product)", "window": "30d",
             "by": "1d"},
            {"name": "days_since_order", "event": "Order Completed", "aggregate": "days_since"},
        ],
        "situations": [
            {"name": "annoyed", "when": "visits_7d >= 3", "silences": ["grow"], "raises": {"care": 40}},
            {"name": "leaving", "when": "plan = 'bronze' AND age > 40", "silences": ["action/action_1"],
             "raises": {"retain": 30, "care": 5}},
        ],
        "placements": [
            {"name": "app.home", "channel": "app", "price": 6},
            {"name": "email.weekly", "channel": "email", "price": "1 + age / 100"},
        ],
        "topics": [{"name": "news", "title": "News"}, {"name": "tips", "title": "Tips"}],
        "levers": {"grow": 10, "retain/group_1": -10},
        "context_weights": [{"on": "grow", "when": "hour < 12 AND age < 50", "percent": 25},
                            {"on": "action/action_2", "when": "plan LIKE '%d'", "percent": 40}],
        "contact": [
            {"name": "app_week", "on": "channel/app", "at_most": 4, "in": "7d"},
            {"name": "each", "on": "action", "at_most": 2, "in": "7d"},
            {"name": "group", "on": "group", "at_most": 3, "in": "30d"},
            {"name": "tired", "on": "action", "after": "reject", "times": 1, "in": "30d", "pause": "10d"},
            {"name": "night", "on": "channel/email", "quiet": "20:00-08:00", "holidays": True},
        ],
        "actions": [action(i) for i in range(actions)],
        "model": model,
        **more,
    })  # fmt: skip


def filled(hub: Hub, clock: FakeClock, customers: int, decisions: int, seed: int = 0) -> None:
    """Let customers of all kinds live for some days."""
    rng = np.random.default_rng(seed)
    plans, products = ["gold", "silver", "bronze", "größte", None], ["tea", "Tea", "coffee", "cup"]

    def event(kind: str, k: int, **more: Any) -> None:
        who = {"anonymousId": f"a{k}"} if k % 9 == 8 else {"userId": f"c{k}"}
        hub.ingest({"type": kind, **who, **more})

    for k in range(customers):
        traits: dict[str, Any] = {
            "age": [int(rng.integers(10, 90)), float(rng.integers(10, 90)) + 0.5, "old", None][min(k % 10, 3)],
            "plan": plans[rng.integers(5)], "vip": bool(rng.random() < 0.3), "other": {"deep": [1, 2, {"x": "y" * 40}]},
            "address": {"city": ["Berlin", "Oslo"][k % 2], "zip": k}, "time_zone": ["Asia/Tokyo", "nowhere", 5][k % 3],
            "country": ["DE", "US", "us "][k % 3], "phone": ["+49 30 123456", "(415) 555-0100"][k % 2],
            "email": [f"c{k}@example.com", "", 7][min(k % 6, 2)], "preferred_channel": ["sms", "email", "app"][k % 3],
            "born": ["1990-05-05", "2010-01-01T00:00:00Z", "soon"][k % 3], "score.last": k / 3, "unknown": None,
        }  # fmt: skip
        rare = {"preferred_channel": 0.05, "time_zone": 0.4, "country": 0.5}
        kept = {name: value for name, value in traits.items() if rng.random() < rare.get(name, 0.8)}
        if k % 9 != 8 and k % 11:
            event("identify", k, traits=kept)
        if k % 7 == 3:
            refusal = {"event": "Consent Updated",
                       "properties": {"channel": ["app", "email"][k % 2], "status": "refused"}}  # fmt: skip
            hub.ingest({"type": "page", "anonymousId": f"device{k}", "name": "home"})
            hub.ingest({"type": "track", "anonymousId": f"device{k}", **refusal})
            hub.ingest({"type": "identify", "userId": f"c{k}", "anonymousId": f"device{k}", "traits": {"age": 44}})
        for _ in range(int(rng.integers(0, 4))):
            clock.advance(int(rng.integers(0, HOUR // 4)))
            event("page", k, name="home")
        if rng.random() < 0.5:
            order = {"revenue": float(rng.integers(1, 90)) / 3, "product": products[rng.integers(4)]}
            event("track", k, event="Order Completed", properties=order)
        if rng.random() < 0.7:
            channel, status = rng.choice(["email", "all", "app"]), rng.choice(["granted", "granted", "refused"])
            event("track", k, event="Consent Updated", properties={"channel": str(channel), "status": str(status)})
        for name, said in CHOICES:
            if rng.random() < 0.06:
                event("track", k, event=name, properties=said)
    for _ in range(decisions):
        clock.advance(int(rng.integers(0, DAY // 60)))
        k = int(rng.integers(customers))
        who = {"anonymous": f"a{k}"} if k % 9 == 8 else {"customer": f"c{k}"}
        if rng.random() < 0.3:
            event("track", k, event="Order Completed", properties={"revenue": 5, "product": "cup"})
        answer = hub.decide(**who, placement=["app.home", "email.weekly"][int(rng.random() < 0.3)], limit=2)
        for offer in answer.actions:
            hub.respond(str(answer.decision_id), offer.action, "impression")
            said = rng.random()
            if said < 0.6:
                hub.respond(str(answer.decision_id), offer.action, "accept" if said < 0.3 else "reject")


def company(customers: int = 150, decisions: int = 300, store: str = "memory:", **more: Any) -> tuple[Hub, FakeClock]:
    """Return a hub that has lived for some days, and its clock."""
    clock = FakeClock(START + 9 * HOUR)
    hub = Hub.of(catalog(**more), store, clock)
    filled(hub, clock, customers, decisions)
    return hub, clock


def seed_of(placement: str, at: int) -> Any:
    """Return the seeds of peeks."""
    return lambda customer: hash64("peek", customer, placement, str(at // DAY))


def online(hub: Hub, subject: str, placement: str, at: int, limit: int) -> Answer:
    """Return what the online decision says to a customer."""
    view = hub.people.view(subject)
    assert view is not None
    seed = seed_of(placement, at)(view.customer)
    snapshot, request = hub.snapshots.of(view, hub.brain, (placement,), at, seed, None, limit)
    return decide(request, snapshot).answers[0]


def told(answer: Answer) -> dict[str, Any]:
    """Return everything that two answers must agree on, floats with all of their bits."""
    fields = (name for name in answer.__struct_fields__ if name not in ("scores", "chances", "notes", "stages"))
    return {**{name: repr(getattr(answer, name)) for name in fields}, "stages": answer.stages.tolist()}


def stages(answers: list[Answer]) -> set[str]:
    """Return the names of the stages at which something fell."""
    return {Stage(code).name.lower() for answer in answers for code in set(answer.stages.tolist())}

