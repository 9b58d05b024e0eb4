"""Reports, targets and alerts at the door."""

from __future__ import annotations

import asyncio

import msgspec

from opportune.api import report_mail
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter, Reply
from opportune.api.problems import Refused
from opportune.catalog.report_types import WEEKDAYS, ReportPlan
from opportune.clock import to_datetime
from opportune.figures.alerts import Alert
from opportune.reports.page import html, text
from opportune.reports.pdf import pdf
from opportune.reports.plain import data
from opportune.reports.plans import readers
from opportune.reports.report import Report
from opportune.services.alerting import Alerting, Judged, TargetChange
from opportune.services.instruments import current, instant_of
from opportune.services.reporting import Reporting, Sending
from opportune.wire.informing import AlertInfo, ReportInfo, SendingInfo, SendReport, TargetInfo

MEDIA = {
    "html": "text/html; charset=utf-8", "pdf": "application/pdf", "json": "application/json",
    "text": "text/plain; charset=utf-8",
}  # fmt: skip


SAFE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
"""What a page of a report may do: be looked at."""


async def reports(door: Door, call: Call) -> list[ReportInfo]:
    """Return the reports that there are."""

    def work() -> list[ReportInfo]:
        reporting = Reporting(door.hub)
        return [_report(reporting, plan) for plan in reporting.plans()]

    return await door.writer.do(work)


async def report(door: Door, call: Call) -> Reply:
    """Return a report as a file."""
    form = call.query.get("format", "html")
    if form not in MEDIA:
        raise Refused(400, "bad-request", f"format is {form[:40]!r}; give {', '.join(MEDIA)}", "format")
    asked = call.query.get("asOf", "")
    as_of = instant_of(asked, door.hub, "asOf") if asked else None
    reporting = Reporting(door.hub)
    plan = await door.writer.do(lambda: reporting.plan(call.parameters["name"]))

    def work() -> bytes:
        return written(report_mail.report_of(door, reporting, plan, as_of), form)

    return Reply(await asyncio.to_thread(work), media=MEDIA[form], headers=SAFE if form == "html" else {})


def written(made: Report, form: str) -> bytes:
    """Return the bytes of a report in a form."""
    if form == "pdf":
        return pdf(made)
    if form == "json":
        return msgspec.json.encode(data(made))
    return html(made) if form == "html" else f"{text(made)}\n".encode()


async def send(door: Door, call: Call) -> list[SendingInfo]:
    """Send a report of the last period now."""
    asked: SendReport = call.body
    reporting = Reporting(door.hub)

    def work() -> tuple[ReportPlan, list[str], set[str]]:
        plan = reporting.plan(call.parameters["name"])
        period = reporting.period(plan).period
        had = {one.to for one in reporting.sendings() if (one.report, one.period) == (plan.name, period)
               and one.state in ("sent", "sending", "in doubt")}  # fmt: skip
        return plan, list(dict.fromkeys(asked.to)) or list(readers(plan, reporting.catalog)), had

    plan, to, had = await door.writer.do(work)
    if not to:
        raise Refused(409, "no-readers", f"nobody reads {plan.name!r}: name people with an `email` in `people:`, or "
                      "addresses in `to:` of the report", "to")  # fmt: skip
    if wrong := [one for one in to if one.count("@") != 1 or not one.isprintable()]:
        raise Refused(400, "bad-request", f"{wrong[0][:60]!r} is no e-mail address", "to")
    due = reporting.period(plan)
    sent = await report_mail.send(door, reporting, [(due, one) for one in to if asked.again or one not in had])
    told = await door.writer.do(reporting.sendings)
    kept = [one for one in told if (one.report, one.period) == (plan.name, due.period) and one.to in to]
    return [_sending(one) for one in (kept if sent or had else sent)]


async def sendings(door: Door, call: Call) -> list[SendingInfo]:
    """Return what became of the reports that were sent."""
    return await door.writer.do(lambda: [_sending(one) for one in Reporting(door.hub).sendings()])


async def alerts(door: Door, call: Call) -> list[AlertInfo]:
    """Return what was told of figures."""
    return await door.writer.do(lambda: [_alert(one) for one in Alerting(door.hub).alerts()])


async def look(door: Door, call: Call) -> list[AlertInfo]:
    """Look at every figure as of now, and return what was told."""
    await looked(door, door.hub.clock.now())
    return await alerts(door, call)


async def looked(door: Door, as_of: int | None = None) -> list[Alert]:
    """Look at every figure as of an instant (None: where the running day began), keep what is new, tell the owners.

    Return what is new.
    """
    alerting = Alerting(door.hub)

    def work() -> list[Judged]:
        with current(door.hub) as folder:
            return alerting.judge(folder, as_of)

    judged = await asyncio.to_thread(work)
    told = await door.writer.do(lambda: alerting.note(judged))
    await report_mail.tell(door, alerting, told)
    return told


async def targets(door: Door, call: Call) -> list[TargetInfo]:
    """Return every change of a target."""
    return [_target(one) for one in await asyncio.to_thread(Alerting(door.hub).targets)]


def _report(reporting: Reporting, plan: ReportPlan) -> ReportInfo:
    every = "day" if plan.every == "day" else f"week, {WEEKDAYS[plan.weekday]}"
    return ReportInfo(
        plan.name, plan.title, every, f"{plan.minute // 60:02}:{plan.minute % 60:02}", plan.role,
        list(readers(plan, reporting.catalog)), list(plan.parts), list(plan.formats),
        to_datetime(reporting.next(plan)),
    )  # fmt: skip


def _sending(one: Sending) -> SendingInfo:
    again = None if one.again is None else to_datetime(one.again)
    return SendingInfo(one.report, one.period, one.to, one.state, to_datetime(one.at), one.tries, one.why, again)


def _alert(one: Alert) -> AlertInfo:
    return AlertInfo(to_datetime(one.at), one.about, one.kind, one.state, one.owner, one.sentence, one.version)


def _target(one: TargetChange) -> TargetInfo:
    target = one.target
    if target is None:
        return TargetInfo(to_datetime(one.at), one.by, one.about, "", "", "", None)
    review = None if target.review is None else to_datetime(target.review)
    return TargetInfo(to_datetime(one.at), one.by, one.about, target.range, target.owner, target.reason, review)


_READ = (400, 401, 403, 404, 429)

ENDPOINTS = (
    Endpoint("GET", "/v1/reports", "server", reports, "The reports that there are", None, list[ReportInfo],
             problems=(401, 403, 429)),
    Endpoint("GET", "/v1/reports/{name}", "server", report, "A report, as a file", None, bytes, problems=_READ,
             media="text/html",
             query=(Parameter("format", str, "html, pdf, json or text"),
                    Parameter("asOf", str, "Where it ends: a day or an instant (where the running day began)"))),
    Endpoint("POST", "/v1/reports/{name}/send", "admin", send, "Send a report now", SendReport, list[SendingInfo],
             problems=(*_READ, 409, 413, 422)),
    Endpoint("GET", "/v1/report-sendings", "server", sendings, "What became of reports", None, list[SendingInfo],
             problems=(401, 403, 429)),
    Endpoint("GET", "/v1/figure-alerts", "server", alerts, "What was told of figures", None, list[AlertInfo],
             problems=(401, 403, 429)),
    Endpoint("POST", "/v1/figure-alerts", "admin", look, "Look at every figure now", None, list[AlertInfo],
             problems=(400, 401, 403, 429)),
    Endpoint("GET", "/v1/targets", "server", targets, "Every change of a target", None, list[TargetInfo],
             problems=(401, 403, 429)),
)  # fmt: skip
