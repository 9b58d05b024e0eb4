"""The page on campaigns: its catalog goes live, its commands run, and its tables leave nothing out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from opportune.api.campaigns import ENDPOINTS
from opportune.catalog import check
from opportune.catalog.campaign_types import CHECKS, DEFAULT
from opportune.cli import app
from opportune.cli.campaigns import campaign as commands

PAGE = (Path(__file__).parent.parent / "docs" / "campaigns.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

REST = """\
currency: EUR
time_zone: Europe/Berlin
placements: [{name: app.home, channel: app, price: 0}]
metrics: [{name: orders, event: Order Completed}]
hypotheses: [{name: reminders_help, claim: a, because: b, metric: orders, expected: .1}]
experiments: [{name: spring_test, hypothesis: reminders_help, arms: [{name: control}, {name: new}]}]
actions:
  - {name: hello, issue: grow, group: any, campaign: spring, owner: ana, benefit: Much, value: 1, cost: .1,
     outcomes: {positive: [accept], negative: [], window: 7d},
     treatments: [{name: card, channel: app, content: {title: Hello}}]}
"""


def test_what_is_written_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hub.yaml").write_text(REST, "utf-8")
    for kind, name, text in BLOCKS:
        if kind in ("yaml", "csv"):
            (tmp_path / (name or "campaigns.yaml")).write_text(text, "utf-8")
    assert [problem for problem in check(tmp_path) if not problem.warning] == []
    monkeypatch.chdir(tmp_path)
    told = dict[str, str]()
    for line in "".join(text for kind, _, text in BLOCKS if kind == "sh").splitlines():
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output, done.exception)
        told[" ".join(shlex.split(line)[2:4])] = done.output
    assert told["move spring"] == "spring: idea -> build.\n"
    assert "moved to build" in told["history spring"]
    assert told["spend --file"] == "2 entered; 0 were known as they are.\n"
    assert "0.00 committed, 1,400.50 spent of 5,000.00" in told["show spring"]
    assert "2027-W09 from 2027-03-01: spring" in told["calendar --from"]
    assert (tmp_path / "campaign_summer.yaml").exists()
    assert [problem for problem in check(tmp_path) if not problem.warning] == []


def test_the_tables_say_all_there_is() -> None:
    for name in CHECKS:
        assert f"`{name}`" in PAGE
    for stage in DEFAULT.stages:
        asked = ", ".join(f"`{name}`" for name in stage.checks)
        assert f"| `{stage.name}` | {asked} |".replace("  ", " ") in PAGE
    for endpoint in ENDPOINTS:
        assert f"`{endpoint.method} {endpoint.path}" in PAGE
    for command in commands.registered_commands:
        assert f"opportune campaign {command.name}" in PAGE or command.name == "new"
