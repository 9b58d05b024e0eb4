"""Who may knock: keys, the origins that a browser may use them from, and how often.

A secret is shown once, when it is made; the store holds its SHA-256. It is 190 random bits, so a fast hash is enough:
nobody can try them all.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import msgspec

from opportune.api.origins import entry, within
from opportune.clock import SECOND
from opportune.errors import BadInput, NotFound

if TYPE_CHECKING:
    from opportune.store.base import Store

Kind = Literal["write", "server", "admin"]

DECIDE_ANONYMOUS = "decide:anonymous"
"""The scope that lets a write key ask for decisions about an anonymous id."""

PREFIXES: dict[Kind, str] = {"write": "opw_", "server": "ops_", "admin": "opa_"}
SCOPES: dict[str, tuple[Kind, ...]] = {DECIDE_ANONYMOUS: ("write",)}
DEFAULT_RATES: dict[Kind, float] = {"write": 1000.0, "server": 0.0, "admin": 0.0}
MOST_KEYS = 10_000
MOST_ORIGINS = 100
LONGEST_NAME = 100

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BASE36 = string.digits + string.ascii_lowercase
_LONGEST_SECRET = 100


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key, never its secret.

    `rate` is requests per second, 0 for no limit. No `origins`: from anywhere. `created` and `revoked` are instants;
    a key that is good has `revoked` 0.
    """

    id: str
    kind: Kind
    name: str
    scopes: tuple[str, ...]
    origins: tuple[str, ...]
    rate: float
    created: int
    revoked: int = 0


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    digest: bytes
    key: Key


class Keys:
    """The table `api_keys` of a store, and the good keys in memory, because each request asks for one.

    When a transaction around a change fails, call `reload`: the memory then holds what the store does not.

    >>> from opportune.store import open_store
    >>> keys = Keys(open_store("memory:"))
    >>> secret, key = keys.new("server", now=0, name="shop")
    >>> secret[:4], keys.find(secret) == key, keys.find(secret + "x")
    ('ops_', True, None)
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._table, self._uses = store.table("api_keys"), store.table("api_keys_used")
        self._used: dict[str, int] = {}
        self._good: dict[bytes, _Row] = {}
        self.reload()

    def find(self, secret: str) -> Key | None:
        """Return the key of a secret; None where it is unknown or revoked, whatever the text."""
        if not isinstance(secret, str) or len(secret) > _LONGEST_SECRET or not secret.isascii():
            return None
        digest = hashlib.sha256(secret.encode()).digest()
        row = self._good.get(digest)
        return row.key if row is not None and hmac.compare_digest(row.digest, digest) else None

    def good(self, id: str) -> bool:
        """Whether there is a key of this id that was not revoked."""
        return any(row.key.id == id for row in self._good.values())

    def use(self, id: str, at: int) -> None:
        """Note that a key was used; `keep_uses` writes it."""
        self._used[id] = at

    def used(self, id: str) -> int | None:
        """Return when a key was used last, in steps of some seconds after a restart; None: never, or long ago."""
        if id in self._used:
            return self._used[id]
        row = self._uses.get(id)
        return int(row) if row else None

    def keep_uses(self) -> None:
        """Write when keys were used that were used since the last time."""
        used, self._used = self._used, {}
        if used:
            self._uses.put([(id, str(at).encode()) for id, at in used.items()])

    def all(self) -> list[Key]:
        """Return every key, revoked ones too, oldest first."""
        return sorted((row.key for row in self._rows()), key=lambda key: (key.created, key.id))

    def new(
        self,
        kind: str,
        now: int,
        name: str = "",
        scopes: Iterable[str] = (),
        origins: Iterable[str] = (),
        rate: float | None = None,
    ) -> tuple[str, Key]:
        """Make a key and return its secret, which nobody can read again, and the key.

        Without a `rate`, write keys get 1,000 requests per second and the others no limit. `BadInput` names what is
        wrong with a kind, scope, origin, rate or name.
        """
        checked = _kind(kind)
        return self._make(
            Key(
                id="".join(secrets.choice(_BASE36) for _ in range(8)),
                kind=checked,
                name=_name(name),
                scopes=tuple(dict.fromkeys(_scope(scope, checked) for scope in _each(scopes, "scopes"))),
                origins=_origins(origins),
                rate=DEFAULT_RATES[checked] if rate is None else _rate(rate),
                created=now,
            )
        )

    def revoke(self, id: str, now: int) -> None:
        """Make a key useless at once; a second call changes nothing. `NotFound` names the keys that there are."""
        row = self._row(id)
        if not row.key.revoked:
            self._put(msgspec.structs.replace(row, key=msgspec.structs.replace(row.key, revoked=now)))

    def rotate(self, id: str, now: int) -> tuple[str, Key]:
        """Make a key like this one, revoke this one, and return the new secret and key; as `revoke` and `new` raise."""
        row = self._row(id)
        if row.key.revoked:
            raise BadInput(f"the key {id!r} was revoked and cannot be rotated; make a new one")
        with self._store.transaction():
            self.revoke(id, now)
            return self.new(row.key.kind, now, row.key.name, row.key.scopes, row.key.origins, row.key.rate)

    def reload(self) -> None:
        """Read the keys from the store again."""
        self._good = {row.digest: row for row in self._rows() if not row.key.revoked}

    def _make(self, key: Key) -> tuple[str, Key]:
        secret = PREFIXES[key.kind] + "".join(secrets.choice(_BASE62) for _ in range(32))
        with self._store.transaction():
            if self._table.get(key.id) is not None:
                return self._make(msgspec.structs.replace(key, id="".join(secrets.choice(_BASE36) for _ in range(8))))
            self._make_room()
            self._put(_Row(digest=hashlib.sha256(secret.encode()).digest(), key=key))
        return secret, key

    def _make_room(self) -> None:
        if self._table.count() >= MOST_KEYS:
            revoked = min((key for key in self.all() if key.revoked), key=lambda key: key.revoked, default=None)
            if revoked is None:
                raise BadInput(f"there are {MOST_KEYS:,} keys, which is the most; revoke one that nobody uses")
            self._table.delete([revoked.id])

    def _put(self, row: _Row) -> None:
        self._table.put([(row.key.id, msgspec.msgpack.encode(row))])
        # A new dictionary in one step: another thread may be looking for a key.
        others = {digest: other for digest, other in self._good.items() if digest != row.digest}
        self._good = others if row.key.revoked else {**others, row.digest: row}

    def _row(self, id: str) -> _Row:
        found = next((row for row in self._rows() if row.key.id == id), None)
        if found is None:
            known = ", ".join(key.id for key in self.all() if not key.revoked) or "none"
            raise NotFound(f"there is no key {id!r}; known ids: {known}")
        return found

    def _rows(self) -> Iterable[_Row]:
        return (_row.decode(value) for _, value in self._table.scan())


_row = msgspec.msgpack.Decoder(_Row)


def allows(key: Key, origin: str | None) -> bool:
    """Return True where a request with this header `Origin` may use the key; None: the header is absent.

    A key without origins may be used from anywhere. A key with origins is for the browsers of these sites: every POST
    of a browser names its origin, so a request without one comes from elsewhere and is refused. The origin has to be
    one of the key's, or lie below one such as `https://*.example.com`; `null`, which sandboxed frames send, never is.
    Programs can write any header: origins keep other sites from using a key, not thieves, so a server gets a server
    key.
    """
    return not key.origins or (origin is not None and within(origin, key.origins))


class Rates:
    """A token bucket for each key, which holds one second's worth of requests, and one at least.

    The keys used last are remembered, 10,000 of them; one that was long unused has a full bucket anyway. A clock that
    goes back fills no bucket and empties none.

    >>> rates = Rates()
    >>> rates.take("k", 2, 0), rates.take("k", 2, 0), rates.take("k", 2, 0), rates.take("k", 2, 500_000)
    (0.0, 0.0, 0.5, 0.0)
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, key_id: str, rate: float, now_us: int, cost: float = 1) -> float:
        """Take `cost` tokens and return 0, or take nothing and return the seconds until there are enough.

        A rate of 0 is no limit. What costs more than the bucket holds passes when it is full.
        """
        if rate <= 0:
            return 0.0
        full = max(1.0, rate)
        tokens, at = self._buckets.get(key_id, (full, now_us))
        tokens = min(full, tokens + max(0, now_us - at) * rate / SECOND)
        lacking = min(cost, full) - tokens
        allowed = lacking <= 1e-9  # whoever waited as told must not fail by a rounding
        self._buckets[key_id] = (max(0.0, -lacking) if allowed else tokens, now_us)
        self._buckets.move_to_end(key_id)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else lacking / rate


