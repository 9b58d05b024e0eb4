"""`opportune preview`: what a customer would get now, by the door, the client and the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from opportune.api.local import Local
from opportune.catalog import Catalog
from opportune.catalog.project import write_project
from opportune.cli import app
from opportune.client import Client
from opportune.errors import BadCatalog, BadRequest, NotFound
from opportune.hub import Hub
from opportune.testing import FakeClock, tiny_action, tiny_catalog

PAGE = "<p>{{ customer | salutation }}, {{ features.spend_90d | money }}</p>"
TREATMENTS: list[dict[str, Any]] = [
    {"name": "mail", "channel": "email", "content": {"subject": "For {{ customer.first_name }}", "html": PAGE},
     "languages": {"de": {"subject": "Für {{ customer.first_name }}"}}},
    {"name": "card", "channel": "app",
     "content": {"title": "Worth {{ action.value | money }}", "n": [1, "{{ now | date }}"]}},
    {"name": "sms", "channel": "sms", "content": {"text": "{{ traits.note | default: 'x' }}" + "y" * 600}},
    {"name": "letter", "channel": "letter", "content": {"subject": "Hi", "text": "Dear {{ customer.name }}"}},
    {"name": "talk", "channel": "agent", "content": {"opening": "Hello {{ customer.name }}", "questions": ["One?"]}},
    {"name": "wrong", "channel": "app", "content": {"title": "\n {{ traits.plan | money }}"}},
]  # fmt: skip
NOTE = {"subject": "Your order", "html": "<p>It left. {{ links.unsubscribe }}{{ links.why }}</p>"}
CHANNELS = ("app", "email", "sms", "letter", "agent")
SPEND = {"name": "spend_90d", "event": "Order", "aggregate": "sum(revenue)", "window": "90d", "by": "1d"}


def catalog() -> Catalog:
    return tiny_catalog(
        placements=[{"name": f"{one}.home", "channel": one} for one in CHANNELS],
        sender={"name": "Acme", "address": "Street 1, 10115 Berlin"},
        traits=[{"name": "plan", "type": "text"}, {"name": "time_zone", "type": "text"}],
        features=[SPEND],
        actions=[
            tiny_action("offer", value="10 + spend_90d", treatments=TREATMENTS),
            tiny_action("note", kind="service", treatments=[{**TREATMENTS[0], "content": NOTE, "languages": {}}]),
        ],
    )


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    hub = Hub.of(catalog(), clock=FakeClock())
    with Client("", "", Local(hub)) as client:
        names = {"firstName": "Maya", "lastName": "<Kruse>", "salutation": "Frau", "country": "DE", "plan": "gold"}
        order = {"event": "Order", "properties": {"revenue": 39.5}}
        traits = {**names, "language": "de", "address": "Weg 2\nBern"}
        client.ingest({"type": "identify", "userId": "maya", "traits": traits})
        client.ingest({"type": "track", "userId": "maya", **order})
        yield client


def test_a_customer_gets_what_the_profile_says_now(client: Client) -> None:
    made = client.preview("offer", "maya")
    assert (made.treatment, made.form, made.language, made.customer_id) == ("mail", "email", "de", "maya")
    assert made.content["subject"] == "Für Maya"
    assert "Sehr geehrte Frau &lt;Kruse&gt;, 39,50\u00a0€" in made.content["html"]
    assert "Sehr geehrte Frau <Kruse>, 39,50" in made.content["text"]
    assert "https://example.com/unsubscribe" in made.content["text"]
    assert client.preview("offer", "maya", "card").content == {"title": "Worth 49,50\u00a0€", "n": [1, "1 Jan 2026"]}


def test_a_sample_person_and_another_language(client: Client) -> None:
    made = client.preview("offer", language="de-AT")
    assert (made.customer_id, made.language, made.content["subject"]) == (None, "de", "Für Maya")
    assert client.preview("offer").content["subject"] == "For Maya"


def test_a_service_message_is_shown_as_it_is_sent(client: Client) -> None:
    for customer in ("maya", None):
        made = client.preview("note", customer)
        assert made.content["text"] == "It left. https://example.com/why"
        assert "nsubscribe" not in made.content["html"]
        assert "preferences" not in made.content["html"]
        assert "https://example.com/unsubscribe" in client.preview("offer", customer).content["text"]


def test_every_form_has_a_preview(client: Client) -> None:
    assert client.preview("offer", "maya", "sms").remarks[0].startswith("the text takes 4 SMS")
    assert client.preview("offer", "maya", "letter").content["pdf"].startswith("JVBERi")
    nobody = client.preview("offer", treatment="letter", language="de").content
    assert nobody["address"] == ["Maya Kruse", "Long Street 12", "10115 Berlin", "Germany"]
    assert "Hello Maya <Kruse>" in client.preview("offer", "maya", "talk").content["as_text"]


def test_a_fault_has_its_place(client: Client) -> None:
    fault = client.preview("offer", "maya", "wrong").fault
    assert fault
    assert (fault.what, fault.field, fault.line, fault.column) == (
        "`money` got 'gold'; give it a number",
        "title",
        2,
        19,
    )


def test_it_leaves_no_trace(client: Client) -> None:
    before = client.status()
    client.preview("offer", "maya")
    client.preview("offer")
    with pytest.raises(NotFound, match="no customer 'nobody'"):
        client.preview("offer", "nobody")
    assert client.status() == before


def test_what_does_not_exist_is_named(client: Client) -> None:
    with pytest.raises(NotFound, match="did you mean `offer`"):
        client.preview("ofer")
    with pytest.raises(BadRequest, match="did you mean `mail`"):
        client.preview("offer", treatment="mial")


def test_the_command(tmp_path: Path) -> None:
    write_project(tmp_path / "shop")
    run, shop = CliRunner(), ["--dir", str(tmp_path / "shop"), "--treatment", "mail"]
    assert run.invoke(app, ["import", str(tmp_path / "shop/stories/lunch_break.jsonl"), *shop[:2]]).exit_code == 0
    shown = run.invoke(app, ["preview", "more_data", "--customer", "maya", *shop, "--out", str(tmp_path / "mail.html")])
    assert shown.exit_code == 0
    assert "more_data/mail for maya: email in email, language en" in shown.output
    assert "subject: More data: 10 GB more for €5" in shown.output
    assert "  you used 9.7 GB in the last 30 days." in shown.output
    assert (tmp_path / "mail.html").read_text().startswith("<!DOCTYPE html>")
    told = run.invoke(app, ["preview", "more_data", *shop, "--language", "de", "--json"])
    assert json.loads(told.stdout)["content"]["subject"] == "Maya: 10 GB mehr für 5 €"


def test_what_cannot_be_rendered_does_not_go_live(tmp_path: Path) -> None:
    write_project(tmp_path)
    file = tmp_path / "actions_grow.yaml"
    with Client("", "", Local(Hub.open(tmp_path), tmp_path)) as client:
        before = client.status().catalog
        file.write_text(file.read_text().replace("TV for a month on us", "'TV for {{ custmer.name }}'"))
        with pytest.raises(BadCatalog, match=r"actions_grow.yaml:.*unknown name `custmer`; did you mean `customer`\?"):
            client.publish()
        assert client.status().catalog == before
        file.write_text(file.read_text().replace("custmer", "customer"))
        assert client.publish().published
