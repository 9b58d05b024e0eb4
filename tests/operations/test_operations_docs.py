"""The pages on tools and on the health of the operation: what they show runs, their bounds are those of the code."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path
from typing import Any

import pytest

from opportune.api.local import Local
from opportune.catalog import check, load
from opportune.client import Client
from opportune.hub import Hub
from opportune.operations import health_sales, health_spend, health_tools, health_work
from opportune.testing import START, FakeClock

DOCS = Path(__file__).parents[2] / "docs"
TOOLS, HEALTH = ((DOCS / name).read_text("utf-8") for name in ("tools.md", "health.md"))


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", TOOLS, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["tools.md", "health.md"])
def test_the_examples_run(page: str) -> None:
    found = doctest.testfile(str(DOCS / page), module_relative=False)
    assert found.attempted >= 6
    assert not found.failed


def test_the_catalog_goes_live_and_takes_the_uses_that_are_shown(tmp_path: Path) -> None:
    from opportune.cli.tools import _pages
    from opportune.testing import tiny_action

    [catalog] = blocks("yaml")
    (tmp_path / "tools.yaml").write_text(catalog, "utf-8")
    rest = {"currency": "EUR", "time_zone": "UTC", "placements": [{"name": "app.home", "channel": "app"}],
            "actions": [tiny_action("hello")], "people": [{"name": n} for n in ("ana", "bob", "cho")]}  # fmt: skip
    (tmp_path / "hub.yaml").write_text(json.dumps(rest), "utf-8")
    assert [problem for problem in check(tmp_path) if not problem.warning] == []
    [rows] = blocks("csv")
    (tmp_path / "use.csv").write_text(rows, "utf-8")
    faults: list[dict[str, Any]] = []
    [(_, page)] = _pages(tmp_path / "use.csv", faults)
    [asked], [answer] = blocks("json POST /v1/tools/use"), blocks("json answer")
    hub = Hub.of(load(tmp_path), clock=FakeClock(START + 30 * 86_400_000_000))
    with Client("", "", Local(hub)) as client:
        assert client.use_tools([use for _, use in page]).taken == 2
        assert not faults
        status, told = client._transport.send("POST", "/v1/tools/use", asked.encode())
        assert (status, json.loads(told)) == (200, json.loads(answer))
        assert [one.tool for one in client.tool_trials()] == ["writer"]


def test_the_bounds_are_those_of_the_code() -> None:
    plain = " ".join(HEALTH.split())
    for bound in (f"above {health_spend.ILL:.0%} | above {health_spend.WATCH:.0%}",
                  f"surely above {health_tools.ILL:.0%} | above {health_tools.WATCH:.0%}",
                  f"surely longer than {health_sales.SLOW:.0f} h",
                  f"surely within {health_sales.QUICK:.0f} h, and surely at most {health_sales.LOST:.0%}",
                  "elasticity surely above .5", "It takes five campaigns", "It takes ten leads"):  # fmt: skip
        assert bound.replace("%", " %") in plain, bound
    assert (health_work.HALF, health_work.LEAST, health_sales.LEAST) == (0.5, 5, 10)


def test_every_endpoint_is_named() -> None:
    from opportune.api import health_check, tools

    for endpoint in (*tools.ENDPOINTS, *health_check.ENDPOINTS):
        assert endpoint.path in TOOLS + HEALTH
