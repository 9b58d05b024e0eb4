"""A server that gives codes with its decisions is killed: a code and its decision are there together, or neither is."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import httpx
import pytest

from opportune.hub import Hub
from opportune.offers.coupons import Issued, Totals
from opportune.services.till import Till
from serving import Server

CATALOG = """\
currency: EUR
time_zone: Europe/Berlin
placements: [{name: app.home, channel: app, price: 0}]
model: {explore: greedy, random_share: 0, holdout_share: 0, ramp: 0}
coupons: [{name: spring, value: 10, budget: 4000, per_customer: 3}]
actions:
  - name: save
    issue: grow
    group: any
    campaign: always
    owner: ana
    value: 5
    benefit: Something for you
    outcomes: {positive: [accept], negative: [reject], window: 7d}
    treatments: [{name: card, channel: app, placements: [app.*], content: {title: Hi}, coupon: spring}]
  - name: hello
    issue: grow
    group: any
    campaign: always
    owner: ana
    value: 1
    benefit: Something for you
    outcomes: {positive: [accept], negative: [reject], window: 7d}
    treatments: [{name: card, channel: app, placements: [app.*], content: {title: Hi}}]
"""

CLIENTS = 8


@pytest.mark.parametrize("kills", [1, pytest.param(25, marks=pytest.mark.long)])
def test_a_code_and_its_decision_are_there_together_or_neither(kills: int, tmp_path: Path) -> None:
    folder, dice = tmp_path / "shop", random.Random(kills)
    folder.mkdir()
    (folder / "hub.yaml").write_text(CATALOG, "utf-8")
    told: dict[str, tuple[str, str]] = {}
    over, lock = threading.Event(), threading.Lock()
    with Server(folder) as server:
        key = server.key("server")

        def ask(number: int) -> None:
            step = 0
            with httpx.Client(timeout=20, trust_env=False) as http:
                while not over.is_set():
                    step += 1
                    body = {"userId": f"c{number}-{step}", "placement": "app.home", "requestId": f"r{step}"}
                    for _ in range(200):
                        try:
                            answer = http.post(server.address + "/v1/decide", json=body, auth=(key, ""))
                            if answer.status_code == 200:
                                break
                        except httpx.HTTPError:
                            pass
                        time.sleep(0.1)
                    found = answer.json()
                    if found["actions"] and "coupon" in found["actions"][0]:
                        with lock:
                            told[found["decisionId"]] = (body["userId"], found["actions"][0]["coupon"]["code"])

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for _ in range(kills):
            time.sleep(dice.uniform(0.3, 0.7))
            server.kill()
            server.start()
        time.sleep(0.4)
        over.set()
        for thread in threads:
            thread.join()
    assert len(told) > 20
    with Hub.open(folder) as hub:
        book, now = Till(hub).coupons, hub.clock.now()
        facts = [fact for _, fact in book.facts()]
        made = {fact.decision_id for fact in facts if isinstance(fact, Issued)}
        gave = {
            decision_id: hub.people.view(rows.subject).customer  # type: ignore[union-attr]
            for decision_id, rows in hub.ledger.joined()
            if any(episode.action == "save" for episode in rows.each)
        }
        assert made == {book._hash("decision", decision_id) for decision_id in gave}, "a code without its decision"
        assert told.keys() <= gave.keys(), "what was acknowledged is lost"
        for decision_id, customer in gave.items():
            given = book.given("spring", decision_id, now)
            assert given is not None, "a decision without its code"
            if decision_id in told:
                assert told[decision_id] == (customer, given[0].text)
        folded = Totals()
        for fact in facts:
            folded = folded.after(fact)
        assert folded == book.totals("spring", now)
        assert folded.held == len(gave) <= 400
        assert folded.reserved <= 4_000_000_000
