"""Commands about messages that wait to leave: outbox status, list, send, again, sent, pause, resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, say

if TYPE_CHECKING:
    from opportune.wire import OutboxState

outbox = typer.Typer(
    no_args_is_help=True,
    help="What waits to leave, what could not, and how to go on.\n\nExample: opportune outbox status",
)

Key = Annotated[str, typer.Argument(help="The key that `outbox list` shows.")]
Flow = Annotated[str, typer.Option(help="A trigger or an outbound run; * for everything in the channel.")]
Channel = Annotated[str, typer.Argument(help="A channel that the hub sends through.")]


@outbox.command("status")
def status(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show what was made, sent, suppressed and bounced, per flow and channel, and what is paused.

    Example: opportune outbox status
    """
    with connect(dir, store) as hub:
        found = hub.outbox()
    say(json, found, _told(found))


@outbox.command("list")
def list_(
    state: Annotated[str, typer.Option(help="waiting, sending, in_doubt, dead or suppressed.")] = "dead",
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
        found = hub.messages(state, after, limit)
    lines = [f"{m.key}  {m.customer_id}  due {m.due:%Y-%m-%d %H:%M}  tried {m.attempts}  {m.told}" for m in found]
    say(json, {"messages": found}, "\n".join(lines) or f"No message is {state}.")


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
    say(json, found, _told(found))


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
def again(key: Key, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Try a message once more that is dead or in doubt.

    Example: opportune outbox again 01JB...:keep_bundle:email
    """
    with connect(dir, store) as hub:
        hub.send_again(key)
    say(json, {"waiting": True}, f"{key} waits to be sent.")


@outbox.command("sent")
def sent(key: Key, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Say that a message in doubt did arrive.

    Example: opportune outbox sent 01JB...:keep_bundle:email
    """
    with connect(dir, store) as hub:
        hub.sent_after_all(key)
    say(json, {"sent": True}, f"{key} counts as sent.")


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


def _told(state: OutboxState) -> str:
    lines = [f"{channel} cannot send: {why}" for channel, why in state.problems.items()]
    for f in state.flows:
        counts = ", ".join(f"{n:,} {name}" for name, n in f.counts.items())
        name = f"{f.flow or 'asked by a channel'} by {f.channel}"
        lines.append(f"{name}: {counts or 'nothing yet'}" + (f"; PAUSED: {f.paused}" if f.paused else ""))
    if state.next_due:
        lines.append(f"The next message is due {state.next_due:%Y-%m-%d %H:%M:%S} UTC.")
    return "\n".join(lines) or "The outbox is empty."


GROUPS = {"outbox": outbox}
