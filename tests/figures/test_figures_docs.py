"""The pages say what the files have: headers of figures, columns of tables, and a funnel that a catalog takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from opportune.errors import BadCatalog
from opportune.figures.described import BEGIN, END, described
from opportune.figures.header import KEYS, NAMES, header, parsed
from opportune.figures.tables import TABLES
from opportune.testing import tiny_catalog

DOCS = Path(__file__).parents[2] / "docs"
FIGURES = (DOCS / "figures.md").read_text("utf-8")


def test_the_page_of_figures_is_made_of_their_headers() -> None:
    """To mend it: put `described()` between the two marks."""
    assert FIGURES.split(BEGIN)[1].split(END)[0].strip() == described().strip()


def test_the_page_of_tables_has_every_column() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([\w, ]+) \|$", (DOCS / "tables.md").read_text("utf-8"), re.MULTILINE)
    assert {name: columns.split(", ") for name, columns in rows} == {name: [*TABLES[name]] for name in TABLES}


def test_the_funnel_of_the_page_is_one() -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", FIGURES, re.DOTALL)
    funnel = tiny_catalog(**yaml.safe_load(block)).funnel
    assert (funnel.lead, funnel.stages, funnel.margin) == ("Lead Created", ("Demo Booked",), 0.4)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_says_what_it_is(name: str) -> None:
    told = header(name)
    assert all(getattr(told, key) for key in KEYS)
    assert told.sql.isascii()
    for dimension in told.dimensions:
        assert f"'{dimension}'" in told.sql
    with pytest.raises(ValueError, match="must say title"):
        parsed(name, told.sql.replace("-- unit:", "-- units:", 1))


@pytest.mark.parametrize(
    ("funnel", "why"),
    [
        ({"lead": "Bought", "customer": "Bought"}, "two steps"),
        ({"stages": ["Order Completed"]}, "two steps"),
        ({"margin": 4}, "from 0 to 1"),
        ({"window": "soon"}, "must be a span"),
        ({"referral": "a = 'x' AND a = 'y'"}, "never be true"),
        ({"leads": "Lead"}, "did you mean `lead`"),
    ],
)
def test_a_funnel_with_a_mistake_says_so(funnel: dict[str, object], why: str) -> None:
    with pytest.raises(BadCatalog, match=re.escape(why)):
        tiny_catalog(funnel=funnel)


def test_a_funnel_is_written_as_it_was_read() -> None:
    from opportune.catalog import from_bytes, to_bytes

    funnel = {"stages": ["Demo Booked"], "referral": "properties.referrer <> ''", "margin": "gain"}
    catalog = tiny_catalog(funnel=funnel)
    assert from_bytes(to_bytes(catalog)).funnel == catalog.funnel
    assert tiny_catalog(funnel={}).hash == tiny_catalog().hash
