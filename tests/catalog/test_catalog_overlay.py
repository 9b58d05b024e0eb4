"""The overlay: set, in conflict, confirmed, written into the files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from opportune.catalog import check, from_data, load, to_data
from opportune.catalog.export import export, scalar
from opportune.catalog.overlay import Entry, apply, confirm, conflicts, entry
from opportune.catalog.source import parse_yaml
from opportune.errors import BadCatalog, BadInput

Shop = Callable[..., Path]
TITLE = "actions.keep_bundle.treatments.hero.content.title"


def make(folder: Path, path: str, value: Any) -> Entry:
    return entry(load(folder), path, value, "ana", 0, "a test")


@pytest.mark.parametrize(
    ("path", "value", "read"),
    [
        ("actions.keep_bundle.lever", 20, lambda c: c.actions[1].lever),
        ("actions.keep_bundle.benefit", "It's #1: yes", lambda c: c.actions[1].benefit),
        (TITLE, "Bleib! ä", lambda c: c.actions[1].treatments[0].content["title"]),
        ("actions.keep_bundle.outcomes.goal.undo", "Plan Cancelled", lambda c: c.actions[1].outcomes.goal.undo),
        ("actions.more_data.lever", 30, lambda c: c.actions[0].lever),
        ("placements.app.home.hero.price", 0.5, lambda c: next(p for p in c.placements if p.channel == "app").price),
        ("contact.email_week.at_most", 1, lambda c: c.contact[0].at_most),
        ("model.explore", "greedy", lambda c: c.model.explore),
        ("model.random_share", 0.05, lambda c: c.model.random_share),
        ("levers.retain/bundle", -5, lambda c: c.levers["retain/bundle"]),
        ("currency", "USD", lambda c: c.currency),
        ("actions.keep_bundle.outcomes.negative", ["reject"], lambda c: [*c.actions[1].outcomes.negative]),
    ],
)
def test_an_entry_is_applied_and_exported(shop: Shop, path: str, value: Any, read: Callable[[Any], Any]) -> None:
    folder = shop()
    e = make(folder, path, value)
    live = from_data(apply(to_data(load(folder)), [e]))
    assert read(live) == value
    before = (folder / "shop.yaml").read_text(encoding="utf-8").split("\n")
    assert export(folder, [e]) == [str(folder / "shop.yaml")]
    assert load(folder) == live
    after = (folder / "shop.yaml").read_text(encoding="utf-8").split("\n")
    assert len([line for line in before if line not in after]) <= 1, "one line changed at most"
    assert export(folder, [e]) == [], "a second time there is nothing left to do"


def test_export_keeps_comments_and_layout(shop: Shop) -> None:
    folder = shop(
        ("    lever: 0\n", "    lever: 0   # the thumb\n\n    # why it helps\n"),
        ("eligible: tenure_months >= 6", "eligible: |  # who\n      tenure_months\n        >= 6\n    # below"),
    )
    path = folder / "shop.yaml"
    before = path.read_text()
    eligible = make(folder, "actions.keep_bundle.eligible", "plan = 'a'")
    export(folder, [make(folder, "actions.keep_bundle.lever", 20), eligible])
    old = "|  # who\n      tenure_months\n        >= 6\n"
    assert path.read_text() == before.replace("lever: 0 ", "lever: 20 ").replace(old, "plan = 'a'\n")


def test_export_edits_the_file_that_has_the_value(shop: Shop) -> None:
    folder = shop(("    lever: 0\n", ""), more="levers: {retain: 5}", model="context_weights: []\n")
    changed = export(folder, [make(folder, "levers.retain", 10), make(folder, "levers.grow", 7)])
    assert changed == [str(folder / "more.yaml")]
    assert load(folder).levers == {"grow": 7.0, "retain": 10.0}


def test_a_value_can_go_back_to_its_default(shop: Shop) -> None:
    folder = shop(("lever: 0", "lever: 30"))
    e = make(folder, "actions.keep_bundle.lever", None)
    assert e.was == 30
    assert from_data(apply(to_data(load(folder)), [e])).actions[1].lever == 0
    export(folder, [e])
    assert load(folder).actions[1].lever == 0
    assert "lever: null" in (folder / "shop.yaml").read_text()


def test_files_that_changed_the_same_value_are_in_conflict(shop: Shop) -> None:
    folder = shop()
    entries = [make(folder, "actions.keep_bundle.lever", 20), make(folder, "actions.more_data.lever", 10)]
    gone = make(folder, "actions.more_data.benefit", "x")
    assert conflicts(load(folder), entries) == []
    files = load(shop(("lever: 0", "lever: 5"), ("name: more_data", "name: most_data")))
    found = conflicts(files, [*entries, gone])
    assert [(c.entry.path, c.now, c.gone) for c in found] == [
        ("actions.keep_bundle.lever", 5.0, False),
        ("actions.more_data.lever", None, True),
        ("actions.more_data.benefit", None, True),
    ]
    assert "from the default to 5" in str(found[0])
    assert "no longer" in str(found[1])
    assert from_data(apply(to_data(files), entries)).actions[1].lever == 20, "it holds until it is confirmed"
    assert confirm(files, entries) == []


def test_entries_without_conflict_survive_other_changes(shop: Shop) -> None:
    e = make(shop(), "actions.keep_bundle.lever", 20)
    files = load(shop(("at_most: 3", "at_most: 2")))
    assert conflicts(files, [e]) == []
    (kept,) = confirm(files, [e])
    assert (kept.base, kept.value, kept.was) == (files.hash, 20, None)


@pytest.mark.parametrize(
    "path",
    ["", "actions", "actions.keep_bundle", "actions.nobody.lever", "nothing.x", "actions.keep_bundle.lever.deeper",
     "actions.keep_bundle.outcomes", "actions.keep_bundle.name", "model"],
)  # fmt: skip
def test_a_path_that_names_no_value_is_refused(shop: Shop, path: str) -> None:
    with pytest.raises(BadInput):
        make(shop(("lever: 0", "lever: 5")), path, 1)


def test_an_entry_out_of_bounds_is_a_problem_with_its_path(shop: Shop) -> None:
    folder = shop()
    e = make(folder, "actions.keep_bundle.lever", 500)
    with pytest.raises(BadCatalog, match=r"actions.keep_bundle.lever:1:1.*from -50 to 100"):
        from_data(apply(to_data(load(folder)), [e]))
    before = (folder / "shop.yaml").read_bytes()
    with pytest.raises(BadCatalog):
        export(folder, [e])
    assert (folder / "shop.yaml").read_bytes() == before


def test_a_value_shared_by_an_alias_is_not_edited(shop: Shop) -> None:
    folder = shop(("lever: 0", "lever: &l 10"), ("    benefit: No slow", "    lever: *l\n    benefit: No slow"))
    before = (folder / "shop.yaml").read_bytes()
    with pytest.raises(BadInput, match="by hand"):
        export(folder, [make(folder, "actions.more_data.lever", 20)])
    with pytest.raises(BadInput, match="by hand"):
        export(folder, [make(folder, "actions.keep_bundle.lever", 20)])
    assert (folder / "shop.yaml").read_bytes() == before


@given(st.text(max_size=30) | st.floats(-1e9, 1e9) | st.integers(-(10**9), 10**9) | st.booleans())
def test_a_written_scalar_reads_back(value: Any) -> None:
    for text in (f"a: {scalar(value)}", f"x: {{a: {scalar(value)}, b: 1}}", f"- a: {scalar(value)} # c\n  b: 1"):
        problems: list[Any] = []
        tree = parse_yaml(text, "x", problems)
        assert not problems
        assert tree is not None
        plain = tree.plain()
        read = plain[0]["a"] if isinstance(plain, list) else plain["x"]["a"] if "x" in plain else plain["a"]
        assert read == value
        assert type(read) is type(value) or isinstance(value, float)


def test_the_template_survives_an_export(tmp_path: Path) -> None:
    from opportune.catalog.project import write_project

    write_project(tmp_path)
    paths = [f"actions.{a.name}.lever" for a in load(tmp_path).actions] + ["levers.grow", "model.epsilon"]
    entries = [make(tmp_path, path, 0.25) for path in paths]
    live = from_data(apply(to_data(load(tmp_path)), entries))
    export(tmp_path, entries)
    assert load(tmp_path) == live
    assert check(tmp_path) == []
    assert yaml.safe_load((tmp_path / "hub.yaml").read_text())["levers"] == {"retain": 10, "grow": 0.25}
