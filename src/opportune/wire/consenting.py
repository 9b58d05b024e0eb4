"""What all customers together agreed to, refused and took back, as it goes over the wire."""

from __future__ import annotations

from datetime import datetime

import msgspec

from opportune.wire.calling import Calling


class ConsentStanding(msgspec.Struct, frozen=True, rename="camel"):
    """What customers say about one purpose in one channel (and `topic`; "": about none in particular).

    `said` counts customers by what their last word amounts to now: granted, refused, withdrawn, requested, expired;
    `silent` are those who never said anything about it. Of the grants, `unproven` have neither wording nor proof nor a
    second opt-in, and `ending` end within 30 days. `basis` is what the law lets it rest on.
    """

    purpose: str
    channel: str
    topic: str
    basis: str
    said: dict[str, int]
    silent: int
    unproven: int
    ending: int


class ChannelReach(msgspec.Struct, frozen=True):
    """How many customers may hear from a channel by what they said: `marketing`, and of them `addressed`; `service`.

    `addressed` have an address there, as far as it is known. A channel that does not `push` waits for its customers.
    """

    channel: str
    push: bool
    marketing: int
    addressed: int
    service: int


class ConsentOrigin(msgspec.Struct, frozen=True):
    """Where grants that hold come from: which version of the wording ("": not known), which source and method."""

    channel: str
    wording: str
    language: str
    source: str
    method: str
    count: int
    proven: int


class ConsentDay(msgspec.Struct, frozen=True):
    """The words of consent of one day, in the hub's time zone, about one channel, by what was said."""

    day: str
    channel: str
    said: dict[str, int]


class ConsentOverview(msgspec.Struct, frozen=True, rename="camel"):
    """What all customers agreed to, `at` an instant (null: it is being counted for the first time).

    `counted` is how much of the next count is done, 1 when none is under way; `history` how much of the log of events
    the `days` know, 1 when all. `unproven` names some customers with a grant that cannot be shown.
    """

    at: datetime | None
    counted: float
    customers: int
    standing: list[ConsentStanding]
    reach: list[ChannelReach]
    origins: list[ConsentOrigin]
    unproven: list[str]
    days: list[ConsentDay]
    history: float


class Consenting(Calling):
    """What a client asks about the consent of all customers. Needs an admin key."""

    def consent_overview(self, days: int = 90) -> ConsentOverview:
        """Return what all customers agreed to, and what was said on each of the last days; counted beside other work.

        It says as of when; what is old by then is counted anew while you look.
        """
        return self._call("GET", "/v1/consents", ConsentOverview, query={"days": str(days)})
