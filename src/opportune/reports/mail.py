"""A report as an e-mail: sentences and tables in the body, the page and the PDF attached. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opportune.catalog.report_types import ReportPlan
from opportune.deliver.types import Message
from opportune.figures.alerts import Alert
from opportune.reports.page import html, mail_html, text
from opportune.reports.pdf import pdf
from opportune.reports.report import Report

ALERTS = "alerts"
"""The name under which mails of alerts are kept, beside those of reports."""

MEDIA = {"html": "text/html", "pdf": "application/pdf"}


def message(report: Report, plan: ReportPlan, period: str, channel: str, to: str) -> Message:
    """Return the e-mail of a report for one reader. Its key is that of the report, the period and the reader."""
    content = {
        "subject": f"{report.title}: {report.period}", "html": mail_html(report), "text": text(report),
        "attachments": [attachment(report, one, period) for one in plan.formats],
    }  # fmt: skip
    return Message(key(plan.name, period, to), channel, to, content, kind="service", language="en",
                   headers={"Auto-Submitted": "auto-generated"})  # fmt: skip


def note(alerts: Sequence[Alert], day: str, channel: str, to: str) -> Message:
    """Return the e-mail that tells an owner of their figures."""
    subject = alerts[0].sentence.partition(",")[0] if len(alerts) == 1 else f"{len(alerts)} figures need you"
    lines = [*(alert.sentence for alert in alerts), f"Data: version {alerts[0].version}. More: `opportune report`."]
    return Message(key(ALERTS, day, to), channel, to, {"subject": subject, "text": "\n\n".join(lines) + "\n"},
                   kind="service", language="en", headers={"Auto-Submitted": "auto-generated"})  # fmt: skip


def key(report: str, period: str, to: str) -> str:
    """Return what one sending of a report is known by: once per period and reader."""
    return f"report:{report}:{period}:{to}"


def attachment(report: Report, form: str, period: str) -> dict[str, Any]:
    """Return a file of a report as an e-mail carries it."""
    data = pdf(report) if form == "pdf" else html(report)
    return {"name": f"{report.name}-{period}.{form}", "media": MEDIA[form], "data": data}
