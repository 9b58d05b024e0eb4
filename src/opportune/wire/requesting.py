"""What goes over the wire about the requests of data subjects, and the methods of `Client` that ask for them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from opportune.wire.calling import Calling, quoted


class NewSubjectRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Somebody asks for what is theirs by law.

    `kind` is access, rectification, erasure, restriction, portability or objection; `received` is ISO 8601 ("": now).
    `reference` is the number of the request in your own files, and no name.
    """

    kind: str
    by: str
    user_id: str = ""
    received: str = ""
    reference: str = ""


class SubjectRequestStep(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What became of a request: `done`, `refused` or `extended`, by whom, and why."""

    step: str
    by: str
    why: str = ""


class SubjectRequestEntry(msgspec.Struct, frozen=True):
    """One line of a request's history."""

    at: datetime
    step: str
    by: str
    why: str


class SubjectRequest(msgspec.Struct, frozen=True, rename="camel"):
    """A request: `state` is open, done or refused, and `due` when it must be answered.

    `customerId` is "" where nobody was named, and once they were forgotten: then `forgotten` is true.
    """

    id: str
    kind: str
    state: str
    customer_id: str
    subject: str
    forgotten: bool
    reference: str
    received: datetime
    due: datetime
    extended: bool
    late: bool
    history: list[SubjectRequestEntry]


class Requesting(Calling):
    """What a client asks about the requests of data subjects. Needs an admin key."""

    def subject_requests(self, state: str = "", after: str = "", limit: int = 100) -> list[SubjectRequest]:
        """Return the requests, the oldest first, after that of an id; only those in a state, if one is named."""
        query = {"state": state, "after": after, "limit": str(limit)}
        return self._call("GET", "/v1/subject-requests", list[SubjectRequest], query=query)

    def new_subject_request(
        self, kind: str, by: str, customer: str = "", received: str = "", reference: str = ""
    ) -> SubjectRequest:
        """Note a request, from which on its clock runs. Raises `NotFound` for a customer whom nobody knows."""
        asked = NewSubjectRequest(kind, by, customer, received, reference)
        return self._call("POST", "/v1/subject-requests", SubjectRequest, asked)

    def step_subject_request(self, id: str, step: str, by: str, why: str = "") -> SubjectRequest:
        """Say that a request is `done`, `refused` or `extended`. Raises `Stale` where it is over, or was extended."""
        path = f"/v1/subject-requests/{quoted(id)}/steps"
        return self._call("POST", path, SubjectRequest, SubjectRequestStep(step, by, why))
