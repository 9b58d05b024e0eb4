"""How a hub does now: for the people who run it."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

from opportune.api.asked import LATELY, compared, questions
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter, Stream
from opportune.api.feed import BEFORE, Slow
from opportune.api.health import LEAST_DISK
from opportune.api.lab_groups import effect_told
from opportune.api.problems import Refused
from opportune.clock import DAY, SECOND, format_span, to_datetime
from opportune.decide.holdouts import UNIVERSAL
from opportune.decide.stages.assign import RANDOM
from opportune.hub import Hub
from opportune.measure import care
from opportune.measure.summary import Difference, Rate, difference, rate
from opportune.services.control_groups import ControlGroups
from opportune.services.lately import HUB, Tally
from opportune.store.base import Store
from opportune.wire.watching import (
    Added,
    Attention,
    Beat,
    Counts,
    FeedItem,
    HubHealth,
    NowInfo,
    Share,
    SilenceReason,
)

SLOW_EVERY = 600.0
"""Seconds between two looks at figures that take a walk through the logs."""

OLD_BACKUP = 7 * DAY
"""How old the last backup may be before somebody should know."""

BACKED_UP = "backed_up"


async def now(door: Door, call: Call) -> NowInfo:
    """Return how the hub does now."""
    feed, hub, slow = door.feed, door.hub, door.feed.slow
    feed.count()
    if time.monotonic() - slow.began > SLOW_EVERY and slow.task is None:
        slow.began = time.monotonic()
        slow.task = asyncio.ensure_future(asyncio.to_thread(_look_up, hub, slow))
        slow.task.add_done_callback(lambda _: setattr(slow, "task", None))

    def counted() -> tuple[Counts, Tally, list[Beat]]:
        feed.lately.catch_up(0)
        events, today = feed.lately.today()
        beats = [Beat(to_datetime(at), Counts(*each)) for at, each in feed.lately.beats()]
        return Counts(events, today.decisions, today.silences, today.outcomes), feed.lately.whole(), beats

    today, whole, beats = await asyncio.to_thread(counted)
    health = await _health(door)
    chosen = whole.decisions - whole.silences
    arms = {arm: rate(*whole.answers(arm)) for arm in (HUB, RANDOM)}
    added = _added(arms)
    at = hub.clock.now()
    return NowInfo(
        at=to_datetime(at),
        zone=hub.plan.catalog.time_zone,
        currency=hub.plan.catalog.currency,
        today=today,
        per_second=beats[-1].per_second if beats else Counts(),
        beats=beats,
        since=to_datetime(feed.lately.since),
        counted=feed.lately.counted,
        accept={arm: _share(one) for arm, one in arms.items()},
        added=added,
        push=_share(rate(whole.pushed, chosen)),
        silence=[SilenceReason(reason, count) for reason, count in whole.why_silent.most_common()],
        care=slow.care or compared(None, {care.HUB: care.Answers(), care.HOLDOUT: care.Answers()}),
        value=slow.value,
        valued=None if slow.valued is None else to_datetime(slow.valued),
        no_value=slow.no_value,
        health=health,
        attention=await door.writer.do(lambda: _attention(door, health, added, at)),
    )


async def feed(door: Door, call: Call) -> Stream:
    """Stream what happens, in words, or only that one customer changed."""
    assert call.key is not None
    key = call.key

    def check() -> None:
        """Raise if the key is no longer good."""
        if key.id != "local" and not door.keys.good(key.id):
            raise Refused(401, "unknown-key", "this key was revoked")

    last = call.query.get("last") or "0"
    if not (last.isascii() and last.isdecimal() and len(last) < 3 and int(last) <= BEFORE):
        raise Refused(400, "bad-request", f"last is {last[:20]!r}; give 0 to {BEFORE}", "last")
    after = _position(call.query.get("after", ""))
    return await door.feed.open(call.query.get("customer", ""), check, after, int(last))


def _position(text: str) -> tuple[int, int] | None:
    """Return the event and the fact of a position of the feed."""
    event, dot, fact = text.partition(".")
    if not text:
        return None
    if not (dot and all(part.isascii() and part.isdecimal() and len(part) < 19 for part in (event, fact))):
        raise Refused(400, "bad-request", f"after is {text[:40]!r}; give the position of an item of the feed", "after")
    return int(event), int(fact)


def backed_up(store: Store, at: int) -> None:
    """Note that a backup was made, in the caller's transaction."""
    store.table("upkeep").put([(BACKED_UP, str(at).encode())])


