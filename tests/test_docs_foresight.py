"""The page on foresight: each of its specs is one, and no key of a spec is missing from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from opportune.errors import BadCatalog
from opportune.lab.forecast_spec import ForecastSpec, load_forecast
from opportune.lab.foresight_spec import Spec, load_clv
from opportune.lab.geo_spec import GeoSpec, load_geo
from opportune.scores.spec import ScoresSpec, load_scores

PAGE = (Path(__file__).parent.parent / "docs" / "foresight.md").read_text("utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}
READERS: dict[str, Any] = {
    "Lifetime value": load_clv, "Scores: churn and response": load_scores, "Forecasts": load_forecast,
    "Tests in regions": load_geo,
}  # fmt: skip


def specs(section: str) -> list[str]:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", SECTIONS[section], re.MULTILINE | re.DOTALL)
    return [block for block in blocks if block.startswith("data:")]


@pytest.mark.parametrize("section", READERS)
def test_each_spec_of_the_page_is_one(section: str, tmp_path: Path) -> None:
    found = specs(section)
    assert found
    for block in found:
        if "from: 2021" in block:  # a test, and the lengths of a plan, on one screen
            block = re.sub(r"^lengths.*\n", "", block, flags=re.MULTILINE)
        (tmp_path / "spec.yaml").write_text(block, "utf-8")
        try:
            READERS[section](tmp_path / "spec.yaml")
        except BadCatalog as bad:
            pytest.fail(f"{block}\n{bad}")


@pytest.mark.parametrize(
    ("section", "spec"),
    [("Scores: churn and response", ScoresSpec), ("Forecasts", ForecastSpec), ("Tests in regions", GeoSpec)],
)
def test_each_key_is_on_the_page(section: str, spec: type[Spec]) -> None:
    names = {"since": "from"}
    for field in set(spec.__struct_fields__) - {"written", "seed", "folds"}:
        key = names.get(field, field)
        assert re.search(rf"\b{key}\b", SECTIONS[section]), f"{section} does not tell of `{key}`"
