"""Pages in the catalog: read, written back the same, and every mistake in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from opportune.catalog import check, from_data
from opportune.catalog.build import to_data
from opportune.catalog.page_sections import MOST_OFFERS, MOST_SLOTS
from opportune.catalog.page_types import Slot
from opportune.testing import tiny_catalog
from page_shop import CATALOG

BASE = """\
currency: EUR
time_zone: UTC
context:
  - {name: shelf, type: text}
  - {name: basket, type: number}
  - {name: member, type: bool}
  - {name: device, type: text}
placements: [{name: web.hero, channel: web}, {name: web.tiles, channel: web}, {name: email.weekly, channel: email}]
"""


def test_what_is_written_back_reads_the_same() -> None:
    catalog = from_data(CATALOG)
    home, product, _ = catalog.pages
    assert home.slots[1] == Slot("tiles", "web.home.tiles", 3)
    assert [slot.name for slot in home.slots] == ["hero", "tiles", "text", "native"], "in the order of the file"
    assert (home.context, product.context) == ({"shelf": "front"}, {})
    data = to_data(catalog)
    assert from_data(data).hash == catalog.hash
    assert data["pages"][1] == {"name": "product", "slots": [{"name": "hero", "placement": "web.home.hero"}]}


def test_a_catalog_without_pages_keeps_its_hash() -> None:
    assert "pages" not in to_data(tiny_catalog())


def test_a_page_counts_in_the_hash() -> None:
    changed = {**CATALOG, "pages": [{**CATALOG["pages"][0], "context": {"shelf": "back"}}, *CATALOG["pages"][1:]]}
    assert from_data(changed).hash != from_data(CATALOG).hash


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("|{slots: [{name: a, placement: web.hero}]}", "this page has no `name`"),
        ("|{name: home}", "page `home` has no `slots`; add `slots:`"),
        ("{name: home, slots: |[]}", "`slots` of page `home` must be a list of 1 to 50 slots"),
        ("{name: home, slots: |{name: a}}", "must be a list"),
        ("{name: home, slots: [|hero]}", "must be a mapping"),
        ("{name: home, slots: [|{placement: web.hero}]}", "this slot of page `home` has no `name`"),
        ("{name: home, slots: [|{name: a}]}", "slot `a` of page `home` has no `placement`"),
        ("{name: home, slots: [{name: a, placement: |web.herro}]}", "did you mean `web.hero`?"),
        ("{name: home, slots: [{name: a, placement: |email.weekly}]}", "which goes out to customers"),
        ("{name: home, slots: [{name: a, placement: web.hero}, {name: |a, placement: web.tiles}]}",
         "duplicate slot `a` in page `home`"),
        ("{name: home, slots: [{name: a, placement: web.hero}, {name: b, placement: |web.hero}]}",
         "`web.hero` is the placement of slot `a` already; raise the `limit` of `a`"),
        ("{name: home, slots: [{name: |a b, placement: web.hero}]}", "`a b` cannot name a slot"),
        ("{name: home, slots: [{name: a, placement: web.hero, limit: |0}]}", "a whole number, 1 or more"),
        (f"{{name: home, slots: [{{name: a, placement: web.hero, limit: |{MOST_OFFERS + 1}}}]}}", "at most 50"),
        ("{name: home, slots: [{name: a, placement: web.hero, |size: 2}]}", "unknown key `size`"),
        ("{name: home, |slot: [], slots: [{name: a, placement: web.hero}]}", "did you mean `slots`?"),
        ("{name: home, slots: [{name: a, placement: web.hero}], context: {|shelv: x}}", "did you mean `shelf`?"),
        ("{name: home, slots: [{name: a, placement: web.hero}], context: {shelf: |3}}", "is no text"),
        ("{name: home, slots: [{name: a, placement: web.hero}], context: {basket: |true}}", "is no number"),
        ("{name: home, slots: [{name: a, placement: web.hero}], context: {member: |1}}", "is no bool"),
        ("{name: home, slots: [{name: a, placement: web.hero}], context: |[shelf]}", "must be a mapping"),
    ],
)  # fmt: skip
def test_each_mistake_names_its_place_and_its_cure(tmp_path: Path, page: str, said: str) -> None:
    """The mistake stands where the text has a bar."""
    before, _, after = f"pages: [{page}]\n".partition("|")
    (tmp_path / "hub.yaml").write_text(BASE, "utf-8")
    (tmp_path / "pages.yaml").write_text(before + after, "utf-8")
    found = [problem for problem in check(tmp_path) if not problem.warning]
    assert len(found) == 1, found
    [one] = found
    assert (one.line, one.column) == (1, len(before) + 1)
    assert said in f"{one.what}; {one.cure}"


def test_every_mistake_of_a_page_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(BASE.replace("device, type: text", "device, type: number"), "utf-8")
    pages = "pages: [{name: home, slots: [{name: a, placement: nope}, {name: a, placement: email.weekly}]}]\n"
    (tmp_path / "pages.yaml").write_text(pages, "utf-8")
    told = [problem.what for problem in check(tmp_path) if not problem.warning]
    assert [what.split("`")[1] for what in told] == ["device", "nope", "a", "email.weekly"]
    assert "requests for pages give a text" in told[0]


def test_names_of_visits_may_have_any_type_where_there_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(BASE.replace("device, type: text", "device, type: number"), "utf-8")
    assert not [problem for problem in check(tmp_path) if not problem.warning]


def test_a_page_has_a_bound(tmp_path: Path) -> None:
    slots = [{"name": f"s{n}", "placement": f"web.p{n}"} for n in range(MOST_SLOTS)]
    places = [{"name": slot["placement"], "channel": "web"} for slot in slots]
    catalog = tiny_catalog(placements=[*places, {"name": "app.home", "channel": "app"}],
                           pages=[{"name": "long", "slots": slots}])  # fmt: skip
    assert len(catalog.pages[0].slots) == MOST_SLOTS
