"""`pulse` and `asks` in the catalog: read, written back the same, and every mistake in its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opportune.catalog import check, from_data, load
from opportune.catalog.build import from_bytes, to_bytes, to_data
from opportune.catalog.project import write_project
from opportune.catalog.types import Cap, Option, Pause
from opportune.clock import DAY, HOUR, MINUTE
from opportune.deliver.render.check import check as check_texts
from opportune.errors import BadCatalog
from opportune.testing import tiny_action, tiny_catalog

NAMES = ("app.home", "app.pulse", "email.pulse", "sms.pulse", "push.pulse", "agent.pulse", "letter.mail")
PLACES = [{"name": name, "channel": name.split(".")[0]} for name in NAMES]
PULSE: dict[str, Any] = {
    "question": {"en": "Did this help you & yours?", "de": "Hat das geholfen?"},
    "placements": ["app.pulse", "email.pulse"],
}
ASK: dict[str, Any] = {
    "fact": "birthday_month", "question": "In which month were you born?", "buys": {"en": "a present", "de": "was"},
    "options": [{"value": 6, "title": {"en": "June", "de": "Juni"}}, 7], "placements": ["app.home"],
    "when": "plan = 'gold'", "worth": "2 * 3", "owner": "ana", "campaign": "care", "topic": "presents",
}  # fmt: skip
TRAITS = [{"name": "plan", "type": "text"}, {"name": "birthday_month", "type": "number"},
          {"name": "has_tv", "type": "bool"}, {"name": "born", "type": "time"}]  # fmt: skip


def catalog(**more: Any) -> Any:
    data: dict[str, Any] = {
        "traits": TRAITS, "placements": PLACES, "topics": [{"name": "presents"}], "pulse": PULSE, "asks": [ASK],
    }  # fmt: skip
    return tiny_catalog(**{**data, **more})


def test_what_is_written_back_reads_the_same_and_holds_no_part_that_the_files_did_not_have() -> None:
    made = catalog()
    data = to_data(made)
    assert [a["name"] for a in data["actions"]] == ["hello"]
    assert not data.keys() & {"features", "contact"}
    assert data["asks"] == [ASK | {"placements": ["app.home"], "options": [ASK["options"][0], {"value": 7}]}]
    assert from_data(data) == made
    assert from_bytes(to_bytes(made)) == made


def test_a_catalog_without_questions_keeps_its_hash() -> None:
    assert not {"pulse", "asks"} & to_data(tiny_catalog()).keys()
    assert catalog().hash != tiny_catalog(traits=TRAITS, placements=PLACES, topics=[{"name": "presents"}]).hash


def test_the_pulse_is_an_action_with_its_cap_and_what_it_counts() -> None:
    made = catalog(pulse={**PULSE, "events": ["Order Completed"], "share": 0.1, "owner": "ana"})
    pulse = made.pulse
    assert (pulse.share, pulse.every, pulse.after, pulse.within) == (0.1, 30 * DAY, HOUR, 3 * DAY)
    action = next(a for a in made.actions if a.survey)
    assert (action.path, action.kind, action.owner) == ("care/pulse/pulse", "marketing", "ana")
    assert action.outcomes.positive == ("yes",)
    assert action.eligible.canonical == (
        "contacts_all_3d + pulse_order_completed_3d > contacts_all_1h + pulse_order_completed_1h"
    )
    assert [(f.name, f.window, f.by) for f in made.features if "pulse" in f.name] == [
        ("pulse_order_completed_1h", HOUR, 15 * MINUTE), ("pulse_order_completed_3d", 3 * DAY, 15 * MINUTE),
    ]  # fmt: skip
    assert Cap("pulse", "action/pulse", 1, 30 * DAY, made=True) in made.contact
    mail = next(t for t in action.treatments if t.channel == "email")
    assert mail.content["subject"] == "Did this help you & yours?"
    assert "Did this help you &amp; yours?" in mail.content["mjml"]
    assert "{{ links.answer }}?answer=yes" in mail.content["mjml"]
    assert mail.languages["de"]["subject"] == "Hat das geholfen?"
    assert ">Ja<" in mail.languages["de"]["mjml"]


def test_an_ask_is_an_action_that_rests_after_a_dismissal() -> None:
    made = catalog()
    action = next(a for a in made.actions if a.asks)
    assert (action.path, action.topic, action.benefit) == ("care/facts/ask_birthday_month", "presents", "a present")
    assert action.applicable.canonical == "plan = 'gold'"
    assert made.asks[0].options == (Option(6.0, {"en": "June", "de": "Juni"}), Option(7.0))
    rest = Pause("ask_birthday_month", "action/ask_birthday_month", "dismiss", 1, 90 * DAY, 90 * DAY, made=True)
    assert made.contact == (rest, Cap("pulse", "action/pulse", 1, 30 * DAY, made=True))
    assert action.treatments[0].content["options"] == [{"value": 6.0, "title": "June"}, {"value": 7.0, "title": "7"}]


def test_questions_can_be_rendered_in_every_form_that_takes_an_answer() -> None:
    places = ["email.pulse", "sms.pulse", "push.pulse", "agent.pulse"]
    free = {**{k: v for k, v in ASK.items() if k != "options"}, "placements": places}
    pulse = {**PULSE, "placements": ["app.pulse", *places]}
    asks = [catalog(pulse=None, asks=[ask]) for ask in ({**ASK, "placements": places}, free)]
    for made in (catalog(pulse=pulse, asks=[]), *asks):
        assert [p for p in check_texts(made) if not p.warning] == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"pulse": {**PULSE, "placements": ["app.puls"]}}, "there is no placement `app.puls`"),
    ({"pulse": {**PULSE, "question": {"fr": "Ça va ?"}}}, "`question` of `pulse` has no text in `en`"),
    ({"pulse": {**PULSE, "share": 1.5}}, "`share` of `pulse`"),
    ({"pulse": {**PULSE, "every": "1d"}}, "`every` no shorter than `within`"),
    ({"pulse": {**PULSE, "after": "3d"}}, "needs `after` before `within`"),
    ({"pulse": {**PULSE, "within": "30d", "after": "7s"}}, "have no bucket in common"),
    ({"pulse": {**PULSE, "about": ["outage"]}}, "unknown situation `outage`"),
    ({"pulse": {**PULSE, "placements": ["letter.mail"]}}, "nobody can answer a letter"),
    ({"pulse": {**PULSE, "events": ["a b", "a-b"]}}, "needs the name `pulse_a_b_3d`, which is taken"),
    ({"pulse": {**PULSE, "color": "red"}}, "unknown key `color` in `pulse`"),
    ({"pulse": {"placements": ["app.pulse"]}}, "`pulse` has no `question`"),
    ({"placements": [{**p, "price": 1} for p in PLACES]}, "placement `app.pulse` of `pulse` has a price"),
    ({"pulse": {**PULSE, "placements": ["app.*"]}}, "treatment `card` of action `hello` has no placement"),
    ({"actions": [tiny_action("pulse")]}, "duplicate action `pulse`"),
    ({"contact": [{"name": "pulse", "on": "all", "at_most": 1, "in": "1d"}]}, "contact rule `pulse` has a name"),
    ({"asks": [{**ASK, "fact": "birthday"}]}, "unknown fact `birthday`"),
    ({"asks": [{**ASK, "kind": "text"}]}, "declared as number, and asked for as text"),
    ({"asks": [{**ASK, "options": ["June"]}]}, "`June` in the question for `birthday_month` is no number"),
    ({"asks": [{**ASK, "options": [6, 6]}]}, "`6` twice"),
    ({"asks": [{**ASK, "fact": "born", "options": ["2000-01-01"]}]}, "is no time"),
    ({"asks": [{**ASK, "when": "birthday_month = 6"}]}, "can never be reached"),
    ({"asks": [{**ASK, "when": "shoe_size = 6"}]}, "shoe_size"),
    ({"asks": [ASK, ASK]}, "needs the name `days_since_birthday_month_taken_back`, which is taken"),
    ({"asks": [{k: v for k, v in ASK.items() if k != "buys"}]}, "has no `buys`"),
]


@pytest.mark.parametrize(("more", "what"), WRONG, ids=[what[:40] for _, what in WRONG])
def test_mistakes_are_told(more: dict[str, Any], what: str) -> None:
    with pytest.raises(BadCatalog) as told:
        catalog(**more)
    assert any(what in f"{p.what} {p.cure}" for p in told.value.problems), told.value.problems


def test_mistakes_are_found_where_they_are_written(shop: Callable[..., Path]) -> None:
    folder = shop(pulse="""\
