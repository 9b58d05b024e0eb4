"""`opportune scores` as people use it: tables, leaks, mistakes with their place, and traits that V follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from opportune.cli import app
from opportune.errors import BadCatalog
from opportune.hub import Hub
from opportune.scores.answer import load_scores, of_table
from opportune.testing import FakeClock

SPEC = "data: people.csv\ncustomer: who\noutcome: left\ntrait: churn_risk\n"


def people(file: Path, count: int = 600, more: str = "") -> None:
    """Write customers: those of short tenure leave, and a reason is filled in when they do."""
    draw = np.random.default_rng(3)
    with file.open("w", encoding="utf-8") as lines:
        lines.write("who,tenure,plan,since,mail,exit_reason,left\n")
        for i in range(count):
            tenure = int(draw.integers(1, 60))
            left = draw.random() < 1 / (1 + np.exp(0.1 * (tenure - 15)))
            plan, reason = draw.choice(["basic", "plus"]), draw.choice(["price", "moved"]) if left else ""
            word = "" if i % 10 == 0 else "Yes" if left else "No"
            lines.write(f"{i:04},{tenure},{plan},2024-01-01,c{i}@example.com,{reason},{word}\n")
        lines.write(more)


def answer(folder: Path, spec: str = SPEC) -> dict[str, Any]:
    (folder / "spec.yaml").write_text(spec, "utf-8")
    return of_table(load_scores(folder / "spec.yaml"))


def test_scores_of_a_table(tmp_path: Path) -> None:
    people(tmp_path / "people.csv", more="0001,50,basic,2024-01-01,x,,No\n,9,basic,2024-01-01,y,,No\n")
    found = answer(tmp_path)
    assert (found["customers"], found["known"]) == (600, 540)
    assert found["dropped"] == {"without_a_customer": 1, "of_a_customer_who_has_another": 1}
    assert "filled in after the outcome" in found["left_out"]["exit_reason"]
    assert found["left_out"]["mail"] == "a text that hardly repeats"
    assert found["left_out"]["since"].startswith("a time")
    assert any("`exit_reason` is left out: filled in after" in warning for warning in found["warnings"])
    assert found["predictors"][0]["name"] == "tenure"
    assert found["auc"]["interval"][0] < found["auc"]["value"] < found["auc"]["interval"][1]
    assert 0.7 < found["auc"]["value"] < 0.95, "not as good as with what was filled in later"
    assert found["log_loss"]["value"] < found["log_loss"]["of_rate"]
    assert len(found["calibration"]["parts"]) == 10
    scores = {one["customer"]: one["score"] for one in found["scores"]}
    assert len(scores) == 600
    assert "0001" in scores, "leading zeros are part of a name"
    known = answer(tmp_path, SPEC + "known_before: [exit_reason]\n")
    assert known["auc"]["value"] > 0.98, "who says so is believed"


def test_others_are_scored_by_what_was_learned(tmp_path: Path) -> None:
    people(tmp_path / "people.csv")
    (tmp_path / "today.csv").write_text("plan,tenure,who\nbasic,2,new\nplus,55,old\nodd,,none\n")
    found = answer(tmp_path, SPEC + "apply: today.csv\n")
    scores = {one["customer"]: one["score"] for one in found["scores"]}
    assert scores.keys() == {"new", "old", "none"}
    assert scores["new"] > 0.6 > 0.2 > scores["old"]
    (tmp_path / "today.csv").write_text("tenure,who\n2,new\n")
    with pytest.raises(BadCatalog, match="has no column `plan`"):
        answer(tmp_path, SPEC + "apply: today.csv\n")


def test_the_order_of_rows_makes_no_difference(tmp_path: Path) -> None:
    people(tmp_path / "people.csv")
    one = answer(tmp_path, SPEC + "known_before: [exit_reason]\npredictors: [tenure, plan]\n")
    head, *rows = (tmp_path / "people.csv").read_text().splitlines()
    (tmp_path / "people.csv").write_text("\n".join([head, *rows[::-1]]))
    other = answer(tmp_path, SPEC + "known_before: [exit_reason]\npredictors: [tenure, plan]\n")
    assert one["scores"] == other["scores"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (SPEC.replace("left", "lft"), "3:10 there is no column `lft`; did you mean `left`?"),
        (SPEC.replace("who", "whom"), "2:11 there is no column `whom`; did you mean `who`?"),
        (SPEC + "predictors: [tenur]\n", "5:13 there is no column `tenur`; did you mean `tenure`?"),
        (SPEC + "predictors: [left]\n", "5:13 `left` is the outcome; a predictor is known before"),
        (SPEC.replace("churn_risk", "1st risk"), "4:8 `1st risk` cannot name a trait"),
        (SPEC + "event: X\n", "5:1 `event` is for `data: customers`; remove it"),
        (SPEC.replace("left", "plan"), "3:10 `plan` has no value that stands for yes; add `positive:`"),
        ("data: customers\nevent: X\n", "1:1 the scores spec has no `at`; add `at:`"),
        ("data: customers\nat: 2026-01-01\nevent: X\noutcome: y\n", "4:1 `outcome` is for a table; remove it"),
    ],
)
def test_mistakes_are_told_where_they_are(tmp_path: Path, spec: str, told: str) -> None:
    people(tmp_path / "people.csv", 60)
    with pytest.raises(BadCatalog) as caught:
        answer(tmp_path, spec)
    assert any(f"{p.line}:{p.column} {p.what}; {p.cure}".startswith(told) for p in caught.value.problems), caught.value


def test_too_few_have_a_reason_and_no_scores(tmp_path: Path) -> None:
    people(tmp_path / "people.csv", 60)
    found = answer(tmp_path)
    assert found["scores"] == []
    assert "it takes 50" in found["reason"]
    people(tmp_path / "people.csv", 0)
    with pytest.raises(BadCatalog, match="has no rows"):
        answer(tmp_path)


CATALOG = """
currency: EUR
time_zone: UTC
traits:
  - {name: churn_risk, type: number}
  - {name: clv, type: number}
  - {name: p_alive, type: number}
