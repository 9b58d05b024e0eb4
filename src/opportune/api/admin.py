"""What the people who run a hub do: keys, catalog, model, events set aside, files, backups, webhooks, tokens."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter, Reply, Send, Stream
from opportune.api.log import log
from opportune.api.now import backed_up
from opportune.api.problems import Refused, problem
from opportune.api.streams import hung_up
from opportune.api.who import USER, text_id
from opportune.catalog.report_sections import unexplained
from opportune.clock import HOUR, parse_span, to_datetime
from opportune.deliver.addresses import check as check_address
from opportune.errors import BadInput, OpportuneError
from opportune.events.types import Event
from opportune.services.overlaid import Overlay
from opportune.store.sqlite_file import is_copy
from opportune.wire.upkeep import (
    Backup,
    CatalogDiff,
    FileImport,
    ImportRequest,
    KeyInfo,
    KeyRequest,
    Published,
    Rebuilt,
    Rejected,
    RejectedCount,
    RejectedEvents,
    Status,
    UserToken,
    UserTokenRequest,
    WebhookInfo,
    WebhookRequest,
)

LONGEST_TOKEN = 24 * HOUR

PAGE = 500
"""Events set aside that are read in one job of the writer."""


async def status(door: Door, call: Call) -> Status:
    """Return what the server serves, and how much."""
    files = await asyncio.to_thread(_files, door)
    rejected = await asyncio.to_thread(door.hub.dead_letters.count)

    def work() -> Status:
        hub = door.hub
        return Status(
            catalog=hub.plan.catalog.hash,
            events=hub.events.last(),
            facts=hub.ledger.last(),
            answers=hub.brain.answers,
            rejected=rejected,
            streams=len(door.streams),
            placements=sorted(hub.plan.places),
            context={n.name: n.kind.value for n in hub.plan.catalog.context},
            unpublished=files is not None and files != Overlay(hub).files_hash(),
        )

    return await door.writer.do(work)


async def keys(door: Door, call: Call) -> list[KeyInfo]:
    """Return every key, without its secret."""
    return await door.writer.do(lambda: [_info(key, used=door.keys.used(key.id)) for key in door.keys.all()])


async def new_key(door: Door, call: Call) -> KeyInfo:
    """Make a key; its secret is in this answer and nowhere else."""
    asked: KeyRequest = call.body

    def work() -> KeyInfo:
        with door.hub.group():
            secret, key = door.keys.new(
                asked.kind, door.hub.clock.now(), asked.name, asked.scopes, asked.origins, asked.rate
            )
        return _info(key, secret)

    return await _changing_keys(door, work)


async def rotate_key(door: Door, call: Call) -> KeyInfo:
    """Make a key like this one, and revoke this one."""

    def work() -> KeyInfo:
        with door.hub.group():
            secret, key = door.keys.rotate(call.parameters["id"], door.hub.clock.now())
        return _info(key, secret)

    return await _changing_keys(door, work)


async def revoke_key(door: Door, call: Call) -> KeyInfo:
    """Revoke a key; it stops working at once."""

    def work() -> KeyInfo:
        with door.hub.group():
            door.keys.revoke(call.parameters["id"], door.hub.clock.now())
        return next(_info(key) for key in door.keys.all() if key.id == call.parameters["id"])

    return await _changing_keys(door, work)


async def user_token(door: Door, call: Call) -> UserToken:
    """Sign a token with which a browser may ask about one user."""
    asked: UserTokenRequest = call.body
    user = text_id(asked.user_id, "userId")
    if user is None:
        raise Refused(400, "bad-request", f"{asked.user_id!r} names nobody; give the id of a user", "userId")
    try:
        span = parse_span(asked.lasts)
    except BadInput as error:
        raise Refused(400, "bad-request", str(error), "lasts") from None
    if span > LONGEST_TOKEN:
        raise Refused(400, "bad-request", f"lasts is {asked.lasts!r}; a token lasts 24h at most", "lasts")
    until = door.hub.clock.now() + span
    return UserToken(door.signer.sign(USER, {"userId": user}, until), to_datetime(until))


async def publish(door: Door, call: Call) -> Published:
    """Take the files of the project folder live, all or nothing."""
    return await door.writer.do(lambda: published(door, call.query.get("author", "")), alone=True)


async def diff(door: Door, call: Call) -> CatalogDiff:
    """Return what publishing would change, and for how many known customers."""
    from opportune.services.radius import difference

    return await door.writer.do(lambda: difference(door.hub, _folder(door)), alone=True)


async def model(door: Door, call: Call) -> dict[str, Any]:
    """Return what the model has learned."""
    return await door.writer.do(door.hub.model)


async def rebuild(door: Door, call: Call) -> Rebuilt:
    """Learn the model anew from the ledger alone."""

    def work() -> Rebuilt:
        data = door.hub.rebuild(call.query.get("reason", ""))
        return Rebuilt(sha256(data).hexdigest(), door.hub.brain.answers)

    return await door.writer.do(work, alone=True)


async def rejected(door: Door, call: Call) -> RejectedEvents:
    """Return the events that were set aside."""
    limit = call.query.get("limit", "1000")
    if not limit.isdecimal() or len(limit) > 6:
        raise Refused(400, "bad-request", f"limit is {limit[:20]!r}; give a whole number", "limit")

    counts: Counter[tuple[str, str, str]] = Counter()
    rows: list[Rejected] = []
    letters = door.hub.dead_letters.letters()
    while page := await door.writer.do(lambda: list(islice(letters, PAGE))):
        for id, letter in page:
            counts[letter.source, letter.reason, letter.message] += 1
            if len(rows) < int(limit):
                rows.append(Rejected(id, letter.reason, letter.message, letter.source, letter.raw))
    reasons = [RejectedCount(*told, count) for told, count in counts.most_common(1000)]
    return RejectedEvents(counts.total(), reasons, rows)


async def backup(door: Door, call: Call) -> Backup:
    """Write a consistent copy of the store to a file of the machine that serves, while it serves."""
    asked: Backup = call.body
    path = Path(asked.file)
    if not path.is_absolute() or "\0" in asked.file:
        raise Refused(400, "bad-request", "name the file by its whole path: the server has a folder of its own", "file")
    if path.exists() and not is_copy(path):
        raise Refused(400, "bad-request", f"{asked.file!r} is there and is no backup; name another file", "file")
    if not path.parent.is_dir():
        raise Refused(400, "bad-request", f"there is no folder {str(path.parent)!r}; make it first", "file")
    own = getattr(door.hub.store, "path", None)
    if own and path.parent.resolve() == own.parent.resolve() and path.name.startswith((own.name, "hub.json")):
        raise Refused(400, "bad-request", f"{path.name!r} may be a file of the store; take another name", "file")
    await door.writer.do(door.hub.people.save)
    await asyncio.to_thread(door.hub.store.backup, str(path))
    await door.writer.do(lambda: backed_up(door.hub.store, door.hub.clock.now()))
    return Backup(str(path))


async def import_file(door: Door, call: Call) -> Stream:
    """Take events in from a file of the machine that serves; streams how far it is, one JSON object a line."""
    asked: ImportRequest = call.body
    if not asked.files:
        raise Refused(400, "bad-request", "name the files", "files")
    pages = _importing(door, asked)
    first = await door.writer.do(lambda: next(pages, None))

    async def run(receive: Callable[[], Awaitable[Any]], send: Send, headers: Mapping[str, str]) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/x-ndjson")]}
        )
        told: FileImport | None = first
        gone = asyncio.ensure_future(hung_up(receive))
        while told is not None and not gone.done():  # who hangs up wants it to stop
            await send({"type": "http.response.body", "body": _line(told), "more_body": True})
            try:
                told = await door.writer.do(lambda: next(pages, None))
            except OpportuneError as error:
                await send({"type": "http.response.body", "body": _line(problem(error)), "more_body": True})
                break
        gone.cancel()
        await send({"type": "http.response.body", "body": b""})

    return Stream(run)


async def unjoin(door: Door, call: Call) -> Reply:
    """Undo a join of two identities."""
    await door.writer.do(lambda: door.hub.unjoin(call.parameters["node"]))
    return Reply({"undone": True})


async def webhooks(door: Door, call: Call) -> list[WebhookInfo]:
    """Return the webhook subscriptions."""
    return await door.writer.do(lambda: [_subscription(s) for s in door.webhooks.all()])


async def new_webhook(door: Door, call: Call) -> WebhookInfo:
    """Subscribe to the changes of everybody's next best action; the secret that signs is in this answer only."""
    asked: WebhookRequest = call.body
    check_address(asked.url, door.private_webhooks)
    for name in asked.placements:
        door.hub.plan.place(name)
    if not asked.placements:
        raise Refused(400, "bad-request", "name the placements to watch", "placements")
    made = await door.writer.do(lambda: door.webhooks.add(asked.url, tuple(asked.placements)))
    return _subscription(made, secret=True)


