"""Tools in the catalog: what is read is written back, and what is wrong is told where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opportune.catalog import from_data
from opportune.catalog.build import check, from_bytes, to_bytes, to_data
from opportune.catalog.types import Catalog
from opportune.clock import DAY
from opportune.errors import BadCatalog
from opportune.testing import tiny_catalog

LAB = {
    "metrics": [{"name": "yes", "outcome": "accept"}],
    "experiments": [{"name": "race", "metric": "yes", "arms": [{"name": "control"}, {"name": "bold"}]}],
}
MAILER: dict[str, Any] = {
    "name": "mailer", "category": "email", "owner": "ana",
    "cost": {"month": 100, "year": 1200, "per_seat": 5},
    "contract": {"from": "2026-01-01", "until": "2027-01-01", "notice": "60d"},
    "seats": 10, "features": ["send", "segments"], "does": ["send_email"],
    "trial": {"question": "Do more people answer?", "decide_by": "2026-06-01", "experiment": "race"},
}  # fmt: skip


def stack(*tools: Any, **more: Any) -> Catalog:
    return tiny_catalog(**LAB, tools=list(tools), **more)


def told(tool: Any, **more: Any) -> list[str]:
    with pytest.raises(BadCatalog) as caught:
        stack(tool, **more)
    return [str(problem) for problem in caught.value.problems]


def test_what_is_read_is_written_back() -> None:
    weak = {"question": "?", "decide_by": "2026-02-01", "metric": "yes", "decided": "drop", "because": "nobody cares"}
    catalog = stack(MAILER, {"name": "bare", "category": "chat"}, {"name": "c", "category": "x", "trial": weak})
    assert from_bytes(to_bytes(catalog)) == catalog
    assert from_data(to_data(catalog)) == catalog
    bare, c, mailer = catalog.tools
    assert (bare.monthly, bare.seats, bare.features, bare.trial) == (None, None, (), None)
    assert mailer.monthly == 100 + 1200 / 12 + 50
    assert mailer.ends is not None
    assert mailer.starts is not None
    assert mailer.notice_at == mailer.ends - 60 * DAY
    assert mailer.runs(mailer.starts)
    assert not mailer.runs(mailer.ends)
    assert not mailer.runs(mailer.starts - 1)
    assert c.trial is not None
    assert (c.trial.decided, c.trial.because) == ("drop", "nobody cares")


def test_a_catalog_without_tools_keeps_its_hash() -> None:
    assert "tools" not in to_data(tiny_catalog())


def test_what_costs_nothing_is_known_to_cost_nothing() -> None:
    [tool] = stack({"name": "free", "category": "chat", "cost": {"month": 0}}).tools
    assert tool.monthly == 0
    assert from_data(to_data(stack({"name": "free", "category": "chat", "cost": {"month": 0}}))).tools[0].monthly == 0


@pytest.mark.parametrize(
    ("tool", "what"),
    [
        ({"name": "m"}, "tool `m` has no `category`"),
        ({**MAILER, "seats": 0}, "`seats` of tool `mailer` is `0`, must be a whole number, 1 or more"),
        ({**MAILER, "seats": None}, "has a cost `per_seat` and no `seats`"),
        ({**MAILER, "cost": {}}, "`cost` of tool `mailer` is empty"),
        ({**MAILER, "cost": {"month": -1}}, "`month` of `cost` of tool `mailer` is `-1`, must be"),
        ({**MAILER, "cost": 9}, "`cost` of tool `mailer` must be a mapping"),
        ({**MAILER, "cost": {"monthly": 9}}, "unknown key `monthly`"),
        ({**MAILER, "contract": {"from": "2026-02-01", "until": "2026-01-01"}}, "ends before it starts"),
        ({**MAILER, "contract": {"notice": "30d"}}, "has a `notice` and no end"),
        ({**MAILER, "features": ["send", "send"]}, "`send` twice in `features`"),
        ({**MAILER, "features": ["a\nb"]}, "without line breaks"),
        ({**MAILER, "features": [["send"]]}, "`features` of tool `mailer`"),
        ({**MAILER, "categry": "email"}, "did you mean `category`"),
        ({**MAILER, "trial": {"decide_by": "2026-06-01", "metric": "yes"}}, "has no `question`"),
        ({**MAILER, "trial": {"question": "?", "metric": "yes"}}, "has no `decide_by`"),
        ({**MAILER, "trial": {"question": "?", "decide_by": "2026-06-01"}}, "answered by nothing, or by two things"),
        ({**MAILER, "trial": {**MAILER["trial"], "metric": "yes"}}, "answered by nothing, or by two things"),
        ({**MAILER, "trial": {**MAILER["trial"], "experiment": "rice"}}, "unknown experiment `rice`"),
        ({**MAILER, "trial": {"question": "?", "decide_by": "2026-06-01", "metric": "yess"}}, "did you mean `yes`"),
        ({**MAILER, "trial": {**MAILER["trial"], "decided": "kept"}}, "did you mean `keep`"),
        ({**MAILER, "trial": {**MAILER["trial"], "decided": "keep"}}, "has no `because`"),
        ({**MAILER, "trial": 5}, "`trial` of tool `mailer` must be a mapping"),
        ("mailer", "this tool must be a mapping"),
    ],
)  # fmt: skip
def test_mistakes_are_told(tool: Any, what: str) -> None:
    assert any(what in line for line in told(tool)), told(tool)


def test_two_tools_of_a_name_and_an_owner_whom_nobody_knows() -> None:
    with pytest.raises(BadCatalog, match="duplicate tool `mailer`"):
        stack(MAILER, MAILER)
    people = [{"name": "bob", "role": "manager", "team": "crm"}, {"name": "anna", "role": "manager", "team": "crm"}]
    [line] = told(MAILER, people=people)
    assert "`ana` in tool `mailer` is none of `people`; did you mean `anna`" in line


def test_a_mistake_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "tools.yaml").write_text("tools:\n  - name: mailer\n    category: email\n    cost: {month: much}\n")
    [problem] = [p for p in check(tmp_path) if "month" in p.what]
    assert (Path(problem.file).name, problem.line, problem.column) == ("tools.yaml", 4, 19)
