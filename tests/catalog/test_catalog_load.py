"""A folder becomes a catalog; its layout never matters."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from opportune.catalog import check, from_bytes, from_data, load, to_bytes, to_data
from opportune.catalog.types import Cap, Goal, Pause, Quiet
from opportune.clock import DAY, parse_instant
from opportune.errors import BadCatalog, BadInput
from opportune.rules import Expression, Kind

Shop = Callable[..., Path]


def test_every_part_is_read(shop: Shop) -> None:
    catalog = load(shop(("    lever: 0", "    lever: 5\n    from: 2026-01-01\n    until: 2026-07-01T00:00:00Z")))
    assert (catalog.currency, catalog.time_zone) == ("EUR", "Europe/Berlin")
    assert [(t.name, t.kind) for t in catalog.traits] == [("plan", Kind.TEXT), ("tenure_months", Kind.NUMBER)]
    feature = catalog.features[0]
    assert (feature.event, feature.aggregate, feature.window, feature.by) == ("Page Viewed", "count", DAY, DAY // 24)
    assert feature.where is not None
    assert feature.where.evaluate({"page": "cancel"}) is True
    assert catalog.features[1].of == "revenue"
    grow, retain = catalog.actions
    assert (grow.path, retain.path) == ("grow/data/more_data", "retain/bundle/keep_bundle")
    assert retain.starts == parse_instant("2025-12-31T23:00:00Z"), "a date is of the hub's time zone"
    assert retain.ends == parse_instant("2026-07-01T00:00:00Z")
    assert (retain.value, retain.lever, retain.outcomes.window) == (120.0, 5.0, 7 * DAY)
    assert retain.outcomes.goal == Goal("Plan Kept", 14 * DAY)
    assert retain.eligible is not None
    assert retain.eligible.evaluate({"tenure_months": 6}) is True
    assert retain.treatments[0].content == {"title": "Stay"}
    assert grow.outcomes.positive == ("accept",)
    price = next(p for p in catalog.placements if p.name == "email.weekly").price
    assert isinstance(price, Expression)
    assert price.evaluate({"contacts_email_7d": 2}) == pytest.approx(0.25)
    assert catalog.contact == (
        Cap("email_week", "channel/email", 3, 7 * DAY),
        Quiet("night", "channel/email", 21 * 60, 8 * 60),
        Pause("tired", "action", "reject", 2, 30 * DAY, 30 * DAY),
    )
    assert {c.name: c.push for c in catalog.channels}["email"] is True


def test_names_have_a_fixed_order(shop: Shop) -> None:
    names = [n.name for n in load(shop(more="context: [{name: device, type: text}]")).names]
    assert names == [
        "plan", "tenure_months", "cancel_page_views_1d", "spend_90d", "device", "contacts_email_7d",
        "channel", "placement", "hour", "weekday", "now",
    ]  # fmt: skip


def test_contact_counts_are_declared_only_where_something_reads_them(shop: Shop) -> None:
    folder = shop(("{title: Stay}", "{title: 'contacts_sms_7d'}"), ("tenure_months >= 2", "contacts_all_24h < 2"))
    assert [n.name for n in load(folder).names if n.name.startswith("contacts")] == [
        "contacts_all_24h",
        "contacts_email_7d",
    ]
    assert "contacts_fax_7d" in str(check(shop(("tenure_months >= 2", "contacts_fax_7d < 2")))[0])


def test_the_hash_is_that_of_the_canonical_bytes(shop: Shop) -> None:
    catalog = load(shop())
    assert catalog.hash == hashlib.sha256(to_bytes(catalog)).hexdigest()
    again = from_bytes(to_bytes(catalog))
    assert again == catalog
    assert again.names == catalog.names


def _shuffled(value: Any, rng: random.Random, top: bool = True) -> Any:
    """Shuffle all keys, and the entries of the sections."""
    if isinstance(value, dict):
        items = list(value.items())
        rng.shuffle(items)
        return {k: _shuffled(v, rng, False) for k, v in items}
    return [_shuffled(v, rng, False) for v in value] if isinstance(value, list) else value


@given(st.randoms(use_true_random=False), st.integers(1, 4), st.booleans())
def test_layout_does_not_change_the_hash(
    tmp_path_factory: pytest.TempPathFactory, shop_text: str, rng: Any, files: int, flow: bool
) -> None:
    whole = yaml.safe_load(shop_text)
    parts: list[dict[str, Any]] = [{} for _ in range(files)]
    for key, value in whole.items():
        if isinstance(value, list):
            rng.shuffle(value)
            for item in value:
                parts[rng.randrange(files)].setdefault(key, []).append(item)
        elif isinstance(value, dict):
            for inner, content in value.items():
                parts[rng.randrange(files)].setdefault(key, {})[inner] = content
        else:
            parts[rng.randrange(files)][key] = value
    folder = tmp_path_factory.mktemp("shop")
    for i, part in enumerate(parts):
        width = rng.choice([40, 1000])
        text = yaml.safe_dump(_shuffled(part, rng), default_flow_style=flow, sort_keys=False, width=width)
        (folder / f"{i}.yml").write_text(f"# a comment\n{text}", encoding="utf-8")
    catalog = load(folder)
    assert catalog == from_data(whole)
    assert catalog.hash == from_data(whole).hash


def test_layout_of_a_condition_does_not_change_the_hash(shop: Shop) -> None:
    first = load(shop()).hash
    assert load(shop(("tenure_months >= 6", "|\n      tenure_months\n        >=   6"))).hash == first
    assert load(shop(("tenure_months >= 6", "tenure_months >= 7"))).hash != first


def test_saying_the_default_does_not_change_the_hash(shop: Shop) -> None:
    assert load(shop(("    lever: 0\n", ""))).hash == load(shop()).hash


def test_data_and_files_give_the_same(shop: Shop, shop_text: str) -> None:
    catalog = load(shop())
    assert from_data(to_data(catalog)) == catalog
    assert from_data(yaml.safe_load(shop_text)) == catalog


def test_problems_of_data_name_the_path(shop_text: str) -> None:
    data = yaml.safe_load(shop_text)
    data["actions"][0]["eligible"] = "tenure_months >= 6 AND\n  plam = 'x'"
    with pytest.raises(BadCatalog, match=r"^actions.keep_bundle.eligible:2:3: unknown name `plam`"):
        from_data(data)
    with pytest.raises(BadCatalog, match=r"actions.keep_bundle.value:1:1: inf"):
        from_data({"actions": [{"name": "keep_bundle", "value": float("inf")}]})


def test_free_names_come_from_a_data_set() -> None:
    action = {"issue": "replay", "group": "E Mail", "treatments": [{"name": "row", "channel": "web"}]}
    data = {
        "traits": [{"name": "emp.var.rate", "type": "number"}, {"name": "Über 60", "type": "bool"}],
        "placements": [{"name": "replay", "channel": "web"}],
        "actions": [{"name": "Mens E-Mail", **action}, {"name": "33", **action}],
    }
    catalog = from_data(data, free_names=True)
    assert [a.name for a in catalog.actions] == ["33", "Mens E-Mail"]
    assert from_bytes(to_bytes(catalog)) == catalog
    with pytest.raises(BadCatalog, match="Mens E-Mail"):
        from_data(data)


def test_a_folder_without_files_is_bad_input(tmp_path: Path) -> None:
    for call in (load, check):
        with pytest.raises(BadInput, match="opportune init"):
            call(tmp_path)  # type: ignore[operator]
        with pytest.raises(BadInput, match="no folder"):
            call(tmp_path / "nowhere")  # type: ignore[operator]


def test_the_subfolder_catalog_is_read_and_others_are_not(shop: Shop) -> None:
    folder = shop()
    (folder / "catalog").mkdir()
    (folder / "catalog" / "more.yaml").write_text("levers: {retain: 10}")
    (folder / "specs").mkdir()
    (folder / "specs" / "replay.yaml").write_text("data: x.csv")
    (folder / ".hidden.yaml").write_text("x: 1")
    assert load(folder).levers == {"retain": 10.0}


def test_anchors_and_merge_keys_work(shop: Shop) -> None:
    more = """
actions:
  - &base {name: a, issue: grow, group: data, campaign: c, owner: o, benefit: b, helps: &h spend_90d > 1,
           treatments: [{name: t, channel: app}]}
  - <<: *base
    name: b
    eligible: *h
"""
    catalog = load(shop(more=more))
    a, b = (next(x for x in catalog.actions if x.name == n) for n in "ab")
    assert (b.issue, b.helps, b.eligible, a.eligible) == ("grow", a.helps, a.helps, None)


def test_a_byte_order_mark_and_windows_lines_do_not_matter(shop: Shop, shop_text: str) -> None:
    folder = shop()
    first = load(folder)
    (folder / "shop.yaml").write_bytes(b"\xef\xbb\xbf" + shop_text.replace("\n", "\r\n").encode())
    assert load(folder) == first


def test_paths_are_told_as_the_folder_was_given(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shop(("lever: 0", "lever: 500"))
    monkeypatch.chdir(folder.parent)
    assert check("shop")[0].file == os.path.join("shop", "shop.yaml")
