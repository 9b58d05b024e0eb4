"""MEMORY: a few small shapes (log, table, blobs) and one transaction over all of them.

>>> store = open_store("memory:")
>>> store.log("events").append([("ana", b"first"), ("ben", b"second")])
2
>>> list(store.log("events").read(key="ben"))
[(2, 'ben', b'second')]
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

from opportune.errors import BadInput
from opportune.store.base import Blobs, Log, Store, Table

__all__ = ["OPENERS", "Blobs", "Log", "Store", "Table", "open_store"]

OPENERS = {
    "memory": "opportune.store.memory:open_memory",
    "sqlite": "opportune.store.sqlite:open_sqlite",
}
"""URL scheme -> `module:function`; the function takes the part of the URL after `scheme:` and returns a `Store`."""


def open_store(url: str) -> Store:
    """Return the store at a URL: `memory:`, `sqlite:///relative.db` or `sqlite:////absolute.db`.

    A `sqlite` file is made when it is absent. Errors: `BadInput` (a URL that names no store), `StoreInUse` (another
    process writes it), `BrokenStore` (it cannot be opened).
    """
    scheme, colon, rest = url.partition(":")
    opener = OPENERS.get(scheme.lower()) if colon else None
    if opener is None:
        nearest = get_close_matches(scheme.lower(), OPENERS, n=1)
        hint = f"did you mean `{nearest[0]}:`?" if nearest else f"known: {', '.join(f'`{s}:`' for s in OPENERS)}"
        raise BadInput(f"{url!r} names no store; {hint} Write `memory:` or `sqlite:///DIR/hub.db`.")
    module, _, function = opener.partition(":")
    store: Store = getattr(import_module(module), function)(rest)
    return store
