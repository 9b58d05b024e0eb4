"""Contacts with planted defects: what a check of their quality must find, beside oddities that it must leave alone.

The oddities are right as they stand: addresses with a plus, an apostrophe, capitals or letters of other scripts, names
of all sorts, phones that a family shares, birthdays on a leap day, contacts changed on the day they were made, and
deals that are large.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from opportune.clock import format_instant

Row = dict[str, str]
Planted = dict[str, set[int]]

NOW = 1_767_225_600_000_000
"""2026-01-01, the instant that the contacts are looked at."""

EACH = {
    "missing_email": 60, "malformed_email": 60, "duplicate_email": 50, "malformed_phone": 40,
    "consent_without_time": 50, "consent_without_proof": 40, "future_date": 30, "born_after_created": 30,
    "updated_before_created": 40, "stage_without_amount": 45, "stage_with_amount": 45, "outlier_amount": 40,
    "exact_duplicate": 40,
}  # fmt: skip
"""The kinds planted by default, and how many of each: 570 of 13 kinds."""

_FIRST = ("Anna", "José", "Zoë", "Mehmet", "Oluwaseun", "Siân", "李雷", "Nguyễn", "Mary Jane", "Bjørn", "Test")
_LAST = ("Müller", "O'Brien", "García-López", "van der Berg", "Şahin", "Li", "Smith", "Okafor", "de Souza", "Null")
_HOSTS = ("example.com", "mail.example.co.uk", "post.example.museum", "xn--mller-kva.example", "müller.example", "a.io")
_BROKEN = ("{}example.com", "{}@", "@example.com", "{}@example", "{} x@example.com", "{}@@example.com",
           "{}@exa..mple.com", "{}.@example.com", "{}@-bad.com", "{},b@example.com", "n/a", "{}@example.c")  # fmt: skip
_NO_PHONES = ("12", "call me", "+49", "0000000000", "+1 555 12345 6789 12345 67", "0171-ABCDEF")


def contacts(seed: int = 0, count: int = 6000, each: dict[str, int] | None = None) -> tuple[list[Row], Planted]:
    """Return contacts as texts, and the rows (the first is 1) of each kind of defect planted, one per row.

    Exact duplicates and duplicate addresses are of the row that comes later; copies are rows besides `count`.
    """
    each = EACH if each is None else each
    rng = random.Random(seed)
    rows = [_clean(rng, number) for number in range(count)]
    for number in rng.sample(range(1, count), count // 50):
        rows[number]["phone"] = rows[number - 1]["phone"]
    planted: Planted = defaultdict(set)
    apart = {"exact_duplicate", "duplicate_email"}
    free = list(range(count))
    rng.shuffle(free)
    for kind in each:
        if kind not in apart:
            for row in [row for row in free if _fits(kind, rows[row])][: each[kind]]:
                _DAMAGE[kind](rng, rows[row])
                planted[kind].add(row + 1)
            free = [row for row in free if row + 1 not in planted[kind]]
    for _ in range(each.get("duplicate_email", 0)):
        first, later = sorted((free.pop(), free.pop()))
        address = rows[first]["email"]
        rows[later]["email"] = address.upper() if rng.random() < 0.3 else f" {address}"
        rows[later]["created_at"] = max(rows[later]["created_at"], rows[first]["created_at"])
        _after(rows[later])
        planted["duplicate_email"].add(later + 1)
    for _ in range(each.get("exact_duplicate", 0)):
        rows.append({**rows[free.pop()], "contact_id": f"c{len(rows) + 1:06}"})
        planted["exact_duplicate"].add(len(rows))
    return rows, planted


def write(rows: list[Row], path: Path) -> None:
    """Write contacts as csv."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def judged(found: Planted, planted: Planted) -> dict[str, tuple[float, float]]:
    """Return recall and precision by kind, and of all kinds together as `all`; 1 where there is nothing to find or
    nothing was found."""
    hits = {kind: len(found.get(kind, set()) & planted.get(kind, set())) for kind in {*found, *planted}}
    told = {kind: (hits[kind], len(planted.get(kind, ())), len(found.get(kind, ()))) for kind in sorted(hits)}
    told["all"] = tuple(map(sum, zip(*told.values(), strict=True))) if told else (0, 0, 0)  # type: ignore[assignment]
    return {
        kind: (hit / there if there else 1.0, hit / said if said else 1.0)
        for kind, (hit, there, said) in told.items()
    }


