"""Commands about customers and their events: import, rejected, profile, forget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opportune.cli.options import Dir, Json, StoreUrl, note, open_hub, progress, say
from opportune.errors import BadInput


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
    from opportune.events.columns import Columns
    from opportune.events.importer import import_files
    from opportune.events.intake import Intake

    columns = Columns.parse(map) if map else None
    with open_hub(dir, store) as hub, progress("Importing", quiet=json) as tell:
        intake = Intake(hub.clock.new_id, source=source)
        report = import_files(
            files,
            columns,
            store=hub.store,
            intake=intake,
            clock=hub.clock,
            take=lambda events: hub.ingest(events).taken,
            reject=lambda bad: hub.dead_letters.add(bad, source=source, received_at=hub.clock.now()),
            progress=lambda at: tell((files.index(at.path) + at.done) / len(files), f"{at.report.rows} rows"),
        )
    found = {
        "rows": report.rows,
        "taken": report.taken,
        "duplicates": report.duplicates,
        "rejected": report.rejected,
        "resumedFrom": report.resumed_from,
    }
    text = f"{report.taken} events taken, {report.duplicates} already known, {report.rejected} set aside."
    if report.rejected:
        text += "\nSee why: opportune rejected"
    say(json, found, text)


def rejected(
    replay: Annotated[bool, typer.Option("--replay", help="Try them again, after the cause is mended.")] = False,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show the events that were set aside, with the reason, or take them in again.

    Example: opportune rejected --replay
    """
    with open_hub(dir, store) as hub:
        if replay:
            taken, left = hub.retry()
            say(json, {"taken": taken, "left": left}, f"{taken} taken, {left} still set aside.")
            return
        rows = [
            {"id": key, "reason": letter.reason, "message": letter.message, "source": letter.source, "raw": letter.raw}
            for key, letter in hub.dead_letters.letters()
        ]
    text = "\n".join(f"{r['reason']}: {r['message']}" for r in rows) or "Nothing is set aside."
    say(json, {"rejected": rows}, text)


def profile(
    customer: Annotated[str, typer.Argument(help="A user id, an anonymous id or a pseudonym.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show what is known of a customer.

    Example: opportune profile maya --dir shop
    """
    with open_hub(dir, store) as hub:
        found = hub.profile(customer)
    lines = [f"{found['customerId']} ({len(found['nodes'])} identities)"]
    for part in ("values", "contacts", "consents"):
        lines += [f"  {name} = {value}" for name, value in found[part].items() if value is not None]
    lines += [f"  in situation {name}" for name in found["situations"]]
    say(json, found, "\n".join(lines))


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
    with open_hub(dir, store) as hub:
        hub.forget(customer)
    say(json, {"forgotten": customer}, f"{customer} is forgotten.")
    note("Backups made before still hold the data: make a new one and destroy those.")


COMMANDS = (import_, rejected, profile, forget)
