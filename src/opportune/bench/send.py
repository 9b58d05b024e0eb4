"""The figures of sending: messages rendered in the guarded worker, and e-mails from the outbox to an SMTP server.

    emails_per_s      decisions are made before; release, render, SMTP on loopback, and settle are measured, durable
    emails_cpu_us     CPU of the hub's process for one of them, the worker and the SMTP server apart
    renders_per_s     a full e-mail: subject, preheader, HTML with inlined CSS, text part, in one worker

The peer of `emails_per_s` is aiosmtplib alone, sending one message that was made before over as many connections.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from opportune.bench.learn import Figure, figure

CUSTOMERS = 3_000
RENDERED = 10_000
CONNECTIONS = 10

MAIL = """
<mjml><mj-head><mj-attributes><mj-all font-family="Helvetica, sans-serif" /></mj-attributes>
<mj-style inline="inline">.price { color: #0a5; font-weight: bold; } .small { font-size: 12px; color: #666; }</mj-style>
</mj-head><mj-body background-color="#f4f4f4">
<mj-section background-color="#ffffff"><mj-column>
<mj-image src="https://acme.example/logo.png" alt="Acme" width="120px" />
<mj-text font-size="20px">{{ customer | salutation }},</mj-text>
<mj-text>you have been with us for {{ features.tenure | number }} months. From {{ now | date: 'long' }} on we can offer
you <span class="price">{{ action.value | money }}</span> less on what you already use.</mj-text>
<mj-button href="https://acme.example/offer?plan={{ traits.plan }}">Keep my plan</mj-button>
</mj-column></mj-section>
<mj-section background-color="#ffffff"><mj-column><mj-text>
{% for thing in traits.things %}- {{ thing }}<br/>{% endfor %}</mj-text></mj-column>
<mj-column><mj-text><span class="small">{{ sender.name }}, {{ sender.address }}</span></mj-text>
</mj-column></mj-section>
</mj-body></mjml>
"""


def figures() -> list[Figure]:
    """Return the figures of the group `send`."""
    with TemporaryDirectory(prefix="opportune-bench-") as folder:
        return [*emails(Path(folder)), *renders()]


def catalog(port: int) -> Any:
    """Return a catalog with one action by e-mail."""
    from opportune.catalog.build import from_data

    return from_data({
        "currency": "EUR", "time_zone": "Europe/Berlin", "language": "en",
        "sender": {"name": "Acme", "email": "hello@acme.example", "address": "Street 1, 10115 Berlin",
                   "website": "https://acme.example"},
        "traits": [{"name": "plan", "type": "text"}],
        "features": [{"name": "tenure", "event": "Month", "aggregate": "count"}],
        "channels": [{"name": "email", "via": "smtp", "options": {
            "host": "127.0.0.1", "port": port, "tls": "none", "connections": CONNECTIONS,
        }}],
        "placements": [{"name": "email.offer", "channel": "email"}],
        "contact": [{"name": "week", "on": "channel/email", "at_most": 3, "in": "7d"}],
        "actions": [{
            "name": "keep", "issue": "retain", "group": "bundle", "value": 12.5, "benefit": "A lower price",
            "outcomes": {"positive": ["accept"], "negative": ["reject"], "window": "7d"},
            "treatments": [{"name": "mail", "channel": "email", "placements": ["email.offer"], "content": {
                "subject": "{{ customer.first_name }}, your plan for less", "preheader": "Good until {{ now | date }}",
                "mjml": MAIL,
            }}],
        }],
        "model": {"explore": "greedy", "random_share": 0.0, "ramp": 0},
    })  # fmt: skip


def emails(folder: Path) -> list[Figure]:
    """Return the figures of sending everything that waits in an outbox."""
    from opportune.api.serving import at_work, door_of
    from opportune.hub import Hub

    with sink() as port:
        alone = _alone(port)
        with Hub.of(catalog(port), f"sqlite:///{folder}/hub.db") as hub:
            _fill(hub, CUSTOMERS)

            async def send() -> tuple[float, float]:
                door, _ = door_of(hub, public_url="https://hub.example")
                async with at_work(door, sending=False):
                    hub.personal.renderer.render([])
                    began, cpu = time.perf_counter(), time.process_time()
                    dispatch = door.sending()
                    while not await dispatch.idle():
                        await asyncio.sleep(0.02)
                    return time.perf_counter() - began, time.process_time() - cpu

            import uvloop

            took, cpu = uvloop.run(send())
            sent = sum(counts.get("sent", 0) for counts in hub.outbox.counts().values())
    if sent != CUSTOMERS:
        raise AssertionError(f"{sent} of {CUSTOMERS} e-mails were sent")
    rate = sent / took
    return [
        figure("emails_per_s", rate, "1/s", peer="aiosmtplib alone", peer_value=alone, ratio=rate / alone),
        figure("emails_cpu_us", cpu / sent * 1e6, "us"),
    ]


def renders() -> list[Figure]:
    """Return the figure of rendering in one worker."""
    from opportune.deliver import person
    from opportune.deliver.render.worker import Renderer
    from opportune.deliver.types import Failure, Job

    made = catalog(25)
    traits = {"first_name": "Maya", "last_name": "Ito", "plan": "gold", "things": ["data", "calls", "texts"]}
    told = person.context("c1", traits, {"tenure": 39.0}, made, 1_760_000_000_000_000, "Europe/Berlin", made.actions[0])
    jobs = [Job("keep", "mail", "en", told)] * 500
    rates = []
    with Renderer(made) as renderer:
        failed = [one for one in renderer.render(jobs) if isinstance(one, Failure)]
        if failed:
            raise AssertionError(f"a render failed: {failed[0]}")
        for _ in range(RENDERED // len(jobs)):
            began = time.perf_counter()
            renderer.render(jobs)
            rates.append(len(jobs) / (time.perf_counter() - began))
    rates.sort()
    spread = (rates[-1] - rates[0]) / 2
    return [figure("renders_per_s", rates[len(rates) // 2], "1/s", spread=spread)]


@contextmanager
def sink() -> Iterator[int]:
    """Yield the port of an SMTP server that runs beside."""
    command = [sys.executable, "-m", "opportune.bench.smtp_sink"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield int(process.stdout.readline())
        process.stdin.close()


def _fill(hub: Any, customers: int) -> None:
    """Make customers known, and a decision about each, whose message waits."""
    granted = {"purpose": "marketing", "channel": "email", "status": "granted"}
    for start in range(0, customers, 100):
        hub.ingest([
            event
            for n in range(start, min(start + 100, customers))
            for event in (
                {"type": "identify", "userId": f"c{n}", "traits": {
                    "email": f"c{n}@example.com", "first_name": f"Maya{n}", "last_name": "Ito", "plan": "gold",
                    "things": ["data", "calls", "texts"],
                }},
                {"type": "track", "userId": f"c{n}", "event": "Consent Updated", "properties": granted},
            )
        ])  # fmt: skip
        with hub.group():
            for n in range(start, min(start + 100, customers)):
                hub.decide(f"c{n}", "email.offer")


def _alone(port: int, messages: int = 1_500) -> float:
    """Return how many messages a second aiosmtplib alone sends over as many connections."""
    import aiosmtplib

    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "hello@acme.example", "c1@example.com", "Maya, your plan for less"
    mail.set_content("x" * 2_000)
    mail.add_alternative("<p>" + "x" * 8_000, subtype="html")
    data = mail.as_bytes()

    async def one(client: aiosmtplib.SMTP, number: int) -> None:
        await client.connect()
        for _ in range(number):
            await client.sendmail("hello@acme.example", ["c1@example.com"], data)
        await client.quit()

    async def all_of_them() -> float:
        clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(CONNECTIONS)]
        began = time.perf_counter()
        await asyncio.gather(*(one(client, messages // CONNECTIONS) for client in clients))
        return messages / (time.perf_counter() - began)

    import uvloop

    return uvloop.run(all_of_them())
