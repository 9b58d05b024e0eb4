"""What goes over the wire about consent, what customers say of themselves, and the care score."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from opportune.wire import Profile, Value
from opportune.wire.calling import Calling, quoted


class ConsentRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A customer asks for messages in a channel, about one topic if it names one; `wording` is what they saw."""

    channel: str
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    user_token: str | None = None
    purpose: str = "marketing"
    topic: str = ""
    language: str = ""
    wording: str = ""


class ConsentAsked(msgspec.Struct, frozen=True, rename="camel"):
    """The address that confirms what was asked for; None for a browser, which must not know it."""

    confirm_url: str | None


class FeedbackTaken(msgspec.Struct, frozen=True):
    """What became of what a provider told: taken, known already, or about a message that nobody knows here."""

    taken: int
    known: int
    unknown: int


class CareScore(msgspec.Struct, frozen=True):
    """The share of yes among the answers to the pulse, with its 95 % interval; null with a `reason` where too few."""

    asked: int
    answered: int
    yes: int
    score: float | None
    interval: tuple[float, float] | None
    reason: str | None


class CareDifference(msgspec.Struct, frozen=True):
    """The score of the hub minus that of people who are held out, with its 95 % interval; null with a `reason`."""

    value: float | None
    interval: tuple[float, float] | None
    reason: str | None


class CareCompared(msgspec.Struct, frozen=True):
    """Answers to the pulse, of the hub's customers and of people who are held out.

    `name` is the channel, action or issue that the question was about; null: of all, or of a visit alone.
    """

    name: str | None
    hub: CareScore
    holdout: CareScore
    difference: CareDifference
    remarks: list[str]


class CareReport(msgspec.Struct, frozen=True):
    """The care score of questions asked in [since, until), and by what they were about."""

    since: datetime
    until: datetime
    all: CareCompared
    groups: list[CareCompared]


class CorrectionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a customer says about a trait: its right `value`, or `remove` it; and in `says` why."""

    name: str
    value: Value = None
    remove: bool = False
    says: str = ""


class Caring(Calling):
    """What customers agreed to, said of themselves, and how they were treated."""

    def consents(self, customer: str, receipts: bool = False) -> list[dict[str, Any]]:
        """Return the records of what a customer consented to, refused and took back; as signed receipts if asked."""
        query = {"receipts": str(receipts).lower()}
        return self._call("GET", f"/v1/customers/{quoted(customer)}/consents", list[dict[str, Any]], query=query)

    def care(self, since: str = "", until: str = "", by: str = "") -> CareReport:
        """Return the care score, by default of the last 90 days; `by` is channel, action or issue."""
        query = {key: text for key, text in (("since", since), ("until", until), ("by", by)) if text}
        return self._call("GET", "/v1/care", CareReport, query=query)

    def correct(self, customer: str, name: str, value: Value = None, remove: bool = False, says: str = "") -> Profile:
        """Take a customer's word that a trait is another one, or (`remove`) wrong; return what is known then."""
        body = {"name": name, "value": value, "remove": remove, "says": says}
        return self._call("POST", f"/v1/customers/{quoted(customer)}/corrections", Profile, body)
