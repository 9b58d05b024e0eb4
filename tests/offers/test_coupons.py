"""Coupons against a plain model: nothing is spent twice, nothing beyond a budget or a limit, and nothing gets lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from opportune.catalog.offer_types import Coupon
from opportune.clock import DAY
from opportune.errors import NotFound
from opportune.offers.coupon_book import CouponBook
from opportune.offers.coupon_rows import Ask, Done, Made
from opportune.offers.coupons import FOREVER, Item, Refusal, Totals, discount
from opportune.store import open_store
from opportune.store.vault import Vault

NOW = 1_000 * DAY
CENT = 10_000


class Shop:
    """A book on a store in memory, with a clock and some customers."""

    def __init__(self, *coupons: Coupon) -> None:
        self.store = open_store("memory:")
        self.vault, self.now = Vault(self.store), NOW
        self.coupons = list(coupons)
        self.ana, self.bob = self.vault.subject("ana"), self.vault.subject("bob")

    @property
    def book(self) -> CouponBook:
        return CouponBook(self.store, self.vault, self.coupons, CENT)

    def issue(self, coupon: str = "spring", who: str = "", decision: str = "d1") -> str:
        made = self.book.issue(coupon, who or self.ana, decision, self.now)
        assert isinstance(made, Made), made
        return made.text

    def redeem(self, code: str, order: str = "o1", amount: float | None = 100.0, *who: str, **more: Any) -> Any:
        [done] = self.book.redeem([Ask(code, order, who, amount, **more)], self.now)
        return done if isinstance(done, Done) else done.reason

    def totals(self, coupon: str = "spring") -> Totals:
        return self.book.totals(coupon, self.now)


def test_a_code_is_redeemed_once_and_the_same_order_gets_the_same_answer() -> None:
    shop = Shop(Coupon("spring", value=10, budget=50, valid=30 * DAY, prefix="SPR"))
    code = shop.issue()
    assert code == shop.issue(), "the same decision has the same code"
    assert code.startswith("SPR-")
    assert shop.totals().reserved == 10_000_000
    first = shop.redeem(code.lower().replace("-", " "), "o1", 100.0, shop.ana)
    assert (first.discount, first.again) == (10_000_000, False)
    again = shop.redeem(code, "o1", 5.0)
    assert (again.discount, again.again, again.at) == (10_000_000, True, first.at)
    assert shop.redeem(code, "o2") == "used"
    assert (shop.totals().reserved, shop.totals().spent, shop.totals().held) == (0, 10_000_000, 0)
    assert shop.totals().revenue == 100_000_000


def test_every_refusal_has_its_own_reason() -> None:
    only = {"category": ("books", "maps")}
    shop = Shop(
        Coupon("spring", value=10, minimum=30, valid=DAY), Coupon("books", percent=10, only=only),
        Coupon("all", value=1, kind="shared", code="SUMMER", at_most=2, per_customer=1),
    )  # fmt: skip
    code, books = shop.issue(), shop.issue("books")
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    assert shop.redeem(wrong) == "mistyped"
    assert shop.redeem("not a code") == "unknown"
    assert shop.redeem("") == "unknown"
    assert shop.redeem(code, "o", 100.0, shop.bob) == "not_yours"
    assert shop.redeem(code, "o", 29.99) == "minimum"
    assert shop.redeem(code, "o", None) == "amount"
    pens = [Item(5, 2, {"category": "pens"})]
    assert shop.redeem(books, "o", None, items=pens) == "items"
    assert shop.redeem(books, "o", None, items=[*pens, Item(10, 3, {"category": "maps"})]).discount == 3_000_000
    assert shop.redeem("summer", "o1") == "who"
    assert shop.redeem("Summer", "o1", 9.0, shop.ana).discount == 1_000_000
    assert shop.redeem("SUMMER", "o2", 9.0, shop.ana) == "per_customer"
    assert shop.redeem("SUMMER", "o3", 9.0, shop.bob).discount == 1_000_000
    assert shop.redeem("SUMMER", "o4", 9.0, shop.vault.subject("eve")) == "at_most"
    shop.now += DAY
    assert shop.redeem(code) == "expired"
    assert shop.totals() == Totals(issued=1, expired=1), "what was reserved is free again"
    with pytest.raises(NotFound):
        shop.issue("winter")


def test_a_promise_holds_when_the_catalog_changes_and_a_shared_code_follows_it() -> None:
    shop = Shop(Coupon("spring", value=10), Coupon("all", value=1, kind="shared", code="SUMMER", until=NOW + DAY))
    code = shop.issue()
    later = NOW + 3 * DAY
    shop.coupons = [Coupon("spring", value=5), Coupon("all", value=2, kind="shared", code="SUMMER", until=later)]
    assert shop.redeem(code).discount == 10_000_000
    shop.now += 2 * DAY
    assert shop.redeem("SUMMER").discount == 2_000_000
    shop.coupons = []
    assert shop.book.show(code, shop.now).state == "used"  # type: ignore[union-attr]


def test_no_table_holds_a_code_an_order_or_a_reference() -> None:
    shop = Shop(Coupon("spring", value=10), Coupon("print", value=1))
    code = shop.issue(decision="from-ana@example.com")
    printed = shop.book.print("print", 3, shop.now)
    assert isinstance(printed, list)
    shop.redeem(code, "order-of-ana")
    held = b"".join(
        key.encode() + row
        for name in ("codes", "orders", "totals", "lots", "mine", "made")
        for key, row in shop.store.table(f"coupon_{name}").scan()
    ) + b"".join(payload for _, _, payload in shop.store.log("coupon_facts").read())
    for word in (code, *printed, "order-of-ana", "ana@"):
        assert word.encode() not in held
        assert word.replace("-", "").encode() not in held


def test_part_of_an_order_is_returned_then_all_of_it() -> None:
    shop = Shop(Coupon("spring", percent=10, up_to=20, minimum=30, budget=30, valid=9 * DAY))
    code = shop.issue()
    assert shop.redeem(code, "o1", 250.0, shop.ana).discount == 20_000_000
    part = shop.book.release(code, "o1", shop.now, 150.0)
    assert isinstance(part, Done)
    assert (part.discount, part.returned) == (15_000_000, False)
    assert shop.book.release(code, "o1", shop.now, 150.0) == Done(**{**_dict(part), "again": True})
    more = shop.book.release(code, "o1", shop.now, 200.0)
    assert isinstance(more, Done)
    assert more.discount == 15_000_000, "a late word of a larger part gives nothing back"
    whole = shop.book.release(code, "o1", shop.now, 29.0)
    assert isinstance(whole, Done)
    assert (whole.discount, whole.returned) == (0, True), "less than the minimum gets nothing off"
    t = shop.totals()
    assert (t.spent, t.reserved, t.held, t.redeemed, t.returned) == (0, 20_000_000, 1, 0, 1)
    assert shop.redeem(code, "o1").returned, "the same order again is the order that was returned"
    assert shop.redeem(code, "o2", 100.0, shop.ana).discount == 10_000_000, "the code is good once more"
    assert shop.book.release("SPRING", "o9", shop.now).reason == "order"  # type: ignore[union-attr]


def _dict(done: Done) -> dict[str, Any]:
    import msgspec

    return msgspec.structs.asdict(done)


def test_a_code_that_comes_back_takes_only_what_the_budget_has() -> None:
    shop = Shop(Coupon("spring", percent=10, up_to=20, budget=20))
    code = shop.issue()
    assert shop.redeem(code, "o1", 50.0).discount == 5_000_000
    shop.coupons = [Coupon("spring", percent=10, up_to=15, budget=20)]
    shop.issue(who=shop.bob, decision="d2")
    shop.book.release(code, "o1", shop.now)
    t = shop.totals()
    assert t.reserved + t.spent == 20_000_000
    assert shop.redeem(code, "o3", 100.0) == "budget", "it would get 10, and 5 are left"
    assert shop.redeem(code, "o3", 50.0).discount == 5_000_000


def test_limits_count_all_identities_of_a_customer_and_withdrawn_codes_are_free_again() -> None:
    shop = Shop(Coupon("spring", value=10, at_most=2, per_customer=1))
    shop.issue()
    book = shop.book
    assert book.issue("spring", shop.bob, "d2", shop.now, (shop.bob, shop.ana)).reason == "per_customer"  # type: ignore[union-attr]
    assert book.room("spring", (shop.ana,), shop.now).reason == "per_customer"  # type: ignore[union-attr]
    assert book.withdraw("spring", "d1", shop.now)
    assert not book.withdraw("spring", "d1", shop.now)
    assert book.room("spring", (shop.ana,), shop.now) is None
    code = shop.issue(who=shop.ana, decision="d3")
    shop.issue(who=shop.bob, decision="d4")
    assert book.issue("spring", shop.vault.subject("eve"), "d5", shop.now).reason == "at_most"  # type: ignore[union-attr]
    assert shop.redeem(code, "o1", 20.0, shop.bob, shop.ana).subject == shop.ana


def test_forgetting_ends_open_codes_and_leaves_used_ones_used() -> None:
    shop = Shop(Coupon("spring", value=10, budget=30))
    used, open_ = shop.issue(), shop.issue(decision="d2")
    shop.redeem(used)
    shop.vault.destroy(shop.ana)
    shop.book.forget([shop.ana], shop.now)
    assert shop.redeem(used, "o2") == "used"
    assert shop.redeem(open_, "o2") == "expired"
    assert shop.book.of((shop.ana,), shop.now) == []
    assert (shop.totals().reserved, shop.totals().spent) == (0, 10_000_000)
    assert not list(shop.store.table("coupon_mine").scan())


def test_a_personal_code_opens_for_nobody_when_the_order_of_a_forgotten_customer_comes_back() -> None:
    shop = Shop(Coupon("spring", value=10, budget=30, valid=30 * DAY))
    used = shop.issue()
    shop.redeem(used)
    shop.vault.destroy(shop.ana)
    shop.book.forget([shop.ana], shop.now)
    done = shop.book.release(used, "o1", shop.now)
    assert isinstance(done, Done)
    assert done.returned
    assert shop.redeem(used, "o2", 100.0, shop.bob) == "expired"
    totals = shop.totals()
    assert (totals.held, totals.reserved, totals.spent, totals.redeemed, totals.returned) == (0, 0, 0, 0, 1)
    shop.now += 31 * DAY
    assert shop.totals().held == 0


@pytest.mark.parametrize(
    ("amount", "items"),
    [(None, [Item(1e9, 1_000_000)]), (None, [Item(2e8, 3), Item(5e8)]), (10.0, [Item(1e9, 2)]), (1e300, [])],
)
def test_an_order_beyond_a_billion_is_refused(amount: float | None, items: list[Item]) -> None:
    shop = Shop(Coupon("all", kind="shared", code="SUM-26", percent=10, at_most=5_000))
    assert shop.redeem("SUM-26", "o1", amount, shop.ana, items=items) == "amount"
    assert shop.redeem("SUM-26", "o1", None, shop.ana, items=[Item(5e8, 2)]).amount == 10**15
    refused = shop.book.release("SUM-26", "o1", shop.now, amount, items)
    assert isinstance(refused, Refusal)
    assert refused.reason == "amount"
    assert shop.totals("all").redeemed == 1


def test_many_codes_are_printed_within_the_budget() -> None:
    shop = Shop(Coupon("spring", value=10, budget=100_000, at_most=6_000, per_customer=1))
    printed = shop.book.print("spring", 5_000, shop.now)
    assert isinstance(printed, list)
    assert len({*printed}) == 5_000
    assert shop.totals().reserved == 50_000_000_000
    assert shop.book.print("spring", 5_000, shop.now).reason == "at_most"  # type: ignore[union-attr]
    assert shop.redeem(printed[7], "o1") == "who"
    assert shop.redeem(printed[7], "o1", 50.0, shop.ana).discount == 10_000_000
    assert shop.redeem(printed[8], "o2", 50.0, shop.ana) == "per_customer"


@pytest.mark.parametrize(("amount", "cents"), [(0.05, 1), (0.04, 0), (20.25, 203), (20.24, 202), (33.33, 333)])
def test_a_share_is_rounded_half_up_to_the_cent(amount: float, cents: int) -> None:
    assert discount(Coupon("ten", percent=10), amount, (), CENT) == (cents * CENT, round(amount * 1e6))


def pick(data: st.DataObject, some: list[str]) -> str:
    """Return one of them, by its place: codes differ from run to run."""
    return some[data.draw(st.integers(0, len(some) - 1))]


@dataclass
class Known:
    """A code in the model."""

    coupon: str
    owner: int
    expires: int
    worth: int
    orders: dict[str, int] = field(default_factory=dict)
    """What each order that stands got off."""
    returned: set[str] = field(default_factory=set)
    ended: bool = False


class Redeeming(RuleBasedStateMachine):
    """Everything that can happen to coupons, in any order."""

    @initialize()
    def begin(self) -> None:
        self.shop = Shop(
            Coupon("unique", value=10, budget=60, at_most=5, per_customer=2, valid=3 * DAY),
            Coupon("part", percent=10, up_to=20, budget=70, valid=2 * DAY, minimum=5),
            Coupon("shared", kind="shared", code="EVERYBODY", value=7, budget=40, at_most=6, per_customer=2),
        )
        self.people = [self.shop.vault.subject(f"c{n}") for n in range(3)]
        self.known: dict[str, Known] = {"EVERYBODY": Known("shared", -1, FOREVER, 0)}
        self.decisions = 0

    def rules_of(self, known: Known) -> Coupon:
        return next(c for c in self.shop.coupons if c.name == known.coupon)

    def counts(self, coupon: str) -> tuple[int, int, int]:
        """Return (codes out, redemptions that stand, promised and spent) of a coupon by the model."""
        mine = [k for k in self.known.values() if k.coupon == coupon]
        open_ = [k for k in mine if self.open(k)]
        spent = sum(off for k in mine for off in k.orders.values())
        return len(open_), sum(len(k.orders) for k in mine), spent

    def open(self, k: Known) -> bool:
        return k.coupon != "shared" and not k.orders and not k.ended and k.expires > self.shop.now

    @rule(coupon=st.sampled_from(["unique", "part"]), who=st.integers(0, 2), same=st.booleans())
    def issue(self, coupon: str, who: int, same: bool) -> None:
        self.decisions += not same
        decision = f"d{self.decisions}"
        made = self.shop.book.issue(coupon, self.people[who], decision, self.shop.now)
        if isinstance(made, Made) and made.text not in self.known:
            self.known[made.text] = Known(coupon, who, made.expires, made.reserved)

    @rule(days=st.integers(0, 2))
    def wait(self, days: int) -> None:
        self.shop.now += days * DAY + 1

    @rule(data=st.data(), order=st.sampled_from(["a", "b", "c", "d"]), who=st.integers(-1, 2),
          amount=st.sampled_from([4.0, 8.0, 50.0, 500.0]))  # fmt: skip
    def redeem(self, data: st.DataObject, order: str, who: int, amount: float) -> None:
        code = pick(data, list(self.known))
        known = self.known[code]
        mine = () if who < 0 else (self.people[who],)
        [done] = self.shop.book.redeem([Ask(code, order, mine, amount)], self.shop.now)
        if isinstance(done, Refusal):
            assert order not in {*known.orders, *known.returned} or done.reason == "not_yours"
            return
        if order in {*known.orders, *known.returned}:
            assert done.again
            assert done.discount == known.orders.get(order, 0)
            return
        assert not done.again
        assert who in (-1, known.owner) or known.owner == -1
        assert known.coupon == "shared" or self.open(known)
        known.orders[order] = done.discount

    @precondition(lambda self: any(k.orders for k in self.known.values()))
    @rule(data=st.data(), kept=st.sampled_from([None, 3.0, 8.0, 30.0]))
    def release(self, data: st.DataObject, kept: float | None) -> None:
        code = pick(data, [c for c, k in self.known.items() if k.orders])
        known = self.known[code]
        order = pick(data, sorted(known.orders))
        done = self.shop.book.release(code, order, self.shop.now, kept)
        assert isinstance(done, Done)
        assert done.discount <= known.orders[order]
        if done.returned:
            del known.orders[order]
            known.returned.add(order)
        else:
            known.orders[order] = done.discount

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        code = pick(data, list(self.known))
        known = self.known[code]
        if known.coupon != "shared":
            assert self.shop.book.end(code, self.shop.now) == self.open(known)
            known.ended = known.ended or self.open(known)

    @invariant()
    def limits_hold(self) -> None:
        if not hasattr(self, "shop"):
            return
        for coupon in self.shop.coupons:
            totals = self.shop.totals(coupon.name)
            open_, standing, spent = self.counts(coupon.name)
            assert (totals.held, totals.redeemed, totals.spent) == (open_, standing, spent)
            assert totals.reserved >= 0
            assert totals.reserved + totals.spent <= (coupon.budget or 0) * 1_000_000
            assert totals.held + totals.redeemed <= (coupon.at_most or 99)
            if not open_:
                assert totals.reserved == 0
        for who in range(3):
            mine = sum(1 for k in self.known.values() if k.coupon == "unique" and k.owner == who
                       and (self.open(k) or k.orders))  # fmt: skip
            assert mine <= 2

    def teardown(self) -> None:
        if not hasattr(self, "shop"):
            return
        folded: dict[str, Totals] = {}
        self.shop.book.expire(self.shop.now)
        for _, fact in self.shop.book.facts():
            folded[fact.coupon] = folded.get(fact.coupon, Totals()).after(fact)
        for coupon, totals in folded.items():
            assert totals == self.shop.totals(coupon), "the totals are the fold of the facts"
        for code, known in self.known.items():
            redeemed = [self.shop.book.redeem([Ask(code, order)], self.shop.now, dry=True)[0] for order in known.orders]
            assert all(isinstance(done, Done) and done.again for done in redeemed)


TestRedeeming = Redeeming.TestCase
TestRedeeming.settings = settings(max_examples=40, stateful_step_count=30)