def _kind(kind: str) -> Kind:
    if kind not in PREFIXES:
        raise BadInput(f"unknown kind of key {kind!r}; {_nearest(kind, PREFIXES)}")
    return kind


def _scope(scope: str, kind: Kind) -> str:
    if scope not in SCOPES:
        raise BadInput(f"unknown scope {scope!r}; {_nearest(scope, SCOPES)}")
    if kind not in SCOPES[scope]:
        kinds = " or ".join(SCOPES[scope])
        raise BadInput(f"the scope {scope!r} is for a {kinds} key, not for a key of the kind {kind!r}; leave it out")
    return scope


def _origins(origins: Iterable[str]) -> tuple[str, ...]:
    checked = tuple(dict.fromkeys(entry(origin) for origin in _each(origins, "origins")))
    if len(checked) > MOST_ORIGINS:
        raise BadInput(f"{len(checked)} origins are more than the {MOST_ORIGINS} that a key may have; use a star")
    return checked


def _rate(rate: float) -> float:
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not (rate == 0 or 0.001 <= rate <= 1e6):
        raise BadInput(f"{rate!r} is not a rate; write requests per second from 0.001 to 1000000, or 0 for no limit")
    return float(rate)


def _name(name: str) -> str:
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadInput(f"{str(name)[:LONGEST_NAME]!r} cannot name a key; write one line of {LONGEST_NAME} letters")
    return name


def _each(texts: Iterable[str], what: str) -> Iterable[str]:
    # a lone text is a list of letters to Python, and surely meant as one entry
    if isinstance(texts, str):
        raise BadInput(f"{what} is the text {texts!r}; write a list of texts")
    return texts


def _nearest(word: object, known: Iterable[str]) -> str:
    from opportune.catalog.fields import nearest

    return nearest(str(word), known)
