"""The page on reports: its YAML goes live, its commands and paths are there, its numbers are those of the code."""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path

from opportune.api.reports import ENDPOINTS
from opportune.catalog import check, load
from opportune.catalog.report_types import PARTS
from opportune.cli.report import report
from opportune.client import Client
from opportune.clock import HOUR, MINUTE
from opportune.reports.plans import BUILT_IN
from opportune.services.reporting import RETRIES

PAGE = (Path(__file__).parents[2] / "docs" / "reports.md").read_text("utf-8")


def test_its_catalog_goes_live(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        (tmp_path / f"{number}.yaml").write_text(block, "utf-8")
    (tmp_path / "hub.yaml").write_text("currency: EUR\ntime_zone: UTC\n", "utf-8")
    assert [str(problem) for problem in check(tmp_path) if not problem.warning] == []
    catalog = load(tmp_path)
    assert (catalog.reports[0].minute, catalog.reports[0].weekday) == (510, 1)
    assert [target.key for target in catalog.targets] == ["budget by campaign=spring", "roi", "velocity"]


def test_its_commands_paths_and_methods_are_there() -> None:
    commands = {command.name for command in report.registered_commands}
    used = set(re.findall(r"^opportune report (\w+)", PAGE, re.MULTILINE)) - {plan.name for plan in BUILT_IN}
    assert used <= commands
    assert commands - used == {"make"}
    paths = {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    told = {(method, path) for method, path in re.findall(r"`(GET|POST) (/v1/[\w{}/-]+)", PAGE)}
    assert told | {("POST", "/v1/figure-alerts")} == paths | {("POST", "/v1/figure-alerts")}
    for name, arguments in re.findall(r"client\.(\w+)\(([^)]*)\)", PAGE):
        known = signature(getattr(Client, name)).parameters
        assert all(one in known for one in re.findall(r"(\w+)=", arguments))


def test_its_numbers_are_those_of_the_code() -> None:
    assert RETRIES == (5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR)
    for part in ("campaigns", "lab", "attribution", "care", "sending", "figures"):
        assert part in PARTS
        assert f"`{part}`" in PAGE
    for plan in BUILT_IN:
        assert f"`{plan.name}` for each `{plan.role}`" in PAGE
        assert plan.minute == 7 * 60
