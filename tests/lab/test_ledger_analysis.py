"""`lab analyze` of an experiment that runs in the live decisions: planted answers and events, from hub to command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from opportune.catalog.project import write_project
from opportune.cli import app
from opportune.clock import DAY, SECOND
from opportune.errors import BadCatalog, NotFound
from opportune.hub import Hub
from opportune.lab.analysis import load_analysis
from opportune.services.counted import analysis
from opportune.testing import FakeClock, tiny_action, tiny_catalog

CARD = {"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": "hello"}}
BOLD = {"actions": [{"name": "hello", "treatments": [{"name": "card", "content": {"title": "Bold"}}]}]}
EXPERIMENT = {
    "name": "title", "hypothesis": "bold", "arms": [{"name": "control"}, {"name": "bold", "changes": BOLD}],
    "guardrails": ["spend", "orders"], "planned": 400,
}  # fmt: skip
SHOP: dict[str, Any] = {
    "traits": [{"name": "age", "type": "number"}],
    "actions": [tiny_action("hello", treatments=[CARD])],
    "metrics": [
        {"name": "yes", "outcome": "accept"},
        {"name": "orders", "kind": "count", "event": "Order Completed", "where": "revenue > 10.5", "within": "3d"},
        {"name": "spend", "kind": "mean", "event": "Order Completed", "of": "revenue", "within": "3d"},
    ],
    "hypotheses": [
        {"name": "bold", "claim": "A bold title is taken more often", "because": "it is seen", "metric": "yes",
         "expected": 0.3, "smallest": 0.05},
    ],
    "experiments": [EXPERIMENT],
    "model": {"arms": dict.fromkeys(("random", "propensity", "no_levers", "eligibility", "random_propensity"), 0)},
}  # fmt: skip


def lived(customers: int = 300) -> tuple[Hub, dict[str, str]]:
    """Return a hub in which every second customer accepts in `bold`, every fourth in control, and all order."""
    clock = FakeClock()
    hub = Hub.of(tiny_catalog(**SHOP), "memory:", clock)
    [experiment] = hub.plan.catalog.experiments
    hub.run_trial(hub.trials.begin(experiment, clock.now()), "started", "ana")
    arms, taken = dict[str, str](), {"control": 0, "bold": 0}
    for k in range(customers):
        name = f"c{k}"
        hub.ingest([order(f"early-{k}", name, 100.0)])
        clock.advance(SECOND)
        answer = hub.decide(name, "app.home")
        arm = "bold" if answer.actions[0].content["title"] == "Bold" else "control"
        arms[name], place = arm, taken[arm]
        taken[arm] += 1
        assert answer.decision_id
        hub.respond(answer.decision_id, "hello", "impression")
        if place % (2 if arm == "bold" else 4) == 0:
            hub.respond(answer.decision_id, "hello", "accept")
        hub.ingest([order(f"paid-{k}", name, 10.0 + k % 3), order(f"small-{k}", name, 1.0)])
    clock.advance(4 * DAY)
    hub.ingest([order(f"late-{k}", f"c{k}", 1000.0) for k in range(customers)])
    return hub, arms


def order(message: str, customer: str, revenue: float) -> dict[str, Any]:
    return {"type": "track", "userId": customer, "messageId": message, "event": "Order Completed",
            "properties": {"revenue": revenue}}  # fmt: skip


def test_what_was_planted_is_found() -> None:
    hub, arms = lived()
    found = analysis(hub, "title")
    assert found["arms"] == {arm: list(arms.values()).count(arm) for arm in ("control", "bold")}
    assert not found["sample_ratio"]["alarm"]
    yes, spend, orders = found["metrics"]
    assert (yes["name"], yes["arm"], yes["guardrail"]) == ("yes", "bold", False)
    assert [yes["control_value"], yes["value"]] == pytest.approx([0.25, 0.5], abs=0.02)
    assert yes["verdict"] == "better"
    assert (spend["name"], spend["guardrail"]) == ("spend", True)
    paid = [11.0 + k % 3 for k in range(300)]
    for arm, key in (("control", "control_value"), ("bold", "value")):
        mine = [paid[int(name[1:])] for name, one in arms.items() if one == arm]
        assert spend[key] == pytest.approx(sum(mine) / len(mine))
        assert orders[key] == pytest.approx(sum(value > 11.5 for value in mine) / len(mine))


def test_the_forgotten_are_gone_and_others_stay() -> None:
    hub, arms = lived(60)
    gone = next(name for name, arm in arms.items() if arm == "bold")
    hub.forget(gone)
    found = analysis(hub, "title")
    assert found["arms"]["bold"] == list(arms.values()).count("bold") - 1


def test_no_such_experiment() -> None:
    hub, _ = lived(5)
    with pytest.raises(NotFound, match="did you mean `title`"):
        analysis(hub, "titel")


def test_the_command_asks_the_hub(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    write_project(shop, False)
    (shop / "lab.yaml").write_text(
        "metrics: [{name: bought, event: Order Completed}]\n"
        "experiments:\n"
        "  - name: price\n"
        "    metric: bought\n"
        "    arms: [{name: control}, {name: low, changes: {levers: {grow: 10}}}]\n"
    )
    (tmp_path / "spec.yaml").write_text("ledger: price\ncorrect: holm\n")
    run = CliRunner().invoke(app, ["lab", "analyze", str(tmp_path / "spec.yaml"), "--dir", str(shop), "--json"])
    assert run.exit_code == 0, run.output + str(run.exception)
    found = json.loads(run.stdout)
    assert found["arms"] == {"control": 0, "low": 0}
    assert found["metrics"][0]["verdict"] == "not enough data"
    assert found["metrics"][0]["p_adjusted"] is None


def test_nobody_changes_how_a_registered_test_is_read(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("ledger: price\nalpha: 0.2\ninference: fixed\n")
    with pytest.raises(BadCatalog) as bad:
        load_analysis(tmp_path / "spec.yaml")
    assert [str(p).partition("`")[2].partition("`")[0] for p in bad.value.problems] == ["alpha", "inference"]
