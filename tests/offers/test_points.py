"""Points against a plain model: never below zero, the entries are the balance, and every point ends on its day."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from opportune.catalog.offer_types import Earn, Loyalty, Tier
from opportune.clock import DAY, HOUR
from opportune.errors import Forgotten
from opportune.events import codec
from opportune.events.types import Event
from opportune.offers.point_book import Moved, NotMoved, PointBook, entries_of, forget
from opportune.rules import parse
from opportune.store import open_store
from opportune.store.vault import Vault

START = 20_000 * DAY
RULES = Loyalty(
    earn=(Earn("Order Completed", 1, per="revenue"), Earn("Review Written", 50, where=parse("stars >= 3", None))),
    tiers=(Tier("silver", 100, 10), Tier("gold", 300, 10)), expire=5, notice=2,
)  # fmt: skip


class Bank:
    """A book on a store in memory, with a clock."""

    def __init__(self, rules: Loyalty = RULES, zone: str = "UTC") -> None:
        self.store = open_store("memory:")
        self.vault, self.now = Vault(self.store), START
        self.book = PointBook(self.store, self.vault, rules, zone)
        self.log = self.store.log("events")
        self.ana, self.bob = self.vault.subject("ana"), self.vault.subject("bob")

    def event(self, node: str, name: str, at: int | None = None, **properties: Any) -> None:
        event = Event(type="track", message_id="m", at=self.now if at is None else at, received_at=self.now,
                      user_id="u", event=name, properties=properties)  # fmt: skip
        self.log.append([(node, self.vault.seal(node, codec.encode(event)))])
        self.book.catch_up(self.log, self.now)

    def points(self, *nodes: str) -> int:
        return self.book.standing(nodes, self.now).points

    def tier(self, *nodes: str) -> str | None:
        return self.book.standing(nodes, self.now).tier

    def lines(self, *nodes: str) -> list[tuple[str, int, int]]:
        return [(e.kind, e.points, balance) for _, e, balance in self.book.statement(nodes)]


def test_events_earn_once_each_by_their_rules() -> None:
    bank = Bank()
    bank.event(bank.ana, "Order Completed", revenue=19.99, order_id="o1")
    bank.event(bank.ana, "Order Completed", revenue=-5)
    bank.event(bank.ana, "Order Completed", revenue="much")
    bank.event(bank.ana, "Review Written", stars=2)
    bank.event(bank.ana, "Review Written", stars=5)
    assert bank.points(bank.ana) == 69
    assert bank.book.catch_up(bank.log, bank.now) == ([], False)
    assert bank.lines(bank.ana) == [("earned", 19, 19), ("earned", 50, 69)]


def test_points_are_spent_by_what_ends_first_and_never_below_zero() -> None:
    bank = Bank()
    bank.event(bank.ana, "Order Completed", revenue=100)
    bank.now += 3 * DAY
    bank.event(bank.ana, "Order Completed", revenue=50)
    assert bank.book.spend([bank.ana], 120, "s1", bank.now) == Moved(120, 30)
    assert bank.book.spend([bank.ana], 120, "s1", bank.now) == Moved(120, 30, again=True)
    assert bank.book.spend([bank.ana], 1, "s1", bank.now).reason == "taken"  # type: ignore[union-attr]
    assert bank.book.spend([bank.ana], 31, "s2", bank.now).reason == "short"  # type: ignore[union-attr]
    bank.now += 3 * DAY
    assert bank.points(bank.ana) == 30, "the first hundred were spent, not lost"
    bank.now += 3 * DAY
    assert bank.points(bank.ana) == 0
    assert bank.book.pass_time(bank.now) == ([bank.ana], False)
    assert bank.lines(bank.ana)[-1] == ("expired", -30, 0)


def test_points_end_on_the_day_in_the_zone_of_the_hub_and_the_entry_says_when() -> None:
    bank = Bank(zone="America/New_York")
    bank.now = START + 3 * HOUR  # still the day before in New York
    bank.event(bank.ana, "Order Completed", revenue=10)
    midnight = START + 5 * DAY + 4 * HOUR
    bank.now = midnight - 1
    assert bank.points(bank.ana) == 10
    bank.now = midnight
    assert bank.points(bank.ana) == 0
    bank.now += 40 * DAY
    bank.book.pass_time(bank.now)
    assert [e.at for e in entries_of(bank.store, bank.vault, bank.ana) if e.kind == "expired"] == [midnight]


def test_a_notice_is_given_once_before_points_end() -> None:
    bank = Bank()
    bank.event(bank.ana, "Order Completed", revenue=10)
    for day, told in enumerate([None, None, None, None, (10, START // DAY + 719_163 + 5), None]):
        assert bank.book.notices([bank.ana], bank.now) == told, day
        assert bank.book.standing([bank.ana], bank.now).expiring == (10 if day >= 4 else 0)
        bank.now += DAY


def test_tiers_count_the_days_they_look_at_and_wake_up_when_one_leaves() -> None:
    bank = Bank()
    bank.event(bank.ana, "Order Completed", revenue=100)
    bank.now += DAY
    bank.event(bank.ana, "Order Completed", revenue=200, order_id="o2")
    assert bank.tier(bank.ana) == "gold"
    bank.book.spend([bank.ana], 250, "s", bank.now)
    assert bank.tier(bank.ana) == "gold", "spending costs no tier"
    bank.now += 9 * DAY
    assert bank.tier(bank.ana) == "silver"
    assert bank.book.pass_time(bank.now)[0] == [bank.ana]
    bank.book.reverse([bank.ana], "earned", "o2", "r", bank.now)
    assert bank.tier(bank.ana) is None


def test_reversals_go_back_where_they_came_from_and_happen_once() -> None:
    bank = Bank()
    bank.event(bank.ana, "Order Completed", revenue=60, order_id="o1")
    bank.now += DAY
    bank.event(bank.ana, "Order Completed", revenue=60, order_id="o2")
    book, me = bank.book, [bank.ana]
    book.spend(me, 100, "s1", bank.now)
    assert book.reverse(me, "spent", "s1", "r1", bank.now, 30) == Moved(30, 50)
    assert book.reverse(me, "spent", "s1", "r1", bank.now, 30) == Moved(30, 50, again=True)
    assert book.reverse(me, "earned", "o1", "r1", bank.now).reason == "taken"  # type: ignore[union-attr]
    assert book.reverse(me, "spent", "s1", "r2", bank.now) == Moved(70, 120)
    assert book.reverse(me, "spent", "s1", "r3", bank.now) == Moved(0, 120), "there is no more of it"
    assert book.reverse(me, "spent", "s9", "r4", bank.now).reason == "unknown"  # type: ignore[union-attr]
    assert book.reverse([bank.bob], "earned", "o1", "r5", bank.now).reason == "unknown"  # type: ignore[union-attr]
    bank.now += 5 * DAY
    assert bank.points(bank.ana) == 60, "what came back kept its day"
    book.spend(me, 50, "s2", bank.now)
    assert book.reverse(me, "earned", "o2", "r6", bank.now) == Moved(10, 0), "what was spent is forgiven"


def test_points_that_come_back_after_their_day_are_gone() -> None:
    bank = Bank()
    bank.event(bank.ana, "Order Completed", revenue=60)
    bank.book.spend([bank.ana], 60, "s1", bank.now)
    bank.now += 6 * DAY
    assert bank.book.reverse([bank.ana], "spent", "s1", "r1", bank.now) == Moved(60, 0)
    assert [kind for kind, _, _ in bank.lines(bank.ana)] == ["earned", "spent", "restored", "expired"]


def test_a_customer_has_what_all_identities_have() -> None:
    bank = Bank()
    both = [bank.ana, bank.bob]
    bank.event(bank.bob, "Order Completed", revenue=60)
    bank.now += DAY
    bank.event(bank.ana, "Order Completed", revenue=60, order_id="o")
    assert (bank.points(*both), bank.tier(*both), bank.tier(bank.ana)) == (120, "silver", None)
    bank.book.spend(both, 100, "s1", bank.now)
    assert (bank.points(bank.ana), bank.points(bank.bob)) == (20, 0), "what ends first, whosever it was"
    assert bank.lines(*both)[-1][2] == 20
    bank.book.reverse(both, "spent", "s1", "r", bank.now)
    assert (bank.points(bank.ana), bank.points(bank.bob)) == (60, 60), "and apart again, each has its own"


def test_what_is_forgotten_earns_nothing_and_holds_nothing() -> None:
    bank = Bank()
    bank.event(bank.ana, "Order Completed", revenue=60, order_id="secret-order")
    bank.event(bank.bob, "Order Completed", revenue=60)
    bank.vault.destroy(bank.ana)
    forget(bank.store, [bank.ana])
    with pytest.raises(Forgotten):
        bank.book.earn(bank.ana, 5, bank.now, "late", bank.now)
    bank.now += 9 * DAY
    assert bank.book.pass_time(bank.now) == ([bank.bob], False)
    assert bank.points(bank.bob) == 0
    with pytest.raises(Forgotten):
        bank.lines(bank.ana)


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 200)), min_size=1, max_size=4), st.integers(0, 3))
def test_events_that_only_earn_end_at_the_same_account_in_any_order(orders: list[tuple[int, int]], gap: int) -> None:
    found = set()
    for some in permutations(orders):
        bank = Bank()
        bank.now = START + 9 * DAY
        for day, revenue in some:
            bank.event(bank.ana, "Order Completed", at=START + day * DAY, revenue=revenue)
        bank.now += gap * DAY
        bank.book.pass_time(bank.now)
        found.add((bank.points(bank.ana), bank.tier(bank.ana), bank.book.standing([bank.ana], bank.now)))
        assert sum(e.points for e in entries_of(bank.store, bank.vault, bank.ana)) == bank.points(bank.ana)
    assert len(found) == 1


class Banking(RuleBasedStateMachine):
    """Everything that can happen to two identities of one customer, against lots in a list."""

    @initialize()
    def begin(self) -> None:
        self.bank, self.count = Bank(), 0
        self.nodes = [self.bank.ana, self.bank.bob]
        self.lots: list[list[int]] = []
        """[last day, identity, points] in the plain model; days count from the start."""
        self.spendings: dict[str, list[list[int]]] = {}
        self.today = 0

    @rule(days=st.integers(1, 4), look=st.booleans())
    def wait(self, days: int, look: bool) -> None:
        self.today += days
        self.bank.now += days * DAY
        if look:
            self.bank.book.pass_time(self.bank.now)

    @rule(who=st.integers(0, 1), points=st.integers(1, 90), late=st.integers(0, 7))
    def earn(self, who: int, points: int, late: int) -> None:
        self.count += 1
        day = self.today - late
        self.bank.event(self.nodes[who], "Order Completed", at=START + day * DAY, revenue=points,
                        order_id=f"o{self.count}")  # fmt: skip
        self.lots.append([day + 5, who, points])

    @rule(points=st.integers(1, 120), again=st.booleans())
    def spend(self, points: int, again: bool) -> None:
        self.count += not again
        id = f"s{self.count}"
        done = self.bank.book.spend(self.nodes, points, id, self.bank.now)
        if id in self.spendings:
            assert isinstance(done, NotMoved) or done.again
            return
        have = self.alive()
        if points > sum(have):
            assert isinstance(done, NotMoved)
            return
        assert isinstance(done, Moved)
        assert done.balance == sum(have) - points
        taken = []
        for lot in sorted(self.lots, key=lambda lot: (lot[0], lot[1])):
            some = min(lot[2], points) if lot[0] >= self.today else 0
            lot[2] -= some
            points -= some
            if some:
                taken.append([lot[0], lot[1], some])
        self.spendings[id] = taken

    @rule(data=st.data(), points=st.integers(1, 60))
    def give_back(self, data: st.DataObject, points: int) -> None:
        if not self.spendings:
            return
        id = data.draw(st.sampled_from(sorted(self.spendings)))
        taken = self.spendings[id]
        self.count += 1
        done = self.bank.book.reverse(self.nodes, "spent", id, f"r{self.count}", self.bank.now, points)
        assert isinstance(done, Moved)
        assert done.points == min(points, sum(n for _, _, n in taken))
        for part in reversed(taken):
            some = min(part[2], points)
            part[2] -= some
            points -= some
            self.lots.append([part[0], part[1], some])

    def alive(self) -> list[int]:
        return [n for last, _, n in self.lots if last >= self.today]

    @invariant()
    def the_books_agree(self) -> None:
        if not hasattr(self, "bank"):
            return
        for who, node in enumerate(self.nodes):
            entries = [e.points for e in entries_of(self.bank.store, self.bank.vault, node)]
            running = 0
            for points in entries:
                running += points
                assert running >= 0, "never below zero"
            mine = sum(n for last, of, n in self.lots if of == who and last >= self.today)
            assert self.bank.points(node) == mine
            row = self.bank.store.table("point_accounts").get(node)
            lots = [] if row is None else msgspec.msgpack.decode(self.bank.vault.open(node, row))[0][0]
            held = sum(n for _, n in lots)
            assert held == running, "the account is the sum of its entries"
        assert self.bank.points(*self.nodes) == sum(self.alive())


TestBanking = Banking.TestCase
TestBanking.settings = settings(max_examples=40, stateful_step_count=25)
