"""Messages before they are sent: what a customer would get now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.catalog.fields import nearest
from opportune.catalog.types import Action, Treatment
from opportune.deliver.forms import form_of, open_form
from opportune.deliver.render.samples import links, ordinary
from opportune.deliver.render.worker import language_of
from opportune.deliver.types import Failure, Job
from opportune.errors import NotFound
from opportune.hub import Hub
from opportune.wire.sending import Preview, RenderFault


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
)  # fmt: skip
