"""One start of the demo: the quick days of the warm-up, then a hub that serves and customers who live through it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event

from opportune.api.beside import beside
from opportune.api.hub_file import HubFile
from opportune.api.serving import listen
from opportune.client import Client
from opportune.clock import DAY, SystemClock
from opportune.demo.console import console
from opportune.demo.customers import Clock, Customers, Notice
from opportune.demo.figures import HUB
from opportune.demo.live import Counters, Living
from opportune.demo.place import Place, State
from opportune.demo.post import post
from opportune.demo.shop.goods import Goods
from opportune.demo.shop.past import stock
from opportune.demo.shop.serving import GOODS, address_of, open_shop
from opportune.demo.staff import Staff
from opportune.demo.story import MAYA
from opportune.errors import BadInput
from opportune.hub import Hub
from opportune.simulate.company import Company
from opportune.testing import FakeClock

LONGEST = 5.0
"""Seconds after which the warm-up ends with the day that it is in; the first day, which compiles, does not count."""

QUIET = 0.16
"""The part of a usual day that happens on one of the quiet days, so that a past of two months is lived in seconds."""

HOST = "127.0.0.1"
PORT = 8080
SHOP_PORT = 8090
CONSOLE_PORT = 8081

NAMES = ("Ana", "Bob", "Chidi", "Dora", "Emre")
"""What the customers are called who may sign in to the shop, besides Maya."""


@dataclass
class Running:
    """A demo whose hub serves and whose customers live.

    `shop` is the address of its shop, `console` a link that lets in to its console; empty if it has none.
    """

    address: str
    shop: str
    console: str
    key: str
    hub: Hub
    admin: Client
    sender: Client
    asker: Client
    customers: Customers
    living: Living
    counters: Counters


def warm_up(place: Place, state: State, stop: Event) -> Iterator[tuple[float, str]]:
    """Live the days before now in the hub itself, without HTTP; yields the part done and a word, day by day.

    Ends early when it is told to `stop` or its last days, which are not quiet, take longer than `LONGEST`.
    """
    if not state.warm:
        return
    begun, days, clock = 0.0, state.warm, FakeClock(state.start, salt=state.seed)
    with Hub.open(place.folder, place.url, clock=clock) as hub:
        customers = _customers(hub, state, clock)
        customers.reach(hub, hub)
        staff = Staff(hub, state.seed, customers.regular) if state.past else None
        while state.warm and not stop.is_set():
            _live_a_day(hub, customers, clock)
            day = (customers.now - state.start) // DAY
            if day > state.past:
                begun = begun or time.monotonic()
            late = begun and time.monotonic() - begun > LONGEST
            state.warm = 0 if late else state.warm - 1
            if staff:
                state.figures.events += staff.live(state.warm, day)
            _remember(place, state, customers)
            yield 1 - state.warm / days, f"{state.figures.events:,} events, {state.figures.decisions:,} decisions"


@contextmanager
def serving(
    place: Place, state: State, port: int | None, pace: float, tell: Callable[[Notice], None], watched: bool = True
) -> Iterator[Running]:
    """Serve the hub of the demo and let its customers live while the block runs; what they do goes to `tell`.

    Without a `port` it is 8080, or any other if that is taken; shop and console have ports of their own. A `pace` of 1
    is to read along. There is a console where the demo is `watched`.
    """
    with ExitStack() as stack:
        hub = stack.enter_context(Hub.open(place.folder, place.url))
        customers = _customers(hub, state, SystemClock())
        if state.mail:
            stack.enter_context(post(state.mail, lambda key, address: customers.mail.append((key, address))))
        files = HubFile(place.store)
        address, secret = stack.enter_context(beside(hub, _listening(port, PORT), place.folder, files, True))
        admin = stack.enter_context(Client(address, secret))
        sender, asker = (stack.enter_context(Client(address, _key(admin, state, kind))) for kind in ("write", "server"))
        customers.reach(sender, asker)
        customers.tell = tell
        console_link = stack.enter_context(_console(place)) if watched else str
        shop = _shop(stack, place, state, admin, customers, address)
        state.starts += 1
        living = Living(customers, pace, lambda: _remember(place, state, customers))
        counters = Counters(address)
        living.start()
        try:
            key = state.keys["server"][1]
            yield Running(address, shop, console_link(), key, hub, admin, sender, asker, customers, living, counters)
        finally:
            living.stop()
            counters.close()
            _remember(place, state, customers)
        if living.error:
            raise living.error


def _customers(hub: Hub, state: State, clock: Clock) -> Customers:
    """Return the customers where they stopped last time."""
    company = Company(
        state.seed, hub.plan.actions, state.customers, state.start, quiet_days=state.past, quiet=QUIET, season=0.0
    )
    if state.company:
        company.restore(state.company)
    customers = Customers(company, lambda: hub.plan, clock, state.figures)
    if state.living:
        customers.restore(state.living)
    return customers


def _live_a_day(hub: Hub, customers: Customers, clock: FakeClock) -> None:
    """Live to the end of the day in one transaction of the store."""
    night = customers.now + DAY - (customers.now - customers.company.start) % DAY
    with hub.group():
        while customers.due() <= night:
            clock.at = customers.due()
            customers.step()
        clock.at = customers.now = night
        hub.tick()


def _remember(place: Place, state: State, customers: Customers) -> None:
    state.company, state.living = customers.company.snapshot(), customers.snapshot()
    place.keep(state)


def _shop(
    stack: ExitStack, place: Place, state: State, admin: Client, customers: Customers, address: str
) -> str:  # fmt: skip
    """Serve the shop until the stack ends, and return its address; "" for a folder that was made without one."""
    if not (place.folder / GOODS).exists():
        return ""
    goods = Goods.read(place.folder / GOODS)
    if not state.stocked:
        stock(admin, goods, list(customers.arm_of), state.start, state.seed)
        state.stocked = True
    listening = _listening(None, SHOP_PORT)
    mine = address_of(listening)
    key = _key(admin, state, f"write {mine}", scopes=["decide:anonymous"], origins=[mine])
    others = [name for name, arm in customers.arm_of.items() if arm == HUB]
    people = [(MAYA, "Maya"), *zip(others, NAMES)]
    shop = open_shop(listening, address, state.keys["server"][1], key, goods, people)
    return stack.enter_context(shop).address


def _console(place: Place) -> AbstractContextManager[Callable[[], str]]:
    with _listening(None, CONSOLE_PORT) as free:
        port = free.getsockname()[1]
    return console(place.folder, place.url, port)


def _listening(port: int | None, usual: int) -> socket.socket:
    if port is not None:
        return listen(HOST, port)
    try:
        return listen(HOST, usual)
    except BadInput:
        return listen(HOST, 0)


def _key(
    admin: Client, state: State, kind: str, scopes: Sequence[str] = (), origins: Sequence[str] = ()
) -> str:  # fmt: skip
    """Return the demo's key of a kind, the same each time; made anew if somebody revoked it.

    What comes after a blank in `kind` tells keys of the same kind apart.
    """
    made_before = admin.keys()
    good = {key.id for key in made_before if key.revoked is None}
    if kind not in state.keys or state.keys[kind][0] not in good:
        made = admin.new_key(kind.partition(" ")[0], name="demo", scopes=scopes, origins=origins)
        state.keys[kind] = made.id, str(made.key)
    return state.keys[kind][1]
