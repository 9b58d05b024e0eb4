"""The coupons of a store: codes made, redeemed, returned and ended, each as a fact that is never changed.

A code is kept as a keyed hash, so that nobody who sees the tables can redeem it; the code itself only sealed with the
key of the customer whom it was made for. Orders and the references of whoever asked are kept as keyed hashes, too.

What codes promise is counted per lot, all codes of a coupon that end at the same instant: when it comes, one row tells
what is free again, however many codes there were.

Nothing is remembered between two calls but what never changes: a transaction that fails leaves nothing to take back.
Call everything that writes inside of a transaction.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from opportune.catalog.offer_types import Coupon
from opportune.errors import Forgotten, NotFound
from opportune.offers import codes
from opportune.offers.coupon_rows import Ask, CodeRow, Done, Lot, Made, OrderRow, Shown
from opportune.offers.coupons import (
    FOREVER,
    AnyFact,
    Ended,
    Issued,
    Item,
    Redeemed,
    Refusal,
    Returned,
    Suspected,
    Totals,
    budgeted,
    discount,
    each,
    expires,
    room,
    worth,
)
from opportune.offers.desk import Desk

if TYPE_CHECKING:
    from opportune.store.base import Store
    from opportune.store.vault import Vault

_ORDER = 33
"""Where the hash of the order begins in the key of a redemption."""

LOTS = 1_000
"""Lots that end in one call at most: what is left of them ends in the next one."""

NOT_KNOWN = Refusal("unknown", "there is no such code")


class CouponBook:
    """The coupons of a store. `coupons` are those of the catalog, `smallest` the least amount of its currency."""

    def __init__(
        self, store: Store, vault: Vault, coupons: Iterable[Coupon] = (), smallest: int = 10_000,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:  # fmt: skip
        self._store, self._vault, self._entropy, self._smallest = store, vault, entropy, smallest
        self.coupons = {coupon.name: coupon for coupon in coupons}
        self._facts = store.log("coupon_facts")
        self._terms: dict[str, Coupon] = {}
        self._secret = secret_of(store, entropy)
        self._begin()

    def _begin(self) -> None:
        table = self._store.table
        self._codes, self._orders = Desk(table("coupon_codes"), CodeRow), Desk(table("coupon_orders"), OrderRow)
        self._totals, self._lots = Desk(table("coupon_totals"), Totals), Desk(table("coupon_lots"), Lot)
        self._mine, self._made = Desk(table("coupon_mine"), dict[str, int]), Desk(table("coupon_made"), str)
        self._news: list[tuple[str, bytes]] = []

    # --- making codes

    def room(self, coupon: str, nodes: Sequence[str], now: int) -> Refusal | None:
        """Return why a customer cannot have a code now; None if they can. Nothing is written."""
        self._begin()
        self._expire(now)
        return self._room(self._coupon(coupon), nodes, now)

    def issue(
        self, coupon: str, subject: str, decision_id: str, now: int, nodes: Sequence[str] = ()
    ) -> Made | Refusal:
        """Make a code for a customer, and reserve what it may cost; the same decision gets the same code again.

        `nodes` are all identities of the customer (default: `subject` alone); what they have together counts.
        """
        self._begin()
        self._expire(now)
        terms, nodes = self._coupon(coupon), nodes or (subject,)
        made = f"{self._hash('decision', decision_id)}/{coupon}"
        known = self._made.get(made)
        row = None if known is None else self._codes.get(known)
        if known is None or row is None:
            if refusal := self._room(terms, nodes, now):
                return refusal
            known, row = self._shared(terms, now) if terms.kind == "shared" else self._unique(terms, subject, now)
            held = int(terms.kind == "unique")
            self._tell(Issued(now, coupon, 1, held, row.reserved, row.expires, known, subject, made.partition("/")[0]))
            self._made.put(made, known)
            self._write()
        return Made(coupon, self._text(row), known, _ends(row, terms), row.reserved)

    def carried(
        self, coupon: str, subject: str, decision_id: str, now: int, nodes: Sequence[str] = ()
    ) -> Made | Refusal:
        """Return the code that a decision gives a customer: one of this coupon that they have open, else a new one.

        What is shown again is not made, and reserves nothing more.
        """
        self._begin()
        self._expire(now)
        nodes, made = nodes or (subject,), f"{self._hash('decision', decision_id)}/{coupon}"
        known = self._open(coupon, nodes, now) if self._made.get(made) is None else None
        row = None if known is None else self._codes.get(known)
        if known is None or row is None:
            return self.issue(coupon, subject, decision_id, now, nodes)
        self._made.put(made, known)
        self._made.put(f"again/{known}", coupon)
        self._write()
        return Made(coupon, self._text(row), known, row.expires, row.reserved)

    def has_open(self, coupon: str, nodes: Sequence[str], now: int) -> bool:
        """Return whether a customer has a code of a coupon that was made for them and can be redeemed."""
        self._begin()
        return self._open(coupon, nodes, now) is not None

    def print(self, coupon: str, count: int, now: int) -> list[str] | Refusal:
        """Make many codes for nobody in particular; return them as people read them. They are written nowhere else."""
        self._begin()
        self._expire(now)
        terms = self._coupon(coupon)
        if terms.kind == "shared":
            return Refusal("at_most", f"coupon {coupon!r} has one code for everybody; `issue` shows it")
        if refusal := room(terms, self._total(coupon), 0, count, count * worth(terms)):
            return refusal
        row = self._row(terms, now)
        found = list(codes.new_codes(terms.prefix, self._entropy(codes.ENTROPY * count)))
        hashes = [self.hash(code) for code in found]
        self._store.table("coupon_codes").put([(key, _encode(row)) for key in hashes])
        self._lot(row, count, count * row.reserved)
        self._tell(Issued(now, coupon, count, count, count * row.reserved, row.expires))
        self._write()
        return [codes.shown(code) for code in found]

    # --- redeeming

    def redeem(self, asks: Sequence[Ask], now: int, dry: bool = False) -> list[Done | Refusal]:
        """Redeem codes, one after the other; return what became of each. `dry`: what would become of it.

        The same code for the same order is redeemed once: again it gets the first answer, also after a return.
        """
        self._begin()
        self._expire(now)
        done = [self._redeem(ask, now) for ask in asks]
        if not dry:
            self._write()
        return done

    def _redeem(self, ask: Ask, now: int) -> Done | Refusal:
        code = codes.read(ask.code)
        key = self.hash(code)
        place = f"{key}/{self._hash('order', ask.order)}"
        row = self._found(key, code, now)
        before = self._orders.get(place) if row is not None and row.ever else None
        if row is None:
            if any(codes.mistyped(code, coupon.prefix) for coupon in self.coupons.values()):
                return Refusal("mistyped", "this code was mistyped: its check digit does not fit")
            return NOT_KNOWN
        if row.owner and ask.nodes and row.owner not in ask.nodes:
            return Refusal("not_yours", "this code was made for another customer")
        if before is not None:
            return _done(row, before, place, again=True)
        if row.used and not row.shared:
            return Refusal("used", "this code was used already")
        terms = self._terms_of(row)
        if row.ended or now >= _ends(row, terms):
            return Refusal("expired", "this code is no longer good" if row.ended else "this code has expired")
        rules = self.coupons.get(row.coupon, terms)
        subject = row.owner or (ask.nodes[0] if ask.nodes else "")
        if rules.per_customer is not None and not subject:
            return Refusal("who", "say who redeems it: each customer has only so many of this coupon")
        price = discount(terms, ask.amount, ask.items, self._smallest)
        if isinstance(price, Refusal):
            return price
        off, amount = price
        cost = off if terms.cost is None else worth(terms)
        totals = self._total(row.coupon)
        mine = self._count(row.coupon, ask.nodes or (subject,), now) if subject else 0
        if row.shared and (refusal := room(rules, totals, mine)):
            return refusal
        if not row.shared and not row.owner and (refusal := each(rules, mine)):
            return refusal
        if refusal := budgeted(rules, totals, cost - row.reserved):
            return refusal
        held = int(not row.shared)
        order = OrderRow(now, subject, amount, off, cost)
        self._tell(Redeemed(now, row.coupon, key, place[_ORDER:], off, cost, amount, held, row.reserved, subject))
        self._lot(row, -held, -row.reserved)
        self._codes.put(key, replace(row, used=row.used + 1, reserved=0, ever=True))
        self._orders.put(place, order)
        if subject and (row.owner or rules.per_customer is not None):
            self._own(subject, row.coupon, place[_ORDER:] if row.shared else key, FOREVER)
        return _done(row, order, place)

    def release(
        self, code: str, order: str, now: int, kept: float | None = None, items: Sequence[Item] = ()
    ) -> Done | Refusal:
        """Take in that an order was returned, or that only `kept` of it (`items`) was kept; return what stands.

        What stays gets what it would have got by itself, never more than before. Where that is nothing, the code may be
        used again until it ends, as far as the budget still has what it may cost.
        """
        self._begin()
        self._expire(now)
        plain = codes.read(code)
        key = self.hash(plain)
        place = f"{key}/{self._hash('order', order)}"
        row, before = self._codes.get(key), self._orders.get(place)
        if row is None or before is None:
            return Refusal("order", "this code was not redeemed for such an order")
        if before.whole:
            return _done(row, before, place, again=True)
        terms = self._terms_of(row)
        price = discount(terms, kept, items, self._smallest) if kept or items else (0, 0)
        if isinstance(price, Refusal) and price.reason == "amount":
            return price
        off, amount = (0, 0) if isinstance(price, Refusal) else price
        off, amount = min(off, before.discount), min(amount, before.amount)
        whole = off == 0
        cost = (0 if whole else before.cost) if terms.cost is not None else off
        if not whole and (off, amount) == (before.discount, before.amount):
            return _done(row, before, place, again=True)
        after = OrderRow(before.at, before.subject, amount, off, cost, whole)
        opens = whole and not row.shared and not row.ended and now < row.expires
        reserved = self._again(row, terms, before.cost) if opens else 0
        self._tell(Returned(now, row.coupon, key, place[_ORDER:], before.discount - off, before.cost - cost, amount,
                            before.amount, whole, int(opens), reserved))  # fmt: skip
        self._orders.put(place, after)
        if whole:
            row = replace(row, used=row.used - 1, reserved=reserved)
            self._codes.put(key, row)
            self._lot(row, int(opens), reserved)
            if before.subject:
                mine = place[_ORDER:] if row.shared else key
                self._own(before.subject, row.coupon, mine, row.expires if opens and row.owner else 0)
        self._write()
        return _done(row, after, place)

    def _again(self, row: CodeRow, terms: Coupon, freed: int) -> int:
        """Return what can be reserved for a code that may be used again: what it may cost, or what is there."""
        rules, totals = self.coupons.get(row.coupon, terms), self._total(row.coupon)
        wanted = worth(terms)
        if budgeted(rules, totals, wanted - freed) is None:
            return wanted
        return freed

    # --- the end of codes

    def withdraw(self, coupon: str, decision_id: str, now: int) -> bool:
        """End the code that was made for a decision; return whether it was open.

        One that was used stays, and one that another decision has shown since.
        """
        self._begin()
        self._expire(now)
        key = self._made.get(f"{self._hash('decision', decision_id)}/{coupon}")
        row = None if key is None else self._codes.get(key)
        if key is None or row is None or row.shared or self._made.get(f"again/{key}") is not None:
            return False
        return self._end(key, "withdrawn", now)

    def end(self, code: str, now: int) -> bool:
        """End a code, such as one that got about; return whether it was open."""
        self._begin()
        self._expire(now)
        return self._end(self.hash(codes.read(code)), "withdrawn", now)

    def expire(self, now: int) -> None:
        """Free what is reserved for codes that have ended; every other call does so first."""
        self._begin()
        self._expire(now)
        self._write()

    def forget(self, subjects: Iterable[str], now: int) -> None:
        """Remove what is known of some customers: their codes end, and redemptions stand for nobody.

        A used one ends as well, so that it opens for nobody should its order come back.
        """
        self._begin()
        self._expire(now)
        for subject in subjects:
            for place, row in list(self._store.table("coupon_mine").scan(f"{subject}/")):
                for key in _keys(row):
                    self._end(key, "forgotten", now)
                    if (code := self._codes.get(key)) is not None and not code.shared:
                        self._codes.put(key, replace(code, owner="", text=b"", ended=code.ended or bool(code.owner)))
                self._mine.put(place, None)
        self._write()

    def _end(self, key: str, why: str, now: int) -> bool:
        row = self._codes.get(key)
        if row is None or row.ended or row.used or now >= row.expires or (row.shared and why == "forgotten"):
            return False
        held = int(not row.shared)
        self._tell(Ended(now, row.coupon, held, row.reserved, "forgotten" if why == "forgotten" else "withdrawn"))
        self._lot(row, -held, -row.reserved)
        self._codes.put(key, replace(row, ended=True, reserved=0))
        if row.owner:
            self._own(row.owner, row.coupon, key, now)
        self._write()
        return True

    def _expire(self, now: int) -> None:
        for key, row in islice(self._store.table("coupon_lots").scan(), LOTS):
            end, _, coupon = key.partition("/")
            if int(end, 16) > now:
                break
            lot = msgspec.msgpack.decode(row, type=Lot)
            self._tell(Ended(int(end, 16), coupon, lot.codes, lot.reserved, "expired"))
            self._lots.put(key, None)

    def suspect(self, kind: str, now: int) -> None:
        """Note that too many wrong codes came of a key, an address or a customer."""
        self._facts.append([("", _encode(Suspected(now, "", kind)))])

    # --- what is known

    def totals(self, coupon: str, now: int) -> Totals:
        """Return what is known of a coupon as of now. Nothing is written."""
        self._begin()
        self._expire(now)
        return self._total(coupon)

    def facts(self, after: int = 0) -> Iterator[tuple[int, AnyFact]]:
        """Yield the facts after a sequence number, in order."""
        for sequence, _, payload in self._facts.read(after):
            yield sequence, _fact(payload)

    def show(self, code: str, now: int) -> Shown | None:
        """Return what became of a code; None if it is not known."""
        self._begin()
        row = self._codes.get(self.hash(codes.read(code)))
        return None if row is None else self._shown(row, now)

    def given(self, coupon: str, decision_id: str, now: int) -> tuple[Shown, Coupon] | None:
        """Return the code that a decision gave, with its terms; None if it gave none of that coupon."""
        self._begin()
        key = self._made.get(f"{self._hash('decision', decision_id)}/{coupon}")
        row = None if key is None else self._codes.get(key)
        if row is None:
            return None
        terms = self._terms_of(row)
        return replace(self._shown(row, now), expires=_ends(row, terms)), terms

    def of(self, nodes: Sequence[str], now: int) -> list[Shown]:
        """Return the codes that were made for a customer, the newest first."""
        self._begin()
        found: list[Shown] = []
        for subject in nodes:
            for _, row in self._store.table("coupon_mine").scan(f"{subject}/"):
                known = (self._codes.get(key) for key in _keys(row))
                found += [self._shown(code, now) for code in known if code is not None and code.owner]
        return sorted(found, key=lambda shown: -shown.made)

    def hash(self, code: str) -> str:
        """Return the keyed hash under which a code, as `codes.read` returned it, is kept: 32 characters."""
        return self._hash("code", code)

    def decision_hash(self, decision_id: str) -> str:
        """Return the keyed hash under which facts name the decision that a code was made for."""
        return self._hash("decision", decision_id)

    # --- parts

    def _coupon(self, name: str) -> Coupon:
        found = self.coupons.get(name)
        if found is None:
            known = ", ".join(self.coupons) or "none"
            raise NotFound(f"the catalog that is live has no coupon {name!r}; it has {known}")
        return found

    def _room(self, terms: Coupon, nodes: Sequence[str], now: int) -> Refusal | None:
        if expires(terms, now) <= now:
            return Refusal("expired", f"coupon {terms.name!r} is over")
        more = worth(terms) if terms.kind == "unique" else 0
        return room(terms, self._total(terms.name), self._count(terms.name, nodes, now), 1, more)

    def _open(self, coupon: str, nodes: Sequence[str], now: int) -> str | None:
        """Return the key of an open code of a customer, of several the one that ends last."""
        found = []
        for node in nodes:
            for key, until in (self._mine.get(f"{node}/{coupon}") or {}).items():
                row = self._codes.get(key) if until > now else None
                if row is not None and row.owner in nodes and not (row.used or row.ended) and row.expires > now:
                    found.append((row.expires, key))
        return max(found)[1] if found else None

    def _unique(self, terms: Coupon, subject: str, now: int) -> tuple[str, CodeRow]:
        code = next(codes.new_codes(terms.prefix, self._entropy(codes.ENTROPY)))
        key = self.hash(code)
        row = replace(self._row(terms, now), owner=subject, text=self._vault.seal(subject, code.encode()))
        self._codes.put(key, row)
        self._lot(row, 1, row.reserved)
        self._own(subject, terms.name, key, row.expires)
        return key, row

    def _shared(self, terms: Coupon, now: int) -> tuple[str, CodeRow]:
        """Return the code that everybody has, made where there is none, or where the last one was withdrawn."""
        place = f"shared/{terms.name}"
        key = self.hash(codes.read(terms.code)) if terms.code else self._made.get(place)
        row = None if key is None else self._codes.get(key)
        if key is None or row is None or (row.ended and not terms.code):
            code = terms.code or next(codes.new_codes(terms.prefix, self._entropy(codes.ENTROPY)))
            key = self.hash(codes.read(code))
            row = replace(self._row(terms, now), text=code.encode())
            self._codes.put(key, row)
            self._made.put(place, key)
        return key, row

    def _found(self, key: str, code: str, now: int) -> CodeRow | None:
        """Return the row of a code; that of a code in the catalog which nobody had used before is made."""
        row = self._codes.get(key)
        if row is None and code:
            for coupon in self.coupons.values():
                if coupon.code and codes.read(coupon.code) == code:
                    return self._shared(coupon, now)[1]
        return row

    def _row(self, terms: Coupon, now: int) -> CodeRow:
        shared = terms.kind == "shared"
        reserved = 0 if shared else worth(terms)
        return CodeRow(terms.name, self._keep(terms), now, expires(terms, now), reserved, shared)

    def _keep(self, terms: Coupon) -> str:
        """Keep the terms of a code as they are now; return their name."""
        return self._store.blobs.put(_encode(terms))

    def _terms_of(self, row: CodeRow) -> Coupon:
        live = self.coupons.get(row.coupon)
        if row.shared and live is not None:
            return live  # everybody has it, and what is published now holds
        terms = self._terms.get(row.terms)
        if terms is None:
            terms = self._terms[row.terms] = _terms(self._store.blobs.get(row.terms))
        return terms

    def _total(self, coupon: str) -> Totals:
        return self._totals.get(coupon) or Totals()

    def _count(self, coupon: str, nodes: Sequence[str], now: int) -> int:
        """Return how many codes of a coupon, or uses of a shared one, a customer has: open or used."""
        return sum(until > now for node in nodes for until in (self._mine.get(f"{node}/{coupon}") or {}).values())

    def _own(self, subject: str, coupon: str, key: str, until: int) -> None:
        """Note until when something of a customer counts; 0: not at all."""
        place = f"{subject}/{coupon}"
        mine = dict(self._mine.get(place) or {})
        if until:
            mine[key] = until
        else:
            mine.pop(key, None)
        self._mine.put(place, mine or None)

    def _lot(self, row: CodeRow, more: int, reserved: int) -> None:
        if row.expires < FOREVER and (more or reserved):
            key = f"{row.expires:016x}/{row.coupon}"
            lot = self._lots.get(key) or Lot()
            lot = Lot(lot.codes + more, lot.reserved + reserved)
            self._lots.put(key, lot if lot.codes else None)

    def _tell(self, fact: AnyFact) -> None:
        self._totals.put(fact.coupon, self._total(fact.coupon).after(fact))
        self._news.append((fact.coupon, _encode(fact)))

    def _write(self) -> None:
        for desk in (self._codes, self._orders, self._totals, self._lots, self._mine, self._made):
            desk.write()
        self._facts.append(self._news)
        self._news = []

    def _text(self, row: CodeRow) -> str:
        if not row.owner:
            return codes.shown(row.text.decode())
        try:
            return codes.shown(self._vault.open(row.owner, row.text).decode())
        except Forgotten:
            return ""

    def _shown(self, row: CodeRow, now: int) -> Shown:
        over = now >= _ends(row, self._terms_of(row))
        ended = "withdrawn" if row.ended else "expired" if over else "open"
        state = "used" if row.used and not row.shared else ended
        return Shown(row.coupon, state, row.made, row.expires, row.owner, row.used, self._text(row))

    def _hash(self, kind: str, text: str) -> str:
        said = f"{kind}:{text}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(said, key=self._secret, digest_size=16).hexdigest()


def _ends(row: CodeRow, terms: Coupon) -> int:
    return expires(terms, row.made) if row.shared else row.expires


def _done(row: CodeRow, order: OrderRow, place: str, again: bool = False) -> Done:
    key, _, hashed = place.partition("/")
    return Done(row.coupon, order.at, order.discount, order.cost, order.amount, order.subject, key, hashed, again,
                order.whole)  # fmt: skip


def _keys(row: bytes) -> list[str]:
    return list(msgspec.msgpack.decode(row, type=dict[str, int]))


def secret_of(store: Store, entropy: Callable[[int], bytes] = secrets.token_bytes) -> bytes:
    """Return the secret of a store by which codes, orders and addresses are hashed, made on first use."""
    meta = store.table("meta")
    secret = meta.get("coupon_secret")
    if secret is None:
        with store.transaction():
            secret = meta.get("coupon_secret") or entropy(32)
            meta.put([("coupon_secret", secret)])
    return secret


_encode = msgspec.msgpack.Encoder().encode
_fact: Callable[[bytes], AnyFact] = msgspec.msgpack.Decoder(AnyFact).decode
_terms = msgspec.msgpack.Decoder(Coupon).decode


def forget(store: Store, vault: Vault, subjects: Iterable[str], now: int) -> None:
    """Remove what coupons know of some customers; inside of the transaction that forgets them."""
    CouponBook(store, vault).forget(subjects, now)