placements: [{name: app.home, channel: app, price: 0}]
actions:
  - name: stay
    issue: retain
    group: all
    value: clv * 0.05
    benefit: A lower price
    eligible: churn_risk > 0.5
    outcomes: {positive: [accept], negative: [reject], window: 7d}
    treatments: [{name: card, channel: app, placements: [app.home], content: {title: Stay}}]
"""


def test_written_traits_decide_whom_to_keep_and_what_it_is_worth(tmp_path: Path) -> None:
    people(tmp_path / "people.csv")
    draw = np.random.default_rng(5)
    with (tmp_path / "orders.csv").open("w") as lines:
        lines.write("who,day,paid\n")
        for one in range(600):
            at = int(draw.integers(0, 90))
            while at < 300:
                lines.write(f"{one:04},{np.datetime64('2025-01-01') + at},{draw.gamma(4, 8):.2f}\n")
                if draw.random() < 0.2:
                    break
                at += 1 + int(draw.exponential(10 + 60 * (one % 3)))
    (tmp_path / "churn.yaml").write_text(SPEC)
    (tmp_path / "clv.yaml").write_text("data: orders.csv\ncustomer: who\nat: day\nvalue: paid\n")
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "catalog.yaml").write_text(CATALOG)
    run = CliRunner().invoke
    found: dict[str, Any] = {}
    for command in ("scores", "clv"):
        spec, out = tmp_path / ("churn.yaml" if command == "scores" else "clv.yaml"), tmp_path / f"{command}.jsonl"
        made = run(app, [command, str(spec), "--write", str(out), "--json"])
        assert made.exit_code == 0, made.output
        found[command] = {one["customer"]: one for one in json.loads(made.stdout)["scores"]}
        for _ in range(2):  # the same file twice counts once
            taken = run(app, ["import", str(out), "--dir", str(shop), "--json"])
            assert taken.exit_code == 0, taken.output
        assert json.loads(taken.stdout)["rejected"] == 0
    by_risk = sorted(found["scores"].keys() & found["clv"].keys(), key=lambda who: found["scores"][who]["score"])
    safe, risky = by_risk[0], by_risk[-1]
    with Hub.open(shop, store=f"sqlite:///{shop}/.opportune/hub.db") as hub:
        kept = hub.decide(risky, placement="app.home").actions
        assert [one.action for one in kept] == ["stay"]
        assert kept[0].value == pytest.approx(0.05 * found["clv"][risky]["clv"], abs=1e-6)
        assert hub.decide(safe, placement="app.home").actions == []
        later = {"type": "identify", "userId": risky, "traits": {"clv": 1000}}
        hub.ingest(later)
        assert hub.decide(risky, placement="app.home").actions[0].value == 50, "V follows what is known"


def test_for_people(tmp_path: Path) -> None:
    people(tmp_path / "people.csv")
    (tmp_path / "spec.yaml").write_text(SPEC)
    told = CliRunner().invoke(app, ["scores", str(tmp_path / "spec.yaml")])
    assert told.exit_code == 0, told.output
    assert "600 customers, the outcome of 540 is known" in told.stdout
    assert "Of customers left out: area 0." in told.stdout
    assert "and 590 more: see --json, or --write" in told.stdout


def test_leads_without_what_was_filled_in_after_the_sale(data_folder: Path, tmp_path: Path) -> None:
    file = data_folder / "leads.csv.gz"
    if not file.exists():
        pytest.skip(f"{file.name} is not in {data_folder}")
    found = answer(tmp_path, f"data: {file}\ncustomer: Prospect ID\noutcome: Converted\n")
    leaking = {"Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity"}
    assert leaking <= found["left_out"].keys()
    assert 0.86 < found["auc"]["value"] < 0.89
    few = f"data: {file}\ncustomer: Prospect ID\noutcome: Converted\npredictors: [Tags, Lead Origin, Lead Source]\n"
    assert answer(tmp_path, few + "known_before: [Tags]\n")["auc"]["value"] > 0.93, "what comes after tells all"


def test_a_clock_is_needed_to_write_only(tmp_path: Path) -> None:
    from opportune.clock import format_instant
    from opportune.scores.answer import traits

    people(tmp_path / "people.csv")
    at = format_instant(FakeClock().now())
    events = list(traits(answer(tmp_path), at))
    assert len({event["messageId"] for event in events}) == 600
    assert all(event["timestamp"] == at and 0 <= event["traits"]["churn_risk"] <= 1 for event in events)