async def remove_webhook(door: Door, call: Call) -> Reply:
    """End a subscription; what waits for it is dropped."""
    await door.writer.do(lambda: door.webhooks.remove(call.parameters["id"]))
    return Reply({"removed": True})


def published(door: Door, author: str = "") -> Published:
    """Take the files of the project folder live; runs in the writer."""
    from opportune.deliver.gate import load

    before = door.hub.plan.catalog if door.hub.published else None
    overlay = Overlay(door.hub)
    changed = overlay.publish(load(_folder(door)), author)
    warnings = unexplained(before, door.hub.plan.catalog) if before else []
    warnings += [f"the overlay still holds, until it is confirmed to go: {one}" for one in overlay.conflicts()]
    for warning in warnings:
        log.warning("published all the same", what=warning)
    return Published(changed, door.hub.plan.catalog.hash, warnings)


def _files(door: Door) -> str | None:
    """Return the hash of the catalog that the files of the folder make; None without a folder."""
    if door.folder is None:
        return None
    files = [file for file in sorted(door.folder.rglob("*")) if ".opportune" not in file.relative_to(door.folder).parts]
    try:
        looks = tuple((str(file), (stat := file.stat()).st_mtime_ns, stat.st_size) for file in files)
    except OSError:  # somebody writes just now
        return "not as they are"
    return _hash_of(door.folder, looks)


