"""A server to be measured, in a process of its own: a hub, or for comparison bare inserts into SQLite.

python -m opportune.bench.served KIND FOLDER     prints its address and keys, and serves until it is stopped
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

CUSTOMERS = 2_000


def main(kind: str, folder: Path) -> None:
    """Serve until SIGINT."""
    if kind == "bare":
        bare(folder)
        return
    from opportune.api.serving import door_of, listen, serve
    from opportune.hub import Hub

    url = f"sqlite:///{folder}/hub.db"
    if kind == "telecom":
        from opportune.catalog import load
        from opportune.catalog.project import write_project

        write_project(folder / "shop", force=True)
        hub = Hub.of(load(folder / "shop"), url)
    else:
        hub = _filled(int(kind), url)
    with hub:
        door, _ = door_of(hub)
        secret, admin = (door.keys.new(kind, hub.clock.now(), "bench")[0] for kind in ("server", "admin"))
        listening = listen("127.0.0.1", 0)
        _tell(listening.getsockname()[1], secret, admin)
        import uvloop

        uvloop.run(serve(door, listening))


def bare(folder: Path) -> None:
    """Serve one insert per request, or one per event of a batch, committed with synchronous=FULL before the answer."""
    import uvicorn

    from opportune.api.serving import listen

    store = sqlite3.connect(folder / "bare.db", isolation_level=None)
    store.execute("PRAGMA journal_mode=WAL")
    store.execute("PRAGMA synchronous=FULL")
    store.execute("CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, payload BLOB)")

    async def app(
        scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        parts = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        body = msgspec.json.decode(b"".join(parts))
        store.execute("BEGIN")
        rows = [(msgspec.json.encode(event),) for event in body.get("batch", [body])]
        store.executemany("INSERT INTO log (payload) VALUES (?)", rows)
        store.execute("COMMIT")
        headers = [(b"content-type", b"application/json"), (b"content-length", b"16")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"success":true}'})

    listening = listen("127.0.0.1", 0)
    _tell(listening.getsockname()[1], "none", "none")
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="critical"
    )
    asyncio.run(uvicorn.Server(config).serve([listening]))


def _filled(actions: int, url: str) -> Any:
    """Return a hub with that many actions, whose customers are known and whose model has seen some answers."""
    import numpy as np

    from opportune.bench.engine import catalog
    from opportune.hub import Hub

    hub, rng = Hub.of(catalog(actions), url), np.random.default_rng(1)
    for start in range(0, CUSTOMERS, 100):
        hub.ingest([
            {
                "type": "identify", "userId": f"c{k}", "messageId": f"known-{k}",
                "traits": {f"n{i}": float(rng.integers(0, 20)) for i in range(80)}
                | {f"t{i}": str(rng.choice(list("abcdefgh"))) for i in range(15)},
            }
            for k in range(start, start + 100)
        ])  # fmt: skip
    for k in range(500):
        answer = hub.decide(f"c{k}", "app.home")
        for offer in answer.actions:
            hub.respond(str(answer.decision_id), offer.action, "accept" if rng.random() < 0.1 else "reject")
    return hub


def _tell(port: int, key: str, admin: str) -> None:
    print(json.dumps({"address": f"http://127.0.0.1:{port}", "key": key, "admin": admin}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
