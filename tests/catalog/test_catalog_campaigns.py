"""People, processes and campaigns in the catalog: what is read, written back, and said of every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opportune.catalog import Catalog, check, from_bytes, load, to_bytes
from opportune.catalog.campaign_types import CHECKS, DEFAULT, BudgetLine, Campaign, Person, Task, process_of
from opportune.errors import BadCatalog
from opportune.operations import checks
from opportune.testing import tiny_action, tiny_catalog

BASE = """\
currency: EUR
time_zone: Europe/Berlin
placements: [{name: app.home, channel: app, price: 0}]
"""


def told(tmp_path: Path, text: str) -> list[str]:
    """Return what is said of a file, without its base, by line of the text."""
    (tmp_path / "a.yaml").write_text(BASE + text, "utf-8")
    found = [p for p in check(tmp_path) if not p.warning]
    return [f"{p.line - 3}:{p.column}: {p.what}; {p.cure}" for p in found]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BASE + """\
people: [{name: Ana Müller, role: owner, team: growth, email: ana@example.com}, {name: 李雷}]
processes:
  - {name: short, stages: [{name: idea}, {name: live, checks: [owner, someone_elses_approval]}]}
metrics: [{name: orders, event: Order Completed}]
hypotheses: [{name: bold, claim: a, because: b, metric: orders, expected: .1}]
campaigns:
  - name: spring
    title: Spring is here
    goal: {metric: roi, target: 1.5}
    owner: Ana Müller
    brief: |
      Two lines
      of it
    hypothesis: bold
    process: short
    starts: 2026-03-29
    ends: 2026-04-05T12:00:00Z
    tasks: [{name: Write the texts, owner: 李雷, due: 2026-03-01, hours: 6}, {name: Print}]
    budget: {lines: [{line: print, month: 2026-04, planned: 5}, {line: ads, month: 2026-03, planned: 10.5}]}
    tags: [b, a]
  - {name: season, template: true, budget: {planned: 0}}
