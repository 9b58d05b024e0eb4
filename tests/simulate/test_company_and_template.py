"""The company speaks the language of the catalog that `opportune init` writes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import opportune
from opportune.catalog import load
from opportune.catalog.types import Catalog
from opportune.clock import DAY, parse_instant
from opportune.simulate.company import Company


@pytest.fixture(scope="module")
def template() -> Catalog:
    return load(Path(opportune.__file__).parent / "catalog" / "template")


def test_every_trait_event_and_goal_of_the_template_happens(template: Catalog) -> None:
    actions = template.actions
    assert len(actions) >= 10
    company = Company(1, actions, 300)
    events, traits, cancels = Counter(), set(), Counter()
    for event in company.advance(company.start + 90 * DAY):
        at = parse_instant(event["timestamp"])
        events[{"page": "Page Viewed"}.get(event["type"], event.get("event"))] += 1
        traits |= event.get("traits", {}).keys()
        if event["type"] == "page" and event["name"] == "cancel":
            cancels[event["userId"], at // DAY] += 1
        if event["type"] in ("page", "screen") and "userId" in event:
            name = actions[len(event["messageId"]) * at % len(actions)].name
            company.respond(event["userId"], name, "app", at)
    assert {f.event for f in template.features} <= events.keys()
    assert {t.name for t in template.traits} <= traits
    assert {a.outcomes.goal.event for a in actions if a.outcomes.goal} <= events.keys()
    assert sum(n >= 2 for n in cancels.values()) >= 10, "people think of leaving"


def test_no_action_of_the_template_is_hopeless_or_certain(template: Catalog) -> None:
    company = Company(2, template.actions, 200)
    list(company.advance(company.start + DAY))
    for name in company.actions:
        rates = [company.probability(c, name, company.now) for c in company.customers]
        mean = sum(rates) / len(rates)
        assert 0.003 < mean < 0.8, (name, mean)
