"""What every carrier must do, as tests: subclass this in your own test files and say how to reach your other side.

    class TestMine(CarrierContract):
        @pytest.fixture
        def world(self, tmp_path: Path) -> Iterator[World]:
            with my_receiver() as receiver:
                yield World(Mine(receiver.url), a_message, receiver.keys, receiver.stop)

Needs pytest. A channel that the customer comes to has no carrier and nothing to test: its `via` is None.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pytest

from opportune.deliver.carriers.base import Carrier, InDoubt, Refused, TryLater
from opportune.deliver.types import Message, Receipt


@dataclass(frozen=True, slots=True)
class World:
    """A carrier and its other side.

    `message(n)` gives message number n, always the same; `arrived()` the send keys of the messages that arrived, each
    as often as a customer would get it; `break_down()` makes the other side unreachable. `bad` are messages that no
    repeat makes good, each with whether its address is to blame.
    """

    carrier: Carrier
    message: Callable[[int], Message]
    arrived: Callable[[], list[str]]
    break_down: Callable[[], None]
    bad: Sequence[tuple[Message, bool]] = ()


class CarrierContract:
    """A carrier says what became of each message, and nothing arrives twice or without its word."""

    def test_what_is_sent_arrives_once(self, world: World) -> None:
        async def send() -> None:
            assert isinstance(await world.carrier.send(world.message(1)), Receipt)
            assert world.arrived() == [world.message(1).key], "it has to have left when `send` returns"

        _run(world, send)

    def test_many_at_a_time_arrive_once_each(self, world: World) -> None:
        messages = [world.message(n) for n in range(60)]

        async def send() -> None:
            await asyncio.gather(*map(world.carrier.send, messages))

        _run(world, send)
        assert Counter(world.arrived()) == Counter(message.key for message in messages)

    def test_a_repeatable_carrier_knows_a_message_again(self, world: World) -> None:
        async def send() -> None:
            for n in (1, 2, 1, 1):
                await world.carrier.send(world.message(n))

        _run(world, send)
        times = Counter(world.arrived())
        if world.carrier.repeatable:
            assert times == {world.message(1).key: 1, world.message(2).key: 1}
        else:
            assert times == {world.message(1).key: 3, world.message(2).key: 1}, "it says that it is not repeatable"

    def test_what_cannot_be_sent_is_refused_and_harms_no_other(self, world: World) -> None:
        async def send() -> None:
            for bad, hard in world.bad:
                with pytest.raises(Refused) as refused:
                    await world.carrier.send(bad)
                assert refused.value.what
                assert refused.value.hard is hard, refused.value.what
                assert len(bad.to) < 2 or bad.to not in refused.value.what, "it is kept, so it names no customer"
                await world.carrier.send(world.message(1))

        _run(world, send)
        assert set(world.arrived()) <= {world.message(1).key}

    def test_nothing_is_called_sent_when_nobody_is_there(self, world: World) -> None:
        async def send() -> None:
            await world.carrier.send(world.message(1))
            world.break_down()
            for n in (2, 3):
                with pytest.raises(TryLater) as later:
                    await world.carrier.send(world.message(n))
                assert later.value.what
                assert later.value.after is None or later.value.after >= 0

        _run(world, send)

    def test_a_send_that_is_cancelled_harms_no_other(self, world: World) -> None:
        async def send() -> None:
            for pause in (0.0, 0.001, 0.003, 0.01):
                task = asyncio.create_task(_quietly(world.carrier, world.message(1)))
                await asyncio.sleep(pause)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            for n in range(2, 30):
                await world.carrier.send(world.message(n))

        _run(world, send)
        times = Counter(world.arrived())
        assert {key: times[key] for key in times if key != world.message(1).key} == {
            world.message(n).key: 1 for n in range(2, 30)
        }

    def test_closing_twice_is_harmless(self, world: World) -> None:
        async def close() -> None:
            await world.carrier.close()
            await world.carrier.close()

        _run(world, close)


async def _quietly(carrier: Carrier, message: Message) -> None:
    with suppress(TryLater, Refused, InDoubt):
        await carrier.send(message)


def _run(world: World, work: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        try:
            await work()
        finally:
            await world.carrier.close()

    asyncio.run(asyncio.wait_for(whole(), 30))
