"""Messages before they are sent: what a customer would get now."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.catalog.fields import nearest
from opportune.catalog.formats import is_email, is_phone
from opportune.catalog.types import Action, Treatment
from opportune.deliver.forms import form_of, open_form
from opportune.deliver.render.samples import links, ordinary
from opportune.deliver.render.worker import language_of
from opportune.deliver.types import Failure, Job, Message
from opportune.errors import NotFound
from opportune.hub import Hub
from opportune.wire.sending import Preview, RenderFault, SampleRequest, SampleSent

LONGEST_ADDRESS = 320
"""Characters of an address that a test goes to."""


async def preview(door: Door, call: Call) -> Preview:
    """Return a message as a customer, or a sample person, would get it now; nothing is recorded."""
    named, wanted = call.parameters["action"], call.query.get("treatment", "")
    customer, language = call.query.get("customer"), call.query.get("language", "")

    def work() -> tuple[Action, Treatment, Job]:
        hub = door.hub
        if named not in hub.plan.position:
            raise NotFound(f"there is no action {named!r}; {nearest(named, hub.plan.position)}")
        action = hub.plan.action(named)
        treatment = _treatment(action, wanted)
        if customer:
            job = _for_customer(hub, customer, action, treatment)
        else:
            job = _for_nobody(hub, action, treatment, language)
        context = {**job.context, "links": links(action)}
        return action, treatment, replace(job, language=language or job.language, context=context)

    action, treatment, job = await door.writer.do(work)
    catalog, [made] = door.hub.plan.catalog, await asyncio.to_thread(door.hub.personal.renderer.render, [job])
    channel = next(c for c in catalog.channels if c.name == treatment.channel)
    form = form_of(channel, treatment.content)
    content: Mapping[str, Any] = {} if isinstance(made, Failure) else made.content
    fault = RenderFault(made.what, made.field, made.line, made.column) if isinstance(made, Failure) else None
    return Preview(
        action=action.name,
        treatment=treatment.name,
        channel=treatment.channel,
        form=form,
        language=language_of(treatment, job.language, catalog.language),
        customer_id=job.context["customer"]["id"] if customer else None,
        content=content,
        remarks=[] if fault else open_form(form).remarks(content),
        fault=fault,
    )


async def test(door: Door, call: Call) -> SampleSent:
    """Send a message as a sample person would get it to an address of one's own, through the carrier of its channel."""
    asked: SampleRequest = call.body
    if door.dispatch is None:
        raise Refused(400, "bad-request", "this hub sends nothing now: serve it with `opportune serve`", "to")
    query = {"treatment": asked.treatment, "language": asked.language}
    made = await preview(door, dataclasses.replace(call, query=query))
    if made.fault is not None:
        raise Refused(400, "bad-request", f"it cannot be made: {made.fault.what} ({made.fault.field})", "treatment")
    to, fits = asked.to.strip(), {"email": is_email, "sms": is_phone}.get(made.form)
    if not to or len(to) > LONGEST_ADDRESS or not to.isprintable() or (fits and not fits(to)):
        raise Refused(400, "bad-request", f"{to[:60]!r} is no address in {made.channel}", "to")
    content = dict(made.content)
    if isinstance(content.get("subject"), str):
        content["subject"] = f"[Test] {content['subject']}"
    key = f"test-{door.hub.clock.new_id()}"
    await door.dispatch.try_out(Message(key, made.channel, to, content, language=made.language))
    return SampleSent(made.channel, key)


def _treatment(action: Action, wanted: str) -> Treatment:
    known = {treatment.name: treatment for treatment in action.treatments}
    if not wanted:
        return action.treatments[0]
    if wanted not in known:
        told = f"{action.name!r} has no treatment {wanted!r}; {nearest(wanted, known)}"
        raise Refused(400, "bad-request", told, "treatment")
    return known[wanted]


def _for_customer(hub: Hub, customer: str, action: Action, treatment: Treatment) -> Job:
    view, now = hub.people.view(customer), hub.clock.now()
    if view is None:
        raise NotFound(f"there is no customer {customer!r}")
    snapshot, _ = hub.snapshot(view, sorted(hub.plan.places)[:1], 0)
    value = hub.plan.value_of(hub.plan.position[action.name], snapshot.row)
    zone = hub.snapshots.zone(view, now)
    return hub.personal.job(view, now, zone, action, treatment.name, value, None)


def _for_nobody(hub: Hub, action: Action, treatment: Treatment, language: str) -> Job:
    catalog = hub.plan.catalog
    reads = language or catalog.language
    return Job(action.name, treatment.name, reads, ordinary(catalog, action, reads))


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/actions/{action}/preview", "server", preview, "A message as a customer would get it now",
        gives=Preview, problems=(400, 401, 403, 404, 410, 429),
        query=(
            Parameter("customer", str, "For whom (default: a sample person)"),
            Parameter("treatment", str, "Which form of the action (default: its first)"),
            Parameter("language", str, "In which language (default: the customer's)"),
        ),
    ),
    Endpoint("POST", "/v1/actions/{action}/test", "admin", test, "Send a message to an address of your own, as a test",
             SampleRequest, SampleSent, problems=(400, 401, 403, 404, 413, 422, 429)),
)  # fmt: skip
