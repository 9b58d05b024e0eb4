"""The template: it works, it is checked, and its story holds."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Any

import pytest

from opportune.catalog import check, load
from opportune.catalog.project import template, write_project
from opportune.catalog.types import Action, Catalog
from opportune.clock import HOUR, MINUTE, format_instant, parse_instant
from opportune.errors import BadInput
from opportune.rules import Expression

NOON = parse_instant("2026-03-10T11:30:00Z")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write_project(tmp_path / "shop", now=NOON)
    return tmp_path / "shop"


def test_the_template_has_no_problem_and_no_warning(shop: Path) -> None:
    assert check(shop) == []


def test_the_template_holds_what_a_newcomer_needs(shop: Path) -> None:
    catalog = load(shop)
    assert {a.issue for a in catalog.actions} == {"retain", "grow", "service", "nurture"}
    assert 10 <= len(catalog.actions) <= 14
    assert {a.kind for a in catalog.actions} == {"marketing", "service"}
    assert {"spend_90d", "cancel_page_views_1d"} <= {f.name for f in catalog.features}
    assert {t.channel for a in catalog.actions for t in a.treatments} == {"app", "web", "email", "agent"}
    assert [p.name for p in catalog.placements] == [
        "agent.desk", "app.home.hero", "email.weekly", "web.account.sidebar", "web.home.banner",
    ]  # fmt: skip
    assert {s.name for s in catalog.situations} == {"open_complaint", "outage", "payment_trouble", "leaving"}
    for action in catalog.actions:
        assert action.campaign, action.name
        assert action.owner, action.name
        assert action.benefit, action.name
    assert "    eligible: tenure_months >= 6 " in (shop / "actions_retain.yaml").read_text()


def test_no_text_of_the_template_is_cut_at_a_comma(shop: Path) -> None:
    [keep] = [a for a in load(shop).actions if a.name == "keep_bundle"]
    assert keep.treatments[0].content == {
        "title": "Stay, and pay less", "text": "Your bundle for 20 % less", "button": "Keep my bundle",
    }  # fmt: skip


def test_it_refuses_to_overwrite(shop: Path) -> None:
    (shop / "hub.yaml").write_text("currency: USD\n")
    with pytest.raises(BadInput, match=r"already has .*hub.yaml"):
        write_project(shop)
    assert (shop / "hub.yaml").read_text() == "currency: USD\n"
    written = write_project(shop, force=True)
    assert {str(p.relative_to(shop)) for p in written} == set(template())
    assert check(shop) == []


def test_it_refuses_to_mix_with_another_catalog(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("currency: USD\n")
    with pytest.raises(BadInput, match="already has a catalog"):
        write_project(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.yml"]
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file"):
        write_project(tmp_path / "file")


def _lines(shop: Path) -> list[dict[str, Any]]:
    """The events, those of today a minute apart from a fixed noon on."""
    lines = [json.loads(line) for line in (shop / "stories" / "lunch_break.jsonl").read_text().splitlines()]
    today = [e for e in lines if "timestamp" not in e]
    assert lines[-len(today) :] == today
    for minute, event in enumerate(today):
        event["timestamp"] = format_instant(NOON + minute * MINUTE)
    return lines


def test_the_story_is_in_order_and_well_formed(shop: Path) -> None:
    lines = _lines(shop)
    assert [e["event"] for e in lines[:3]] == ["Consent Updated"] * 3
    assert {e["userId"] for e in lines} == {"maya"}
    assert len({e["messageId"] for e in lines}) == len(lines)
    times = [parse_instant(e["timestamp"]) for e in lines]
    assert times == sorted(times)
    assert [e["name"] for e in lines if e["type"] == "page"].count("cancel") == 2


def _values(lines: list[dict[str, Any]], now: int) -> dict[str, Any]:
    """What the hub would know: written out by hand, apart from the code that folds events."""
    traits = next(e["traits"] for e in lines if e["type"] == "identify")

    def since(span: int, event: str, page: str | None = None) -> list[dict[str, Any]]:
        found = [e for e in lines if e.get("event", "Page Viewed" if e["type"] == "page" else "") == event]
        return [e for e in found if parse_instant(e["timestamp"]) > now - span and page in (None, e.get("name"))]

    orders = since(90 * 24 * HOUR, "Order Completed")
    return traits | {
        "cancel_page_views_1d": float(len(since(24 * HOUR, "Page Viewed", "cancel"))),
        "phone_page_views_7d": 0.0,
        "orders_1d": float(len(since(24 * HOUR, "Order Completed"))),
        "spend_90d": sum(e["properties"]["revenue"] for e in orders),
        "days_since_order": (now - parse_instant(orders[-1]["timestamp"])) // (24 * HOUR) if orders else None,
        "data_used_gb_30d": sum(e["properties"]["gigabytes"] for e in since(30 * 24 * HOUR, "Data Used")),
        "failed_payments_30d": 0.0,
        "hour": 12.0,
        "weekday": 2.0,
    }


def _allowed(catalog: Catalog, values: dict[str, Any], placement: str) -> dict[str, float]:
    """Return the actions that the rules leave over, and their worth."""
    active = [s for s in catalog.situations if s.when.evaluate(values) is True]
    silenced = {issue for s in active for issue in s.silences}

    def fits(action: Action) -> bool:
        conditions = (action.helps, action.eligible, action.applicable, action.suitable)
        placed = any(fnmatch.fnmatchcase(placement, g) for t in action.treatments for g in t.placements)
        held = all(c is None or c.evaluate(values) is True for c in conditions)
        return placed and held and action.issue not in silenced

    def worth(action: Action) -> float:
        value = action.value.evaluate(values) if isinstance(action.value, Expression) else action.value
        assert isinstance(value, float)
        return value

    return {f"{a.issue}/{a.name}": worth(a) for a in catalog.actions if fits(a)}


def test_the_lunch_break(shop: Path) -> None:
    catalog, lines = load(shop), _lines(shop)
    views = 0
    for n, event in enumerate(lines[5:], start=6):
        allowed = _allowed(catalog, _values(lines[:n], parse_instant(event["timestamp"])), "app.home.hero")
        issues = {name.split("/")[0] for name in allowed}
        assert allowed, "there is always something to say"
        assert all(worth > 0 for worth in allowed.values())
        views += event.get("name") == "cancel"
        ordered = n == len(lines)
        if views == 2 and not ordered:
            assert issues == {"retain"}
            assert len(allowed) >= 2
        else:
            assert "retain" not in issues
        if ordered:
            assert "nurture/thank_you" in allowed
