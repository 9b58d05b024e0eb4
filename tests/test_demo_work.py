"""The operation of the demo: its catalog, its mail server, its leads, and what two months of work come to."""

from __future__ import annotations

import smtplib
import time
from collections import Counter
from pathlib import Path
from threading import Event

import pytest

from opportune.catalog import load
from opportune.clock import DAY, SystemClock
from opportune.demo.leads import happened
from opportune.demo.place import Place
from opportune.demo.post import CUT, FULL, MOVED, fate, free_port, post
from opportune.demo.run import warm_up
from opportune.demo.script import ACTS
from opportune.demo.words import WORDS
from opportune.hub import Hub
from opportune.lab.gate import Passed
from opportune.services.laboratory import Laboratory
from opportune.services.office import Office
from opportune.simulate.company import Company

PAST = 57


def test_what_is_planted_is_what_the_catalog_tests(tmp_path: Path) -> None:
    place = Place(tmp_path / "company")
    state = place.settle(seed=1, customers=20, days=3, now=SystemClock().now(), past=PAST)
    catalog = load(place.folder)
    tried = {
        text
        for experiment in catalog.experiments
        for arm in experiment.arms
        for action in arm.changes.get("actions", ())
        for treatment in action["treatments"]
        for text in treatment["content"].values()
    }
    assert tried == {*WORDS}
    assert (state.warm, state.past) == (PAST + 3, PAST)
    assert max(ACTS) <= state.warm, "nothing is done before the company began"
    mailer = next(channel for channel in catalog.channels if channel.name == "newsletter")
    assert mailer.options["port"] == state.mail


def test_quiet_days_are_quiet() -> None:
    def told(**quiet: float) -> Counter[str]:
        company = Company(3, customers=200, **quiet)  # type: ignore[arg-type]
        return Counter(event["timestamp"][:10] for event in company.advance(company.start + 6 * DAY))

    usual, part = told(), told(quiet_days=3, quiet=0.2)
    days = sorted(usual)[1:6]
    assert all(part[day] < 0.4 * usual[day] for day in days[:2])
    assert all(part[day] > 0.7 * usual[day] for day in days[2:])


def test_leads_come_first_and_sign_later() -> None:
    days = [happened(5, day, day * DAY) for day in range(90)]
    assert days == [happened(5, day, day * DAY) for day in range(90)]
    events = [event for day in days for event in day]
    assert len({event["messageId"] for event in events}) == len(events)
    began: dict[str, str] = {}
    for event in events:
        if event["event"] == "Lead Created":
            began[event["userId"]] = event["timestamp"]
        assert began[event["userId"]] <= event["timestamp"]
    signed = sum(event["event"] == "Contract Signed" for event in events)
    assert 0.1 < signed / len(began) < 0.4
    assert happened(6, 40, 0) != happened(5, 40, 0)


def test_the_mail_server_takes_refuses_and_cuts() -> None:
    def address(low: int, high: int) -> str:
        return next(name for i in range(10_000) if low <= fate(name := f"c{i}@post.example") < high)

    def send(to: str, key: str = "01A:family_text:newsletter") -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as line:
            line.sendmail("us@telecom.example", [to], f"Message-ID: <{key}@telecom.example>\r\n\r\nHello\r\n..\r\n")

    port, arrived = free_port(), list[tuple[str, str]]()
    reached = address(MOVED + FULL + CUT, 100)
    with post(port, lambda key, to: arrived.append((key, to))):
        send(reached)
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            send(address(0, MOVED))
        assert next(iter(refused.value.recipients.values()))[0] == 550
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            send(address(MOVED, MOVED + FULL))
        assert next(iter(refused.value.recipients.values()))[0] == 554
        with pytest.raises(smtplib.SMTPServerDisconnected):
            send(address(MOVED + FULL, MOVED + FULL + CUT))
        with post(port, lambda key, to: None):
            send(reached, "01B:x:newsletter")
    assert arrived == [("01A:family_text:newsletter", reached), ("01B:x:newsletter", reached)]
    with pytest.raises(ConnectionRefusedError):
        send(reached)


@pytest.mark.long
def test_two_months_come_to_what_the_tour_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the default seed a test is rolled out, one lost, one waits for a person, and marketing is worth it."""
    monkeypatch.setattr("opportune.demo.run.LONGEST", 600.0)
    place = Place(tmp_path / "company")
    state = place.settle(seed=1, customers=800, days=3, now=SystemClock().now(), past=PAST)
    began = time.process_time()
    for _ in warm_up(place, state, Event()):
        pass
    assert time.process_time() - began < 40
    hub_said, chance_said = state.figures.answers["hub"], state.figures.answers["random"]
    assert chance_said.seen > 60
    assert hub_said.yes / hub_said.seen > 1.3 * chance_said.yes / chance_said.seen
    with Hub.open(place.folder, place.url) as hub:
        lab, office = Laboratory(hub), Office(hub)
        trials = {trial.experiment: trial for trial in hub.trials.all()}
        assert (trials["plain_tv"].status, trials["plain_tv"].winner) == ("decided", "plain")
        assert (trials["price_tv"].status, trials["price_tv"].winner) == ("decided", "")
        assert [name for name in trials if trials[name].live] == ["tap_bill", "tap_tv"]
        assert isinstance(lab.would("tap_bill", "tap", "dia"), Passed)
        assert {one.name: one.stage for one in office.all() if one.entry and not one.entry.template} == {
            "summer": "idea", "return": "build", "shop": "build", "care": "live", "spring": "live",
            "family": "measured", "green": "learned",
        }  # fmt: skip
