"""Reports on their way to their readers, through the carrier of the first e-mail channel. Readers are staff, not
customers: consent and contact limits are not asked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from opportune.api.door import Door
from opportune.api.log import log, trace
from opportune.api.ways import with_sender
from opportune.catalog.report_types import ReportPlan
from opportune.catalog.types import Catalog, Channel
from opportune.clock import to_datetime
from opportune.deliver.carriers import open_carrier
from opportune.deliver.carriers.base import Carrier, InDoubt, Refused, TryLater
from opportune.deliver.types import Message
from opportune.errors import BadInput
from opportune.figures.alerts import Alert
from opportune.reports.mail import ALERTS, message, note
from opportune.reports.plans import Due
from opportune.reports.report import Report
from opportune.services.alerting import Alerting
from opportune.services.instruments import current
from opportune.services.reporting import Reporting, Sending, State


def channel_of(catalog: Catalog) -> Channel:
    """Return the channel that reports leave through. Raises `BadInput` where there is none."""
    found = next((channel for channel in catalog.channels if channel.form == "email" and channel.via), None)
    if found is None:
        raise BadInput("reports leave by e-mail, and no channel sends any: add `channels: [{name: email, via: smtp, "
                       "options: {host: ...}}]` to the catalog")  # fmt: skip
    return with_sender(found, catalog.sender)


async def send(door: Door, reporting: Reporting, due: Iterable[tuple[Due, str]]) -> list[Sending]:
    """Send reports that are due, each to its reader; return what became of them, whatever a relay does."""
    ended, made = list[Sending](), dict[tuple[str, str], Report]()
    for one, to in due:
        begun = await door.writer.do(lambda one=one, to=to: reporting.begin(one.plan.name, one.period, to))  # type: ignore[misc]
        state, why, reference = await _sent(door, reporting, one, to, made)
        done = await door.writer.do(
            lambda begun=begun, told=(state, why, reference): reporting.settle(begun, *told)  # type: ignore[misc]
        )
        ended.append(done)
        if state != "sent":
            log.warning("a report did not leave", report=one.plan.name, period=one.period, state=done.state, why=why)
    return ended


async def tell(door: Door, alerting: Alerting, alerts: Sequence[Alert]) -> list[Sending]:
    """Tell owners of their figures by e-mail, each once; return what became of it. It is tried once."""
    reporting, ended = Reporting(door.hub), list[Sending]()
    for to, mine in alerting.told_to(alerts).items():
        day = to_datetime(mine[0].at).date().isoformat()
        begun = await door.writer.do(lambda to=to, day=day: reporting.begin(ALERTS, day, to))  # type: ignore[misc]

        async def written(channel: Channel, mine: list[Alert] = mine, day: str = day, to: str = to) -> Message:
            return note(mine, day, channel.name, to)

        state, why, reference = await _left(door, reporting, written)
        state = "failed" if state == "waiting" else state
        ended.append(
            await door.writer.do(
                lambda begun=begun, told=(state, why, reference): reporting.settle(begun, *told)  # type: ignore[misc]
            )
        )
    return ended


async def _sent(
    door: Door, reporting: Reporting, due: Due, to: str, made: dict[tuple[str, str], Report]
) -> tuple[State, str, str]:
    """Make and send one report; return what became of it, why, and the provider's reference."""
    name = due.plan.name, due.period

    async def written(channel: Channel) -> Message:
        if name not in made:
            made[name] = await asyncio.to_thread(report_of, door, reporting, due.plan, due.as_of)
        return await asyncio.to_thread(message, made[name], due.plan, due.period, channel.name, to)

    return await _left(door, reporting, written)


async def _left(
    door: Door, reporting: Reporting, written: Callable[[Channel], Awaitable[Message]]
) -> tuple[State, str, str]:
    """Write an e-mail and hand it over; return what became of it, why, and the provider's reference."""
    carrier = None
    try:
        channel = channel_of(reporting.catalog)
        letter = await written(channel)
        carrier = open_carrier(channel, os.environ, door.folder or Path("."))
        return "sent", "", (await carrier.send(letter)).reference
    except TryLater as why:
        return "waiting", why.what, ""
    except Refused as why:
        return "failed", why.what, ""
    except InDoubt as why:
        return "in doubt", why.what, ""
    except BadInput as why:
        return "waiting", str(why), ""
    except Exception as error:  # a mistake of ours or of a carrier: nobody knows what it had done
        log.error("a report failed", **trace(error))
        return ("in doubt" if carrier else "waiting"), f"{type(error).__name__}: {error}", ""
    finally:
        if carrier is not None:
            await _closed(carrier)


async def _closed(carrier: Carrier) -> None:
    try:
        await carrier.close()
    except Exception as error:  # the message left
        log.warning("a carrier did not close", **trace(error))


def report_of(door: Door, reporting: Reporting, plan: ReportPlan, as_of: int | None) -> Report:
    """Return a report of tables that are fresh enough. Takes long: call it in a thread."""
    with current(door.hub) as folder:
        return reporting.report(plan, folder, as_of)
