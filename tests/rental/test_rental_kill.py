"""Clients ship, return and wish at a server that is killed meanwhile: nothing is sent twice, nothing is lost."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from rental_house import audit

from opportune.events import codec
from opportune.hub import Hub
from opportune.rental.facts import CopySent
from opportune.services.lending import Lending
from serving import Server

CATALOG = """\
currency: EUR
time_zone: UTC
placements: [{name: app.home, channel: app}]
rentals: [{name: films, tiers: [{name: one, at_once: 1}, {name: two, at_once: 2}]}]
"""

CUSTOMERS, ITEMS, CLIENTS = 30, 25, 8


class Clients:
    """Threads that ask until it is over; what was not answered is asked again under the same id."""

    def __init__(self, server: Server) -> None:
        self.address, self.key = server.address, server.key("server")
        self.over, self.lock = threading.Event(), threading.Lock()
        self.batches: dict[str, list[int]] = {}
        self.sent: dict[str, int] = {}
        self.returned: set[int] = set()
        self.failures: list[str] = []
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(CLIENTS)]

    def __enter__(self) -> Clients:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def has_done_enough(self) -> bool:
        """Return whether enough was sent and returned for a mistake to show."""
        with self.lock:
            return len(self.sent) + sum(map(len, self.batches.values())) > 40 and len(self.returned) > 20

    def _run(self, number: int) -> None:
        dice, step = random.Random(number), 0
        with httpx.Client(timeout=20, trust_env=False) as http:
            while not self.over.is_set():
                step += 1
                try:
                    self._step(http, dice, f"{number}-{step}")
                except AssertionError as error:
                    self.failures.append(str(error))
                    return

    def _step(self, http: httpx.Client, dice: random.Random, name: str) -> None:
        who, kind = f"c{dice.randrange(CUSTOMERS)}", dice.random()
        if kind < 0.3:
            told = self._ask(http, "ship", {"batch": name, "limit": dice.randrange(1, 12)})
            with self.lock:
                self.batches[name] = [pick["rental"] for pick in told["picks"]]
        elif kind < 0.5:
            told = self._ask(http, "send", {"userId": who, "plan": "films", "id": name})
            if told["sent"]:
                with self.lock:
                    self.sent[name] = told["sent"]["rental"]
        elif kind < 0.8:
            with self.lock:  # also what somebody else has returned
                every = [*self.sent.values(), *(one for some in self.batches.values() for one in some)]
            if every:
                rental = dice.choice(every)
                assert self._ask(http, "returns", {"rental": rental})["state"] == "returned"
                with self.lock:
                    self.returned.add(rental)
        else:
            items = [f"f{n}" for n in dice.sample(range(ITEMS), 3)]
            self._ask(http, "list", {"userId": who, "plan": "films", "add": items})

    def _ask(self, http: httpx.Client, word: str, body: Any) -> Any:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                answer = http.post(f"{self.address}/v1/rentals/{word}", json=body, auth=(self.key, ""))
                if answer.status_code not in (429, 503):
                    assert answer.status_code == 200, answer.text
                    return answer.json()
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError("no answer for a minute")


@pytest.mark.parametrize("kills", [1, pytest.param(25, marks=pytest.mark.long)])
def test_clients_and_kills_send_nothing_twice_and_lose_nothing(kills: int, tmp_path: Path) -> None:
    folder, dice = tmp_path / "shop", random.Random(kills)
    folder.mkdir()
    (folder / "hub.yaml").write_text(CATALOG, "utf-8")
    with Hub.open(folder) as hub, hub.group():
        desk = Lending(hub)
        hub.goods.shelf.put([{"id": f"f{n}"} for n in range(ITEMS)], hub.clock.now())
        for n in range(ITEMS):
            desk.copies(f"f{n}", count=1 + n % 2)
        for n in range(CUSTOMERS):
            desk.subscribe(f"c{n}", "films", ("one", "two")[n % 2])
            desk.wish(f"c{n}", "films", [f"f{k}" for k in dice.sample(range(ITEMS), 8)])
    with Server(folder) as server, Clients(server) as clients:
        for _ in range(kills):
            time.sleep(dice.uniform(0.3, 0.7))
            server.kill()
            server.start()
        until = time.monotonic() + 60  # a busy machine takes longer to do as much
        while not clients.has_done_enough() and not clients.failures and time.monotonic() < until:
            time.sleep(0.05)
    assert not clients.failures, clients.failures[:3]
    with Hub.open(folder) as hub, hub.group():
        book = Lending(hub).book
        sent = {number for number, _, fact in book.journal.facts() if isinstance(fact, CopySent)}
        told = [*clients.sent.values(), *(one for some in clients.batches.values() for one in some)]
        assert len(told) == len({*told}), "a rental was sent to two who asked"
        assert {*told} == sent, "each that was sent was acknowledged to somebody"
        assert all(book.rental(one).row.state == "returned" for one in clients.returned)  # type: ignore[union-attr]
        assert audit(book, list(book.plans.values())) == len(sent)
        for batch, rentals in clients.batches.items():
            again = book.ship(batch, 1, hub.clock.now())
            assert (again.again, [one.number for one in again.rentals]) == (True, rentals)
        events = [codec.decode_event(hub.vault.open(node, data)) for _, node, data in hub.events.read()]
        assert sorted(e.properties["rental"] for e in events if e.event == "Rental Sent") == sorted(sent)
        lived = list(book.rows())
        book.rebuild()
        assert list(book.rows()) == lived
    assert len(sent) > 40
    assert len(clients.returned) > 20
