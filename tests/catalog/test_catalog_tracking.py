"""The tracking plan in the catalog: what is wrong is told where it stands, and what reads events that it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opportune.catalog import check, from_data
from opportune.catalog.build import from_bytes, to_bytes, to_data
from opportune.catalog.formats import FORMATS
from opportune.errors import BadCatalog
from opportune.testing import tiny_action, tiny_catalog

ORDER = {"name": "Order Completed", "description": "paid", "owner": "ana", "sources": ["web"], "since": "2026-01-01",
         "on_violation": "cast", "required": ["id"],
         "schema": {"type": "object", "required": ["revenue"],
                    "properties": {"revenue": {"type": "number"}}}}  # fmt: skip
TRAITS = [{"name": "email", "type": "text", "format": "email", "required": True},
          {"name": "age", "type": "number", "least": 0, "most": 120},
          {"name": "plan", "type": "text", "values": ["gold", "silver"]}]  # fmt: skip


def problems(**more: Any) -> list[str]:
    with pytest.raises(BadCatalog) as caught:
        tiny_catalog(**more)
    return [str(problem) for problem in caught.value.problems]


def test_a_plan_comes_back_as_it_was_written() -> None:
    catalog = tiny_catalog(events=[ORDER, {"name": "Ping"}], traits=TRAITS)
    assert from_data(to_data(catalog)).hash == from_bytes(to_bytes(catalog)).hash == catalog.hash
    [order, ping] = catalog.events
    assert order.schema is not None
    assert order.schema["required"] == ["id", "revenue"]
    assert (order.on_violation, order.sources, ping.on_violation, ping.schema) == ("cast", ("web",), "keep", None)


def test_a_catalog_without_a_plan_keeps_its_hash() -> None:
    assert "events" not in to_data(tiny_catalog())
    plain = [{"name": "email", "type": "text"}]
    assert to_data(tiny_catalog(traits=plain))["traits"] == plain


@pytest.mark.parametrize(("event", "told"), [
    ({"name": "A", "schema": {"type": "array"}}, "properties are an object"),
    ({"name": "A", "schema": {"properties": {"n": {"type": "numbr"}}}}, "numbr"),
    ({"name": "A", "schema": {"properties": {"n": {"pattern": "(a)\\1"}}}}, "no regular expression"),
    ({"name": "A", "schema": {"$ref": "https://example.com/x"}}, "leads out of the schema"),
    ({"name": "A", "on_violation": "drop"}, "unknown on_violation `drop`"),
    ({"name": "A", "since": "yesterday"}, "must be a date or time"),
    ({"name": "A", "requird": ["x"]}, "did you mean `required`?"),
    ({"description": "x"}, "has no `name`"),
    ({"name": "A" * 201}, "too long"),
])  # fmt: skip
def test_mistakes_of_an_event_are_told(event: dict[str, Any], told: str) -> None:
    assert any(told in problem for problem in problems(events=[event])), problems(events=[event])


def test_all_mistakes_are_told_at_once() -> None:
    found = problems(
        events=[{"name": "A"}, {"name": "A"}, {"name": "B", "on_violation": "x"}],
        traits=[{"name": "a", "type": "number", "format": "email", "least": 5, "most": 1},
                {"name": "b", "type": "text", "format": "e-mail", "least": 1, "values": ["x", "x"]}],
    )  # fmt: skip
    words = ("duplicate event `A`", "unknown on_violation `x`", "`format` of trait `a` is for texts", "below `least`",
             "unknown format `e-mail`", "`least` of trait `b` is for numbers", "`x` twice")  # fmt: skip
    for word in words:
        assert any(word in problem for problem in found), (word, found)


def test_what_reads_an_event_that_the_plan_lacks_is_warned_of_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text("""\
currency: EUR
time_zone: UTC
events: [{name: Order Completed}, {name: Lead Created}]
features:
  - {name: a, event: Ordre Completed, aggregate: count}
  - {name: b, event: Page Viewed, aggregate: count}
  - {name: c, event: Order Completed, aggregate: count}
placements: [{name: app.home, channel: app}]
metrics: [{name: gone, event: Unsubscribed}]
funnel: {lead: Lead Created, stages: [Lead Qualifed], customer: Order Completed}
actions:
  - name: hello
    issue: grow
    group: any
    campaign: always
    owner: ana
    benefit: Something
    outcomes: {positive: [accept], negative: [reject], window: 7d, goal: {event: Order Complete, within: 7d}}
    treatments: [{name: card, channel: app, placements: [app.*], content: {title: hello}}]
""", "utf-8")
    found = [str(problem) for problem in check(tmp_path) if "plan under `events`" in problem.what]
    assert len(found) == 4, found
    assert all("warning" in one for one in found)
    assert any("feature `a`" in one and "did you mean `Order Completed`?" in one and ":5:" in one for one in found)
    assert any("the goal of action `hello`" in one and "did you mean `Order Completed`?" in one for one in found)
    assert any("metric `gone`" in one for one in found)
    swapped = (tmp_path / "hub.yaml").read_text("utf-8").replace("Order Complete,", "Order Refunded,")
    (tmp_path / "hub.yaml").write_text(swapped, "utf-8")
    [refunds] = [problem for problem in check(tmp_path) if "`Order Refunded`" in problem.what]
    assert "did you mean" not in refunds.cure
    assert "add it to the plan; it has" in refunds.cure
    assert any("the `funnel` reads the event `Lead Qualifed`" in one for one in found)
    assert not [p for p in check(tmp_path) if not p.warning]


def test_without_a_plan_nothing_is_warned_of() -> None:
    goal = {"positive": ["accept"], "negative": ["reject"], "window": "7d", "goal": {"event": "X", "within": "1d"}}
    assert tiny_catalog(actions=[tiny_action("a", outcomes=goal)]).events == ()


@pytest.mark.parametrize(("format", "good", "bad"), [
    ("email", ["a@b.de", "o'hara+x@sub.example.co.uk", "jürgen@müller.example"], ["a@b", "a b@c.de", "a@@b.de"]),
    ("phone", ["+49 (30) 123-4567", "0301234567"], ["call me", "123", "+49 30 x"]),
    ("country", ["DE", "US"], ["de", "Germany", "EU", "ZZ"]),
    ("currency", ["EUR"], ["eur", "EURO", "€"]),
    ("language", ["de", "pt-BR", "zh_Hans"], ["german!", "d"]),
    ("date", ["2026-01-31"], ["2026-02-30", "31.01.2026", "2026-01-31T00:00:00Z"]),
    ("date-time", ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00+01:00"], ["2026-01-31", "noon"]),
    ("uri", ["https://example.com/a?b=c", "mailto:a@b.de"], ["example.com", "https://a b"]),
    ("uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567"]),
])  # fmt: skip
def test_formats(format: str, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not FORMATS[format](text)] == []
    assert [text for text in bad if FORMATS[format](text)] == []
