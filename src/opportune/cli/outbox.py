"""Commands about messages that wait to leave: outbox status, list, send, again, sent, pause, resume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, say
from opportune.errors import BadInput

if TYPE_CHECKING:
    from opportune.client import Client
    from opportune.wire.sending import OutboxState

PAGE = 500
"""Messages that are asked for at once."""

outbox = typer.Typer(
    no_args_is_help=True,
    help="What waits to leave, what could not, and how to go on.\n\nExample: opportune outbox status",
)

Key = Annotated[str | None, typer.Argument(help="The key that `outbox list` shows.")]
State = Annotated[str, typer.Option(help="Every message in this state: in_doubt, dead or waiting.")]
OfFlow = Annotated[str | None, typer.Option("--flow", help="Of this trigger or outbound run alone.")]
Flow = Annotated[str, typer.Option(help="A trigger or an outbound run; * for everything in the channel.")]
Channel = Annotated[str, typer.Argument(help="A channel that the hub sends through.")]


@outbox.command("status")
def status(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show what was made, sent, suppressed and bounced, per flow and channel, and what is paused.

    Example: opportune outbox status
    """
    with connect(dir, store) as hub:
        found, tried = hub.outbox(), _tried(hub)
    say(json, found, _told(found, tried))


@outbox.command("list")
def list_(
    state: Annotated[str, typer.Option(help="waiting, sending, in_doubt, dead or suppressed (default: all).")] = "",
    after: Annotated[str, typer.Option(help="Go on after this key.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 100,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """List messages that wait, are in doubt or dead, or were suppressed, each with its reason.

    Example: opportune outbox list --state suppressed
    """
    with connect(dir, store) as hub:
        states = [state] if state else ["in_doubt", "dead", "sending", "waiting", "suppressed"]
        found = [message for one in states for message in hub.messages(one, after, limit)][:limit]
    lines = [
        f"{m.key}  {m.state}  {m.customer_id}  due {m.due:%Y-%m-%d %H:%M}  tried {m.attempts}  {m.told}" for m in found
    ]
    say(json, {"messages": found}, "\n".join(lines) or f"No message is {state or 'in the outbox'}.")


@outbox.command("send")
def send(
    seconds: Annotated[float, typer.Option(min=0, help="How long to wait at most.")] = 60.0,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Send what is due now. A hub that serves does so by itself.

    Example: opportune outbox send
    """
    with connect(dir, store) as hub:
        found = hub.send_due(seconds)
        tried = _tried(hub)
    say(json, found, _told(found, tried))


@outbox.command("letters")
def letters(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Make a print job of the letters that wait: one PDF and one job sheet per channel.

    Example: opportune outbox letters
    """
    with connect(dir, store) as hub:
        jobs = hub.print_letters()
    lines = [f"{job.letters} letters, {job.pages} pages: {job.folder}" for job in jobs]
    say(json, {"jobs": jobs}, "\n".join(lines) or "No letter waits for the printer.")


@outbox.command("again")
def again(
    key: Key = None, state: State = "", flow: OfFlow = None, dir: Dir = None, store: StoreUrl = None, json: Json = False
) -> None:
    """Try a message once more that is dead or in doubt, or now one that waits; or all of a state, of a flow.

    Example: opportune outbox again --state in_doubt --flow weekly
    """
    with connect(dir, store) as hub:
        number = _each(hub, hub.send_again, key, state, flow)
    say(json, {"waiting": number}, f"{number:,} {'waits' if number == 1 else 'wait'} to be sent.")


@outbox.command("sent")
def sent(key: Key = None, flow: OfFlow = None, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Say that a message in doubt did arrive, or all those of a flow.

    Example: opportune outbox sent 01JB...:keep_bundle:email
    """
    with connect(dir, store) as hub:
        number = _each(hub, hub.sent_after_all, key, "in_doubt" if flow is not None else "", flow)
    say(json, {"sent": number}, f"{number:,} {'counts' if number == 1 else 'count'} as sent.")


@outbox.command("pause")
def pause(
    channel: Channel,
    flow: Flow = "*",
    why: Annotated[str, typer.Option(help="Why, for those who find it paused.")] = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Let a flow, or a whole channel, send nothing until it is resumed.

    Example: opportune outbox pause email --flow weekly --why "wrong price in the text"
    """
    with connect(dir, store) as hub:
        found = hub.pause(channel, flow, why)
    say(json, found, _told(found))


@outbox.command("resume")
def resume(
    channel: Channel, flow: Flow = "*", dir: Dir = None, store: StoreUrl = None, json: Json = False
) -> None:
    """Let a flow, or a whole channel, go on.

    Example: opportune outbox resume email --flow weekly
    """
    with connect(dir, store) as hub:
        found = hub.resume(channel, flow)
    say(json, found, _told(found))


def _each(hub: Client, act: Callable[[str], None], key: str | None, state: str, flow: str | None) -> int:
    """Do something with one message, or with each in a state (of a flow); return how many those were."""
    if (key is None) == (not state):
        raise BadInput("name one message by its key, or all in a state with --state in_doubt, dead or waiting")
    keys, after = [key] if key else [], ""
    while state and (page := hub.messages(state, after, PAGE)):
        keys += [message.key for message in page if flow is None or message.flow == flow]
        after = page[-1].key
    for one in keys:
        act(one)
    return len(keys)


def _tried(hub: Client) -> Counter[tuple[str, str]]:
    """Return why messages that were tried still wait, by channel, and of how many."""
    waiting = hub.messages("waiting", limit=PAGE)
    return Counter((message.channel, message.told) for message in waiting if message.told)


def _told(state: OutboxState, tried: Mapping[tuple[str, str], int] = {}) -> str:
    lines = [f"{channel} cannot send: {why}" for channel, why in state.problems.items()]
    for f in state.flows:
        counts = ", ".join(f"{n:,} {name}" for name, n in f.counts.items())
        name = f"{f.flow or 'asked by a channel'} by {f.channel}"
        lines.append(f"{name}: {counts or 'nothing yet'}" + (f"; PAUSED: {f.paused}" if f.paused else ""))
    lines += [f"{number:,} by {channel} wait: {why}" for (channel, why), number in tried.items()]
    if state.next_due:
        lines.append(f"The next message is due {state.next_due:%Y-%m-%d %H:%M:%S} UTC.")
    return "\n".join(lines) or "The outbox is empty."
