"""Triggers and outbound runs in the catalog: read, written back the same, and every mistake in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opportune.catalog import check, from_data, load
from opportune.catalog.build import to_data
from opportune.catalog.project import write_project
from opportune.catalog.schedules import fault, latest_slot, next_slot
from opportune.clock import DAY, HOUR, MINUTE, format_instant, parse_instant
from opportune.errors import BadCatalog
from opportune.testing import tiny_catalog

BASE = """\
currency: EUR
time_zone: Europe/Berlin
traits: [{name: plan, type: text}]
channels: [{name: email, push: true, via: file, options: {folder: out}}]
placements: [{name: email.cart, channel: email}, {name: sms.now, channel: sms}]
situations: [{name: at_risk, when: "plan = 'gold'", silences: [], raises: {all: 5}}]
"""

EVERYTHING: dict[str, Any] = {
    "traits": [{"name": "plan", "type": "text"}],
    "placements": [{"name": "app.home", "channel": "app"}],
    "situations": [{"name": "at_risk", "when": "plan = 'gold'", "raises": {"grow": 5}}],
    "triggers": [
        {"name": "cart", "on": "Cart Abandoned", "where": "revenue > 20", "wait": "1h",
         "unless": ["Order Completed", "Cart Emptied"], "placement": "app.home", "until": "2d", "again": "7d",
         "limit": 2},
        {"name": "rescue", "on": {"situation": "at_risk"}, "placement": "app.home"},
    ],
    "outbound": [
        {"name": "everybody", "placement": "app.home"},
        {"name": "weekly", "placement": "app.home", "audience": "plan = 'gold' AND contacts_email_7d < 3",
         "schedule": "0 9 * * 1", "throttle": 0.5, "window": "20:00-02:00", "best_time": True, "limit": 1000},
    ],
}  # fmt: skip


def test_what_is_written_back_reads_the_same() -> None:
    catalog = tiny_catalog(**EVERYTHING)
    cart, rescue = catalog.triggers
    assert (cart.event, cart.wait, cart.until, cart.again, cart.limit) == ("Cart Abandoned", HOUR, 2 * DAY, 7 * DAY, 2)
    assert (cart.unless, rescue.situation, rescue.until) == (("Order Completed", "Cart Emptied"), "at_risk", DAY)
    everybody, weekly = catalog.outbound
    assert (everybody.audience, everybody.throttle, everybody.window) == (None, None, None)
    assert (weekly.window, weekly.throttle, weekly.limit) == ((1200, 120), 0.5, 1000)
    assert "contacts_email_7d" in [name.name for name in catalog.names]
    data = to_data(catalog)
    assert from_data(data).hash == catalog.hash
    assert data["outbound"][0] == {"name": "everybody", "placement": "app.home"}


def test_a_catalog_without_them_keeps_its_hash() -> None:
    assert not {"triggers", "outbound"} & to_data(tiny_catalog()).keys()


@pytest.mark.parametrize(
    ("text", "what", "cure"),
    [
        ("triggers: [{name: t, on: A, placement: ^email.crat}]", "unknown placement `email.crat`", "email.cart"),
        ("triggers: [^{name: t, placement: email.cart}]", "has no `on`", "add `on:`"),
        ("triggers: [{name: t, on: {situation: ^risk}, placement: email.cart}]", "unknown situation", "at_risk"),
        ("triggers: [{name: t, on: A, unless: ^B, placement: email.cart}]", "decides at once", "wait"),
        ("triggers: [{name: t, on: A, wait: 1h, unless: ^A, placement: email.cart}]", "begins and ends", "other"),
        ("triggers: [{name: t, on: A, wait: ^soon, placement: email.cart}]", "must be a span", ""),
        ("triggers: [{name: t, on: A, where: ^x > 2 AND x < 1, placement: email.cart}]", "never be true", "change"),
        ("triggers: [{name: t, on: A, where: x >^, placement: email.cart}]", "unexpected", "a value belongs here"),
        ("triggers: [{name: t, on: A, placement: ^sms.now}]", "does not send through", "via"),
        ("triggers: [{name: t, on: A, ^plcement: email.cart}]", "unknown key `plcement`", "placement"),
        ("outbound: [{name: w, placement: email.cart, audience: ^paln = 'x'}]", "paln", "plan"),
        ("outbound: [{name: w, placement: email.cart, audience: ^plan = 'a' AND plan = 'b'}]", "never be true", ""),
        ("outbound: [{name: w, placement: email.cart, schedule: ^every day}]", "not five fields", "0 9 * * 1"),
        ("outbound: [{name: w, placement: email.cart, schedule: ^61 9 * * 1}]", "no schedule", "0 9 * * 1"),
        ("outbound: [{name: w, placement: email.cart, schedule: ^0 9 31 2 *}]", "no schedule", "0 9 * * 1"),
        ("outbound: [{name: w, placement: email.cart, window: ^9-18}]", "two times of day", "09:00-18:00"),
        ('outbound: [{name: w, placement: email.cart, window: ^"09:00-09:00"}]', "no time at all", "different"),
        ("outbound: [{name: w, placement: email.cart, throttle: ^0}]", "0.02 or more", ""),
        ("outbound: [{name: w, placement: email.cart, limit: ^0}]", "1 or more", ""),
        ("triggers: [{name: w, on: A, placement: email.cart}]\noutbound: [{name: ^w, placement: email.cart}]",
         "name of a trigger", "rename"),
    ],
)  # fmt: skip
def test_every_mistake_is_told_where_it_is(tmp_path: Path, text: str, what: str, cure: str) -> None:
    before = (BASE + text).partition("^")[0]
    where = before.count("\n") + 1, len(before) - before.rfind("\n")
    (tmp_path / "hub.yaml").write_text(BASE + text.replace("^", "") + "\n", "utf-8")
    found = [p for p in check(tmp_path) if p.line >= 7]
    assert any((p.line, p.column) == where and what in p.what and cure in f"{p.cure} {p.what}" for p in found), found


def test_an_audience_knows_only_declared_names() -> None:
    with pytest.raises(BadCatalog, match="revenue"):
        tiny_catalog(outbound=[{"name": "w", "placement": "app.home", "audience": "revenue > 2"}])


def test_slots_of_a_schedule_on_the_days_when_clocks_change() -> None:
    def slots(schedule: str, after: str, count: int) -> list[str]:
        at, found = parse_instant(after), []
        for _ in range(count):
            at = next_slot(schedule, "Europe/Berlin", at)
            found.append(format_instant(at)[5:16])
        return found

    assert slots("30 2 * * *", "2026-03-28T12:00:00Z", 2) == ["03-29T01:00", "03-30T00:30"]
    assert slots("30 2 * * *", "2026-10-24T12:00:00Z", 2) == ["10-25T00:30", "10-26T01:30"]
    assert slots("0 9 * * 1", "2026-03-23T08:00:00Z", 2) == ["03-30T07:00", "04-06T07:00"]


def test_the_latest_slot_is_the_last_one_that_has_come() -> None:
    at = parse_instant("2026-01-01T12:10:00Z")
    assert latest_slot("*/5 * * * *", "UTC", at - HOUR, at) == at
    assert latest_slot("*/5 * * * *", "UTC", at, at + 5 * MINUTE - 1) is None
    assert fault("@daily") is None
    assert fault("* * * * * *") is not None


def test_the_examples_of_the_template_work_once_they_are_wanted(tmp_path: Path) -> None:
    write_project(tmp_path, False)
    file = tmp_path / "policies.yaml"
    rules, _, examples = file.read_text("utf-8").partition("# channels:\n")
    assert examples, "the examples are gone from the template"
    wanted = "\n".join(line.removeprefix("# ") for line in ("# channels:\n" + examples).splitlines())
    file.write_text(rules + wanted + "\n", "utf-8")
    assert check(tmp_path) == []
    catalog = load(tmp_path)
    assert [t.name for t in catalog.triggers] == ["after_bill"]
    assert [r.name for r in catalog.outbound] == ["weekly", "win_back"]
    said = [a.name for a in catalog.actions for t in a.treatments if "email.*" in t.placements and a.kind == "service"]
    assert said, "there is something to say where the trigger speaks"
