"""A batch says what the online decision says, to the bit, also to customers in experiments, arms and holdouts."""

from __future__ import annotations

from typing import Any

import pytest
from batch_company import catalog, filled, told
from msgspec.structs import replace
from test_batch_equal import compared

from opportune.batch.decide import decide_all
from opportune.clock import DAY, HOUR
from opportune.decide.stages.assign import ARMS
from opportune.hub import Hub
from opportune.testing import START, FakeClock

FRESH = {"name": "fresh", "channel": "app", "placements": ["app.*"], "content": {"title": "new"}}
SAYS = {"actions": [{"name": f"action_{i}", "treatments": [FRESH]} for i in (3, 5, 7, 9, 11)]}
POLICY = {"actions": [{"name": "action_1", "value": 60},
                      {"name": "action_2", "eligible": "plan LIKE 's%' OR age > 20"}],
          "contact": [{"name": "app_week", "at_most": 1}, {"name": "fresh", "on": "grow", "at_most": 1, "in": "1d"}],
          "situations": [{"name": "annoyed", "silences": ["retain"]}], "placements": [{"name": "app.home", "price": 2}],
          "context_weights": [{"on": "care", "when": "plan = 'gold'", "percent": 50}]}  # fmt: skip
MODEL = {"model": {"explore": "greedy"}, "levers": {"care": 40}}


def experiment(name: str, changes: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "metric": "yes", "arms": [{"name": "a"}, {"name": "b", "changes": changes}], **more}


def company(*experiments: dict[str, Any], **more: Any) -> tuple[Hub, FakeClock]:
    clock = FakeClock(START + 9 * HOUR)
    made = catalog(experiments=list(experiments), metrics=[{"name": "yes", "outcome": "accept"}], **more)
    hub = Hub.of(made, clock=clock)
    for one in hub.plan.catalog.experiments:
        hub.run_trial(hub.trials.begin(one, clock.now()), "started")
    filled(hub, clock, 90, 120)
    return hub, clock


@pytest.mark.parametrize(
    "experiments",
    [
        [experiment("says", SAYS)], [experiment("policy", POLICY, share=0.7, audience="plan <> 'gold' OR vip")],
        [experiment("model", MODEL), experiment("says", SAYS)], [experiment("out", {"decisions": "external"})],
    ],
    ids=lambda found: "+".join(e["name"] for e in found),
)  # fmt: skip
def test_every_answer_is_that_of_the_customers_arms(experiments: list[dict[str, Any]]) -> None:
    hub, clock = company(*experiments)
    for placement, limit in (("app.home", 2), ("email.weekly", 1)):
        answers = compared(hub, placement, clock.now(), limit)
        assert any(answer.chosen for answer in answers)
    arms = {hub.snapshots.arms(view, clock.now()) for view in hub.people.everyone()}
    assert len(arms) >= 2 ** len(experiments)
    if experiments[-1]["name"] == "says":
        answers = compared(hub, "app.home", clock.now(), 3)
        assert "fresh" in {c.treatment for answer in answers for c in answer.chosen}
        assert "card" in {c.treatment for answer in answers for c in answer.chosen}


def test_what_arms_do_differs() -> None:
    """The comparison above would see a batch that left the arms out."""
    hub, clock = company(experiment("policy", POLICY))
    assert compared(hub, "app.home", clock.now(), 2)
    at = clock.now()
    mine = answers(hub, at)
    for trial in hub.trials.all():
        hub.run_trial(replace(trial, status="stopped"), "stop")
    base = answers(hub, at)
    assert 10 < sum(mine[subject] != base[subject] for subject in mine) < len(mine)


def answers(hub: Hub, at: int) -> dict[str, Any]:
    [*rows] = decide_all(hub, "app.home", at=at, seed_of=len)
    return {subject: told(some.answer(i)) for some in rows for i, subject in enumerate(some.subjects)}


@pytest.mark.parametrize("placement", ["app.home", "email.weekly"])
def test_standing_arms_and_holdouts(placement: str) -> None:
    shares = {"propensity": 0.1, "no_levers": 0.1, "eligibility": 0.1, "random_propensity": 0.1}
    holdouts = [
        {"name": "grow", "on": ["grow"], "share": 0.3, "rotate": "7d"},
        {"name": "mail", "on": ["channel/email"], "share": 0.3},
        {"name": "all", "on": ["all"], "share": 0.1, "rotate": "30d", "washout": "7d"},
    ]  # fmt: skip
    hub, clock = company(model={"arms": shares}, holdouts=holdouts)
    answers = compared(hub, placement, clock.now(), 2) + compared(hub, placement, clock.now() + 9 * DAY, 1)
    assert "holdout" in {answer.ghost.reason for answer in answers if answer.ghost}
    [*rows] = decide_all(hub, placement, at=clock.now(), seed_of=len)
    assert {ARMS[arm] for some in rows for arm in some.arm} == {*ARMS}
