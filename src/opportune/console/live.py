"""What the hub says, live: looked up once for everybody who watches it, and told only when it changed.

One connection listens to the hub's feed for all consoles, and one for each customer whom anybody looks at. Whoever
watches is called in the event loop; nobody watching, nothing is asked.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from opportune.client import Client, Refused, Unreachable
from opportune.errors import NotFound, OpportuneError
from opportune.wire import Answered, Profile
from opportune.wire.watching import Beat, Counts, FeedItem, Happened, NowInfo, PlacementInfo, Story

T = TypeVar("T")

EVERY, PERSON_EVERY = 5.0, 30.0
"""Seconds after which figures, and a customer, are looked up again though the feed is silent: time changes them too."""

OFTEN = 15.0
"""Seconds between two looks up to which a look is cheap enough to follow each act of a person."""

PAUSE = 0.5
"""Seconds between two looks, and two tellings: what comes faster comes together."""

KEPT = 60
"""Happenings of the feed that a page opened now begins with."""

AGAIN = 1.5
"""Seconds between two tries to reach a hub that is away."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """The hub as it is now: figures, the counts that are newest, and the last happenings."""

    now: NowInfo | None = None
    today: Counts | None = None
    beat: Beat | None = None
    happened: tuple[Happened, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as they are now, and what each placement would say; None: there is none of that id."""

    profile: Profile | None
    story: Story | None = None
    places: tuple[PlacementInfo, ...] = ()
    answers: dict[str, Answered] = field(default_factory=dict)


class Live(Generic[T]):
    """A value that the hub changes, for many watchers.

    `look` reads it; `follow` yields items of the feed, and `hear` says what an item makes of the value, None where it
    has to be looked up again. Both run in threads of their own; without `follow` time alone changes it.
    """

    def __init__(
        self, look: Callable[[T | None], T], away: Callable[[str], None], every: float,
        follow: Callable[[], Iterator[FeedItem]] | None = None,
        hear: Callable[[T | None, FeedItem], T | None] = lambda old, item: None,
    ) -> None:  # fmt: skip
        self.every = every
        self._look, self._follow, self._hear, self._away = look, follow, hear, away
        self._watchers: list[Callable[[T], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due, self._end = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._telling, self._told = False, 0.0
        self._under_way = self._stale = False
        self.value: T | None = None

    def watch(self, tell: Callable[[T], None]) -> Callable[[], None]:
        """Call `tell` with each new value from now on; return what ends that."""
        self._watchers.append(tell)
        if len(self._watchers) == 1:
            self._loop = asyncio.get_running_loop()
            self._end = threading.Event()
            self._due.set()
            threading.Thread(target=self._looking, args=(self._end,), daemon=True).start()
            if self._follow is not None:
                threading.Thread(target=self._following, args=(self._end, self._follow), daemon=True).start()

        def stop() -> None:
            if tell in self._watchers:
                self._watchers.remove(tell)
            if not self._watchers:
                self._end.set()
                self._due.set()
                self.value = None

        return stop

    def again(self) -> None:
        """Look again soon."""
        self._due.set()

    def afresh(self) -> None:
        """Look again soon, as if nothing had been seen; what a look under way finds is of before, and dropped."""
        self.value = None
        self._stale = self._under_way
        self._due.set()

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._watchers)

    def _looking(self, end: threading.Event) -> None:
        looked = 0.0
        while not end.is_set():
            self._due.wait(self.every)
            end.wait(looked + PAUSE - time.monotonic())
            self._due.clear()
            if end.is_set():
                self._due.set()  # it may have been meant for who watches by now
                return
            looked = time.monotonic()
            self._stale, self._under_way = False, True
            try:
                found = self._look(self.value)
            except Exception as error:  # whatever it is, what is live goes on being looked up
                if not isinstance(error, OpportuneError):
                    logging.getLogger(__name__).exception("what the hub says cannot be read")
                self._away(str(error) or type(error).__name__)
                end.wait(AGAIN)
                self._due.set()
            else:
                self._away("")
                if not self._stale:
                    self._set(found)
            finally:
                self._under_way = False

    def _following(self, end: threading.Event, follow: Callable[[], Iterator[FeedItem]]) -> None:
        while not end.is_set():
            try:
                for item in follow():
                    if end.is_set():
                        return
                    with self._lock:
                        heard = self._hear(self.value, item)
                    if heard is None:
                        self._due.set()
                    else:
                        self._set(heard)
            except OpportuneError as error:
                if isinstance(error, Unreachable | Refused):
                    self._away(str(error))
            except Exception:  # a hub of another version; what is looked at tells it in words
                logging.getLogger(__name__).exception("the feed of the hub cannot be read")
            end.wait(AGAIN)
            self._due.set()

    def _set(self, value: T) -> None:
        with self._lock:
            if value == self.value:
                return
            self.value = value
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._tell_soon)

    def _tell_soon(self) -> None:
        if not self._telling:
            self._telling = True
            wait = max(0.0, self._told + PAUSE - time.monotonic())
            asyncio.get_running_loop().call_later(wait, self._tell)

    def _tell(self) -> None:
        self._telling, self._told = False, time.monotonic()
        if self.value is not None:
            for tell in [*self._watchers]:
                try:
                    tell(self.value)
                except Exception:  # one page that cannot be drawn must not keep the others from it
                    logging.getLogger(__name__).exception("a page could not be drawn")


