"""Metrics, hypotheses, experiments and holdouts in the catalog: what is wrong is told where it stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opportune.catalog import from_data, load
from opportune.catalog.build import check, from_bytes, to_bytes, to_data
from opportune.catalog.types import Catalog
from opportune.catalog.variants import PARTS, variant
from opportune.clock import DAY
from opportune.decide.plan import Plan
from opportune.errors import BadCatalog
from opportune.testing import tiny_action, tiny_catalog

METRICS = [{"name": "yes", "outcome": "accept"}, {"name": "gone", "event": "Unsubscribed", "good": "down"}]


def experiment(changes: Any = None, name: str = "test", **more: Any) -> dict[str, Any]:
    arms = [{"name": "control"}, {"name": "bold", **({"changes": changes} if changes is not None else {})}]
    return {"name": name, "metric": "yes", "arms": arms, **more}


def shop(*experiments: dict[str, Any], **more: Any) -> Catalog:
    data = {
        "traits": [{"name": "age", "type": "number"}, {"name": "plan", "type": "text"}],
        "actions": [tiny_action("hello"), tiny_action("other", value="age / 2"), tiny_action("new", off=True)],
        "situations": [{"name": "old", "when": "age > 90", "silences": ["grow"]}],
        "triggers": [{"name": "later", "on": "Cart Left", "wait": "1h", "placement": "app.home"}],
        "contact": [{"name": "week", "on": "all", "at_most": 9, "in": "7d"}],
        "metrics": METRICS,
        "experiments": list(experiments),
    }
    return tiny_catalog(**{**data, **more})


def told(*experiments: dict[str, Any], **more: Any) -> list[str]:
    with pytest.raises(BadCatalog) as caught:
        shop(*experiments, **more)
    return [str(problem) for problem in caught.value.problems]


LAB: dict[str, Any] = {
    "metrics": [
        *METRICS,
        {"name": "spend", "kind": "mean", "event": "Order Completed", "of": "revenue", "where": "revenue > 0",
         "within": "7d", "covariate": "age", "winsorize": 0.99},
        {"name": "per", "kind": "ratio", "event": "Order Completed", "of": "revenue", "per": "items"},
    ],
    "hypotheses": [
        {"name": "short", "claim": "Shorter is better", "because": "Nobody reads", "metric": "yes", "expected": 0.1,
         "guardrails": ["gone"], "prior": {"mean": 0.02, "sd": 0.1}, "owner": "ana", "tags": ["tone"]},
        {"name": "shorter", "claim": "Even shorter", "because": "So far so good", "metric": "yes", "expected": -0.05,
         "smallest": 0.01, "parent": "short", "audience": "age > 20"},
    ],
    "holdouts": [
        {"name": "control", "on": ["all"], "share": 0.05, "rotate": "90d", "washout": "14d"},
        {"name": "mails", "on": ["grow/any", "hypothesis/short"], "share": 0.1},
    ],
}  # fmt: skip


def test_what_is_read_is_written_back() -> None:
    one = experiment({"levers": {"grow": 20}}, hypothesis="short", metric=None, layer="home", share=0.5, planned=4000,
                     audience="plan = 'gold'", expires="180d", harm=0.2, inference="fixed",
                     **{"from": "2026-01-02", "until": "2026-03-01"})  # fmt: skip
    catalog = shop(one, experiment({"model": {"explore": "greedy"}}, "other", layer="home", share=0.5), **LAB)
    assert from_bytes(to_bytes(catalog)) == catalog
    assert from_data(to_data(catalog)) == catalog
    short, shorter = catalog.hypotheses
    assert (short.smallest, shorter.smallest, short.prior_mean, shorter.prior_sd) == (0.05, 0.01, 0.02, 0.2)
    other, test = catalog.experiments
    assert (test.metric, test.guardrails, test.lane, other.lane) == ("yes", ("gone",), "home", "home")
    assert catalog.holdouts[0].rotate == 90 * DAY
    assert shop(one, **LAB).hash != shop({**one, "harm": 0.3}, **LAB).hash


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"metrics": [{"name": "yes"}]}, "metric `yes` counts nothing, or two things"),
        ({"metrics": [{"name": "yes", "outcome": "acept"}]}, "no action has the outcome `acept`; did you mean"),
        ({"metrics": [*METRICS, {"name": "m", "kind": "mean", "event": "Order"}]}, "metric `m` has no `of`"),
        ({"metrics": [*METRICS, {"name": "m", "event": "Order", "covariate": "plan"}]}, "`plan` is no trait or"),
        ({"hypotheses": [{**LAB["hypotheses"][0], "metric": "yess"}]}, "unknown metric `yess`"),
        ({"hypotheses": [{**LAB["hypotheses"][0], "parent": "short"}]}, "`short` from `short`: a circle"),
        ({"hypotheses": [{**LAB["hypotheses"][0], "parent": "shorter"}, LAB["hypotheses"][1]]}, "a circle"),
        ({"hypotheses": [{**LAB["hypotheses"][0], "audience": "hour > 3"}]}, "`hour`, which belongs to a request"),
        ({"holdouts": [{"name": "h", "on": ["channel/fax"], "share": 0.1}]}, "unknown scope `channel/fax`"),
        ({"holdouts": [{"name": "h", "on": ["all"], "share": 0.6, "rotate": "7d"}]}, "twice in a row"),
        ({"holdouts": [{"name": "h", "on": ["all"], "share": 0.1, "washout": "7d"}]}, "nobody leaves holdout `h`"),
        ({"experiments": [experiment(metric=None)]}, "experiment `test` has no metric"),
        ({"hypotheses": [{**LAB["hypotheses"][0], "guardrails": ["yes"]}]}, "`yes` of hypothesis `short` is its own"),
        ({"experiments": [experiment(metric="gone", guardrails=["gone"])]}, "`gone` of experiment `test` is its own"),
        ({"experiments": [{**experiment(), "arms": [{"name": "control"}]}]}, "experiment `test` has one arm"),
        ({"experiments": [experiment(share=0.6, layer="x"), experiment(None, "two", share=0.6, layer="x")]},
         "the experiments of layer `x` take 1.2 of the customers together"),
        ({"experiments": [experiment(audience="age > 5 AND age < 3")]}, "this condition can never be true"),
        ({"experiments": [experiment(**{"from": "2026-02-01", "until": "2026-01-01"})]}, "ends before it starts"),
        ({"model": {"arms": {"propensity": 0.4, "no_levers": 0.4}}}, "more than half of the customers"),
        ({"model": {"random_share": 0.1, "arms": {"random": 0.2}}}, "both `random_share` and `random`"),
    ],
)  # fmt: skip
def test_mistakes_are_told(more: dict[str, Any], what: str) -> None:
    assert any(what in line for line in told(**more)), told(**more)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"traits": [{"name": "x", "type": "text"}]}, "an arm cannot change `traits`"),
        ({"actions": [{"name": "hallo", "lever": 1}]}, "there is no `hallo` in `actions` to change"),
        ({"actions": [{"name": "hello", "issue": "retain"}]}, "an arm cannot change `issue` of `hello`"),
        ({"actions": [{"name": "hello", "eligible": "ago > 3"}]}, "did you mean `age`"),
        ({"actions": [{"name": "hello", "eligible": "age > 3 AND age < 1"}]}, "this condition can never be true"),
        ({"actions": [{"name": "hello", "treatments": [{"name": "card", "channel": "fax"}]}]}, "unknown channel `fax`"),
        ({"placements": [{"name": "app.home", "channel": "email"}]}, "an arm cannot change `channel` of `app.home`"),
        ({"triggers": [{"name": "later", "on": "Tea Bought"}]}, "an arm cannot change `on` of `later`"),
        ({"situations": [{"name": "old", "when": "age > 1"}]}, "an arm cannot change `when` of `old`"),
        ({"levers": {"grow": 700}}, "`levers.grow` of"),
        ({"levers": {"grwo": 7}}, "unknown scope `grwo`"),
        ({"model": {"predictor": "naive_bayes"}}, "an arm cannot change `predictor` of `model`"),
        ({"decisions": "hub"}, "`decisions` cannot be `hub`"),
        ({"contact": [{"name": "fresh", "on": "nowhere", "at_most": 1, "in": "1d"}]}, "unknown scope `nowhere`"),
    ],
)
def test_mistakes_of_an_arm_are_told_of_that_arm(changes: Any, what: str) -> None:
    lines = told(experiment(changes))
    assert any(what in line and "in arm `bold` of experiment `test`" in line for line in lines), lines


def test_mistakes_of_an_arm_stand_where_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(
        "currency: EUR\ntime_zone: UTC\nplacements: [{name: app.home, channel: app}]\n"
        "traits: [{name: age, type: number}]\n"
        "actions:\n- {name: hello, issue: grow, group: any, campaign: c, owner: ana, benefit: b,\n"
        "   treatments: [{name: card, channel: app, content: {title: A, body: Old}}]}\n"
        "metrics: [{name: yes, outcome: accept}]\n"
        "experiments:\n- name: test\n  metric: yes\n  arms:\n  - name: control\n  - name: bold\n    changes:\n"
        "      actions:\n      - name: hello\n        eligible: agee > 3\n"
    )
    (problem,) = [p for p in check(tmp_path) if not p.warning]
    assert (problem.line, problem.column) == (18, 19)
    text = (tmp_path / "shop.yaml").read_text()
    (tmp_path / "shop.yaml").write_text(text.replace("benefit: b", "benefit: b, lever: 500"))
    told = [(p.line, "in arm" in p.what) for p in check(tmp_path) if not p.warning]
    assert told == [(6, False), (18, True)], "each once, whatever else is wrong"
    (tmp_path / "shop.yaml").write_text(text)
    text = (tmp_path / "shop.yaml").read_text()
    (tmp_path / "long.txt").write_text("New")
    told_of = "treatments: [{name: card, content: {title: null, body_file: long.txt}}]"
    (tmp_path / "shop.yaml").write_text(text.replace("eligible: agee > 3", told_of))
    assert check(tmp_path) == []
    catalog = load(tmp_path)
    assert variant(catalog, {"test": "bold"}).actions[0].treatments[0].content == {"body": "New"}
    before = catalog.hash
    (tmp_path / "long.txt").write_text("Newer")
    assert load(tmp_path).hash != before


EVERYTHING: dict[str, Any] = {
    "actions": [
        {"name": "hello", "value": 3, "lever": 10, "eligible": "age > 1", "treatments": [
            {"name": "fresh", "channel": "app", "placements": ["app.*"], "content": {"title": "Fresh"}},
            {"name": "card", "content": {"title": "Other", "more": ["a"]}}]},
        {"name": "other", "value": None, "off": True}, {"name": "new", "off": None},
    ],
    "placements": [{"name": "app.home", "price": 2}],
    "situations": [{"name": "old", "silences": [], "raises": {"grow": 5}}],
    "triggers": [{"name": "later", "wait": "2h"}],
    "contact": [{"name": "week", "at_most": 2}, {"name": "day", "on": "all", "at_most": 1, "in": "1d"}],
    "levers": {"grow": 20},
    "context_weights": [{"on": "grow", "when": "age > 3", "percent": 10}],
    "model": {"explore": "greedy", "ramp": 0},
    "blocks": {"bye": "Yours"},
}  # fmt: skip


def test_a_variant_is_the_catalog_that_says_so_itself() -> None:
    base = shop(experiment(EVERYTHING))
    found = variant(base, {"test": "bold"})
    actions = [
        tiny_action("hello", value=3, lever=10, eligible="age > 1", treatments=[
            {"name": "fresh", "channel": "app", "placements": ["app.*"], "content": {"title": "Fresh"}},
            {"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": "Other", "more": ["a"]}}]),
        {**tiny_action("other", off=True), "value": 1}, tiny_action("new"),
    ]  # fmt: skip
    more: dict[str, Any] = {**EVERYTHING, "actions": actions}
    more["placements"] = [{"name": "app.home", "channel": "app", "price": 2}]
    more["situations"] = [{"name": "old", "when": "age > 90", "raises": {"grow": 5}}]
    more["triggers"] = [{"name": "later", "on": "Cart Left", "wait": "2h", "placement": "app.home"}]
    more["contact"] = [{"name": "week", "on": "all", "at_most": 2, "in": "7d"}, EVERYTHING["contact"][1]]
    expected = to_data(shop(experiment(EVERYTHING), **more))
    assert to_data(found) == expected
    assert variant(base, {"test": "bold"}) == found
    assert found.hash != base.hash
    assert variant(base, {"test": "control"}) is base
    assert variant(base, {}) is base
    assert {*EVERYTHING} | {"outbound"} == {*PARTS}


def test_arms_of_several_experiments_lie_on_each_other_in_any_order() -> None:
    one = experiment({"actions": [{"name": "hello", "treatments": [{"name": "card", "content": {"title": "B"}}]}]})
    two = experiment({"actions": [{"name": "hello", "treatments": [{"name": "card", "content": {"image": "x"}}]}]}, "z")
    base = shop(one, two)
    both = variant(base, {"z": "bold", "test": "bold"})
    other = variant(base, {"test": "bold", "z": "bold"})
    assert both == replace(other, hash=both.hash)
    [content] = [a.treatments[0].content for a in both.actions if a.name == "hello"]
    assert content == {"title": "B", "image": "x"}
    assert len({variant(base, arms).hash for arms in ({}, {"z": "bold"}, {"test": "bold"})} | {both.hash}) == 4


def test_two_experiments_may_not_change_the_same_value_for_one_customer() -> None:
    one, two = experiment({"levers": {"grow": 5}}), experiment({"levers": {"grow": 9}}, "two")
    (line,) = told(one, two)
    assert "experiments `test` and `two` both change `levers.grow`" in line
    assert "layer: test" in line
    shop({**one, "layer": "x", "share": 0.5}, {**two, "layer": "x", "share": 0.5})
    # whoever was exposed to one stays in it when they come into the audience of the other
    assert any("both change" in line for line in told({**one, "audience": "age > 50"}, {**two, "audience": "age < 40"}))
    shop({**one, "until": "2026-02-01"}, {**two, "from": "2026-02-01"})
    whole = experiment({"actions": [{"name": "hello", "treatments": None}]}, "two")
    part = experiment({"actions": [{"name": "hello", "treatments": [{"name": "card", "content": {"title": "B"}}]}]})
    assert any("both change" in line for line in told(part, whole))


def test_plans_of_arms_have_the_positions_and_names_of_the_plan() -> None:
    changes = {**EVERYTHING, "actions": [*EVERYTHING["actions"][:1], {"name": "other", "value": "contacts_app_7d"}]}
    plan = Plan(shop(experiment(changes)))
    other = plan.under([("test", "bold")])
    assert other is plan.under([("test", "bold")])
    assert plan.under([("test", "control")]) is plan
    assert (other.position, other.inputs, other.keys) == (plan.position, plan.inputs, plan.keys)
    assert other.layout.names == plan.layout.names
    assert "contacts_app_7d" in plan.layout.slot
    assert plan.touched("test") is None
    card = {"name": "card", "content": {"a": "b"}}
    says = Plan(shop(experiment({"actions": [{"name": "hello", "treatments": [card]}]})))
    assert says.under([("test", "bold")]).program is says.program
    touched = says.touched("test")
    assert touched is not None
    assert touched.actions.tolist() == [says.position["hello"]]


def test_the_examples_of_the_docs_are_a_catalog(tmp_path: Path) -> None:
    docs = (Path(__file__).parents[2] / "docs" / "lab.md").read_text()
    section = docs.partition("## Experiments\n")[2].partition("\n## ")[0]
    blocks = [block.partition("```")[0] for block in section.split("```yaml\n")[1:]]
    assert len(blocks) == 3
    (tmp_path / "base.yaml").write_text(
        "currency: EUR\ntime_zone: UTC\nplacements: [{name: app.home, channel: app}]\n"
        "traits: [{name: tenure_months, type: number}, {name: spend_90d, type: number}]\n"
        "actions:\n- {name: keep_bundle, issue: retain, group: bundle, campaign: c, owner: ana, benefit: b,\n"
        "   treatments: [{name: hero, channel: app, content: {title: Please do stay with us}}]}\n"
        "hypotheses: [{name: friendly_words, claim: c, because: b, metric: accepted, expected: .1}]\n"
    )
    for number, block in enumerate(blocks):
        (tmp_path / f"block{number}.yaml").write_text(block)
    assert check(tmp_path) == []
    catalog = load(tmp_path)
    assert catalog.model == tiny_catalog().model
    assert variant(catalog, {"short_hero": "short"}).actions[0].treatments[0].content == {"title": "Stay"}
