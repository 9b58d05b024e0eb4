"""Attribution of the journeys of a hub's own customers: contacts, visits, offline touches and conversions, by person.

The logs are read once; what identities of one person met is one journey.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opportune.errors import Forgotten
from opportune.events import codec
from opportune.lab.attribution import attributed, sent_attribution
from opportune.lab.journeys import Journal, Moment, moment_of

if TYPE_CHECKING:
    from opportune.hub import Hub
    from opportune.lab.attribution import Journeys
    from opportune.lab.attribution_spec import AttributionSpec


def attribution(hub: Hub, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer for a spec of the ledger in plain data (see `opportune.lab.attribution.attributed`).

    Raises `BadCatalog` for a spec with mistakes. Holds up others item by item.
    """
    spec = sent_attribution(given)
    return attributed(spec, journeys(hub, spec))


def journeys(hub: Hub, spec: AttributionSpec) -> Journeys:
    """Return the journeys of all customers but those forgotten. A contact touches when it was seen, else delivered."""
    with hub.reading():
        now = hub.clock.now()
        channels = {channel.name for channel in hub.plan.catalog.channels}
        roots = {node: view.subject for view in hub.people.everyone() for node in view.nodes}
    met: dict[str, list[Moment]] = defaultdict(list)
    for _, node, payload in hub.events.read(0):
        if node in roots and payload:
            with hub.reading(), suppress(Forgotten):
                moment = moment_of(codec.decode_event(hub.vault.open(node, payload)), spec, channels)
                if moment is not None:
                    met[roots[node]].append(moment)
    for _, rows in hub.ledger.joined():
        for episode in rows.each:
            if episode.reached is not None and not episode.ghost and rows.subject in roots:
                met[roots[rows.subject]].append(Moment(episode.reached, episode.channel))
    journal = Journal(spec, now)
    for moments in met.values():
        journal.tell(moments)
    return journal.journeys()