class Hub:
    """The hub that a console shows. `trouble` says why it cannot be reached, "" while it can.

    `find` says where it is and which key opens it: a hub that starts again may have another key.
    """

    def __init__(self, find: Callable[[], tuple[str, str] | None]) -> None:
        self._find, self._reached = find, find() or ("", "")
        self.client, self.trouble = Client(*self._reached), ""
        self._told: list[Callable[[str], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._people: dict[str, Live[Person]] = {}
        self._regular: dict[str, Live[Any]] = {}
        self._happened: deque[Happened] = deque(maxlen=KEPT)
        self._position = ""
        self.pulse = Live(self._look_now, self._away, EVERY, self._follow_now, self._hear_now)

    def person(self, customer: str) -> Live[Person]:
        """Return a customer, live."""
        self._people = {name: one for name, one in self._people.items() if one.watched or name == customer}
        if customer not in self._people:
            self._people[customer] = Live(
                lambda old: _look_at(self.client, customer),
                self._away,
                PERSON_EVERY,
                lambda: _follow(self.client, customer),
                lambda old, item: old if old is not None and not item.changed else None,
            )
        return self._people[customer]

    def regular(self, name: str, look: Callable[[Client, T | None], T], every: float) -> Live[T]:
        """Return what is looked up every so many seconds while anybody watches: one for all who ask for that name.

        `look` is given what was seen last.
        """
        self._regular = {one: live for one, live in self._regular.items() if live.watched or one == name}
        if name not in self._regular:
            self._regular[name] = Live(lambda old: look(self.client, old), self._away, every)
        return cast("Live[T]", self._regular[name])

    def stir(self) -> None:
        """Look again soon at what is looked up often, and so is cheap: somebody did something."""
        for live in self._regular.values():
            if live.every <= OFTEN:
                live.again()

    async def ask(self, work: Callable[[Client], T]) -> T:
        """Ask the hub something without holding up anybody else."""
        try:
            return await asyncio.to_thread(work, self.client)
        except (Unreachable, Refused) as error:
            self._away(str(error))
            raise

    def close(self) -> None:
        """Let go of the hub."""
        self.client.close()

    def on_trouble(self, tell: Callable[[str], None]) -> Callable[[], None]:
        """Call `tell` when the hub goes away, and with "" when it is back; return what ends that."""
        self._loop = asyncio.get_running_loop()
        self._told.append(tell)
        return lambda: self._told.remove(tell) if tell in self._told else None

    def _away(self, why: str) -> None:
        if why and (found := self._find()) is not None and found != self._reached:
            self._reached, self.client = found, Client(*found)
        if why != self.trouble:
            self.trouble = why
            if self._loop is not None:
                self._loop.call_soon_threadsafe(lambda: [tell(why) for tell in [*self._told]])

    def _look_now(self, old: Pulse | None) -> Pulse:
        now = self.client.now()
        newest = now.beats[-1] if now.beats else None
        return Pulse(now, now.today, newest, tuple(self._happened))

    def _follow_now(self) -> Iterator[FeedItem]:
        """Listen from where was heard last, so that nothing is missed while the hub, or everybody here, is away."""
        return self.client.feed(after=self._position, last=KEPT)

    def _hear_now(self, old: Pulse | None, item: FeedItem) -> Pulse | None:
        self._happened.extend(item.happened)
        self._position = item.position or self._position
        if old is None:
            return None
        return Pulse(old.now, item.today or old.today, item.beat or old.beat, tuple(self._happened))


def _look_at(client: Client, customer: str) -> Person:
    try:
        profile = client.profile(customer)
    except NotFound:
        return Person(None)
    places = client.placements()
    story = client.story(customer)
    who = asked_by(story)
    answers = {
        place.name: client.decide(who[0], place.name, anonymous=who[1], peek=True, explain=True) for place in places
    }
    return Person(profile, story, tuple(places), answers)


def asked_by(story: Story) -> tuple[str | None, str | None]:
    """Return how a decision names the customer of a story: the user id, or the anonymous id where there is none."""
    first = story.identities[0]
    return (first.id, None) if first.type == "user id" else (None, first.id)


def _follow(client: Client, customer: str) -> Iterator[FeedItem]:
    try:
        yield from client.feed(customer)
    except NotFound:
        time.sleep(AGAIN)  # nobody knows them yet
        yield FeedItem(changed=True)
