"""What goes over the wire about a hub itself: its state, its catalog, its keys, what it set aside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from opportune.wire.calling import Calling, quoted


class Healthy(msgspec.Struct, frozen=True):
    """A server that is well says so."""

    status: str


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """What a server serves, and how much. `unpublished`: the files of its folder differ from what is live."""

    catalog: str
    events: int
    facts: int
    answers: int
    rejected: int
    streams: int
    placements: list[str]
    context: dict[str, str]
    unpublished: bool


class KeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be made: write, server or admin."""

    kind: str
    name: str = ""
    scopes: list[str] = []
    origins: list[str] = []
    rate: float | None = None


class KeyInfo(msgspec.Struct, frozen=True):
    """What is known of a key; `key`, the secret, is there only in the answer that made it.

    `used` is when it was last used, null: not since that is kept.
    """

    id: str
    kind: str
    name: str
    scopes: list[str]
    origins: list[str]
    rate: float
    created: datetime
    revoked: datetime | None
    key: str | UnsetType = UNSET
    used: datetime | None = None


class UserTokenRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A token for the browser of one user, good for a span such as 1h."""

    user_id: str | int
    lasts: str = "1h"


class UserToken(msgspec.Struct, frozen=True, rename="camel"):
    """The token that a browser sends as `userToken`, and until when."""

    user_token: str
    until: datetime


class Published(msgspec.Struct, frozen=True):
    """Whether files were taken live (False: nothing had changed), and the hash of the catalog that is live.

    `warnings` say what of the change should be mended all the same.
    """

    published: bool
    catalog: str
    warnings: list[str] = []


class CatalogChange(msgspec.Struct, frozen=True):
    """One difference between the catalog that is live and the files."""

    kind: str
    path: str
    before: Any
    after: Any
    text: str


class CatalogDiff(msgspec.Struct, frozen=True):
    """What publishing would change; of `customers` asked about, `changed` would get another answer somewhere."""

    changes: list[CatalogChange]
    customers: int
    changed: int


class Rebuilt(msgspec.Struct, frozen=True):
    """A model that was learned anew: the SHA-256 of its bytes, and the answers it learned from."""

    model: str
    answers: int


class Rejected(msgspec.Struct, frozen=True):
    """An event that was set aside, with a short word and a sentence why."""

    id: str
    reason: str
    message: str
    source: str
    raw: Any


class RejectedCount(msgspec.Struct, frozen=True):
    """How many events of a source were set aside for the same reason."""

    source: str
    reason: str
    message: str
    count: int


class RejectedEvents(msgspec.Struct, frozen=True):
    """How many events are set aside, why (most frequent first), and the oldest of them."""

    count: int
    reasons: list[RejectedCount]
    rejected: list[Rejected]


class Replayed(msgspec.Struct, frozen=True):
    """How many events that were set aside could be taken now, and how many are left."""

    taken: int
    left: int


class ImportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files of the machine that serves, how their columns map, and a name for where the events come from."""

    files: list[str]
    map: list[str] = []
    source: str = "import"


class FileImport(msgspec.Struct, frozen=True, rename="camel"):
    """How far an import is: `done` is the part of all files, the rest counts rows."""

    done: float
    rows: int
    taken: int
    duplicates: int
    rejected: int
    resumed_from: int


class Backup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that holds a copy of the store, by its whole path."""

    file: str


class WebhookRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where changed answers are sent, and for which placements."""

    url: str
    placements: list[str]


class WebhookInfo(msgspec.Struct, frozen=True):
    """A subscription; `secret`, which signs what is sent, is there only in the answer that made it."""

    id: str
    url: str
    placements: list[str]
    created: datetime
    disabled: str
    failures: int
    secret: str | UnsetType = UNSET


class Keeping(Calling):
    """What keeps a hub going: its state, catalog, keys, events set aside, backups."""

    def user_token(self, user_id: str, lasts: str = "1h") -> UserToken:
        """Return a token with which a browser may ask about one user."""
        return self._call("POST", "/v1/tokens", UserToken, {"userId": user_id, "lasts": lasts})

    def status(self) -> Status:
        """Return what the hub serves, and how much."""
        return self._call("GET", "/v1/status", Status)

    def ready(self) -> bool:
        """Return whether a write is durable now; raises `BrokenStore` with the reason where not."""
        return self._call("GET", "/readyz", Healthy).status == "ready"

    def model(self) -> dict[str, Any]:
        """Return what the model has learned."""
        return self._call("GET", "/v1/model", dict[str, Any])

    def rebuild(self, reason: str = "") -> Rebuilt:
        """Learn the model anew from the ledger alone."""
        return self._call("POST", "/v1/rebuild", Rebuilt, query={"reason": reason})

    def publish(self, author: str = "") -> Published:
        """Take the files of the hub's project folder live."""
        return self._call("POST", "/v1/publish", Published, query={"author": author})

    def diff(self) -> CatalogDiff:
        """Return what publishing would change, and for how many customers."""
        return self._call("GET", "/v1/diff", CatalogDiff)

    def rejected(self, limit: int = 1000) -> RejectedEvents:
        """Return the events that were set aside."""
        return self._call("GET", "/v1/rejected", RejectedEvents, query={"limit": str(limit)})

    def retry(self) -> Replayed:
        """Try the events that were set aside again."""
        return self._call("POST", "/v1/rejected/replay", Replayed)

    def backup(self, file: Path) -> Backup:
        """Write a consistent copy of the store to a file of the machine that serves."""
        return self._call("POST", "/v1/backup", Backup, {"file": str(file.absolute())})

    def unjoin(self, node: str) -> None:
        """Undo a join; `node` is one that the profile lists."""
        self._call("DELETE", f"/v1/joins/{quoted(node)}", dict)

    def keys(self) -> list[KeyInfo]:
        """Return every key, without its secret."""
        return self._call("GET", "/v1/keys", list[KeyInfo])

    def new_key(
        self, kind: str, name: str = "", scopes: Sequence[str] = (), origins: Sequence[str] = (),
        rate: float | None = None,
    ) -> KeyInfo:  # fmt: skip
        """Make a key: write, server or admin; its `key` is in this answer and nowhere else."""
        asked = {"kind": kind, "name": name, "scopes": list(scopes), "origins": list(origins), "rate": rate}
        return self._call("POST", "/v1/keys", KeyInfo, asked)

    def rotate_key(self, id: str) -> KeyInfo:
        """Make a key like this one, and revoke this one."""
        return self._call("POST", f"/v1/keys/{quoted(id)}/rotate", KeyInfo)

    def revoke_key(self, id: str) -> KeyInfo:
        """Revoke a key; it stops working at once."""
        return self._call("DELETE", f"/v1/keys/{quoted(id)}", KeyInfo)

    def webhooks(self) -> list[WebhookInfo]:
        """Return the webhook subscriptions."""
        return self._call("GET", "/v1/webhooks", list[WebhookInfo])

    def new_webhook(self, url: str, placements: Sequence[str]) -> WebhookInfo:
        """Subscribe a URL to changed answers; the secret that signs them is in this answer only."""
        return self._call("POST", "/v1/webhooks", WebhookInfo, {"url": url, "placements": list(placements)})

    def remove_webhook(self, id: str) -> None:
        """End a subscription."""
        self._call("DELETE", f"/v1/webhooks/{quoted(id)}", dict)