def _clean(rng: random.Random, number: int) -> Row:
    first, last, host = rng.choice(_FIRST), rng.choice(_LAST), rng.choice(_HOSTS)
    mark = rng.choice(("", "+news", "'s", "_", "-x"))
    born = datetime(1940 + rng.randrange(65), 1, 1) + timedelta(days=rng.randrange(365))
    if rng.random() < 0.02:
        born = born.replace(year=born.year // 4 * 4, month=2, day=29)
    stage = rng.choice(("lead", "lead", "lead", "qualified", "customer", "customer", "lost"))
    sold = stage == "customer"
    granted = rng.random() < 0.6
    made = datetime(2019, 1, 1) + timedelta(minutes=rng.randrange(6 * 365 * 1440))
    row = {
        "contact_id": f"c{number + 1:06}",
        "first_name": first,
        "last_name": last,
        "email": f"{rng.choice(('u', 'ü', 'U', 'a.b'))}{number}{mark}@{host}",
        "phone": rng.choice(("+49 (0)30 {:07}", "020-{:08}", "+1.555.{:07}", "06{:08} ext. 12")).format(
            rng.randrange(10**6, 10**7)
        ),
        "birth_date": f"{born:%Y-%m-%d}",
        "created_at": f"{made:%Y-%m-%d %H:%M:%S}",
        "updated_at": f"{made + timedelta(minutes=int(rng.expovariate(1 / 90000))):%Y-%m-%d %H:%M:%S}",
        "stage": stage,
        "amount": f"{rng.lognormvariate(6, 0.9):.2f}" if sold else "",
        "country": rng.choice(("DE", "BR", "GB", "TR", "NG", "CN", "")),
        "consent": "yes" if granted else "no",
        "consent_at": f"{made + timedelta(seconds=rng.randrange(86400)):%Y-%m-%d %H:%M:%S}" if granted else "",
        "consent_source": rng.choice(("form", "shop", "event")) if granted else "",
    }
    row["updated_at"] = min(row["updated_at"], format_instant(NOW)[:10])
    row["updated_at"] = row["created_at"][:10] if rng.random() < 0.05 else max(row["updated_at"], row["created_at"])
    return row


def _fits(kind: str, row: Row) -> bool:
    """Return whether a defect can be planted in a row."""
    wanted = {"stage_without_amount": ("customer",), "outlier_amount": ("customer",),
              "stage_with_amount": ("lead", "qualified", "lost")}  # fmt: skip
    return row["stage"] in wanted.get(kind, (row["stage"],)) and (
        not kind.startswith("consent") or row["consent"] == "yes"
    )


def _set(column: str, values: tuple[str, ...]) -> Callable[[random.Random, Row], None]:
    def damage(rng: random.Random, row: Row) -> None:
        row[column] = rng.choice(values).format("u", **row)

    return damage


def _born_late(rng: random.Random, row: Row) -> None:
    row["birth_date"] = _moved(row["created_at"], rng.randrange(2, 300))[:10]


def _changed_early(rng: random.Random, row: Row) -> None:
    row["updated_at"] = _moved(row["created_at"], -rng.randrange(2, 900))


def _too_much(rng: random.Random, row: Row) -> None:
    row["amount"] = f"{float(row['amount']) * rng.choice((1e3, 1e4, 1e5)):.2f}"


def _moved(at: str, days: int) -> str:
    return f"{datetime.fromisoformat(at) + timedelta(days=days):%Y-%m-%d %H:%M:%S}"


def _after(row: Row) -> None:
    row["updated_at"] = max(row["updated_at"], row["created_at"])


_DAMAGE: dict[str, Callable[[random.Random, Row], None]] = {
    "missing_email": _set("email", ("", "  ")),
    "malformed_email": _set("email", _BROKEN),
    "malformed_phone": _set("phone", _NO_PHONES),
    "consent_without_time": _set("consent_at", ("",)),
    "consent_without_proof": _set("consent_source", ("", " ")),
    "future_date": _set("birth_date", ("2101-03-04", "2027-01-01", "9999-12-31")),
    "unreadable_date": _set("birth_date", ("1987-02-30", "0000-00-00", "31.31.1990", "soon")),
    "impossible_birth": _set("birth_date", ("1801-01-01", "1900-01-01")),
    "born_after_created": _born_late,
    "updated_before_created": _changed_early,
    "stage_without_amount": _set("amount", ("", "0", "0.00")),
    "stage_with_amount": _set("amount", ("250.00", "1200.50")),
    "outlier_amount": _too_much,
    "negative_amount": _set("amount", ("-250.00", "-1")),
    "unreadable_amount": _set("amount", ("12,50 EUR", "tbd")),
    "placeholder_name": _set("last_name", ("asdf", "xxx", "Qwerty")),
}