async def _health(door: Door) -> HubHealth:
    path = getattr(door.hub.store, "path", None)
    free = (await asyncio.to_thread(shutil.disk_usage, path.parent)).free if isinstance(path, Path) else None
    rejected = await asyncio.to_thread(door.hub.dead_letters.count)

    def work() -> HubHealth:
        hub = door.hub
        due, made = hub.outbox.next_due(), hub.store.table("upkeep").get(BACKED_UP)
        return HubHealth(
            queue=door.writer.waiting,
            lag=0.0 if due is None else max(0.0, (hub.clock.now() - due) / SECOND),
            rejected=rejected,
            backup=to_datetime(int(made)) if made else None,
            disk_free=free,
            disk_least=LEAST_DISK,
            streams=len(door.streams),
        )

    return await door.writer.do(work)


def _look_up(hub: Hub, slow: Slow) -> None:
    at = hub.clock.now()
    tallied = care.tally(questions(hub, at - LATELY, at + SECOND))
    if "" in tallied:
        slow.care = compared(None, tallied[""])
    metrics = [metric for metric in hub.plan.catalog.metrics if metric.event]
    universal = hub.plan.catalog.model.holdout_share or any(UNIVERSAL in h.on for h in hub.plan.catalog.holdouts)
    if not universal:
        slow.value, slow.no_value = [], "nobody is held out: set `holdout_share` in `model`, or add a universal holdout"
    elif not metrics:
        slow.value, slow.no_value = [], "no metric of events is declared: add `metrics` to the catalog, see docs/lab.md"
    else:
        found = [held for held in ControlGroups(hub).holdouts() if UNIVERSAL in held.holdout.on]
        slow.value, slow.no_value = [effect_told(one) for held in found for one in held.effects], ""
    slow.valued = at


def _attention(door: Door, health: HubHealth, added: Added, at: int) -> list[Attention]:
    """Return what a person should look at, the most important first."""
    found: list[Attention] = []

    def say(severity: str, what: str, cure: str, about: str) -> None:
        found.append(Attention(severity, what, cure, about))  # type: ignore[arg-type]

    if health.disk_free is not None and health.disk_free < 4 * LEAST_DISK:
        bad = health.disk_free < LEAST_DISK
        say("bad" if bad else "warn", f"only {health.disk_free >> 20:,} MB of disk are free",
            "free some space: below 256 MB the hub says that it is not ready", "disk")  # fmt: skip
    for channel, problem in (door.dispatch.problems if door.dispatch else {}).items():
        say("bad", f"{channel} cannot send: {problem}", "mend the carrier; messages wait until then", "messages")
    if added.interval is not None and added.interval[1] < 0:
        say(
            "bad",
            "the random arm gets more yes than the hub",
            "look at models and levers before anything else",
            "accept",
        )
    if health.lag > 300:
        say("warn", f"the oldest message is {format_span(int(health.lag) * SECOND)} late",
            "see `opportune outbox status`", "messages")  # fmt: skip
    if health.queue > 500:
        say(
            "warn", f"{health.queue:,} requests wait for the hub", "ask less at once, or give it a faster disk", "queue"
        )
    if health.rejected:
        say("warn", f"{health.rejected:,} events are set aside", "see why with `opportune rejected`, mend the source, "
            "and try them again", "events")  # fmt: skip
    if health.disk_free is not None and (health.backup is None or at - _instant(health) > OLD_BACKUP):
        when = "no backup was made yet" if health.backup is None else f"the last backup is of {health.backup:%Y-%m-%d}"
        say("note", when, "make one with `opportune backup FILE`", "backup")
    return found


def _instant(health: HubHealth) -> int:
    assert health.backup is not None
    return int(health.backup.timestamp()) * SECOND


def _share(one: Rate) -> Share:
    return Share(one.positive, one.n, one.rate, None if one.rate is None else (one.low, one.high))


def _added(arms: dict[str, Rate]) -> Added:
    lift: Difference = difference(arms[HUB], arms[RANDOM])
    if lift.value is None:
        missing = "the hub" if arms[HUB].rate is None else "the random arm"
        return Added(None, None, f"no action of {missing} was seen yet")
    return Added(lift.value, (lift.low, lift.high))


ENDPOINTS = (
    Endpoint("GET", "/v1/now", "server", now, "How the hub does now", gives=NowInfo, problems=(401, 403, 429)),
    Endpoint("GET", "/v1/feed", "server", feed, "What happens, in words, as it happens", gives=FeedItem,
             query=(Parameter("customer", str, "Only tell that this customer changed"),
                    Parameter("after", str, "The position of an item: begin with what happened since"),
                    Parameter("last", int, "Without `after`: begin with the last so many happenings, 60 at most")),
             problems=(400, 401, 403, 404, 410, 429), media="text/event-stream"),
)  # fmt: skip
