"""What was seen is remembered exactly, wherever it is held: in memory, in the log of late, or in the table."""

# ruff: noqa: PT012 (a transaction that raises at its end is what these tests are about)

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.clock import DAY
from opportune.events import seen
from opportune.events.seen import Seen
from opportune.events.types import Event
from opportune.store import Store, open_store

NOW = 20_000 * DAY


@pytest.fixture(params=["memory:", "sqlite:///{}/hub.db"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = open_store(request.param.format(tmp_path))
    yield store
    store.close()


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold so little in memory that most of it moves on at once."""
    monkeypatch.setattr(seen, "HELD", 40)


def event(number: int, received_at: int = NOW) -> Event:
    return Event(type="track", message_id=f"m{number}", at=0, received_at=received_at, user_id="ana", event="Tea")


def fresh(seen: Seen, events: list[Event]) -> list[Event]:
    """Return what is new of some events, and remember it."""
    found = seen.fresh(events)
    seen.remember(found)
    return found


def numbers(events: list[Event]) -> list[int]:
    return [int(event.message_id[1:]) for event in events]


@given(st.integers(0, 2**32))
def test_it_agrees_with_a_set_through_rollbacks_and_restarts(seed: int) -> None:
    random, known, day = Random(seed), dict[int, int](), 0
    store = open_store("memory:")
    mine = Seen(store)
    for _ in range(40):
        batch = [random.randrange(400) for _ in range(random.randrange(30))]
        news = [number for number in dict.fromkeys(batch) if number not in known]
        kept = random.random() < 0.8
        try:
            with store.transaction():
                assert numbers(fresh(mine, [event(n, NOW + day * DAY) for n in batch])) == news
                if not kept:
                    raise KeyError
        except KeyError:
            pass
        if kept:
            known |= dict.fromkeys(news, day)
        if random.random() < 0.1:
            mine = Seen(store)
        if random.random() < 0.1:
            day += random.randrange(20)
            old = [number for number, then in known.items() if then < day - seen.KEPT_DAYS]
            assert mine.prune(NOW + day * DAY) == len(old)
            for number in old:
                del known[number]
    assert numbers(fresh(mine, [event(n) for n in range(400)])) == [n for n in range(400) if n not in known]


def test_what_was_pruned_is_new_again_after_a_restart_too(store: Store) -> None:
    mine = Seen(store)
    fresh(mine, [event(n) for n in range(30)])
    assert mine.prune(NOW + 40 * DAY) == 30
    assert len(fresh(Seen(store), [event(n) for n in range(30)])) == 30


def test_nothing_of_it_grows_without_bound_but_the_table(store: Store) -> None:
    mine = Seen(store)
    for start in range(0, 3_000, 10):
        with store.transaction():
            assert len(fresh(mine, [event(n) for n in range(start, start + 10)])) == 10
    lately = sum(len(digests) // 16 for _, _, digests in store.log("seen_lately").read())
    assert store.table("seen").count() >= 3_000 - 50
    # what was read while the table took everything in once, and while it did so before
    assert lately <= 200
    assert fresh(mine, [event(n) for n in range(3_000)]) == fresh(Seen(store), [event(n) for n in range(3_000)]) == []


def test_a_rollback_inside_of_a_transaction_forgets_only_its_own(store: Store) -> None:
    mine = Seen(store)
    with store.transaction():
        assert numbers(fresh(mine, [event(1)])) == [1]
        with pytest.raises(KeyError), store.transaction():
            assert numbers(fresh(mine, [event(n) for n in range(100)])) == [0, *range(2, 100)]
            raise KeyError
        assert numbers(fresh(mine, [event(1), event(2)])) == [2]
    with pytest.raises(KeyError), store.transaction():
        fresh(mine, [event(n) for n in range(100, 200)])
        raise KeyError
    assert mine.prune(NOW) == 0
    assert numbers(fresh(mine, [event(n) for n in (1, 2, 3, 150)])) == [3, 150]
