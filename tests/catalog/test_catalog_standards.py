"""The section `standards`, and the keys of actions that standards ask for: read, refused, written back."""

from __future__ import annotations

from typing import Any

import pytest

from opportune.catalog import from_bytes, from_data, to_bytes, to_data
from opportune.catalog.export import export
from opportune.catalog.overlay import Entry
from opportune.catalog.patterns import found, mistake
from opportune.catalog.protected import GROUPS, told_by
from opportune.catalog.types import Catalog, Forbids, Protects, Requires, Terms
from opportune.errors import BadCatalog

ACTION = {
    "name": "tv",
    "issue": "grow",
    "group": "more",
    "treatments": [{"name": "hero", "channel": "app", "content": {"title": "TV"}}],
}
BASE = {"currency": "EUR", "time_zone": "UTC", "placements": [{"name": "app.home", "channel": "app"}]}


def catalog(*standards: dict[str, Any], **action: Any) -> Catalog:
    return from_data({**BASE, "actions": [{**ACTION, **action}], "standards": list(standards)})


EVERY_KIND: list[dict[str, Any]] = [
    {"name": "a", "requires": ["Imprint", "{{ sender.address }}"], "on": ["channel/app", "grow/more"]},
    {"name": "b", "pattern": "(?i)imprint: [a-z]+", "field": ["footer", "text"]},
    {"name": "c", "requires": "x", "pattern": "y", "languages": ["de", "pt-BR"]},
    {"name": "d", "forbids": ["guarant*", "best price"], "unless": ["*Source:"], "severity": "warning"},
    {"name": "e", "claims": ["free"], "on": "action/tv"},
    {"name": "f", "terms": {"oportune": "Opportune", "acme": "Acme Inc."}},
    {"name": "g", "terms": ["Wi-Fi"], "kind": "marketing"},
    {"name": "h", "protects": ["religion", "age"], "names": ["zip"], "allows": ["age_of_account"]},
    {"name": "i", "needs_basis": True, "on": "grow"},
    {"name": "j", "needs_approval": True},
]


def test_every_kind_survives_a_round_trip() -> None:
    approved = {"by": "ben", "at": "2026-01-01", "hash": "00e1"}
    read = catalog(*EVERY_KIND, basis="contract", proof="https://acme.example/test", approved=approved)
    assert from_bytes(to_bytes(read)) == read
    assert [s.name for s in read.standards] == list("abcdefghij")
    rules = {s.name: s.rule for s in read.standards}
    assert rules["c"] == Requires(("x",), "y")
    assert rules["d"] == Forbids(("best price", "guarant*"), ("*Source:",))
    assert rules["e"] == Forbids(("free",), provable=True)
    assert rules["f"] == Terms({"acme": "Acme Inc.", "oportune": "Opportune"})
    assert rules["h"] == Protects(("age", "religion"), ("zip",), ("age_of_account",))
    assert [s.name for s in read.standards if s.warns] == ["d"]
    action = read.actions[0]
    assert (action.legal_basis, action.proof, action.approved and action.approved.hash) == (
        "contract", "https://acme.example/test", "00e1",
    )  # fmt: skip


def test_a_catalog_without_standards_is_written_as_before() -> None:
    written = to_data(catalog())
    assert "standards" not in written
    assert not {"basis", "proof", "approved"} & set(written["actions"][0])


def test_the_basis_follows_from_the_kind_where_none_is_named() -> None:
    assert catalog().actions[0].legal_basis == "consent"
    assert catalog(kind="service").actions[0].legal_basis == "contract"


