"""Fifty clients redeem codes and spend points at a server that is killed: nothing is spent twice, nothing is lost."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from opportune.events import codec
from opportune.hub import Hub
from opportune.offers.coupons import Redeemed, Totals
from opportune.offers.point_book import entries_of
from opportune.services.till import Till
from serving import Server

CATALOG = """\
currency: EUR
time_zone: Europe/Berlin
placements: [{name: app.home, channel: app}]
actions:
  - name: hello
    issue: grow
    group: any
    campaign: always
    owner: ana
    value: 1
    benefit: Something for you
    outcomes: {positive: [accept], negative: [reject], window: 7d}
    treatments: [{name: card, channel: app, placements: [app.*], content: {title: Hi}}]
coupons:
  - {name: unique, value: 10, budget: 100000}
  - {name: shared, kind: shared, code: EVERYBODY, value: 1, at_most: 150, per_customer: 2}
  - {name: scarce, kind: shared, code: SCARCE-ONE, value: 7, budget: 500}
loyalty: {earn: [{event: Order Completed, per: revenue}], expire: 365d}
"""

CLIENTS = 50
POINTS = 500


@dataclass
class Told:
    """What the server has acknowledged, and what was asked of it."""

    won: dict[tuple[str, str], float] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    spent: dict[str, tuple[str, int]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    failures: list[str] = field(default_factory=list)

    def contested(self) -> bool:
        """Return whether clients got in each other's way in every manner, and enough was done besides."""
        ways = {"coupon-used", "coupon-per-customer"} <= self.refused.keys()
        return ways and min(len(self.won), len(self.spent)) > 50


class Clients:
    """Fifty threads, each with its own connection, that ask until a deadline; what was not answered is asked again."""

    def __init__(self, server: Server, codes: list[str], told: Told) -> None:
        self.server, self.codes, self.told = server, codes, told
        self.key, self.address = server.key("server"), server.address
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(CLIENTS)]

    def __enter__(self) -> Clients:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _run(self, number: int) -> None:
        dice, step = random.Random(number), 0
        with httpx.Client(timeout=20, trust_env=False) as http:
            while not self.over.is_set():
                step += 1
                try:
                    self._step(http, dice, f"c{number % 20}", f"{number}-{step}")
                except AssertionError as error:
                    self.told.failures.append(str(error))
                    return

    def _step(self, http: httpx.Client, dice: random.Random, who: str, name: str) -> None:
        kind = dice.random()
        if kind < 0.25:
            points = dice.randrange(1, 20)
            answer = self._ask(http, "/v1/points/spend", {"userId": who, "points": points, "id": name})
            assert answer.status_code in (200, 409), answer.text
            if answer.status_code == 200:
                assert answer.json()["balance"] >= 0
                with self.told.lock:
                    self.told.spent[name] = (who, points)
            return
        # few codes, so that many clients want the same one at the same time
        code = dice.choice(self.codes) if kind < 0.8 else "EVERYBODY" if kind < 0.9 else "SCARCE-ONE"
        if code in self.codes:
            who = f"w{name[:-1]}"  # ten tries an hour: a used code is a wrong one
        body = {"code": code, "orderId": name, "userId": who, "amount": 50}
        answer = self._ask(http, "/v1/coupons/redeem", body)
        assert answer.status_code in (200, 409, 429), answer.text
        with self.told.lock:
            if answer.status_code == 200:
                self.told.won[code, name] = answer.json()["discount"]
            else:
                self.told.refused[answer.json()["code"]] += 1

    def _ask(self, http: httpx.Client, path: str, body: Any) -> httpx.Response:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                answer = http.post(self.address + path, json=body, auth=(self.key, ""))
                if answer.status_code != 503 and answer.json().get("code") != "busy":
                    return answer
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise AssertionError("no answer for a minute")


@pytest.mark.parametrize(("kills", "count"), [(1, 150), pytest.param(25, 3000, marks=pytest.mark.long)])
def test_fifty_clients_and_kills_spend_nothing_twice_and_lose_nothing(kills: int, count: int, tmp_path: Path) -> None:
    folder, dice, told = tmp_path / "shop", random.Random(kills), Told()
    folder.mkdir()
    (folder / "hub.yaml").write_text(CATALOG, "utf-8")
    with Hub.open(folder) as hub:
        hub.ingest(
            {"type": "track", "userId": f"c{n}", "event": "Order Completed", "properties": {"revenue": POINTS}}
            for n in range(20)
        )
        Till(hub).catch_up()
        codes = Till(hub).print("unique", count)
    assert isinstance(codes, list)
    with Server(folder) as server:
        with Clients(server, codes, told):
            for _ in range(kills):
                time.sleep(dice.uniform(0.4, 0.8))
                server.kill()
                server.start()
            until = time.monotonic() + 60
            while not told.contested() and time.monotonic() < until:
                time.sleep(0.1)
        assert not told.failures, told.failures[:3]
    audit(folder, told)
    assert told.contested(), (len(told.won), len(told.spent), told.refused)


def audit(folder: Path, told: Told) -> None:
    """Check everything that the server said against the log, and the log against itself."""
    with Hub.open(folder) as hub:
        till, now = Till(hub), hub.clock.now()
        book = till.coupons
        facts = [fact for _, fact in book.facts()]
        redeemed = [fact for fact in facts if isinstance(fact, Redeemed)]
        assert max(Counter(f.code for f in redeemed if f.coupon == "unique").values()) == 1, "a code was used twice"
        kept = {(f.code, f.order): f.discount / 1e6 for f in redeemed}
        assert len(kept) == len(redeemed)
        from opportune.offers.codes import read

        for (code, order), discount in told.won.items():
            place = book.hash(read(code)), book._hash("order", order)
            assert kept.get(place) == discount, "what was acknowledged is lost"
        assert len(told.won) == len(redeemed), "each redemption was acknowledged to somebody"
        for name in ("unique", "shared", "scarce"):
            folded = Totals()
            for fact in facts:
                folded = folded.after(fact) if fact.coupon == name else folded
            assert folded == book.totals(name, now)
        assert book.totals("shared", now).redeemed <= 150
        assert book.totals("scarce", now).spent <= 500_000_000
        each = Counter(f.subject for f in redeemed if f.coupon == "shared")
        assert max(each.values()) <= 2
        events = [codec.decode_event(hub.vault.open(node, data)) for _, node, data in hub.events.read()]
        told_of = sum(e.event == "Coupon Redeemed" for e in events)
        assert told_of == len(redeemed), "each redemption is an event of its customer, once"
        spent: defaultdict[str, int] = defaultdict(int)
        for who, points in told.spent.values():
            spent[who] += points
        for n in range(20):
            who, running = f"c{n}", 0
            for entry in entries_of(hub.store, hub.vault, hub.nodes(who)[0]):
                running += entry.points
                assert running >= 0
            assert till.standing(who).points == running == POINTS - spent[who]
            assert hub.profile(who).values["points"] == running, "the profile knows"
