"""Commands about customers and their events: import, rejected, profile, forget."""

from __future__ import annotations

from getpass import getuser
from pathlib import Path
from textwrap import indent
from typing import Annotated

import msgspec
import typer

from opportune.cli.options import Dir, Json, StoreUrl, chosen, connect, note, progress, say
from opportune.errors import BadInput
from opportune.wire.mending import SetAside
from opportune.wire.upkeep import FileImport


def import_(
    files: Annotated[list[Path], typer.Argument(help="jsonl, csv or parquet; .gz where that is usual.")],
    map: Annotated[
        list[str] | None,
        typer.Option("--map", help="Column mapping, such as userId=customer_id or event='Order Completed'."),
    ] = None,
    source: Annotated[str, typer.Option(help="A name for where these events come from.")] = "import",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Take events in from files; run it again to resume where it stopped, nothing counts twice.

    Example: opportune import orders.csv --map userId=customer --map "event='Order Completed'" --map timestamp=date
    """
    if map:
        from opportune.events.columns import Columns

        Columns.parse(map)
    found = FileImport(0.0, 0, 0, 0, 0, 0)
    with connect(dir, store) as hub, progress("Importing", quiet=json) as tell:
        try:
            for found in hub.import_files(files, map or (), source):
                tell(found.done, f"{found.rows} rows")
        except KeyboardInterrupt:
            note(f"Stopped after {found.rows} rows, which are taken; run the same command again to go on.")
            raise typer.Exit(130) from None
    text = f"{found.taken} events taken, {found.duplicates} already known, {found.rejected} set aside."
    if found.resumed_from:
        text += f" {found.resumed_from} rows were done before."
    if found.rejected:
        text += "\nSee why: opportune rejected"
    say(json, found, text)


def rejected(
    replay: Annotated[bool, typer.Option("--replay", help="Try them again, after the cause is mended.")] = False,
    discard: Annotated[str, typer.Option("--discard", metavar="WHY", help="Let go of them for good, and why.")] = "",
    id: Annotated[str, typer.Option("--id", help="Only the event of this id (--each shows ids).")] = "",
    source: Annotated[str, typer.Option(help="Only those of a source.")] = "",
    reason: Annotated[str, typer.Option(help="Only those set aside for a reason, such as off_plan.")] = "",
    each: Annotated[bool, typer.Option("--each", help="Show each as it came, with what mends it.")] = False,
    after: Annotated[str, typer.Option(help="With --each: those after this id.")] = "",
    limit: Annotated[int, typer.Option(help="How many to show with --each or --json.")] = 1000,
    yes: Annotated[bool, typer.Option("--yes", help="Discard without asking.")] = False,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show the events that were set aside, with the reason; take them in again, or let go of them.

    Example: opportune rejected --replay --reason off_plan
    """
    if discard and not yes:
        if json:
            raise BadInput("--discard with --json does not ask: add --yes")
        typer.confirm("Let go of these events for good? They cannot be brought back", abort=True)
    with connect(dir, store) as hub:
        if discard:
            gone = hub.discard(getuser(), discard, id, source, reason)
            say(json, gone, f"{gone.count} discarded.")
            return
        if replay:
            told = hub.retry_some(id, source, reason)
            say(json, told, f"{told.taken} taken, {told.left} still set aside.")
            return
        if each:
            page = hub.set_aside(source, reason, after=after, limit=max(1, min(limit, 200)))
            say(json, page, "\n".join(_as_it_came(one) for one in page.events) or "Nothing is set aside.")
            return
        found = hub.rejected(limit)
    reasons = [r for r in found.reasons if source in ("", r.source) and reason in ("", r.reason)]
    lines = [f"{r.count} x from {r.source}: {r.reason}: {r.message}" for r in reasons[:20]]
    if len(reasons) > 20:
        lines.append(f"and {len(reasons) - 20} other reasons")
    say(json, found, "\n".join(lines) or "Nothing is set aside.")


def _as_it_came(one: SetAside) -> str:
    raw = one.raw if isinstance(one.raw, str) else msgspec.json.format(msgspec.json.encode(one.raw)).decode()
    head = f"{one.id} of {one.received:%Y-%m-%d %H:%M:%S} from {one.source}: {one.reason}: {one.message}"
    return f"{head}\n  {one.cure}\n{indent(raw, '  ')}\n"


def profile(
    customer: Annotated[str, typer.Argument(help="A user id, an anonymous id or a pseudonym.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show what is known of a customer.

    Example: opportune profile maya --dir shop
    """
    with connect(dir, store) as hub:
        found = hub.profile(customer)
    lines = [f"{found.customer_id} ({len(found.nodes)} identities)"]
    for part in (found.values, found.contacts, found.consents, found.choices):
        lines += [f"  {name} = {value}" for name, value in part.items() if value is not None]
    lines += [f"  in situation {name}" for name in found.situations]
    for turn in found.turns:
        way = "entered" if turn.entered else "left"
        lines.append(f"  {turn.at:%Y-%m-%d %H:%M:%S} {way} {turn.situation}: {turn.cause}")
    say(json, found, "\n".join(lines))


def consents(
    customer: Annotated[str, typer.Argument(help="A user id, an anonymous id or a pseudonym.")],
    receipts: Annotated[bool, typer.Option("--receipts", help="As receipts that this hub has signed.")] = False,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show what a customer consented to, refused and took back, each word with its time, source and wording.

    Example: opportune consents maya --json
    """
    with connect(dir, store) as hub:
        found = hub.consents(customer, receipts)
    lines = []
    for one in found:
        record = one.get("record", one)
        about = "/".join(filter(None, (record["purpose"], record["channel"], record["topic"])))
        lines.append(f"{about}: {record['status']} since {record['since']}")
        lines += [f"  {word['at']} {word['status']} {word.get('source', '')}".rstrip() for word in record["history"]]
    say(json, {"consents": found}, "\n".join(lines) or f"{customer} has said nothing about consent.")


def forget(
    customer: Annotated[str, typer.Argument(help="A user id or an anonymous id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Destroy a customer's data everywhere. This cannot be undone.

    Example: opportune forget maya --yes
    """
    if not yes and not json:
        typer.confirm(f"Destroy every trace of {customer}? This cannot be undone", abort=True)
    elif json and not yes:
        raise BadInput("forget with --json does not ask: add --yes")
    with connect(dir, store) as hub:
        hub.forget(customer)
    say(json, {"forgotten": customer}, f"{customer} is forgotten.")
    note("Backups made before still hold the data: make a new one and destroy those.")


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; an older backup there is replaced.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Write a consistent copy of the whole store into a file; what was archived goes to FILE.archive beside it.

    Files of the archive never change: a second backup to the same place copies the new ones only.

    Example: opportune backup monday.db --dir shop
    """
    with connect(dir, store) as hub:
        hub.backup(file)
    text = f"Wrote {file}: keep it as safe as the store, it holds the keys of what is sealed."
    say(json, {"backup": str(file)}, text)


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `opportune backup` wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the store that is there.")] = False,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Make a backup the store, with its archive. Events and answers since that backup are lost.

    Example: opportune restore monday.db --dir shop
    """
    from opportune.store.sqlite_copy import restore_copy

    found = chosen(dir, store).store
    path = Path(found.removeprefix("sqlite:///"))
    if not found.startswith("sqlite:///"):
        raise BadInput(f"{found} is no file; restore into a sqlite:/// store")
    if not file.is_file():
        raise BadInput(f"there is no file {str(file)!r}; name one that `opportune backup` wrote")
    if path.exists() and not force:
        raise BadInput(f"there is a store at {str(path)!r} already; --force replaces it")
    restore_copy(file, path)
    say(json, {"restored": str(path)}, f"{path} is what {file} holds.")