@pytest.mark.parametrize(
    ("standard", "place", "told"),
    [
        ({"name": "a"}, "standards.a", "must say what it demands"),
        ({"name": "a", "forbids": ["x"], "terms": ["y"]}, "standards.a", "one rule each"),
        ({"name": "a", "requires": []}, "standards.a", "demands no text"),
        ({"name": "a", "pattern": "(a)\\1"}, "standards.a.pattern", "RE2"),
        ({"name": "a", "pattern": "a" * 1001}, "standards.a.pattern", "longer than 1000"),
        ({"name": "a", "forbids": ["***"]}, "standards.a.forbids.0", "`*` at an end"),
        ({"name": "a", "forbids": ["a*b"]}, "standards.a.forbids.0", "`*` at an end"),
        ({"name": "a", "terms": ["Acme*"]}, "standards.a.terms.0", "right spelling"),
        ({"name": "a", "terms": {"acme": ""}}, "standards.a.terms.acme", "right spelling"),
        ({"name": "a", "protects": ["religon"]}, "standards.a.protects.0", "did you mean `religion`"),
        ({"name": "a", "needs_basis": False}, "standards.a.needs_basis", "demands nothing"),
        ({"name": "a", "forbids": ["x"], "on": "chanel/app"}, "standards.a.on", "did you mean `channel/app`"),
        ({"name": "a", "forbids": ["x"], "on": "action/tw"}, "standards.a.on", "did you mean `action/tv`"),
        ({"name": "a", "forbids": ["x"], "languages": ["German"]}, "standards.a.languages.0", "codes of languages"),
        ({"name": "a", "forbids": ["x"], "severity": "fatal"}, "standards.a.severity", "unknown severity"),
        ({"name": "a", "needs_basis": True, "field": "text"}, "standards.a.field", "unknown key"),
        ({"name": "a", "forbids": ["x"], "unles": "y"}, "standards.a.unles", "did you mean `unless`"),
    ],
)
def test_a_mistake_is_told_with_its_place(standard: dict[str, Any], place: str, told: str) -> None:
    with pytest.raises(BadCatalog) as caught:
        catalog(standard)
    assert [(p.file, told in f"{p.what}; {p.cure}") for p in caught.value.problems] == [(place, True)]


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"basis": "consnt"}, "actions.tv.basis"),
        ({"approved": {"by": "ben", "at": "2026-01-01"}}, "actions.tv.approved"),
        ({"approved": {"by": "ben", "at": "new year", "hash": "1"}}, "actions.tv.approved.at"),
    ],
)
def test_a_mistake_in_an_action_is_told_with_its_place(keys: dict[str, Any], place: str) -> None:
    with pytest.raises(BadCatalog) as caught:
        catalog(**keys)
    assert [p.file for p in caught.value.problems] == [place]


def test_patterns_take_no_time_whatever_they_are() -> None:
    assert mistake("(a+)+$") == ""
    assert not found("(a+)+$", "a" * 100_000 + "b"), "exponential for engines that go back"
    assert found("(?i)straße", "Kaiserstraße 1")
    assert mistake("(?=a)b")
    assert mistake("[")


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("religion", "religion"), ("is_religious", "religion"), ("churchTax", "religion"), ("konfession", "religion"),
        ("traits.health_score", "health"), ("mental_state", "health"), ("is_pregnant", "health"),
        ("country_of_birth", "ethnicity"), ("party_member", "politics"), ("birth_date", "age"), ("sex", "gender"),
        ("trade_union", "union"), ("face_id", "biometric"), ("sex_life", "sexuality"),
        ("page_views", ""), ("average_spend", ""), ("management", ""), ("essex_store", ""), ("tracer", ""),
        ("wages", ""), ("department_id", ""), ("plan", ""),
    ],
)  # fmt: skip
def test_names_tell_of_groups_by_whole_words(name: str, group: str) -> None:
    assert told_by(name, GROUPS) == group


def test_export_makes_the_mappings_that_are_missing(tmp_path: Any) -> None:
    text = "currency: EUR\ntime_zone: UTC\nplacements: [{name: app.home, channel: app}]\nactions:\n"
    text += "  - name: tv\n    issue: grow\n    group: more\n    treatments:\n"
    text += "      - name: hero   # the big one\n        channel: app\n        content: {title: TV}\n"
    file = tmp_path / "shop.yaml"
    file.write_text(text)
    home = "actions.tv.treatments.hero.languages.de"
    values = {"title": "Fernsehen, jetzt", "text": "Erst das.\nDann: jenes."}
    entries = [Entry(f"{home}.{key}", value, "ana", 0, "", "") for key, value in values.items()]
    assert export(tmp_path, entries) == [str(file)]
    after = file.read_text()
    assert [line for line in text.split("\n") if line not in after.split("\n")] == []
    assert r'languages: {de: {text: "Erst das.\nDann: jenes.", title: "Fernsehen, jetzt"}}' in after
