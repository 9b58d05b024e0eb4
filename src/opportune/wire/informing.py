"""Reports, targets and alerts over the wire: what is asked and answered, and what the client of a hub can ask for."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from opportune.wire.calling import Calling, quoted

Form = Literal["json", "html", "pdf", "text"]


class ReportInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A report: when it is made (`at` in the hub's time zone) and when it is due next, and the addresses it goes to."""

    name: str
    title: str
    every: str
    at: str
    role: str
    to: list[str]
    parts: list[str]
    formats: list[str]
    due: datetime


class SendingInfo(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a report for one reader in one period: sending, sent, waiting, failed or in doubt, and why.

    `again` is when it is tried again.
    """

    report: str
    period: str
    to: str
    state: str
    at: datetime
    tries: int
    why: str
    again: datetime | None


class SendReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Send a report of the last period now, `to` these addresses or (none) to its readers.

    Who got it already gets it only `again` where that is said.
    """

    to: list[str] = []
    again: bool = False


class AlertInfo(msgspec.Struct, frozen=True, rename="camel"):
    """What was told of a figure: that it left its range, that it moved, or that its target is due for a review."""

    at: datetime
    about: str
    kind: str
    state: str
    owner: str
    sentence: str
    version: str


class TargetInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A target as it was set when a catalog went live; `range` is "" where it was taken away."""

    at: datetime
    by: str
    about: str
    range: str
    owner: str
    reason: str
    review: datetime | None


class Informing(Calling):
    """What a client asks of reports, targets and alerts."""

    def reports(self) -> list[ReportInfo]:
        """Return the reports that there are."""
        return self._call("GET", "/v1/reports", list[ReportInfo])

    def report(self, name: str, form: Form = "html", as_of: str = "") -> bytes:
        """Return a report as a file that ends at a day or an instant ("": where the running day began)."""
        query = {"format": form, **({"asOf": as_of} if as_of else {})}
        return self._call("GET", f"/v1/reports/{quoted(name)}", bytes, query=query)

    def send_report(self, name: str, to: list[str] | None = None, again: bool = False) -> list[SendingInfo]:
        """Send a report of the last period now; return what became of it for each reader."""
        asked = SendReport(to or [], again)
        return self._call("POST", f"/v1/reports/{quoted(name)}/send", list[SendingInfo], asked)

    def report_sendings(self) -> list[SendingInfo]:
        """Return what became of the reports that were sent, the newest first."""
        return self._call("GET", "/v1/report-sendings", list[SendingInfo])

    def figure_alerts(self, look: bool = False) -> list[AlertInfo]:
        """Return what was told of figures, the newest first; with `look`, after looking at all of them now."""
        return self._call("POST" if look else "GET", "/v1/figure-alerts", list[AlertInfo])

    def targets(self) -> list[TargetInfo]:
        """Return every change of a target, in the order in which they went live."""
        return self._call("GET", "/v1/targets", list[TargetInfo])
