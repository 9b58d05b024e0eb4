"""From a decision to a real mailbox: sent once, to whom it is still right, and what became of it is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from smtp_mailbox import Mailbox

from opportune.client import Client
from opportune.hub import Hub
from serving import Server

CATALOG = """
currency: EUR
time_zone: UTC
language: en
sender: {{name: Acme, email: hello@acme.example, address: "Street 1, Berlin", website: https://acme.example}}
traits: [{{name: plan, type: text}}]
features: [{{name: complaints, event: Complaint, aggregate: count, window: 7d, by: 1h}}]
situations: [{{name: upset, when: complaints > 0, silences: [grow]}}]
channels:
  - {{name: email, via: smtp, options: {{host: 127.0.0.1, port: {port}, tls: none}}{more}}}
placements: [{{name: email.offer, channel: email}}, {{name: email.note, channel: email}}]
actions:
  - name: offer
    issue: grow
    group: plans
    value: 10
    benefit: More data
    outcomes: {{positive: [accept], negative: [reject], window: 7d}}
    treatments:
      - name: mail
        channel: email
        placements: [email.offer]
        content:
          subject: "{{{{ customer.first_name | default: 'Hello' }}}}, more data for you"
          html: "<html><body><p>{{{{ customer | salutation }}}}, <a href='https://acme.example/x'>look</a></p></body></html>"
  - name: note
    issue: service
    group: notes
    kind: service
    urgent: true
    outcomes: {{positive: [read], negative: [ignored], window: 7d}}
    treatments:
      - name: mail
        channel: email
        placements: [email.note]
        content: {{subject: Your order, html: "<html><body><p>It left.</p></body></html>"}}
contact: [{{name: month, on: channel/email, at_most: 2, in: 30d}}]
model: {{explore: greedy, random_share: 0, ramp: 0}}
"""


class Shop:
    """A server whose e-mail goes to a mailbox, and a client of it."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.mailbox = Mailbox()
        folder.mkdir(parents=True)
        (folder / "hub.yaml").write_text(CATALOG.format(port=self.mailbox.port, more=more), "utf-8")
        self.server = Server(folder)
        self.server.start()

    @property
    def client(self) -> Client:
        return Client(self.server.address, self.server.admin)

    def welcome(self, customer: str, **traits: Any) -> None:
        known = {"email": f"{customer}@example.com", "first_name": customer.title(), **traits}
        self.client.ingest([
            {"type": "identify", "userId": customer, "traits": known},
            {"type": "track", "userId": customer, "event": "Consent Updated",
             "properties": {"purpose": "marketing", "channel": "email", "status": "granted"}},
        ])  # fmt: skip

    def say(self, customer: str, placement: str = "email.offer") -> str:
        answer = self.client.decide(customer, placement)
        assert answer.actions, answer.silence
        return str(answer.decision_id)

    def states(self) -> dict[str, int]:
        return {s: len(self.client.messages(s)) for s in ("waiting", "sending", "in_doubt", "dead", "suppressed")}

    def counts(self) -> dict[str, int]:
        flows = self.client.outbox().flows
        return {name: sum(flow.counts.get(name, 0) for flow in flows) for name in {n for f in flows for n in f.counts}}

    def close(self) -> None:
        self.server.stop()
        self.mailbox.stop()


def wait_for(what: Callable[[], Any], seconds: float = 15.0) -> Any:
    until = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < until:
        time.sleep(0.05)
    assert found
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(tmp_path_factory.mktemp("leave") / "shop")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def obliging(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "shop" in request.fixturenames:
        request.getfixturevalue("shop").mailbox.says = lambda mail: None


def to(shop: Shop, customer: str) -> list[Any]:
    return [mail for mail in shop.mailbox.mails if customer in mail["To"]]


def test_a_decision_is_a_mail_for_this_person_with_a_way_out(shop: Shop) -> None:
    shop.welcome("maya")
    decision = shop.say("maya")
    [mail] = wait_for(lambda: to(shop, "maya"))
    assert mail["Subject"] == "Maya, more data for you"
    html = mail.get_body(("html",)).get_content()
    text = mail.get_body(("plain",)).get_content()
    assert "Dear Maya" in html
    assert "Dear Maya" in text
    link = mail["List-Unsubscribe"].strip("<>")
    assert link.startswith(f"{shop.server.address}/u/")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link in text.replace("\n", ""), "a way out that people can see"
    assert "https://acme.example/x" not in html, "its clicks are heard"
    wait_for(lambda: not any(shop.states().values()))
    explained = shop.client.export("maya").decisions
    assert [d["became"][0]["seen"] is not None for d in explained if d["decisionId"] == decision] == [True]


def test_a_retried_request_and_a_peek_send_nothing_more(shop: Shop) -> None:
    shop.welcome("nora")
    for _ in range(3):
        shop.client.decide("nora", "email.offer", request_id="r1")
    shop.client.decide("nora", "email.offer", peek=True)
    wait_for(lambda: to(shop, "nora"))
    time.sleep(0.3)
    assert len(to(shop, "nora")) == 1


def test_who_takes_consent_back_before_it_leaves_gets_nothing_and_it_is_seen_why(shop: Shop) -> None:
    shop.welcome("olaf")
    shop.client.pause("email", why="a test")
    shop.say("olaf")
    shop.client.ingest({"type": "track", "userId": "olaf", "event": "Consent Updated",
                        "properties": {"purpose": "marketing", "channel": "email", "status": "withdrawn"}})  # fmt: skip
    shop.client.resume("email")
    [suppressed] = wait_for(lambda: [m for m in shop.client.messages("suppressed") if m.customer_id == "olaf"])
    assert "withdrawn" in suppressed.told
    assert not to(shop, "olaf")


def test_who_complains_before_it_leaves_is_not_sold_to(shop: Shop) -> None:
    shop.welcome("pia")
    shop.client.pause("email", why="a test")
    shop.say("pia")
    shop.client.ingest({"type": "track", "userId": "pia", "event": "Complaint"})
    shop.client.resume("email")
    [suppressed] = wait_for(lambda: [m for m in shop.client.messages("suppressed") if m.customer_id == "pia"])
    assert "situation" in suppressed.told
    shop.say("pia", "email.note")  # what serves the customer still goes
    [mail] = wait_for(lambda: to(shop, "pia"))
    assert mail["Subject"] == "Your order"
    assert mail["List-Unsubscribe"] is None


def test_what_the_provider_cannot_take_now_waits_and_its_room_is_kept(shop: Shop) -> None:
    shop.welcome("quin")
    shop.mailbox.says = lambda mail: "451 greylisted" if "quin" in mail["To"] else None
    shop.say("quin")
    [waiting] = wait_for(lambda: [m for m in shop.client.messages("waiting") if m.attempts])
    assert "greylisted" in waiting.told
    assert shop.client.decide("quin", "email.offer").actions, "two a month"
    assert not shop.client.decide("quin", "email.offer").actions, "both are taken, though neither has arrived"


def test_an_address_that_does_not_exist_is_not_used_again_until_there_is_another(shop: Shop) -> None:
    shop.welcome("rosa")
    shop.mailbox.says = lambda mail: "550 5.1.1 no such mailbox" if mail["To"] == "rosa@example.com" else None
    shop.say("rosa")
    [dead] = wait_for(lambda: [m for m in shop.client.messages("dead") if m.customer_id == "rosa"])
    assert "no such mailbox" in dead.told
    refused = shop.client.decide("rosa", "email.note", explain=True)
    assert refused.explanation
    assert not refused.actions
    assert "bounced" in " ".join(lost.reason for lost in refused.explanation.lost)
    shop.client.ingest({"type": "identify", "userId": "rosa", "traits": {"email": "rosa2@example.com"}})
    shop.client.send_again(dead.key)
    [mail] = wait_for(lambda: to(shop, "rosa2"))
    assert mail["Subject"].startswith("Rosa")


def test_what_may_have_arrived_is_sent_again_only_where_that_serves_the_customer(shop: Shop) -> None:
    shop.welcome("sven")
    cut: list[str] = []

    def hang_up_once(mail: Any) -> str | None:
        if "sven" in mail["To"] and mail["Subject"] not in cut:
            cut.append(mail["Subject"])
            return Mailbox.HANG_UP
        return None

    shop.mailbox.says = hang_up_once
    shop.say("sven")
    [doubtful] = wait_for(lambda: shop.client.messages("in_doubt"))
    assert doubtful.customer_id == "sven"
    shop.say("sven", "email.note")
    wait_for(lambda: [m for m in shop.client.messages("waiting") if m.customer_id == "sven"])
    assert len(to(shop, "sven")) == 2
    shop.client.sent_after_all(doubtful.key)
    assert not shop.client.messages("in_doubt")


def test_a_template_that_fails_for_somebody_costs_only_that_message(tmp_path: Path) -> None:
    bad = "{% for i in (1..traits.many) %}{{ i }}{% endfor %}"
    with Hub.open(folder_with(tmp_path, CATALOG.replace("It left.", bad.replace("{", "{{").replace("}", "}}")))) as hub:
        for customer, many in (("tina", 2_000_000), ("ute", 3)):
            hub.ingest({"type": "identify", "userId": customer, "traits": {"email": "t@example.com", "many": many}})
        answer = hub.decide("tina", "email.note")
        assert not answer.actions
        assert "rendered" in str(answer.silence)
        assert "123" in hub.decide("ute", "email.note").actions[0].content["html"]


def folder_with(tmp_path: Path, catalog: str) -> Path:
    (tmp_path / "hub.yaml").write_text(catalog.format(port=1, more=""), "utf-8")
    return tmp_path


def test_a_rate_is_kept(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop", ", rate: 10")
    try:
        for n in range(15):
            shop.welcome(f"c{n}")
        began = time.monotonic()
        for n in range(15):
            shop.say(f"c{n}")
        shop.mailbox.wait_for(15)
        assert time.monotonic() - began > 0.45, "ten at once, then ten a second"
    finally:
        shop.close()


@pytest.mark.parametrize(("customers", "kills"), [(60, 1), pytest.param(120, 3, marks=pytest.mark.long)])
def test_a_server_that_was_killed_sends_the_rest_and_nothing_twice(tmp_path: Path, customers: int, kills: int) -> None:
    shop = Shop(tmp_path / "shop")
    try:
        made = []
        shop.mailbox.says = lambda mail: time.sleep(0.02)
        for n in range(customers):
            shop.welcome(f"c{n}")
        for n in range(customers):
            made.append(shop.say(f"c{n}"))
            if n % 40 == 25:
                shop.server.kill()
                shop.server.start()
        for _ in range(kills):
            time.sleep(0.25)
            shop.server.kill()
            shop.server.start()
        wait_for(lambda: not shop.states()["waiting"] and not shop.states()["sending"], 30)
        got = [str(mail["To"]) for mail in shop.mailbox.mails]
        assert len(got) == len(set(got)), "somebody got a message twice"
        doubtful = {m.customer_id for m in shop.client.messages("in_doubt", limit=500)}
        missing = {f"c{n}" for n in range(customers)} - {address.split("@")[0] for address in got}
        assert missing <= doubtful, f"neither sent nor in doubt: {sorted(missing - doubtful)}"
        counts = shop.counts()
        assert counts["made"] == customers
        assert counts["sent"] + counts.get("in_doubt", 0) == customers
    finally:
        shop.close()


def test_the_command_tells_what_waits_and_why_and_steers_it(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from opportune.cli import app

    shop = Shop(tmp_path / "shop")
    try:

        def run(*words: str) -> str:
            found = CliRunner().invoke(app, ["outbox", *words, "--dir", str(tmp_path / "shop")])
            return found.output + str(found.exception or "")

        assert run("list") == "No message is in the outbox.\n"
        shop.welcome("ana")
        shop.welcome("ben")
        shop.mailbox.says = lambda mail: "451 try later" if "ana" in mail["To"] else Mailbox.HANG_UP
        shop.say("ana")
        shop.say("ben")
        wait_for(lambda: shop.states()["in_doubt"] == 1 and [m for m in shop.client.messages("waiting") if m.told])
        assert "1 by email wait:" in run("status")
        assert "try later" in run("status")
        assert "in_doubt" in run("list")
        assert "no trigger and no outbound run" in run("resume", "email", "--flow", "never")
        assert "name one message" in run("again")
        shop.mailbox.says = lambda mail: None
        assert run("sent", "--flow", "") == "1 counts as sent.\n"
        assert run("again", "--state", "waiting") == "1 waits to be sent.\n"
        wait_for(lambda: to(shop, "ana"))
    finally:
        shop.close()