pulse:
  question: Did this help you?
  placements: [app.pulse]
placements: [{name: app.pulse, channel: app}]
asks:
  - fact: plan
    question: Which plan do you have?
    buys: Prices that are yours
    placements: [app.home.*]
    when: tenure_months > 'six'
""")  # fmt: skip
    told = [p for p in check(folder) if p.file.endswith("pulse.yaml")]
    [wrong] = [p for p in told if not p.warning]
    assert (wrong.line, wrong.column) == (10, 11)
    [warned] = [p for p in told if "situation `leaving`" in p.what]
    assert warned.warning
    assert warned.line == 2


def test_the_examples_of_the_template_work_when_they_are_taken_in(tmp_path: Path) -> None:
    write_project(tmp_path / "shop", False)
    for file in ("customers.yaml", "policies.yaml"):
        path = tmp_path / "shop" / file
        text = path.read_text("utf-8")
        text = re.sub(r"(?m)^( *)# (- \{name: |pulse: |asks:|  - \{fact|     placements)", r"\1\2", text)
        path.write_text(text, "utf-8")
    more = "traits: [{name: birthday_month, type: number}]\nplacements: [{name: app.pulse, channel: app}]\n"
    (tmp_path / "shop" / "more.yaml").write_text(more, "utf-8")
    assert [str(p) for p in check(tmp_path / "shop") if not p.warning] == []
    made = load(tmp_path / "shop")
    assert made.pulse
    assert [a.fact for a in made.asks] == ["birthday_month"]
    assert {"complaints_90d", "days_since_complaint", "last_stars", "angry_calls_30d", "last_feeling"} <= {
        f.name for f in made.features
    }
