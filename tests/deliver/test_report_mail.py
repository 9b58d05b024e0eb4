"""Reports leave through a real mail server: once per period and reader, over restarts; what fails is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from smtp_mailbox import Mailbox

from opportune.api import report_mail
from opportune.api.reports import looked
from opportune.api.reports_at_work import ReportsAtWork
from opportune.api.serving import door_of
from opportune.catalog import Catalog
from opportune.clock import DAY, HOUR, MINUTE
from opportune.events.types import Spent
from opportune.hub import Hub
from opportune.services.reporting import RETRIES, Reporting, Sending
from opportune.testing import START, FakeClock, tiny_catalog

PEOPLE = [
    {"name": "ana", "role": "analyst", "email": "ana@acme.example"},
    {"name": "ben", "role": "analyst", "email": "ben@acme.example"},
    {"name": "carl", "role": "analyst"},
]


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.stop()


def catalog(mailbox: Mailbox, **more: Any) -> Catalog:
    channel = {"name": "email", "via": "smtp", "form": "email",
               "options": {"host": "127.0.0.1", "port": mailbox.port, "tls": "none"}}  # fmt: skip
    sender = {"name": "Acme", "email": "hub@acme.example", "address": "Street 1", "website": "https://acme.example"}
    daily = {"name": "today", "title": "Größe & <b>", "every": "day", "role": "analyst", "parts": ["roi", "sending"]}
    return tiny_catalog(**{"time_zone": "UTC", "channels": [channel], "sender": sender, "people": PEOPLE,
                           "reports": [daily], **more})  # fmt: skip


def passed(hub: Hub) -> list[Sending]:
    """Let the hub send what is due now."""

    async def work() -> list[Sending]:
        door, _ = door_of(hub)
        reporting = Reporting(hub)
        done = await report_mail.send(door, reporting, reporting.due())
        await door.writer.stop()
        return done

    return asyncio.run(work())


def test_a_report_arrives_with_its_files_once_over_restarts(mailbox: Mailbox, tmp_path: Path) -> None:
    clock, store = FakeClock(START + HOUR), f"sqlite:///{tmp_path / 'hub.db'}"
    with Hub.of(catalog(mailbox), store, clock) as hub:
        assert passed(hub) == [], "what was due before the hub knew of the report is not sent"
        clock.advance(6 * HOUR)
        told = [(one.to, one.state) for one in passed(hub)]
        assert told == [("ana@acme.example", "sent"), ("ben@acme.example", "sent")]
        assert passed(hub) == []
    with Hub.of(catalog(mailbox), store, clock) as hub:
        clock.advance(MINUTE)
        assert passed(hub) == [], "a restart sends nothing twice"
        assert [one.state for one in Reporting(hub).sendings()] == ["sent", "sent"]
        clock.advance(DAY)
        assert len(passed(hub)) == 2
    mails = mailbox.wait_for(4)
    assert len(mails) == 4
    first = mails[0]
    assert str(first["Subject"]) == "Größe & <b>: The 28 days to 31 December 2025"
    assert (first["To"], first["Auto-Submitted"]) == ("ana@acme.example", "auto-generated")
    assert len({mail["Message-ID"] for mail in mails}) == 4
    body, page, paper = list(first.iter_parts())
    assert body.get_content_type() == "multipart/alternative"
    plain, rich = list(body.iter_parts())
    assert "Marketing ROI is not known: nobody is held out" in plain.get_content()
    assert "Größe &amp; &lt;b&gt;" in rich.get_content()
    assert "<style" not in rich.get_content()
    assert (page.get_filename(), page.get_content_type()) == ("today-2026-01-01.html", "text/html")
    assert (paper.get_filename(), paper.get_content_type()) == ("today-2026-01-01.pdf", "application/pdf")
    assert paper.get_payload(decode=True)[:5] == b"%PDF-"
    assert b"prefers-color-scheme" in page.get_payload(decode=True)


def test_what_does_not_leave_is_tried_again_and_shown(mailbox: Mailbox) -> None:
    clock = FakeClock(START + HOUR)
    with Hub.of(catalog(mailbox, people=PEOPLE[:1]), clock=clock) as hub:
        passed(hub)
        clock.advance(6 * HOUR)
        mailbox.stop()
        [waiting] = passed(hub)
        assert (waiting.state, waiting.tries, waiting.again) == ("waiting", 1, clock.now() + RETRIES[0])
        assert "no connection to 127.0.0.1" in waiting.why
        assert passed(hub) == [], "not before its time"
        mailbox.start()
        clock.advance(RETRIES[0])
        [sent] = passed(hub)
        assert (sent.state, sent.tries) == ("sent", 2)
        mailbox.says = lambda mail: "550 5.1.1 no such user"
        clock.advance(DAY)
        [failed] = passed(hub)
        assert failed.state == "failed"
        assert "no such user" in failed.why
        assert passed(hub) == []
        assert [one.state for one in Reporting(hub).sendings()] == ["failed", "sent"]


def test_tries_end(mailbox: Mailbox) -> None:
    clock = FakeClock(START + HOUR)
    mailbox.stop()
    with Hub.of(catalog(mailbox, people=PEOPLE[:1]), clock=clock) as hub:
        reporting = Reporting(hub)
        reporting.due()
        clock.advance(6 * HOUR)
        for span in (*RETRIES, 0):
            [(due, to)] = reporting.due()
            told = reporting.settle(reporting.begin(due.plan.name, due.period, to), "waiting", "no relay")
            clock.advance(span)
        assert (told.state, told.tries, told.again) == ("failed", 6, None)
        assert reporting.due() == []


def test_what_was_leaving_when_the_hub_stopped_is_in_doubt_and_not_sent_again(mailbox: Mailbox, tmp_path: Path) -> None:
    clock, store = FakeClock(START + HOUR), f"sqlite:///{tmp_path / 'hub.db'}"
    with Hub.of(catalog(mailbox), store, clock) as hub:
        Reporting(hub).due()
        clock.advance(6 * HOUR)
        due, to = Reporting(hub).due()[0]
        Reporting(hub).begin(due.plan.name, due.period, to)
    with Hub.of(catalog(mailbox), store, clock) as hub:
        assert Reporting(hub).recover() == 1
        assert [to for _, to in Reporting(hub).due()] == ["ben@acme.example"]
        assert Reporting(hub).sendings()[0].state == "in doubt"
        assert Reporting(hub).recover() == 0


def test_a_hub_at_work_sends_by_itself(mailbox: Mailbox) -> None:
    clock = FakeClock(START + HOUR)
    with Hub.of(catalog(mailbox), clock=clock) as hub:
        Reporting(hub).due()
        clock.advance(6 * HOUR)

        async def work() -> None:
            door, _ = door_of(hub)
            at_work = ReportsAtWork(door)
            at_work.start()
            while [one.state for one in Reporting(hub).sendings()] != ["sent", "sent"]:
                await asyncio.sleep(0.05)
            await at_work.stop()
            await door.writer.stop()

        asyncio.run(asyncio.wait_for(work(), 60))
        assert [one.state for one in Reporting(hub).sendings()] == ["sent", "sent"]
    assert len(mailbox.mails) == 2


def test_without_an_email_channel_it_says_what_to_add(mailbox: Mailbox) -> None:
    clock = FakeClock(START + HOUR)
    with Hub.of(catalog(mailbox, channels=[]), clock=clock) as hub:
        passed(hub)
        clock.advance(6 * HOUR)
        assert {(one.state, one.why.partition(":")[0]) for one in passed(hub)} == {
            ("waiting", "reports leave by e-mail, and no channel sends any")
        }


def test_the_owner_of_a_figure_is_told_when_it_leaves_its_range(mailbox: Mailbox) -> None:
    clock = FakeClock(START)
    target = {"figure": "budget", "at_most": 1.2, "owner": "ana", "reason": "the plan is right"}
    campaign = {"name": "spring", "budget": {"planned": 100}, "starts": "2025-12-01", "ends": "2026-02-01"}
    with Hub.of(catalog(mailbox, targets=[target], campaigns=[campaign], reports=[]), clock=clock) as hub:
        with hub.group():
            hub.learner.append([Spent(clock.at, "spring", "a", "spent", 130.0)])
        clock.advance(DAY)

        async def look() -> list[str]:
            door, _ = door_of(hub)
            told = [alert.sentence for alert in await looked(door)]
            await door.writer.stop()
            return told

        [sentence] = asyncio.run(look())
        assert asyncio.run(look()) == []
        [mail] = mailbox.wait_for(1)
        assert mail["To"] == "ana@acme.example"
        assert "surely above its range (at most 120 %)" in sentence
        assert sentence in mail.get_content()
        assert [(one.report, one.state) for one in Reporting(hub).sendings()] == [("alerts", "sent")]
    assert len(mailbox.mails) == 1
