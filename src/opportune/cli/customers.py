"""Commands about customers and their events: import, rejected, profile, forget."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from opportune.cli.options import Dir, Json, StoreUrl, chosen, note, open_hub, progress, say
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
    limit: Annotated[int, typer.Option(help="How many to show with --json.")] = 1000,
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
        counts: Counter[tuple[str, str, str]] = Counter()
        rows: list[dict[str, object]] = []
        for key, letter in hub.dead_letters.letters():
            told = {"id": key, "reason": letter.reason, "message": letter.message, "source": letter.source}
            counts[letter.source, letter.reason, letter.message] += 1
            if len(rows) < limit:
                rows.append({**told, "raw": letter.raw})
    lines = [f"{n} x from {source}: {reason}: {message}" for (source, reason, message), n in counts.most_common(20)]
    if len(counts) > 20:
        lines.append(f"and {len(counts) - 20} other reasons")
    text = "\n".join(lines) or "Nothing is set aside."
    say(json, {"count": counts.total(), "rejected": rows}, text)


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


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Write a consistent copy of the whole store into a file.

    Example: opportune backup monday.db --dir shop
    """
    with open_hub(dir, store) as hub:
        hub.people.save()
        hub.store.backup(str(file))
    text = f"Wrote {file}: keep it as safe as the store, it holds the keys of what is sealed."
    say(json, {"backup": str(file)}, text)


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `opportune backup` wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the store that is there.")] = False,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Make a backup the store. Events and answers since that backup are lost.

    Example: opportune restore monday.db --dir shop
    """
    import shutil

    from opportune.store import open_store

    found = chosen(dir, store).store
    path = Path(found.removeprefix("sqlite:///"))
    if not found.startswith("sqlite:///"):
        raise BadInput(f"{found} is no file; restore into a sqlite:/// store")
    if not file.is_file():
        raise BadInput(f"there is no file {str(file)!r}; name one that `opportune backup` wrote")
    if path.exists() and not force:
        raise BadInput(f"there is a store at {str(path)!r} already; --force replaces it")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.restoring")
    shutil.copyfile(file, fresh)
    open_store(f"sqlite:///{fresh}").close()  # refuses what is no store, before anything is replaced
    if path.exists():
        open_store(found).close()  # refuses while another process writes it
    for left in (f"{fresh}-wal", f"{fresh}-shm", f"{fresh}.lock", f"{path}-wal", f"{path}-shm"):
        Path(left).unlink(missing_ok=True)
    fresh.replace(path)
    say(json, {"restored": str(path)}, f"{path} is what {file} holds.")


COMMANDS = (import_, rejected, profile, forget, backup, restore)