@lru_cache(maxsize=8)
def _hash_of(folder: Path, looks: tuple[tuple[str, int, int], ...]) -> str:
    """Return the hash of the catalog in a folder; read anew only if a file looks other than before."""
    from opportune.catalog import load

    try:
        return load(folder).hash
    except BadInput:
        return "not as they are"


def _importing(door: Door, asked: ImportRequest) -> Iterator[FileImport]:
    """Import page by page; each step runs in the writer."""
    from opportune.events.columns import Columns
    from opportune.events.importer import import_files
    from opportune.events.intake import Intake

    hub, files, aside = door.hub, [Path(name) for name in asked.files], 0

    def take(events: list[Event]) -> int:
        nonlocal aside
        told = hub.ingest(events, asked.source)
        aside += told.rejected
        return told.taken

    pages = import_files(
        files,
        Columns.parse(asked.map) if asked.map else None,
        store=hub.store,
        intake=Intake(hub.clock.new_id, asked.source),
        clock=hub.clock,
        take=take,
        reject=lambda bad: hub.dead_letters.add(bad, source=asked.source, received_at=hub.clock.now()),
    )
    for at in pages:
        done, r = (files.index(at.path) + at.done) / len(files), at.report
        # what the hub sets aside is no duplicate, although it was not taken
        yield FileImport(done, r.rows, r.taken, r.duplicates - aside, r.rejected + aside, r.resumed_from)


def _folder(door: Door) -> Path:
    if door.folder is None:
        raise BadInput("this server has no project folder; start it with `opportune serve DIR`")
    return door.folder


