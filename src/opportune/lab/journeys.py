"""Journeys of customers from what touched them: which channels came before a conversion, and which before none.

A conversion ends a journey: its path is the touches since the conversion before, no older than `look_back`. Touches
that no conversion followed within `look_back` of the last of them are a journey that ended in none; where that time is
not over yet, nothing is known of it, and it is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from opportune.events.types import Event
from opportune.lab.attribution_spec import AttributionSpec
from opportune.lab.attribution_table import Journeys
from opportune.measure.attribution.paths import Paths, paths_of

SEPARATOR = "\x1f"
"""What no name of a channel has."""


class Moment(NamedTuple):
    """A touch of a channel, or (`channel` None) a conversion with its value."""

    at: int
    channel: str | None
    value: float = 0.0


@dataclass(slots=True)
class Journal:
    """The journeys of the customers told of so far, counted by path."""

    spec: AttributionSpec
    now: int
    converted: Counter[tuple[str, ...]] = field(default_factory=Counter)
    value: Counter[tuple[str, ...]] = field(default_factory=Counter)
    lost: Counter[tuple[str, ...]] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def tell(self, moments: Iterable[Moment]) -> None:
        """Take in all moments of one customer, in any order. A touch at the instant of a conversion comes before it."""
        touches: list[Moment] = []
        for moment in sorted(moments, key=lambda m: (m.at, m.channel is None, m.channel or "")):
            if touches and moment.at - touches[-1].at > self.spec.look_back:
                self._lose(touches)
                touches = []
            if moment.channel is not None:
                touches.append(moment)
                continue
            path = tuple(t.channel for t in touches if t.channel and moment.at - t.at <= self.spec.look_back)
            touches = []
            if not self._counts(moment.at):
                continue
            if not path:
                self.left_out["conversions_without_a_touch"] += 1
                continue
            self.converted[path] += 1
            self.value[path] += moment.value  # type: ignore[assignment]
        if touches:
            self._lose(touches)

    def journeys(self) -> Journeys:
        """Return what was told, as paths."""
        found = sorted(self.converted.keys() | self.lost.keys())
        paths: Paths = paths_of(
            [SEPARATOR.join(path) for path in found], [self.converted[path] for path in found],
            [float(self.value[path]) for path in found], [self.lost[path] for path in found], SEPARATOR,
        )  # fmt: skip
        return Journeys(paths, {what: float(count) for what, count in sorted(self.left_out.items())})

    def _lose(self, touches: list[Moment]) -> None:
        over = touches[-1].at + self.spec.look_back
        if over >= self.now:
            self.left_out["journeys_still_open"] += 1
        elif self._counts(over):
            self.lost[tuple(t.channel for t in touches if t.channel)] += 1

    def _counts(self, at: int) -> bool:
        since, until = self.spec.since, self.spec.until
        return (since is None or at >= since) and (until is None or at < until)


def moment_of(event: Event, spec: AttributionSpec, channels: Collection[str]) -> Moment | None:
    """Return what an event is to a journey: the conversion, an offline touch, a visit with UTM parameters, or nothing.

    A visit is a touch of the medium where that is one of the hub's `channels`, else of `source / medium`. A value that
    is not a number, or below 0, counts as 0.
    """
    if event.type == "track" and event.event == spec.conversions:
        worth = event.properties.get(spec.value) if spec.value else None
        number = isinstance(worth, int | float) and not isinstance(worth, bool) and 0 <= worth < 1e15
        return Moment(event.at, None, float(worth) if number and isinstance(worth, int | float) else 0.0)
    offline = spec.offline.get(event.event or "") if event.type == "track" else None
    if offline is not None:
        return Moment(event.at, offline)
    if event.type not in ("page", "screen", "track"):
        return None
    source, medium = marks(event)
    if medium in channels:
        return Moment(event.at, medium)
    name = " / ".join(part for part in (source, medium) if part)
    return Moment(event.at, name) if name else None


def marks(event: Event) -> tuple[str, str]:
    """Return source and medium of a visit: of the context's campaign, of properties, or of the page's address.

    >>> page = Event(type="page", message_id="1", at=0, received_at=0,
    ...              properties={"url": "https://a.example/?utm_source=News&utm_medium=email"})
    >>> marks(page)
    ('news', 'email')
    """
    campaign, page = event.context.get("campaign"), event.context.get("page")
    told = dict(campaign) if isinstance(campaign, dict) else {}
    urls = [event.properties.get("url"), page.get("url") if isinstance(page, dict) else None]
    for url in urls:
        if isinstance(url, str) and "utm_" in url:
            try:
                asked = parse_qs(urlsplit(url).query)
            except ValueError:  # no address after all
                continue
            told = {name: asked[f"utm_{name}"][0] for name in ("source", "medium") if f"utm_{name}" in asked} | told
    found = (event.properties.get(f"utm_{name}") or told.get(name) for name in ("source", "medium"))
    source, medium = (one.strip().lower()[:100] if isinstance(one, str) else "" for one in found)
    return source, medium
