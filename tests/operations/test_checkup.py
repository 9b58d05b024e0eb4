"""The check of the operation on a hub: planted money, hours, leads, tools and experiments are found where they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opportune.catalog.types import Catalog
from opportune.clock import DAY, HOUR
from opportune.errors import BadRequest
from opportune.events.types import CampaignWork, Spent, ToolUsed
from opportune.hub import Hub
from opportune.lab.book import Run
from opportune.lab.look import Finding as Seen
from opportune.lab.look import Look
from opportune.measure.effect import Effect, Interval
from opportune.measure.sample_ratio import SampleRatio
from opportune.operations.health import Finding
from opportune.services.checkup import examine, measured_by
from opportune.services.laboratory import Laboratory
from opportune.services.toolbox import Toolbox
from opportune.store import open_store
from opportune.testing import START, FakeClock, tiny_action, tiny_catalog


def shop(**more: Any) -> Catalog:
    experiments = [
        {"name": f"e{n}", "metric": "yes", "campaign": f"c{n}", "arms": [{"name": "control"}, {"name": "bold"}]}
        for n in range(4)
    ]
    return tiny_catalog(**{
        "metrics": [{"name": "yes", "outcome": "accept"}],
        "experiments": experiments,
        "actions": [
            tiny_action(f"a{n}", campaign=f"c{n}", cost=0.5, issue="grow" if n else "retain") for n in range(6)
        ],
        "tools": [
            {"name": "mailer", "category": "email", "cost": {"per_seat": 10}, "seats": 4},
            {"name": "ended", "category": "fax", "cost": {"month": 1000}, "contract": {"until": "2026-01-02"}},
        ],
        **more,
    })  # fmt: skip


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START + 100 * DAY)


@pytest.fixture
def hub(clock: FakeClock) -> Iterator[Hub]:
    with Hub.of(shop(), clock=clock) as hub:
        yield hub


def checks(hub: Hub) -> dict[str, Finding]:
    return {one.check: one for one in examine(hub)}


def number(finding: Finding, name: str) -> float | None:
    return next(one.value for one in finding.evidence if one.name == name)


def test_an_empty_hub_knows_nothing_and_says_how_to_send_it(hub: Hub) -> None:
    found = examine(hub)
    assert {one.status for one in found} == {"unknown"}
    assert len(found) == 5
    assert all(one.missing and one.cure for one in found)
    with Hub(open_store("memory:")) as bare, pytest.raises(BadRequest, match="no catalog is live"):
        examine(bare)


def test_money_hours_contacts_and_leads_are_counted_once(hub: Hub, clock: FakeClock) -> None:
    now = clock.now()
    with hub.group():
        facts: list[Any] = [
            Spent(now, "c4", "e1", "committed", 500.0), Spent(now, "c4", "e1", "spent", 80.0),
            Spent(now, "c5", "e1", "spent", 20.0),
        ]  # fmt: skip
        facts += [CampaignWork(now - 40 * DAY, "c4", "hours", "build", "ana", hours=h, entry="h1") for h in (9.0, 6.0)]
        facts += [CampaignWork(now, "c4", "hours", "build", "ana", hours=2.0, entry="h2")]
        facts += [CampaignWork(now, "c4", "task", "text", "ana", hours=50.0)]
        hub.learner.append(facts)
    contacts = 0
    for n in range(20):
        answer = hub.decide(f"maya{n}", placement="app.home")
        for one in answer.actions:
            hub.respond(answer.decision_id or "", one.action, "impression")
            hub.respond(answer.decision_id or "", one.action, "impression")
            contacts += 1
    assert contacts > 10
    found = checks(hub)
    spend = found["roi-unmeasured"]
    assert number(spend, "spend") == pytest.approx(80 + 20 + 0.5 * contacts), "the last of an entry, and the contacts"
    assert number(spend, "unmeasured") == 1.0
    assert spend.rows[0]["campaign"] == "c4"
    work = found["work-does-not-scale"]
    [row] = work.rows
    assert (row["campaign"], row["hours"]) == ("c4", 8.0)


def test_a_holdout_measures_what_the_hub_says_and_no_more(clock: FakeClock) -> None:
    held = {"holdouts": [{"name": "control", "on": ["all"], "share": 0.05}], "model": {"holdout_share": 0.05}}
    for more in ({"holdouts": held["holdouts"]}, {"model": held["model"]}):
        with Hub.of(shop(**more), clock=clock) as hub:
            with hub.group():
                hub.learner.append([Spent(clock.now(), name, "e", "spent", 50.0) for name in ("c4", "billboards")])
            found = checks(hub)["roi-unmeasured"]
        assert (number(found, "unmeasured"), found.rows) == (0.5, ({"campaign": "billboards", "amount": 50.0},))
        assert found.cure == "give billboards an experiment"


def test_hand_over_to_sales(hub: Hub, clock: FakeClock) -> None:
    def say(user: str, event: str, at: int) -> None:
        clock.at = max(clock.at, at)
        hub.ingest({"type": "track", "userId": user, "event": event})

    begin = clock.now()
    say("lead11", "Lead Accepted", begin)  # before the hand-over: that is no answer to it
    for n in range(12):
        say(f"lead{n}", "Lead Created", begin)
        say(f"lead{n}", "Lead Handed Over", begin + n * HOUR)
    for n in range(9):
        say(f"lead{n}", "Lead Accepted", begin + (20 + n) * HOUR)
    clock.at = begin + 30 * DAY
    found = checks(hub)["sales-apart"]
    assert number(found, "handed_over") == 12
    assert number(found, "never_accepted") == 0.25
    assert number(found, "median_wait") == 20.0
    assert number(found, "waiting") == 3


def test_idle_tools(hub: Hub, clock: FakeClock) -> None:
    use = ToolUsed(clock.now(), "mailer", "ana")
    Toolbox(hub).use([ToolUsed(use.at, tool, use.person, uses=uses, entry=f"{tool} {uses}")
                      for tool, uses in (("mailer", 1), ("ended", 0))])  # fmt: skip
    found = checks(hub)["idle-tools"]
    assert (found.status, number(found, "idle_cost"), number(found, "cost")) == ("ill", 30.0, 40.0)


def test_uneven_results_are_those_of_runs_that_are_over(hub: Hub, clock: FakeClock) -> None:
    for n, log_ratio in enumerate((0.6, 0.0, -0.5, 9.0)):
        run = Run(f"e{n}", clock.now(), "plan", ("control", "bold"), "yes", "down" if n == 2 else "up", "ana", 0, 0,
                  outcome="running" if n == 3 else "stopped", catalog=hub.published)  # fmt: skip
        effect = Effect((900, 900), 0.1, 0.1, 0.0, Interval(-1, 1), None, None, 0.5, 0.1, log_ratio, 0.05)
        look = Look(run.experiment, run.started, clock.now(), {}, 0, SampleRatio(1.0, False),
                    (Seen("yes", "bold", False, "up", effect, "better"),))  # fmt: skip
        with hub.group():
            Laboratory(hub).book.put(run)
            Laboratory(hub).book.add(look)
    found = checks(hub)["uneven-results"]
    assert found.status == "ill"
    assert [row["campaign"] for row in found.rows] == ["c0", "c2", "c1"], "down is good to c2; e3 still runs"
    assert checks(hub)["roi-unmeasured"].status == "unknown"


def test_what_measures_a_campaign() -> None:
    started = {"e1": ["c1"]}
    plain = shop()
    assert measured_by(plain, "c1", started) == "e1"
    assert measured_by(plain, "c2", started) == "", "its experiment was never started"
    assert measured_by(plain, "", started) == ""
    held = {"holdouts": [{"name": "control", "on": ["all"], "share": 0.05}]}
    assert measured_by(shop(**held), "gone", {}) == "control"
    part = {"holdouts": [{"name": "part", "on": ["grow"], "share": 0.05}]}
    assert measured_by(shop(**part), "c2", {}) == "part"
    assert measured_by(shop(**part), "c0", {}) == "", "it is of another issue"
    assert measured_by(shop(**part), "gone", {}) == ""
    assert measured_by(shop(model={"holdout_share": 0.05}), "c0", {}) == "holdout"


def test_months_and_campaigns_of_tables_that_were_made_elsewhere(tmp_path: Path) -> None:
    """Parquet with just the columns that a check reads: months that are over, entries once, contacts once."""
    import duckdb

    from opportune.figures.tables import opened
    from opportune.operations import health_tables as counted
    from opportune.operations.health_work import Effort

    work = """SELECT * FROM (VALUES
        (1, TIMESTAMP '2026-01-10', 'a', 'hours', 4.0, 'x'), (2, TIMESTAMP '2026-01-11', 'a', 'hours', 5.0, 'x'),
        (3, TIMESTAMP '2026-01-31 23:59:59', 'b', 'hours', 1.0, ''), (4, TIMESTAMP '2026-02-01', 'b', 'hours', 2.0, ''),
        (5, TIMESTAMP '2026-02-01', 'b', 'approval', 9.0, ''), (6, TIMESTAMP '2026-03-01', 'a', 'hours', 7.0, 'y')
    ) t(seq, "at", campaign, what, hours, entry)"""
    contacts = """SELECT 10 + i AS seq, TIMESTAMP '2026-01-20' + INTERVAL (i // 2) DAY AS "at", 'd' || (i // 2) AS
        decision_id, 'x' AS action, 'a' AS campaign, 0.5 AS cost FROM range(40) r(i)"""
    for name, query in (("work", work), ("contacts", contacts)):
        (tmp_path / name).mkdir()
        duckdb.sql(query).write_parquet(str(tmp_path / name / "1.parquet"))
    march = START + 60 * DAY
    with opened(tmp_path) as (tables, _):
        took = counted.counts(tables, march)
        assert took.months == [Effort("2026-01", 6.0, 12), Effort("2026-02", 2.0, 8)]
        assert took.campaigns == [Effort("a", 12.0, 20), Effort("b", 3.0, 0)]
        assert took.spent == {"a": 10.0}
        assert (counted.leads(tables), counted.handed_over(tables, march)) == (0, [])


def test_the_tables_beside_a_store_are_brought_up_to_date(tmp_path: Path, clock: FakeClock) -> None:
    with Hub.of(shop(), store=f"sqlite:///{tmp_path / 'hub.db'}", clock=clock) as hub:
        assert checks(hub)["roi-unmeasured"].status == "unknown"
        with hub.group():
            hub.learner.append([Spent(clock.now(), "c4", "e1", "spent", 5.0)])
        assert number(checks(hub)["roi-unmeasured"], "spend") == 5.0
        assert (tmp_path / "hub.db.tables").is_dir()