async def _changing_keys(door: Door, work: Callable[[], KeyInfo]) -> KeyInfo:
    try:
        return await door.writer.do(work, alone=True)
    except BaseException:
        await door.writer.do(door.keys.reload)
        raise


def _info(key: Any, secret: str | None = None, used: int | None = None) -> KeyInfo:
    return KeyInfo(
        id=key.id, kind=key.kind, name=key.name, scopes=list(key.scopes), origins=list(key.origins), rate=key.rate,
        created=to_datetime(key.created), revoked=to_datetime(key.revoked) if key.revoked else None,
        key=secret if secret is not None else msgspec.UNSET, used=None if used is None else to_datetime(used),
    )  # fmt: skip


def _subscription(s: Any, secret: bool = False) -> WebhookInfo:
    return WebhookInfo(
        id=s.id, url=s.url, placements=list(s.placements), created=to_datetime(s.created), disabled=s.disabled,
        failures=s.failures, secret=s.secret if secret else msgspec.UNSET,
    )  # fmt: skip


def _line(told: object) -> bytes:
    return msgspec.json.encode(told) + b"\n"


_PROBLEMS = (400, 401, 403, 404, 422, 429)


def _admin(method: str, path: str, handler: Any, summary: str, gives: Any, takes: Any = None, **more: Any) -> Endpoint:
    return Endpoint(method, path, "admin", handler, summary, takes, gives, problems=(413, *_PROBLEMS), **more)


def _local(method: str, path: str, handler: Any, summary: str, gives: Any, takes: Any = None, **more: Any) -> Endpoint:
    """Return an endpoint that touches files of the machine: for whoever can read `hub.json` there, for no other key."""
    return Endpoint(method, path, "local", handler, summary, takes, gives, problems=(413, *_PROBLEMS), **more)


ENDPOINTS = (
    _admin("GET", "/v1/status", status, "What the server serves, and how much", Status),
    _admin("GET", "/v1/keys", keys, "Every key, without its secret", list[KeyInfo]),
    _admin("POST", "/v1/keys", new_key, "Make a key", KeyInfo, KeyRequest),
    _admin("POST", "/v1/keys/{id}/rotate", rotate_key, "Make a key like this one and revoke this one", KeyInfo),
    _admin("DELETE", "/v1/keys/{id}", revoke_key, "Revoke a key", KeyInfo),
    Endpoint("POST", "/v1/tokens", "server", user_token, "Sign a token for the browser of one user", UserTokenRequest,
             UserToken, problems=(413, *_PROBLEMS)),
    _admin("POST", "/v1/publish", publish, "Take changed files live", Published,
           query=(Parameter("author", str, "Who publishes, for the record"),)),
    _admin("GET", "/v1/diff", diff, "What publishing would change, and for how many customers", CatalogDiff),
    _admin("GET", "/v1/model", model, "What the model has learned", dict[str, Any]),
    _admin("POST", "/v1/rebuild", rebuild, "Learn the model anew from the ledger alone", Rebuilt,
           query=(Parameter("reason", str, "Why, for the record"),)),
    _admin("GET", "/v1/rejected", rejected, "Events that were set aside", RejectedEvents,
           query=(Parameter("limit", int, "How many at most"),)),
    _local("POST", "/v1/files", import_file, "Take events in from files of the machine that serves", FileImport,
           ImportRequest, media="application/x-ndjson"),
    _local("POST", "/v1/backup", backup, "Write a consistent copy of the store to a file", Backup, Backup),
    _admin("DELETE", "/v1/joins/{node}", unjoin, "Undo a join", dict[str, bool]),
    _admin("GET", "/v1/webhooks", webhooks, "The webhook subscriptions", list[WebhookInfo]),
    _admin("POST", "/v1/webhooks", new_webhook, "Subscribe to changed answers", WebhookInfo, WebhookRequest),
    _admin("DELETE", "/v1/webhooks/{id}", remove_webhook, "End a subscription", dict[str, bool]),
)  # fmt: skip
