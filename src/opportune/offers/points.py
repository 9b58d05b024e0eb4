"""An account of points: what it holds, what leaves it first, when points end, and what tier it makes. Pure.

Points are whole and lie in lots, one per last day on which they are good; what ends first is spent first. Days are
ordinals of dates in the hub's time zone. A customer has one account per identity; together they are what the accounts
add up to, so that identities can be joined and taken apart again.

What comes late: an event counts for the day on which it happened. Events that only earn end at the same account in
whatever order they come. Points that were spent stay spent: a late event with points that would have ended earlier does
not change from which lot they were taken; the balance is the same, only the day on which the rest ends may not be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from opportune.catalog.offer_types import Loyalty, Tier

NEVER = 1 << 30
"""The last day of points that do not end."""

Parts = tuple[tuple[int, int], ...]
"""Points by last day, or by the day on which they were earned, in order."""


class Account(msgspec.Struct, frozen=True, array_like=True):
    """`lots` are points by last day, `earned` those earned per day as far back as a tier looks, `ever` all of them.

    `noticed` is the last day of points of whose end the customer was told.
    """

    lots: Parts = ()
    earned: Parts = ()
    ever: int = 0
    noticed: int = 0

    @property
    def balance(self) -> int:
        """The points that it holds; never below 0.

        >>> earned(Account(), 5, day=1, last=8).balance
        5
        """
        return sum(points for _, points in self.lots)


def last_day(loyalty: Loyalty, day: int) -> int:
    """Return the last day on which points earned on a day are good."""
    return NEVER if loyalty.expire is None else day + loyalty.expire


def earned(account: Account, points: int, day: int, last: int) -> Account:
    """Return the account with points more."""
    return Account(
        _plus(account.lots, last, points), _plus(account.earned, day, points), account.ever + points, account.noticed
    )


def unearned(account: Account, points: int, day: int, last: int) -> tuple[Account, int]:
    """Take back points that were earned on a day; return the account and how many of them it still had.

    First from the lot they were put in, then from what ends first; never below 0. All of them count for no tier.
    """
    own = min(points, dict(account.lots).get(last, 0))
    rest = Account(_plus(account.lots, last, -own))
    [taken] = first_out([rest], min(points - own, rest.balance))
    lots = rest.lots
    for of, some in taken:
        lots = _plus(lots, of, -some)
    after = _plus(account.earned, day, -min(points, dict(account.earned).get(day, 0)))
    return Account(lots, after, account.ever - points, account.noticed), own + sum(some for _, some in taken)


def first_out(accounts: Sequence[Account], points: int) -> list[Parts]:
    """Return which lots of each account some points come from: what ends first goes first.

    >>> first_out([Account(((5, 10), (9, 10))), Account(((7, 10),))], 25)
    [((5, 10), (9, 5)), ((7, 10),)]
    """
    parts: list[list[tuple[int, int]]] = [[] for _ in accounts]
    every = sorted((last, n, held) for n, account in enumerate(accounts) for last, held in account.lots)
    for last, n, held in every:
        if points > 0:
            parts[n].append((last, min(held, points)))
            points -= held
    return [tuple(some) for some in parts]


def moved(account: Account, parts: Iterable[tuple[int, int]], sign: int) -> Account:
    """Return the account with points taken out of its lots (`sign` -1), or put back into them (+1)."""
    lots = account.lots
    for last, points in parts:
        lots = _plus(lots, last, sign * points)
    return Account(lots, account.earned, account.ever, account.noticed)


def ended(account: Account, today: int) -> tuple[Account, Parts]:
    """Return the account without the points whose last day is over, and these."""
    over = tuple(lot for lot in account.lots if lot[0] < today)
    return (moved(account, over, -1), over) if over else (account, ())


def trimmed(account: Account, tiers: Sequence[Tier], today: int) -> Account:
    """Return the account without the days that no tier looks back to any more."""
    longest = max((tier.days for tier in tiers if tier.days is not None), default=0)
    if not account.earned or account.earned[0][0] > today - longest:
        return account
    kept = tuple(one for one in account.earned if one[0] > today - longest)
    return Account(account.lots, kept, account.ever, account.noticed)


def tier_of(accounts: Sequence[Account], tiers: Sequence[Tier], today: int) -> str | None:
    """Return the highest tier that accounts make together; None for none.

    >>> tier_of([earned(Account(), 5, day=1, last=8)], [Tier("silver", 5, days=2)], today=2)
    'silver'
    """
    found = None
    for tier in tiers:
        if toward(accounts, tier, today) >= tier.at:
            found = tier.name
    return found


def toward(accounts: Sequence[Account], tier: Tier, today: int) -> int:
    """Return the points that count toward a tier."""
    if tier.days is None:
        return sum(account.ever for account in accounts)
    days = chain.from_iterable(account.earned for account in accounts)
    return sum(points for day, points in days if today - tier.days < day <= today)


def ending(accounts: Sequence[Account], loyalty: Loyalty, today: int) -> tuple[int, int]:
    """Return the points that end within the notice and the last day of the first of them; (0, 0) for none."""
    soon = [lot for account in accounts for lot in account.lots if lot[0] + 1 - loyalty.notice <= today]
    return sum(points for _, points in soon), min((last for last, _ in soon), default=0)


def unnoticed(account: Account, loyalty: Loyalty, today: int) -> Parts:
    """Return the lots of whose end the customer is to be told now."""
    if not loyalty.notice:
        return ()
    return tuple(lot for lot in account.lots if account.noticed < lot[0] <= today + loyalty.notice - 1)


def next_day(account: Account, loyalty: Loyalty, today: int) -> int:
    """Return the next day on which time alone changes an account: a notice, an end, a day that leaves a tier."""
    days = [last + 1 for last, _ in account.lots if last < NEVER]
    if loyalty.notice:
        days += [last + 1 - loyalty.notice for last, _ in account.lots if account.noticed < last < NEVER]
    spans = {tier.days for tier in loyalty.tiers if tier.days is not None}
    days += [day + span for day, _ in account.earned for span in spans]
    return min((day for day in days if day > today), default=NEVER)


def _plus(parts: Parts, day: int, points: int) -> Parts:
    held = dict(parts)
    held[day] = held.get(day, 0) + points
    return tuple(sorted((one, n) for one, n in held.items() if n))