""", "utf-8")  # fmt: skip
    catalog = load(tmp_path)
    season, spring = catalog.campaigns
    assert catalog.people == (Person("Ana Müller", "owner", "growth", "ana@example.com"), Person("李雷"))
    assert (season.template, season.planned, season.lines) == (True, 0.0, ())
    assert spring.lines == (BudgetLine("ads", "2026-03", 10.5), BudgetLine("print", "2026-04", 5.0))
    assert (spring.planned, spring.tags, spring.metric, spring.target) == (15.5, ("a", "b"), "roi", 1.5)
    assert spring.starts == 1_774_738_800_000_000  # midnight in Berlin
    assert spring.tasks == (Task("Print"), Task("Write the texts", "李雷", 1_772_319_600_000_000, 6.0))
    assert process_of(catalog.processes, spring.process).position("live") == 1
    assert process_of(catalog.processes, "") is DEFAULT
    assert from_bytes(to_bytes(catalog)) == catalog


def test_a_catalog_without_them_is_as_it_was() -> None:
    assert b"campaigns" not in to_bytes(tiny_catalog())
    assert {*checks._LOOKS} == {*CHECKS}
    assert {check for stage in DEFAULT.stages for check in stage.checks} == {*CHECKS}


def test_a_default_of_ones_own_takes_the_place_of_the_built_in_one() -> None:
    catalog = tiny_catalog(processes=[{"name": "default", "stages": [{"name": "a"}, {"name": "b"}]}])
    assert [stage.name for stage in process_of(catalog.processes, "").stages] == ["a", "b"]


@pytest.mark.parametrize(("text", "says"), [
    ("people: [{name: ana}, {name: Ana}]\n", "1:30: there is a person `Ana` already; rename one of them"),
    ("people: [{name: ana, mail: x}]\n", "1:22: unknown key `mail` in person `ana`; did you mean `email`?"),
    ("people: [{name: ana, email: nowhere}]\n", "1:29: `email` of person `ana` is `nowhere`, must be an address"),
    ("people: [{role: x}]\n", "1:10: this person has no `name`; add `name:`"),
    ("processes: [{name: p, stages: [{name: a, checks: [owner]}, {name: b}]}]\n",
     "1:50: process `p` begins in `a`, so its checks would never be asked for; move them to the stage after it"),
    ("processes: [{name: p, stages: [{name: a}, {name: a}]}]\n", "1:50: duplicate stage `a`"),
    ("processes: [{name: p, stages: [{name: a}, {name: b, checks: [onwer]}]}]\n",
     "1:62: unknown check `onwer` in stage `b`; did you mean `owner`?"),
    ("processes: [{name: p, stages: []}]\n", "1:31: process `p` has no stages; name two at least"),
    ("campaigns: [{name: s, process: shrot}]\n", "1:32: unknown process `shrot` in campaign `s`; known: default"),
    ("people: [{name: ana}]\ncampaigns: [{name: s, owner: anna}]\n",
     "2:30: `anna` in campaign `s` is none of `people`; did you mean `ana`?; or add them"),
    ("people: [{name: ana}]\ncampaigns: [{name: s, tasks: [{name: t, owner: bo}]}]\n",
     "2:48: `bo` in task `t` is none of `people`"),
    ("campaigns: [{name: s, hypothesis: h}]\n", "1:35: unknown hypothesis `h` in campaign `s`; none is declared"),
    ("campaigns: [{name: s, experiments: [e]}]\n", "1:37: unknown experiment `e` in campaign `s`; none is declared"),
    ("campaigns: [{name: s}, {name: s}]\n", "1:31: duplicate campaign `s`"),
    ("campaigns: [{name: s, starts: 2026-02-01, ends: 2026-02-01}]\n",
     "1:31: `starts` of campaign `s` is not before `ends`; the end is outside"),
    ("campaigns: [{name: s, starts: soon}]\n", "1:31: `starts` of campaign `s` is `soon`, must be a date or time"),
    ("campaigns: [{name: s, goal: {metric: orders}}]\n", "1:29: `goal` of campaign `s` has no `target`"),
    ("campaigns: [{name: s, goal: many}]\n", "1:29: `goal` of campaign `s` must be a mapping"),
    ("metrics: [{name: orders, event: x}]\ncampaigns: [{name: s, goal: {metric: order, target: 1}}]\n",
     "2:38: unknown metric `order` in `goal` of campaign `s`; did you mean `orders`?"),
    ("campaigns: [{name: s, budget: {planned: -1}}]\n", "1:41: `planned` of `budget` of campaign `s` is `-1`, must be"),
    ("campaigns: [{name: s, budget: {planned: 1, lines: [{line: a, planned: 2}]}}]\n",
     "1:41: the lines of `budget` of campaign `s` add up to 2, and `planned` is 1; leave `planned` out"),
    ("campaigns: [{name: s, budget: {lines: [{line: a, month: 2026-13, planned: 2}]}}]\n",
     "1:57: `month` of a line of `budget` of campaign `s` is `2026-13`, must be a month such as 2026-11"),
    ("campaigns: [{name: s, budget: {lines: [{line: a, planned: 1}, {line: a, planned: 1}]}}]\n",
     "1:39: line `a` twice in `budget` of campaign `s`; add them up"),
    ("campaigns: [{name: s, tasks: [{name: t}, {name: T}]}]\n", "1:49: there is a task `T` already"),
    ("campaigns: [{name: s, tasks: [do it]}]\n", "1:31: a task of campaign `s` must be a mapping"),
    ("campaigns: [{name: s, template: maybe}]\n", "1:33: `template` of campaign `s` is `maybe`, must be true or false"),
    ("campaigns: {s: {}}\n", "1:12: `campaigns` must be a list, not a mapping"),
    ("campaigns: [{name: 'a b'}]\n", "1:20: `a b` cannot name this campaign"),
])  # fmt: skip
def test_mistakes_are_told_where_they_are(tmp_path: Path, text: str, says: str) -> None:
    found = told(tmp_path, text)
    assert [one for one in found if one.startswith(says)], found


def test_actions_belong_to_campaigns_that_there_are() -> None:
    with pytest.raises(BadCatalog, match="action `hello` belongs to the template `always`"):
        tiny_catalog(campaigns=[{"name": "always", "template": True}])
    assert tiny_catalog(campaigns=[{"name": "other"}]).campaigns == (Campaign("other"),)


def test_an_action_of_no_campaign_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BASE + f"actions: [{tiny_action('hello', campaign='sprig')}]\n"
                                     "campaigns: [{name: spring}]\n", "utf-8")  # fmt: skip
    found = [str(p) for p in check(tmp_path) if p.warning]
    assert any("has no entry for `sprig` of action `hello`; did you mean `spring`?" in one for one in found), found


def test_much_and_odd_is_read() -> None:
    many: dict[str, Any] = {
        "people": [{"name": f"Person {k} 日本 👋"} for k in range(2000)],
        "campaigns": [{"name": f"c{k}", "owner": f"Person {k} 日本 👋", "brief": "x" * 10_000} for k in range(500)],
    }
    catalog: Catalog = tiny_catalog(**many)
    assert (len(catalog.people), len(catalog.campaigns)) == (2000, 500)
    for name in ("\ud800", "x" * 200, "a\nb", ""):
        with pytest.raises(BadCatalog):
            tiny_catalog(people=[{"name": name}])
    for campaign in ({"name": 7}, {"name": "a", "tasks": {"name": "t"}}, {"name": "a", "budget": 5},
                     {"name": "a", "budget": {"planned": float("1e300")}}, {"name": "a", "starts": "99999-01-01"},
                     {"name": "a", "tasks": [{"name": "t", "hours": "six"}]}, []):  # fmt: skip
        with pytest.raises(BadCatalog):
            tiny_catalog(campaigns=[campaign])
