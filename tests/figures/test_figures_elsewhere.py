"""Tables made of other files by SQL: the reference numbers of two public files, and what can be wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from made_tables import asked, beside

from opportune.errors import BadInput
from opportune.figures.elsewhere import from_sql

EXAMPLE = Path(__file__).parents[2] / "examples" / "figures.sql"
DATA = Path(os.environ.get("OPPORTUNE_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.mark.skipif(not (DATA / "leads.csv.gz").is_file(), reason=f"no leads.csv.gz in {DATA}: set OPPORTUNE_DATA")
def test_the_example_gives_the_numbers_that_are_known(tmp_path: Path) -> None:
    rows = from_sql(EXAMPLE.read_text("utf-8").replace("${OPPORTUNE_DATA}", str(DATA)), tmp_path, "example")
    assert rows == {"conversions": 1079, "leads": 9240 + 3561, "spend": 1143}
    roi = asked(tmp_path, "roi", by="campaign")
    cost = {row["key"]: (row["cost"], row["cost_per_conversion"]) for row in roi.rows}
    assert sum(spent for spent, _ in cost.values()) == pytest.approx(58_705.23, abs=0.005)
    assert [round(cost[name][1], 2) for name in ("916", "936", "1178")] == [6.24, 15.81, 63.83]
    assert beside(roi, "cost per conversion").value == pytest.approx(58_705.23 / 1079, abs=1e-4)
    assert beside(roi, "attributed").value is None  # nobody says what they were worth
    conversion = asked(tmp_path, "conversion")
    assert conversion.value == pytest.approx(0.3854, abs=5e-5)
    assert conversion.n == 9240
    assert conversion.interval == pytest.approx((0.3755, 0.3954), abs=1e-4)


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELEC 1", "syntax error"),
        ("CREATE TABLE mine AS SELECT 1 AS a", "makes none of the tables"),
        ("CREATE TABLE leads AS SELECT 1 AS a", "leads has no column 'a'; it has at, subject"),
        ("CREATE TABLE leads AS SELECT 'soon' AS \"at\"", "soon"),
        ("CREATE TABLE leads AS SELECT * FROM 'nowhere.csv'", "nowhere.csv"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, sql: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        from_sql(sql, tmp_path, "mine.sql")
