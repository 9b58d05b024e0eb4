"""What is known of the data that come in, as one value for all who look; its figures, and the events as they arrive."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from markupsafe import Markup

from opportune.client import Client
from opportune.console.parts.feed import feed
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.shown import joined, once
from opportune.console.words import Words
from opportune.wire.upkeep import KeyInfo, RejectedEvents
from opportune.wire.watching import Happened

SCORES_EVERY = 30.0
"""Seconds between two looks at scores, which change once a day."""

LETTERS_A_SECOND = 500
"""Of many letters all are looked at the more seldom: reading them keeps the hub from other work."""

SHOWN = 200
"""Events set aside that are looked at one by one."""


@dataclass(frozen=True)
class Data:
    """The data of a hub: `quality` and `plan` as `Client.quality` and `Client.tracking_plan` tell them."""

    keys: list[KeyInfo]
    quality: dict[str, Any]
    plan: dict[str, Any]
    letters: RejectedEvents
    aside: int
    scored: float = field(default=0.0, compare=False)
    counted: float = field(default=0.0, compare=False)


def look(hub: Client, old: Data | None) -> Data:
    """Return the data of a hub, what is slow to find only now and then."""
    now, aside = time.monotonic(), hub.status().rejected
    plan, keys = hub.tracking_plan(), hub.keys()
    if old is None:
        return Data(keys, hub.quality(), plan, hub.rejected(SHOWN), aside, now, now)
    found = replace(old, keys=keys, plan=plan)
    if now - old.scored > SCORES_EVERY or aside != old.aside:
        found = replace(found, quality=hub.quality(), scored=now)
    if aside != old.aside and now - old.counted > aside / LETTERS_A_SECOND:
        found = replace(found, letters=hub.rejected(SHOWN), aside=aside, counted=now)
    return found


@once
def figures(data: Data, words: Words) -> Markup:
    """Return the figures at the head of the page."""
    told, plan = data.quality, data.plan
    wrong = sum(one["count"] for one in plan["violations"])
    seen = len(plan["planned"]) - len(plan["neverSeen"])
    score = (
        figure("Quality score", words.percent(told["score"], 2), SCORE, _about(told, words),
               ("what is wrong", "/data#faults"))
        if told["score"] is not None
        else figure("Quality score", told["reason"] or "not scored yet", SCORE, none=True)
    )  # fmt: skip
    each = (
        score,
        figure("Set aside", words.number(data.letters.count),
               "Events that could not be taken. They wait with the reason, and can be tried again.", "now",
               ("why", "/data#letters")),
        figure("Not as planned", words.number(wrong),
               "Properties that are not as the tracking plan, or what the catalog reads, wants them.",
               "in 30 days", ("which", "/data#violations")),
        figure("Planned and seen", f"{words.number(seen)} of {words.number(len(plan['planned']))}"
               if plan["planned"] else "no event is planned",
               "Events of the tracking plan that came at least once.", "in 30 days", ("which", "/data#plan"),
               none=not plan["planned"]),
    )  # fmt: skip
    return Markup('<div class="grid">{}</div>').format(
        joined(Markup('<div class="card">{}</div>').format(one) for one in each)
    )


SCORE = (
    "1 minus weighted faults over weighted checks, of what came in on the day and of customers as they are. A fault "
    "weighs what it costs decisions."
)


def _about(told: dict[str, Any], words: Words) -> str:
    between = ""
    if told["interval"]:
        low, high = told["interval"]
        between = f"{words.percent(low, 2)} to {words.percent(high, 2)}, " if low != high else "all looked at, "
    return f"{between}{words.number(told['events'])} events of {words.iso(told['day'])} (UTC)"


def arriving(
    came: tuple[Happened, ...], last: Sequence[Data], words: Words, names: bool, wrong_only: bool = False
) -> Markup:
    """Return the events as they arrive, and which of them come not as planned."""
    if not came and wrong_only:
        return empty("No event came that is not as planned.", "An event that breaks the plan is here as it comes.")
    if not came:
        return empty("No event has come since this console began to listen.",
                     "Give a source a key, and send an event:", "opportune key new write --name web")  # fmt: skip
    wrong: Counter[str] = Counter()
    for data in last:
        for one in data.plan["violations"]:
            wrong[one["event"]] += one["count"]
    shown = feed(came, words, names)
    marked = sorted({one.what for one in came if wrong[one.what]})
    tags = joined(
        Markup('<a class="tag warn" href="/data#violations">! {}: {} not as planned in 30 days</a> ').format(
            name, words.number(wrong[name])
        )
        for name in marked
    )
    return Markup('{}<p class="chips">{}</p>').format(shown, tags) if marked else shown


def instant(text: str | None, words: Words) -> str:
    """Return an instant of ISO 8601, or a day, as the reader writes it; "" of none."""
    if not text:
        return ""
    return words.iso(text) if len(text) == 10 else words.whole(datetime.fromisoformat(text))
